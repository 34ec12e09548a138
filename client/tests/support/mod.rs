//! What the tests of this folder share: files of given sizes, a store in memory that can be tampered with, and a record
//! that was sealed into one.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use chartseal::keys::StorageKey;
use chartseal::seal::{
    Input, Manifest, OpenError, Opened, Padding, Place, Progress, RecordIds, SealOptions, Sealed, open_stream,
    seal_stream,
};
use chartseal::store::ans104::ParsedItem;
use chartseal::store::{BlobStore, ItemId, SignedItem, StoreError, Stores};

pub mod gateway;
pub mod jwk;

pub const IDS: RecordIds = RecordIds {
    patient: [1; 16],
    record: [2; 16],
    version: 0,
};

pub fn silent(_: Progress) {}

/// Bytes that do not compress, always the same for a seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Sealed sizes that follow from the file's alone.
pub fn plain_options() -> SealOptions {
    SealOptions {
        padding: Padding::None,
        compress: false,
        ..SealOptions::named("file")
    }
}

/// A store in memory. It checks what it takes, counts what it gives, and can be made to lie.
#[derive(Default)]
pub struct MemoryStore {
    items: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    served: Mutex<u64>,
}

impl MemoryStore {
    pub fn data(&self, id: [u8; 32]) -> Vec<u8> {
        self.items.lock().unwrap().get(&id).unwrap().clone()
    }

    pub fn replace(&self, id: [u8; 32], data: Vec<u8>) {
        self.items.lock().unwrap().insert(id, data);
    }

    pub fn remove(&self, id: [u8; 32]) {
        self.items.lock().unwrap().remove(&id);
    }

    /// Loses everything.
    pub fn clear(&self) {
        self.items.lock().unwrap().clear();
    }

    /// Bytes served since the last call.
    pub fn take_served(&self) -> u64 {
        std::mem::take(&mut *self.served.lock().unwrap())
    }
}

impl BlobStore for MemoryStore {
    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        let parsed = ParsedItem::parse(item.bytes()).expect("a data item");
        parsed.verify().expect("a valid signature");
        assert_eq!(parsed.id(), item.id());
        assert!(parsed.tags.is_empty(), "tags say something about the content");
        self.items.lock().unwrap().insert(item.id().0, parsed.data.to_vec());
        Ok(())
    }

    async fn get(&self, id: ItemId, range: Option<Range<u64>>, limit: u64) -> Result<Vec<u8>, StoreError> {
        let items = self.items.lock().unwrap();
        let data = items.get(&id.0).ok_or(StoreError::NotFound { id })?;
        let wanted = range.unwrap_or(0..data.len() as u64);
        let bytes = usize::try_from(wanted.start).unwrap()..usize::try_from(wanted.end).unwrap();
        let served = data.get(bytes).ok_or(StoreError::OutOfRange { id, end: wanted.end })?;
        if served.len() as u64 > limit {
            return Err(StoreError::TooLong { id, limit });
        }
        *self.served.lock().unwrap() += served.len() as u64;
        Ok(served.to_vec())
    }

    async fn has(&self, id: ItemId) -> Result<bool, StoreError> {
        Ok(self.items.lock().unwrap().contains_key(&id.0))
    }
}

pub async fn seal(store: &impl BlobStore, ids: RecordIds, bytes: &[u8], options: &SealOptions) -> Sealed {
    let (key, stores) = (StorageKey::generate().unwrap(), Stores::one(store));
    seal_stream(Input::stream(bytes), ids, options, &key, &stores, &silent)
        .await
        .unwrap()
}

pub async fn open(
    store: &impl BlobStore,
    sealed: &Sealed,
    range: Option<Range<u64>>,
) -> Result<(Vec<u8>, Opened), OpenError> {
    open_as(store, sealed, IDS, range).await
}

pub async fn open_as(
    store: &impl BlobStore,
    sealed: &Sealed,
    ids: RecordIds,
    range: Option<Range<u64>>,
) -> Result<(Vec<u8>, Opened), OpenError> {
    let mut out = Vec::new();
    let Sealed {
        manifest,
        on_chain,
        data_key,
        ..
    } = sealed;
    let stores = Stores::one(store);
    let opened = open_stream(manifest, on_chain, ids, data_key, &stores, range, &mut out, &silent).await?;
    assert_eq!(opened.written, out.len() as u64);
    Ok((out, opened))
}

/// The ids of a record's shards.
pub fn shard_ids(sealed: &Sealed) -> Vec<[u8; 32]> {
    let manifest = Manifest::parse(&sealed.manifest).unwrap();
    let places = (0..manifest.shards().len()).map(|shard| manifest.placing().of(shard).unwrap());
    let ids = places.map(|place| match place {
        Place::Whole(signature) => chartseal::store::ans104::item_id(signature).0,
        Place::Spread(..) => panic!("in pieces"),
    });
    ids.collect()
}
