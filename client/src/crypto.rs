//! The few primitives that the rest of the crate is built of: random bytes, AES-256-GCM and HKDF-SHA-256 (aws-lc-rs),
//! SHA-256. Nothing here knows what it protects; nonces and labels are chosen by the callers, who say why they are safe.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hkdf};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of an AES-GCM tag.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes of an AES-GCM nonce.
pub(crate) const NONCE_LEN: usize = 12;

/// What can fail below everything else. Neither depends on the input.
#[derive(Debug, Error)]
pub enum CryptoError {
    /// The operating system's generator is not there; making keys without it would be worse than stopping.
    #[error("the operating system gives no random bytes ({0}); no key was made, try again once it does")]
    Random(String),
    /// aws-lc-rs refused an operation whose sizes are all fixed: a defect of the build or of the machine.
    #[error("the cryptographic library refused an operation; nothing was written, check the machine and the build")]
    Refused,
}

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Refused
    }
}

/// `N` bytes of the operating system's randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| CryptoError::Random(error.to_string()))?;
    Ok(bytes)
}

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Compares in a time that does not depend on the bytes.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 (RFC 5869): `N` bytes from a secret, a salt and the parts of `info`, one after the other.
pub(crate) fn derive<const N: usize>(
    secret: &[u8; 32],
    salt: &[u8],
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; N]>, CryptoError> {
    let mut out = Zeroizing::new([0; N]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, OutputLen(N))?
        .fill(out.as_mut())?;
    Ok(out)
}

/// An AES-256-GCM key that is ready for use.
pub(crate) fn aes256gcm(key: &[u8; 32]) -> Result<LessSafeKey, CryptoError> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?))
}

/// Seals a short plaintext; the tag follows the ciphertext. The caller vouches that the nonce is new under this key.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(TAG_LEN));
    sealed.extend_from_slice(plaintext);
    aes256gcm(key)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)?;
    Ok(sealed)
}

/// Opens what [`seal`] made, or `None` where key, nonce, aad or ciphertext is another.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, CryptoError> {
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let opened = aes256gcm(key)?
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            buffer.as_mut_slice(),
        )
        .map(|plaintext| plaintext.len());
    Ok(opened.ok().map(|length| {
        buffer.truncate(length);
        buffer
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn derive_is_hkdf_of_rfc_5869() {
        // The RFC's own inputs are of other lengths than our 32 bytes; this value was computed with Python's hmac.
        let secret = [0x0b; 32];
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let split = derive::<42>(&secret, &salt, &[&info[..3], &info[3..]]).unwrap();
        let whole = derive::<42>(&secret, &salt, &[&info]).unwrap();
        assert_eq!(split, whole, "the parts of info are one string");
        assert_eq!(hex::encode(*whole), HKDF_OF_32_TIMES_0B);
    }

    const HKDF_OF_32_TIMES_0B: &str =
        "d4100799f26a09615a72af3e58fa3841a2ff20d5ace3fb392e562e207fe6b718581eea4341652d405fe5";

    #[test]
    fn a_sealed_text_opens_only_under_the_same_key_nonce_and_aad() {
        let (key, nonce) = (random().unwrap(), random().unwrap());
        let sealed = seal(&key, nonce, b"aad", b"text").unwrap();
        assert_eq!(open(&key, nonce, b"aad", &sealed).unwrap().unwrap().as_slice(), b"text");
        assert!(open(&random().unwrap(), nonce, b"aad", &sealed).unwrap().is_none());
        assert!(open(&key, random().unwrap(), b"aad", &sealed).unwrap().is_none());
        assert!(open(&key, nonce, b"other", &sealed).unwrap().is_none());
        assert!(open(&key, nonce, b"aad", &sealed[..3]).unwrap().is_none());
    }
}
