//! Sealing a file into stores. Five things go on at once, joined by short queues: reading and coding, encrypting on all
//! cores, signing several shards side by side, and uploading as many as the stores take well. All of them work in the
//! buffers of one [`Pool`], so memory does not grow with the file, and the slowest of them sets the pace of the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{FutureExt as _, try_join, try_join_all};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use super::encrypting::Encryption;
use super::input::Input;
use super::journal::Journal;
use super::manifest::{self, Content, Manifest, ManifestBody, ShardEntry};
use super::measures::{Measured, SealOptions, SealStats, Sealed};
use super::meter::Meter;
use super::pace::Pace;
use super::pool::Pool;
use super::shard::{OpenShard, SealedShard};
use super::signing::{self, LANES, Placed, SignedShard};
use super::source::{Source, Summary};
use super::{DataKey, OnChain, ProgressFn, RecordIds, SHARD_PLAIN_LEN, SealError, workers};
use crate::crypto;
use crate::keys::StorageKey;
use crate::store::ans104::HEADER_LEN;
use crate::store::{BlobStore, Code, SignedItem, Stores};

/// However many cores there are, no more batches are signed at once,
const MOST_SIGNERS: usize = 2;
/// and no more shards, of 4 MiB, are in memory.
const MOST_BUFFERS: usize = 24;

/// How long a shard waits for others to be signed with.
const LINGER: Duration = Duration::from_millis(100);

/// Seals one file.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "a function cannot be shown")]
pub struct Sealer<'a, S> {
    /// What it belongs to.
    pub ids: RecordIds,
    /// How.
    pub options: &'a SealOptions,
    /// Signs the data items.
    pub storage_key: &'a StorageKey,
    /// Where they go.
    pub stores: &'a Stores<S>,
    /// Keeps what is done, so that it can be gone on with.
    pub journal: Option<&'a Arc<Journal>>,
    /// Hears how far it is.
    pub progress: ProgressFn<'a>,
}

/// Seals what `input` gives, to its end, and stores it: shards first, then the manifest. The key is new.
///
/// # Errors
/// [`SealError`]. Nothing on chain refers to what was stored by then.
pub async fn seal_stream<S: BlobStore>(
    input: Input<'_>,
    ids: RecordIds,
    options: &SealOptions,
    storage_key: &StorageKey,
    stores: &Stores<S>,
    progress: ProgressFn<'_>,
) -> Result<Sealed, SealError> {
    let sealer = Sealer {
        ids,
        options,
        storage_key,
        stores,
        journal: None,
        progress,
    };
    sealer.seal(input).await
}

/// A shard whose items are stored.
struct Stored {
    number: u32,
    entry: ShardEntry,
    placed: Placed,
    stored: u64,
}

impl<S: BlobStore> Sealer<'_, S> {
    /// Seals a file, to its end, and stores it: shards first, then the manifest. With a journal that has something in it, it
    /// goes on with what was begun.
    ///
    /// # Errors
    /// [`SealError`]. Nothing on chain refers to what was stored by then.
    pub async fn seal(&self, input: Input<'_>) -> Result<Sealed, SealError> {
        let ids = self.journal.map_or(self.ids, |journal| journal.ids());
        Self { ids, ..*self }.seal_as_it_is(input).await
    }

    async fn seal_as_it_is(&self, input: Input<'_>) -> Result<Sealed, SealError> {
        let data_key = match self.journal {
            Some(journal) => journal.data_key().clone(),
            None => DataKey::generate()?,
        };
        let mut source = self.open(input).await?;
        let meter = &Meter::new(self.progress);
        let mut shards = self.store_shards(&mut source, &data_key, meter).await?;
        shards.sort_unstable_by_key(|shard| shard.number);
        if self.journal.is_some_and(|journal| !journal.is_of(shards.len())) {
            return Err(SealError::SourceChanged);
        }

        let mut stored: u64 = shards.iter().map(|shard| shard.stored).sum();
        let (shards, placed) = shards.into_iter().map(|shard| (shard.entry, shard.placed)).unzip();
        let content = Content {
            shards,
            placing: signing::placing(self.stores.code(), placed),
        };
        let summary = source.finish()?;
        let (media_type, body) = self.body(summary);
        let manifest = self.seal_manifest(&data_key, &content, &body)?;
        let item = SignedItem::sign(&manifest, self.storage_key);
        for member in self.stores.members() {
            put_once(member, &item, self.journal.is_some()).await?;
            stored += item.bytes().len() as u64;
        }
        let stats = stats(&content.shards, &body, stored);
        meter.original(stats.original);
        Ok(Sealed {
            on_chain: OnChain {
                manifest_hash: manifest::manifest_hash(&manifest),
                content_root: manifest::content_root(&content.shards),
            },
            manifest,
            locator: item.id().0,
            padded_size: stats.sealed,
            data_key,
            media_type,
            stats,
        })
    }

    /// Seals a file without signing or storing anything, and says how large it would be. What it is sealed under is
    /// forgotten.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn measure(&self, input: Input<'_>) -> Result<Measured, SealError> {
        // What is sealed under a key that is forgotten is nothing to go on with.
        Self { journal: None, ..*self }.measure_anew(input).await
    }

    async fn measure_anew(&self, input: Input<'_>) -> Result<Measured, SealError> {
        let data_key = DataKey::generate()?;
        let mut source = self.open(input).await?;
        let (sender, mut receiver) = mpsc::channel::<SealedShard>(1);
        let count = async {
            let mut entries = Vec::new();
            while let Some(shard) = receiver.recv().await {
                entries.push((shard.number, shard.entry));
            }
            Ok(entries)
        };
        let meter = &Meter::new(self.progress);
        let encrypt = self.encrypt_shards(&mut source, &data_key, sender, meter);
        let ((), mut entries) = try_join(encrypt, count).await?;
        entries.sort_unstable_by_key(|(number, _)| *number);
        let shards: Vec<ShardEntry> = entries.into_iter().map(|(_, entry)| entry).collect();

        let code = self.stores.code();
        let placed = shards.iter().map(|_| signing::unsigned(code)).collect();
        let content = Content {
            shards,
            placing: signing::placing(code, placed),
        };
        let (media_type, body) = self.body(source.finish()?);
        let manifest = self.seal_manifest(&data_key, &content, &body)?;
        let with_header = |len: usize| (HEADER_LEN + len) as u64;
        let pieces = content.shards.iter().map(|shard| {
            let len = usize::try_from(shard.payload_len()).unwrap_or(usize::MAX);
            with_header(code.piece_len(len))
        });
        let items: Vec<u64> = pieces.chain([with_header(manifest.len())]).collect();
        let stored = items.iter().sum::<u64>() * self.stores.members().len() as u64;
        Ok(Measured {
            media_type,
            stats: stats(&content.shards, &body, stored),
            items,
        })
    }

    async fn open<'i>(&self, input: Input<'i>) -> Result<Source<'i>, SealError> {
        let SealOptions {
            name,
            media_type,
            padding,
            compress,
            file_hash,
        } = self.options;
        ManifestBody::check_text(name)?;
        media_type.as_deref().map_or(Ok(()), ManifestBody::check_text)?;
        Source::open(input, *compress, *padding, *file_hash).await
    }

    fn body(&self, summary: Summary) -> (String, ManifestBody) {
        let sniffed = summary
            .sniffed
            .map_or("application/octet-stream", |sniffed| sniffed.media_type);
        let media_type = self.options.media_type.clone().unwrap_or_else(|| sniffed.to_owned());
        let body = ManifestBody {
            ids: self.ids,
            name: self.options.name.clone(),
            media_type: media_type.clone(),
            length: summary.original,
            sha256: summary.sha256,
            frames: summary.frames,
        };
        (media_type, body)
    }

    /// The manifest, the very one that was announced before where that is possible.
    fn seal_manifest(&self, key: &DataKey, content: &Content, body: &ManifestBody) -> Result<Vec<u8>, SealError> {
        let owner = self.storage_key.address();
        if let Some((nonce, hash)) = self.journal.and_then(|journal| journal.manifest()) {
            let again = Manifest::seal(key, nonce, owner, content, body)?;
            // Another text under the same nonce must never leave this process.
            if manifest::manifest_hash(&again) == hash {
                return Ok(again);
            }
        }
        let nonce = crypto::random()?;
        let manifest = Manifest::seal(key, nonce, owner, content, body)?;
        if let Some(journal) = self.journal {
            journal.announce_manifest(nonce, manifest::manifest_hash(&manifest))?;
        }
        Ok(manifest)
    }

    /// Reads a file into shards and encrypts these, on all cores. They come out as they are done.
    async fn encrypt_shards(
        &self,
        source: &mut Source<'_>,
        key: &DataKey,
        sealed: mpsc::Sender<SealedShard>,
        meter: &Meter<'_>,
    ) -> Result<(), SealError> {
        let pool = Pool::new(buffers(workers(), self.stores.code()));
        let journal = self.journal.map(Arc::as_ref);
        let (encryption, mut encrypted) = Encryption::new(self.ids, key, journal);
        let fill = async {
            // Dropped with this future, so that the shards come to an end.
            let encryption = encryption;
            let mut number = 0_u32;
            if let Some(full) = source.take_full_shards()?.map(Arc::new) {
                while number < full.shards {
                    manifest::check_len(number as usize + 1, source.frames(), self.stores.code())?;
                    encryption.add_unread(number, pool.take().await, &full)?;
                    number += 1;
                    meter.filled(number - 1, u64::from(number) * SHARD_PLAIN_LEN as u64);
                }
            }
            loop {
                let shard = source.fill(OpenShard::new(pool.take().await)).await?;
                if shard.is_empty() && number > 0 {
                    return Ok::<_, SealError>(());
                }
                meter.filled(number, source.original());
                // Not after all of it was uploaded.
                manifest::check_len(number as usize + 1, source.frames(), self.stores.code())?;
                encryption.add(number, shard)?;
                number = number.checked_add(1).ok_or(SealError::Interrupted)?;
            }
        };
        let pass_on = async {
            // Dropped with this future, so that whoever takes shards sees their end.
            let sealed = sealed;
            while let Some(shard) = encrypted.recv().await {
                // The other end is gone only when it failed, and then this future is dropped.
                sealed.send(shard?).await.map_err(|_| SealError::Interrupted)?;
            }
            Ok(())
        };
        try_join(fill, pass_on).await?;
        Ok(())
    }

    async fn store_shards(
        &self,
        source: &mut Source<'_>,
        key: &DataKey,
        meter: &Meter<'_>,
    ) -> Result<Vec<Stored>, SealError> {
        let (sender, receiver) = mpsc::channel::<SealedShard>(LANES);
        let encrypt = self.encrypt_shards(source, key, sender, meter);
        let batches = batches(receiver, signing::batch_len(self.stores.code()));
        let signed = batches
            .map(|batch| self.sign(batch).boxed())
            .buffered(signers(workers()))
            .boxed();
        let signed = signed.map_ok(|batch| stream::iter(batch).map(Ok)).try_flatten();
        let pace = &Pace::new();
        let stored = signed
            .map_ok(|shard| self.upload_paced(shard, pace, meter).boxed())
            .try_buffer_unordered(2 * LANES)
            .boxed();
        let ((), shards) = try_join(encrypt, stored.try_collect()).await?;
        Ok(shards)
    }

    async fn sign(&self, batch: Vec<SealedShard>) -> Result<Vec<SignedShard>, SealError> {
        let (code, key) = (self.stores.code(), self.storage_key.clone());
        let journal = self.journal.cloned();
        let signed = tokio::task::spawn_blocking(move || {
            if let Some(journal) = journal {
                journal.announce(batch.iter().map(|shard| (shard.number, shard.entry)))?;
            }
            signing::sign(batch, code, &key)
        });
        signed.await.map_err(|_| SealError::Interrupted)?
    }

    async fn upload_paced(&self, shard: SignedShard, pace: &Pace, meter: &Meter<'_>) -> Result<Stored, SealError> {
        let slot = pace.enter().await;
        let began = Instant::now();
        let stored = self.upload(shard).await?;
        slot.leave(began.elapsed());
        meter.stored(stored.number, stored.entry.payload_len());
        Ok(stored)
    }

    async fn upload(&self, shard: SignedShard) -> Result<Stored, SealError> {
        let SignedShard {
            number,
            entry,
            placed,
            items,
            _room: room,
        } = shard;
        let may_be_there = self.journal.is_some_and(|journal| journal.was_announced(number));
        let mut uploads = Vec::new();
        let mut stored = 0;
        // Whole: the one item for every store. In pieces: one for each.
        for (member, item) in self.stores.members().iter().zip(items.iter().cycle()) {
            stored += item.bytes().len() as u64;
            uploads.push(put_once(member, item, may_be_there).boxed());
        }
        try_join_all(uploads).await?;
        drop(room);
        Ok(Stored {
            number,
            entry,
            placed,
            stored,
        })
    }
}

/// Batches that are signed at once: encrypting a shard takes about as long as signing it.
fn signers(cores: usize) -> usize {
    cores.div_ceil(2).min(MOST_SIGNERS)
}

/// Shards in memory. Whole ones: a batch for each that is signed at once, which is sent then, and those that are encrypted.
/// In pieces, a shard that is sent takes the room of its pieces too, and one that is signed takes that twice.
fn buffers(cores: usize, code: Code) -> usize {
    if code.data < 2 {
        (signers(cores) * LANES + cores.max(2)).min(MOST_BUFFERS)
    } else {
        let (data, pieces) = (usize::from(code.data), code.pieces());
        (MOST_BUFFERS * data / (data + 2 * pieces)).max(signing::batch_len(code) + 1)
    }
}

/// Shards as they are signed together.
fn batches(sealed: mpsc::Receiver<SealedShard>, len: usize) -> BoxStream<'static, Vec<SealedShard>> {
    let batches = stream::unfold(sealed, move |mut sealed| async move {
        let batch = next_batch(&mut sealed, len).await?;
        Some((batch, sealed))
    });
    batches.boxed()
}

/// Shards to be signed together: as many as are worth it, or fewer where the next is long in coming.
async fn next_batch(sealed: &mut mpsc::Receiver<SealedShard>, len: usize) -> Option<Vec<SealedShard>> {
    let mut batch = vec![sealed.recv().await?];
    while batch.len() < len {
        match tokio::time::timeout(LINGER, sealed.recv()).await {
            Ok(Some(shard)) => batch.push(shard),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

/// Stores an item, unless it may be there already and is.
async fn put_once<S: BlobStore>(store: &S, item: &SignedItem, may_be_there: bool) -> Result<(), SealError> {
    if !(may_be_there && store.has_item(item).await?) {
        store.put(item).await?;
    }
    Ok(())
}

fn stats(shards: &[ShardEntry], body: &ManifestBody, stored: u64) -> SealStats {
    SealStats {
        original: body.length,
        encoded: body.frames.encoded_len(),
        padded: shards.iter().map(ShardEntry::plain_len).sum(),
        sealed: shards.iter().map(ShardEntry::payload_len).sum(),
        stored,
        shards: shards.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Code;

    /// Megabytes that shards take while they are signed and sent, however many cores there are.
    fn most_memory(code: Code) -> usize {
        let most = (1..=256).map(|cores| buffers(cores, code)).max().unwrap_or(0);
        let pieces = if code.data < 2 {
            0
        } else {
            4 * code.pieces() / usize::from(code.data)
        };
        most * (4 + pieces) + MOST_SIGNERS * signing::batch_len(code) * pieces
    }

    #[test]
    fn memory_is_bounded_on_any_machine() {
        for (data, parity) in [(1, 0), (1, 2), (2, 1), (4, 2), (2, 4), (3, 5), (8, 4), (16, 8)] {
            let code = Code { data, parity };
            assert!(most_memory(code) <= 110, "{code}: {} MB", most_memory(code));
        }
    }

    #[test]
    fn there_is_always_room_for_a_batch_and_one_more() {
        for cores in 1..=256 {
            for (data, parity) in [(1, 0), (2, 1), (4, 2), (2, 200), (16, 8)] {
                let code = Code { data, parity };
                assert!(buffers(cores, code) > signing::batch_len(code), "{cores} cores, {code}");
            }
        }
    }
}
