//! Key stores side by side: what is written goes to all of them, what is read comes from whichever has it, what is destroyed
//! is destroyed in every one, and one that is away is said to be away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use chartseal::keys::EncryptionKey;
use chartseal::seal::DataKey;
use chartseal::seal::envelope::{self, EnvelopeContext, Suite};
use chartseal::store::keystore::{
    Destruction, EnvelopeKind, EnvelopeSlot, GateError, ReleaseGate, ReleaseRequest, Released, ShareSlot,
};
use chartseal::store::{FolderKeyStore, KeyStore, KeyStoreError, KeyStores};

const PATIENT: [u8; 16] = [1; 16];
const RECORD: [u8; 16] = [2; 16];
const READER: [u8; 32] = [7; 32];
const REQUEST: ReleaseRequest = ReleaseRequest {
    request_id: [9; 16],
    recipient: READER,
};

fn slot(version: u32) -> EnvelopeSlot {
    EnvelopeSlot {
        patient: PATIENT,
        record: RECORD,
        version,
        manifest_hash: [6; 32],
        recipient: READER,
        kind: EnvelopeKind::Reader,
    }
}

/// A ledger that allows the reader a version, and counts how often it is asked.
struct Allows(u32, std::sync::atomic::AtomicUsize);

impl ReleaseGate for Allows {
    async fn check(&self, _: [u8; 16]) -> Result<Released, GateError> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Released {
            slot: slot(self.0),
            reader: [3; 32],
        })
    }
}

fn allows(version: u32) -> Allows {
    Allows(version, 0.into())
}

/// Two key stores in a folder.
struct Pair {
    folder: tempfile::TempDir,
    first: FolderKeyStore,
    second: FolderKeyStore,
    both: KeyStores<FolderKeyStore>,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| FolderKeyStore::open(folder.path().join(name)).unwrap());
        let both = KeyStores::new(vec![first.clone(), second.clone()]).unwrap();
        Self {
            folder,
            first,
            second,
            both,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The second store's disk is not mounted.
    fn second_goes_away(&self) {
        fs::rename(self.path("second"), self.path("unplugged")).unwrap();
    }

    fn second_comes_back(&self) {
        fs::rename(self.path("unplugged"), self.path("second")).unwrap();
    }
}

async fn opened(store: &impl KeyStore, version: u32) -> Result<Vec<u8>, KeyStoreError> {
    Ok(store.release(&REQUEST, &allows(version)).await?.envelope)
}

#[tokio::test]
async fn what_is_put_lies_in_every_store() {
    let pair = Pair::new();
    pair.both.put(slot(1), b"envelope").await.unwrap();
    for store in [&pair.first, &pair.second] {
        assert_eq!(opened(store, 1).await.unwrap(), b"envelope");
    }
    assert!(matches!(
        KeyStores::<FolderKeyStore>::new(vec![]),
        Err(KeyStoreError::None)
    ));
}

#[tokio::test]
async fn what_cannot_be_put_into_every_store_is_an_error() {
    let pair = Pair::new();
    pair.second_goes_away();
    let error = pair.both.put(slot(1), b"envelope").await.unwrap_err();
    assert!(matches!(&error, KeyStoreError::Unreachable(path) if *path == pair.path("second")));
    assert!(error.to_string().contains("second"), "{error}");
    assert!(!pair.path("second").exists(), "no store is made where one was");
}

#[tokio::test]
async fn an_envelope_is_read_from_the_first_store_that_has_it_and_the_ledger_is_asked_once() {
    let pair = Pair::new();
    pair.second.put(slot(1), b"only in the second").await.unwrap();
    let gate = allows(1);
    let released = pair.both.release(&REQUEST, &gate).await.unwrap();
    assert_eq!(released.envelope, b"only in the second");
    assert_eq!(gate.1.into_inner(), 1);
    let none = opened(&pair.both, 2).await;
    assert!(matches!(none, Err(KeyStoreError::NoEnvelope)));
}

#[tokio::test]
async fn a_store_that_is_away_or_damaged_stops_nobody_who_reads() {
    let pair = Pair::new();
    pair.both.put(slot(1), b"envelope").await.unwrap();
    pair.second_goes_away();
    assert_eq!(opened(&pair.both, 1).await.unwrap(), b"envelope");
    pair.second_comes_back();
    fs::rename(pair.path("first"), pair.path("gone")).unwrap();
    assert_eq!(opened(&pair.both, 1).await.unwrap(), b"envelope");
    fs::rename(pair.path("second"), pair.path("gone too")).unwrap();
    let error = opened(&pair.both, 1).await.unwrap_err().to_string();
    assert!(error.contains("first") && error.contains("second"), "{error}");
}

#[tokio::test]
async fn there_is_none_is_not_said_for_a_store_that_is_away() {
    let pair = Pair::new();
    pair.second.put(slot(1), b"only in the second").await.unwrap();
    pair.second_goes_away();
    for both in [
        pair.both.clone(),
        KeyStores::new(vec![pair.second.clone(), pair.first.clone()]).unwrap(),
    ] {
        let error = opened(&both, 1).await.unwrap_err();
        assert!(
            matches!(&error, KeyStoreError::NoneAtHand(_)) && error.is_lack(),
            "{error}"
        );
        assert!(
            error.to_string().contains(pair.path("second").to_str().unwrap()),
            "{error}"
        );
    }
    pair.second_comes_back();
    assert_eq!(opened(&pair.both, 1).await.unwrap(), b"only in the second");
}

#[tokio::test]
async fn who_asks_in_the_name_of_another_gets_nothing_from_any_store() {
    let pair = Pair::new();
    pair.both.put(slot(1), b"envelope").await.unwrap();
    let asked = ReleaseRequest {
        recipient: [8; 32],
        ..REQUEST
    };
    let released = pair.both.release(&asked, &allows(1)).await;
    assert!(matches!(released, Err(KeyStoreError::NotTheReader)));
}

#[tokio::test]
async fn an_envelope_that_one_store_lacks_counts_as_none_so_that_it_is_wrapped_again() {
    let pair = Pair::new();
    let context = EnvelopeContext {
        cluster: [1; 32],
        program: [2; 32],
        patient: PATIENT,
        record: RECORD,
        version: 1,
        manifest_hash: [6; 32],
        recipient: READER,
        recipient_key_epoch: 7,
    };
    let reader = EncryptionKey::generate().unwrap();
    let wrapped = || envelope::wrap(&DataKey::generate().unwrap(), &reader.public(), &context).unwrap();
    pair.first.put(slot(1), &wrapped()).await.unwrap();
    assert_eq!(pair.both.slots(PATIENT, RECORD).await.unwrap(), [slot(1)]);
    assert_eq!(pair.both.wrapping(slot(1)).await.unwrap(), None);
    pair.both.put(slot(1), &wrapped()).await.unwrap();
    let wrapping = pair.both.wrapping(slot(1)).await.unwrap().unwrap();
    assert_eq!((wrapping.suite, wrapping.key_epoch), (Suite::X25519, 7));
    assert_eq!(pair.both.patients().await.unwrap(), [PATIENT]);
}

#[tokio::test]
async fn what_is_discarded_goes_from_every_store() {
    let pair = Pair::new();
    pair.second.put(slot(1), b"envelope").await.unwrap();
    assert!(pair.both.discard(slot(1)).await.unwrap());
    assert!(!pair.both.discard(slot(1)).await.unwrap());
    let share = ShareSlot {
        patient: PATIENT,
        key_epoch: 1,
        dealing: [1; 16],
        guardian: [2; 32],
        sealed_to: [3; 32],
    };
    pair.second.put_share(share, b"share").await.unwrap();
    assert_eq!(pair.both.share(share).await.unwrap().unwrap(), b"share");
    assert_eq!(pair.both.shares(PATIENT).await.unwrap(), [share]);
    assert!(pair.both.discard_share(share).await.unwrap());
    assert_eq!(pair.both.share(share).await.unwrap(), None);
}

#[tokio::test]
async fn a_destroyed_record_opens_by_no_copy_in_any_store() {
    let pair = Pair::new();
    pair.both.put(slot(1), b"envelope").await.unwrap();
    let share = EnvelopeSlot {
        kind: EnvelopeKind::BreakGlass { threshold: 2 },
        ..slot(1)
    };
    pair.second.put(share, b"share").await.unwrap();
    let copies = pair.both.copies(PATIENT, RECORD).await.unwrap();
    assert_eq!(copies.len(), 3, "two of the envelope and one of the share");
    for copy in &copies {
        assert!(pair.both.opens(copy).await.unwrap());
    }
    assert!(!pair.first.opens(&copies[1]).await.unwrap(), "it is the other store's");

    let found = pair.both.destroy(PATIENT, RECORD).await.unwrap();
    assert_eq!(found, Destruction::Destroyed);
    for copy in &copies {
        assert!(!pair.both.opens(copy).await.unwrap());
    }
    assert!(pair.both.copies(PATIENT, RECORD).await.unwrap().is_empty());
    for store in [&pair.first, &pair.second] {
        let put = store.put(slot(2), b"envelope").await;
        assert!(matches!(put, Err(KeyStoreError::Destroyed)));
    }
}

#[tokio::test]
async fn a_store_that_never_kept_a_record_says_so_and_says_it_again() {
    let pair = Pair::new();
    pair.first.put(slot(1), b"envelope").await.unwrap();
    for _ in 0..2 {
        let found = [&pair.first, &pair.second].map(|store| store.destroy(PATIENT, RECORD));
        let [first, second] = found;
        assert_eq!(first.await.unwrap(), Destruction::Destroyed);
        assert_eq!(second.await.unwrap(), Destruction::Absent);
    }
    let put = pair.second.put(slot(1), b"envelope").await;
    assert!(matches!(put, Err(KeyStoreError::Destroyed)));
}

#[tokio::test]
async fn a_record_that_was_erased_in_one_store_opens_from_none() {
    let pair = Pair::new();
    pair.both.put(slot(1), b"envelope").await.unwrap();
    pair.first.destroy(PATIENT, RECORD).await.unwrap();
    assert!(matches!(opened(&pair.both, 1).await, Err(KeyStoreError::Destroyed)));
    let turned = KeyStores::new(vec![pair.second.clone(), pair.first.clone()]).unwrap();
    assert!(matches!(opened(&turned, 1).await, Err(KeyStoreError::Destroyed)));
    assert_eq!(opened(&pair.second, 1).await.unwrap(), b"envelope", "asked alone");
    // One that is away cannot say so.
    fs::rename(pair.path("first"), pair.path("unplugged")).unwrap();
    assert_eq!(opened(&turned, 1).await.unwrap(), b"envelope");
}

#[tokio::test]
async fn what_can_be_destroyed_is_destroyed_though_another_store_is_away() {
    let pair = Pair::new();
    pair.both.put(slot(1), b"envelope").await.unwrap();
    pair.second_goes_away();
    let error = pair.both.destroy(PATIENT, RECORD).await.unwrap_err();
    assert!(matches!(error, KeyStoreError::Unreachable(_)), "{error}");
    assert!(matches!(opened(&pair.first, 1).await, Err(KeyStoreError::Destroyed)));
    pair.second_comes_back();
    assert_eq!(opened(&pair.second, 1).await.unwrap(), b"envelope");
    pair.both.destroy(PATIENT, RECORD).await.unwrap();
    assert!(matches!(opened(&pair.second, 1).await, Err(KeyStoreError::Destroyed)));
}

#[tokio::test]
async fn a_store_keeps_its_name_wherever_it_is_and_the_name_does_not_say_where() {
    let pair = Pair::new();
    let (first, second) = (pair.first.name().await.unwrap(), pair.second.name().await.unwrap());
    assert_ne!(first, second);
    assert_eq!(first.len(), 32);
    fs::rename(pair.path("first"), pair.path("moved")).unwrap();
    let moved = FolderKeyStore::existing(pair.path("moved"));
    assert_eq!(moved.name().await.unwrap(), first);
    let gone = FolderKeyStore::existing(pair.path("first")).name().await;
    assert!(matches!(gone, Err(KeyStoreError::Unreachable(_))));
}

#[tokio::test]
async fn a_public_key_is_found_by_its_hash_and_an_altered_one_is_none() {
    let pair = Pair::new();
    let key = EncryptionKey::generate().unwrap();
    let public = key.post_quantum().unwrap();
    assert_eq!(pair.both.public_key(key.post_quantum_hash()).await.unwrap(), None);
    let hash = pair.both.put_public_key(public).await.unwrap();
    assert_eq!(hash, key.post_quantum_hash());
    assert_eq!(pair.both.public_key(hash).await.unwrap().unwrap(), public);

    // Altered in one store it is taken from the other, and published again it is whole again.
    let file = pair.path("first").join("public").join(hex::encode(hash));
    let mut altered = public.to_vec();
    altered[500] ^= 1;
    fs::write(&file, &altered).unwrap();
    assert_eq!(pair.first.public_key(hash).await.unwrap(), None);
    assert_eq!(pair.both.public_key(hash).await.unwrap().unwrap(), public);
    pair.both.put_public_key(public).await.unwrap();
    assert_eq!(pair.first.public_key(hash).await.unwrap().unwrap(), public);

    let short = pair.both.put_public_key(&public[1..]).await;
    assert!(short.is_err());
    assert_eq!(fs::read_dir(pair.path("first").join("public")).unwrap().count(), 1);
}
