//! The encryption key: what data keys are wrapped to (see [`crate::seal::envelope`]). It is a pair of key pairs, X25519 and
//! X-Wing, both derived from one seed of 32 bytes, so that whoever keeps, backs up or shares that seed has both. The X25519
//! half stands in the owner's account on chain, with an epoch that counts its changes; of the X-Wing half (1,216 bytes) its
//! SHA-256 stands there, and the key itself lies in the key store. Keys of earlier releases have no X-Wing half.
//!
//! HKDF is one-way against quantum computers too: one that found the X25519 secret would not come by the seed with it, and
//! so not by the X-Wing half.

use std::fmt;

use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable as _, Kem, Serializable as _};
use zeroize::Zeroizing;

use crate::CryptoError;
use crate::crypto;

pub(crate) type HpkeSecret = <X25519HkdfSha256 as Kem>::PrivateKey;
pub(crate) type XWingSecret = <XWing as Kem>::PrivateKey;

/// Bytes of an X-Wing public key: 1,184 of ML-KEM-768 and 32 of X25519 (draft-connolly-cfrg-xwing-kem).
pub const POST_QUANTUM_KEY_LEN: usize = 1216;

const X25519_LABEL: &[u8] = b"chartseal/encryption-key/x25519/v1";
const X_WING_LABEL: &[u8] = b"chartseal/encryption-key/x-wing/v1";

/// What the 32 bytes are that an encryption key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An X25519 secret, and nothing else: a key of an earlier release.
    X25519,
    /// A seed of both halves.
    Seed,
}

/// The secrets that data keys are wrapped to: X25519 (RFC 9180, DHKEM(X25519, HKDF-SHA256)) and X-Wing
/// (draft-connolly-cfrg-xwing-kem, HPKE's KEM 0x647a of draft-ietf-hpke-pq).
#[derive(Clone)]
pub struct EncryptionKey {
    origin: Origin,
    secret: Zeroizing<[u8; 32]>,
    x25519: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    x_wing: Option<XWingKey>,
}

#[derive(Clone)]
struct XWingKey {
    secret: Zeroizing<[u8; 32]>,
    public: Box<[u8]>,
    hash: [u8; 32],
}

impl EncryptionKey {
    /// A new random key with both halves.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        Self::new(Origin::Seed, &Zeroizing::new(crypto::random()?))
    }

    pub(crate) fn new(origin: Origin, secret: &[u8; 32]) -> Result<Self, CryptoError> {
        let (x25519, x_wing) = match origin {
            Origin::X25519 => (Zeroizing::new(*secret), None),
            Origin::Seed => (
                crypto::derive(secret, &[], &[X25519_LABEL])?,
                Some(XWingKey::new(crypto::derive(secret, &[], &[X_WING_LABEL])?)?),
            ),
        };
        Ok(Self {
            origin,
            secret: Zeroizing::new(*secret),
            public: X25519HkdfSha256::sk_to_pk(&hpke_secret(&x25519)?).to_bytes().into(),
            x25519,
            x_wing,
        })
    }

    /// What the key is made of, as it rests in files and shares.
    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// What [`secret`](Self::secret) is.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn to_hpke(&self) -> Result<HpkeSecret, CryptoError> {
        hpke_secret(&self.x25519)
    }

    /// The secret of the X-Wing half, where there is one.
    pub(crate) fn to_x_wing(&self) -> Result<Option<XWingSecret>, CryptoError> {
        self.x_wing.as_ref().map(|key| x_wing_secret(&key.secret)).transpose()
    }

    /// The public half of X25519: 32 bytes.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The public half of X-Wing: 1,216 bytes. Keys of earlier releases have none.
    #[must_use]
    pub fn post_quantum(&self) -> Option<&[u8]> {
        self.x_wing.as_ref().map(|key| &*key.public)
    }

    /// SHA-256 of [`post_quantum`](Self::post_quantum), as accounts on chain hold it: zeros where there is none.
    #[must_use]
    pub fn post_quantum_hash(&self) -> [u8; 32] {
        self.x_wing.as_ref().map_or([0; 32], |key| key.hash)
    }
}

impl XWingKey {
    fn new(secret: Zeroizing<[u8; 32]>) -> Result<Self, CryptoError> {
        let public: Box<[u8]> = XWing::sk_to_pk(&x_wing_secret(&secret)?).to_bytes().as_slice().into();
        Ok(Self {
            hash: crypto::sha256(&[&public]),
            secret,
            public,
        })
    }
}

fn hpke_secret(secret: &[u8; 32]) -> Result<HpkeSecret, CryptoError> {
    HpkeSecret::from_bytes(secret).map_err(|_| CryptoError::Refused)
}

fn x_wing_secret(secret: &[u8; 32]) -> Result<XWingSecret, CryptoError> {
    XWingSecret::from_bytes(secret).map_err(|_| CryptoError::Refused)
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({})", hex::encode(self.public))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_public_half_is_that_of_rfc_7748() {
        let mut alice = [0; 32];
        hex::decode_to_slice(
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            &mut alice,
        )
        .unwrap();
        let key = EncryptionKey::new(Origin::X25519, &alice).unwrap();
        assert_eq!(
            hex::encode(key.public()),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        );
        assert!(key.post_quantum().is_none());
        assert_eq!(key.post_quantum_hash(), [0; 32]);
    }

    #[test]
    fn the_x_wing_half_is_that_of_the_draft() {
        // draft-connolly-cfrg-xwing-kem, the three test vectors: seed, and SHA-256 of their `pk`.
        for (seed, hash) in [
            (
                "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
                "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
            ),
            (
                "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
                "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
            ),
            (
                "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
                "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
            ),
        ] {
            let mut secret = Zeroizing::new([0; 32]);
            hex::decode_to_slice(seed, secret.as_mut_slice()).unwrap();
            let key = XWingKey::new(secret).unwrap();
            assert_eq!(key.public.len(), POST_QUANTUM_KEY_LEN);
            assert_eq!(hex::encode(key.hash), hash);
        }
    }

    #[test]
    fn one_seed_gives_both_halves_again_and_neither_gives_the_other() {
        let key = EncryptionKey::generate().unwrap();
        let again = EncryptionKey::new(Origin::Seed, key.secret()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.post_quantum(), key.post_quantum());
        let halves = [key.secret(), &*key.x25519, &*key.x_wing.as_ref().unwrap().secret];
        assert!(halves[0] != halves[1] && halves[1] != halves[2] && halves[0] != halves[2]);
        let classical = EncryptionKey::new(Origin::X25519, key.secret()).unwrap();
        assert_ne!(classical.public(), key.public());
    }
}
