//! Whoever may do something by way of the service does that and no more: neither in the place of what others stored, nor
//! so often that others find nothing any more.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use chartseal::{
    keys::Identity,
    store::{
        KeyStore as _, KeyStoreError,
        keystore::{
            EnvelopeKind, EnvelopeSlot, ShareSlot,
            remote::{
                signature::now,
                wire::{Acting, Asked, Call, Failure},
            },
        },
    },
};
use chartseal_program::seeds::address;
use chartseal_tests::keyservice::KeyService;
use reqwest::StatusCode;

use super::scene::{NOTE, Scene, account, failure, id, keys_of, member, own_slot, post};

#[track_caller]
fn not_allowed<T: std::fmt::Debug>(outcome: Result<T, KeyStoreError>) {
    match outcome {
        Err(KeyStoreError::NotAllowed { .. }) => {}
        other => panic!("{other:?}"),
    }
}

/// A slot of the record for somebody, and an envelope that was released for the doctor.
async fn envelope_of(scene: &Scene, record: [u8; 16]) -> (EnvelopeSlot, Vec<u8>) {
    let (access, _) = scene.opens(&scene.doctors(), record).await;
    let envelope = scene.releases(scene.doctors().keys(), &access).await.unwrap();
    let own = own_slot(scene, &scene.session(&scene.clinic.patient, None), record).await;
    let recipient = scene.recipient();
    (EnvelopeSlot { recipient, ..own }, envelope)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_passes_its_own_share_on_and_stores_nothing_else() {
    let scene = Scene::new();
    let guardians = ["ada", "bo"].map(|name| {
        let person = scene.clinic.stack.person(name);
        let wallet = person.arrives().unwrap();
        (wallet, keys_of(&person))
    });
    let named = guardians
        .each_ref()
        .map(|(wallet, keys)| format!("{wallet}:{}", hex::encode(keys.encryption.public())));
    let of = scene.clinic.patient_id.as_str();
    let words = ["guardian", "set", of, "--threshold", "2", "--delay", "2d"];
    let words = [&words[..], &["--guardian", &named[0], "--guardian", &named[1]]].concat();
    scene.clinic.patient.does(&words).unwrap();

    let [guardian, other] = guardians.each_ref().map(|(_, keys)| scene.keys(keys, None));
    let dealt = guardian.shares(scene.patient).await.unwrap();
    assert_eq!(dealt.len(), 2);
    let own = *dealt
        .iter()
        .find(|slot| slot.guardian == guardians[0].1.wallet.address())
        .unwrap();
    let share = guardian.share(own).await.unwrap().unwrap();
    let patients_key = keys_of(&scene.clinic.patient).encryption.public();
    let passed_on = ShareSlot {
        sealed_to: patients_key,
        ..own
    };
    for slot in [
        // No dealing that there was, no key that anybody reads with, not what the patient dealt, not another's.
        ShareSlot {
            dealing: [7; 16],
            ..passed_on
        },
        ShareSlot {
            key_epoch: own.key_epoch + 1,
            ..passed_on
        },
        ShareSlot {
            sealed_to: [7; 32],
            ..own
        },
        own,
    ] {
        not_allowed(guardian.put_share(slot, &share).await);
    }
    not_allowed(other.put_share(passed_on, &share).await);
    not_allowed(guardian.discard_share(own).await);
    assert_eq!(guardian.shares(scene.patient).await.unwrap(), dealt);

    guardian.put_share(passed_on, &share).await.unwrap();
    assert_eq!(guardian.shares(scene.patient).await.unwrap().len(), 3);
    // The patient takes all of it back.
    let patients = scene.keys(&keys_of(&scene.clinic.patient), None);
    assert!(patients.discard_share(passed_on).await.unwrap());
    scene.clinic.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_who_may_only_write_replaces_no_envelope_of_a_record_that_stands() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let (doctors, envelope) = envelope_of(&scene, record).await;
    let carer = scene.clinic.stack.person("carer");
    let wallet = carer.arrives().unwrap();
    let of = scene.clinic.patient_id.as_str();
    let words = ["delegate", "name", of, "--wallet", &wallet, "--rights", "append"];
    let delegate = scene.clinic.patient.does(&words).unwrap().text("delegate").unwrap();
    carer.does(&["delegate", "accept", of, &delegate]).unwrap();
    let acting = Acting::Delegate {
        patient: scene.patient,
        delegate: id(&delegate),
    };
    let keys = scene.keys(&keys_of(&carer), Some(acting));

    not_allowed(keys.put(doctors, &envelope).await);
    assert_eq!(scene.opens(&scene.doctors(), record).await.1, NOTE);
    // Where nothing lies it stores, once; and of what is not on chain yet as often as it tries.
    let nurse = scene.clinic.employs("nurse", "nurse").unwrap();
    let nurses = EnvelopeSlot {
        recipient: account(&nurse),
        ..doctors
    };
    keys.put(nurses, &envelope).await.unwrap();
    not_allowed(keys.put(nurses, &envelope).await);
    for to_come in [
        EnvelopeSlot {
            version: doctors.version + 1,
            ..doctors
        },
        EnvelopeSlot {
            record: [7; 16],
            ..doctors
        },
    ] {
        for _ in 0..2 {
            keys.put(to_come, &envelope).await.unwrap();
        }
    }
    scene.clinic.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_gives_its_share_of_the_version_that_the_emergency_opens() {
    let scene = Scene::new();
    let (holder, holder_id) = scene.clinic.institution("university", "hospital").unwrap();
    let second = scene.clinic.institution("county", "hospital").unwrap().1;
    let of = scene.clinic.patient_id.as_str();
    let named = format!("{holder_id},{second}");
    let words = ["break-glass", "set", of, "--holders", &named, "--threshold", "2"];
    scene.clinic.patient.does(&words).unwrap();
    let record = scene.puts(0).await;
    let (doctors, envelope) = envelope_of(&scene, record).await;
    let surgeon = scene.clinic.employs("surgeon", "doctor").unwrap();
    let credential = ["member", "emergency-credential", "on", &surgeon.member];
    scene.clinic.hospital.does(&credential).unwrap();
    let books = scene.clinic.stack.folder().join("books");
    let words = [
        "emergency",
        "open",
        "--patient",
        of,
        "--reason",
        "unconscious",
        "--books",
    ];
    let words = [&words[..], &[books.to_str().unwrap()]].concat();
    let emergency = surgeon.person.does(&words).unwrap().text("emergency").unwrap();

    let acting = Acting::Authority {
        institution: id(&holder_id),
    };
    let keys = scene.keys(&keys_of(&holder), Some(acting));
    let share = EnvelopeSlot {
        recipient: account(&surgeon),
        kind: EnvelopeKind::Released {
            holder: address::institution(&id(&holder_id)).to_bytes(),
            emergency: id(&emergency),
        },
        ..doctors
    };
    for slot in [
        EnvelopeSlot {
            version: share.version + 1,
            ..share
        },
        EnvelopeSlot {
            manifest_hash: [7; 32],
            ..share
        },
    ] {
        not_allowed(keys.put(slot, &envelope).await);
    }
    keys.put(share, &envelope).await.unwrap();
    scene.clinic.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_chart_does_not_fill_the_disk_and_staff_stores_all_the_same() {
    let mut scene = Scene::new();
    let record = scene.puts(0).await;
    let (slot, envelope) = envelope_of(&scene, record).await;
    let rpc = scene.clinic.stack.endpoints().rpc.clone();
    // One patient's part: two an hour, and eight at once.
    let options = [
        "--rpc",
        &rpc,
        "--institution",
        &scene.clinic.id,
        "--others-per-hour",
        "8",
    ];
    scene.service = KeyService::start(&scene.clinic.patient.key_store(), &options).unwrap();
    let patient = keys_of(&scene.clinic.patient);
    // It asks until the service takes calls.
    scene.keys(&patient, None).name().await.unwrap();

    let invented = |n: u8| EnvelopeSlot {
        record: [n; 16],
        ..slot
    };
    let puts = async |identity: &Identity, acting: Acting, slot: EnvelopeSlot, nonce: u8| {
        let asked = Asked {
            acting: Some(acting),
            call: Call::Put {
                slot,
                envelope: envelope.clone(),
            },
        };
        let body = serde_json::to_vec(&asked).unwrap();
        let headers = scene.signs(&identity.wallet, &body, now(), nonce);
        post(&scene.service, &headers, body).await
    };
    let as_patient = Acting::Patient { patient: scene.patient };
    for n in 0..8 {
        assert_eq!(
            puts(&patient, as_patient, invented(n), n).await.0,
            StatusCode::OK,
            "{n}"
        );
    }
    let (status, answer) = puts(&patient, as_patient, invented(8), 8).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    match failure(&answer) {
        Failure::Later { detail, .. } => assert!(detail.contains("this patient"), "{detail}"),
        other => panic!("{other:?}"),
    }
    // What is there may be wrapped anew, and staff has work to do.
    assert_eq!(puts(&patient, as_patient, invented(0), 9).await.0, StatusCode::OK);
    let doctor = keys_of(&scene.doctor.person);
    let (status, _) = puts(&doctor, member(&scene.doctor), invented(8), 10).await;
    assert_eq!(status, StatusCode::OK);
    scene.clinic.stack.stop().unwrap();
}

#[test]
fn a_connection_on_which_nothing_comes_is_not_held() {
    let folder = tempfile::tempdir().unwrap();
    let service = KeyService::start(&folder.path().join("keys"), &["--patience", "1"]).unwrap();
    for (said, answered) in [
        ("", ""),
        ("PRI * HTTP/2.0\r\n", ""),
        ("POST /v1/calls HTTP/1.1\r\nhost: ", ""),
        ("GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n", "HTTP/1.1 200"),
        (
            "POST /v1/calls HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{",
            "HTTP/1.1 408",
        ),
    ] {
        let mut connection = TcpStream::connect(service.authority()).unwrap();
        // It would be for ever.
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        connection.write_all(said.as_bytes()).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(answered), "{said:?}: {answer}");
    }
}
