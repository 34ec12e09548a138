//! The two ways of wrapping, as HPKE has them (RFC 9180; X-Wing by draft-ietf-hpke-pq), and which public keys are fit for
//! them. Nothing here knows what is wrapped or for what.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _, single_shot_open, single_shot_seal};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::EnvelopeError;
use crate::keys::{EncryptionKey, POST_QUANTUM_KEY_LEN};

/// How a data key is wrapped.
///
/// In JSON it is its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Suite {
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
    /// X-Wing: secure as long as one of ML-KEM-768 and X25519 is.
    XWing,
}

impl From<Suite> for u8 {
    fn from(suite: Suite) -> Self {
        suite.byte()
    }
}

impl TryFrom<u8> for Suite {
    type Error = EnvelopeError;

    fn try_from(byte: u8) -> Result<Self, EnvelopeError> {
        Self::from_byte(byte)
    }
}

impl Suite {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::X25519 => 1,
            Self::XWing => 2,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Result<Self, EnvelopeError> {
        match byte {
            1 => Ok(Self::X25519),
            2 => Ok(Self::XWing),
            other => Err(EnvelopeError::UnknownSuite(other)),
        }
    }

    /// Bytes of the encapsulated key.
    pub(super) const fn encapped_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::XWing => 1120,
        }
    }

    /// Opens what [`RecipientKey::seal`] made.
    pub(super) fn open(
        self,
        key: &EncryptionKey,
        info: &[u8],
        encapped_key: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        match self {
            Self::X25519 => hpke_open(key, info, encapped_key, ciphertext),
            Self::XWing => {
                // A key of an earlier release has no such half.
                let secret = key.to_x_wing()?.ok_or(EnvelopeError::DoesNotOpen)?;
                open_by::<XWing>(&secret, info, encapped_key, ciphertext)
            }
        }
    }
}

/// The public key that something is wrapped to, and with it the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientKey<'a> {
    /// 32 bytes of X25519.
    X25519(&'a [u8; 32]),
    /// 1,216 bytes of X-Wing.
    XWing(&'a [u8]),
}

impl<'a> From<&'a [u8; 32]> for RecipientKey<'a> {
    fn from(key: &'a [u8; 32]) -> Self {
        Self::X25519(key)
    }
}

impl RecipientKey<'_> {
    pub(super) fn suite(&self) -> Suite {
        match self {
            Self::X25519(_) => Suite::X25519,
            Self::XWing(_) => Suite::XWing,
        }
    }

    /// Seals to the key; the encapsulated key and the ciphertext.
    pub(super) fn seal(&self, info: &[u8], plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), EnvelopeError> {
        match self {
            Self::X25519(key) => hpke_seal(key, info, plain),
            Self::XWing(key) => {
                check_post_quantum_key(key)?;
                seal_with::<XWing>(key, info, plain)
            }
        }
    }
}

/// Whether data keys can be wrapped to a public key. Points of low order cannot be used: what they agree on is known to
/// everybody (RFC 7748, section 6.1).
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn check_key(recipient_key: &[u8; 32]) -> Result<(), EnvelopeError> {
    hpke_seal(recipient_key, b"chartseal/check-key", &[]).map(|_| ())
}

/// Whether data keys can be wrapped to an X-Wing public key: its length is right, the ML-KEM-768 half is one (FIPS 203,
/// section 7.2, the check of the modulus), and the X25519 half is no point of low order. X-Wing would still hide the key
/// behind its other half then; but whoever publishes such a key has not made it as it should.
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn check_post_quantum_key(recipient_key: &[u8]) -> Result<(), EnvelopeError> {
    let x25519 = recipient_key.last_chunk::<32>();
    let x25519 = x25519.filter(|_| recipient_key.len() == POST_QUANTUM_KEY_LEN);
    check_key(x25519.ok_or(EnvelopeError::BadRecipientKey)?)?;
    <XWing as Kem>::PublicKey::from_bytes(recipient_key)
        .map(|_| ())
        .map_err(|_| EnvelopeError::BadRecipientKey)
}

/// Seals to an X25519 public key; the encapsulated key and the ciphertext.
pub(in crate::seal) fn hpke_seal(
    public: &[u8; 32],
    info: &[u8],
    plain: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), EnvelopeError> {
    seal_with::<X25519HkdfSha256>(public, info, plain)
}

fn seal_with<K: Kem>(public: &[u8], info: &[u8], plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), EnvelopeError> {
    let public = K::PublicKey::from_bytes(public).map_err(|_| EnvelopeError::BadRecipientKey)?;
    let sealed = single_shot_seal::<AesGcm256, HkdfSha256, K>(&OpModeS::Base, &public, info, plain, &[]);
    let (encapped_key, ciphertext) = sealed.map_err(|_| EnvelopeError::BadRecipientKey)?;
    Ok((encapped_key.to_bytes().to_vec(), ciphertext))
}

/// Opens what [`hpke_seal`] made.
pub(in crate::seal) fn hpke_open(
    key: &EncryptionKey,
    info: &[u8],
    encapped_key: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    open_by::<X25519HkdfSha256>(&key.to_hpke()?, info, encapped_key, ciphertext)
}

fn open_by<K: Kem>(
    secret: &K::PrivateKey,
    info: &[u8],
    encapped_key: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let encapped_key = K::EncappedKey::from_bytes(encapped_key).map_err(|_| EnvelopeError::Malformed)?;
    let mode = OpModeR::Base;
    let opened = single_shot_open::<AesGcm256, HkdfSha256, K>(&mode, secret, &encapped_key, info, ciphertext, &[]);
    Ok(Zeroizing::new(opened.map_err(|_| EnvelopeError::DoesNotOpen)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Seed and ciphertext are those of the first test vector of draft-connolly-cfrg-xwing-kem. What HPKE makes of its
    /// shared secret was computed apart, by RFC 9180's key schedule with Python's hmac and OpenSSL's AES-256-GCM.
    #[test]
    fn x_wing_is_hpke_over_the_drafts_kem() {
        let mut seed = [0; 32];
        hex::decode_to_slice(
            "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
            &mut seed,
        )
        .unwrap();
        let secret = <XWing as Kem>::PrivateKey::from_bytes(&seed).unwrap();
        let encapped_key = hex::decode(DRAFT_CIPHERTEXT).unwrap();
        let sealed = hex::decode(SEALED).unwrap();
        let opened = open_by::<XWing>(&secret, b"chartseal", &encapped_key, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"thirty-two bytes that are secret");
        let other = open_by::<XWing>(&secret, b"chartsea1", &encapped_key, &sealed);
        assert!(matches!(other, Err(EnvelopeError::DoesNotOpen)));
    }

    const SEALED: &str =
        "254a60e650eef0fa9fe013bcdb3502460ff19efdd606d5243fbdbdd5633edde8190c59da3c06b6370254639af4727418";
    const DRAFT_CIPHERTEXT: &str = "\
        b83aa828d4d62b9a83ceffe1d3d3bb1ef31264643c070c5798927e41fb07914a273f8f96e7826cd5375a283d7da885304c5de0516a0f0654\
        243dc5b97f8bfeb831f68251219aabdd723bc6512041acbaef8af44265524942b902e68ffd23221cda70b1b55d776a92d1143ea3a0c475f6\
        3ee6890157c7116dae3f62bf72f60acd2bb8cc31ce2ba0de364f52b8ed38c79d719715963a5dd3842d8e8b43ab704e4759b5327bf027c63c\
        8fa857c4908d5a8a7b88ac7f2be394d93c3706ddd4e698cc6ce370101f4d0213254238b4a2e8821b6e414a1cf20f6c1244b699046f5a01ca\
        a0a1a55516300b40d2048c77cc73afba79afeea9d2c0118bdf2adb8870dc328c5516cc45b1a2058141039e2c90a110a9e16b318dfb53bd49\
        a126d6b73f215787517b8917cc01cabd107d06859854ee8b4f9861c226d3764c87339ab16c3667d2f49384e55456dd40414b70a6af841585\
        f4c90c68725d57704ee8ee7ce6e2f9be582dbee985e038ffc346ebfb4e22158b6c84374a9ab4a44e1f91de5aac5197f89bc5e5442f51f9a5\
        937b102ba3beaebf6e1c58380a4a5fedce4a4e5026f88f528f59ffd2db41752b3a3d90efabe463899b7d40870c530c8841e8712b733668ed\
        033adbfafb2d49d37a44d4064e5863eb0af0a08d47b3cc888373bc05f7a33b841bc2587c57eb69554e8a3767b7506917b6b70498727f16ea\
        c1a36ec8d8cfaf751549f2277db277e8a55a9a5106b23a0206b4721fa9b3048552c5bd5b594d6e247f38c18c591aea7f56249c72ce7b117a\
        fcc3a8621582f9cf71787e183dee09367976e98409ad9217a497df888042384d7707a6b78f5f7fb8409e3b535175373461b776002d799cba\
        d62860be70573ecbe13b246e0da7e93a52168e0fb6a9756b895ef7f0147a0dc81bfa644b088a9228160c0f9acf1379a2941cd28c06ebc80e\
        44e17aa2f8177010afd78a97ce0868d1629ebb294c5151812c583daeb88685220f4da9118112e07041fcc24d5564a99fdbde28869fe07223\
        87d7a9a4d16e1cc8555917e09944aa5ebaaaec2cf62693afad42a3f518fce67d273cc6c9fb5472b380e8573ec7de06a3ba2fd5f931d725b4\
        93026cb0acbd3fe62d00e4c790d965d7a03a3c0b4222ba8c2a9a16e2ac658f572ae0e746eafc4feba023576f08942278a041fb82a70a595d\
        5bacbf297ce2029898a71e5c3b0d1c6228b485b1ade509b35fbca7eca97b2132e7cb6bc465375146b7dceac969308ac0c2ac89e7863eb894\
        3015b24314cafb9c7c0e85fe543d56658c213632599efabfc1ec49dd8c88547bb2cc40c9d38cbd3099b4547840560531d0188cd1e9c23a0e\
        bee0a03d5577d66b1d2bcb4baaf21cc7fef1e03806ca96299df0dfbc56e1b2b43e4fc20c37f834c4af62127e7dae86c3c25a2f696ac8b589\
        dec71d595bfbe94b5ed4bc07d800b330796fda89edb77be0294136139354eb8cd37591578f9c600dd9be8ec6219fdd507adf3397ed4d6870\
        7b8d13b24ce4cd8fb22851bfe9d632407f31ed6f7cb1600de56f17576740ce2a32fc5145030145cfb97e63e0e41d354274a079d3e6fb2e15";
}
