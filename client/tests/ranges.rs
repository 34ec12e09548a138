//! A part of a large object costs about as much as it is long, and as few rounds of waiting as there can be: one for the
//! manifest, and one for segments and leaves together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use chartseal::keys::StorageKey;
use chartseal::seal::{Input, fetch_manifest, open_stream, seal_stream};
use chartseal::store::{BlobStore, ItemId, SignedItem, StoreError, Stores};
use support::{IDS, plain_options, silent};
use tokio::io::AsyncReadExt as _;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What was fetched, and in how many rounds: a request is in the round after the last one that was answered before it began.
#[derive(Default)]
struct Count {
    bytes: u64,
    answered: u32,
    rounds: u32,
}

/// Keeps items on disk, and counts.
struct Counting {
    folder: tempfile::TempDir,
    count: Mutex<Count>,
}

impl Counting {
    fn path(&self, id: ItemId) -> PathBuf {
        self.folder.path().join(id.to_string())
    }

    fn take_count(&self) -> (u64, u32) {
        let count = std::mem::take(&mut *self.count.lock().unwrap());
        (count.bytes, count.rounds)
    }
}

impl BlobStore for Counting {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        let (path, bytes) = (self.path(item.id()), item.bytes().clone());
        let data = bytes.len() - item.data().len();
        let written = tokio::task::spawn_blocking(move || std::fs::write(path, &bytes[data..]));
        written.await.unwrap().unwrap();
        Ok(())
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, _: u64) -> Result<Vec<u8>, StoreError> {
        let round = self.count.lock().unwrap().answered + 1;
        // Whoever asks at once has asked by now.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let (path, path_of) = (self.path(id), self.path(id));
        let range = range.unwrap_or(0..std::fs::metadata(path).unwrap().len());
        let mut file = std::fs::File::open(path_of).unwrap();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(range.start)).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, range.end - range.start), &mut bytes).unwrap();
        let mut count = self.count.lock().unwrap();
        count.bytes += bytes.len() as u64;
        count.answered = count.answered.max(round);
        count.rounds = count.rounds.max(round);
        Ok(bytes)
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        Ok(self.path(id).exists())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mebibyte_in_the_middle_of_a_gibibyte_costs_1_2_mebibytes_and_two_rounds() {
    let stores = Stores::one(Counting {
        folder: tempfile::tempdir().unwrap(),
        count: Mutex::default(),
    });
    let store = &stores.members()[0];
    let key = StorageKey::generate().unwrap();
    let file = Input::stream(tokio::io::repeat(0x5a).take(GIB));
    let sealed = seal_stream(file, IDS, &plain_options(), &key, &stores, &silent)
        .await
        .unwrap();
    assert_eq!(sealed.stats.original, GIB);

    // Where frames, segments and shards begin and end in all kinds of ways within it.
    let shard = chartseal::seal::SHARD_PLAIN_LEN as u64;
    for start in [
        GIB / 2,
        GIB / 2 + 77_777,
        100 * shard - MIB / 2,
        100 * shard - 1,
        0,
        GIB - MIB,
    ] {
        store.take_count();
        let manifest = fetch_manifest(&stores, sealed.locator, sealed.on_chain.manifest_hash)
            .await
            .unwrap();
        let mut out = Vec::new();
        let range = Some(start..start + MIB);
        open_stream(
            &manifest,
            &sealed.on_chain,
            IDS,
            &sealed.data_key,
            &stores,
            range,
            &mut out,
            &silent,
        )
        .await
        .unwrap();
        assert!(out.len() as u64 == MIB && out.iter().all(|byte| *byte == 0x5a));
        let (bytes, rounds) = store.take_count();
        println!("from {start}: {bytes} bytes in {rounds} rounds");
        assert!(bytes * 10 < 12 * MIB, "{bytes} bytes from {start}");
        assert_eq!(rounds, 2, "from {start}");
    }
}
