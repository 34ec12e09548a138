//! The key service over HTTP, with the real ledger behind it: staff stores, readers open, and everybody else goes away
//! without a key.

#![allow(clippy::unwrap_used, clippy::panic)]

mod commands;
mod overreach;
mod scene;
mod sharing;
mod writing;

use chartseal::{
    keys::{Identity, WalletKey},
    ledger::LedgerGate,
    ops::{Access, GetRequest},
    seal::{
        OpenError, RecordIds,
        envelope::{self, EnvelopeContext},
        fetch_manifest, open_stream,
    },
    store::{
        FolderKeyStore, KeyStore as _, KeyStoreError, KeyStores,
        keystore::{
            EnvelopeSlot, GateError, KeyBackend, ReleaseRequest, Released, ReleasedEnvelope, RemoteKeyStore,
            remote::{
                signature::{Headers, now},
                wire::{Asked, Call, Failure, RecordId},
            },
        },
    },
};
use chartseal_tests::{keyservice::KeyService, programs::program};
use reqwest::StatusCode;

use self::scene::{NOTE, Scene, account, failure, id, keys_of, member, own_slot, post, refused};

#[tokio::test(flavor = "multi_thread")]
async fn staff_stores_by_way_of_the_service_and_readers_open_by_way_of_it() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let (access, bytes) = scene.opens(&scene.doctors(), record).await;
    assert_eq!(bytes, NOTE);
    // The patient needs to be nothing but the patient.
    let (_, bytes) = scene.opens(&scene.session(&scene.clinic.patient, None), record).await;
    assert_eq!(bytes, NOTE);
    // The same request gives the same, as often as it is made.
    let keys = scene.doctors();
    let first = scene.releases(keys.keys(), &access).await.unwrap();
    assert_eq!(scene.releases(keys.keys(), &access).await.unwrap(), first);
    // Whoever has the folder finds what the service filed.
    let (outcome, opened) = scene.clinic.opens(&scene.doctor.person, &hex::encode(record)).unwrap();
    assert_eq!(opened.as_deref(), Some(NOTE), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_in_time_and_for_the_first_time_gives_nothing() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let (access, _) = scene.opens(&scene.doctors(), record).await;
    let (wallet, body) = (keys_of(&scene.doctor.person).wallet, scene.asks(&access));

    let good = scene.signs(&wallet, &body, now(), 1);
    let (status, answer) = post(&scene.service, &good, body.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let Released { slot, reader } = serde_json::from_slice::<ReleasedEnvelope>(&answer).unwrap().released;
    assert_eq!((slot.record, reader), (record, wallet.address()));

    let unsigned = Headers {
        content_digest: String::new(),
        signature_input: String::new(),
        signature: String::new(),
    };
    let stale = scene.signs(&wallet, &body, now() - 120, 2);
    let early = scene.signs(&wallet, &body, now() + 120, 3);
    let other = scene.signs(&wallet, b"{}", now(), 4);
    for (headers, word) in [
        (&unsigned, "RFC 9421"),
        (&stale, "clock"),
        (&early, "clock"),
        (&good, "before"),
        (&other, "digest"),
    ] {
        let (status, answer) = post(&scene.service, headers, body.clone()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{word}");
        match failure(&answer) {
            Failure::NotSigned { detail, now: clock } => {
                assert!(detail.contains(word), "{detail}");
                assert!((clock - now()).abs() < 60);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_somebody_else_gives_nothing() {
    let scene = Scene::new();
    let nurse = scene.clinic.employs("nurse", "nurse").unwrap();
    let record = scene.puts(0).await;
    let (access, _) = scene.opens(&scene.doctors(), record).await;
    // It stands on chain for everybody to see, and the nurse is staff.
    for acting in [None, Some(member(&nurse))] {
        let keys = scene.keys(&keys_of(&nurse.person), acting);
        let outcome = scene.releases(&keys, &access).await;
        assert!(matches!(outcome, Err(KeyStoreError::NotTheReader)), "{outcome:?}");
    }
    // Nor is anybody else told whether the key is there.
    let own = own_slot(&scene, &scene.session(&scene.clinic.patient, None), record).await;
    let doctors = EnvelopeSlot {
        recipient: scene.recipient(),
        ..own
    };
    assert!(scene.doctors().keys().discard(doctors).await.unwrap());
    let outcome = scene.releases(scene.doctors().keys(), &access).await;
    assert!(matches!(outcome, Err(KeyStoreError::NoEnvelope)), "{outcome:?}");
    let nurses = scene.keys(&keys_of(&nurse.person), None);
    let outcome = scene.releases(&nurses, &access).await;
    assert!(matches!(outcome, Err(KeyStoreError::NotTheReader)), "{outcome:?}");
    // Nor does one that was never made.
    let invented = Access {
        request: [7; 16],
        ..access
    };
    let outcome = scene.releases(scene.doctors().keys(), &invented).await;
    assert!(
        matches!(outcome, Err(KeyStoreError::Gate(GateError::NoDecision))),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_that_would_be_refused_by_now_gives_nothing() {
    let scene = Scene::new();
    // Not the author, who may always read.
    let nurse = scene.clinic.employs("nurse", "nurse").unwrap();
    let terms = ["--classes", "0", "--rights", "read", "--purposes", "treatment"];
    let grant = scene
        .clinic
        .grants(&format!("member:{}", nurse.member), &terms)
        .unwrap();
    let record = scene.puts(0).await;
    let nurses = scene.session(&nurse.person, Some(member(&nurse)));
    let (access, _) = scene.opens(&nurses, record).await;
    let release = || scene.releases_to(account(&nurse), nurses.keys(), &access);
    release().await.unwrap();

    let admin = scene.clinic.stack.person("admin");
    admin.does(&["registry", "pause"]).unwrap();
    refused(release().await, "paused");
    admin.does(&["registry", "resume"]).unwrap();
    release().await.unwrap();

    scene
        .clinic
        .patient
        .does(&["revoke", &scene.clinic.patient_id, &grant])
        .unwrap();
    refused(release().await, "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn patient_and_author_open_earlier_versions_by_way_of_the_service() {
    let scene = Scene::new();
    let colleague = scene.clinic.employs("colleague", "doctor").unwrap();
    let terms = ["--classes", "0", "--rights", "read,amend", "--purposes", "treatment"];
    let to = format!("member:{}", colleague.member);
    scene.clinic.grants(&to, &terms).unwrap();
    let record = scene.puts(0).await;
    let file = scene.clinic.stack.folder().join("amended.txt");
    std::fs::write(&file, "allergic to penicillin").unwrap();
    let (of, id) = (scene.clinic.patient_id.as_str(), hex::encode(record));
    let words = ["amend", of, &id, file.to_str().unwrap()];
    colleague.person.does(&words).unwrap();
    for session in [scene.doctors(), scene.session(&scene.clinic.patient, None)] {
        for (version, text) in [(1, NOTE), (2, b"allergic to penicillin".as_slice())] {
            let mut bytes = Vec::new();
            let request = GetRequest {
                version: Some(version),
                ..scene.get(record)
            };
            session.get(&request, &mut bytes, &|_| {}).await.unwrap();
            assert_eq!(bytes, text, "version {version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrapped_to_an_earlier_key_of_the_reader_stays() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let patient = scene.session(&scene.clinic.patient, None);
    let slot = own_slot(&scene, &patient, record).await;
    let (access, _) = scene.opens(&patient, record).await;
    let ledger = scene.ledger();
    let gate = LedgerGate::new(&ledger, access.signature.parse().unwrap());
    let request = ReleaseRequest {
        request_id: access.request,
        recipient: slot.recipient,
    };
    let earlier = patient.keys().release(&request, &gate).await.unwrap().envelope;

    scene
        .clinic
        .patient
        .does(&["keys", "rotate", &scene.clinic.patient_id])
        .unwrap();
    let rewrapped = patient.keys().release(&request, &gate).await.unwrap().envelope;
    assert_ne!(rewrapped, earlier);
    patient.keys().put(slot, &earlier).await.unwrap();
    let outcome = patient
        .keys()
        .release(&request, &gate)
        .await
        .map(|released| released.envelope);
    refused(outcome, "epoch 1");
    // Nor does a folder that has none make "there is none" of that refusal.
    let empty = FolderKeyStore::open(scene.clinic.stack.folder().join("empty")).unwrap();
    let both = KeyStores::new(vec![empty.into(), KeyBackend::from(patient.keys().clone())]).unwrap();
    let outcome = both.release(&request, &gate).await.map(|released| released.envelope);
    refused(outcome, "epoch 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_key_opens_its_record_and_no_other() {
    let scene = Scene::new();
    let [record, other] = [scene.puts(0).await, scene.puts(1).await];
    let doctors = scene.doctors();
    let (access, _) = scene.opens(&doctors, record).await;
    let envelope = scene.releases(doctors.keys(), &access).await.unwrap();
    let ledger = scene.ledger();
    let (identity, recipient) = (keys_of(&scene.doctor.person), scene.recipient());
    let (institution, member) = scene.doctor.member.split_once(':').unwrap();
    let epoch = ledger.member(&id(institution), &id(member)).await.unwrap().key_epoch;
    let mut keys = Vec::new();
    for record in [record, other] {
        let account = ledger.record(&scene.patient, &record).await.unwrap();
        let context = EnvelopeContext {
            cluster: ledger.cluster().await.unwrap(),
            program: chartseal_program::ID.to_bytes(),
            patient: scene.patient,
            record,
            version: account.version,
            manifest_hash: account.manifest_hash,
            recipient,
            recipient_key_epoch: epoch,
        };
        keys.push((account, envelope::open(&envelope, &identity.encryption, &context)));
    }
    let [(_, Ok(key)), (account, Err(_))] = keys.as_slice() else {
        panic!("the envelope is bound to its record");
    };
    let on_chain = chartseal::seal::OnChain {
        manifest_hash: account.manifest_hash,
        content_root: account.content_root,
    };
    let ids = RecordIds {
        patient: scene.patient,
        record: other,
        version: account.version,
    };
    let stores = scene.store();
    let manifest = fetch_manifest(&stores, account.locator, account.manifest_hash)
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let opened = open_stream(&manifest, &on_chain, ids, key, &stores, None, &mut bytes, &|_| {}).await;
    assert!(matches!(opened, Err(OpenError::Manifest(_))), "{opened:?}");
    assert!(bytes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_is_an_error_that_says_so() {
    let scene = Scene::new();
    let stranger = Identity::generate().unwrap();
    // It asks until the service takes calls.
    scene.keys(&stranger, None).name().await.unwrap();
    let (wallet, long) = (stranger.wallet, vec![b' '; 100_000]);
    for (nonce, body) in [
        (1, b"".as_slice()),
        (2, b"{"),
        (3, b"{\"call\":\"unknown\"}"),
        (4, b"{\"call\":\"name\",\"more\":1}"),
    ] {
        let headers = scene.signs(&wallet, body, now(), nonce);
        let (status, answer) = post(&scene.service, &headers, body.to_vec()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{}", String::from_utf8_lossy(body));
        assert!(matches!(failure(&answer), Failure::NotAllowed { .. }));
    }
    let headers = scene.signs(&wallet, &long, now(), 5);
    assert_eq!(
        post(&scene.service, &headers, long).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let asked = Asked {
        acting: None,
        call: Call::Slots(RecordId {
            patient: [1; 16],
            record: [2; 16],
        }),
    };
    let body = serde_json::to_vec(&asked).unwrap();
    let headers = scene.signs(&wallet, &body, now(), 6);
    assert_eq!(post(&scene.service, &headers, body).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn over_tls_a_service_is_who_its_certificate_says() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = [
        "--tls-certificate",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let service = KeyService::start(&folder.path().join("keys"), &options).unwrap();
    assert!(service.url.starts_with("https://"), "{}", service.url);

    let wallet = WalletKey::generate().unwrap();
    let trusting = RemoteKeyStore::with_root(&service.url, wallet.clone(), made.cert.pem().as_bytes()).unwrap();
    assert_eq!(trusting.name().await.unwrap().len(), 32);
    // A name that nobody in the world vouches for.
    let wary = RemoteKeyStore::new(&service.url, wallet.clone()).unwrap();
    assert!(matches!(wary.name().await, Err(KeyStoreError::Service { .. })));
    let hushed = RemoteKeyStore::new("https://:hush@keys.example", wallet.clone());
    let error = hushed.unwrap_err().to_string();
    assert!(error.contains("password") && !error.contains("hush"), "{error}");
    let elsewhere = RemoteKeyStore::new("http://keys.example", wallet);
    assert!(
        matches!(elsewhere, Err(KeyStoreError::Service { .. })),
        "not without TLS"
    );
}

#[test]
fn a_service_that_others_could_listen_to_does_not_start_without_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program("chartseal-keyservice").unwrap();
    command
        .args(["--listen", "0.0.0.0:0", "--key-store"])
        .arg(folder.path().join("keys"));
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("--tls-certificate"),
        "{error}"
    );
}
