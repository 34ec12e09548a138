//! Padding: how much of a length is told. Padmé ("Reducing Metadata Leakage from Encrypted Files and Communication with
//! PURBs", Nikitin et al., PETS 2019, section 4) rounds a length up so that its lowest bits are zero, fewer of them for
//! small lengths: at most 12 % are added, and a length of L bits tells only O(log L) bits of itself.

/// How the stream of frames is padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// To the Padmé length, and to [`FLOOR`] at least.
    #[default]
    Padme,
    /// Not at all: the sealed size tells the compressed one to the byte.
    None,
}

/// The shortest padded length, in bytes. Padmé leaves lengths of a few bytes as they are, and a short note is the very
/// thing whose length tells its content.
pub const FLOOR: u64 = 1024;

impl Padding {
    /// The padded length of `len` bytes.
    #[must_use]
    pub fn apply(self, len: u64) -> u64 {
        match self {
            Self::Padme => padme(len.max(FLOOR)),
            Self::None => len,
        }
    }
}

/// The Padmé length: the smallest one that is not below `len` and that can be written as a floating point number with no
/// more bits of mantissa than of exponent. Lengths of which it would exceed 64 bits stay as they are.
#[must_use]
pub fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let exponent_bits = exponent.checked_ilog2().map_or(0, |log| log + 1);
    let mask = (1_u64 << exponent.saturating_sub(exponent_bits)) - 1;
    len.checked_add(mask).map_or(len, |sum| sum & !mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_rounded_as_in_the_paper() {
        // Algorithm 1 of the paper, by hand: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits become zero.
        for (len, padded) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (10, 10),
            (100, 104),
            (1_000, 1_024),
            (1_025, 1_088),
            (10_000, 10_240),
            (1_000_000, 1_015_808),
            (1 << 30, 1 << 30),
            ((1 << 30) + 1, (1 << 30) + (1 << 25)),
        ] {
            assert_eq!(padme(len), padded, "of {len}");
        }
    }

    #[test]
    fn short_notes_all_look_alike() {
        assert!((0..=FLOOR).all(|len| Padding::Padme.apply(len) == FLOOR));
        assert_eq!(Padding::None.apply(3), 3);
    }

    proptest! {
        #[test]
        fn padding_adds_at_most_an_eighth_and_is_stable(len in 0_u64..1 << 50) {
            let padded = padme(len);
            prop_assert!(padded >= len);
            prop_assert!((padded - len) as f64 <= 0.125 * len as f64);
            prop_assert_eq!(padme(padded), padded);
            prop_assert!(padme(len + 1) >= padded);
        }

        #[test]
        fn no_length_is_too_long(len: u64) {
            prop_assert!(padme(len) >= len);
        }
    }
}
