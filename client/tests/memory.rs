//! Files are streamed: sealing and opening a large one takes no more memory than a small one. Alone in its process, since
//! it looks at the memory of all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ops::Range;

use chartseal::keys::StorageKey;
use chartseal::seal::{Input, Sealed, open_stream, seal_stream};
use chartseal::store::{BlobStore, ItemId, SignedItem, StoreError, Stores, buffer};
use support::{IDS, plain_options, silent};
use tokio::io::AsyncReadExt as _;

const MIB: u64 = 1 << 20;

/// Keeps items on disk.
struct DiskStore(tempfile::TempDir);

impl BlobStore for DiskStore {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        tokio::fs::write(self.0.path().join(item.id().to_string()), item.data())
            .await
            .unwrap();
        Ok(())
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, _: u64) -> Result<Vec<u8>, StoreError> {
        assert!(range.is_none());
        let mut file = std::fs::File::open(self.0.path().join(id.to_string())).unwrap();
        let mut bytes = buffer(usize::try_from(file.metadata().unwrap().len()).unwrap());
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        Ok(bytes)
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        Ok(self.0.path().join(id.to_string()).exists())
    }
}

/// The most memory that this process ever held, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_never_held_whole() {
    let size = 384 * MIB;
    let stores = Stores::one(DiskStore(tempfile::tempdir().unwrap()));
    let key = StorageKey::generate().unwrap();
    let file = tokio::io::repeat(0x5a).take(size);
    let sealed = seal_stream(Input::stream(file), IDS, &plain_options(), &key, &stores, &silent)
        .await
        .unwrap();
    assert_eq!(sealed.stats.original, size);
    let after_sealing = peak();

    let Sealed {
        manifest,
        on_chain,
        data_key,
        ..
    } = sealed;
    let mut out = tokio::io::sink();
    open_stream(&manifest, &on_chain, IDS, &data_key, &stores, None, &mut out, &silent)
        .await
        .unwrap();
    let after_opening = peak();
    println!(
        "peak after sealing {} MiB, after opening {} MiB",
        after_sealing / MIB,
        after_opening / MIB
    );
    assert!(after_opening < 160 * MIB, "{} MiB", after_opening / MIB);
}
