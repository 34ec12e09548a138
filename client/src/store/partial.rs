//! Downloads that can be broken off: each whole item that a store gave is kept in a folder until the download is done, and
//! the next run takes it from there. What is kept is ciphertext as it came, never a byte of a file that was opened. It is
//! held against its own hash when it is taken, and then against the chain like everything that any store gives.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{BlobStore, Existing, FileError, ItemId, Price, SignedItem, StoreError, read_file, write_file};
use crate::crypto;

/// Characters of an item's id, of a hash, and of both with a dot between: the name of a file.
const ID_LEN: usize = 43;
const HASH_LEN: usize = 64;
const NAME_LEN: usize = ID_LEN + 1 + HASH_LEN;

/// A folder of items that were fetched before.
#[derive(Debug, Clone)]
pub struct Kept(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    folder: PathBuf,
    /// Names of files that no store was spared by yet, by the id that they begin with. Each is taken once: should it turn out
    /// to be wrong, whoever asks next gets what a store says.
    untried: Mutex<HashMap<String, String>>,
    /// Whether nothing more is kept. Whoever keeps something holds it for reading as long as that takes.
    closed: RwLock<bool>,
}

impl Kept {
    /// Opens a folder, or makes one that only its owner can look into. It blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, FileError> {
        let folder = folder.into();
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(FileError::new("make", &folder, error));
            }
            _ => {}
        }
        let names = names_in(&folder)?;
        let untried = names
            .into_iter()
            .filter_map(|name| Some((name.get(..ID_LEN)?.to_owned(), name)));
        Ok(Self(Arc::new(Shelf {
            untried: Mutex::new(untried.collect()),
            closed: RwLock::new(false),
            folder,
        })))
    }

    /// How many items are kept that nobody has asked for yet.
    #[must_use]
    pub fn untried(&self) -> usize {
        self.0.untried.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A store that is asked only for what is not kept.
    pub fn before<S: BlobStore>(&self, store: S) -> Partial<S> {
        Partial {
            store,
            kept: self.clone(),
        }
    }

    /// Nothing more is kept from now on, whoever is still being answered; what is being written is waited for. It blocks.
    pub fn close(&self) {
        *self.0.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Deletes a folder and the items in it. One that is not there is none. It blocks.
    ///
    /// # Errors
    /// What the file system says: also where there is something in it that is no item.
    pub fn remove(folder: &Path) -> Result<(), FileError> {
        for name in names_in(folder)? {
            let path = folder.join(name);
            std::fs::remove_file(&path).map_err(|source| FileError::new("remove", &path, source))?;
        }
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|source| FileError::new("remove", folder, source)),
        }
    }

    /// Takes an item, if it is there, as it came, and of at most `limit` bytes. It blocks.
    fn take(&self, id: ItemId, limit: u64) -> Option<Vec<u8>> {
        let mut untried = self.0.untried.lock().unwrap_or_else(PoisonError::into_inner);
        let name = untried.remove(&id.to_string())?;
        drop(untried);
        let path = self.0.folder.join(&name);
        let bytes = read_file(&path, usize::try_from(limit).unwrap_or(usize::MAX)).ok();
        let good = bytes.filter(|bytes| name.ends_with(&hex::encode(crypto::sha256(&[bytes]))));
        if good.is_none() {
            // Whether it goes or not: it is fetched again, and kept under its own name.
            let _ = std::fs::remove_file(path);
        }
        good
    }

    /// Keeps an item. It blocks.
    fn keep(&self, id: ItemId, bytes: &[u8]) {
        let closed = self.0.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return;
        }
        let name = format!("{id}.{}", hex::encode(crypto::sha256(&[bytes])));
        // What cannot be kept, on a full disk for example, is fetched again: that costs time, and nothing else.
        let _ = write_file(&self.0.folder.join(name), bytes, Existing::Replace);
    }
}

/// The names of the items in a folder; none where there is no folder.
fn names_in(folder: &Path) -> Result<Vec<String>, FileError> {
    let at = |source| FileError::new("read", folder, source);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(at)?.file_name().into_string().ok());
    }
    names.retain(|name| {
        let hash = name.get(ID_LEN..).and_then(|rest| rest.strip_prefix('.'));
        name.len() == NAME_LEN && hash.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    Ok(names)
}

/// A store behind a folder of what it gave before.
#[derive(Debug, Clone)]
pub struct Partial<S> {
    store: S,
    kept: Kept,
}

impl<S: BlobStore> BlobStore for Partial<S> {
    fn name(&self) -> String {
        self.store.name()
    }

    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        self.store.put(item).await
    }

    async fn replace(&self, item: &SignedItem) -> Result<(), StoreError> {
        self.store.replace(item).await
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        if range.is_some() {
            return self.store.get(id, range, limit).await;
        }
        let kept = self.kept.clone();
        let taken = tokio::task::spawn_blocking(move || kept.take(id, limit)).await;
        if let Ok(Some(bytes)) = taken {
            return Ok(bytes);
        }
        let bytes = self.store.get(id, None, limit).await?;
        let kept = self.kept.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            kept.keep(id, &bytes);
            bytes
        });
        keeping.await.map_err(|error| StoreError::Failed {
            detail: error.to_string(),
        })
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        self.store.has(id).await
    }

    async fn has_item(&self, item: &SignedItem) -> Result<bool, StoreError> {
        self.store.has_item(item).await
    }

    async fn signature(&self, id: ItemId) -> Result<Option<[u8; 64]>, StoreError> {
        self.store.signature(id).await
    }

    async fn price(&self, lengths: &[u64]) -> Result<Option<Price>, StoreError> {
        self.store.price(lengths).await
    }
}
