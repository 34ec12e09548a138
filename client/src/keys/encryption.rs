//! The encryption key: X25519, what data keys are wrapped to (see [`crate::seal::envelope`]). Its public half stands in
//! the owner's account on chain, with an epoch that counts its changes.

use std::fmt;

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, Serializable as _};
use zeroize::Zeroizing;

use crate::CryptoError;
use crate::crypto;

pub(crate) type HpkeSecret = <X25519HkdfSha256 as Kem>::PrivateKey;

/// An X25519 secret for HPKE (RFC 9180, DHKEM(X25519, HKDF-SHA256)).
#[derive(Clone)]
pub struct EncryptionKey {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl EncryptionKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        Self::from_secret(&Zeroizing::new(crypto::random()?))
    }

    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, CryptoError> {
        let public = X25519HkdfSha256::sk_to_pk(&hpke_secret(secret)?).to_bytes().into();
        Ok(Self {
            secret: Zeroizing::new(*secret),
            public,
        })
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub(crate) fn to_hpke(&self) -> Result<HpkeSecret, CryptoError> {
        hpke_secret(&self.secret)
    }

    /// The public half: 32 bytes of X25519.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public
    }
}

fn hpke_secret(secret: &[u8; 32]) -> Result<HpkeSecret, CryptoError> {
    HpkeSecret::from_bytes(secret).map_err(|_| CryptoError::Refused)
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
        let public = EncryptionKey::from_secret(&alice).unwrap().public();
        assert_eq!(
            hex::encode(public),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        );
    }
}
