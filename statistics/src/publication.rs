//! The published transcript of a study: all that was said from the making of the key to the opening of the total, in one
//! file, from which anybody computes the statistics again.
//!
//! The file is 20 bytes `chartseal/statistics`, a version (`u16`, little-endian) and the borsh encoding of
//! [`Publication`], which has one form for one content. What it proves by itself is that the numbers are the sum of what
//! these contributions hold, and that as many members as the threshold asks opened no less than that. That the
//! contributors are clinics, and promised before they showed, is known from where they said it: hold [`Entry::promise`] and
//! the [`Closed::hash`] against the chain.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    collection::{Closed, Collection, CollectionError},
    committee::{Ceremony, CommitteeError, CommitteeKey},
    contribution::Contribution,
    decryption::{self, DecryptionError, DecryptionShare},
    statistics::{Statistics, StatisticsError},
    study::{Study, StudyError},
};

const BEGINNING: &[u8; 20] = b"chartseal/statistics";
/// The version that this release writes and reads.
pub const VERSION: u16 = 1;

/// The first thing in a publication that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("this is no publication: it does not begin as one. Was another file meant, or was this one damaged?")]
    NotAPublication,
    #[error("the publication is of version {0}, which this release does not read: use a newer one")]
    Version(u16),
    #[error("the publication is not as it was written ({0}): get it again from whoever published it")]
    Form(String),
    #[error("the committee's key was not made as it should be: {0}")]
    Committee(#[from] CommitteeError),
    #[error("the study is none, or is not this committee's: {0}")]
    Study(#[from] StudyError),
    #[error("the contributions are not in the order of their clinics, or one clinic's is there twice")]
    Order,
    #[error("the contribution of clinic {}: {error}", hex::encode(.clinic))]
    Contribution { clinic: [u8; 16], error: CollectionError },
    #[error("the study was closed when it could not be: {0}")]
    Closing(CollectionError),
    #[error("the total is not the sum of the contributions: one was left out, or added, after it was closed")]
    Total,
    #[error("the total was not opened to these numbers: {0}")]
    Opening(#[from] DecryptionError),
    #[error("the numbers contradict each other: {0}")]
    Numbers(#[from] StatisticsError),
}

/// A contribution, with what its clinic had promised.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry {
    /// What the clinic published first.
    pub promise: [u8; 32],
    /// What hid the contribution in it.
    pub salt: [u8; 32],
    /// What it showed then.
    pub contribution: Contribution,
}

/// All that was said in a study.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Publication {
    /// How the committee's key was made.
    pub ceremony: Ceremony,
    /// What was asked.
    pub study: Study,
    /// What was answered, in the order of the clinics' ids.
    pub entries: Vec<Entry>,
    /// [`Closed::hash`] of the total that was opened.
    pub total: [u8; 32],
    /// What opened it: shares of `k` members or more.
    pub shares: Vec<DecryptionShare>,
    /// What it opened to: count, sum, squares and bins, in limbs.
    pub numbers: Vec<u32>,
}

impl Publication {
    /// Opens a closed study and puts down how it came about. Entries may be in any order.
    ///
    /// # Errors
    /// [`Fault`], the first thing for which nobody would believe it.
    pub fn new(
        ceremony: Ceremony,
        mut entries: Vec<Entry>,
        closed: &Closed,
        shares: Vec<DecryptionShare>,
    ) -> Result<(Self, Statistics), Fault> {
        let key = ceremony.verify()?;
        entries.sort_by_key(|entry| entry.contribution.clinic);
        let publication = Self {
            numbers: decryption::combine(closed, &key, &shares)?,
            ceremony,
            study: closed.study().clone(),
            entries,
            total: *closed.hash(),
            shares,
        };
        let statistics = publication.verify()?;
        Ok((publication, statistics))
    }

    /// Recomputes everything, and gives the statistics where all of it holds.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn verify(&self) -> Result<Statistics, Fault> {
        let key = self.ceremony.verify()?;
        let closed = self.close(&key)?;
        if *closed.hash() != self.total {
            return Err(Fault::Total);
        }
        decryption::check_opened(&closed, &key, &self.shares, &self.numbers)?;
        Ok(Statistics::of(&self.study, closed.contributors(), &self.numbers)?)
    }

    /// The file.
    ///
    /// # Errors
    /// [`Fault::Form`] where it would have more than 2^32 of anything.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = [BEGINNING.as_slice(), &VERSION.to_le_bytes()].concat();
        let written = BorshSerialize::serialize(self, &mut bytes);
        written.map_err(|error| Fault::Form(error.to_string()))?;
        Ok(bytes)
    }

    /// Reads a file; [`verify`](Self::verify) says whether to believe it.
    ///
    /// # Errors
    /// [`Fault::NotAPublication`], [`Fault::Version`], [`Fault::Form`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let rest = bytes.strip_prefix(BEGINNING).ok_or(Fault::NotAPublication)?;
        let (version, rest) = rest.split_first_chunk().ok_or(Fault::NotAPublication)?;
        match u16::from_le_bytes(*version) {
            VERSION => borsh::from_slice(rest).map_err(|error| Fault::Form(error.to_string())),
            other => Err(Fault::Version(other)),
        }
    }

    fn close(&self, key: &CommitteeKey) -> Result<Closed, Fault> {
        self.study.check_committee(key)?;
        let clinics = || self.entries.iter().map(|entry| entry.contribution.clinic);
        if !clinics().is_sorted_by(|one, next| one < next) {
            return Err(Fault::Order);
        }
        let mut collection = Collection::new(self.study.clone()).map_err(Fault::Closing)?;
        for (clinic, entry) in clinics().zip(&self.entries) {
            let promised = collection.promise(clinic, entry.promise);
            promised.map_err(|error| Fault::Contribution { clinic, error })?;
        }
        collection.begin_showing().map_err(Fault::Closing)?;
        for (clinic, entry) in clinics().zip(&self.entries) {
            let accepted = collection.accept(&entry.salt, &entry.contribution);
            accepted.map_err(|error| Fault::Contribution { clinic, error })?;
        }
        collection.close().map_err(Fault::Closing)
    }
}

#[cfg(test)]
mod tests;
