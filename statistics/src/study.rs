//! What is counted, and in which numbers. An observation is a number below 2^16. A clinic sums its own up in the clear:
//! how many, their sum, the sum of their squares, and how many fall in each bin; at most 65,535 observations. These are cut
//! into limbs of 16 bits, and every limb is encrypted and proved to be below 2^16.
//!
//! **No total overflows.** A limb is at most 2^16 - 1, and there are at most 2^16 - 1 contributors, so a limb's total is at
//! most (2^16 - 1)^2 = 2^32 - 2^17 + 1, which is below 2^32: it is found as a logarithm of 32 bits, and no carry between
//! limbs is lost, for the limbs are put together as numbers of 128 bits. Of one clinic, the sum is at most
//! (2^16 - 1)^2 < 2^32 (two limbs), and the squares' at most (2^16 - 1)^3 < 2^48 (three limbs).

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    committee::CommitteeKey,
    group::{EncodingError, Point},
    noise::Noise,
    transcript::Transcript,
};

/// The most observations of one clinic.
pub const MAX_OBSERVATIONS: usize = 65_535;
/// The most clinics in one total.
pub const MAX_CONTRIBUTORS: u32 = 65_535;
/// The fewest clinics that a total is opened of: of two, each would know the other's.
pub const MIN_CONTRIBUTORS: u32 = 3;
/// The most bins of a histogram.
pub const MAX_BINS: usize = 10;
/// Bits of a limb.
pub const LIMB_BITS: u8 = 16;
/// The limbs before the bins: one of the count, two of the sum, three of the squares.
pub(crate) const FIRST_BIN: usize = 6;
/// What is proved together in one range proof.
pub(crate) const GROUP: usize = 4;

/// One question to all clinics, once.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Study {
    /// 16 random bytes.
    pub id: [u8; 16],
    /// Which time it is asked. Totals of two epochs are two totals: what differs between them is no secret.
    pub epoch: u64,
    /// Where each bin begins: 0 first, ascending, 1 to 10 of them. The last one ends at 2^16.
    pub bounds: Vec<u16>,
    /// The fewest contributors of which the total is opened, 3 to 65,535.
    pub minimum: u32,
    /// [`CommitteeKey::id`] of those who open it.
    pub committee: [u8; 32],
    /// Their public key.
    pub key: Point,
    /// The noise that every clinic adds, where any is.
    pub noise: Option<Noise>,
}

/// Why a study is none, or cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StudyError {
    #[error("the bins are not 1 to 10 that begin at 0 and ascend: give where each begins")]
    Bounds,
    #[error("a minimum of {0} contributors is not between 3 and 65,535: of fewer, each learns too much of the others")]
    Minimum(u32),
    #[error("the noise has an epsilon that is not between 0.01 and 10: choose one that is")]
    Noise,
    #[error("the study's key is none ({0}): take the committee's")]
    Key(#[from] EncodingError),
    #[error("the study is of another committee: ask the one that it names")]
    OtherCommittee,
    #[error("{0} observations are more than the 65,535 that a clinic gives at once: give the others in another epoch")]
    TooManyObservations(usize),
}

impl Study {
    /// Whether anything can be contributed to it.
    ///
    /// # Errors
    /// [`StudyError`].
    pub fn check(&self) -> Result<(), StudyError> {
        let ascending = self.bounds.is_sorted_by(|one, next| one < next);
        if self.bounds.first() != Some(&0) || self.bounds.len() > MAX_BINS || !ascending {
            return Err(StudyError::Bounds);
        }
        if !(MIN_CONTRIBUTORS..=MAX_CONTRIBUTORS).contains(&self.minimum) {
            return Err(StudyError::Minimum(self.minimum));
        }
        if self.noise.is_some_and(|noise| !noise.is_in_range()) {
            return Err(StudyError::Noise);
        }
        self.key.open_key()?;
        Ok(())
    }

    /// Whether this committee opens it; the committee's key has been checked.
    ///
    /// # Errors
    /// [`StudyError`].
    pub fn check_committee(&self, key: &CommitteeKey) -> Result<(), StudyError> {
        self.check()?;
        if self.committee != key.id() || self.key != key.public {
            return Err(StudyError::OtherCommittee);
        }
        Ok(())
    }

    /// How many numbers are counted: six and one for each bin.
    #[must_use]
    pub fn limbs(&self) -> usize {
        FIRST_BIN + self.bounds.len()
    }

    /// How many ciphertexts a contribution has: the limbs, and encryptions of zero up to a multiple of four, since range
    /// proofs are over four.
    #[must_use]
    pub fn ciphertexts(&self) -> usize {
        self.limbs().next_multiple_of(GROUP)
    }

    /// The bin that an observation falls in.
    #[must_use]
    pub fn bin(&self, observation: u16) -> usize {
        let above = self.bounds.partition_point(|bound| *bound <= observation);
        above.saturating_sub(1)
    }

    pub(crate) fn append_to(&self, transcript: &mut Transcript) {
        transcript.append("study", &self.id);
        transcript.append_number("epoch", self.epoch);
        transcript.append_number("bins", self.bounds.len() as u64);
        for bound in &self.bounds {
            transcript.append("bound", &bound.to_le_bytes());
        }
        transcript.append("minimum", &self.minimum.to_le_bytes());
        transcript.append("committee", &self.committee);
        transcript.append("key", &self.key.0);
        transcript.append("noisy", &[u8::from(self.noise.is_some())]);
        if let Some(noise) = &self.noise {
            noise.append_to(transcript);
        }
    }
}

/// What one clinic observed, in sum; it is wiped when it goes and shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Summary {
    /// How many observations.
    pub count: u16,
    /// Their sum.
    pub sum: u32,
    /// The sum of their squares, below 2^48.
    pub squares: u64,
    /// How many in each bin.
    pub bins: Vec<u16>,
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Summary(of {} bins)", self.bins.len())
    }
}

impl Summary {
    /// Sums observations up.
    ///
    /// # Errors
    /// [`StudyError::Bounds`], [`StudyError::TooManyObservations`].
    pub fn of(study: &Study, observations: &[u16]) -> Result<Self, StudyError> {
        study.check()?;
        let too_many = StudyError::TooManyObservations(observations.len());
        let mut summary = Self {
            count: u16::try_from(observations.len()).map_err(|_| too_many)?,
            sum: 0,
            squares: 0,
            bins: vec![0; study.bounds.len()],
        };
        // No more than 65,535 of them: nothing here comes to its type's end.
        for &observation in observations {
            summary.sum += u32::from(observation);
            summary.squares += u64::from(observation).pow(2);
            if let Some(bin) = summary.bins.get_mut(study.bin(observation)) {
                *bin += 1;
            }
        }
        Ok(summary)
    }

    /// The numbers that are encrypted, least limbs first, each below 2^16.
    pub(crate) fn limbs(&self) -> zeroize::Zeroizing<Vec<u64>> {
        let limb = |number: u64, place: u32| (number >> (16 * place)) & 0xffff;
        let (sum, squares) = (u64::from(self.sum), self.squares);
        let first: [u64; FIRST_BIN] = [
            u64::from(self.count),
            limb(sum, 0),
            limb(sum, 1),
            limb(squares, 0),
            limb(squares, 1),
            limb(squares, 2),
        ];
        let bins = self.bins.iter().map(|bin| u64::from(*bin));
        zeroize::Zeroizing::new(first.into_iter().chain(bins).collect())
    }

    /// The other way round; nothing where a limb is none, or the number of limbs is another.
    pub(crate) fn of_limbs(limbs: &[u64]) -> Option<Self> {
        let limbs: Vec<u16> = limbs
            .iter()
            .map(|limb| u16::try_from(*limb).ok())
            .collect::<Option<_>>()?;
        let (first, bins) = limbs.split_first_chunk::<FIRST_BIN>()?;
        let [count, sum_low, sum_high, low, middle, high] = *first;
        Some(Self {
            count,
            sum: u32::from(sum_low) | u32::from(sum_high) << 16,
            squares: u64::from(low) | u64::from(middle) << 16 | u64::from(high) << 32,
            bins: bins.to_vec(),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn study(key: &CommitteeKey) -> Study {
        Study {
            id: [1; 16],
            epoch: 2,
            bounds: vec![0, 50, 100, 1000],
            minimum: 3,
            committee: key.id(),
            key: key.public,
            noise: None,
        }
    }

    fn any(bounds: Vec<u16>) -> Study {
        Study {
            id: [0; 16],
            epoch: 0,
            bounds,
            minimum: 3,
            committee: [0; 32],
            key: Point::of(&crate::group::G),
            noise: None,
        }
    }

    #[test]
    fn every_observation_falls_in_one_bin() {
        let study = any(vec![0, 50, 100]);
        let bins: Vec<_> = [0, 49, 50, 99, 100, 65_535].map(|x| study.bin(x)).into();
        assert_eq!(bins, [0, 0, 1, 1, 2, 2]);
        let summary = Summary::of(&study, &[0, 49, 50, 99, 100, 65_535]).unwrap();
        assert_eq!((summary.count, &summary.bins), (6, &vec![2, 2, 2]));
    }

    #[test]
    fn the_greatest_clinic_fits_its_limbs_and_the_greatest_total_32_bits() {
        let study = any(vec![0]);
        let summary = Summary::of(&study, &[65_535; MAX_OBSERVATIONS]).unwrap();
        assert_eq!(summary.count, 65_535);
        assert_eq!(u64::from(summary.sum), 65_535u64.pow(2));
        assert_eq!(summary.squares, 65_535u64.pow(3));
        let limbs = summary.limbs();
        assert!(limbs.iter().all(|limb| *limb < 1 << 16));
        assert_eq!(Summary::of_limbs(&limbs).unwrap(), summary);
        let greatest_total = u64::from(MAX_CONTRIBUTORS) * ((1 << LIMB_BITS) - 1);
        assert_eq!(greatest_total, (1 << 32) - (1 << 17) + 1);
        assert!(u32::try_from(greatest_total).is_ok());
        assert_eq!(
            Summary::of(&study, &[0; MAX_OBSERVATIONS + 1]).unwrap_err(),
            StudyError::TooManyObservations(65_536)
        );
    }

    #[test]
    fn a_study_that_cannot_be_counted_is_refused() {
        for bounds in [vec![], vec![1], vec![0, 5, 5], vec![0, 6, 5], (0..11).collect()] {
            assert_eq!(any(bounds).check(), Err(StudyError::Bounds));
        }
        any((0..10).collect()).check().unwrap();
        for minimum in [0, 2, 65_536, u32::MAX] {
            let study = Study {
                minimum,
                ..any(vec![0])
            };
            assert_eq!(study.check(), Err(StudyError::Minimum(minimum)));
        }
        let noise = Noise {
            bins: 1000,
            sum: 1000,
            squares: 0,
        };
        let study = Study {
            noise: Some(noise),
            ..any(vec![0])
        };
        assert_eq!(study.check(), Err(StudyError::Noise));
        let study = Study {
            key: Point([0; 32]),
            ..any(vec![0])
        };
        assert_eq!(study.check(), Err(StudyError::Key(EncodingError::Identity)));
    }
}
