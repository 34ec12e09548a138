//! What people do: register, store, open, share, revoke, look into the log. Each operation is a method of [`Session`],
//! which knows who somebody is and where ledger, gateway and keys are. The chain decides; an operation that it refuses
//! ends in [`OpError::Refused`], with the reason, and the refusal stands in the patient's log.

mod acting;
mod agreement;
mod anonymous;
mod batch;
mod break_glass;
mod bulk;
mod chart;
mod earlier;
mod emergency;
mod erase;
mod error;
mod get;
mod grant;
mod guardians;
mod handover;
mod keys;
mod measure;
mod pass_on;
mod pending;
mod policy;
mod post_quantum;
mod put;
mod register;
mod renewal;
mod repair;
mod request;
mod rotate;
mod shares;

use anchor_lang::prelude::Address;
use chartseal_program::seeds::Id;

pub use agreement::{AgreementId, Payment, Proposal};
pub use anonymous::{
    AnonymousGrantRequest, AnonymousGranted, AnonymousReader, AnonymousRevoked, ReadAnonymously, ReadingAnonymously,
    Step,
};
pub use batch::{Anchored, Batched, Entry, ImportedFile, List, MOST_RECORDS, Promoted, Proof};
pub use break_glass::ReleasedShare;
pub use bulk::{BulkProgress, BulkRewrapped, RewrapFailure};
pub use chart::PERSON_KEY_EPOCH;
pub use emergency::{OpenedEmergency, Reason};
pub use erase::{DestroyedKey, Erased, ErasureReceipt, StoreErasure, StoreOutcome};
pub use error::OpError;
pub use get::{Access, GetRequest, Got};
pub use grant::{GrantRequest, Granted, Grantee, Revoked};
pub use guardians::{GuardiansNamed, WalletAndKey};
pub use handover::DelegationEnded;
pub use keys::Rewrapped;
pub use measure::Estimate;
pub use pass_on::PassOnRequest;
pub use pending::GrantState;
pub use policy::{PolicySet, PolicyTerms};
pub use put::{AmendRequest, Put, PutRequest};
pub use repair::OfVersions;
pub use request::{AccessRequest, Narrower};
pub use rotate::Rotated;
pub use shares::{Dealt, RecoveredKeys};

use crate::{
    CryptoError, crypto,
    keys::Identity,
    ledger::Ledger,
    seal::SealError,
    store::{BlobStore, KeyStore, Stores},
};

/// Somebody at work: an identity, and the ledger, store and keys that it works with.
#[derive(Debug)]
pub struct Session<S, K> {
    ledger: Ledger,
    stores: Stores<S>,
    keys: K,
    identity: Identity,
    membership: Option<(Id, Id)>,
    requires_post_quantum: bool,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// A session. Nothing is asked yet.
    pub fn new(identity: Identity, ledger: Ledger, stores: impl Into<Stores<S>>, keys: K) -> Self {
        Self {
            ledger,
            stores: stores.into(),
            keys,
            identity,
            membership: None,
            requires_post_quantum: false,
        }
    }

    /// Acts as this member of this institution, where the wallet belongs to several.
    #[must_use]
    pub fn as_member(self, institution: Id, member: Id) -> Self {
        Self {
            membership: Some((institution, member)),
            ..self
        }
    }

    /// Wraps keys by X-Wing or not at all: nobody without such a key gets one.
    #[must_use]
    pub fn requiring_post_quantum(self, requires_post_quantum: bool) -> Self {
        Self {
            requires_post_quantum,
            ..self
        }
    }

    /// The ledger that it works on.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whose session it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The stores that it works with.
    pub fn stores(&self) -> &Stores<S> {
        &self.stores
    }

    /// The key store that it works with.
    pub fn keys(&self) -> &K {
        &self.keys
    }

    /// The chain's time in so many seconds, in seconds since 1970.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn from_now(&self, seconds: i64) -> Result<i64, OpError> {
        Ok(self.ledger.now().await?.saturating_add(seconds))
    }

    fn wallet(&self) -> Address {
        Address::new_from_array(self.identity.wallet.address())
    }

    /// Who pays fee and rent for what the wallet signs.
    async fn payer(&self) -> Result<Address, OpError> {
        Ok(self.ledger.payer(self.wallet()).await?)
    }
}

/// A new random id.
///
/// # Errors
/// [`CryptoError::Random`].
pub fn new_id() -> Result<Id, CryptoError> {
    crypto::random()
}

/// Does what blocks.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SealError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| SealError::Interrupted)
}

/// A new random id that is fit for what it is for.
fn draw_id(fits: impl Fn(&Id) -> bool) -> Result<Id, CryptoError> {
    loop {
        let id = crypto::random()?;
        if fits(&id) {
            return Ok(id);
        }
    }
}
