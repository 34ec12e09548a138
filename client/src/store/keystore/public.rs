//! X-Wing public keys, each under its SHA-256. Accounts on chain hold the hash, so nobody can put another key in the place
//! of one; who deletes one makes writers fall back to X25519, unless they insist (`--require-post-quantum`).

use std::path::PathBuf;

use super::KeyStoreError;
use super::disk::{make_folder, present};
use super::folder::Files;
use crate::crypto;
use crate::keys::POST_QUANTUM_KEY_LEN;
use crate::store::{Existing, read_file, write_file};

impl Files<'_> {
    fn public_file(&self, hash: &[u8; 32]) -> PathBuf {
        self.root.join("public").join(hex::encode(hash))
    }

    pub(super) fn put_public_key(&self, key: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        if key.len() != POST_QUANTUM_KEY_LEN {
            return Err(KeyStoreError::NoPublicKey(key.len()));
        }
        let hash = crypto::sha256(&[key]);
        // What is there may be damaged, so it is looked at and not only found.
        if self.public_key(&hash)?.is_none() {
            make_folder(&self.root.join("public"))?;
            write_file(&self.public_file(&hash), key, Existing::Replace)?;
        }
        Ok(hash)
    }

    pub(super) fn public_key(&self, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        // Room for one byte more than a key has: a longer file is no key, and no reason to stop.
        let key = present(read_file(&self.public_file(hash), 2 * POST_QUANTUM_KEY_LEN))?;
        Ok(key.filter(|key| crypto::sha256(&[key]) == *hash))
    }
}
