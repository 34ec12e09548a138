//! Files of a clinic, sealed and opened: each comes back bit by bit, whole and in parts, and takes as little room as was
//! promised, with its manifest, the headers of data items, leaves and padding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use chartseal::seal::SealOptions;
use chartseal::store::{BlobStore, ItemId, SignedItem, StoreError};
use support::{IDS, MemoryStore, noise, open, seal};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fixtures")
            .join(name),
    )
    .unwrap()
}

/// Counts all that it is given to keep.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    bytes: AtomicU64,
}

impl BlobStore for Counting {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        self.bytes.fetch_add(item.bytes().len() as u64, Ordering::Relaxed);
        self.store.put(item).await
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.store.get(id, range, limit).await
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        self.store.has(id).await
    }
}

/// Seals a file, opens it whole and in parts, and gives how many bytes were stored for it.
async fn stored(file: &[u8]) -> u64 {
    let store = Counting::default();
    let sealed = seal(&store, IDS, file, &SealOptions::named("file")).await;
    let (opened, _) = open(&store, &sealed, None).await.unwrap();
    assert!(opened == file);
    let len = file.len();
    for part in [0..1, len / 3..len / 2, len - 1..len, len / 2..len] {
        let range = part.start as u64..part.end as u64;
        let (opened, _) = open(&store, &sealed, Some(range)).await.unwrap();
        assert!(opened == file[part.clone()], "bytes {part:?}");
    }
    assert_eq!(sealed.stats.stored, store.bytes.load(Ordering::Relaxed));
    sealed.stats.stored
}

#[tokio::test]
async fn dicom_files_come_back_from_much_less() {
    // At least so many hundredths of what is stored.
    for (name, at_least) in [
        ("CT_small", 220),
        ("MR_small", 160),
        ("examples_overlay", 300),
        ("examples_rgb_color", 400),
        ("examples_ybr_color", 200),
        ("waveform_ecg", 400),
    ] {
        let file = fixture(&format!("dicom/{name}.dcm"));
        let stored = stored(&file).await;
        let hundredths = file.len() as u64 * 100 / stored;
        println!("{name}: {} bytes in {stored}, {hundredths} %", file.len());
        assert!(hundredths >= at_least, "{name}: {} bytes in {stored}", file.len());
    }
}

#[tokio::test]
async fn sound_comes_back_from_less() {
    let file = fixture("voice_note.wav");
    let stored = stored(&file).await;
    assert!(stored * 3 < file.len() as u64 * 2, "{} bytes in {stored}", file.len());
}

#[tokio::test]
async fn damaged_dicom_files_come_back() {
    let whole = fixture("dicom/CT_small.dcm");
    let without_meta = whole[whole.windows(4).position(|bytes| bytes == b"\x08\0\x05\0").unwrap()..].to_vec();
    let truncated = whole[..20_000].to_vec();
    let mut wrong = whole.clone();
    for at in (140..6_000).step_by(50) {
        wrong[at] = b'X';
    }
    for file in [without_meta, truncated, wrong] {
        stored(&file).await;
    }
}

#[tokio::test]
async fn what_is_coded_already_takes_hardly_more() {
    for start in [&b"\xff\xd8\xff\xe0"[..], b"\0\0\0\x18ftypisom", b"", b"OggS"] {
        let file = [start, &noise(3 << 20, 7)].concat();
        let stored = stored(&file).await;
        // Padding is an eighth of these sizes at most, and most of it.
        assert!(stored < file.len() as u64 * 26 / 25, "{} bytes in {stored}", file.len());
    }
}
