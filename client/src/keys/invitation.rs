//! An invitation: what somebody hands to a patient in order to be granted a record without a name. Its public half is a
//! commitment and a one-time X25519 key, as a short text. Its secret half rests in a file of its own under a passphrase;
//! whoever holds it reads by the grant, and nobody else ever does. One invitation is for one grant: both halves of its
//! public text stand on chain, so two grants by the same one would be seen to be one reader's.
//!
//! | bytes of the file | what |
//! | --- | --- |
//! | 8 | magic `CHSEALIV` |
//! | 2 | version, 1 (integers are little-endian) |
//! | 1 | key derivation, 1: argon2id v1.3 (RFC 9106) |
//! | 4, 4, 4 | its memory in KiB, passes, lanes |
//! | 16 | its salt |
//! | 12 | nonce |
//! | 112 | AES-256-GCM under the derived key of secret, salt and the seed of the one-time key (32 each); AAD: all bytes before |
//! | 32 | SHA-256 of all bytes before |

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use chartseal_zk::witness::{GrantSecret, WitnessError};
use thiserror::Error;
use zeroize::Zeroizing;

use super::encryption::Origin;
use super::file::Reader;
use super::{EncryptionKey, KdfCost, KeyError, Passphrase};
use crate::CryptoError;
use crate::crypto::{self, NONCE_LEN, TAG_LEN};
use crate::store::{Existing, FileError, read_file, write_file};

const MAGIC: &[u8; 8] = b"CHSEALIV";
const VERSION: u16 = 1;
const KDF_ARGON2ID: u8 = 1;
const SALT_LEN: usize = 16;
const CHECKSUM_LEN: usize = 32;
const HEADER_LEN: usize = MAGIC.len() + 2 + 1 + 3 * 4 + SALT_LEN + NONCE_LEN;
const SECRETS_LEN: usize = 3 * 32;
const FILE_LEN: usize = HEADER_LEN + SECRETS_LEN + TAG_LEN + CHECKSUM_LEN;

/// What an invitation's text begins with.
const PREFIX: &str = "invitation1-";
const TEXT_CHECK: usize = 4;

/// An invitation that could not be made, read or written.
#[derive(Debug, Error)]
pub enum InvitationError {
    /// A text that is none.
    #[error("this is no invitation; it begins with invitation1- and has to be copied whole")]
    NotAnInvitation,
    /// Another file.
    #[error("this is no file of an invitation, or it was cut; name the file that `chartseal anonymous invite` made")]
    NotAFile,
    /// Made by a newer release.
    #[error("an invitation of version {0}, which this release does not know; use a newer release")]
    UnknownVersion(u16),
    /// The length is right and the checksum is not.
    #[error(
        "the invitation's file does not match its checksum: it is damaged; ask for a new grant with a new invitation"
    )]
    Damaged,
    /// The file is whole, but this passphrase does not open it.
    #[error("wrong passphrase for this invitation's file; try again")]
    WrongPassphrase,
    /// What is drawn makes no commitment.
    #[error(transparent)]
    Secret(#[from] WitnessError),
    /// The cost of the passphrase.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The primitives failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The public half, which the patient is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Commits the reader to its secret.
    pub commitment: [u8; 32],
    /// The one-time X25519 public key, to which data keys are wrapped.
    pub key: [u8; 32],
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.commitment.as_slice(), &self.key, &self.check()].concat();
        write!(f, "{PREFIX}{}", bs58::encode(bytes).into_string())
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let encoded = text.trim().strip_prefix(PREFIX);
        let mut bytes = [0; 64 + TEXT_CHECK];
        let written = encoded.and_then(|encoded| bs58::decode(encoded).onto(&mut bytes).ok());
        let mut rest = Reader(&bytes);
        match (written, rest.take(), rest.take(), rest.take::<TEXT_CHECK>()) {
            (Some(68), Some(commitment), Some(key), Some(check)) => {
                let read = Self { commitment, key };
                let known = read.check() == check && chartseal_program::membership::is_canonical(&commitment);
                known.then_some(read).ok_or(InvitationError::NotAnInvitation)
            }
            _ => Err(InvitationError::NotAnInvitation),
        }
    }
}

impl Invitation {
    /// What tells a text that was mistyped.
    fn check(&self) -> [u8; TEXT_CHECK] {
        let hash = crypto::sha256(&[PREFIX.as_bytes(), &self.commitment, &self.key]);
        let mut check = [0; TEXT_CHECK];
        check.copy_from_slice(&hash[..TEXT_CHECK]);
        check
    }
}

/// The secret half, which the reader keeps.
#[derive(Clone, Debug)]
pub struct InvitationSecret {
    /// What proofs are made of.
    pub grant: GrantSecret,
    /// The one-time key.
    pub key: EncryptionKey,
}

impl InvitationSecret {
    /// Draws an invitation, for one grant.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn generate() -> Result<Self, InvitationError> {
        Ok(Self {
            grant: GrantSecret::random()?,
            key: EncryptionKey::generate()?,
        })
    }

    /// The public half.
    ///
    /// # Errors
    /// None that is known; the hash function's own.
    pub fn public(&self) -> Result<Invitation, InvitationError> {
        Ok(Invitation {
            commitment: self.grant.commitment()?,
            key: self.key.public(),
        })
    }

    /// Writes a new file, readable by its owner only, that appears whole or not at all.
    ///
    /// # Errors
    /// [`InvitationError::File`] where the path is taken or cannot be written.
    pub fn create(&self, path: &Path, passphrase: &Passphrase, cost: KdfCost) -> Result<(), InvitationError> {
        Ok(write_file(path, &self.encode(passphrase, cost)?, Existing::Refuse)?)
    }

    /// Opens a file. Takes as long as its argon2id costs: about a tenth of a second.
    ///
    /// # Errors
    /// [`InvitationError`], one variant for each way to fail.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<Self, InvitationError> {
        Self::decode(&read_file(path, 2 * FILE_LEN)?, passphrase)
    }

    fn encode(&self, passphrase: &Passphrase, cost: KdfCost) -> Result<Vec<u8>, InvitationError> {
        let salt: [u8; SALT_LEN] = crypto::random()?;
        let nonce: [u8; NONCE_LEN] = crypto::random()?;
        let mut bytes = Vec::with_capacity(FILE_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.push(KDF_ARGON2ID);
        for number in [cost.memory_kib, cost.passes, cost.lanes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&salt);
        bytes.extend_from_slice(&nonce);
        let mut secrets = Zeroizing::new([0; SECRETS_LEN]);
        let (grant, seed) = secrets.split_at_mut(64);
        grant.copy_from_slice(&*self.grant.to_bytes());
        seed.copy_from_slice(self.key.secret());
        // The nonce is random, and the key is new with every salt.
        let sealed = crypto::seal(&*cost.derive(passphrase, &salt)?, nonce, &bytes, secrets.as_slice())?;
        bytes.extend_from_slice(&sealed);
        let checksum = crypto::sha256(&[&bytes]);
        bytes.extend_from_slice(&checksum);
        Ok(bytes)
    }

    fn decode(bytes: &[u8], passphrase: &Passphrase) -> Result<Self, InvitationError> {
        let mut rest = Reader(bytes.strip_prefix(MAGIC).ok_or(InvitationError::NotAFile)?);
        let mut number = || rest.take().map(u16::from_le_bytes).ok_or(InvitationError::NotAFile);
        match number()? {
            VERSION => {}
            other => return Err(InvitationError::UnknownVersion(other)),
        }
        let (body, checksum) = match bytes.len() {
            FILE_LEN => bytes.split_at(FILE_LEN - CHECKSUM_LEN),
            _ => return Err(InvitationError::NotAFile),
        };
        if crypto::sha256(&[body]) != checksum {
            return Err(InvitationError::Damaged);
        }
        let [kdf] = rest.take().ok_or(InvitationError::NotAFile)?;
        if kdf != KDF_ARGON2ID {
            return Err(KeyError::UnknownKdf(kdf).into());
        }
        let mut number = || rest.take().map(u32::from_le_bytes).ok_or(InvitationError::NotAFile);
        let cost = KdfCost::new(number()?, number()?, number()?)?;
        let salt: [u8; SALT_LEN] = rest.take().ok_or(InvitationError::NotAFile)?;
        let nonce: [u8; NONCE_LEN] = rest.take().ok_or(InvitationError::NotAFile)?;
        let (header, sealed) = body.split_at(HEADER_LEN);
        let secrets = crypto::open(&*cost.derive(passphrase, &salt)?, nonce, header, sealed)?;
        let secrets = secrets.ok_or(InvitationError::WrongPassphrase)?;
        let mut rest = Reader(&secrets);
        let grant: Zeroizing<[u8; 64]> = Zeroizing::new(rest.take().ok_or(InvitationError::Damaged)?);
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(rest.take().ok_or(InvitationError::Damaged)?);
        Ok(Self {
            grant: GrantSecret::from_bytes(&grant).map_err(|_| InvitationError::Damaged)?,
            key: EncryptionKey::new(Origin::Seed, &seed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cheap() -> KdfCost {
        KdfCost::new(8, 1, 1).unwrap()
    }

    fn passphrase() -> Passphrase {
        Passphrase::new("a long enough passphrase").unwrap()
    }

    #[test]
    fn what_is_handed_over_is_read_again_and_what_was_mistyped_is_not() {
        let invitation = InvitationSecret::generate().unwrap().public().unwrap();
        let text = invitation.to_string();
        assert_eq!(format!(" {text}\n").parse::<Invitation>().unwrap(), invitation);
        let chars = text.char_indices().skip(PREFIX.len());
        for (at, char) in chars {
            let other = if char == '2' { "3" } else { "2" };
            let mut altered = text.clone();
            altered.replace_range(at..=at, other);
            assert!(altered.parse::<Invitation>().is_err(), "{altered}");
        }
        for other in ["", PREFIX, &text[..text.len() - 1], &text[1..]] {
            assert!(other.parse::<Invitation>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_commitment_that_is_no_field_element_is_none() {
        let text = Invitation {
            commitment: [0xff; 32],
            key: [1; 32],
        };
        assert!(text.to_string().parse::<Invitation>().is_err());
    }

    #[test]
    fn a_file_gives_back_both_secrets_and_only_to_its_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("invitation");
        let secret = InvitationSecret::generate().unwrap();
        secret.create(&path, &passphrase(), cheap()).unwrap();
        let loaded = InvitationSecret::load(&path, &passphrase()).unwrap();
        assert_eq!(loaded.public().unwrap(), secret.public().unwrap());
        assert_eq!(loaded.grant.to_bytes(), secret.grant.to_bytes());
        let wrong = Passphrase::new("another passphrase").unwrap();
        let outcome = InvitationSecret::load(&path, &wrong);
        assert!(matches!(outcome, Err(InvitationError::WrongPassphrase)), "{outcome:?}");
        let again = secret.create(&path, &passphrase(), cheap());
        assert!(
            matches!(again, Err(InvitationError::File(_))),
            "a file is never written over"
        );
    }

    #[test]
    fn a_file_that_was_cut_or_altered_anywhere_does_not_open() {
        let bytes = InvitationSecret::generate()
            .unwrap()
            .encode(&passphrase(), cheap())
            .unwrap();
        assert_eq!(bytes.len(), FILE_LEN);
        for end in 0..bytes.len() {
            assert!(
                InvitationSecret::decode(&bytes[..end], &passphrase()).is_err(),
                "cut at {end}"
            );
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x40;
            assert!(InvitationSecret::decode(&altered, &passphrase()).is_err(), "byte {at}");
        }
    }
}
