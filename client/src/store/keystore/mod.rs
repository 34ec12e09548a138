//! Where envelopes live: data keys wrapped to their readers, kept where they can be deleted. Arweave cannot forget, so
//! revoking and erasing mean forgetting here. An envelope leaves a key store in two ways only: by [`KeyStore::release`],
//! against a decision that stands on chain, and to the reader whom that decision names; and, those for grants without a name
//! all together, by [`KeyStore::release_anonymously`], against a proof of access. Several key stores work as one
//! ([`KeyStores`]). Beside envelopes they keep the X-Wing public keys of those whom keys are wrapped for, which are too long
//! for the chain.

mod anonymous;
mod backend;
mod base64_text;
mod disk;
mod error;
mod folder;
mod kind;
#[cfg(test)]
pub(crate) mod lying;
mod place;
mod public;
mod releases;
pub mod remote;
mod several;
mod shares;

use std::fmt;
use std::future::Future;

pub use self::anonymous::{
    AnonymousAsking, AnonymousEnvelope, AnonymousEnvelopes, Blind, ProofGate, Proven, Shown, ShownProof, verifier,
};
pub use self::backend::KeyBackend;
pub use self::error::{GateError, KeyStoreError};
pub use self::folder::FolderKeyStore;
pub use self::kind::EnvelopeKind;
pub(crate) use self::place::{KeyPlace, Opener};
pub use self::releases::RELEASES_PER_EPOCH;
pub use self::remote::RemoteKeyStore;
pub use self::several::KeyStores;
pub use self::shares::ShareSlot;
use serde::{Deserialize, Serialize};

use crate::hexed;
use crate::seal::envelope::Wrapping;

/// The place of one envelope.
///
/// A version is named by its manifest too: of two who write the next version at once, the chain takes one, and the other
/// must not touch the winner's envelopes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSlot {
    /// The patient's id.
    #[serde(with = "hexed")]
    pub patient: [u8; 16],
    /// The record's id.
    #[serde(with = "hexed")]
    pub record: [u8; 16],
    /// The record's version.
    pub version: u32,
    /// SHA-256 of that version's manifest.
    #[serde(with = "hexed")]
    pub manifest_hash: [u8; 32],
    /// The address of the account that it is wrapped for; for a grant without a name the one-time key itself.
    #[serde(with = "hexed")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The envelope that may be had: of the version that may be read, with the manifest hash that stands on chain.
    pub slot: EnvelopeSlot,
    /// The wallet that signed the request.
    #[serde(with = "hexed")]
    pub reader: [u8; 32],
}

/// Asks the ledger whether a request was allowed and still would be.
pub trait ReleaseGate: Send + Sync {
    /// Finds the allowing event of the request in a confirmed transaction and checks the grant once more.
    ///
    /// # Errors
    /// [`GateError`]: refused, unknown, or no answer. None of them releases anything.
    fn check(&self, request_id: [u8; 16]) -> impl Future<Output = Result<Released, GateError>> + Send;

    /// Where a key store with a gate of its own has to look, if others' gates know that way.
    fn claim(&self) -> Option<Claim> {
        None
    }
}

/// Where the decision stands that a request rests on, and in which capacity somebody makes it. It proves nothing: whoever is
/// asked looks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Claim {
    /// A reader's own access.
    Access {
        /// The transaction that it stands in.
        #[serde(with = "hexed")]
        transaction: [u8; 64],
    },
    /// Somebody else's access in an emergency, for an institution that holds a share.
    Holder {
        /// The transaction that it stands in.
        #[serde(with = "hexed")]
        transaction: [u8; 64],
        /// The holder's id.
        #[serde(with = "hexed")]
        institution: [u8; 16],
        /// How many shares make the key.
        threshold: u8,
    },
    /// A reader's own access in an emergency, for a share that a holder released.
    ReleasedShare {
        /// The transaction that it stands in.
        #[serde(with = "hexed")]
        transaction: [u8; 64],
        /// The address of the holder's Institution account.
        #[serde(with = "hexed")]
        holder: [u8; 32],
    },
}

/// An envelope that left the store, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedEnvelope {
    /// The decision that it left on.
    pub released: Released,
    /// The envelope, as it was put in (see [`crate::seal::envelope`]).
    #[serde(with = "base64_text")]
    pub envelope: Vec<u8>,
}

/// An envelope as it lies in a key store, encrypted once more: what a backup of the store carries. Only the store's key of
/// that record opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeCopy {
    /// Where it lies.
    pub slot: EnvelopeSlot,
    /// Its bytes.
    #[serde(with = "base64_text")]
    pub bytes: Vec<u8>,
}

/// What destroying a record's keys found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destruction {
    /// The store kept keys of the record, and they are destroyed.
    Destroyed,
    /// It never kept any, and takes none any more.
    Absent,
}

/// Keeps envelopes and forgets them when told.
pub trait KeyStore: Send + Sync {
    /// One of the stores that this one is made of.
    type Member: KeyStore;

    /// The stores that this one is made of: itself, or several.
    fn members(&self) -> &[Self::Member];

    /// What the store is called towards others: random, so that it tells nothing of where it is.
    ///
    /// # Errors
    /// [`KeyStoreError::Unreachable`] where it is not there.
    fn name(&self) -> impl Future<Output = Result<String, KeyStoreError>> + Send;

    /// Every patient of whom envelopes are kept, or were.
    ///
    /// # Errors
    /// What the storage says.
    fn patients(&self) -> impl Future<Output = Result<Vec<[u8; 16]>, KeyStoreError>> + Send;

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

    /// How an envelope is wrapped, and to which key; `None` where there is none, or nothing that is an envelope.
    ///
    /// # Errors
    /// [`KeyStoreError::Destroyed`] for an erased record, otherwise what the storage says.
    fn wrapping(&self, slot: EnvelopeSlot) -> impl Future<Output = Result<Option<Wrapping>, KeyStoreError>> + Send;

    /// Deletes one envelope, and says whether it was there.
    ///
    /// # Errors
    /// What the storage says.
    fn discard(&self, slot: EnvelopeSlot) -> impl Future<Output = Result<bool, KeyStoreError>> + Send;

    /// Destroys the record's own key, and with it every envelope of the record, in backups too; then deletes these.
    /// The record takes no envelopes any more. Destroying twice is no error, and says the same.
    ///
    /// # Errors
    /// What the storage says; run it again then.
    fn destroy(
        &self,
        patient: [u8; 16],
        record: [u8; 16],
    ) -> impl Future<Output = Result<Destruction, KeyStoreError>> + Send;

    /// Every envelope of a record as it lies in the store.
    ///
    /// # Errors
    /// What the storage says.
    fn copies(
        &self,
        patient: [u8; 16],
        record: [u8; 16],
    ) -> impl Future<Output = Result<Vec<EnvelopeCopy>, KeyStoreError>> + Send;

    /// Whether the store could still open such a copy, were it put back. After [`destroy`](Self::destroy) it cannot. This
    /// tries the key itself: that the record is marked as destroyed is no answer.
    ///
    /// # Errors
    /// What the storage says.
    fn opens(&self, copy: &EnvelopeCopy) -> impl Future<Output = Result<bool, KeyStoreError>> + Send;

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

    /// Gives out every envelope for grants without a name of the record's newest version, against a proof of access. A store
    /// that serves others over a network brings its own gate and takes nobody else's.
    ///
    /// # Errors
    /// [`KeyStoreError::Gate`] where the proof does not hold, was shown before, or was shown too often;
    /// [`KeyStoreError::NoEnvelope`] where there is none.
    fn release_anonymously(
        &self,
        asking: &AnonymousAsking,
        gate: &impl ProofGate,
    ) -> impl Future<Output = Result<AnonymousEnvelopes, KeyStoreError>> + Send;

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

    /// Publishes an X-Wing public key under its SHA-256, which is what accounts on chain hold.
    ///
    /// # Errors
    /// [`KeyStoreError::NoPublicKey`] where it is none by its length; otherwise what the storage says.
    fn put_public_key(&self, key: &[u8]) -> impl Future<Output = Result<[u8; 32], KeyStoreError>> + Send;

    /// The public key of this hash. One that does not match it is none.
    ///
    /// # Errors
    /// What the storage says.
    fn public_key(&self, hash: [u8; 32]) -> impl Future<Output = Result<Option<Vec<u8>>, KeyStoreError>> + Send;
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
