//! What is published of a study: the count, the sum, the sum of squares and the histogram over all clinics, and what
//! follows from them as exact fractions.

use crate::study::{FIRST_BIN, LIMB_BITS, MAX_CONTRIBUTORS, Study};

/// Why opened totals are no statistics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatisticsError {
    #[error("{got} totals were opened where the study has {expected}: open this study's")]
    Totals { expected: usize, got: usize },
    #[error("the bins sum to {bins} and the count is {count}: some contribution was added that was not checked")]
    Bins { count: i64, bins: i64 },
}

/// A fraction, not reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    /// Above.
    pub numerator: i128,
    /// Below; never 0.
    pub denominator: i128,
}

impl Fraction {
    /// The nearest number that an `f64` holds, or one beside it.
    #[must_use]
    #[expect(clippy::cast_precision_loss)]
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// The totals over all clinics. Where the study has noise, they are the noisy ones, and may be below zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// How many clinics contributed.
    pub contributors: u32,
    /// How many observations.
    pub count: i64,
    /// Their sum.
    pub sum: i64,
    /// The sum of their squares.
    pub squares: i128,
    /// How many observations in each bin.
    pub bins: Vec<i64>,
}

impl Statistics {
    /// Puts opened totals together.
    ///
    /// # Errors
    /// [`StatisticsError`].
    pub fn of(study: &Study, contributors: u32, totals: &[u32]) -> Result<Self, StatisticsError> {
        let (expected, got) = (study.limbs(), totals.len());
        let wrong = StatisticsError::Totals { expected, got };
        let (first, bins) = totals.split_first_chunk::<FIRST_BIN>().ok_or(wrong.clone())?;
        if expected != got {
            return Err(wrong);
        }
        let [count, sum_low, sum_high, low, middle, high] = first.map(i128::from);
        let limbs = |limbs: [i128; 3]| limbs.iter().rev().fold(0, |sum, limb| (sum << LIMB_BITS) + limb);
        let contributors = contributors.min(MAX_CONTRIBUTORS);
        let unshift = |total: i128, shift: u64| total - i128::from(shift) * i128::from(contributors);
        let (bin_shift, sum_shift, squares_shift) = match &study.noise {
            Some(noise) => (noise.bin_shift(), noise.sum_shift(), noise.squares_shift()),
            None => (0, 0, 0),
        };
        let all_bins = bin_shift * (study.bounds.len() as u64);
        // All are far below 2^63: totals of 32 bits, shifted by 16, and at most 65,535 shifts of 2^28.
        let narrow = |total: i128| i64::try_from(total).unwrap_or(i64::MAX);
        let statistics = Self {
            contributors,
            count: narrow(unshift(count, all_bins)),
            sum: narrow(unshift(limbs([sum_low, sum_high, 0]), sum_shift)),
            squares: unshift(limbs([low, middle, high]), squares_shift),
            bins: bins
                .iter()
                .map(|bin| narrow(unshift(i128::from(*bin), bin_shift)))
                .collect(),
        };
        let (count, bins) = (statistics.count, statistics.bins.iter().sum());
        if count != bins {
            return Err(StatisticsError::Bins { count, bins });
        }
        Ok(statistics)
    }

    /// The mean; nothing of no observations.
    #[must_use]
    pub fn mean(&self) -> Option<Fraction> {
        (self.count > 0).then(|| Fraction {
            numerator: i128::from(self.sum),
            denominator: i128::from(self.count),
        })
    }

    /// The variance of the observations, `(n Q - S^2) / n^2`; nothing of no observations, and nothing where it would be
    /// below zero: then noise, or a clinic that lied, made of the totals what no observations have.
    #[must_use]
    pub fn variance(&self) -> Option<Fraction> {
        let count = i128::from(self.count);
        self.deviations().filter(|_| count > 0).map(|numerator| Fraction {
            numerator,
            denominator: count * count,
        })
    }

    /// The variance that the observations are a sample of, `(n Q - S^2) / (n (n - 1))`; nothing of fewer than two.
    #[must_use]
    pub fn sample_variance(&self) -> Option<Fraction> {
        let count = i128::from(self.count);
        self.deviations().filter(|_| count > 1).map(|numerator| Fraction {
            numerator,
            denominator: count * (count - 1),
        })
    }

    /// Whether there can be observations with these totals, as far as the bins tell: that squares and sum are of the
    /// observations no contribution proves. With noise this means nothing.
    #[must_use]
    pub fn is_possible(&self, study: &Study) -> bool {
        let next = study.bounds.iter().skip(1).map(|bound| bound.saturating_sub(1));
        let ends = study.bounds.iter().zip(next.chain([u16::MAX]));
        let (mut least, mut most, mut least_squares, mut most_squares) = (0, 0, 0, 0);
        for ((begin, end), bin) in ends.zip(&self.bins) {
            let (begin, end, bin) = (i128::from(*begin), i128::from(end), i128::from(*bin));
            least += begin * bin;
            most += end * bin;
            least_squares += begin * begin * bin;
            most_squares += end * end * bin;
        }
        (least..=most).contains(&i128::from(self.sum))
            && (least_squares..=most_squares).contains(&self.squares)
            && self.deviations().is_some()
    }

    /// `n Q - S^2`, where it is not below zero: of less than 2^33 by 2^66, and of 2^50 squared.
    fn deviations(&self) -> Option<i128> {
        let deviations = i128::from(self.count) * self.squares - i128::from(self.sum).pow(2);
        (deviations >= 0).then_some(deviations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{group::Point, study::Summary};

    fn study() -> Study {
        Study {
            id: [0; 16],
            epoch: 0,
            bounds: vec![0, 10],
            minimum: 3,
            committee: [0; 32],
            key: Point::of(&crate::group::G),
            noise: None,
        }
    }

    #[test]
    fn totals_are_those_of_the_observations() {
        // 1, 2, 3, 12: their squares sum to 158. With one observation above 9 they never sum to less than 100.
        let too_few = Statistics::of(&study(), 3, &[4, 18, 0, 99, 0, 0, 3, 1]).unwrap();
        assert!(!too_few.is_possible(&study()));
        let statistics = Statistics::of(&study(), 3, &[4, 18, 0, 158, 0, 0, 3, 1]).unwrap();
        assert!(statistics.is_possible(&study()));
        assert_eq!(statistics.mean().unwrap().to_f64(), 4.5);
        let variance = statistics.variance().unwrap();
        assert_eq!((variance.numerator, variance.denominator), (4 * 158 - 18 * 18, 16));
        assert_eq!(statistics.sample_variance().unwrap().denominator, 12);
    }

    #[test]
    fn the_greatest_totals_are_put_together_without_overflow() {
        let summary = Summary::of(&study(), &[65_535; 65_535]).unwrap();
        let totals: Vec<u32> = summary
            .limbs()
            .iter()
            .map(|limb| u32::try_from(limb * 65_535).unwrap())
            .collect();
        let statistics = Statistics::of(&study(), 65_535, &totals).unwrap();
        assert_eq!(statistics.count, 65_535i64.pow(2));
        assert_eq!(statistics.sum, 65_535i64.pow(3));
        assert_eq!(statistics.squares, 65_535i128.pow(4));
        assert_eq!(statistics.variance().unwrap().numerator, 0);
        assert!(statistics.is_possible(&study()));
        // The greatest that anybody can make of them is still within the types.
        let most = Statistics::of(
            &study(),
            u32::MAX,
            &[u32::MAX, 0, u32::MAX, 0, 0, u32::MAX, u32::MAX, 0],
        )
        .unwrap();
        assert!(most.variance().is_some() || most.deviations().is_none());
    }

    #[test]
    fn totals_that_contradict_each_other_are_refused_or_have_no_variance() {
        let bins = Statistics::of(&study(), 3, &[4, 18, 0, 158, 0, 0, 3, 2]);
        assert_eq!(bins, Err(StatisticsError::Bins { count: 4, bins: 5 }));
        let short = Statistics::of(&study(), 3, &[4, 18, 0, 158, 0, 0, 4]);
        assert_eq!(short, Err(StatisticsError::Totals { expected: 8, got: 7 }));
        assert!(Statistics::of(&study(), 3, &[]).is_err());
        let few_squares = Statistics::of(&study(), 3, &[4, 18, 0, 1, 0, 0, 3, 1]).unwrap();
        assert_eq!((few_squares.variance(), few_squares.sample_variance()), (None, None));
        let none = Statistics::of(&study(), 3, &[0; 8]).unwrap();
        assert_eq!((none.mean(), none.variance()), (None, None));
        assert!(none.is_possible(&study()));
    }
}
