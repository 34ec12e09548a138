//! Sealing a file into a store. Three things go on at once: reading and coding frames, encrypting and signing shards,
//! and uploading them. [`IN_FLIGHT`] shards are past the first of these, one waits and one is filling, so memory does not
//! grow with the file.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::manifest::{self, Manifest, ManifestBody, ShardEntry};
use super::pool::Pool;
use super::shard::OpenShard;
use super::source::Source;
use super::{DataKey, IN_FLIGHT, OnChain, Padding, Progress, ProgressFn, RecordIds, SealError};
use crate::keys::StorageKey;
use crate::store::{BlobStore, SignedItem};

/// How a file is sealed.
#[derive(Debug, Clone)]
pub struct SealOptions {
    /// The file's name, kept encrypted; at most 1,024 bytes.
    pub name: String,
    /// Its media type; told from its first bytes where none is given.
    pub media_type: Option<String>,
    /// How its size is hidden.
    pub padding: Padding,
    /// Whether frames are compressed where that makes them smaller.
    pub compress: bool,
}

impl SealOptions {
    /// A file of this name, padded and compressed.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            media_type: None,
            padding: Padding::Padme,
            compress: true,
        }
    }
}

/// What became of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealStats {
    /// Of the file.
    pub original: u64,
    /// Of its frames.
    pub encoded: u64,
    /// Of frames and padding.
    pub padded: u64,
    /// In the store: segments and leaves of all shards, without manifest and headers.
    pub sealed: u64,
    /// How many shards.
    pub shards: u64,
}

/// A sealed and stored file: what goes on chain, and the key that goes into envelopes.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The manifest's bytes, stored under `locator`.
    pub manifest: Vec<u8>,
    /// What the chain has to hold of it.
    pub on_chain: OnChain,
    /// The id of the data item that holds the manifest.
    pub locator: [u8; 32],
    /// Bytes that the store keeps of the content: [`SealStats::sealed`], as the record's account shows it.
    pub padded_size: u64,
    /// The key. Wrap it for its readers (see [`super::envelope`]) and let it go.
    pub data_key: DataKey,
    /// The media type that the manifest has.
    pub media_type: String,
    /// Figures.
    pub stats: SealStats,
}

/// Seals what `reader` gives, to its end, and stores it: shards first, then the manifest. The key is new.
///
/// # Errors
/// [`SealError`]. Nothing on chain refers to what was stored by then.
pub async fn seal_stream<R, S>(
    reader: R,
    ids: RecordIds,
    options: &SealOptions,
    storage_key: &StorageKey,
    store: &S,
    progress: ProgressFn<'_>,
) -> Result<Sealed, SealError>
where
    R: AsyncRead + Unpin + Send,
    S: BlobStore,
{
    ManifestBody::check_text(&options.name)?;
    options.media_type.as_deref().map_or(Ok(()), ManifestBody::check_text)?;
    let data_key = DataKey::generate()?;
    let mut source = Source::new(reader, options.compress, options.padding);
    let shards = seal_shards(&mut source, &data_key, ids, storage_key, store, progress).await?;

    let summary = source.finish()?;
    let sniffed = summary
        .sniffed
        .map_or("application/octet-stream", |sniffed| sniffed.media_type);
    let media_type = options.media_type.clone().unwrap_or_else(|| sniffed.to_owned());
    let sealed = shards.iter().map(ShardEntry::payload_len).sum();
    let stats = SealStats {
        original: summary.original,
        encoded: summary.encoded,
        padded: shards.iter().map(ShardEntry::plain_len).sum(),
        sealed,
        shards: shards.len() as u64,
    };
    let body = ManifestBody {
        ids,
        name: options.name.clone(),
        media_type: media_type.clone(),
        length: summary.original,
        sha256: summary.sha256,
        frames: summary.frames,
    };
    let manifest = Manifest::seal(&data_key, &shards, &body)?;
    let on_chain = OnChain {
        manifest_hash: manifest::manifest_hash(&manifest),
        content_root: manifest::content_root(&shards),
    };
    let item = SignedItem::sign(&manifest, storage_key);
    store.put(&item).await?;
    progress(Progress {
        original: stats.original,
        sealed,
    });
    Ok(Sealed {
        manifest,
        on_chain,
        locator: item.id().0,
        padded_size: sealed,
        data_key,
        media_type,
        stats,
    })
}

async fn seal_shards<R, S>(
    source: &mut Source<R>,
    key: &DataKey,
    ids: RecordIds,
    storage_key: &StorageKey,
    store: &S,
    progress: ProgressFn<'_>,
) -> Result<Vec<ShardEntry>, SealError>
where
    R: AsyncRead + Unpin + Send,
    S: BlobStore,
{
    let (original, sealed) = (AtomicU64::new(0), AtomicU64::new(0));
    let report = || {
        progress(Progress {
            original: original.load(Ordering::Relaxed),
            sealed: sealed.load(Ordering::Relaxed),
        });
    };
    let (original, sealed, report) = (&original, &sealed, &report);
    let (sender, mut receiver) = mpsc::channel::<(u32, OpenShard)>(1);

    let fill = async move {
        let pool = Pool::default();
        let mut number = 0_u32;
        loop {
            let mut shard = OpenShard::new(&pool);
            source.fill(&mut shard).await?;
            if shard.is_empty() && number > 0 {
                return Ok::<_, SealError>(());
            }
            original.store(source.original(), Ordering::Relaxed);
            report();
            // The other end is gone only when it failed, and then this future is dropped.
            sender.send((number, shard)).await.map_err(|_| SealError::Interrupted)?;
            number = number.checked_add(1).ok_or(SealError::Interrupted)?;
        }
    };
    let store = async move {
        let filled = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        let stored = filled.map(move |(number, shard)| async move {
            let entry = seal_one(shard, number, key, ids, storage_key, store).await?;
            sealed.fetch_add(entry.payload_len(), Ordering::Relaxed);
            report();
            Ok(entry)
        });
        stored.buffered(IN_FLIGHT).try_collect().await
    };
    let ((), shards) = try_join(fill, store).await?;
    Ok(shards)
}

async fn seal_one<S: BlobStore>(
    shard: OpenShard,
    number: u32,
    key: &DataKey,
    ids: RecordIds,
    storage_key: &StorageKey,
    store: &S,
) -> Result<ShardEntry, SealError> {
    let (key, storage_key) = (key.clone(), storage_key.clone());
    let sealed = tokio::task::spawn_blocking(move || shard.seal(&key, &ids, number, &storage_key))
        .await
        .map_err(|_| SealError::Interrupted)??;
    store.put(&sealed.item).await?;
    Ok(sealed.entry)
}
