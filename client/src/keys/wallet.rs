//! The wallet: the ed25519 key that signs transactions. It reads and writes the keypair file of the Solana CLI, a JSON
//! list of 64 numbers (32 of the secret, 32 of the address), so that a wallet can come from there and go back.

use std::fmt;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::KeyError;
use crate::CryptoError;
use crate::crypto;
use crate::store::{Existing, read_file, write_file};

/// Room for 64 numbers of three digits, commas and generous white space.
const KEYPAIR_FILE_LIMIT: usize = 4096;

/// The key that signs for the ledger.
#[derive(Clone)]
pub struct WalletKey(SigningKey);

impl WalletKey {
    /// A new random wallet.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self::from_secret(&Zeroizing::new(crypto::random()?)))
    }

    pub(super) fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Reads what `solana-keygen` writes.
    ///
    /// # Errors
    /// [`KeyError::NotAKeypair`] where it is no list of 64 bytes or the address is not the secret's.
    pub fn from_solana_json(json: &str) -> Result<Self, KeyError> {
        let numbers: Vec<u8> =
            serde_json::from_str(json).map_err(|_| KeyError::NotAKeypair("it is no JSON list of bytes"))?;
        let numbers = Zeroizing::new(numbers);
        let keypair: &[u8; 64] = numbers
            .as_slice()
            .try_into()
            .map_err(|_| KeyError::NotAKeypair("the list has not 64 numbers"))?;
        SigningKey::from_keypair_bytes(keypair)
            .map(Self)
            .map_err(|_| KeyError::NotAKeypair("its address does not belong to its secret"))
    }

    /// What `solana-keygen` would write.
    #[must_use]
    pub fn to_solana_json(&self) -> Zeroizing<String> {
        let numbers: Vec<String> = self.to_keypair_bytes().iter().map(u8::to_string).collect();
        Zeroizing::new(format!("[{}]", numbers.join(",")))
    }

    /// Imports a Solana CLI keypair file.
    ///
    /// # Errors
    /// [`KeyError::File`] or [`KeyError::NotAKeypair`].
    pub fn import_solana_file(path: &Path) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(read_file(path, KEYPAIR_FILE_LIMIT)?);
        let json = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotAKeypair("it is no text"))?;
        Self::from_solana_json(json)
    }

    /// Exports to a Solana CLI keypair file (mode 0600, never over an existing one). It is not encrypted.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub fn export_solana_file(&self, path: &Path) -> Result<(), KeyError> {
        Ok(write_file(path, self.to_solana_json().as_bytes(), Existing::Refuse)?)
    }

    /// The wallet's address: its ed25519 public key.
    #[must_use]
    pub fn address(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Secret and address, as Solana's own types take them.
    #[must_use]
    pub fn to_keypair_bytes(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_keypair_bytes())
    }

    /// Signs a message (ed25519, RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for WalletKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WalletKey({})", bs58::encode(self.address()).into_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wallet_goes_through_a_solana_file_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id.json");
        let wallet = WalletKey::generate().unwrap();
        wallet.export_solana_file(&path).unwrap();
        let back = WalletKey::import_solana_file(&path).unwrap();
        assert_eq!(back.secret(), wallet.secret());
        assert_eq!(back.address(), wallet.address());
        assert!(wallet.export_solana_file(&path).is_err(), "an existing file is kept");
    }

    #[test]
    fn a_solana_keypair_of_the_first_rfc_8032_vector_has_its_address() {
        let secret = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        let numbers: Vec<u8> = [secret, public.clone()].concat();
        let wallet = WalletKey::from_solana_json(&serde_json::to_string_pretty(&numbers).unwrap()).unwrap();
        assert_eq!(wallet.address().as_slice(), public);
        assert_eq!(hex::encode(&wallet.sign(b"")[..8]), "e5564300c360ac72");
    }

    #[test]
    fn what_is_no_keypair_is_said_to_be_none() {
        let mut keypair = WalletKey::generate().unwrap().to_keypair_bytes().to_vec();
        keypair[63] ^= 1;
        let swapped = serde_json::to_string(&keypair).unwrap();
        for json in ["", "[]", "{}", "[1,2,3]", "[256]", "\"text\"", swapped.as_str()] {
            assert!(
                matches!(WalletKey::from_solana_json(json), Err(KeyError::NotAKeypair(_))),
                "{json}"
            );
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let wallet = WalletKey::generate().unwrap();
        let printed = format!("{wallet:?}");
        assert!(!printed.contains(&hex::encode(wallet.secret())));
        assert!(printed.len() < 60);
    }
}
