//! What a key store can answer other than done.

use std::path::PathBuf;

use thiserror::Error;

use crate::CryptoError;
use crate::store::FileError;

/// Why a gate stays shut.
#[derive(Debug, Error)]
pub enum GateError {
    /// The decision was, or would be by now, a refusal.
    #[error("the ledger refuses: {reason}")]
    Refused {
        /// The reason, as the contract names it.
        reason: String,
    },
    /// The decision is another reader's.
    #[error("the ledger allowed this request to another reader; ask for access with your own wallet")]
    NotTheReader,
    /// A proof of access that is none, or not here, not now or not any more.
    #[error("the proof of access does not hold: {reason}")]
    NotProven {
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// No confirmed transaction carries an allowing event of this request.
    #[error("no confirmed transaction allows this request; ask for access first, or wait until it is confirmed")]
    NoDecision,
    /// The ledger could not be asked.
    #[error("cannot ask the ledger: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A key store that did not do what it was asked for.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// Nothing is filed for this reader.
    #[error(
        "no envelope for this reader: key pending or revoked; somebody who holds the key has to wrap it for the reader"
    )]
    NoEnvelope,
    /// Those that were there have nothing for this reader, and not all were there.
    #[error("the key stores that answered have no envelope for this reader, and not all of them answered: {}", .0.join("; "))]
    NoneAtHand(Vec<String>),
    /// The record was erased.
    #[error("the keys of this record were destroyed; nobody can open it with the help of this key store any more")]
    Destroyed,
    /// The decision names another account than the one that asks.
    #[error("the ledger allowed this request to another reader; ask for access with your own wallet")]
    NotTheReader,
    /// The ledger does not allow it.
    #[error(transparent)]
    Gate(GateError),
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
    /// A key store that is not where it was: a disk that is not mounted, for example. It is not taken for an empty one.
    #[error("there is no key store in {}; mount it or mend the path, and run again", .0.display())]
    Unreachable(PathBuf),
    /// Something that was destroyed, and opens all the same.
    #[error("key store {0} still opens an envelope of a record that was destroyed in it; run again")]
    StillOpens(String),
    /// Several key stores, of which some did not do it.
    #[error("{}; what the others had to do is done: run again", .0.join("; "))]
    Some(Vec<String>),
    /// No key store at all.
    #[error("no key store was named; say where envelopes are kept (--key-store)")]
    None,
    /// A proof that was shown to several stores at once.
    #[error("a proof of access is for one key store; make one for each, and show it to that one")]
    SeveralVerifiers,
    /// A public key of another length than X-Wing's.
    #[error("a public key of {0} bytes is no X-Wing key, which has 1216")]
    NoPublicKey(usize),
    /// A key service that does not take the caller for somebody who may.
    #[error(
        "key service {url}: {detail}; ask whoever runs it, or name the key stores without it (--key-store, --key-service)"
    )]
    NotAllowed {
        /// Its address.
        url: String,
        /// What it says.
        detail: String,
    },
    /// A key service that cannot be used.
    #[error("key service {url}: {detail}")]
    Service {
        /// Its address.
        url: String,
        /// What is wrong.
        detail: String,
    },
    /// The work was stopped from outside.
    #[error("the key store was stopped in the middle of its work; run again")]
    Interrupted,
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<GateError> for KeyStoreError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::NotTheReader => Self::NotTheReader,
            error => Self::Gate(error),
        }
    }
}

impl KeyStoreError {
    /// Whether a store looked at who asks for what and decided against it: neither is it away, nor does it lack anything.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        matches!(
            self,
            Self::NotTheReader
                | Self::NotAllowed { .. }
                | Self::Gate(GateError::Refused { .. } | GateError::NotProven { .. } | GateError::NoDecision)
        )
    }

    /// Whether no store at hand has the envelope: shares may give the key all the same, in an emergency.
    #[must_use]
    pub fn is_lack(&self) -> bool {
        matches!(self, Self::NoEnvelope | Self::NoneAtHand(_))
    }
}
