//! Bits in and out, most significant first, and the bit that JPEG-LS stuffs after each byte FF (T.87, A.1). Coding
//! works on plain bits; stuffing is a pass of its own over eight bytes at a time, so that the inner loops need not ask.

/// Writes bits to a buffer that it owns and that can be used again.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Whole bytes written.
    at: usize,
    /// The bits of the next byte, fewer than eight, at the top.
    pending: u64,
    held: u32,
}

impl BitWriter {
    pub(super) fn clear(&mut self) {
        (self.at, self.pending, self.held) = (0, 0, 0);
    }

    /// Makes room for so many bytes more, so that writing them finds it.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let needed = self.at + bytes + 8;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.max(self.bytes.len() * 2), 0);
        }
    }

    /// Appends the `length` low bits of `value`, whose other bits are zero. `length` is 1 to 56.
    #[inline(always)]
    pub(super) fn put(&mut self, value: u64, length: u32) {
        let held = self.held + length;
        let pending = self.pending | (value << (64 - held));
        if let Some(room) = self.bytes.get_mut(self.at..self.at + 8) {
            room.copy_from_slice(&pending.to_be_bytes());
        } else {
            self.put_growing(pending);
        }
        self.at += (held >> 3) as usize;
        self.pending = pending << (held & 56);
        self.held = held & 7;
    }

    #[cold]
    fn put_growing(&mut self, pending: u64) {
        self.bytes.resize(self.at + 4096, 0);
        if let Some(room) = self.bytes.get_mut(self.at..self.at + 8) {
            room.copy_from_slice(&pending.to_be_bytes());
        }
    }

    /// Appends `zeros` zero bits, any number.
    pub(super) fn put_zeros(&mut self, mut zeros: u32) {
        while zeros > 0 {
            let now = zeros.min(32);
            self.put(0, now);
            zeros -= now;
        }
    }

    /// What was written, the last byte filled with zeros, and how many bits of it count.
    pub(super) fn finish(&mut self) -> (&[u8], u32) {
        let filling = (8 - self.held) & 7;
        self.put_zeros(filling);
        (self.bytes.get(..self.at).unwrap_or_default(), filling)
    }
}

/// Whether one of the eight bytes is FF.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    let word = !word;
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
}

fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*word))
}

/// Appends `plain` without its last `filling` bits to `out` with a zero bit stuffed after each byte FF. What ends in FF
/// gets one more byte, so that no marker that follows can be taken for it.
pub(super) fn stuff((plain, filling): (&[u8], u32), out: &mut Vec<u8>) {
    out.reserve(plain.len() + plain.len() / 64 + 16);
    // `pending` are `held` bits (fewer than eight) at the top that are still to be written before what is at `at`.
    let (mut at, mut pending, mut held) = (0_usize, 0_u64, 0_u32);
    let mut after_ff = false;
    loop {
        if !after_ff && let Some(word) = word_at(plain, at) {
            let next = pending | (word >> held);
            if !has_ff(next) {
                out.extend_from_slice(&next.to_be_bytes());
                pending = if held == 0 { 0 } else { word << (64 - held) };
                at += 8;
                continue;
            }
        }
        // One byte of the output: eight bits, or seven after FF.
        let take = if after_ff { 7 } else { 8 };
        while held < take {
            let Some(byte) = plain.get(at) else { break };
            pending |= u64::from(*byte) << (56 - held);
            held += 8;
            at += 1;
        }
        // All the input is in `pending` once fewer than `filling` bits are left of it.
        let left = if at < plain.len() {
            held
        } else {
            held.saturating_sub(filling)
        };
        if left == 0 && !after_ff {
            return;
        }
        let byte = (pending >> (64 - take)).to_le_bytes()[0];
        out.push(byte);
        pending <<= take;
        held = held.saturating_sub(take);
        after_ff = byte == 0xFF;
    }
}

/// The plain bits of a scan that `stuffed` begins with, and where the marker that ends it stands.
pub(super) fn unstuff(stuffed: &[u8], plain: &mut Vec<u8>) -> usize {
    plain.clear();
    plain.reserve(stuffed.len() + 8);
    let (mut at, mut pending, mut held) = (0_usize, 0_u64, 0_u32);
    let mut after_ff = false;
    loop {
        if !after_ff
            && let Some(word) = word_at(stuffed, at)
            && !has_ff(word)
        {
            plain.extend_from_slice(&(pending | (word >> held)).to_be_bytes());
            pending = if held == 0 { 0 } else { word << (64 - held) };
            at += 8;
            continue;
        }
        let Some(&byte) = stuffed.get(at) else { break };
        // FF before a byte with its top bit set is a marker's.
        if byte == 0xFF && stuffed.get(at + 1).is_none_or(|next| next & 0x80 != 0) {
            break;
        }
        let bits = if after_ff { 7 } else { 8 };
        pending |= (u64::from(byte) << (64 - bits)) >> held;
        held += bits;
        if held >= 8 {
            plain.push((pending >> 56).to_le_bytes()[0]);
            pending <<= 8;
            held -= 8;
        }
        after_ff = byte == 0xFF;
        at += 1;
    }
    if held > 0 {
        plain.push((pending >> 56).to_le_bytes()[0]);
    }
    at
}

/// Reads plain bits. Past the end come zeros; [`Self::is_overdrawn`] tells.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next byte that is not in `bits` yet.
    at: usize,
    /// The next bits, at the top; `held` of them count, and what is below is a preview of them or zero.
    bits: u64,
    held: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            bits: 0,
            held: 0,
        }
    }

    /// Makes at least 56 bits count.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        let word = match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => u64::from_be_bytes(*word),
            None => self.last_word(),
        };
        self.bits |= word >> self.held;
        self.at += ((63 - self.held) >> 3) as usize;
        self.held |= 56;
    }

    /// The bytes that are left, with zeros behind them.
    #[cold]
    fn last_word(&self) -> u64 {
        let mut word = [0_u8; 8];
        for (to, from) in word.iter_mut().zip(self.bytes.get(self.at..).unwrap_or_default()) {
            *to = *from;
        }
        u64::from_be_bytes(word)
    }

    /// The next bits, at the top. At least 56 of them count after [`Self::fill`].
    #[inline(always)]
    pub(super) fn peek(&self) -> u64 {
        self.bits
    }

    /// Goes on by `length` bits, at most 56 since the last [`Self::fill`].
    #[inline(always)]
    pub(super) fn skip(&mut self, length: u32) {
        self.bits <<= length;
        self.held -= length;
    }

    /// The next `length` bits as a number, at most 32.
    #[inline(always)]
    pub(super) fn take(&mut self, length: u32) -> u32 {
        self.fill();
        let value = (self.bits >> 32) >> (32 - length);
        self.skip(length);
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    /// How many zeros come before the next one, which is read too. None beyond `most`, which is below 56.
    #[inline(always)]
    pub(super) fn take_zeros(&mut self, most: u32) -> Option<u32> {
        self.fill();
        let zeros = self.bits.leading_zeros();
        if zeros > most {
            return None;
        }
        self.skip(zeros + 1);
        Some(zeros)
    }

    /// Whether more was read than there is.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.at > self.bytes.len() + (self.held >> 3) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed_byte_by_byte(plain: &[u8], filling: usize) -> Vec<u8> {
        let bits = plain
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        let mut bits = bits.take((plain.len() * 8).saturating_sub(filling)).peekable();
        let mut out: Vec<u8> = Vec::new();
        while bits.peek().is_some() {
            let take = if out.last() == Some(&0xFF) { 7 } else { 8 };
            out.push((0..take).fold(0, |byte, _| byte << 1 | bits.next().unwrap_or(0)));
        }
        if out.last() == Some(&0xFF) {
            out.push(0);
        }
        out
    }

    proptest! {
        #[test]
        fn stuffing_is_as_if_done_byte_by_byte_and_comes_off_again(
            plain in proptest::collection::vec(prop_oneof![2 => Just(0xFF_u8), 3 => any::<u8>()], 0..80),
            quiet in 0_usize..40,
            filling in 0_u32..8,
        ) {
            let mut plain = [vec![0x55; quiet], plain, vec![0x55; quiet]].concat();
            if let Some(last) = plain.last_mut() {
                *last &= 0xFF << filling;
            }
            let mut stuffed = Vec::new();
            stuff((&plain, filling), &mut stuffed);
            prop_assert_eq!(&stuffed, &stuffed_byte_by_byte(&plain, filling as usize));
            let length = stuffed.len();
            stuffed.extend_from_slice(&[0xFF, 0xD9, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            let mut again = Vec::new();
            prop_assert_eq!(unstuff(&stuffed, &mut again), length);
            again.resize(again.len().max(plain.len()), 0);
            prop_assert_eq!(&again[..plain.len()], &plain[..]);
        }

        #[test]
        fn what_is_put_is_taken(values in proptest::collection::vec((any::<u32>(), 1_u32..=32), 0..200)) {
            let mut writer = BitWriter::default();
            for (value, length) in &values {
                writer.put(u64::from(*value) & ((1 << length) - 1), *length);
            }
            let bytes = writer.finish().0.to_vec();
            let mut reader = BitReader::new(&bytes);
            for (value, length) in &values {
                prop_assert_eq!(u64::from(reader.take(*length)), u64::from(*value) & ((1 << length) - 1));
            }
            prop_assert!(!reader.is_overdrawn());
            reader.take(16);
            prop_assert!(reader.is_overdrawn());
        }
    }
}
