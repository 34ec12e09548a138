//! Collecting contributions: first every clinic promises, then all show what they promised, then the study is closed and
//! there is one total. Contributions are added under encryption, `E(a) + E(b) = E(a + b)`, so the order does not matter.
//!
//! Who may contribute is not decided here: whatever calls this knows that a promise came from the clinic whose id it
//! carries (on chain, by the signature of an approved institution).

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::ristretto::RistrettoPoint;

use crate::{
    contribution::{Contribution, ContributionError},
    group::{EncodingError, Point},
    study::{MAX_CONTRIBUTORS, Study, StudyError},
    transcript::Transcript,
};

/// Why something is not taken; what was taken before is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectionError {
    #[error("promises are taken no more: contribute in the next epoch")]
    LatePromise,
    #[error("this clinic has promised before: show the contribution of that promise")]
    DoublePromise,
    #[error("65,535 clinics have promised, and no total of more is opened: contribute in the next epoch")]
    Full,
    #[error("contributions are taken once no more promises are: wait until then, lest another copies this one")]
    Early,
    #[error("the study is closed: contribute in the next epoch")]
    Late,
    #[error("this clinic promised nothing: promise in the next epoch")]
    NotPromised,
    #[error("this is not the contribution that the clinic promised: show that one, with its salt")]
    OtherThanPromised,
    #[error("this clinic has contributed before: it counts once")]
    Double,
    #[error(transparent)]
    Contribution(#[from] ContributionError),
    #[error("{have} contributors are fewer than the {need} of which the study is opened: wait for more")]
    TooFew { have: u32, need: u32 },
    #[error("{0} contributors are more than the 65,535 whose total is sure to be found")]
    TooMany(u32),
    #[error("the totals are not one for each number of the study")]
    Totals,
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Encoding(#[from] EncodingError),
}

/// How far a study has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Clinics promise.
    Promising,
    /// They show what they promised.
    Showing,
    /// There is a total.
    Closed,
}

/// A study with what was contributed to it so far.
#[derive(Clone, Debug)]
pub struct Collection {
    study: Study,
    phase: Phase,
    promises: BTreeMap<[u8; 16], [u8; 32]>,
    contributors: BTreeMap<[u8; 16], [u8; 32]>,
    totals: Vec<(RistrettoPoint, RistrettoPoint)>,
}

impl Collection {
    /// One to which nobody contributed yet.
    ///
    /// # Errors
    /// [`CollectionError::Study`].
    pub fn new(study: Study) -> Result<Self, CollectionError> {
        study.check()?;
        Ok(Self {
            totals: vec![Default::default(); study.limbs()],
            study,
            phase: Phase::Promising,
            promises: BTreeMap::new(),
            contributors: BTreeMap::new(),
        })
    }

    /// Takes a clinic's promise ([`Contribution::promise`]).
    ///
    /// # Errors
    /// [`CollectionError::LatePromise`], [`CollectionError::DoublePromise`], [`CollectionError::Full`].
    pub fn promise(&mut self, clinic: [u8; 16], promise: [u8; 32]) -> Result<(), CollectionError> {
        if self.phase != Phase::Promising {
            return Err(CollectionError::LatePromise);
        }
        if self.promises.contains_key(&clinic) {
            return Err(CollectionError::DoublePromise);
        }
        if self.promises.len() as u64 >= u64::from(MAX_CONTRIBUTORS) {
            return Err(CollectionError::Full);
        }
        self.promises.insert(clinic, promise);
        Ok(())
    }

    /// Takes no more promises, and contributions from now on.
    ///
    /// # Errors
    /// [`CollectionError::TooFew`] where too few promised; [`CollectionError::Late`] after closing.
    pub fn begin_showing(&mut self) -> Result<(), CollectionError> {
        if self.phase == Phase::Closed {
            return Err(CollectionError::Late);
        }
        self.enough(self.promises.len())?;
        self.phase = Phase::Showing;
        Ok(())
    }

    /// Checks a contribution and adds it to the total.
    ///
    /// # Errors
    /// [`CollectionError`]; the total is unchanged then.
    pub fn accept(&mut self, salt: &[u8; 32], contribution: &Contribution) -> Result<(), CollectionError> {
        match self.phase {
            Phase::Promising => return Err(CollectionError::Early),
            Phase::Showing => {}
            Phase::Closed => return Err(CollectionError::Late),
        }
        let clinic = contribution.clinic;
        let promised = self.promises.get(&clinic).ok_or(CollectionError::NotPromised)?;
        if self.contributors.contains_key(&clinic) {
            return Err(CollectionError::Double);
        }
        if *promised != contribution.promise(&self.study, salt) {
            return Err(CollectionError::OtherThanPromised);
        }
        contribution.verify(&self.study)?;
        let open = |ciphertext: &crate::contribution::Ciphertext| {
            Ok((ciphertext.commitment.open()?, ciphertext.handle.open()?))
        };
        let points = contribution.ciphertexts.iter().take(self.totals.len()).map(open);
        let points: Vec<_> = points.collect::<Result<_, EncodingError>>()?;
        for ((commitment, handle), (more, more_handle)) in self.totals.iter_mut().zip(points) {
            *commitment += more;
            *handle += more_handle;
        }
        self.contributors.insert(clinic, contribution.digest(&self.study));
        Ok(())
    }

    /// Closes the study.
    ///
    /// # Errors
    /// [`CollectionError::Early`], [`CollectionError::Late`]; [`CollectionError::TooFew`], and it stays open.
    pub fn close(&mut self) -> Result<Closed, CollectionError> {
        match self.phase {
            Phase::Promising => return Err(CollectionError::Early),
            Phase::Showing => {}
            Phase::Closed => return Err(CollectionError::Late),
        }
        let contributors = self.enough(self.contributors.len())?;
        let closed = Closed::new(self.study.clone(), contributors, &self.totals())?;
        self.phase = Phase::Closed;
        Ok(closed)
    }

    /// The study.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Who contributed, with [`Contribution::digest`] of what.
    #[must_use]
    pub fn contributors(&self) -> &BTreeMap<[u8; 16], [u8; 32]> {
        &self.contributors
    }

    /// The sums so far, encrypted: count, sum, squares and bins in limbs.
    #[must_use]
    pub fn totals(&self) -> Vec<Total> {
        let totals = self.totals.iter().map(|(commitment, handle)| Total {
            commitment: Point::of(commitment),
            handle: Point::of(handle),
        });
        totals.collect()
    }

    fn enough(&self, have: usize) -> Result<u32, CollectionError> {
        let (have, need) = (u32::try_from(have).unwrap_or(u32::MAX), self.study.minimum);
        if have < need {
            return Err(CollectionError::TooFew { have, need });
        }
        Ok(have)
    }
}

/// A sum over all contributors, encrypted to the committee: 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Total {
    /// The sum of their `C`.
    pub commitment: Point,
    /// The sum of their `D`.
    pub handle: Point,
}

/// A closed study: what the committee opens. Members make shares of nothing else.
#[derive(Clone, Debug)]
pub struct Closed {
    study: Study,
    contributors: u32,
    totals: Vec<(RistrettoPoint, RistrettoPoint)>,
    hash: [u8; 32],
}

impl Closed {
    /// Totals that somebody else added up and whom the members trust in it: a program on chain, which checked the same
    /// proofs. Whoever adds up itself has it of [`Collection::close`].
    ///
    /// # Errors
    /// [`CollectionError::TooFew`], [`CollectionError::TooMany`], [`CollectionError::Totals`], [`CollectionError::Study`],
    /// [`CollectionError::Encoding`].
    pub fn new(study: Study, contributors: u32, totals: &[Total]) -> Result<Self, CollectionError> {
        study.check()?;
        let (have, need) = (contributors, study.minimum);
        if have < need {
            return Err(CollectionError::TooFew { have, need });
        }
        if have > MAX_CONTRIBUTORS {
            return Err(CollectionError::TooMany(have));
        }
        if totals.len() != study.limbs() {
            return Err(CollectionError::Totals);
        }
        let mut transcript = Transcript::new("total");
        study.append_to(&mut transcript);
        transcript.append("contributors", &contributors.to_le_bytes());
        transcript.append_number("totals", totals.len() as u64);
        for total in totals {
            transcript.append("commitment", &total.commitment.0);
            transcript.append("handle", &total.handle.0);
        }
        // A handle that is the identity hides nothing and gives a share's proof nothing to be about.
        let open = |total: &Total| Ok((total.commitment.open()?, total.handle.open_key()?));
        Ok(Self {
            totals: totals.iter().map(open).collect::<Result<_, EncodingError>>()?,
            hash: transcript.digest(),
            study,
            contributors,
        })
    }

    /// The study.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// How many contributed.
    #[must_use]
    pub fn contributors(&self) -> u32 {
        self.contributors
    }

    /// SHA-256 of the study, the number of contributors and the totals: what decryption shares are bound to.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    pub(crate) fn totals(&self) -> &[(RistrettoPoint, RistrettoPoint)] {
        &self.totals
    }
}

#[cfg(test)]
pub(crate) mod tests;
