//! The key that a file is signed with, in a keypair file of the Solana CLI: a JSON list of 64 numbers.

use std::fmt::Write as _;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

/// Why there is no key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no keypair file of the Solana CLI (a JSON list of 64 numbers): `chartseal-indexer audit key` or `solana-keygen new` writes one"
)]
pub struct KeyError;

/// Reads what `solana-keygen` writes: 32 bytes of the secret and 32 of the public key.
///
/// # Errors
/// [`KeyError`] where it is none, or the public key is not the secret's.
pub fn signing_key(json: &[u8]) -> Result<SigningKey, KeyError> {
    let numbers: Zeroizing<Vec<u8>> = Zeroizing::new(serde_json::from_slice(json).map_err(|_| KeyError)?);
    let keypair: &[u8; 64] = numbers.as_slice().try_into().map_err(|_| KeyError)?;
    SigningKey::from_keypair_bytes(keypair).map_err(|_| KeyError)
}

/// What `solana-keygen` would write of a new random key.
///
/// # Errors
/// Where the system has no random numbers.
pub fn new_keypair() -> Result<(SigningKey, Zeroizing<String>), getrandom::Error> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut())?;
    let key = SigningKey::from_bytes(&secret);
    let keypair = Zeroizing::new(key.to_keypair_bytes());
    // Room for all of it, so that no piece stays behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(4 * keypair.len() + 2));
    for (place, number) in keypair.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, "{}{number}", if place == 0 { '[' } else { ',' });
    }
    text.push(']');
    Ok((key, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_key_is_read_back_and_nothing_else_is_a_key() {
        let (key, text) = new_keypair().unwrap();
        assert_eq!(signing_key(text.as_bytes()).unwrap(), key);
        assert_ne!(new_keypair().unwrap().0, key);
        for none in ["", "[]", "[1,2,3]", "{}", &text[..text.len() - 1]] {
            assert_eq!(signing_key(none.as_bytes()), Err(KeyError));
        }
        let mut numbers: Vec<u8> = serde_json::from_str(&text).unwrap();
        numbers[63] ^= 1;
        assert_eq!(
            signing_key(serde_json::to_string(&numbers).unwrap().as_bytes()),
            Err(KeyError)
        );
    }
}
