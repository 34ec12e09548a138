//! A download that was broken off is gone on with: what came is not fetched again, and what was kept is believed no more
//! than any store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chartseal::seal::{OpenError, SHARD_PLAIN_LEN, Sealed, fetch_manifest, open_stream};
use chartseal::store::{BlobStore, ItemId, Kept, Partial, SignedItem, StoreError, Stores};
use support::{IDS, MemoryStore, noise, plain_options, seal, silent};

const SHARDS: usize = 6;

/// A store that breaks off after some items, and counts what it gave.
struct Fragile<'a> {
    kept: &'a MemoryStore,
    left: AtomicUsize,
    gave: Mutex<Vec<ItemId>>,
}

impl<'a> Fragile<'a> {
    fn giving(items: usize, kept: &'a MemoryStore) -> Self {
        Self {
            kept,
            left: AtomicUsize::new(items),
            gave: Mutex::default(),
        }
    }

    fn gave(&self) -> usize {
        self.gave.lock().unwrap().len()
    }
}

impl BlobStore for Fragile<'_> {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        self.kept.put(item).await
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            let detail = "broken off".to_owned();
            return Err(StoreError::Unreachable { detail });
        }
        self.gave.lock().unwrap().push(id);
        self.kept.get(id, range, limit).await
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        self.kept.has(id).await
    }
}

/// Somebody who downloads into a folder.
struct Desk {
    folder: tempfile::TempDir,
    store: MemoryStore,
    sealed: Sealed,
    bytes: Vec<u8>,
}

impl Desk {
    async fn new() -> Self {
        let (store, bytes) = (MemoryStore::default(), noise(SHARDS * SHARD_PLAIN_LEN - 9, 1));
        let sealed = seal(&store, IDS, &bytes, &plain_options()).await;
        Self {
            folder: tempfile::tempdir().unwrap(),
            store,
            sealed,
            bytes,
        }
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join(".image.dcm.chartseal-part")
    }

    fn parts(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.part()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// One run against a store: the file, and how many items the store gave.
    async fn run(&self, store: &Fragile<'_>) -> Result<Vec<u8>, OpenError> {
        self.run_over(vec![store]).await
    }

    async fn run_over(&self, stores: Vec<&Fragile<'_>>) -> Result<Vec<u8>, OpenError> {
        let kept = Kept::open(self.part()).unwrap();
        let members = stores.into_iter().map(|store| kept.before(store)).collect();
        let opened = self.open_from(Stores::copies(members).unwrap()).await;
        kept.close();
        opened
    }

    async fn open_from(&self, stores: Stores<Partial<&Fragile<'_>>>) -> Result<Vec<u8>, OpenError> {
        let sealed = &self.sealed;
        let manifest = fetch_manifest(&stores, sealed.locator, sealed.on_chain.manifest_hash).await?;
        let mut out = Vec::new();
        let key = &sealed.data_key;
        open_stream(&manifest, &sealed.on_chain, IDS, key, &stores, None, &mut out, &silent).await?;
        Ok(out)
    }
}

#[tokio::test]
async fn what_came_before_it_broke_off_is_not_fetched_again() {
    let desk = Desk::new().await;
    for items in 0..=SHARDS {
        let first = Fragile::giving(items, &desk.store);
        let broken = desk.run(&first).await.unwrap_err();
        assert!(matches!(broken, OpenError::Store(_)), "{broken}");
        // Those that came in the moment in which it broke off may be lost; nothing that is kept is asked for.
        let kept = desk.parts().len();
        assert!(kept <= items && kept + 6 >= items, "{kept} of {items}");
        let second = Fragile::giving(usize::MAX, &desk.store);
        assert!(desk.run(&second).await.unwrap() == desk.bytes);
        assert_eq!(second.gave(), SHARDS + 1 - kept, "{items} items");
        Kept::remove(&desk.part()).unwrap();
        assert!(!desk.part().exists());
    }
}

#[tokio::test]
async fn broken_off_again_and_again_it_completes() {
    let desk = Desk::new().await;
    let mut fetched = 0;
    for run in 1.. {
        // Two: while one is handed on, another may be lost.
        let store = Fragile::giving(2, &desk.store);
        let opened = desk.run(&store).await;
        fetched += store.gave();
        if let Ok(bytes) = opened {
            assert!(bytes == desk.bytes);
            break;
        }
        assert!(run < 20, "it does not come to an end");
    }
    assert!(fetched <= 2 * (SHARDS + 1), "{fetched}");
}

#[tokio::test]
async fn what_was_altered_or_cut_since_is_fetched_again() {
    let desk = Desk::new().await;
    for alter in [
        (|path: &Path| fs::write(path, b"").unwrap()) as fn(&Path),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[100] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes.push(0);
            fs::write(path, bytes).unwrap();
        },
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
    ] {
        desk.run(&Fragile::giving(usize::MAX, &desk.store)).await.unwrap();
        let altered = desk.parts()[3].clone();
        alter(&altered);
        let again = Fragile::giving(usize::MAX, &desk.store);
        assert!(desk.run(&again).await.unwrap() == desk.bytes);
        assert_eq!(again.gave(), 1);
        let _ = fs::remove_dir(&altered);
    }
}

#[tokio::test]
async fn a_lie_that_was_kept_is_found_out_and_another_store_asked() {
    let desk = Desk::new().await;
    desk.run(&Fragile::giving(usize::MAX, &desk.store)).await.unwrap();
    // Somebody changes an item and gives it the name that fits.
    let part = desk
        .parts()
        .into_iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&part).unwrap();
    bytes[7] ^= 1;
    let name = part.file_name().unwrap().to_str().unwrap();
    fs::remove_file(&part).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    fs::write(
        desk.part().join(format!("{}.{}", &name[..43], hex::encode(digest))),
        &bytes,
    )
    .unwrap();

    let (one, other) = (
        Fragile::giving(usize::MAX, &desk.store),
        Fragile::giving(usize::MAX, &desk.store),
    );
    assert!(desk.run_over(vec![&one, &other]).await.unwrap() == desk.bytes);
    assert_eq!(one.gave() + other.gave(), 1);
}

#[tokio::test]
async fn with_one_store_a_kept_lie_is_an_error_and_no_wrong_byte() {
    let desk = Desk::new().await;
    let lying = MemoryStore::default();
    for part in support::shard_ids(&desk.sealed) {
        let mut payload = desk.store.data(part);
        payload[0] ^= 1;
        lying.replace(part, payload);
    }
    lying.replace(desk.sealed.locator, desk.sealed.manifest.clone());
    for _ in 0..2 {
        let error = desk.run(&Fragile::giving(usize::MAX, &lying)).await.unwrap_err();
        assert!(error.is_tampered(), "{error}");
    }
    Kept::remove(&desk.part()).unwrap();
    assert!(desk.run(&Fragile::giving(usize::MAX, &desk.store)).await.unwrap() == desk.bytes);
}

#[tokio::test]
async fn ciphertext_only_is_kept_and_for_its_owner_only() {
    let desk = Desk::new().await;
    desk.run(&Fragile::giving(usize::MAX, &desk.store)).await.unwrap();
    assert_eq!(fs::metadata(desk.part()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(desk.parts().len(), SHARDS + 1);
    for part in desk.parts() {
        assert_eq!(fs::metadata(&part).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(&part).unwrap();
        let plain = desk.bytes.chunks(SHARD_PLAIN_LEN).map(|shard| &shard[..64]);
        for plain in plain {
            assert!(!bytes.windows(64).any(|window| window == plain));
        }
    }
}

#[tokio::test]
async fn a_folder_with_something_else_in_it_keeps_that() {
    let desk = Desk::new().await;
    desk.run(&Fragile::giving(usize::MAX, &desk.store)).await.unwrap();
    let letter = desk.part().join("letter");
    fs::write(&letter, "dear reader").unwrap();
    assert_eq!(Kept::open(desk.part()).unwrap().untried(), SHARDS + 1);
    assert!(Kept::remove(&desk.part()).is_err());
    assert_eq!(desk.parts(), [letter]);
}

#[tokio::test]
async fn where_nothing_can_be_kept_it_is_fetched_all_the_same() {
    let desk = Desk::new().await;
    let kept = Kept::open(desk.part()).unwrap();
    fs::remove_dir(desk.part()).unwrap();
    let store = Fragile::giving(usize::MAX, &desk.store);
    let stores = Stores::one(kept.before(&store));
    let sealed = &desk.sealed;
    let mut out = Vec::new();
    open_stream(
        &sealed.manifest,
        &sealed.on_chain,
        IDS,
        &sealed.data_key,
        &stores,
        None,
        &mut out,
        &silent,
    )
    .await
    .unwrap();
    assert!(out == desk.bytes);
}
