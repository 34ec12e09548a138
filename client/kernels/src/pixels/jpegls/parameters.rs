//! The numbers that a JPEG-LS scan is coded with (T.87, C.2.4.1 and A.2.1): what the stream says, and what follows
//! from it for the code words.

/// A scan's coding parameters, as a preset-parameters segment (LSE, type 1) carries them. NEAR is always zero: nothing
/// is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// MAXVAL: the largest sample value, at least 1. Readers in wide use, CharLS among them, mistake streams where it is
    /// not all the bits of a precision (3, 7, 15 and so on to 65,535).
    pub max: u16,
    /// T1, T2, T3: where gradients are cut into classes. 1 <= T1 <= T2 <= T3 <= MAXVAL.
    pub thresholds: [u16; 3],
    /// RESET: after how many samples a context's counters are halved, 3 to 255.
    pub reset: u16,
}

/// RESET where the stream does not say otherwise.
const RESET: u16 = 64;

impl Parameters {
    /// The defaults of T.87, C.2.4.1.1.1, for samples from 0 to `max`; a `max` of 0 counts as 1.
    #[must_use]
    pub fn of_max(max: u16) -> Self {
        let max = max.max(1);
        let [t1, t2, t3] = if max >= 128 {
            let factor = (max.min(4095) + 128) / 256;
            [factor + 2, factor * 4 + 3, factor * 17 + 4]
        } else {
            let factor = 256 / (max + 1);
            [(3 / factor).max(2), (7 / factor).max(3), (21 / factor).max(4)]
        };
        let t1 = if t1 > max { 1 } else { t1 };
        let t2 = if t2 > max || t2 < t1 { t1 } else { t2 };
        let t3 = if t3 > max || t3 < t2 { t2 } else { t3 };
        Self {
            max,
            thresholds: [t1, t2, t3],
            reset: RESET,
        }
    }

    /// Whether a scan can be coded with these.
    #[must_use]
    pub fn are_valid(&self) -> bool {
        let [t1, t2, t3] = self.thresholds;
        self.max >= 1 && t1 >= 1 && t1 <= t2 && t2 <= t3 && t3 <= self.max && (3..=255).contains(&self.reset)
    }

    /// The frame header's sample precision that goes with `max`: 2 to 16 bits.
    #[must_use]
    pub fn precision(&self) -> u8 {
        bits_of(self.max).max(2)
    }
}

/// How many bits `value` needs.
fn bits_of(value: u16) -> u8 {
    u8::try_from(u16::BITS - value.leading_zeros()).unwrap_or(16)
}

/// What the code words follow from (A.2.1), worked out once for a scan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    pub(super) max: i32,
    pub(super) range: i32,
    /// Differences from this on wrap around to negative ones.
    pub(super) half: i32,
    pub(super) t1: i32,
    pub(super) t2: i32,
    pub(super) t3: i32,
    pub(super) reset: i32,
    /// Bits of a difference that is written as it is.
    pub(super) plain_bits: u32,
    /// The longest code word.
    pub(super) limit: u32,
    /// What the sum of differences begins with, in every context.
    pub(super) first_sum: i32,
}

impl Traits {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let [t1, t2, t3] = parameters.thresholds.map(i32::from);
        let max = i32::from(parameters.max);
        let range = max + 1;
        let precision = u32::from(parameters.precision());
        Self {
            max,
            range,
            half: (range + 1) / 2,
            t1,
            t2,
            t3,
            reset: i32::from(parameters.reset),
            plain_bits: u32::from(bits_of(parameters.max)),
            limit: 2 * (precision + precision.max(8)),
            first_sum: ((range + 32) / 64).max(2),
        }
    }

    /// The class of a gradient, -4 to 4 (A.3.3).
    #[inline(always)]
    pub(super) fn class(&self, gradient: i32) -> i32 {
        let sign = gradient >> 31;
        let size = (gradient ^ sign) - sign;
        let class =
            i32::from(size > 0) + i32::from(size >= self.t1) + i32::from(size >= self.t2) + i32::from(size >= self.t3);
        (class ^ sign) - sign
    }

    /// A difference of two samples, modulo the range (A.4.5).
    #[inline(always)]
    pub(super) fn wrap(&self, difference: i32) -> i32 {
        let low = if difference < 0 {
            difference + self.range
        } else {
            difference
        };
        if low >= self.half { low - self.range } else { low }
    }

    /// A sample from what was predicted and a difference modulo the range: the inverse of [`Self::wrap`].
    #[inline(always)]
    pub(super) fn unwrap(&self, sample: i32) -> i32 {
        let positive = sample + (self.range & (sample >> 31));
        positive - (self.range & ((self.max - positive) >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_standard() {
        for (max, thresholds) in [
            (255, [3, 7, 21]),
            (1023, [6, 19, 72]),
            (4095, [18, 67, 276]),
            (65535, [18, 67, 276]),
            (127, [2, 3, 10]),
            (15, [2, 3, 4]),
            (3, [2, 3, 3]),
            (1, [1, 1, 1]),
        ] {
            let parameters = Parameters::of_max(max);
            assert_eq!(parameters.thresholds, thresholds, "for {max}");
            assert!(parameters.are_valid());
        }
    }

    #[test]
    fn a_difference_modulo_the_range_leads_back_to_its_sample() {
        for max in [1, 2, 3, 6, 7, 254, 255] {
            let traits = Traits::of(&Parameters::of_max(max));
            for from in 0..=i32::from(max) {
                for to in 0..=i32::from(max) {
                    assert_eq!(traits.unwrap(from + traits.wrap(to - from)), to);
                }
            }
        }
    }
}
