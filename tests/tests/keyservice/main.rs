//! The key service over HTTP, with the real ledger behind it: staff stores, readers open, and everybody else goes away
//! without a key.

#![allow(clippy::unwrap_used, clippy::panic)]

use chartseal::{
    keys::{Identity, Passphrase, WalletKey},
    ledger::{Ledger, LedgerGate},
    ops::{Access, GetRequest, PutRequest, Session},
    seal::{
        Input, OpenError, RecordIds, SealOptions,
        envelope::{self, EnvelopeContext},
        fetch_manifest, open_stream,
    },
    store::{
        Gateway, GatewayOptions, KeyStore as _, KeyStoreError, Stores,
        keystore::{
            Claim, EnvelopeKind, EnvelopeSlot, GateError, ReleaseGate as _, ReleaseRequest, Released, ReleasedEnvelope,
            RemoteKeyStore, ShareSlot,
            remote::{
                signature::{self, Headers, Message, now},
                wire::{Acting, Asked, Asking, CALLS, Call, Failure, RecordId},
            },
        },
    },
};
use chartseal_program::{
    seeds::{Id, address},
    vocabulary::Purpose,
};
use chartseal_tests::{
    clinic::{Clinic, Employee},
    keyservice::KeyService,
    people::Person,
    programs::program,
};
use reqwest::StatusCode;
use solana_signature::Signature;

const NOTE: &[u8] = b"no allergies known";

mod commands;
mod sharing;

/// Sends a call to a service with these headers.
async fn post(service: &KeyService, headers: &Headers, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let request = reqwest::Client::new()
        .post(format!("{}{CALLS}", service.url))
        .header("content-digest", &headers.content_digest)
        .header("signature-input", &headers.signature_input)
        .header("signature", &headers.signature)
        .body(body);
    let response = request.send().await.unwrap();
    (response.status(), response.bytes().await.unwrap().to_vec())
}

type Remote = Session<Gateway, RemoteKeyStore>;

/// A hospital with a key service, a doctor who may write and read, and a record.
struct Scene {
    clinic: Clinic,
    service: KeyService,
    doctor: Employee,
    patient: Id,
}

fn id(text: &str) -> Id {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).unwrap();
    id
}

fn member(employee: &Employee) -> Acting {
    let (institution, member) = employee.member.split_once(':').unwrap();
    Acting::Member {
        institution: id(institution),
        member: id(member),
    }
}

fn account(employee: &Employee) -> [u8; 32] {
    let (institution, member) = employee.member.split_once(':').unwrap();
    address::member(&id(institution), &id(member)).to_bytes()
}

fn keys_of(person: &Person) -> Identity {
    let passphrase = std::fs::read(person.passphrase()).unwrap();
    let passphrase = Passphrase::new(passphrase.trim_ascii_end()).unwrap();
    Identity::load(&person.identity(), &passphrase).unwrap()
}

impl Scene {
    fn new() -> Self {
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        let terms = ["--classes", "0,1", "--rights", "read,append", "--purposes", "treatment"];
        clinic.grants(&format!("member:{}", doctor.member), &terms).unwrap();
        Self {
            service: KeyService::of_clinic(&clinic).unwrap(),
            patient: id(&clinic.patient_id),
            clinic,
            doctor,
        }
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(&self.clinic.stack.endpoints().rpc)
    }

    fn store(&self) -> Stores<Gateway> {
        let gateway = &self.clinic.stack.endpoints().gateway;
        Stores::one(Gateway::new(gateway, GatewayOptions::default()).unwrap())
    }

    fn keys(&self, identity: &Identity, acting: Option<Acting>) -> RemoteKeyStore {
        let keys = RemoteKeyStore::new(&self.service.url, identity.wallet.clone()).unwrap();
        match acting {
            Some(acting) => keys.acting(acting),
            None => keys,
        }
    }

    fn session(&self, person: &Person, acting: Option<Acting>) -> Remote {
        let identity = keys_of(person);
        let keys = self.keys(&identity, acting);
        Session::new(identity, self.ledger(), self.store(), keys)
    }

    fn doctors(&self) -> Remote {
        self.session(&self.doctor.person, Some(member(&self.doctor)))
    }

    async fn puts(&self, class: u8) -> Id {
        let request = PutRequest {
            patient: self.patient,
            class,
            purpose: Purpose::Treatment,
            grant: None,
            seal: SealOptions::named("note.txt"),
            journal: None,
        };
        let put = self
            .doctors()
            .put(&request, Input::stream(NOTE), &|_| {})
            .await
            .unwrap();
        put.record
    }

    fn get(&self, record: Id) -> GetRequest {
        GetRequest {
            patient: self.patient,
            record,
            version: None,
            purpose: Purpose::Treatment,
            grant: None,
            payment: None,
            range: None,
            partial: None,
        }
    }

    /// Opens a record by way of the service.
    async fn opens(&self, session: &Remote, record: Id) -> (Access, Vec<u8>) {
        let mut bytes = Vec::new();
        let got = session.get(&self.get(record), &mut bytes, &|_| {}).await.unwrap();
        (got.access, bytes)
    }

    /// The doctor's account.
    fn recipient(&self) -> [u8; 32] {
        account(&self.doctor)
    }

    /// Asks the service for the key of an access that was allowed before.
    async fn releases(&self, keys: &RemoteKeyStore, access: &Access) -> Result<Vec<u8>, KeyStoreError> {
        self.releases_to(self.recipient(), keys, access).await
    }

    async fn releases_to(
        &self,
        recipient: [u8; 32],
        keys: &RemoteKeyStore,
        access: &Access,
    ) -> Result<Vec<u8>, KeyStoreError> {
        let ledger = self.ledger();
        let gate = LedgerGate::new(&ledger, access.signature.parse().unwrap());
        let request = ReleaseRequest {
            request_id: access.request,
            recipient,
        };
        Ok(keys.release(&request, &gate).await?.envelope)
    }

    fn asks(&self, access: &Access) -> Vec<u8> {
        let signature: Signature = access.signature.parse().unwrap();
        let ledger = self.ledger();
        let claim = LedgerGate::new(&ledger, signature).claim().unwrap();
        assert!(matches!(claim, Claim::Access { transaction } if transaction == <[u8; 64]>::from(signature)));
        let asked = Asked {
            acting: None,
            call: Call::Release(Asking {
                request_id: access.request,
                recipient: self.recipient(),
                claim,
            }),
        };
        serde_json::to_vec(&asked).unwrap()
    }

    fn signs(&self, wallet: &WalletKey, body: &[u8], created: i64, nonce: u8) -> Headers {
        let message = Message {
            method: "POST",
            authority: self.service.authority(),
            path: CALLS,
            body,
        };
        signature::sign(&message, wallet, created, [nonce; 16])
    }
}

fn failure(body: &[u8]) -> Failure {
    serde_json::from_slice(body).unwrap()
}

fn refused(outcome: Result<Vec<u8>, KeyStoreError>, word: &str) {
    match outcome {
        Err(KeyStoreError::Gate(GateError::Refused { reason })) => assert!(reason.contains(word), "{reason}"),
        other => panic!("{:?}", other.map(|envelope| envelope.len())),
    }
}

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
}

async fn own_slot(scene: &Scene, session: &Remote, record: Id) -> EnvelopeSlot {
    // Names of slots are for those who have a part in this.
    let acting = Acting::Patient { patient: scene.patient };
    let keys = scene.keys(session.identity(), Some(acting));
    let recipient = address::patient(&scene.patient).to_bytes();
    let slots = keys.slots(scene.patient, record).await.unwrap();
    slots.into_iter().find(|slot| slot.recipient == recipient).unwrap()
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
async fn strangers_neither_write_nor_look_around_nor_destroy() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let slot = own_slot(&scene, &scene.session(&scene.clinic.patient, None), record).await;
    let envelope = scene
        .releases(scene.doctors().keys(), &scene.opens(&scene.doctors(), record).await.0)
        .await
        .unwrap();
    let stranger = Identity::generate().unwrap();
    let (laboratory, laboratory_id) = scene.clinic.institution("laboratory", "laboratory").unwrap();
    let elsewhere = Acting::Authority {
        institution: id(&laboratory_id),
    };
    let not_allowed = |outcome: Result<(), KeyStoreError>| match outcome {
        Err(KeyStoreError::NotAllowed { .. }) => {}
        other => panic!("{other:?}"),
    };
    let laboratory = keys_of(&laboratory);
    for keys in [
        scene.keys(&stranger, None),
        // Not what it claims to be.
        scene.keys(&stranger, Some(member(&scene.doctor))),
        scene.keys(&stranger, Some(Acting::Patient { patient: scene.patient })),
        scene.keys(&laboratory, Some(elsewhere)),
    ] {
        not_allowed(keys.put(slot, &envelope).await);
        not_allowed(keys.discard(slot).await.map(|_| ()));
        not_allowed(keys.destroy(scene.patient, record).await.map(|_| ()));
        not_allowed(keys.copies(scene.patient, record).await.map(|_| ()));
        not_allowed(keys.patients().await.map(|_| ()));
    }
    not_allowed(
        scene
            .keys(&stranger, None)
            .slots(scene.patient, record)
            .await
            .map(|_| ()),
    );
    // A holder that the patient never named, in an emergency that never was.
    let released = EnvelopeSlot {
        kind: EnvelopeKind::Released {
            holder: address::institution(&id(&laboratory_id)).to_bytes(),
            emergency: [3; 16],
        },
        ..slot
    };
    not_allowed(scene.keys(&laboratory, Some(elsewhere)).put(released, &envelope).await);
    // A guardian that the patient never named.
    let share = ShareSlot {
        patient: scene.patient,
        key_epoch: 1,
        dealing: [1; 16],
        guardian: stranger.wallet.address(),
        sealed_to: [2; 32],
    };
    not_allowed(scene.keys(&stranger, None).put_share(share, b"junk").await);
    // Staff stores envelopes, and nothing else in their place.
    not_allowed(scene.doctors().keys().put(slot, b"no envelope").await);
    // Not even the patient destroys keys of what is not erased.
    let patient = scene.session(&scene.clinic.patient, None);
    not_allowed(patient.keys().destroy(scene.patient, record).await.map(|_| ()));
    let (_, bytes) = scene.opens(&scene.doctors(), record).await;
    assert_eq!(bytes, NOTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_does_what_the_patient_allowed_it_and_no_more() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let patient = scene.session(&scene.clinic.patient, None);
    let own = own_slot(&scene, &patient, record).await;
    let envelope = scene
        .releases(scene.doctors().keys(), &scene.opens(&scene.doctors(), record).await.0)
        .await
        .unwrap();
    let doctors = EnvelopeSlot {
        recipient: scene.recipient(),
        ..own
    };
    for (name, rights, may_write, may_share) in [("reader", "read", false, false), ("carer", "read,share", true, true)]
    {
        let person = scene.clinic.stack.person(name);
        let wallet = person.arrives().unwrap();
        let words = [
            "delegate",
            "name",
            &scene.clinic.patient_id,
            "--wallet",
            &wallet,
            "--rights",
            rights,
        ];
        let delegate = scene.clinic.patient.does(&words).unwrap().text("delegate").unwrap();
        person
            .does(&["delegate", "accept", &scene.clinic.patient_id, &delegate])
            .unwrap();
        let acting = Acting::Delegate {
            patient: scene.patient,
            delegate: id(&delegate),
        };
        let keys = scene.keys(&keys_of(&person), Some(acting));
        assert_eq!(keys.put(doctors, &envelope).await.is_ok(), may_write, "{name}");
        assert_eq!(keys.discard(doctors).await.is_ok(), may_share, "{name}");
        // Never the patient's own, nor all of them.
        assert!(
            keys.put(own, &envelope).await.is_err() && keys.discard(own).await.is_err(),
            "{name}"
        );
        assert!(keys.copies(scene.patient, record).await.is_err(), "{name}");
        assert!(keys.destroy(scene.patient, record).await.is_err(), "{name}");
    }
    assert_eq!(scene.opens(&patient, record).await.1, NOTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_that_was_suspended_a_moment_ago_is_a_stranger() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let doctors = scene.doctors();
    assert!(!doctors.keys().slots(scene.patient, record).await.unwrap().is_empty());
    scene
        .clinic
        .hospital
        .does(&["member", "suspend", &scene.doctor.member])
        .unwrap();
    let outcome = doctors.keys().slots(scene.patient, record).await;
    assert!(matches!(outcome, Err(KeyStoreError::NotAllowed { .. })), "{outcome:?}");
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
