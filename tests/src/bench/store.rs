//! Stores for measuring: a folder, which costs nothing but copying from the page cache, and a gateway whose requests are
//! counted.

use std::future::Future;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chartseal::store::{BlobStore, ItemId, SignedItem, StoreError, buffer};

/// Items as files named by their ids.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    fn read(&self, id: ItemId, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        let path = self.0.join(id.to_string());
        let Some(range) = range else {
            let mut file = std::fs::File::open(path)?;
            let mut bytes = buffer(usize::try_from(file.metadata()?.len()).unwrap_or(0));
            file.read_to_end(&mut bytes)?;
            return Ok(bytes);
        };
        let mut file = std::fs::File::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        let len = range.end - range.start;
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        file.take(len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl BlobStore for Folder {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        let path = self.0.join(item.id().to_string());
        tokio::fs::write(path, item.data()).await.map_err(|error| lost(&error))
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, _: u64) -> Result<Vec<u8>, StoreError> {
        let folder = self.clone();
        let read = tokio::task::spawn_blocking(move || folder.read(id, range)).await;
        read.map_err(io::Error::other).flatten().map_err(|error| lost(&error))
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        Ok(self.0.join(id.to_string()).exists())
    }
}

fn lost(error: &io::Error) -> StoreError {
    StoreError::Unreachable {
        detail: error.to_string(),
    }
}

/// What was asked of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Bytes that it gave.
    pub(super) bytes: u64,
    /// The longest chain of requests of which each was made only after the one before had been answered.
    pub(super) round_trips: u64,
}

/// A store whose answers are counted.
#[derive(Clone, Debug)]
pub(super) struct Counted<S> {
    store: S,
    asked: Arc<Mutex<Asked>>,
}

impl<S> Counted<S> {
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            asked: Arc::default(),
        }
    }

    /// What was asked since the last call.
    pub(super) fn take(&self) -> Asked {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: BlobStore> BlobStore for Counted<S> {
    fn put(&self, item: &SignedItem) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.store.put(item)
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        // It may have waited for whatever has been answered by now.
        let place = self.lock().round_trips + 1;
        let bytes = self.store.get(id, range, limit).await?;
        let mut asked = self.lock();
        asked.bytes += bytes.len() as u64;
        asked.round_trips = asked.round_trips.max(place);
        Ok(bytes)
    }

    fn has(&self, id: ItemId) -> impl Future<Output = Result<bool, StoreError>> + Send {
        self.store.has(id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn stored() -> (tempfile::TempDir, Counted<Folder>, ItemId) {
        let folder = tempfile::tempdir().unwrap();
        let id = ItemId([7; 32]);
        std::fs::write(folder.path().join(id.to_string()), b"0123456789").unwrap();
        let store = Counted::new(Folder(folder.path().to_owned()));
        (folder, store, id)
    }

    #[tokio::test]
    async fn a_folder_gives_an_item_or_a_range_of_it() {
        let (_folder, store, id) = stored();
        assert_eq!(store.get(id, None, 10).await.unwrap(), b"0123456789");
        assert_eq!(store.get(id, Some(3..5), 2).await.unwrap(), b"34");
        assert!(store.get(ItemId([8; 32]), None, 10).await.is_err());
        assert!(store.has(id).await.unwrap());
    }

    #[tokio::test]
    async fn requests_made_together_are_one_round_trip_and_those_that_waited_are_more() {
        let (_folder, store, id) = stored();
        let (a, b) = futures_util::future::join(store.get(id, Some(0..4), 4), store.get(id, Some(4..8), 4)).await;
        assert!(a.is_ok() && b.is_ok());
        assert_eq!(
            store.take(),
            Asked {
                bytes: 8,
                round_trips: 1
            }
        );
        store.get(id, Some(0..1), 1).await.unwrap();
        store.get(id, Some(1..2), 1).await.unwrap();
        assert_eq!(
            store.take(),
            Asked {
                bytes: 2,
                round_trips: 2
            }
        );
    }
}
