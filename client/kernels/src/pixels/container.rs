//! Where samples are in bytes, and where values are in samples: from a stripe to planes of 16-bit words and back, and
//! from a word to its field of stored bits and the other bits around it.

/// Where the samples of a stripe are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: u16,
    pub(super) rows: u16,
    /// 1 to 4.
    pub(super) samples: u8,
    pub(super) planar: bool,
    /// 1 or 2.
    pub(super) bytes: u8,
    pub(super) big_endian: bool,
}

impl Layout {
    /// Values in one plane.
    pub(super) fn plane_len(&self) -> usize {
        usize::from(self.width) * usize::from(self.rows)
    }

    /// Bytes in the stripe.
    pub(super) fn stripe_len(&self) -> usize {
        self.plane_len() * usize::from(self.samples) * usize::from(self.bytes)
    }

    /// From which value on, and how far apart, one kind of sample stands among all values.
    fn places(&self, sample: u8) -> (usize, usize) {
        let sample = usize::from(sample);
        if self.planar {
            (sample * self.plane_len(), 1)
        } else {
            (sample, usize::from(self.samples))
        }
    }

    /// One kind of sample out of a stripe, in place of what is in `words`.
    pub(super) fn gather(&self, stripe: &[u8], sample: u8, words: &mut Vec<u16>) {
        words.clear();
        if self.bytes == 1 {
            self.pick(stripe, sample, |byte| u16::from(*byte), words);
        } else if self.big_endian {
            self.pick(stripe.as_chunks().0, sample, |pair| u16::from_be_bytes(*pair), words);
        } else {
            self.pick(stripe.as_chunks().0, sample, |pair| u16::from_le_bytes(*pair), words);
        }
    }

    fn pick<T>(&self, values: &[T], sample: u8, word: impl Fn(&T) -> u16, words: &mut Vec<u16>) {
        let (first, step) = self.places(sample);
        let values = values.get(first..).unwrap_or_default();
        if step == 1 {
            words.extend(values.iter().take(self.plane_len()).map(word));
        } else {
            words.extend(values.iter().step_by(step).map(word));
        }
    }

    /// Puts one kind of sample into its places in a stripe.
    pub(super) fn scatter(&self, words: &[u16], sample: u8, stripe: &mut [u8]) {
        if self.bytes == 1 {
            self.place(words, sample, |word| word.to_le_bytes()[0], stripe);
        } else if self.big_endian {
            self.place(words, sample, u16::to_be_bytes, stripe.as_chunks_mut().0);
        } else {
            self.place(words, sample, u16::to_le_bytes, stripe.as_chunks_mut().0);
        }
    }

    fn place<T>(&self, words: &[u16], sample: u8, value: impl Fn(u16) -> T, values: &mut [T]) {
        let (first, step) = self.places(sample);
        let places = values.get_mut(first..).unwrap_or_default();
        if step == 1 {
            places
                .iter_mut()
                .zip(words)
                .for_each(|(place, word)| *place = value(*word));
        } else {
            places
                .iter_mut()
                .step_by(step)
                .zip(words)
                .for_each(|(place, word)| *place = value(*word));
        }
    }
}

/// Which bits of a word hold the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// 1 to 16.
    pub(super) bits: u8,
    /// How many bits are below it.
    pub(super) shift: u8,
    /// Two's complement: the bits above are expected to repeat the sign.
    pub(super) signed: bool,
}

impl Field {
    /// The largest value.
    pub(super) fn mask(self) -> u16 {
        u16::MAX >> (16 - self.bits)
    }

    fn sign(self) -> u16 {
        if self.signed { 1 << (self.bits - 1) } else { 0 }
    }

    /// A word's value, counted from the smallest one, so that -1 and 0 are neighbours.
    pub(super) fn value(self, word: u16) -> u16 {
        ((word >> self.shift) & self.mask()) ^ self.sign()
    }

    /// A word with this value, and no other bits but those that repeat its sign in a container of so many bytes.
    pub(super) fn word(self, value: u16, bytes: u8) -> u16 {
        let value = value ^ self.sign();
        let above = if value & self.sign() == 0 { 0 } else { !self.mask() };
        ((value | above) << self.shift) & (u16::MAX >> (16 - 8 * bytes))
    }

    /// What of a word's other bits is not as [`Self::word`] makes it, moved together.
    pub(super) fn others(self, word: u16, bytes: u8) -> u16 {
        let differing = word ^ self.word(self.value(word), bytes);
        let below = differing & !(u16::MAX << self.shift);
        // Shifting twice: the field may reach the top.
        (((differing >> (self.bits - 1)) >> 1 >> self.shift) << self.shift) | below
    }

    /// Puts [`Self::others`] back into a word of the value.
    pub(super) fn with_others(self, word: u16, others: u16) -> u16 {
        let below = others & !(u16::MAX << self.shift);
        let above = ((others >> self.shift << self.shift) << (self.bits - 1)) << 1;
        word ^ (above | below)
    }
}
