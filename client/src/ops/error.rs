//! What an operation can end in, other than done.

use chartseal_zk::{ProveError, tree::TreeError, witness::WitnessError};
use thiserror::Error;

use crate::{
    CryptoError,
    keys::{InvitationError, KeyError},
    ledger::LedgerError,
    seal::{JournalError, OpenError, SealError, break_glass::BreakGlassError, envelope::EnvelopeError},
    store::{FileError, KeyStoreError, LineFileError, StoreError, keystore::GateError},
};

/// An operation that was not done.
#[derive(Debug, Error)]
pub enum OpError {
    /// The policy refused it. The refusal stands in the patient's log.
    #[error("refused: {reason}; the refusal is logged as request {request}")]
    Refused {
        /// The reason, as the contract names it.
        reason: String,
        /// The request's id, in hex.
        request: String,
    },
    /// What was asked for makes no sense as it stands.
    #[error("{0}")]
    Usage(String),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Opening.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// An envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// An emergency is open, and not enough holders have released their shares of the key yet.
    #[error(
        "{released} of the {needed} shares that open this record were released: show holders transaction {transaction} \
         (they run `chartseal break-glass release --transaction {transaction}`), then run this again"
    )]
    SharesMissing {
        /// How many there are.
        released: usize,
        /// How many it takes.
        needed: usize,
        /// The access that holders release against.
        transaction: String,
    },
    /// Shares of a data key.
    #[error(transparent)]
    BreakGlass(#[from] BreakGlassError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An invitation.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// What is to be proven does not hold.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// A proof of access that could not be made.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The key that proofs are made with.
    #[error(transparent)]
    ProvingKey(#[from] chartseal_zk::keys::KeyError),
    /// A tree of grants without a name.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal of an upload.
    #[error(transparent)]
    Upload(#[from] JournalError),
    /// A journal.
    #[error(transparent)]
    Journal(#[from] LineFileError),
    /// The primitives.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl OpError {
    /// Whether the policy refused: nothing is broken, somebody has no right.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::KeyStore(KeyStoreError::Gate(
                    GateError::Refused { .. } | GateError::NotProven { .. }
                ))
        )
    }

    /// Whether stored bytes are not what they must be.
    #[must_use]
    pub fn is_tampered(&self) -> bool {
        match self {
            Self::Open(error) => error.is_tampered(),
            Self::KeyStore(KeyStoreError::Damaged) => true,
            _ => false,
        }
    }
}
