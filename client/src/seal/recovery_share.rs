//! A guardian's share of a patient's encryption key, sealed to one key with HPKE (RFC 9180, base mode, the suite of
//! [`super::envelope`]). `info` binds what it is a share of and whose it is, so a share that was moved to another patient,
//! epoch, dealing or guardian does not open. Whether it is the right share only shows when shares are combined: what they
//! give is held against the public key that stood on chain.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::envelope::{self, EnvelopeError};
use crate::keys::{EncryptionKey, shares::Share};

const LABEL: &[u8] = b"chartseal/recovery-share/v1";
const VERSION: u8 = 1;
/// How many shares make the key, which one it is, and its value.
const PLAIN_LEN: usize = 2 + 32;

/// What a share is of, and for whom it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize)]
pub struct ShareContext {
    /// The hash of the cluster's genesis.
    pub cluster: [u8; 32],
    /// The program's address.
    pub program: [u8; 32],
    /// The patient's id.
    pub patient: [u8; 16],
    /// The epoch of the patient's key.
    pub key_epoch: u32,
    /// Names the dealing.
    pub dealing: [u8; 16],
    /// The guardian's wallet.
    pub guardian: [u8; 32],
    /// The X25519 public key that it is sealed to.
    pub sealed_to: [u8; 32],
}

/// A share, and how many of them make the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryShare {
    /// How many make the key.
    pub threshold: u8,
    /// The share.
    pub share: Share,
}

/// A share as it is stored.
#[derive(BorshSerialize, BorshDeserialize)]
struct SealedShare {
    version: u8,
    encapped_key: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// Seals a share to the key that the context names.
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn seal(share: &RecoveryShare, context: &ShareContext) -> Result<Vec<u8>, EnvelopeError> {
    let mut plain = Zeroizing::new([0; PLAIN_LEN]);
    plain[0] = share.threshold;
    plain[1] = share.share.index;
    plain[2..].copy_from_slice(&*share.share.value);
    let (encapped_key, ciphertext) = envelope::hpke_seal(&context.sealed_to, &info(context)?, plain.as_slice())?;
    let sealed = SealedShare {
        version: VERSION,
        encapped_key,
        ciphertext,
    };
    borsh::to_vec(&sealed).map_err(|_| EnvelopeError::Malformed)
}

/// Opens a share.
///
/// # Errors
/// [`EnvelopeError`].
pub fn open(sealed: &[u8], key: &EncryptionKey, context: &ShareContext) -> Result<RecoveryShare, EnvelopeError> {
    match sealed.first() {
        Some(&version) if version != VERSION => return Err(EnvelopeError::UnknownVersion(version)),
        _ => {}
    }
    let sealed: SealedShare = borsh::from_slice(sealed).map_err(|_| EnvelopeError::Malformed)?;
    let plain = envelope::hpke_open(key, &info(context)?, &sealed.encapped_key, &sealed.ciphertext)?;
    let [threshold, index, value @ ..] = plain.as_slice() else {
        return Err(EnvelopeError::Malformed);
    };
    let value: &[u8; 32] = value.try_into().map_err(|_| EnvelopeError::Malformed)?;
    Ok(RecoveryShare {
        threshold: *threshold,
        share: Share {
            index: *index,
            value: Zeroizing::new(*value),
        },
    })
}

fn info(context: &ShareContext) -> Result<Vec<u8>, EnvelopeError> {
    let context = borsh::to_vec(context).map_err(|_| EnvelopeError::Malformed)?;
    Ok([LABEL, &context].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn context(sealed_to: [u8; 32]) -> ShareContext {
        ShareContext {
            cluster: [1; 32],
            program: [2; 32],
            patient: [3; 16],
            key_epoch: 4,
            dealing: [5; 16],
            guardian: [6; 32],
            sealed_to,
        }
    }

    fn share() -> RecoveryShare {
        RecoveryShare {
            threshold: 2,
            share: Share {
                index: 3,
                value: Zeroizing::new([9; 32]),
            },
        }
    }

    #[test]
    fn a_share_opens_for_its_guardian_only() {
        let guardian = EncryptionKey::generate().unwrap();
        let context = context(guardian.public());
        let sealed = seal(&share(), &context).unwrap();
        assert_eq!(open(&sealed, &guardian, &context).unwrap(), share());
        let stranger = EncryptionKey::generate().unwrap();
        assert!(matches!(
            open(&sealed, &stranger, &context),
            Err(EnvelopeError::DoesNotOpen)
        ));
    }

    #[test]
    fn a_share_that_was_moved_does_not_open() {
        let guardian = EncryptionKey::generate().unwrap();
        let context = context(guardian.public());
        let sealed = seal(&share(), &context).unwrap();
        for moved in [
            ShareContext {
                cluster: [9; 32],
                ..context
            },
            ShareContext {
                program: [9; 32],
                ..context
            },
            ShareContext {
                patient: [9; 16],
                ..context
            },
            ShareContext {
                key_epoch: 9,
                ..context
            },
            ShareContext {
                dealing: [9; 16],
                ..context
            },
            ShareContext {
                guardian: [9; 32],
                ..context
            },
            ShareContext {
                sealed_to: [9; 32],
                ..context
            },
        ] {
            assert!(open(&sealed, &guardian, &moved).is_err(), "{moved:?}");
        }
    }

    #[test]
    fn a_share_altered_or_cut_anywhere_does_not_open() {
        let guardian = EncryptionKey::generate().unwrap();
        let context = context(guardian.public());
        let sealed = seal(&share(), &context).unwrap();
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(open(&altered, &guardian, &context).is_err(), "byte {position}");
            assert!(
                open(&sealed[..position], &guardian, &context).is_err(),
                "cut at {position}"
            );
        }
    }

    #[test]
    fn nothing_is_sealed_to_a_key_that_everybody_knows() {
        let sealed = seal(&share(), &context([0; 32]));
        assert!(matches!(sealed, Err(EnvelopeError::BadRecipientKey)));
    }
}
