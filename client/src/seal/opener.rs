//! Opening a sealed file, whole or a range of it. What is fetched is held against the shard's root, and the shards' roots
//! against the content root on chain, before a byte of it is decrypted; where the file's own hash was kept, a full open ends by comparing it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::FutureExt as _;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::SHARD_PLAIN_LEN;
use super::assembler::{Assembler, Part};
use super::cores::Cores;
use super::fetch::{self, Wanted};
use super::manifest::{self, Manifest, ManifestBody};
use super::meter::Meter;
use super::segment::ShardCipher;
use super::shard::OpenedSegments;
use super::{DataKey, IN_FLIGHT, OnChain, OpenError, ProgressFn, RecordIds, SEGMENT_PLAIN_LEN, workers};
use crate::media::FrameSpan;
use crate::store::{BlobStore, Stores};

/// A file that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its name, as its author gave it: not safe as a path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of the whole file, where its author kept it; a full open has compared it.
    pub sha256: Option<[u8; 32]>,
    /// Bytes that were handed out.
    pub written: u64,
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

/// A sealed file whose manifest was opened: any range of it can be read.
pub(super) struct Opener<S> {
    pub(super) body: ManifestBody,
    manifest: Manifest,
    ids: RecordIds,
    key: DataKey,
    stores: Stores<S>,
    cores: Cores,
}

impl<S: BlobStore> Opener<S> {
    pub(super) fn new(
        manifest: &[u8],
        on_chain: &OnChain,
        ids: RecordIds,
        key: &DataKey,
        stores: Stores<S>,
    ) -> Result<Self, OpenError> {
        let manifest = checked_manifest(manifest, on_chain)?;
        Ok(Self {
            body: manifest.open(key, &ids)?,
            manifest,
            ids,
            key: key.clone(),
            stores,
            cores: Cores::default(),
        })
    }

    /// The bytes of a range of the original, in pieces of at most a frame or a segment, each held against the chain before it
    /// is given. `None` is the whole file: then all there is of the record is read, padding too.
    pub(super) fn chunks<'c>(
        &'c self,
        range: Option<&Range<u64>>,
        fetched: impl Fn(u64) + Send + 'c,
    ) -> Result<BoxStream<'c, Result<Bytes, OpenError>>, OpenError> {
        let span = locate(&self.body, range.unwrap_or(&(0..self.body.length)))?;
        let wanted = match range {
            Some(_) => span.encoded.clone(),
            None => 0..self.manifest.plain_len(),
        };
        let pieces = plan(&self.manifest, wanted);
        let skipped = pieces
            .first()
            .map_or(0, |piece| span.encoded.start.saturating_sub(piece.plain_start()));
        let mut assembler = Assembler::new(&self.body.frames, &span, skipped)?;
        let segments = stream::iter(pieces)
            .map(|piece| self.fetch(piece).boxed())
            .buffered(IN_FLIGHT);
        let parts = segments.map_ok(move |(segments, len)| {
            fetched(len);
            stream::iter(assembler.take_apart(&segments)).map(Ok)
        });
        Ok(parts
            .try_flatten()
            .map_ok(Part::decode)
            .try_buffered(workers() + 1)
            .boxed())
    }

    /// Fetches and decrypts segments. Also says how many sealed bytes came.
    async fn fetch(&self, piece: Piece) -> Result<(OpenedSegments, u64), OpenError> {
        let number = piece.shard as usize;
        let (entry, place) = self.manifest.shard(number).ok_or(OpenError::Interrupted)?;
        let cipher = Arc::new(ShardCipher::new(&self.key, &self.ids, piece.shard, &entry.salt)?);
        let wanted = Wanted {
            number,
            entry,
            place,
            cipher: Some(&cipher),
            cores: &self.cores,
        };
        let segments = if piece.count == entry.segments {
            fetch::whole(wanted, &self.stores).await?
        } else {
            let segments = piece.first..piece.first.saturating_add(piece.count);
            fetch::part(wanted, &self.stores, segments).await?
        };
        let fetched = segments.len() as u64;
        Ok((OpenedSegments::new(segments), fetched))
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
    stores: &Stores<S>,
    range: Option<Range<u64>>,
    writer: &mut W,
    progress: ProgressFn<'_>,
) -> Result<Opened, OpenError>
where
    S: BlobStore,
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    let opener = Opener::new(manifest, on_chain, ids, key, stores.by_ref())?;
    let whole = range.is_none();
    let expected = range
        .as_ref()
        .map_or(opener.body.length, |range| range.end.saturating_sub(range.start));
    let meter = &Meter::expecting(expected, progress);
    let mut hasher = opener
        .body
        .sha256
        .filter(|_| whole)
        .map(|expected| (expected, Sha256::new()));
    let mut chunks = opener.chunks(range.as_ref(), |fetched| meter.sealed(fetched))?;
    let mut written = 0;
    while let Some(chunk) = chunks.try_next().await? {
        writer.write_all(&chunk).await.map_err(OpenError::from_output)?;
        written += chunk.len() as u64;
        meter.original(written);
        if let Some((expected, mut state)) = hasher.take() {
            let hashed = tokio::task::spawn_blocking(move || {
                state.update(&chunk);
                state
            });
            hasher = Some((expected, hashed.await.map_err(|_| OpenError::Interrupted)?));
        }
    }
    writer.flush().await.map_err(OpenError::from_output)?;
    let differs = hasher.is_some_and(|(expected, state)| <[u8; 32]>::from(state.finalize()) != expected);
    if differs || written != expected {
        return Err(OpenError::PlaintextDiffers);
    }
    let body = &opener.body;
    Ok(Opened {
        name: body.name.clone(),
        media_type: body.media_type.clone(),
        length: body.length,
        sha256: body.sha256,
        written,
    })
}

fn locate(body: &ManifestBody, range: &Range<u64>) -> Result<FrameSpan, OpenError> {
    body.frames.locate_least(range).ok_or(OpenError::RangeOutside {
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
