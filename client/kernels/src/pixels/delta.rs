//! A reversible predictor for sampled data that a general compressor cannot see through: little-endian samples of one to
//! four bytes, as in PCM sound and raw volumes. Each sample is replaced by its difference to what its neighbours let
//! expect, small differences become small numbers, and the bytes of equal weight are put side by side. Nothing gets
//! shorter here: the same number of bytes comes out, for every length, and [`undo`] gives back exactly what went in.

/// Which neighbours a sample is predicted from. All numbers count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    sample: u8,
    frame: u32,
    row: Option<u32>,
}

impl Delta {
    /// Predicts a sample of `sample` bytes (1 to 4) from the one `frame` bytes before it: the last one of the same
    /// channel. With a `row`, also from the one that many bytes before it, and from the one before that: the median
    /// that JPEG-LS predicts by. None where a sample has another width, or the others are no multiples of it, are 0, or
    /// the row is not longer than the frame.
    #[must_use]
    pub fn new(sample: u8, frame: u32, row: Option<u32>) -> Option<Self> {
        let is_multiple = |length: u32| length > 0 && length.is_multiple_of(u32::from(sample));
        let is_valid =
            (1..=4).contains(&sample) && is_multiple(frame) && row.is_none_or(|row| is_multiple(row) && row > frame);
        is_valid.then_some(Self { sample, frame, row })
    }

    /// Bytes of a sample.
    #[must_use]
    pub fn sample(&self) -> u8 {
        self.sample
    }

    /// Bytes from a sample to the next one of its channel.
    #[must_use]
    pub fn frame(&self) -> u32 {
        self.frame
    }

    /// Bytes from a sample to the one below it.
    #[must_use]
    pub fn row(&self) -> Option<u32> {
        self.row
    }

    /// The same in samples: how far back the one before is, and the one above.
    fn distances(&self) -> (usize, Option<usize>) {
        let samples = |bytes: u32| bytes as usize / usize::from(self.sample);
        (samples(self.frame), self.row.map(samples))
    }
}

/// Appends `bytes` to `out` as their differences. Bytes after the last whole sample stay as they are.
pub fn apply(kind: Delta, bytes: &[u8], out: &mut Vec<u8>) {
    match kind.sample {
        1 => apply_to::<1>(kind, bytes, out),
        2 => apply_to::<2>(kind, bytes, out),
        3 => apply_to::<3>(kind, bytes, out),
        _ => apply_to::<4>(kind, bytes, out),
    }
}

/// Appends the bytes that [`apply`] of the same kind made `bytes` of to `out`.
pub fn undo(kind: Delta, bytes: &[u8], out: &mut Vec<u8>) {
    match kind.sample {
        1 => undo_of::<1>(kind, bytes, out),
        2 => undo_of::<2>(kind, bytes, out),
        3 => undo_of::<3>(kind, bytes, out),
        _ => undo_of::<4>(kind, bytes, out),
    }
}

/// A sample in the high bytes of a word, so that its sign is the word's and what overflows is lost.
#[inline(always)]
fn load<const W: usize>(bytes: &[u8; W]) -> u32 {
    let mut word = [0; 4];
    word[4 - W..].copy_from_slice(bytes);
    u32::from_le_bytes(word)
}

#[inline(always)]
fn store<const W: usize>(word: u32) -> [u8; W] {
    let word = word.to_le_bytes();
    std::array::from_fn(|byte| word[4 - W + byte])
}

/// 0, -1, 1, -2 become 0, 1, 2, 3, all in the high bytes.
#[inline(always)]
fn fold<const W: usize>(difference: u32) -> u32 {
    let sign = (difference.cast_signed() >> 31).cast_unsigned();
    (difference << 1) ^ (sign << (32 - 8 * W))
}

#[inline(always)]
fn unfold<const W: usize>(folded: u32) -> u32 {
    let low = folded >> (32 - 8 * W);
    ((low >> 1) ^ (low & 1).wrapping_neg()) << (32 - 8 * W)
}

/// The median of left, above and the plane through them and the corner. Differences to the corner are signed, so that
/// it matters not whether the samples are.
#[inline(always)]
fn median(left: u32, above: u32, corner: u32) -> u32 {
    let a = i64::from(left.wrapping_sub(corner).cast_signed());
    let b = i64::from(above.wrapping_sub(corner).cast_signed());
    let median = (a + b).clamp(a.min(b), a.max(b));
    // Between two numbers of 32 bits, so one itself.
    corner.wrapping_add(i32::try_from(median).unwrap_or(0).cast_unsigned())
}

/// What the sample behind `words` is expected to be.
#[inline(always)]
fn expected(words: &[u32], frame: usize, row: Option<usize>) -> u32 {
    let back = |distance: usize| words.len().checked_sub(distance).and_then(|at| words.get(at)).copied();
    let left = back(frame);
    match row.and_then(|row| Some((back(row)?, back(row + frame)?))) {
        Some((above, corner)) => median(left.unwrap_or(0), above, corner),
        None => left.unwrap_or(0),
    }
}

fn apply_to<const W: usize>(kind: Delta, bytes: &[u8], out: &mut Vec<u8>) {
    let (samples, tail) = bytes.as_chunks::<W>();
    let words = samples.iter().map(load).collect::<Vec<_>>();
    let count = words.len();
    let (frame, row) = kind.distances();
    let start = out.len();
    out.resize(start + count * W, 0);
    let mut planes = out.get_mut(start..).unwrap_or_default();
    let mut planes: [&mut [u8]; W] = std::array::from_fn(|_| {
        let (plane, rest) = std::mem::take(&mut planes).split_at_mut(count);
        planes = rest;
        plane
    });
    for (at, word) in words.iter().enumerate() {
        let folded = fold::<W>(word.wrapping_sub(expected(&words[..at], frame, row)));
        for (plane, byte) in planes.iter_mut().zip(store::<W>(folded)) {
            plane[at] = byte;
        }
    }
    out.extend_from_slice(tail);
}

fn undo_of<const W: usize>(kind: Delta, bytes: &[u8], out: &mut Vec<u8>) {
    let count = bytes.len() / W;
    let (planes, tail) = bytes.split_at(count * W);
    let planes: [&[u8]; W] = std::array::from_fn(|plane| &planes[plane * count..(plane + 1) * count]);
    let (frame, row) = kind.distances();
    let mut words: Vec<u32> = Vec::with_capacity(count);
    for at in 0..count {
        let folded = load(&planes.map(|plane| plane[at]));
        words.push(expected(&words, frame, row).wrapping_add(unfold::<W>(folded)));
    }
    out.reserve(bytes.len());
    words.iter().for_each(|word| out.extend_from_slice(&store::<W>(*word)));
    out.extend_from_slice(tail);
}
