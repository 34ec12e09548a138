//! Data items in an object store: a bucket of S3, Google or Azure, or a folder. An object is a whole data item, header
//! and data, so that a bucket can be poured into a gateway later; what is handed out is the data, as a gateway does it.
//! Objects are named `<prefix>/<first two characters of the id>/<id>`, and are bounded and checked when they are read.

mod address;
mod failure;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutPayload};

use self::failure::failure;
use super::ans104::{HEADER_LEN, ParsedItem};
use super::{BlobStore, ItemId, SignedItem, StoreError};

/// Bytes of an object before what is handed out of it.
const HEADER: u64 = HEADER_LEN as u64;

/// An object store.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    under: Path,
    name: String,
    /// Of a folder: where it is. It must be there: an empty mount point is no store.
    folder: Option<PathBuf>,
}

/// Says only what it is called: the store itself would show its credentials.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Objects").field(&self.name).finish()
    }
}

impl Objects {
    /// The store at a URL: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`.
    /// Credentials and regions are taken from the environment, by the names that each cloud's own tools use (`AWS_…`,
    /// `GOOGLE_…`, `AZURE_…`). Connects to nothing yet.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn at(url: &str) -> Result<Self, StoreError> {
        Self::at_with(url, &[])
    }

    /// The same with options of the `object_store` crate that go before those of the environment, for example
    /// `aws_endpoint_url`.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn at_with(url: &str, options: &[(&str, &str)]) -> Result<Self, StoreError> {
        address::open(url, options)
    }

    /// A folder. It need not be there until something is stored: who reads from several stores does without a lost one.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] for a name that is not UTF-8.
    pub fn folder(path: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        address::open_folder(path.as_ref())
    }

    fn path_of(&self, id: ItemId) -> Path {
        let name = id.to_string();
        let shelf = name.get(..2).unwrap_or_default().to_owned();
        self.under.clone().join(shelf).join(name)
    }

    /// Sees to it that a folder is there.
    async fn present(&self) -> Result<(), StoreError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let found = tokio::fs::metadata(folder).await;
        if found.is_ok_and(|found| found.is_dir()) {
            Ok(())
        } else {
            Err(StoreError::Unreachable {
                detail: format!(
                    "there is no folder {}: make it, or mount what it is on",
                    folder.display()
                ),
            })
        }
    }

    /// Bytes of an object; `None` where there is none.
    async fn size(&self, id: ItemId) -> Result<Option<u64>, StoreError> {
        match self.store.head(&self.path_of(id)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => self.present().await.map(|()| None),
            Err(error) => Err(failure(error, id)),
        }
    }

    async fn fetch(&self, id: ItemId, range: Option<Range<u64>>) -> Result<GetResult, StoreError> {
        let options = GetOptions {
            range: range.clone().map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let error = match self.store.get_opts(&self.path_of(id), options).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if matches!(error, object_store::Error::NotFound { .. }) {
            self.present().await?;
        } else if let Some(Range { end, .. }) = range
            // What a store says to a range that it does not have is told in as many ways as there are stores.
            && self.size(id).await?.is_some_and(|size| size < end)
        {
            return Err(StoreError::OutOfRange {
                id,
                end: end.saturating_sub(HEADER),
            });
        }
        Err(failure(error, id))
    }

    async fn part(&self, id: ItemId, range: Range<u64>, limit: u64) -> Result<Vec<u8>, StoreError> {
        let Range { start, end } = range;
        let outside = || StoreError::OutOfRange { id, end };
        if end - start > limit {
            return Err(StoreError::TooLong { id, limit });
        }
        let start = start.checked_add(HEADER).ok_or_else(outside)?;
        let last = end.checked_add(HEADER).ok_or_else(outside)?;
        let found = self.fetch(id, Some(start..last)).await?;
        if found.meta.size < last {
            return Err(outside());
        }
        let bytes = collect(found, id, last - start).await?;
        Ok(bytes.into())
    }

    async fn whole(&self, id: ItemId, limit: u64) -> Result<Vec<u8>, StoreError> {
        let found = self.fetch(id, None).await?;
        let size = found.meta.size;
        if size.saturating_sub(HEADER) > limit {
            return Err(StoreError::TooLong { id, limit });
        }
        let bytes = collect(found, id, size).await?;
        let another = |_| StoreError::Another { id };
        let item = ParsedItem::parse(&bytes).map_err(another)?;
        if item.id() == id && item.data.len() + HEADER_LEN == bytes.len() {
            Ok(item.data.to_vec())
        } else {
            Err(StoreError::Another { id })
        }
    }
}

impl BlobStore for Objects {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        if self.has_item(item).await? {
            return Ok(());
        }
        self.replace(item).await
    }

    /// One write of the whole object: whoever reads it meanwhile gets what was there before, or this.
    async fn replace(&self, item: &SignedItem) -> Result<(), StoreError> {
        self.present().await?;
        let (path, payload) = (self.path_of(item.id()), PutPayload::from(item.bytes().clone()));
        let stored = self.store.put(&path, payload).await;
        stored.map(|_| ()).map_err(|error| failure(error, item.id()))
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        match range {
            Some(range) if range.is_empty() => Ok(Vec::new()),
            Some(range) => self.part(id, range, limit).await,
            None => self.whole(id, limit).await,
        }
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        Ok(self.size(id).await?.is_some())
    }

    async fn has_item(&self, item: &SignedItem) -> Result<bool, StoreError> {
        Ok(self.size(item.id()).await? == Some(item.bytes().len() as u64))
    }

    async fn signature(&self, id: ItemId) -> Result<Option<[u8; 64]>, StoreError> {
        let found = match self.fetch(id, Some(0..HEADER)).await {
            Ok(found) => found,
            // Gone, or cut within the header.
            Err(StoreError::NotFound { .. } | StoreError::OutOfRange { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if found.meta.size < HEADER {
            return Ok(None);
        }
        let header = collect(found, id, HEADER).await?;
        let item = ParsedItem::parse(&header).ok().filter(|item| item.id() == id);
        Ok(item.map(|item| item.signature))
    }
}

/// Exactly `expected` bytes, and never more, whatever the store sends.
async fn collect(found: GetResult, id: ItemId, expected: u64) -> Result<Bytes, StoreError> {
    let mut stream = match found.payload {
        GetResultPayload::File(..) => {
            let bytes = found.bytes().await.map_err(|error| failure(error, id))?;
            return exactly(bytes, id, expected);
        }
        GetResultPayload::Stream(stream) => stream,
    };
    let mut body = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| failure(error, id))?;
        if (body.len() as u64).saturating_add(chunk.len() as u64) > expected {
            return Err(StoreError::TooLong { id, limit: expected });
        }
        body.extend_from_slice(&chunk);
    }
    exactly(body.into(), id, expected)
}

fn exactly(bytes: Bytes, id: ItemId, expected: u64) -> Result<Bytes, StoreError> {
    let got = bytes.len() as u64;
    if got == expected {
        Ok(bytes)
    } else {
        Err(StoreError::Truncated { id, expected, got })
    }
}
