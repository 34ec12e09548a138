//! A patient's chart: its records, whether what is stored of them is whole, and its log.

use std::time::SystemTime;

use super::{Class, ClientSession, Error, Get, Log, PatientId, Put, RecordId, log, put::Target, time::system};
use chartseal_program::state::Record;

/// A patient's chart, seen by one client. [`Client::chart`](super::Client::chart) gives it; nothing is asked before
/// something is done.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    pub(super) session: &'a ClientSession,
    pub(super) patient: PatientId,
}

/// A record as it stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordState {
    /// Its id.
    pub record: RecordId,
    /// Its newest version, from 1.
    pub version: u32,
    /// Its sharing class.
    pub class: Class,
    /// Bytes of its ciphertext, padded.
    pub sealed_bytes: u64,
    /// When it was stored.
    pub created: SystemTime,
    /// When its newest version was.
    pub updated: SystemTime,
    /// Whether its keys were destroyed: then this is a tombstone.
    pub erased: bool,
}

/// A record whose ciphertext is what the chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Shards that were read.
    pub shards: u64,
    /// Bytes of ciphertext that were read.
    pub sealed_bytes: u64,
}

impl<'a> Chart<'a> {
    pub(super) fn new(session: &'a ClientSession, patient: PatientId) -> Self {
        Self { session, patient }
    }

    /// Whose it is.
    #[must_use]
    pub fn patient(&self) -> PatientId {
        self.patient
    }

    /// Stores a new record of this class.
    pub fn put(&self, class: Class) -> Put<'a> {
        Put::new(*self, Target::New(class))
    }

    /// Stores a new version of a record.
    pub fn amend(&self, record: RecordId) -> Put<'a> {
        Put::new(*self, Target::NextOf(record))
    }

    /// Opens a record.
    pub fn get(&self, record: RecordId) -> Get<'a> {
        Get::new(*self, record)
    }

    /// All of its records, tombstones too. Anybody may see that they are there.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn records(&self) -> Result<Vec<RecordState>, Error> {
        let found = self.session.ledger().records(&self.patient.to_bytes()).await?;
        found.iter().map(|found| RecordState::of(&found.account)).collect()
    }

    /// Reads all ciphertext of a record's newest version and holds it against the chain. Takes no key and no right.
    ///
    /// # Errors
    /// An error for which [`Error::is_tampered`] holds where it differs.
    pub async fn verify(&self, record: RecordId) -> Result<Verified, Error> {
        let (patient, record) = (self.patient.to_bytes(), record.to_bytes());
        let verified = self.session.verify(&patient, &record, &|_| ()).await?;
        Ok(Verified {
            shards: verified.shards,
            sealed_bytes: verified.sealed,
        })
    }

    /// Who did what in it and who was refused, read from the ledger itself and recomputed link by link.
    ///
    /// # Errors
    /// [`Error::Ledger`]. A log that is not whole is no error: [`Log::is_whole`] says so.
    pub async fn log(&self) -> Result<Log, Error> {
        let told = self.session.ledger().patient_log(&self.patient.to_bytes()).await?;
        Ok(log::of(&told))
    }
}

impl RecordState {
    fn of(record: &Record) -> Result<Self, Error> {
        Ok(Self {
            record: RecordId::new(record.id),
            version: record.version,
            class: Class::try_from(record.class).map_err(|error| Error::Usage(error.to_string()))?,
            sealed_bytes: record.padded_size,
            created: system(record.created_at),
            updated: system(record.updated_at),
            erased: record.is_erased(),
        })
    }
}
