//! A passphrase: bytes that are never printed and are wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

use super::KeyError;

/// What an identity file is sealed under. Where it comes from (a prompt, a file, a descriptor) is the caller's affair,
/// as is how long it should be.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the passphrase as it is: nothing is trimmed or normalised.
    ///
    /// # Errors
    /// [`KeyError::EmptyPassphrase`].
    pub fn new(passphrase: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(passphrase.into());
        if bytes.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}
