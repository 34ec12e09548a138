//! What a JPEG-LS scan learns while it goes (T.87, A.2 to A.7): for each of 365 kinds of neighbourhood how large the
//! differences are and which way the prediction is off, and for runs how long they are. Coder and decoder make the same
//! steps here, so that neither ever has to say what it learnt.

use super::parameters::Traits;

/// One kind of neighbourhood. Kept in 16 bytes, so that four share a cache line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// A: the sum of the sizes of the differences.
    sum: i32,
    /// B: the sum of the differences, between -N and 0 from one sample to the next.
    bias: i32,
    /// N: how many differences, until halved.
    count: i16,
    /// C: what corrects the prediction.
    pub(super) correction: i16,
    /// k of the Golomb code, which follows from A and N.
    pub(super) k: u16,
    /// 1 where the code words of positive and negative differences change places (A.5.2), else 0.
    pub(super) swap: u16,
}

/// No difference counts for more: what a valid stream cannot hold must not make the sums overflow.
const LARGEST: i32 = 1 << 16;

/// The smallest k with `count << k` at least `sum` (A.5.1), at most 17 since no sum is more than [`LARGEST`] times its
/// count.
#[inline(always)]
fn golomb(sum: i32, count: i32) -> u32 {
    let k = count.leading_zeros().saturating_sub((sum | 1).leading_zeros());
    k + u32::from(count << k < sum)
}

/// The same, where k was `last` before the last difference: mostly it stays or goes one step, which needs no branch.
#[inline(always)]
fn golomb_from(last: u32, sum: i32, count: i32) -> u32 {
    let scaled = count << last;
    let k = last + u32::from(scaled < sum) - (u32::from(last > 0) & u32::from(scaled >= 2 * sum));
    if count << k < sum { golomb(sum, count) } else { k }
}

impl Context {
    fn new(traits: &Traits) -> Self {
        let mut context = Self {
            sum: traits.first_sum,
            bias: 0,
            count: 1,
            correction: 0,
            k: 0,
            swap: 0,
        };
        context.k = low16(golomb(context.sum, 1).cast_signed());
        context
    }

    /// Learns a difference (A.6).
    #[inline(always)]
    pub(super) fn learn(&mut self, difference: i32, reset: i32) {
        let count = i32::from(self.count);
        let halve = i32::from(count == reset);
        let sum = (self.sum + difference.abs().min(LARGEST)) >> halve;
        let bias = (self.bias + difference.clamp(-LARGEST, LARGEST)) >> halve;
        let count = (count >> halve) + 1;
        // All ones where the bias is out of bounds on that side: a branch here would be a coin's toss.
        let (low, high) = ((bias + count - 1) >> 31, -bias >> 31);
        let correction = i32::from(self.correction) + low - high;
        let bias = (bias + (count & low) - (count & high)).clamp(1 - count, 0);
        let k = golomb_from(u32::from(self.k), sum, count);
        self.sum = sum;
        self.bias = bias;
        self.count = low16(count).cast_signed();
        self.correction = low16(correction.clamp(-128, 127)).cast_signed();
        self.k = low16(k.cast_signed());
        self.swap = u16::from(k == 0 && 2 * bias <= -count);
    }
}

/// The end of a run (A.7.2): one context where the neighbours are equal, one where not.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunContext {
    sum: i32,
    count: i32,
    negative: i32,
    /// 1 where the neighbours are equal.
    equal: i32,
}

impl RunContext {
    pub(super) fn k(&self) -> u32 {
        golomb(self.sum + if self.equal == 1 { self.count >> 1 } else { 0 }, self.count)
    }

    /// 1 where, with this k, the code word of a difference of this sign is the lower one of its pair.
    fn lower(&self, k: u32, negative: bool) -> i32 {
        let mostly_negative = 2 * self.negative >= self.count;
        i32::from(if negative {
            k != 0 || mostly_negative
        } else {
            k == 0 && !mostly_negative
        })
    }

    /// The code word's number of a difference.
    pub(super) fn number_of(&self, difference: i32, k: u32) -> i32 {
        let lower = if difference == 0 {
            0
        } else {
            self.lower(k, difference < 0)
        };
        2 * difference.abs() - self.equal - lower
    }

    /// The difference of a code word's number.
    pub(super) fn difference_of(&self, number: i32, k: u32) -> i32 {
        let doubled = number + self.equal;
        let size = (doubled + 1) >> 1;
        let lower = doubled & 1;
        // `lower` is this k's for one of the two signs.
        if self.lower(k, true) == lower { -size } else { size }
    }

    pub(super) fn learn(&mut self, difference: i32, number: i32, reset: i32) {
        self.negative += i32::from(difference < 0);
        self.sum += ((number + 1 - self.equal) >> 1).min(LARGEST);
        if self.count == reset {
            self.sum >>= 1;
            self.count >>= 1;
            self.negative >>= 1;
        }
        self.count += 1;
    }
}

/// J: how many bits the length of a run has at each stage.
const RUN_BITS: [u8; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];

/// All that a scan has learnt.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) traits: Traits,
    /// 365 are used; a power of two, so that masking an index proves it to be within.
    contexts: Box<[Context; 512]>,
    ends: [RunContext; 2],
    stage: usize,
}

impl Model {
    pub(super) fn new(traits: Traits) -> Self {
        let end = RunContext {
            sum: traits.first_sum,
            count: 1,
            negative: 0,
            equal: 0,
        };
        Self {
            traits,
            contexts: Box::new([Context::new(&traits); 512]),
            ends: [end, RunContext { equal: 1, ..end }],
            stage: 0,
        }
    }

    /// The context of a neighbourhood's number, without its sign.
    #[inline(always)]
    pub(super) fn context(&mut self, number: u32) -> &mut Context {
        &mut self.contexts[(number & 511) as usize]
    }

    pub(super) fn end(&mut self, equal: bool) -> &mut RunContext {
        &mut self.ends[usize::from(equal)]
    }

    /// How many bits the rest of a run has now.
    pub(super) fn run_bits(&self) -> u32 {
        u32::from(RUN_BITS[self.stage & 31])
    }

    pub(super) fn longer_runs(&mut self) {
        self.stage = (self.stage + 1).min(31);
    }

    pub(super) fn shorter_runs(&mut self) {
        self.stage = self.stage.saturating_sub(1);
    }
}

/// The low 16 bits.
#[inline(always)]
pub(super) fn low16(value: i32) -> u16 {
    let [low, high, ..] = value.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The median of the two neighbours and the plane through all three (A.4.1).
#[inline(always)]
pub(super) fn predict(left: i32, above: i32, corner: i32) -> i32 {
    let (low, high) = (left.min(above), left.max(above));
    (left + above - corner).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::super::Parameters;
    use super::*;
    use proptest::prelude::*;

    /// k as the standard says it.
    fn counted(sum: i32, count: i32) -> u32 {
        (0..)
            .find(|k| i64::from(count) << k >= i64::from(sum))
            .unwrap_or(u32::MAX)
    }

    proptest! {
        #[test]
        fn k_is_what_the_standard_counts(
            differences in proptest::collection::vec(prop_oneof![-3_i32..=3, -40_i32..=40, -32_768_i32..=32_767], 0..600),
            reset in 3..=255,
        ) {
            let mut context = Context::new(&Traits::of(&Parameters::of_max(u16::MAX)));
            for difference in differences {
                prop_assert_eq!(u32::from(context.k), counted(context.sum, context.count.into()));
                context.learn(difference, reset);
                prop_assert!((1 - i32::from(context.count)..=0).contains(&context.bias));
            }
        }

        #[test]
        fn sums_stay_within_bounds_whatever_is_learnt(
            differences in proptest::collection::vec(prop_oneof![Just(i32::MAX), Just(-i32::MAX), any::<i16>().prop_map(i32::from)], 0..600),
            reset in 3..=255,
        ) {
            let mut context = Context::new(&Traits::of(&Parameters::of_max(u16::MAX)));
            for difference in differences {
                context.learn(difference, reset);
                prop_assert!(context.k <= 17);
            }
        }

        #[test]
        fn the_end_of_a_run_leads_back_to_its_difference(
            differences in proptest::collection::vec(-300_i32..=300, 1..200),
            equal in 0..=1,
        ) {
            let mut end = RunContext { sum: 4, count: 1, negative: 0, equal };
            // Where the neighbours are equal, a difference of nothing would have been part of the run.
            for difference in differences.into_iter().filter(|difference| equal == 0 || *difference != 0) {
                let k = end.k();
                let number = end.number_of(difference, k);
                prop_assert!(number >= 0);
                prop_assert_eq!(end.difference_of(number, k), difference);
                end.learn(difference, number, 64);
            }
        }
    }
}
