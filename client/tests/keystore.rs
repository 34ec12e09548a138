//! The key store in a folder: envelopes come out for the reader whom the ledger names and for nobody else, and what is
//! removed or destroyed is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chartseal::keys::EncryptionKey;
use chartseal::seal::DataKey;
use chartseal::seal::envelope::{self, EnvelopeContext, RecipientKey, Suite, Wrapping};
use chartseal::store::keystore::{
    EnvelopeKind, EnvelopeSlot, GateError, ReleaseGate, ReleaseRequest, Released, ShareSlot,
};
use chartseal::store::{FolderKeyStore, KeyStore, KeyStoreError};

const PATIENT: [u8; 16] = [1; 16];
const RECORD: [u8; 16] = [2; 16];
const MANIFEST: [u8; 32] = [6; 32];
const READER: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];
const REQUEST: ReleaseRequest = ReleaseRequest {
    request_id: [9; 16],
    recipient: READER,
};

fn slot(version: u32, recipient: [u8; 32]) -> EnvelopeSlot {
    EnvelopeSlot {
        patient: PATIENT,
        record: RECORD,
        version,
        manifest_hash: MANIFEST,
        recipient,
        kind: EnvelopeKind::Reader,
    }
}

/// A ledger that allowed one request to one recipient.
struct Allows(Released);

impl ReleaseGate for Allows {
    async fn check(&self, request_id: [u8; 16]) -> Result<Released, GateError> {
        if request_id == REQUEST.request_id {
            Ok(self.0)
        } else {
            Err(GateError::NoDecision)
        }
    }
}

struct Refuses;

impl ReleaseGate for Refuses {
    async fn check(&self, _: [u8; 16]) -> Result<Released, GateError> {
        Err(GateError::Refused {
            reason: "grant expired".to_owned(),
        })
    }
}

fn allows(version: u32, recipient: [u8; 32]) -> Allows {
    Allows(Released {
        slot: slot(version, recipient),
        reader: [3; 32],
    })
}

fn allows_kind(kind: EnvelopeKind) -> Allows {
    let mut gate = allows(1, READER);
    gate.0.slot.kind = kind;
    gate
}

fn store() -> (tempfile::TempDir, FolderKeyStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderKeyStore::open(folder.path().join("keys")).unwrap();
    (folder, store)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn envelopes(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    files(&folder.path().join("keys/envelopes"))
}

#[tokio::test]
async fn the_reader_whom_the_ledger_names_gets_its_envelope() {
    let (_folder, store) = store();
    store.put(slot(0, READER), b"for the reader").await.unwrap();
    store.put(slot(0, OTHER), b"for another").await.unwrap();
    store.put(slot(1, READER), b"of the next version").await.unwrap();
    let released = store.release(&REQUEST, &allows(0, READER)).await.unwrap();
    assert_eq!(
        (released.envelope.as_slice(), released.released.slot.version),
        (&b"for the reader"[..], 0)
    );
}

#[tokio::test]
async fn a_request_that_was_allowed_to_another_releases_nothing() {
    let (_folder, store) = store();
    store.put(slot(0, READER), b"for the reader").await.unwrap();
    store.put(slot(0, OTHER), b"for another").await.unwrap();
    let released = store.release(&REQUEST, &allows(0, OTHER)).await;
    assert!(matches!(released, Err(KeyStoreError::NotTheReader)));
}

#[tokio::test]
async fn a_refused_or_unknown_request_releases_nothing() {
    let (_folder, store) = store();
    store.put(slot(0, READER), b"for the reader").await.unwrap();
    let refused = store.release(&REQUEST, &Refuses).await.unwrap_err();
    assert!(matches!(&refused, KeyStoreError::Gate(GateError::Refused { .. })));
    assert!(refused.to_string().contains("grant expired"));
    let unknown = ReleaseRequest {
        request_id: [0; 16],
        ..REQUEST
    };
    let released = store.release(&unknown, &allows(0, READER)).await;
    assert!(matches!(released, Err(KeyStoreError::Gate(GateError::NoDecision))));
}

#[tokio::test]
async fn a_reader_without_an_envelope_is_told_so() {
    let (_folder, store) = store();
    let none = store.release(&REQUEST, &allows(0, READER)).await.unwrap_err();
    assert!(matches!(none, KeyStoreError::NoEnvelope));
    store.put(slot(0, OTHER), b"for another").await.unwrap();
    let none = store.release(&REQUEST, &allows(0, READER)).await.unwrap_err();
    assert!(
        none.to_string()
            .contains("no envelope for this reader: key pending or revoked")
    );
}

#[tokio::test]
async fn slots_are_listed_by_version_and_recipient() {
    let (_folder, store) = store();
    for (version, recipient) in [(1, OTHER), (0, OTHER), (0, READER)] {
        store.put(slot(version, recipient), b"envelope").await.unwrap();
    }
    let slots = [slot(0, READER), slot(0, OTHER), slot(1, OTHER)];
    assert_eq!(store.slots(PATIENT, RECORD).await.unwrap(), slots);
    assert!(store.slots(PATIENT, [0; 16]).await.unwrap().is_empty());
}

#[tokio::test]
async fn discarding_an_envelope_leaves_the_others() {
    let (_folder, store) = store();
    for (version, recipient) in [(0, READER), (1, READER), (0, OTHER)] {
        store.put(slot(version, recipient), b"envelope").await.unwrap();
    }
    assert!(store.discard(slot(0, READER)).await.unwrap());
    assert!(!store.discard(slot(0, READER)).await.unwrap());
    assert!(matches!(
        store.release(&REQUEST, &allows(0, READER)).await,
        Err(KeyStoreError::NoEnvelope)
    ));
    assert_eq!(
        store.slots(PATIENT, RECORD).await.unwrap(),
        [slot(0, OTHER), slot(1, READER)]
    );
}

#[tokio::test]
async fn two_who_write_the_same_version_do_not_touch_each_others_envelopes() {
    let (_folder, store) = store();
    let rival = EnvelopeSlot {
        manifest_hash: [5; 32],
        ..slot(1, READER)
    };
    store.put(slot(1, READER), b"of the winner").await.unwrap();
    store.put(rival, b"of the loser").await.unwrap();
    assert!(store.discard(rival).await.unwrap());
    let released = store.release(&REQUEST, &allows(1, READER)).await.unwrap();
    assert_eq!(released.envelope, b"of the winner");
}

#[tokio::test]
async fn destroying_a_record_leaves_one_of_the_same_id_of_another_patient() {
    let (_folder, store) = store();
    let foreign = [0xAA; 16];
    store.put(slot(0, READER), b"envelope").await.unwrap();
    store
        .put(
            EnvelopeSlot {
                patient: foreign,
                ..slot(0, READER)
            },
            b"foreign",
        )
        .await
        .unwrap();
    store.destroy(foreign, RECORD).await.unwrap();
    assert!(store.release(&REQUEST, &allows(0, READER)).await.is_ok());
}

#[tokio::test]
async fn a_destroyed_record_opens_to_nobody_even_from_a_backup_of_its_envelopes() {
    let (folder, store) = store();
    store.put(slot(0, READER), b"envelope").await.unwrap();
    let envelope_file = envelopes(&folder).pop().unwrap();
    let backup = std::fs::read(&envelope_file).unwrap();

    store.destroy(PATIENT, RECORD).await.unwrap();
    store.destroy(PATIENT, RECORD).await.unwrap();
    assert!(envelopes(&folder).is_empty());
    std::fs::create_dir_all(envelope_file.parent().unwrap()).unwrap();
    std::fs::write(&envelope_file, backup).unwrap();
    assert!(matches!(
        store.release(&REQUEST, &allows(0, READER)).await,
        Err(KeyStoreError::Destroyed)
    ));
    assert!(matches!(
        store.put(slot(1, READER), b"envelope").await,
        Err(KeyStoreError::Destroyed)
    ));
    // Not even the tombstone's going brings the key back.
    std::fs::remove_file(
        folder
            .path()
            .join("keys/record-keys")
            .join(hex::encode(PATIENT))
            .join(format!("{}.destroyed", hex::encode(RECORD))),
    )
    .unwrap();
    assert!(matches!(
        store.release(&REQUEST, &allows(0, READER)).await,
        Err(KeyStoreError::NoEnvelope)
    ));
}

#[tokio::test]
async fn destroying_a_record_leaves_other_records() {
    let (_folder, store) = store();
    store
        .put(
            EnvelopeSlot {
                record: [4; 16],
                ..slot(0, READER)
            },
            b"other",
        )
        .await
        .unwrap();
    store.put(slot(0, READER), b"envelope").await.unwrap();
    store.destroy(PATIENT, [4; 16]).await.unwrap();
    assert!(store.release(&REQUEST, &allows(0, READER)).await.is_ok());
}

#[tokio::test]
async fn envelopes_that_were_moved_or_altered_do_not_come_out() {
    let (folder, store) = store();
    store.put(slot(0, READER), b"for the reader").await.unwrap();
    store.put(slot(0, OTHER), b"for another").await.unwrap();
    let [of_reader, of_other] = envelopes(&folder).try_into().unwrap();
    let (good, moved) = (std::fs::read(&of_reader).unwrap(), std::fs::read(&of_other).unwrap());
    let mut altered = good.clone();
    altered[20] ^= 1;
    for wrong in [moved, altered, good[..20].to_vec(), Vec::new()] {
        std::fs::write(&of_reader, wrong).unwrap();
        assert!(matches!(
            store.release(&REQUEST, &allows(0, READER)).await,
            Err(KeyStoreError::Damaged)
        ));
    }
}

#[tokio::test]
async fn nothing_in_the_folder_is_readable_by_others_or_in_the_clear() {
    let (folder, store) = store();
    store.put(slot(0, READER), b"the envelope itself").await.unwrap();
    for file in files(&folder.path().join("keys")) {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            file.display()
        );
        assert!(!file.file_name().unwrap().to_str().unwrap().contains(".part"));
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"envelope"));
    }
    assert_eq!(
        folder.path().join("keys").metadata().unwrap().permissions().mode() & 0o077,
        0
    );
    let record_keys = folder.path().join("keys/record-keys");
    assert_eq!(
        std::fs::read(record_keys.join(hex::encode(PATIENT)).join(hex::encode(RECORD)))
            .unwrap()
            .len(),
        32
    );
}

#[tokio::test]
async fn many_at_once_agree_on_one_record_key() {
    let (_folder, store) = store();
    let puts = (0..16_u8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.put(slot(u32::from(number), READER), &[number]).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    for version in 0..16 {
        let released = store.release(&REQUEST, &allows(version, READER)).await.unwrap();
        assert_eq!(u32::from(released.envelope[0]), version);
    }
}

#[tokio::test]
async fn a_reopened_store_has_what_was_put_in() {
    let (folder, store) = store();
    store.put(slot(0, READER), b"first").await.unwrap();
    store.put(slot(0, READER), b"second").await.unwrap();
    drop(store);
    let store = FolderKeyStore::open(folder.path().join("keys")).unwrap();
    assert_eq!(
        store.release(&REQUEST, &allows(0, READER)).await.unwrap().envelope,
        b"second"
    );
    assert!(matches!(
        store.put(slot(0, READER), &[0; 5000]).await,
        Err(KeyStoreError::TooLong(5000))
    ));
}

#[tokio::test]
async fn shares_are_kept_beside_envelopes_and_only_their_own_kind_comes_out() {
    let (_folder, store) = store();
    let released = EnvelopeKind::Released {
        holder: OTHER,
        emergency: [5; 16],
    };
    let kinds = [
        EnvelopeKind::Reader,
        EnvelopeKind::BreakGlass { threshold: 2 },
        released,
    ];
    for (n, kind) in kinds.into_iter().enumerate() {
        let envelope = format!("of kind {n}");
        store
            .put(
                EnvelopeSlot {
                    kind,
                    ..slot(1, READER)
                },
                envelope.as_bytes(),
            )
            .await
            .unwrap();
    }
    let kept = store.slots(PATIENT, RECORD).await.unwrap();
    assert_eq!(
        kept,
        kinds.map(|kind| EnvelopeSlot {
            kind,
            ..slot(1, READER)
        })
    );
    for (n, kind) in kinds.into_iter().enumerate() {
        let gate = allows_kind(kind);
        let out = store.release(&REQUEST, &gate).await.unwrap();
        assert_eq!(out.envelope, format!("of kind {n}").as_bytes());
    }
    let gate = allows_kind(EnvelopeKind::BreakGlass { threshold: 3 });
    assert!(matches!(
        store.release(&REQUEST, &gate).await,
        Err(KeyStoreError::NoEnvelope)
    ));
}

#[tokio::test]
async fn an_envelope_that_was_made_another_kind_does_not_come_out() {
    let (folder, store) = store();
    store.put(slot(1, READER), b"envelope").await.unwrap();
    let file = envelopes(&folder).pop().unwrap();
    let mut name = file.file_name().unwrap().to_owned();
    name.push(".break-glass-2");
    std::fs::rename(&file, file.with_file_name(name)).unwrap();
    let gate = allows_kind(EnvelopeKind::BreakGlass { threshold: 2 });
    assert!(matches!(
        store.release(&REQUEST, &gate).await,
        Err(KeyStoreError::Damaged)
    ));
}

#[tokio::test]
async fn an_envelope_tells_how_and_to_which_key_it_is_wrapped() {
    let (_folder, store) = store();
    let context = EnvelopeContext {
        cluster: [1; 32],
        program: [2; 32],
        patient: PATIENT,
        record: RECORD,
        version: 1,
        manifest_hash: MANIFEST,
        recipient: READER,
        recipient_key_epoch: 7,
    };
    let (key, reader) = (DataKey::generate().unwrap(), EncryptionKey::generate().unwrap());
    let x_wing = RecipientKey::XWing(reader.post_quantum().unwrap());
    for (version, to, suite) in [
        (1, RecipientKey::X25519(&reader.public()), Suite::X25519),
        (2, x_wing, Suite::XWing),
    ] {
        let envelope = envelope::wrap(&key, to, &context).unwrap();
        store.put(slot(version, READER), &envelope).await.unwrap();
        let wrapping = store.wrapping(slot(version, READER)).await.unwrap();
        assert_eq!(wrapping, Some(Wrapping { suite, key_epoch: 7 }));
    }
    store.put(slot(3, READER), b"no envelope").await.unwrap();
    assert_eq!(store.wrapping(slot(3, READER)).await.unwrap(), None);
    assert_eq!(store.wrapping(slot(4, READER)).await.unwrap(), None);
    store.destroy(PATIENT, RECORD).await.unwrap();
    let gone = store.wrapping(slot(1, READER)).await;
    assert!(matches!(gone, Err(KeyStoreError::Destroyed)));
}

fn share(key_epoch: u32, dealing: u8, guardian: u8) -> ShareSlot {
    ShareSlot {
        patient: PATIENT,
        key_epoch,
        dealing: [dealing; 16],
        guardian: [guardian; 32],
        sealed_to: [9; 32],
    }
}

#[tokio::test]
async fn shares_of_several_dealings_lie_side_by_side() {
    let (folder, store) = store();
    assert_eq!(store.shares(PATIENT).await.unwrap(), []);
    let slots = [share(1, 1, 1), share(1, 1, 2), share(1, 2, 1), share(10, 1, 1)];
    for (number, slot) in slots.iter().enumerate().rev() {
        store
            .put_share(*slot, format!("share {number}").as_bytes())
            .await
            .unwrap();
    }
    assert_eq!(store.shares(PATIENT).await.unwrap(), slots);
    assert_eq!(store.shares([8; 16]).await.unwrap(), [], "of another patient");
    assert_eq!(store.share(slots[2]).await.unwrap().unwrap(), b"share 2");
    assert!(store.discard_share(slots[2]).await.unwrap());
    assert!(!store.discard_share(slots[2]).await.unwrap());
    assert_eq!(store.share(slots[2]).await.unwrap(), None);
    assert_eq!(store.shares(PATIENT).await.unwrap().len(), 3);
    for path in files(&folder.path().join("keys/shares")) {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let long = store.put_share(slots[0], &[0; 4097]).await;
    assert!(matches!(long, Err(KeyStoreError::TooLong(4097))));
}

#[tokio::test]
async fn destroying_a_record_leaves_the_shares_of_its_patients_key() {
    let (_folder, store) = store();
    store.put_share(share(1, 1, 1), b"share").await.unwrap();
    store.put(slot(1, READER), b"envelope").await.unwrap();
    store.destroy(PATIENT, RECORD).await.unwrap();
    assert_eq!(store.shares(PATIENT).await.unwrap(), [share(1, 1, 1)]);
}
