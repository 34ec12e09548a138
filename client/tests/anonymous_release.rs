//! The key store in a folder, asked by somebody without a name: it gives out a version's whole set against a proof, writes
//! that down first, and does it so often and no more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;

use chartseal::store::keystore::{
    AnonymousAsking, AnonymousEnvelopes, Blind, EnvelopeKind, EnvelopeSlot, GateError, ProofGate, Proven, Shown,
    verifier,
};
use chartseal::store::{FolderKeyStore, KeyStore, KeyStoreError, KeyStores};

const PATIENT: [u8; 16] = [1; 16];
const RECORD: [u8; 16] = [2; 16];
const NEWEST: (u32, [u8; 32]) = (2, [6; 32]);
const EPOCH: u64 = 472_222;

/// Takes every proof for its own store, of this reader.
struct Takes {
    verifier: [u8; 32],
    nullifier: [u8; 32],
}

impl ProofGate for Takes {
    async fn check(&self, verifier: [u8; 32], _: &AnonymousAsking) -> Result<Proven, GateError> {
        assert_eq!(verifier, self.verifier, "a store asks for itself");
        Ok(Proven {
            version: NEWEST.0,
            manifest_hash: NEWEST.1,
            nullifier: self.nullifier,
            epoch: EPOCH,
            at: 1_700_000_000,
        })
    }
}

struct Refuses;

impl ProofGate for Refuses {
    async fn check(&self, _: [u8; 32], _: &AnonymousAsking) -> Result<Proven, GateError> {
        Err(GateError::NotProven {
            reason: "no".to_owned(),
        })
    }
}

fn slot((version, manifest_hash): (u32, [u8; 32]), recipient: u8, kind: EnvelopeKind) -> EnvelopeSlot {
    EnvelopeSlot {
        patient: PATIENT,
        record: RECORD,
        version,
        manifest_hash,
        recipient: [recipient; 32],
        kind,
    }
}

fn asking(exchange: u8) -> AnonymousAsking {
    AnonymousAsking {
        patient: PATIENT,
        record: RECORD,
        tree: [3; 16],
        exchange: [exchange; 16],
        blind: Blind([4; 32]),
        shown: Shown::Counted { transaction: [5; 64] },
    }
}

struct Scene {
    folder: tempfile::TempDir,
    store: FolderKeyStore,
    gate: Takes,
}

impl Scene {
    /// A store with envelopes of all sorts, of which two are for readers without a name of the newest version.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderKeyStore::open(folder.path()).unwrap();
        for (slot, envelope) in [
            (slot(NEWEST, 7, EnvelopeKind::Anonymous), b"for seven"),
            (slot(NEWEST, 8, EnvelopeKind::Anonymous), b"for eight"),
            (slot(NEWEST, 7, EnvelopeKind::Reader), b"a reader!"),
            (slot((2, [9; 32]), 8, EnvelopeKind::Anonymous), b"not taken"),
            (slot((1, [6; 32]), 8, EnvelopeKind::Anonymous), b"an old v."),
        ] {
            store.put(slot, envelope).await.unwrap();
        }
        let gate = Takes {
            verifier: verifier(&store.name().await.unwrap()),
            nullifier: [1; 32],
        };
        Self { folder, store, gate }
    }

    async fn asks(&self, exchange: u8) -> Result<AnonymousEnvelopes, KeyStoreError> {
        self.store.release_anonymously(&asking(exchange), &self.gate).await
    }

    fn log(&self) -> String {
        let path = self.folder.path().join("releases").join(EPOCH.to_string());
        fs::read_to_string(path).unwrap_or_default()
    }
}

fn not_proven(outcome: Result<AnonymousEnvelopes, KeyStoreError>, word: &str) {
    match outcome {
        Err(KeyStoreError::Gate(GateError::NotProven { reason })) => assert!(reason.contains(word), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_proof_gets_the_newest_versions_whole_set_and_nothing_else() {
    let scene = Scene::new().await;
    let given = scene.asks(1).await.unwrap();
    assert_eq!((given.version, given.manifest_hash), NEWEST);
    let given: Vec<_> = given
        .envelopes
        .iter()
        .map(|one| (one.key[0], &one.envelope[..]))
        .collect();
    assert_eq!(given, [(7, &b"for seven"[..]), (8, b"for eight")]);
}

#[tokio::test]
async fn what_leaves_is_written_down_with_its_nullifier_and_without_a_reader() {
    let scene = Scene::new().await;
    scene.asks(1).await.unwrap();
    let expected = format!(
        "{{\"nullifier\":\"{}\",\"epoch\":{EPOCH},\"at\":1700000000,\"record\":\"{}\",\"exchange\":\"{}\"}}\n",
        "01".repeat(32),
        "02".repeat(16),
        "01".repeat(16)
    );
    assert_eq!(scene.log(), expected);
    let path = scene.folder.path().join("releases").join(EPOCH.to_string());
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn without_a_proof_nothing_leaves_and_nothing_is_written() {
    let scene = Scene::new().await;
    not_proven(scene.store.release_anonymously(&asking(1), &Refuses).await, "no");
    assert_eq!(scene.log(), "");
}

#[tokio::test]
async fn an_exchange_is_good_once_and_a_reader_has_its_part_of_an_hour_also_after_a_restart() {
    let mut scene = Scene::new().await;
    let most = NonZeroU32::new(2).unwrap();
    scene.store = scene.store.clone().releasing_at_most(most);
    scene.asks(1).await.unwrap();
    not_proven(scene.asks(1).await, "taken before");
    scene.store = FolderKeyStore::open(scene.folder.path())
        .unwrap()
        .releasing_at_most(most);
    not_proven(scene.asks(1).await, "taken before");
    scene.asks(2).await.unwrap();
    not_proven(scene.asks(3).await, "2 times");
    scene.gate.nullifier = [2; 32];
    scene.asks(3).await.unwrap();
}

#[tokio::test]
async fn an_envelope_that_was_altered_is_its_own_readers_loss() {
    let scene = Scene::new().await;
    let version = scene
        .folder
        .path()
        .join("envelopes")
        .join("01".repeat(16))
        .join("02".repeat(16));
    let folder = version.join("2").join("06".repeat(32));
    let name = |recipient: &str| folder.join(format!("{}.anonymous", recipient.repeat(32)));
    fs::write(name("07"), b"something else that is long enough for a nonce").unwrap();
    let given = scene.asks(1).await.unwrap();
    assert_eq!(given.envelopes.len(), 1);
    assert_eq!(given.envelopes[0].key, [8; 32]);
    fs::write(name("08"), b"short").unwrap();
    assert!(matches!(scene.asks(2).await, Err(KeyStoreError::Damaged)));
    assert_eq!(scene.log().lines().count(), 1, "nothing left the second time");
}

#[tokio::test]
async fn what_was_revoked_or_erased_does_not_leave() {
    let scene = Scene::new().await;
    for recipient in [7, 8] {
        let slot = slot(NEWEST, recipient, EnvelopeKind::Anonymous);
        assert!(scene.store.discard(slot).await.unwrap());
    }
    assert!(matches!(scene.asks(1).await, Err(KeyStoreError::NoEnvelope)));
    scene.store.destroy(PATIENT, RECORD).await.unwrap();
    assert!(matches!(scene.asks(1).await, Err(KeyStoreError::Destroyed)));
    assert_eq!(scene.log(), "");
}

#[tokio::test]
async fn a_proof_is_shown_to_one_store_and_not_to_several() {
    let scene = Scene::new().await;
    let other = tempfile::tempdir().unwrap();
    let alone = KeyStores::new(vec![scene.store.clone()]).unwrap();
    assert!(alone.release_anonymously(&asking(1), &scene.gate).await.is_ok());
    let both = vec![scene.store.clone(), FolderKeyStore::open(other.path()).unwrap()];
    let outcome = KeyStores::new(both)
        .unwrap()
        .release_anonymously(&asking(2), &scene.gate)
        .await;
    assert!(matches!(outcome, Err(KeyStoreError::SeveralVerifiers)), "{outcome:?}");
}
