//! Where envelopes live: data keys wrapped to their readers, kept where they can be deleted. Arweave cannot forget, so
//! revoking and erasing mean forgetting here. An envelope leaves a key store in one way only, [`KeyStore::release`]:
//! against a decision that stands on chain, and to the reader whom that decision names.

mod folder;
mod kind;
mod shares;

use std::fmt;
use std::future::Future;

use thiserror::Error;

pub use self::folder::FolderKeyStore;
pub use self::kind::EnvelopeKind;
pub use self::shares::ShareSlot;
use super::FileError;
use crate::CryptoError;

/// The place of one envelope.
///
/// A version is named by its manifest too: of two who write the next version at once, the chain takes one, and the other
/// must not touch the winner's envelopes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeSlot {
    /// The patient's id.
    pub patient: [u8; 16],
    /// The record's id.
    pub record: [u8; 16],
    /// The record's version.
    pub version: u32,
    /// SHA-256 of that version's manifest.
    pub manifest_hash: [u8; 32],
    /// The address of the account that it is wrapped for.
    pub recipient: [u8; 32],
    /// What is in it.
    pub kind: EnvelopeKind,
}

impl fmt::Debug for EnvelopeSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (patient, record) = (hex::encode(self.patient), hex::encode(self.record));
        let recipient = bs58::encode(self.recipient).into_string();
        write!(
            f,
            "EnvelopeSlot(patient {patient}, record {record} v{}, for {recipient}, {:?})",
            self.version, self.kind
        )
    }
}

/// What a reader asks a key store for: the envelope that an access request gave it a right to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseRequest {
    /// The id that the reader put into `access_record`.
    pub request_id: [u8; 16],
    /// The account that asks: it must be the one that the decision names.
    pub recipient: [u8; 32],
}

/// What the ledger says about a request that it allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// The envelope that may be had: of the version that may be read, with the manifest hash that stands on chain.
    pub slot: EnvelopeSlot,
    /// The wallet that signed the request.
    pub reader: [u8; 32],
}

/// Asks the ledger whether a request was allowed and still would be.
pub trait ReleaseGate: Send + Sync {
    /// Finds the allowing event of the request in a confirmed transaction and checks the grant once more.
    ///
    /// # Errors
    /// [`GateError`]: refused, unknown, or no answer. None of them releases anything.
    fn check(&self, request_id: [u8; 16]) -> impl Future<Output = Result<Released, GateError>> + Send;
}

/// Why a gate stays shut.
#[derive(Debug, Error)]
pub enum GateError {
    /// The decision was, or would be by now, a refusal.
    #[error("the ledger refuses: {reason}")]
    Refused {
        /// The reason, as the contract names it.
        reason: String,
    },
    /// No confirmed transaction carries an allowing event of this request.
    #[error("no confirmed transaction allows this request; ask for access first, or wait until it is confirmed")]
    NoDecision,
    /// The ledger could not be asked.
    #[error("cannot ask the ledger: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An envelope that left the store, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedEnvelope {
    /// The decision that it left on.
    pub released: Released,
    /// The envelope, as it was put in (see [`crate::seal::envelope`]).
    pub envelope: Vec<u8>,
}

/// Keeps envelopes and forgets them when told.
pub trait KeyStore: Send + Sync {
    /// Stores an envelope, in the place of one that was there.
    ///
    /// # Errors
    /// [`KeyStoreError::Destroyed`] for an erased record, otherwise what the storage says.
    fn put(&self, slot: EnvelopeSlot, envelope: &[u8]) -> impl Future<Output = Result<(), KeyStoreError>> + Send;

    /// Every envelope that is kept of a record, in the order of versions and recipients.
    ///
    /// # Errors
    /// What the storage says.
    fn slots(
        &self,
        patient: [u8; 16],
        record: [u8; 16],
    ) -> impl Future<Output = Result<Vec<EnvelopeSlot>, KeyStoreError>> + Send;

    /// The epoch of the key that an envelope is wrapped to; `None` where there is none, or nothing that is an envelope.
    ///
    /// # Errors
    /// What the storage says.
    fn key_epoch(&self, slot: EnvelopeSlot) -> impl Future<Output = Result<Option<u32>, KeyStoreError>> + Send;

    /// Deletes one envelope, and says whether it was there.
    ///
    /// # Errors
    /// What the storage says.
    fn discard(&self, slot: EnvelopeSlot) -> impl Future<Output = Result<bool, KeyStoreError>> + Send;

    /// Destroys the record's own key, and with it every envelope of the record, in backups too; then deletes these.
    /// The record takes no envelopes any more. Destroying twice is no error.
    ///
    /// # Errors
    /// What the storage says; run it again then.
    fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> impl Future<Output = Result<(), KeyStoreError>> + Send;

    /// Gives out the envelope that an allowed request is about, and no other. The gate is the store's owner's: a store
    /// that serves others over a network brings its own and takes nobody else's.
    ///
    /// # Errors
    /// [`KeyStoreError::Gate`] where the ledger does not allow it, [`KeyStoreError::NotTheReader`] where it allowed
    /// somebody else, [`KeyStoreError::NoEnvelope`] where there is none.
    fn release(
        &self,
        request: &ReleaseRequest,
        gate: &impl ReleaseGate,
    ) -> impl Future<Output = Result<ReleasedEnvelope, KeyStoreError>> + Send;

    /// Stores a share of a patient's key, in the place of one that was there. What it holds is sealed to the slot's key, so
    /// anybody may see it.
    ///
    /// # Errors
    /// What the storage says.
    fn put_share(&self, slot: ShareSlot, share: &[u8]) -> impl Future<Output = Result<(), KeyStoreError>> + Send;

    /// A share, as it was put in.
    ///
    /// # Errors
    /// What the storage says.
    fn share(&self, slot: ShareSlot) -> impl Future<Output = Result<Option<Vec<u8>>, KeyStoreError>> + Send;

    /// Every share that is kept of a patient's keys, by epochs and dealings.
    ///
    /// # Errors
    /// What the storage says.
    fn shares(&self, patient: [u8; 16]) -> impl Future<Output = Result<Vec<ShareSlot>, KeyStoreError>> + Send;

    /// Deletes one share, and says whether it was there.
    ///
    /// # Errors
    /// What the storage says.
    fn discard_share(&self, slot: ShareSlot) -> impl Future<Output = Result<bool, KeyStoreError>> + Send;
}

/// The part of a release that is the same in every key store: ask the gate, and hold its answer against the request.
pub(crate) async fn pass_gate(request: &ReleaseRequest, gate: &impl ReleaseGate) -> Result<Released, KeyStoreError> {
    let released = gate.check(request.request_id).await?;
    if released.slot.recipient == request.recipient {
        Ok(released)
    } else {
        Err(KeyStoreError::NotTheReader)
    }
}

/// A key store that did not do what it was asked for.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// Nothing is filed for this reader.
    #[error(
        "no envelope for this reader: key pending or revoked; somebody who holds the key has to wrap it for the reader"
    )]
    NoEnvelope,
    /// The record was erased.
    #[error("the keys of this record were destroyed; nobody can open it with the help of this key store any more")]
    Destroyed,
    /// The decision names another account than the one that asks.
    #[error("the ledger allowed this request to another reader; ask for access with your own wallet")]
    NotTheReader,
    /// The ledger does not allow it.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// An envelope file that was altered, moved here from elsewhere, or whose record key is another one.
    #[error(
        "a stored envelope does not match its key: it may have been tampered with or damaged; have it wrapped again"
    )]
    Damaged,
    /// More bytes than an envelope has.
    #[error("an envelope of {0} bytes is none; the limit is 4096")]
    TooLong(usize),
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The work was stopped from outside.
    #[error("the key store was stopped in the middle of its work; run again")]
    Interrupted,
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}
