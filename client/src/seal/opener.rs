//! Opening a sealed file, whole or a range of it. What is fetched is held against the shard's root, and the shards' roots
//! against the content root on chain, before a byte of it is decrypted; a full open ends by comparing the file's own hash.

use std::ops::Range;

use futures_util::stream::{self, StreamExt as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::SHARD_PLAIN_LEN;
use super::assembler::Assembler;
use super::manifest::{self, Manifest, ManifestBody, ShardEntry};
use super::segment::ShardCipher;
use super::shard::{self, OpenedSegments};
use super::{DataKey, IN_FLIGHT, OnChain, OpenError, Progress, ProgressFn, RecordIds, SEGMENT_LEN, SEGMENT_PLAIN_LEN};
use crate::media::FrameSpan;
use crate::store::{BlobStore, ItemId};

/// A file that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its name, as its author gave it: not safe as a path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of the whole file, as the manifest has it; a full open has compared it.
    pub sha256: [u8; 32],
    /// Bytes that were handed out.
    pub written: u64,
}

/// Fetches a record's manifest and holds it against the hash on chain.
///
/// # Errors
/// [`OpenError::Tampered`] where it is another one, [`OpenError::Store`] where it does not come.
pub async fn fetch_manifest<S: BlobStore>(
    store: &S,
    locator: [u8; 32],
    expected_hash: [u8; 32],
) -> Result<Vec<u8>, OpenError> {
    let what = || "the manifest".to_owned();
    let bytes = store
        .get(ItemId(locator), None, manifest::MAX_LEN as u64)
        .await
        .map_err(|error| OpenError::from_store(error, what))?;
    if manifest::manifest_hash(&bytes) == expected_hash {
        Ok(bytes)
    } else {
        Err(OpenError::tampered(what()))
    }
}

/// Reads a manifest and holds it and its shards' roots against what stands on chain.
pub(super) fn checked_manifest(bytes: &[u8], on_chain: &OnChain) -> Result<Manifest, OpenError> {
    if manifest::manifest_hash(bytes) != on_chain.manifest_hash {
        return Err(OpenError::tampered("the manifest"));
    }
    let manifest = Manifest::parse(bytes)?;
    if manifest.content_root() == on_chain.content_root {
        Ok(manifest)
    } else {
        Err(OpenError::tampered("the list of shards"))
    }
}

/// Opens a file, or `range` of its original bytes, into `writer`, which is flushed at the end. Bytes are handed out as
/// they are verified, so on an error the writer holds a part of the file: write to an
/// [`AtomicFile`](crate::store::AtomicFile) and commit it on success only.
///
/// # Errors
/// [`OpenError`]; see [`OpenError::is_tampered`].
#[allow(
    clippy::too_many_arguments,
    reason = "each is a thing of its own; a struct would only move the list"
)]
pub async fn open_stream<S, W>(
    manifest: &[u8],
    on_chain: &OnChain,
    ids: RecordIds,
    key: &DataKey,
    store: &S,
    range: Option<Range<u64>>,
    writer: &mut W,
    progress: ProgressFn<'_>,
) -> Result<Opened, OpenError>
where
    S: BlobStore,
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    let manifest = &checked_manifest(manifest, on_chain)?;
    let body = manifest.open(key, &ids)?;
    let whole = range.is_none();
    let wanted = range.unwrap_or(0..body.length);
    let span = locate(&body, &wanted)?;
    // A full open reads all there is, padding too: it answers for the whole record.
    let pieces = plan(
        manifest,
        if whole {
            0..manifest.plain_len()
        } else {
            span.encoded.clone()
        },
    );
    let skipped = pieces
        .first()
        .map_or(0, |piece| span.encoded.start - piece.plain_start());

    let mut assembler = Assembler::new(&body.frames, &span, skipped, whole)?;
    let mut sealed = 0;
    let fetches = stream::iter(pieces).map(move |piece| fetch(manifest, piece, ids, key, store));
    let mut fetches = std::pin::pin!(fetches.buffered(IN_FLIGHT));
    while let Some(fetched) = fetches.next().await {
        let (segments, fetched_len) = fetched?;
        sealed += fetched_len;
        for plaintext in segments.plaintexts() {
            assembler.feed(plaintext, writer).await?;
        }
        progress(Progress {
            original: assembler.written(),
            sealed,
        });
    }
    writer.flush().await.map_err(OpenError::from_output)?;
    let written = assembler.finish(wanted.end - wanted.start, whole.then_some(body.sha256))?;
    Ok(Opened {
        name: body.name,
        media_type: body.media_type,
        length: body.length,
        sha256: body.sha256,
        written,
    })
}

fn locate(body: &ManifestBody, range: &Range<u64>) -> Result<FrameSpan, OpenError> {
    body.frames.locate(range).ok_or(OpenError::RangeOutside {
        start: range.start,
        end: range.end,
        length: body.length,
    })
}

/// Consecutive segments of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    shard: u32,
    first: u32,
    count: u32,
}

impl Piece {
    /// Where its plaintext begins in the stream of frames.
    fn plain_start(&self) -> u64 {
        u64::from(self.shard) * SHARD_PLAIN_LEN as u64 + u64::from(self.first) * SEGMENT_PLAIN_LEN as u64
    }

    /// Where its segments are in the shard's payload.
    fn sealed_range(&self, entry: &ShardEntry) -> Range<u64> {
        let start = u64::from(self.first) * SEGMENT_LEN as u64;
        start
            ..entry
                .sealed_len()
                .min(start + u64::from(self.count) * SEGMENT_LEN as u64)
    }
}

/// The segments that hold some bytes of the stream of frames.
fn plan(manifest: &Manifest, plain: Range<u64>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // An empty record has one empty segment, and that one proves that it is empty.
    let is_empty_record = manifest.plain_len() == 0;
    let mut start = 0;
    for (shard, entry) in (0_u32..).zip(manifest.shards()) {
        let end = start + entry.plain_len();
        let (from, to) = (plain.start.max(start), plain.end.min(end));
        if from < to || is_empty_record {
            let within =
                |position: u64| u32::try_from((position - start) / SEGMENT_PLAIN_LEN as u64).unwrap_or(u32::MAX);
            let first = within(from.min(to));
            let last = if is_empty_record { first } else { within(to - 1) };
            pieces.push(Piece {
                shard,
                first,
                count: last - first + 1,
            });
        }
        start = end;
    }
    pieces
}

/// Fetches segments and what proves them, checks, and decrypts. Also says how many sealed bytes came.
async fn fetch<S: BlobStore>(
    manifest: &Manifest,
    piece: Piece,
    ids: RecordIds,
    key: &DataKey,
    store: &S,
) -> Result<(OpenedSegments, u64), OpenError> {
    let shard = piece.shard as usize;
    let entry = *manifest.shards().get(shard).ok_or(OpenError::Interrupted)?;
    let (segments, leaf_list) = if piece.count == entry.segments {
        fetch_whole(shard, &entry, store).await?
    } else {
        fetch_part(shard, &entry, piece, store).await?
    };
    let fetched = (segments.len() as u64).saturating_add(leaf_list.len() as u64);
    let key = key.clone();
    let opened = tokio::task::spawn_blocking(move || {
        if !shard::matches(&entry, &leaf_list, piece.first, &segments) {
            return Err(OpenError::tampered(name_of(shard, &entry)));
        }
        let cipher = ShardCipher::new(&key, &ids, piece.shard, &entry.salt)?;
        OpenedSegments::open(&cipher, &entry, piece.first, segments)
            .map_err(|segment| OpenError::Undecryptable { shard, segment })
    });
    Ok((opened.await.map_err(|_| OpenError::Interrupted)??, fetched))
}

/// A shard's segments and its leaf list.
pub(super) async fn fetch_whole<S: BlobStore>(
    shard: usize,
    entry: &ShardEntry,
    store: &S,
) -> Result<(Vec<u8>, Vec<u8>), OpenError> {
    let another = || name_of(shard, entry);
    let mut payload = store
        .get(ItemId(entry.item), None, entry.payload_len())
        .await
        .map_err(|error| OpenError::from_store(error, another))?;
    if payload.len() as u64 != entry.payload_len() {
        return Err(OpenError::tampered(another()));
    }
    let leaf_list = payload.split_off(payload.len() - entry.segments as usize * 32);
    Ok((payload, leaf_list))
}

async fn fetch_part<S: BlobStore>(
    shard: usize,
    entry: &ShardEntry,
    piece: Piece,
    store: &S,
) -> Result<(Vec<u8>, Vec<u8>), OpenError> {
    let ranged = |range: Range<u64>| async move {
        let len = range.end - range.start;
        let bytes = store
            .get(ItemId(entry.item), Some(range), len)
            .await
            .map_err(|error| OpenError::from_store(error, || name_of(shard, entry)))?;
        if bytes.len() as u64 == len {
            Ok(bytes)
        } else {
            Err(OpenError::tampered(name_of(shard, entry)))
        }
    };
    let leaves = entry.sealed_len()..entry.payload_len();
    futures_util::future::try_join(ranged(piece.sealed_range(entry)), ranged(leaves)).await
}

pub(super) fn name_of(shard: usize, entry: &ShardEntry) -> String {
    format!("shard {shard} (item {})", ItemId(entry.item))
}
