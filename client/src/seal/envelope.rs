//! Envelopes: a data key wrapped to one reader with HPKE (RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! AES-256-GCM). `info` binds everything that the key is for, so an envelope that was moved to another record, version,
//! reader, key or chain does not open. Envelopes are small, deletable, and never go to Arweave.

use borsh::{BorshDeserialize, BorshSerialize};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _, single_shot_open, single_shot_seal};
use thiserror::Error;
use zeroize::Zeroizing;

use super::DataKey;
use crate::CryptoError;
use crate::keys::EncryptionKey;

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

const LABEL: &[u8] = b"chartseal/envelope/v1";
const VERSION: u8 = 1;
const SUITE_X25519: u8 = 1;
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

/// A key that could not be wrapped, or an envelope that does not open.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// The recipient's public key is no usable point.
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

/// Wraps a data key to a recipient's X25519 public key.
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn wrap(key: &DataKey, recipient_key: &[u8; 32], context: &EnvelopeContext) -> Result<Vec<u8>, EnvelopeError> {
    seal_to(recipient_key, key.as_bytes(), &info(context)?, context)
}

/// Wraps any secret. `info` binds what it is for: to another than it was made with it does not open.
pub(super) fn seal_to(
    recipient_key: &[u8; 32],
    secret: &[u8],
    info: &[u8],
    context: &EnvelopeContext,
) -> Result<Vec<u8>, EnvelopeError> {
    let (encapped_key, ciphertext) = hpke_seal(recipient_key, info, secret)?;
    to_bytes(&Envelope {
        version: VERSION,
        suite: SUITE_X25519,
        encapped_key,
        ciphertext,
        recipient: context.recipient,
        recipient_key_epoch: context.recipient_key_epoch,
    })
}

/// Whether data keys can be wrapped to a public key. Points of low order cannot be used: what they agree on is known to
/// everybody (RFC 7748, section 6.1).
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn check_key(recipient_key: &[u8; 32]) -> Result<(), EnvelopeError> {
    let context = EnvelopeContext {
        cluster: [0; 32],
        program: [0; 32],
        patient: [0; 16],
        record: [0; 16],
        version: 0,
        manifest_hash: [0; 32],
        recipient: [0; 32],
        recipient_key_epoch: 0,
    };
    wrap(&DataKey::generate()?, recipient_key, &context).map(|_| ())
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
    hpke_open(key, info, &envelope.encapped_key, &envelope.ciphertext)
}

/// Seals to a public key; the encapsulated key and the ciphertext.
pub(super) fn hpke_seal(public: &[u8; 32], info: &[u8], plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), EnvelopeError> {
    let public = PublicKey::from_bytes(public).map_err(|_| EnvelopeError::BadRecipientKey)?;
    let sealed = single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &public, info, plain, &[]);
    let (encapped_key, ciphertext) = sealed.map_err(|_| EnvelopeError::BadRecipientKey)?;
    Ok((encapped_key.to_bytes().to_vec(), ciphertext))
}

/// Opens what [`hpke_seal`] made.
pub(super) fn hpke_open(
    key: &EncryptionKey,
    info: &[u8],
    encapped_key: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let encapped_key = EncappedKey::from_bytes(encapped_key).map_err(|_| EnvelopeError::Malformed)?;
    let opened = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key.to_hpke()?,
        &encapped_key,
        info,
        ciphertext,
        &[],
    );
    Ok(Zeroizing::new(opened.map_err(|_| EnvelopeError::DoesNotOpen)?))
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
    match bytes {
        [version, ..] if *version != VERSION => return Err(EnvelopeError::UnknownVersion(*version)),
        [_, suite, ..] if *suite != SUITE_X25519 => return Err(EnvelopeError::UnknownSuite(*suite)),
        _ if bytes.len() > MAX_LEN => return Err(EnvelopeError::Malformed),
        _ => {}
    }
    borsh::from_slice(bytes).map_err(|_| EnvelopeError::Malformed)
}

fn info(context: &EnvelopeContext) -> Result<Vec<u8>, EnvelopeError> {
    Ok([LABEL, &to_bytes(context)?].concat())
}

pub(super) fn to_bytes<T: BorshSerialize>(value: &T) -> Result<Vec<u8>, EnvelopeError> {
    // Fails only for lists of more than 2^32 elements, and there are none here.
    borsh::to_vec(value).map_err(|_| EnvelopeError::Malformed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CONTEXT: EnvelopeContext = EnvelopeContext {
        cluster: [1; 32],
        program: [2; 32],
        patient: [3; 16],
        record: [4; 16],
        version: 5,
        manifest_hash: [6; 32],
        recipient: [7; 32],
        recipient_key_epoch: 8,
    };

    fn wrapped() -> (DataKey, EncryptionKey, Vec<u8>) {
        let (key, recipient) = (DataKey::generate().unwrap(), EncryptionKey::generate().unwrap());
        let envelope = wrap(&key, &recipient.public(), &CONTEXT).unwrap();
        (key, recipient, envelope)
    }

    #[test]
    fn an_envelope_opens_for_its_recipient() {
        let (key, recipient, envelope) = wrapped();
        assert_eq!(
            open(&envelope, &recipient, &CONTEXT).unwrap().as_bytes(),
            key.as_bytes()
        );
    }

    #[test]
    fn an_envelope_opens_for_nobody_else() {
        let (_, _, envelope) = wrapped();
        let stranger = EncryptionKey::generate().unwrap();
        assert!(matches!(
            open(&envelope, &stranger, &CONTEXT),
            Err(EnvelopeError::DoesNotOpen)
        ));
    }

    #[test]
    fn an_envelope_opens_in_no_other_context() {
        let (_, recipient, envelope) = wrapped();
        for context in [
            EnvelopeContext {
                cluster: [9; 32],
                ..CONTEXT
            },
            EnvelopeContext {
                program: [9; 32],
                ..CONTEXT
            },
            EnvelopeContext {
                patient: [9; 16],
                ..CONTEXT
            },
            EnvelopeContext {
                record: [9; 16],
                ..CONTEXT
            },
            EnvelopeContext { version: 9, ..CONTEXT },
            EnvelopeContext {
                manifest_hash: [9; 32],
                ..CONTEXT
            },
        ] {
            assert!(
                matches!(open(&envelope, &recipient, &context), Err(EnvelopeError::DoesNotOpen)),
                "{context:?}"
            );
        }
        let other = EnvelopeContext {
            recipient: [9; 32],
            ..CONTEXT
        };
        assert!(matches!(
            open(&envelope, &recipient, &other),
            Err(EnvelopeError::OtherRecipient)
        ));
        let rotated = EnvelopeContext {
            recipient_key_epoch: 9,
            ..CONTEXT
        };
        let error = open(&envelope, &recipient, &rotated).unwrap_err();
        assert!(matches!(error, EnvelopeError::OtherKeyEpoch { expected: 9, found: 8 }));
    }

    #[test]
    fn a_readdressed_envelope_does_not_open() {
        let (_, recipient, envelope) = wrapped();
        let mut forged = parse(&envelope).unwrap();
        forged.recipient = [9; 32];
        forged.recipient_key_epoch = 9;
        let context = EnvelopeContext {
            recipient: [9; 32],
            recipient_key_epoch: 9,
            ..CONTEXT
        };
        let opened = open(&borsh::to_vec(&forged).unwrap(), &recipient, &context);
        assert!(matches!(opened, Err(EnvelopeError::DoesNotOpen)));
    }

    #[test]
    fn an_envelope_altered_or_cut_anywhere_does_not_open() {
        let (_, recipient, envelope) = wrapped();
        for position in 0..envelope.len() {
            let mut altered = envelope.clone();
            altered[position] ^= 1;
            assert!(open(&altered, &recipient, &CONTEXT).is_err(), "byte {position}");
            assert!(
                open(&envelope[..position], &recipient, &CONTEXT).is_err(),
                "cut at {position}"
            );
        }
        assert!(matches!(
            open(&[&envelope[..], &[0]].concat(), &recipient, &CONTEXT),
            Err(EnvelopeError::Malformed)
        ));
        assert!(matches!(
            open(&[2, 1], &recipient, &CONTEXT),
            Err(EnvelopeError::UnknownVersion(2))
        ));
        assert!(matches!(
            open(&[1, 2], &recipient, &CONTEXT),
            Err(EnvelopeError::UnknownSuite(2))
        ));
    }

    #[test]
    fn a_key_of_zeros_is_no_recipient() {
        let wrapped = wrap(&DataKey::generate().unwrap(), &[0; 32], &CONTEXT);
        assert!(matches!(wrapped, Err(EnvelopeError::BadRecipientKey)));
    }
}
