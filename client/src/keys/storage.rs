//! The storage key: signs data items for Arweave and nothing else. Everybody sees its address there, so it has nothing
//! to do with the wallet, whose address everybody sees on chain.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::CryptoError;
use crate::crypto;

/// The ed25519 key that signs ANS-104 data items.
#[derive(Clone)]
pub struct StorageKey(SigningKey);

impl StorageKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self::from_secret(&Zeroizing::new(crypto::random()?)))
    }

    pub(crate) fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The owner that data items of this key show.
    #[must_use]
    pub fn address(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a message (ed25519, RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageKey({})", hex::encode(self.address()))
    }
}
