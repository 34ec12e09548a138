//! Noise that a clinic adds before it encrypts, so that the published totals say little about any one observation of it,
//! even to the committee (differential privacy, Dwork, McSherry, Nissim, Smith 2006; neighbours differ by one observation
//! more or less).
//!
//! The noise is discrete Laplace, drawn exactly, without floating point (Canonne, Kamath, Steinke 2020, algorithms 1 and
//! 2). One observation changes one bin by 1, the sum by up to 65,535 and the squares by up to 65,535 squared; each of the
//! three is given noise for its own epsilon, and together they cost the sum of these. The count is that of the noisy bins,
//! and costs nothing more; so the proof that bins sum to the count holds as it does without noise.
//!
//! Encrypted numbers cannot be negative. So every noisy number is shifted up by 32 times its noise's scale, which is
//! public and subtracted from the totals, and is then cut to its limbs' room. Cutting looks at the noisy number alone and
//! costs nothing; noise reaches beyond the shift once in e^32 draws. What it takes from the truth: a bin has room for
//! 65,535 divided by the number of bins, shift included, and a clinic with more in one bin is counted with that much.
//!
//! Drawing takes a time that depends on what is drawn: draw where nobody measures.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    group::{RandomError, random},
    study::{Study, Summary},
    transcript::Transcript,
};

/// The least and the greatest epsilon of a part, in thousandths.
pub const EPSILON_RANGE: std::ops::RangeInclusive<u32> = 10..=10_000;

/// How far numbers are shifted, in scales of their noise.
const SHIFT_SCALES: u64 = 32;
/// What one observation changes at most.
const BIN_CHANGE: u64 = 1;
const SUM_CHANGE: u64 = 65_535;
const SQUARES_CHANGE: u64 = 65_535 * 65_535;
const THOUSAND: u64 = 1000;

/// How much noise each clinic adds: epsilons in thousandths, each 10 to 10,000. Less is more noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Noise {
    /// Of the bins, and with them of the count.
    pub bins: u32,
    /// Of the sum.
    pub sum: u32,
    /// Of the sum of squares.
    pub squares: u32,
}

impl Noise {
    /// Whether each part is in [`EPSILON_RANGE`].
    #[must_use]
    pub fn is_in_range(&self) -> bool {
        [self.bins, self.sum, self.squares]
            .iter()
            .all(|part| EPSILON_RANGE.contains(part))
    }

    /// What one contribution costs a clinic's budget: the parts add up. In thousandths.
    #[must_use]
    pub fn cost(&self) -> u64 {
        [self.bins, self.sum, self.squares].into_iter().map(u64::from).sum()
    }

    /// What every bin of a contribution is shifted up by.
    #[must_use]
    pub fn bin_shift(&self) -> u64 {
        shift(BIN_CHANGE, self.bins)
    }

    /// What the sum of a contribution is shifted up by.
    #[must_use]
    pub fn sum_shift(&self) -> u64 {
        shift(SUM_CHANGE, self.sum)
    }

    /// What the sum of squares of a contribution is shifted up by.
    #[must_use]
    pub fn squares_shift(&self) -> u64 {
        shift(SQUARES_CHANGE, self.squares)
    }

    pub(crate) fn append_to(&self, transcript: &mut Transcript) {
        for (label, part) in [("bins", self.bins), ("sum", self.sum), ("squares", self.squares)] {
            transcript.append(label, &part.to_le_bytes());
        }
    }

    /// What is encrypted in place of the summary.
    pub(crate) fn add_to(&self, study: &Study, summary: &Summary) -> Result<Summary, RandomError> {
        let bin_room = u64::from(u16::MAX) / (study.bounds.len().max(1) as u64);
        let bins = summary.bins.iter().map(|bin| {
            let noisy = shifted(u64::from(*bin), BIN_CHANGE, self.bins, bin_room)?;
            Ok(u16::try_from(noisy).unwrap_or(u16::MAX))
        });
        let bins: Vec<u16> = bins.collect::<Result<_, _>>()?;
        let sum = shifted(u64::from(summary.sum), SUM_CHANGE, self.sum, u64::from(u32::MAX))?;
        Ok(Summary {
            // As many rooms as bins make no more than 65,535.
            count: bins.iter().sum(),
            sum: u32::try_from(sum).unwrap_or(u32::MAX),
            squares: shifted(summary.squares, SQUARES_CHANGE, self.squares, (1 << 48) - 1)?,
            bins,
        })
    }
}

fn shift(change: u64, epsilon: u32) -> u64 {
    (SHIFT_SCALES * change * THOUSAND).div_ceil(u64::from(epsilon.max(1)))
}

/// The number with noise and shift, cut to `0..=room`.
fn shifted(number: u64, change: u64, epsilon: u32, room: u64) -> Result<u64, RandomError> {
    let noisy = i128::from(number) + i128::from(shift(change, epsilon)) + discrete_laplace(change * THOUSAND, epsilon)?;
    Ok(u64::try_from(noisy.clamp(0, i128::from(room))).unwrap_or(room))
}

/// A number `z` with a probability that goes with `exp(-|z| * below / above)`: discrete Laplace of scale `above / below`.
fn discrete_laplace(above: u64, below: u32) -> Result<i128, RandomError> {
    let (above, below) = (above.max(1), i128::from(below.max(1)));
    loop {
        let part = uniform(above)?;
        if !happens_with_exp(part, above)? {
            continue;
        }
        let mut whole = 0i128;
        while happens_with_exp(1, 1)? {
            whole += 1;
        }
        let magnitude = (i128::from(part) + i128::from(above) * whole) / below;
        let negative = uniform(2)? == 1;
        // Zero has one sign only, or it would come twice as often as it should.
        if !(negative && magnitude == 0) {
            return Ok(if negative { -magnitude } else { magnitude });
        }
    }
}

/// True with probability `exp(-above / below)`, where `above <= below`.
fn happens_with_exp(above: u64, below: u64) -> Result<bool, RandomError> {
    let mut round = 1u64;
    // `below` is at most 2^42, and a round of number `n` comes once in `n!` draws.
    while uniform(below.saturating_mul(round))? < above {
        round += 1;
    }
    Ok(round % 2 == 1)
}

/// Below `bound`, which is not 0, each as likely as any other.
fn uniform(bound: u64) -> Result<u64, RandomError> {
    let unfair = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = u64::from_le_bytes(random()?);
        if drawn < unfair {
            return Ok(drawn % bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the distribution's own probabilities, at six standard deviations of each frequency: a right sampler fails
    /// about once in ten million runs.
    #[test]
    fn noise_is_discrete_laplace() {
        const DRAWS: i32 = 40_000;
        for (above, below) in [(1000, 1000), (1000, 400), (3000, 1000)] {
            let mut seen = std::collections::BTreeMap::<i128, i32>::new();
            for _ in 0..DRAWS {
                *seen.entry(discrete_laplace(above, below).unwrap()).or_default() += 1;
            }
            let decay = (-f64::from(below) / f64::from(u32::try_from(above).unwrap())).exp();
            for z in -4..=4i32 {
                let probability = (1.0 - decay) / (1.0 + decay) * decay.powi(z.abs());
                let expected = f64::from(DRAWS) * probability;
                let deviation = (expected * (1.0 - probability)).sqrt();
                let got = f64::from(seen.get(&i128::from(z)).copied().unwrap_or(0));
                assert!(
                    (got - expected).abs() < 6.0 * deviation,
                    "{z} came {got} times, not {expected}"
                );
            }
        }
    }

    #[test]
    fn the_shifts_leave_half_of_the_room_at_the_least_epsilon() {
        let least = *EPSILON_RANGE.start();
        let noise = Noise {
            bins: least,
            sum: least,
            squares: least,
        };
        assert!(noise.bin_shift() <= 65_535 / 10 / 2);
        assert!(noise.sum_shift() <= 1 << 31);
        assert!(noise.squares_shift() <= 1 << 47);
        assert_eq!(noise.cost(), 30);
        assert!(noise.is_in_range());
        assert!(!Noise { sum: 9, ..noise }.is_in_range());
        assert!(!Noise { bins: 10_001, ..noise }.is_in_range());
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        for _ in 0..100 {
            let noisy = shifted(65_535, BIN_CHANGE, 10_000, 6553).unwrap();
            assert_eq!(noisy, 6553);
            assert!(shifted(0, SUM_CHANGE, 10, u64::from(u32::MAX)).unwrap() <= u64::from(u32::MAX));
        }
    }
}
