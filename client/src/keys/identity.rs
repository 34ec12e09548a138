//! An identity: the three keys of one person or machine, and what is done with the file that holds them. A file is
//! written once, whole, and never over another; a backup is the same identity under another passphrase, read back
//! before anybody is told that it exists.

use std::path::Path;

use super::file::{self, KdfCost};
use super::{EncryptionKey, KeyError, Passphrase, StorageKey, WalletKey};
use crate::CryptoError;
use crate::store::{Existing, read_file, write_file};

/// The three keys of somebody.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Signs for the ledger.
    pub wallet: WalletKey,
    /// Data keys are wrapped to it.
    pub encryption: EncryptionKey,
    /// Encryption keys that came before, newest first, and those that guardians gave back. What was wrapped to them still
    /// opens.
    pub earlier: Vec<EncryptionKey>,
    /// Signs data items.
    pub storage: StorageKey,
}

impl Identity {
    /// Three new random keys.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn generate() -> Result<Self, CryptoError> {
        Self::with_wallet(WalletKey::generate()?)
    }

    /// A wallet that exists already (imported from the Solana CLI), with a new encryption and a new storage key.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn with_wallet(wallet: WalletKey) -> Result<Self, CryptoError> {
        Ok(Self {
            wallet,
            encryption: EncryptionKey::generate()?,
            earlier: Vec::new(),
            storage: StorageKey::generate()?,
        })
    }

    /// Every encryption key, newest first.
    pub fn encryption_keys(&self) -> impl Iterator<Item = &EncryptionKey> {
        std::iter::once(&self.encryption).chain(&self.earlier)
    }

    /// The encryption key whose public half this is.
    #[must_use]
    pub fn key_of(&self, public: &[u8; 32]) -> Option<&EncryptionKey> {
        self.encryption_keys().find(|key| key.public() == *public)
    }

    /// Takes a new encryption key; the one before stays at hand. Save the identity before the new key is published.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn rotate(&mut self) -> Result<(), CryptoError> {
        let before = std::mem::replace(&mut self.encryption, EncryptionKey::generate()?);
        self.earlier.insert(0, before);
        Ok(())
    }

    /// Keeps an encryption key beside its own, and says whether it is new.
    pub fn remember(&mut self, key: EncryptionKey) -> bool {
        let new = self.key_of(&key.public()).is_none();
        if new {
            self.earlier.push(key);
        }
        new
    }

    /// Writes a new identity file. It is readable by its owner only, appears whole or not at all, and is read back and
    /// opened before this returns.
    ///
    /// # Errors
    /// [`KeyError::File`] where the path is taken or cannot be written.
    pub fn create(&self, path: &Path, passphrase: &Passphrase, cost: KdfCost) -> Result<(), KeyError> {
        let bytes = self.checked_bytes(passphrase, cost)?;
        write_file(path, &bytes, Existing::Refuse)?;
        if read_file(path, bytes.len())? != bytes {
            // Ours, just made, and unusable: nobody misses it, and a retry needs its name.
            let _ = std::fs::remove_file(path);
            return Err(KeyError::CopyDiffers);
        }
        Ok(())
    }

    /// Writes the identity over its own file, atomically: keys were added. The passphrase has to be the file's, and no key
    /// that it holds may be missing.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`KeyError::WouldLoseKeys`] where the file holds a key that this identity does not.
    pub fn save(&self, path: &Path, passphrase: &Passphrase, cost: KdfCost) -> Result<(), KeyError> {
        let before = Self::load(path, passphrase)?;
        let same_owner = crate::crypto::same(before.wallet.secret(), self.wallet.secret())
            && crate::crypto::same(before.storage.secret(), self.storage.secret());
        let all_there = before.encryption_keys().all(|key| self.key_of(&key.public()).is_some());
        if !same_owner || !all_there {
            return Err(KeyError::WouldLoseKeys);
        }
        Ok(write_file(
            path,
            &self.checked_bytes(passphrase, cost)?,
            Existing::Replace,
        )?)
    }

    /// The identity as a file, opened before it is written: a copy that does not open must not come to be believed in.
    fn checked_bytes(&self, passphrase: &Passphrase, cost: KdfCost) -> Result<Vec<u8>, KeyError> {
        let bytes = file::encode(self, passphrase, cost)?;
        if self.same_as(&file::decode(&bytes, passphrase)?) {
            Ok(bytes)
        } else {
            Err(KeyError::CopyDiffers)
        }
    }

    /// Opens an identity file. Takes as long as the file's argon2id costs: about a tenth of a second.
    ///
    /// # Errors
    /// [`KeyError`], one variant for each way to fail: wrong passphrase, cut, altered, no identity file.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<Self, KeyError> {
        // Room for more than a file has, so that one with bytes too many is told what is wrong with it.
        file::decode(&read_file(path, 2 * file::MAX_LEN)?, passphrase)
    }

    /// Copies an identity file to `to`, sealed under a passphrase of its own.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`create`](Self::create).
    pub fn backup(
        from: &Path,
        passphrase: &Passphrase,
        to: &Path,
        backup_passphrase: &Passphrase,
        cost: KdfCost,
    ) -> Result<Self, KeyError> {
        let identity = Self::load(from, passphrase)?;
        identity.create(to, backup_passphrase, cost)?;
        Ok(identity)
    }

    /// Makes an identity file from a backup: the backup is opened and checked first, an existing identity is kept.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`create`](Self::create).
    pub fn restore(
        backup: &Path,
        backup_passphrase: &Passphrase,
        to: &Path,
        passphrase: &Passphrase,
        cost: KdfCost,
    ) -> Result<Self, KeyError> {
        Self::backup(backup, backup_passphrase, to, passphrase, cost)
    }

    fn same_as(&self, other: &Self) -> bool {
        let pairs = [
            (self.wallet.secret(), other.wallet.secret()),
            (self.storage.secret(), other.storage.secret()),
        ];
        let keys = self.encryption_keys().zip(other.encryption_keys());
        let keys = keys.map(|(ours, theirs)| (ours.secret(), theirs.secret()));
        let origins = |identity: &Self| {
            identity
                .encryption_keys()
                .map(EncryptionKey::origin)
                .collect::<Vec<_>>()
        };
        self.earlier.len() == other.earlier.len()
            && origins(self) == origins(other)
            && pairs
                .into_iter()
                .chain(keys)
                .all(|(ours, theirs)| crate::crypto::same(ours, theirs))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::FileError;

    fn cheap() -> KdfCost {
        KdfCost::new(8, 1, 1).unwrap()
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    #[test]
    fn a_backup_under_another_passphrase_restores_the_same_keys() {
        let folder = tempfile::tempdir().unwrap();
        let [home, backup, restored] = ["id", "backup", "restored"].map(|name| folder.path().join(name));
        let identity = Identity::generate().unwrap();
        identity.create(&home, &passphrase("one"), cheap()).unwrap();
        Identity::backup(&home, &passphrase("one"), &backup, &passphrase("two"), cheap()).unwrap();
        std::fs::remove_file(&home).unwrap();

        let wrong = Identity::restore(&backup, &passphrase("one"), &restored, &passphrase("x"), cheap());
        assert!(matches!(wrong, Err(KeyError::WrongPassphrase)));
        assert!(!restored.exists(), "a restore that failed wrote nothing");

        Identity::restore(&backup, &passphrase("two"), &restored, &passphrase("three"), cheap()).unwrap();
        assert!(identity.same_as(&Identity::load(&restored, &passphrase("three")).unwrap()));
    }

    #[test]
    fn an_existing_identity_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("id");
        let first = Identity::generate().unwrap();
        first.create(&home, &passphrase("one"), cheap()).unwrap();
        let second = Identity::generate().unwrap().create(&home, &passphrase("one"), cheap());
        assert!(matches!(second, Err(KeyError::File(FileError::Exists { .. }))));
        assert!(first.same_as(&Identity::load(&home, &passphrase("one")).unwrap()));
    }

    #[test]
    fn a_rotated_identity_keeps_the_keys_before_in_its_file_and_in_a_backup() {
        let folder = tempfile::tempdir().unwrap();
        let [home, backup, restored] = ["id", "backup", "restored"].map(|name| folder.path().join(name));
        let mut identity = Identity::generate().unwrap();
        identity.create(&home, &passphrase("one"), cheap()).unwrap();
        let first = identity.encryption.public();
        identity.rotate().unwrap();
        let second = identity.encryption.public();
        identity.rotate().unwrap();
        assert!(!identity.remember(identity.earlier[0].clone()));
        assert!(identity.remember(EncryptionKey::generate().unwrap()));
        identity.save(&home, &passphrase("one"), cheap()).unwrap();

        Identity::backup(&home, &passphrase("one"), &backup, &passphrase("two"), cheap()).unwrap();
        let opened = Identity::restore(&backup, &passphrase("two"), &restored, &passphrase("three"), cheap()).unwrap();
        assert!(opened.same_as(&identity));
        let publics: Vec<_> = opened.encryption_keys().map(EncryptionKey::public).collect();
        assert_eq!(publics[1..3], [second, first], "newest first");
        assert_eq!(publics.len(), 4);
    }

    #[test]
    fn a_save_that_would_lose_a_key_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("id");
        let mut identity = Identity::generate().unwrap();
        let stale = identity.clone();
        identity.create(&home, &passphrase("one"), cheap()).unwrap();
        identity.rotate().unwrap();
        identity.save(&home, &passphrase("one"), cheap()).unwrap();
        let bytes = std::fs::read(&home).unwrap();

        let lost = stale.save(&home, &passphrase("one"), cheap());
        assert!(
            matches!(lost, Err(KeyError::WouldLoseKeys)),
            "another process rotated meanwhile"
        );
        let stranger = Identity::generate().unwrap().save(&home, &passphrase("one"), cheap());
        assert!(matches!(stranger, Err(KeyError::WouldLoseKeys)));
        let wrong = identity.save(&home, &passphrase("two"), cheap());
        assert!(matches!(wrong, Err(KeyError::WrongPassphrase)));
        assert_eq!(std::fs::read(&home).unwrap(), bytes);
    }

    #[test]
    fn a_missing_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let Err(KeyError::File(error)) = Identity::load(&folder.path().join("none"), &passphrase("one")) else {
            unreachable!("there is no such file");
        };
        assert!(error.is_not_found());
    }

    #[test]
    fn an_imported_wallet_keeps_its_address() {
        let wallet = WalletKey::generate().unwrap();
        let identity = Identity::with_wallet(wallet.clone()).unwrap();
        assert_eq!(identity.wallet.address(), wallet.address());
        assert_ne!(identity.storage.address(), wallet.address());
    }
}
