//! Envelopes: a data key wrapped to one reader with HPKE (RFC 9180, base mode, HKDF-SHA256, AES-256-GCM) in one of two
//! suites: 1 is DHKEM(X25519, HKDF-SHA256), 2 is X-Wing (KEM 0x647a of draft-ietf-hpke-pq: ML-KEM-768 beside X25519), which
//! a quantum computer does not open. `info` binds everything that the key is for, so an envelope that was moved to another
//! record, version, reader, key or chain does not open, and HPKE's key schedule binds the suite. Envelopes are small,
//! deletable, and never go to Arweave.

mod suite;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::suite::{RecipientKey, Suite, check_key, check_post_quantum_key};
pub(super) use self::suite::{hpke_open, hpke_seal};
use super::DataKey;
use crate::CryptoError;
use crate::keys::EncryptionKey;

const LABEL: &[u8] = b"chartseal/envelope/v1";
const VERSION: u8 = 1;
/// No envelope is longer, in bytes.
const MAX_LEN: usize = 4096;

/// What a wrapped key is for, and for whom. Both sides take it from the chain, never from the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize)]
pub struct EnvelopeContext {
    /// The hash of the cluster's genesis.
    pub cluster: [u8; 32],
    /// The program's address.
    pub program: [u8; 32],
    /// The patient's id.
    pub patient: [u8; 16],
    /// The record's id.
    pub record: [u8; 16],
    /// The record's version.
    pub version: u32,
    /// SHA-256 of the manifest.
    pub manifest_hash: [u8; 32],
    /// The address of the account that it is wrapped for.
    pub recipient: [u8; 32],
    /// How often that account has changed its key.
    pub recipient_key_epoch: u32,
}

/// What an envelope says of the key that it is wrapped to. Only opening it proves that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapping {
    /// How it is wrapped.
    pub suite: Suite,
    /// The epoch of the recipient's key.
    pub key_epoch: u32,
}

/// A key that could not be wrapped, or an envelope that does not open.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// The recipient's public key is no usable point, or no X-Wing key.
    #[error("the recipient's encryption key is not usable; it has to register a new one")]
    BadRecipientKey,
    /// Bytes that are no envelope.
    #[error("this is not an envelope, or it was cut; have the key wrapped again")]
    Malformed,
    /// Made by a newer release.
    #[error("envelope of version {0}, which this release does not know; use a newer release")]
    UnknownVersion(u8),
    /// Wrapped in another way.
    #[error("envelope of suite {0}, which this release does not know; use a newer release")]
    UnknownSuite(u8),
    /// For somebody else.
    #[error("this envelope is addressed to another account; ask for your own")]
    OtherRecipient,
    /// For a key that the recipient has replaced, or has not yet.
    #[error("this envelope is for key epoch {found}, the account is at {expected}; have the key wrapped again")]
    OtherKeyEpoch {
        /// Of the account.
        expected: u32,
        /// Of the envelope.
        found: u32,
    },
    /// The key, the context or the bytes are not those it was made with.
    #[error(
        "this envelope does not open: it is for another key, record or version, or it was altered; have it wrapped again"
    )]
    DoesNotOpen,
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// An envelope as it is stored.
#[derive(BorshSerialize, BorshDeserialize)]
struct Envelope {
    version: u8,
    suite: u8,
    encapped_key: Vec<u8>,
    ciphertext: Vec<u8>,
    recipient: [u8; 32],
    recipient_key_epoch: u32,
}

/// Wraps a data key to a recipient's public key.
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn wrap<'a>(
    key: &DataKey,
    recipient_key: impl Into<RecipientKey<'a>>,
    context: &EnvelopeContext,
) -> Result<Vec<u8>, EnvelopeError> {
    seal_to(recipient_key.into(), key.as_bytes(), &info(context)?, context)
}

/// Wraps any secret. `info` binds what it is for: to another than it was made with it does not open.
pub(super) fn seal_to(
    recipient_key: RecipientKey<'_>,
    secret: &[u8],
    info: &[u8],
    context: &EnvelopeContext,
) -> Result<Vec<u8>, EnvelopeError> {
    let (encapped_key, ciphertext) = recipient_key.seal(info, secret)?;
    to_bytes(&Envelope {
        version: VERSION,
        suite: recipient_key.suite().byte(),
        encapped_key,
        ciphertext,
        recipient: context.recipient,
        recipient_key_epoch: context.recipient_key_epoch,
    })
}

/// Unwraps a data key.
///
/// # Errors
/// [`EnvelopeError`]; the key is not held against the manifest yet, which [`super::Manifest::open`] does.
pub fn open(envelope: &[u8], key: &EncryptionKey, context: &EnvelopeContext) -> Result<DataKey, EnvelopeError> {
    let opened = open_with(envelope, key, &info(context)?, context)?;
    DataKey::from_slice(&opened).ok_or(EnvelopeError::DoesNotOpen)
}

/// Unwraps what [`seal_to`] wrapped.
pub(super) fn open_with(
    envelope: &[u8],
    key: &EncryptionKey,
    info: &[u8],
    context: &EnvelopeContext,
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let envelope = parse(envelope)?;
    if envelope.recipient != context.recipient {
        return Err(EnvelopeError::OtherRecipient);
    }
    if envelope.recipient_key_epoch != context.recipient_key_epoch {
        return Err(EnvelopeError::OtherKeyEpoch {
            expected: context.recipient_key_epoch,
            found: envelope.recipient_key_epoch,
        });
    }
    Suite::from_byte(envelope.suite)?.open(key, info, &envelope.encapped_key, &envelope.ciphertext)
}

/// How an envelope says to be wrapped, and to which key of the recipient. Only opening it proves that.
///
/// # Errors
/// As [`key_epoch`].
pub fn wrapping(envelope: &[u8]) -> Result<Wrapping, EnvelopeError> {
    let envelope = parse(envelope)?;
    Ok(Wrapping {
        suite: Suite::from_byte(envelope.suite)?,
        key_epoch: envelope.recipient_key_epoch,
    })
}

/// The epoch of the recipient's key that an envelope says to be wrapped to. Only opening it proves that.
///
/// # Errors
/// [`EnvelopeError::Malformed`], [`EnvelopeError::UnknownVersion`], [`EnvelopeError::UnknownSuite`].
pub fn key_epoch(envelope: &[u8]) -> Result<u32, EnvelopeError> {
    parse(envelope).map(|envelope| envelope.recipient_key_epoch)
}

fn parse(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    // Version and suite first: what a newer release puts after them is its own affair.
    let suite = match bytes {
        [version, ..] if *version != VERSION => return Err(EnvelopeError::UnknownVersion(*version)),
        [_, suite, ..] => Suite::from_byte(*suite)?,
        _ => return Err(EnvelopeError::Malformed),
    };
    if bytes.len() > MAX_LEN {
        return Err(EnvelopeError::Malformed);
    }
    let envelope: Envelope = borsh::from_slice(bytes).map_err(|_| EnvelopeError::Malformed)?;
    if envelope.encapped_key.len() == suite.encapped_len() {
        Ok(envelope)
    } else {
        Err(EnvelopeError::Malformed)
    }
}

fn info(context: &EnvelopeContext) -> Result<Vec<u8>, EnvelopeError> {
    Ok([LABEL, &to_bytes(context)?].concat())
}

pub(super) fn to_bytes<T: BorshSerialize>(value: &T) -> Result<Vec<u8>, EnvelopeError> {
    // Fails only for lists of more than 2^32 elements, and there are none here.
    borsh::to_vec(value).map_err(|_| EnvelopeError::Malformed)
}

#[cfg(test)]
mod tests;
