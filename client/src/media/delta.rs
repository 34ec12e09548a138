//! Differences of samples, for zstd: each sample minus the one before it of the same channel, with the sign in the lowest
//! bit, and the bytes of one significance side by side. Sound, curves and volumes then have long stretches of small
//! numbers, which an entropy coder sees. Any bytes come back as they were.

/// How samples stand in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeltaFormat {
    /// Bytes of a sample, 1 to 4.
    width: u8,
    big_endian: bool,
    /// Samples from one to the next of its channel, at least 1.
    stride: u8,
}

impl DeltaFormat {
    /// Bytes that a format takes up.
    pub(super) const LEN: usize = 2;
    const BIG_ENDIAN: u8 = 0x80;

    /// A format; `None` where a sample or a stride is longer than is of use.
    pub(super) fn new(width: u32, big_endian: bool, stride: u32) -> Option<Self> {
        let format = Self {
            width: u8::try_from(width).ok()?,
            big_endian,
            stride: u8::try_from(stride).ok()?,
        };
        ((1..=4).contains(&width) && stride > 0).then_some(format)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let order = if self.big_endian { Self::BIG_ENDIAN } else { 0 };
        [self.width | order, self.stride]
    }

    pub(super) fn from_bytes([width, stride]: [u8; Self::LEN]) -> Option<Self> {
        let big_endian = width & Self::BIG_ENDIAN != 0;
        Self::new(u32::from(width & !Self::BIG_ENDIAN), big_endian, u32::from(stride))
    }

    /// Bytes of a sample.
    pub(super) fn width(self) -> usize {
        usize::from(self.width)
    }

    /// Puts the differences of `bytes` into `out`, whose content is replaced; as many bytes.
    pub(super) fn split(self, bytes: &[u8], out: &mut Vec<u8>) {
        out.resize(bytes.len(), 0);
        match self.width {
            1 => split::<1>(self, bytes, out),
            2 => split::<2>(self, bytes, out),
            3 => split::<3>(self, bytes, out),
            _ => split::<4>(self, bytes, out),
        }
    }

    /// Puts into `out`, whose content is replaced, what [`Self::split`] made `differences` of.
    pub(super) fn join(self, differences: &[u8], out: &mut Vec<u8>) {
        out.resize(differences.len(), 0);
        match self.width {
            1 => join::<1>(self, differences, out),
            2 => join::<2>(self, differences, out),
            3 => join::<3>(self, differences, out),
            _ => join::<4>(self, differences, out),
        }
    }

    /// How many bits the differences of some bytes have in all, without leading zeros: roughly what they compress to.
    pub(super) fn weight(self, bytes: &[u8]) -> u64 {
        match self.width {
            1 => weight::<1>(self, bytes),
            2 => weight::<2>(self, bytes),
            3 => weight::<3>(self, bytes),
            _ => weight::<4>(self, bytes),
        }
    }
}

fn mask<const W: usize>() -> u32 {
    u32::MAX >> (32 - 8 * W)
}

fn load<const W: usize>(bytes: [u8; W], big_endian: bool) -> u32 {
    let mut wide = [0; 4];
    if big_endian {
        for (to, from) in wide.iter_mut().zip(bytes.iter().rev()) {
            *to = *from;
        }
    } else {
        for (to, from) in wide.iter_mut().zip(bytes) {
            *to = from;
        }
    }
    u32::from_le_bytes(wide)
}

fn store<const W: usize>(value: u32, big_endian: bool, to: &mut [u8; W]) {
    let wide = value.to_le_bytes();
    for (to, from) in to.iter_mut().zip(wide) {
        *to = from;
    }
    if big_endian {
        to.reverse();
    }
}

/// The difference of two samples, its sign in the lowest bit, so that what is near zero is small.
fn difference<const W: usize>(sample: u32, before: u32) -> u32 {
    let difference = sample.wrapping_sub(before);
    let negative = (difference >> (8 * W - 1)) & 1;
    ((difference << 1) ^ negative.wrapping_neg()) & mask::<W>()
}

fn sum<const W: usize>(difference: u32, before: u32) -> u32 {
    let signed = (difference >> 1) ^ (difference & 1).wrapping_neg();
    before.wrapping_add(signed) & mask::<W>()
}

/// The samples before those at the same place of `samples`, as far as there are any.
fn befores<const W: usize>(samples: &[[u8; W]], stride: usize) -> impl Iterator<Item = [u8; W]> {
    std::iter::repeat_n([0; W], stride).chain(samples.iter().copied())
}

fn split<const W: usize>(format: DeltaFormat, bytes: &[u8], out: &mut [u8]) {
    let (samples, rest) = bytes.as_chunks::<W>();
    let (planes, tail) = out.split_at_mut(samples.len() * W);
    tail.copy_from_slice(rest);
    let each = || {
        samples
            .iter()
            .zip(befores(samples, usize::from(format.stride)))
            .map(|(sample, before)| difference::<W>(load(*sample, format.big_endian), load(before, format.big_endian)))
    };
    // A plane at a time: the differences are cheaper to make again than to keep.
    for (significance, plane) in (0..W).rev().zip(planes.chunks_exact_mut(samples.len().max(1))) {
        for (to, difference) in plane.iter_mut().zip(each()) {
            *to = difference.to_le_bytes()[significance];
        }
    }
}

fn join<const W: usize>(format: DeltaFormat, differences: &[u8], out: &mut [u8]) {
    let count = differences.len() / W;
    let (planes, rest) = differences.split_at(count * W);
    let (samples, tail) = out.as_chunks_mut::<W>();
    tail.copy_from_slice(rest);
    let stride = usize::from(format.stride);
    for position in 0..samples.len() {
        let before = position.checked_sub(stride).and_then(|before| samples.get(before));
        let before = before.map_or(0, |before| load(*before, format.big_endian));
        let mut difference = 0;
        for plane in 0..W {
            let byte = planes.get(plane * count + position).copied().unwrap_or_default();
            difference = difference << 8 | u32::from(byte);
        }
        if let Some(sample) = samples.get_mut(position) {
            store(sum::<W>(difference, before), format.big_endian, sample);
        }
    }
}

fn weight<const W: usize>(format: DeltaFormat, bytes: &[u8]) -> u64 {
    let (samples, _) = bytes.as_chunks::<W>();
    samples
        .iter()
        .zip(befores(samples, usize::from(format.stride)))
        .map(|(sample, before)| difference::<W>(load(*sample, format.big_endian), load(before, format.big_endian)))
        .map(|difference| u64::from(32 - difference.leading_zeros()))
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn format(width: u32, big_endian: bool, stride: u32) -> DeltaFormat {
        DeltaFormat::new(width, big_endian, stride).unwrap()
    }

    #[test]
    fn small_steps_become_small_numbers_with_their_high_bytes_first() {
        let mut out = Vec::new();
        // 256, 255, 258 in little endian, and a byte that is no sample.
        format(2, false, 1).split(&[0, 1, 255, 0, 2, 1, 9], &mut out);
        assert_eq!(out, [2, 0, 0, 0, 1, 6, 9], "512, then 1 for -1, then 6 for 3");
        format(2, true, 2).split(&[1, 0, 5, 5, 1, 2], &mut out);
        assert_eq!(out, [2, 10, 0, 0, 10, 4]);
    }

    #[test]
    fn what_is_no_format_is_not_read() {
        for [width, stride] in [[0, 1], [5, 1], [2, 0], [0x80, 1], [0xff, 1]] {
            assert_eq!(DeltaFormat::from_bytes([width, stride]), None);
        }
        assert_eq!(DeltaFormat::new(2, false, 256), None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            width in 1_u32..=4, big_endian: bool, stride in 1_u32..=255
        ) {
            let format = format(width, big_endian, stride);
            prop_assert_eq!(DeltaFormat::from_bytes(format.to_bytes()), Some(format));
            let (mut differences, mut back) = (vec![7; 3], vec![7; 300]);
            format.split(&bytes, &mut differences);
            format.join(&differences, &mut back);
            prop_assert_eq!(back, bytes);
        }
    }
}
