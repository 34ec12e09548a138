//! The key that a file is signed with: a keypair file of the Solana CLI.

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

/// Why there is no key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no keypair file of the Solana CLI (a JSON list of 64 numbers): `solana-keygen new` writes one")]
pub struct KeyError;

/// Reads what `solana-keygen` writes: a JSON list of 32 bytes of the secret and 32 of the public key.
///
/// # Errors
/// [`KeyError`] where it is none, or the public key is not the secret's.
pub fn signing_key(json: &[u8]) -> Result<SigningKey, KeyError> {
    let numbers: Zeroizing<Vec<u8>> = Zeroizing::new(serde_json::from_slice(json).map_err(|_| KeyError)?);
    let keypair: &[u8; 64] = numbers.as_slice().try_into().map_err(|_| KeyError)?;
    SigningKey::from_keypair_bytes(keypair).map_err(|_| KeyError)
}
