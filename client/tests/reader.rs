//! A sealed file is read as if it lay on disk: from anywhere, in any steps, and only what is true. What is not read is not
//! fetched, but for a little ahead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::future::Future;
use std::io::{ErrorKind, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chartseal::media::FRAME_LEN;
use chartseal::seal::{OpenError, SEGMENT_PLAIN_LEN, SHARD_PLAIN_LEN, SealOptions, Sealed, SealedReader};
use chartseal::store::{BlobStore, Code, ItemId, SignedItem, StoreError, Stores};
use proptest::prelude::*;
use support::{IDS, MemoryStore, noise, plain_options, seal, shard_ids};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// A store that several may have.
#[derive(Clone, Default)]
struct Shared(Arc<MemoryStore>);

impl BlobStore for Shared {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        self.0.put(item).await
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.0.get(id, range, limit).await
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        self.0.has(id).await
    }
}

fn reader<S: BlobStore + 'static>(sealed: &Sealed, stores: impl Into<Stores<S>>) -> SealedReader<S> {
    SealedReader::open(&sealed.manifest, &sealed.on_chain, IDS, &sealed.data_key, stores.into()).unwrap()
}

/// Half of it compresses.
fn mixed(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = noise(len, seed);
    for half in bytes.chunks_mut(FRAME_LEN).step_by(2) {
        half.fill(b'x');
    }
    bytes
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

#[tokio::test]
async fn read_to_its_end_it_is_the_file() {
    for size in [
        0,
        1,
        SEGMENT_PLAIN_LEN,
        FRAME_LEN + 1,
        SHARD_PLAIN_LEN,
        3 * SHARD_PLAIN_LEN + 5,
    ] {
        for (bytes, options) in [
            (noise(size, 1), plain_options()),
            (mixed(size, 2), SealOptions::named("film")),
        ] {
            let store = Shared::default();
            let sealed = seal(&store, IDS, &bytes, &options).await;
            let mut reader = reader(&sealed, store);
            assert_eq!((reader.length(), reader.name()), (size as u64, options.name.as_str()));
            let mut back = Vec::new();
            reader.read_to_end(&mut back).await.unwrap();
            assert!(back == bytes, "{size} bytes, {options:?}");
            assert_eq!(reader.read(&mut [0; 9]).await.unwrap(), 0);
            reader.rewind().await.unwrap();
            back.clear();
            reader.read_to_end(&mut back).await.unwrap();
            assert!(back == bytes, "{size} bytes again");
        }
    }
}

#[tokio::test]
async fn it_seeks_as_a_file_does() {
    let (store, bytes) = (Shared::default(), noise(SHARD_PLAIN_LEN + 9, 3));
    let sealed = seal(&store, IDS, &bytes, &plain_options()).await;
    let (mut reader, end) = (reader(&sealed, store), bytes.len() as u64);
    for (to, position) in [
        (SeekFrom::End(-3), end - 3),
        (SeekFrom::Current(-7), end - 10),
        (SeekFrom::Start(5), 5),
        (SeekFrom::Current(SHARD_PLAIN_LEN as i64), 5 + SHARD_PLAIN_LEN as u64),
        (SeekFrom::End(0), end),
    ] {
        assert_eq!(reader.seek(to).await.unwrap(), position, "{to:?}");
        let mut rest = Vec::new();
        (&mut reader).take(3).read_to_end(&mut rest).await.unwrap();
        let from = usize::try_from(position).unwrap();
        assert_eq!(rest, bytes[from..bytes.len().min(from + 3)], "{to:?}");
        assert_eq!(
            reader.seek(SeekFrom::Current(0)).await.unwrap(),
            position + rest.len() as u64
        );
        reader.seek(SeekFrom::Start(position)).await.unwrap();
    }
    for beyond in [end, end + 1, u64::MAX] {
        assert_eq!(reader.seek(SeekFrom::Start(beyond)).await.unwrap(), beyond);
        assert_eq!(reader.read(&mut [0; 9]).await.unwrap(), 0, "nothing is beyond the end");
    }
    reader.seek(SeekFrom::Start(4)).await.unwrap();
    for before in [SeekFrom::Current(-5), SeekFrom::End(-1 - end as i64)] {
        let refused = reader.seek(before).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{before:?}");
    }
    let mut four = [0; 4];
    reader.read_exact(&mut four).await.unwrap();
    assert_eq!(four, bytes[4..8], "it stays where it was");
}

#[tokio::test]
async fn an_altered_shard_is_an_error_and_never_a_wrong_byte() {
    let bytes = noise(3 * SHARD_PLAIN_LEN, 4);
    for (shard, at) in [(0, 7), (1, 0), (1, 5_000_000), (2, 3_000_000)] {
        let store = Shared::default();
        let sealed = seal(&store, IDS, &bytes, &plain_options()).await;
        let id = shard_ids(&sealed)[shard];
        let mut payload = store.0.data(id);
        let at = at.min(payload.len() - 1);
        payload[at] ^= 1;
        store.0.replace(id, payload);
        let mut reader = reader(&sealed, store.clone());
        let mut back = Vec::new();
        let error = reader.read_to_end(&mut back).await.unwrap_err();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<OpenError>());
        assert!(inner.is_some_and(OpenError::is_tampered), "{error}");
        assert!(back == bytes[..back.len()], "what was given before is true");
        assert!(back.len() <= (shard + 1) * SHARD_PLAIN_LEN);
        // It does not heal by asking again, though shorter windows may come nearer; and elsewhere it can be read.
        assert!(reader.read_to_end(&mut back).await.is_err());
        assert!(back == bytes[..back.len()] && back.len() <= (shard + 1) * SHARD_PLAIN_LEN);
        let elsewhere = (shard + 1) % 3 * SHARD_PLAIN_LEN + 99;
        reader.seek(SeekFrom::Start(elsewhere as u64)).await.unwrap();
        let mut nine = [0; 9];
        reader.read_exact(&mut nine).await.unwrap();
        assert_eq!(nine, bytes[elsewhere..elsewhere + 9]);
    }
}

#[tokio::test]
async fn a_manifest_of_another_record_is_refused_before_anything_is_read() {
    let store = Shared::default();
    let sealed = seal(&store, IDS, b"ours", &plain_options()).await;
    let other = seal(&store, IDS, b"theirs", &plain_options()).await;
    for (manifest, key) in [(&other.manifest, &sealed.data_key), (&sealed.manifest, &other.data_key)] {
        let stores = Stores::one(store.clone());
        assert!(SealedReader::open(manifest, &sealed.on_chain, IDS, key, stores).is_err());
    }
}

#[tokio::test]
async fn a_seek_fetches_little_and_reading_on_fetches_each_byte_about_once() {
    let (store, bytes) = (Shared::default(), noise(4 * SHARD_PLAIN_LEN, 5));
    let sealed = seal(&store, IDS, &bytes, &plain_options()).await;
    let mut reader = reader(&sealed, store.clone());
    store.0.take_served();
    for position in [0, 2 * SHARD_PLAIN_LEN + 1, SHARD_PLAIN_LEN - 1, 4 * SHARD_PLAIN_LEN - 1] {
        reader.seek(SeekFrom::Start(position as u64)).await.unwrap();
        assert_eq!(reader.read_u8().await.unwrap(), bytes[position]);
        // As much as it fetches ahead by itself, when nobody reads on: whoever seeks pays for no more.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let served = store.0.take_served();
        assert!(served < 2 << 20, "{served} bytes for one at {position}");
    }
    reader.rewind().await.unwrap();
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    assert!(back == bytes);
    let (served, all) = (store.0.take_served(), sealed.padded_size);
    assert!(served < all + all / 10, "{served} of {all} bytes");
}

#[tokio::test]
async fn coded_frames_are_fetched_once_too() {
    let (store, mut bytes) = (Shared::default(), noise(4 * SHARD_PLAIN_LEN, 9));
    for byte in &mut bytes {
        *byte &= 15;
    }
    let sealed = seal(&store, IDS, &bytes, &SealOptions::named("film")).await;
    assert!(sealed.padded_size < bytes.len() as u64 * 3 / 4, "it compresses");
    let mut reader = reader(&sealed, store.clone());
    store.0.take_served();
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    assert!(back == bytes);
    let (served, all) = (store.0.take_served(), sealed.padded_size);
    assert!(served < all + all / 10, "{served} of {all} bytes");
}

#[tokio::test]
async fn what_is_read_already_is_not_fetched_again_after_a_short_seek() {
    let (store, bytes) = (Shared::default(), noise(SHARD_PLAIN_LEN, 6));
    let sealed = seal(&store, IDS, &bytes, &plain_options()).await;
    let mut reader = reader(&sealed, store.clone());
    reader.read_u8().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.0.take_served();
    reader.seek(SeekFrom::Current(1000)).await.unwrap();
    assert_eq!(reader.read_u8().await.unwrap(), bytes[1001]);
    assert_eq!(store.0.take_served(), 0);
}

/// A store that never answers, and counts who waits for it.
#[derive(Clone, Default)]
struct Silent {
    asked: Arc<AtomicUsize>,
    waiting: Arc<AtomicUsize>,
}

/// Somebody who waits.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl BlobStore for Silent {
    async fn put(&self, _: &SignedItem) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(
        &self,
        _: ItemId,
        _: Option<Range<u64>>,
        _: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(Arc::clone(&self.waiting));
        async move {
            let _waiting = waiting;
            std::future::pending().await
        }
    }

    async fn has(&self, _: ItemId) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[tokio::test]
async fn dropped_it_stops_fetching_and_so_does_a_seek() {
    let sealed = seal(
        &MemoryStore::default(),
        IDS,
        &noise(SHARD_PLAIN_LEN, 7),
        &plain_options(),
    )
    .await;
    let store = Silent::default();
    let mut reader = reader(&sealed, store.clone());
    for seek in [true, false] {
        let mut byte = [0; 1];
        let read = tokio::time::timeout(Duration::from_millis(20), reader.read(&mut byte)).await;
        assert!(read.is_err(), "nothing comes");
        assert!(store.waiting.load(Ordering::SeqCst) > 0);
        if seek {
            reader.seek(SeekFrom::Start(9)).await.unwrap();
        } else {
            drop(reader);
            let asked = store.asked.load(Ordering::SeqCst);
            nobody_waits(&store).await;
            assert_eq!(store.asked.load(Ordering::SeqCst), asked);
            return;
        }
        nobody_waits(&store).await;
    }
}

async fn nobody_waits(store: &Silent) {
    while store.waiting.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn spread_over_stores_it_reads_with_two_of_six_lost() {
    let bytes = mixed(SHARD_PLAIN_LEN + 77, 8);
    let members: Vec<Shared> = (0..6).map(|_| Shared::default()).collect();
    let stores = Stores::spread(members.clone(), Code::new(4, 2).unwrap()).unwrap();
    let key = chartseal::keys::StorageKey::generate().unwrap();
    let input = chartseal::seal::Input::stream(&bytes[..]);
    let sealed = chartseal::seal::seal_stream(input, IDS, &plain_options(), &key, &stores, &support::silent)
        .await
        .unwrap();
    for lost in [0, 3] {
        members[lost].0.clear();
    }
    let mut reader = reader(&sealed, stores);
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    assert!(back == bytes);
    reader.seek(SeekFrom::Start(65_000)).await.unwrap();
    let mut some = [0; 1000];
    reader.read_exact(&mut some).await.unwrap();
    assert_eq!(some, bytes[65_000..66_000]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_seeks_and_reads_are_those_of_the_file(
        size in prop_oneof![
            0_usize..2000,
            0_usize..2 * SHARD_PLAIN_LEN,
            SEGMENT_PLAIN_LEN - 1..SEGMENT_PLAIN_LEN + 2,
            FRAME_LEN - 1..FRAME_LEN + 2,
            SHARD_PLAIN_LEN - 1..SHARD_PLAIN_LEN + 2,
        ],
        seed: u64,
        compress: bool,
        steps in prop::collection::vec((prop::option::of(0.0_f64..1.1), 0_usize..300_000), 1..12),
    ) {
        let bytes = mixed(size, seed);
        let options = if compress { SealOptions::named("film") } else { plain_options() };
        runtime().block_on(async {
            let store = Shared::default();
            let sealed = seal(&store, IDS, &bytes, &options).await;
            let mut reader = reader(&sealed, store);
            let mut position = 0;
            for (seek, read) in steps {
                if let Some(part) = seek {
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
                    let to = (part * size as f64) as usize;
                    position = to;
                    prop_assert_eq!(reader.seek(SeekFrom::Start(to as u64)).await.unwrap(), to as u64);
                }
                let mut back = Vec::new();
                (&mut reader).take(read as u64).read_to_end(&mut back).await.unwrap();
                let from = position.min(size);
                prop_assert!(back == bytes[from..size.min(from + read)]);
                position += back.len();
            }
            Ok(())
        })?;
    }
}
