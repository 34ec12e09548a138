//! The identity file, byte by byte. Its head says how long it is, so a cut file is told by its length, a damaged one by its
//! checksum, and what then still does not open was given the wrong passphrase.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic `CHSEALID` |
//! | 2 | version, 3 (integers are little-endian) |
//! | 1 | key derivation, 1: argon2id v1.3 (RFC 9106) |
//! | 4, 4, 4 | its memory in KiB, passes, lanes |
//! | 16 | its salt |
//! | 12 | nonce |
//! | 1 | how many earlier encryption secrets there are, n |
//! | 113 + 33 n | AES-256-GCM under the derived key of wallet, encryption and storage secret, the earlier encryption secrets (32 each), and for each encryption secret what it is (1 each): 0 an X25519 secret, 1 a seed of both halves; AAD: all bytes before |
//! | 32 | SHA-256 of all bytes before |
//!
//! In version 2 every encryption secret is an X25519 secret, and nothing says so; version 1 has no earlier secrets either,
//! and no count of them. Both are read, and never written.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use super::encryption::Origin;
use super::{EncryptionKey, Identity, KeyError, Passphrase, StorageKey, WalletKey};
use crate::CryptoError;
use crate::crypto::{self, NONCE_LEN, TAG_LEN};

const MAGIC: &[u8; 8] = b"CHSEALID";
const VERSION: u16 = 3;
/// With X25519 secrets only.
const VERSION_2: u16 = 2;
/// Without earlier encryption secrets.
const VERSION_1: u16 = 1;
const KDF_ARGON2ID: u8 = 1;
const SALT_LEN: usize = 16;
const CHECKSUM_LEN: usize = 32;
/// Bytes before the count of earlier secrets.
const HEADER_LEN: usize = MAGIC.len() + 2 + 1 + 3 * 4 + SALT_LEN + NONCE_LEN;

/// Bytes of the longest identity file.
pub(super) const MAX_LEN: usize = HEADER_LEN + 1 + secrets_len(255) + 256 + TAG_LEN + CHECKSUM_LEN;

/// Bytes of the secrets, where so many encryption secrets are earlier ones.
const fn secrets_len(earlier: usize) -> usize {
    32 * (3 + earlier)
}

/// Bytes of an identity file of this version with so many earlier secrets. What is no version is of the newest's length.
fn len(version: u16, earlier: usize) -> usize {
    let count = usize::from(version != VERSION_1);
    let origins = match version {
        VERSION_1 | VERSION_2 => 0,
        _ => 1 + earlier,
    };
    HEADER_LEN + count + secrets_len(earlier) + origins + TAG_LEN + CHECKSUM_LEN
}

/// What argon2id costs, to us and to whoever guesses passphrases. It is stored in the file; whatever a file asks for
/// is held against fixed bounds first, so that a hostile one cannot demand a terabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    /// Memory in KiB.
    pub(super) memory_kib: u32,
    /// Passes over the memory.
    pub(super) passes: u32,
    /// Lanes.
    pub(super) lanes: u32,
}

impl KdfCost {
    /// 64 MiB and three passes in one lane: RFC 9106's second recommendation with its lanes folded into one.
    pub const DEFAULT: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };

    /// Another cost.
    ///
    /// # Errors
    /// [`KeyError::CostOutOfBounds`] outside 8 KiB (per lane) to 1 GiB, 1 to 16 passes, 1 to 8 lanes.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeyError> {
        let cost = Self {
            memory_kib,
            passes,
            lanes,
        };
        let lanes_fit = lanes >= 1 && lanes <= 8;
        if lanes_fit && memory_kib >= 8 * lanes && memory_kib <= 1024 * 1024 && passes >= 1 && passes <= 16 {
            Ok(cost)
        } else {
            Err(KeyError::CostOutOfBounds(cost))
        }
    }

    pub(super) fn derive(self, passphrase: &Passphrase, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| KeyError::CostOutOfBounds(self))?;
        let mut memory = vec![Block::default(); params.block_count()];
        let mut key = Zeroizing::new([0; 32]);
        let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            passphrase.as_bytes(),
            salt,
            key.as_mut_slice(),
            &mut memory,
        );
        // The key is computed from the last of these blocks.
        memory.iter_mut().for_each(Zeroize::zeroize);
        derived.map_err(|_| CryptoError::Refused)?;
        Ok(key)
    }
}

impl Default for KdfCost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

pub(super) fn encode(identity: &Identity, passphrase: &Passphrase, cost: KdfCost) -> Result<Vec<u8>, KeyError> {
    let salt: [u8; SALT_LEN] = crypto::random()?;
    let nonce: [u8; NONCE_LEN] = crypto::random()?;
    let earlier = u8::try_from(identity.earlier.len()).map_err(|_| KeyError::TooManyKeys)?;
    let mut bytes = Vec::with_capacity(MAX_LEN);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(KDF_ARGON2ID);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&nonce);
    bytes.push(earlier);

    let keys = [
        identity.wallet.secret(),
        identity.encryption.secret(),
        identity.storage.secret(),
    ];
    // Made in its full size: a list that grows leaves copies behind.
    let mut secrets = Zeroizing::new(vec![
        0;
        secrets_len(identity.earlier.len()) + 1 + identity.earlier.len()
    ]);
    let (slots, origins) = secrets.split_at_mut(secrets_len(identity.earlier.len()));
    let earlier = identity.earlier.iter().map(EncryptionKey::secret);
    for (slot, secret) in slots.chunks_exact_mut(32).zip(keys.into_iter().chain(earlier)) {
        slot.copy_from_slice(secret);
    }
    for (slot, key) in origins.iter_mut().zip(identity.encryption_keys()) {
        *slot = byte_of(key.origin());
    }
    // The nonce is random, and the key is new with every salt.
    let sealed = crypto::seal(&*cost.derive(passphrase, &salt)?, nonce, &bytes, secrets.as_slice())?;
    bytes.extend_from_slice(&sealed);
    let checksum = crypto::sha256(&[&bytes]);
    bytes.extend_from_slice(&checksum);
    Ok(bytes)
}

pub(crate) fn decode(bytes: &[u8], passphrase: &Passphrase) -> Result<Identity, KeyError> {
    let version = bytes.get(MAGIC.len()..).and_then(<[u8]>::first_chunk::<2>);
    let version = version.map_or(VERSION, |version| u16::from_le_bytes(*version));
    let header = HEADER_LEN + usize::from(version != VERSION_1);
    let earlier = bytes.get(HEADER_LEN..header).and_then(|count| count.first());
    let earlier = usize::from(earlier.copied().unwrap_or_default());
    let expected = len(version, earlier);
    let wrong_length = || KeyError::WrongLength {
        expected,
        found: bytes.len(),
    };
    if !bytes.starts_with(MAGIC) {
        // A file cut within its magic is a cut file, not somebody else's.
        return Err(if !bytes.is_empty() && MAGIC.starts_with(bytes) {
            wrong_length()
        } else {
            KeyError::NotAnIdentity
        });
    }
    let mut rest = Reader(bytes.get(MAGIC.len()..).unwrap_or_default());
    let version = u16::from_le_bytes(rest.take().ok_or_else(wrong_length)?);
    if ![VERSION_1, VERSION_2, VERSION].contains(&version) {
        return Err(KeyError::UnknownVersion(version));
    }
    let [kdf] = rest.take().ok_or_else(wrong_length)?;
    if kdf != KDF_ARGON2ID {
        return Err(KeyError::UnknownKdf(kdf));
    }
    if bytes.len() != expected {
        return Err(wrong_length());
    }
    let (body, checksum) = bytes.split_at(expected - CHECKSUM_LEN);
    if crypto::sha256(&[body]) != checksum {
        return Err(KeyError::Damaged);
    }
    let mut number = || rest.take().map(u32::from_le_bytes).ok_or_else(wrong_length);
    let cost = KdfCost::new(number()?, number()?, number()?)?;
    let salt: [u8; SALT_LEN] = rest.take().ok_or_else(wrong_length)?;
    let nonce: [u8; NONCE_LEN] = rest.take().ok_or_else(wrong_length)?;

    let (header, sealed) = body.split_at(header);
    let secrets = crypto::open(&*cost.derive(passphrase, &salt)?, nonce, header, sealed)?;
    let secrets = secrets.ok_or(KeyError::WrongPassphrase)?;
    let (secrets, origins) = secrets
        .split_at_checked(secrets_len(earlier))
        .ok_or(KeyError::Damaged)?;
    identity_of(secrets, origins)
}

/// The identity of these secrets. Before version 3 nothing says what the encryption secrets are: then they are X25519.
fn identity_of(secrets: &[u8], origins: &[u8]) -> Result<Identity, KeyError> {
    let mut rest = Reader(secrets);
    let mut secret = || rest.take().map(Zeroizing::new).ok_or(KeyError::Damaged);
    let mut origins = origins.iter();
    let mut key = |secret: &[u8; 32]| -> Result<EncryptionKey, KeyError> {
        let origin = origins.next().map_or(Ok(Origin::X25519), |byte| origin_of(*byte))?;
        Ok(EncryptionKey::new(origin, secret)?)
    };
    let mut identity = Identity {
        wallet: WalletKey::from_secret(&*secret()?),
        encryption: key(&*secret()?)?,
        storage: StorageKey::from_secret(&*secret()?),
        earlier: Vec::new(),
    };
    while let Ok(secret) = secret() {
        identity.earlier.push(key(&secret)?);
    }
    Ok(identity)
}

fn byte_of(origin: Origin) -> u8 {
    match origin {
        Origin::X25519 => 0,
        Origin::Seed => 1,
    }
}

fn origin_of(byte: u8) -> Result<Origin, KeyError> {
    match byte {
        0 => Ok(Origin::X25519),
        1 => Ok(Origin::Seed),
        _ => Err(KeyError::Damaged),
    }
}

/// Takes fields off the front of a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cheap() -> KdfCost {
        KdfCost::new(8, 1, 1).unwrap()
    }

    fn fixture() -> (Vec<u8>, Passphrase) {
        let passphrase = Passphrase::new("a long enough passphrase").unwrap();
        (
            encode(&Identity::generate().unwrap(), &passphrase, cheap()).unwrap(),
            passphrase,
        )
    }

    #[test]
    fn the_wrong_passphrase_opens_nothing_and_says_so() {
        let (bytes, _) = fixture();
        let wrong = Passphrase::new("a long enough passphrasE").unwrap();
        assert!(matches!(decode(&bytes, &wrong), Err(KeyError::WrongPassphrase)));
    }

    #[test]
    fn a_file_cut_anywhere_is_told_from_one_with_a_wrong_passphrase() {
        let (bytes, passphrase) = fixture();
        assert!(matches!(decode(&[], &passphrase), Err(KeyError::NotAnIdentity)));
        for end in 1..bytes.len() {
            let cut = decode(&bytes[..end], &passphrase);
            assert!(
                matches!(cut, Err(KeyError::WrongLength { found, .. }) if found == end),
                "cut at {end}: {cut:?}"
            );
        }
        let long = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(decode(&long, &passphrase), Err(KeyError::WrongLength { .. })));
    }

    #[test]
    fn a_file_altered_anywhere_is_told_from_one_with_a_wrong_passphrase() {
        let (bytes, passphrase) = fixture();
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 0x40;
            let error = decode(&altered, &passphrase).unwrap_err();
            match position {
                0..8 => assert!(matches!(error, KeyError::NotAnIdentity)),
                8..10 => assert!(matches!(error, KeyError::UnknownVersion(_))),
                10 => assert!(matches!(error, KeyError::UnknownKdf(_))),
                HEADER_LEN => assert!(matches!(error, KeyError::WrongLength { .. })),
                _ => assert!(matches!(error, KeyError::Damaged), "byte {position}: {error}"),
            }
        }
    }

    #[test]
    fn an_altered_file_with_a_mended_checksum_still_does_not_open() {
        let (bytes, passphrase) = fixture();
        let end = bytes.len() - CHECKSUM_LEN;
        for position in HEADER_LEN - NONCE_LEN..end {
            let mut altered = bytes[..end].to_vec();
            altered[position] ^= 1;
            let checksum = crypto::sha256(&[&altered]);
            altered.extend_from_slice(&checksum);
            assert!(decode(&altered, &passphrase).is_err(), "byte {position}");
        }
    }

    #[test]
    fn a_hostile_file_cannot_demand_a_terabyte() {
        let (bytes, passphrase) = fixture();
        for (field, value) in [
            (0, u32::MAX),
            (0, 1024 * 1024 + 1),
            (0, 0),
            (1, 17),
            (1, 0),
            (2, 9),
            (2, 0),
        ] {
            let mut hostile = bytes[..bytes.len() - CHECKSUM_LEN].to_vec();
            hostile[11 + 4 * field..15 + 4 * field].copy_from_slice(&value.to_le_bytes());
            let checksum = crypto::sha256(&[&hostile]);
            hostile.extend_from_slice(&checksum);
            assert!(matches!(
                decode(&hostile, &passphrase),
                Err(KeyError::CostOutOfBounds(_))
            ));
        }
    }

    /// A file as an earlier release wrote it, of keys with an X25519 half only.
    fn earlier_file(version: u16, earlier: &[EncryptionKey], passphrase: &Passphrase) -> (Identity, Vec<u8>) {
        let classical = || EncryptionKey::new(Origin::X25519, &crypto::random().unwrap()).unwrap();
        let identity = Identity {
            encryption: classical(),
            earlier: earlier.to_vec(),
            ..Identity::generate().unwrap()
        };
        let salt = [3; SALT_LEN];
        let mut head = [MAGIC.as_slice(), &version.to_le_bytes(), &[KDF_ARGON2ID]].concat();
        head.extend([8_u32, 1, 1].map(u32::to_le_bytes).concat());
        head.extend([salt.as_slice(), &[5; NONCE_LEN]].concat());
        if version == VERSION_2 {
            head.push(u8::try_from(earlier.len()).unwrap());
        }
        let mut secrets = vec![
            *identity.wallet.secret(),
            *identity.encryption.secret(),
            *identity.storage.secret(),
        ];
        secrets.extend(earlier.iter().map(|key| *key.secret()));
        let key = cheap().derive(passphrase, &salt).unwrap();
        let sealed = crypto::seal(&key, [5; NONCE_LEN], &head, &secrets.concat()).unwrap();
        let body = [head, sealed].concat();
        let file = [body.as_slice(), &crypto::sha256(&[&body])].concat();
        (identity, file)
    }

    #[test]
    fn a_file_of_the_first_version_still_opens() {
        let passphrase = Passphrase::new("p").unwrap();
        let (identity, file) = earlier_file(VERSION_1, &[], &passphrase);
        assert_eq!(file.len(), 195);
        let opened = decode(&file, &passphrase).unwrap();
        assert_eq!(opened.encryption.public(), identity.encryption.public());
        assert!(opened.encryption.post_quantum().is_none());
        assert!(opened.earlier.is_empty());
        assert!(matches!(
            decode(&file[..180], &passphrase),
            Err(KeyError::WrongLength { expected: 195, .. })
        ));
    }

    #[test]
    fn a_file_of_the_second_version_still_opens_and_is_written_as_the_third() {
        let passphrase = Passphrase::new("p").unwrap();
        let before = EncryptionKey::new(Origin::X25519, &[7; 32]).unwrap();
        let (identity, file) = earlier_file(VERSION_2, std::slice::from_ref(&before), &passphrase);
        assert_eq!(file.len(), 228);
        let mut opened = decode(&file, &passphrase).unwrap();
        let publics = |identity: &Identity| {
            identity
                .encryption_keys()
                .map(EncryptionKey::public)
                .collect::<Vec<_>>()
        };
        assert_eq!(publics(&opened), [identity.encryption.public(), before.public()]);
        assert!(opened.encryption_keys().all(|key| key.post_quantum().is_none()));

        // A key that was taken since has both halves, the ones before stay as they are.
        opened.rotate().unwrap();
        let again = decode(&encode(&opened, &passphrase, cheap()).unwrap(), &passphrase).unwrap();
        assert_eq!(publics(&again), publics(&opened));
        let halves: Vec<bool> = again
            .encryption_keys()
            .map(|key| key.post_quantum().is_some())
            .collect();
        assert_eq!(halves, [true, false, false]);
        assert_eq!(again.encryption.post_quantum(), opened.encryption.post_quantum());
    }

    #[test]
    fn the_default_cost_works_and_is_what_the_design_says() {
        assert_eq!(KdfCost::default(), KdfCost::new(65_536, 3, 1).unwrap());
        let passphrase = Passphrase::new("p").unwrap();
        let identity = Identity::generate().unwrap();
        let bytes = encode(&identity, &passphrase, KdfCost::DEFAULT).unwrap();
        assert_eq!(
            decode(&bytes, &passphrase).unwrap().wallet.address(),
            identity.wallet.address()
        );
    }
}
