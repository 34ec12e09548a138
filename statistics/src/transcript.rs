//! The Fiat-Shamir transcript: SHA-256 over labelled fields, each preceded by its length, so that no two lists of fields
//! hash alike. A challenge is the first 31 bytes of the hash, read as a little-endian number: it is below 2^248 and so
//! below the order of the group, and a program on chain has the same scalar without any reduction. After a challenge the
//! transcript goes on from the hash that gave it, so every challenge depends on all that went before.
//!
//! A field is `u32 length of label || label || u32 length || bytes`, little-endian. The first field is the name of the
//! proof; a challenge first adds an empty field with its own label.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::group::{Point, RandomError, random};

/// Begins every hash of this package, and names the version of what is hashed.
const DOMAIN: &str = "chartseal/statistics/v1";

/// Fields that are hashed, one after the other.
#[derive(Clone, Debug)]
pub struct Transcript(Sha256);

impl Transcript {
    /// A transcript of the proof, or of the hash, that has this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut transcript = Self(Sha256::new());
        transcript.append(DOMAIN, name.as_bytes());
        transcript
    }

    /// Adds a field. At most 2^32 - 1 bytes are hashed of one; nothing here is near that.
    pub fn append(&mut self, label: &str, bytes: &[u8]) {
        for part in [label.as_bytes(), bytes] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.0.update(length.to_le_bytes());
            self.0.update(part);
        }
    }

    /// Adds a number, as 8 bytes.
    pub fn append_number(&mut self, label: &str, number: u64) {
        self.append(label, &number.to_le_bytes());
    }

    /// Adds the canonical 32 bytes of a point.
    pub fn append_point(&mut self, label: &str, point: &RistrettoPoint) {
        self.append(label, &Point::of(point).0);
    }

    /// What the verifier would have asked, below 2^248.
    pub fn challenge(&mut self, label: &str) -> Scalar {
        self.append(label, &[]);
        let digest = self.clone().digest();
        self.0 = Sha256::new();
        self.append("chained", &digest);
        let mut bytes = digest;
        bytes[31] = 0;
        Scalar::from_bytes_mod_order(bytes)
    }

    /// SHA-256 of all fields.
    #[must_use]
    pub fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// A number that is used once, for the first message of a proof. It is of the system's randomness, of the secrets and
    /// of the statement: a generator that repeats itself then gives the same number only for the same proof.
    pub(crate) fn nonce(&self, secrets: &[&Scalar]) -> Result<Zeroizing<Scalar>, RandomError> {
        let fresh = Zeroizing::new(random::<32>()?);
        let mut hasher = Sha512::new();
        hasher.update(b"chartseal/statistics/nonce/v1");
        hasher.update(self.clone().digest());
        hasher.update(fresh.as_slice());
        for secret in secrets {
            hasher.update(secret.as_bytes());
        }
        let wide = Zeroizing::new(<[u8; 64]>::from(hasher.finalize()));
        Ok(Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_run_together_hash_apart() {
        let of = |fields: &[(&str, &[u8])]| {
            let mut transcript = Transcript::new("test");
            for (label, bytes) in fields {
                transcript.append(label, bytes);
            }
            transcript.challenge("c")
        };
        let all = [
            of(&[]),
            of(&[("", b"")]),
            of(&[("ab", b"c")]),
            of(&[("a", b"bc")]),
            of(&[("a", b"b"), ("", b"c")]),
            of(&[("a", b""), ("b", b"c")]),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one));
        }
    }

    #[test]
    fn a_challenge_depends_on_its_name_its_label_and_the_challenges_before() {
        let first = Transcript::new("a").challenge("c");
        assert_ne!(first, Transcript::new("b").challenge("c"));
        assert_ne!(first, Transcript::new("a").challenge("d"));
        let mut chained = Transcript::new("a");
        assert_eq!(chained.challenge("c"), first);
        assert_ne!(chained.challenge("c"), first);
    }

    #[test]
    fn a_challenge_is_the_first_31_bytes_of_the_hash() {
        let mut transcript = Transcript::new("a");
        transcript.append("field", &[7; 3]);
        let mut hashed = Vec::new();
        for field in [&b"chartseal/statistics/v1"[..], b"a", b"field", &[7; 3], b"c", b""] {
            hashed.extend_from_slice(&u32::try_from(field.len()).unwrap().to_le_bytes());
            hashed.extend_from_slice(field);
        }
        let mut expected: [u8; 32] = Sha256::digest(&hashed).into();
        expected[31] = 0;
        assert_eq!(transcript.challenge("c").to_bytes(), expected);
    }

    #[test]
    fn a_nonce_is_never_the_same() {
        let transcript = Transcript::new("a");
        let secret = Scalar::from(5u8);
        assert_ne!(
            *transcript.nonce(&[&secret]).unwrap(),
            *transcript.nonce(&[&secret]).unwrap()
        );
    }
}
