//! A hospital with a key service, and what its people ask of it.

use std::fs;

use chartseal::{
    keys::{Identity, Passphrase, WalletKey},
    ledger::{Ledger, LedgerGate},
    ops::{Access, GetRequest, PutRequest, Session},
    seal::{Input, SealOptions},
    store::{
        Gateway, GatewayOptions, KeyStore as _, KeyStoreError, Stores,
        keystore::{
            Claim, EnvelopeSlot, GateError, ReleaseGate as _, ReleaseRequest, RemoteKeyStore,
            remote::{
                signature::{self, Headers, Message},
                wire::{Acting, Asked, Asking, CALLS, Call, Failure},
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
};
use reqwest::StatusCode;
use solana_signature::Signature;

pub(super) const NOTE: &[u8] = b"no allergies known";

/// Sends a call to a service with these headers.
pub(super) async fn post(service: &KeyService, headers: &Headers, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let request = reqwest::Client::new()
        .post(format!("{}{CALLS}", service.url))
        .header("content-digest", &headers.content_digest)
        .header("signature-input", &headers.signature_input)
        .header("signature", &headers.signature)
        .body(body);
    let response = request.send().await.unwrap();
    (response.status(), response.bytes().await.unwrap().to_vec())
}

pub(super) type Remote = Session<Gateway, RemoteKeyStore>;

/// A hospital with a key service, a doctor who may write and read, and a record.
pub(super) struct Scene {
    pub(super) clinic: Clinic,
    pub(super) service: KeyService,
    pub(super) doctor: Employee,
    pub(super) patient: Id,
}

pub(super) fn id(text: &str) -> Id {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).unwrap();
    id
}

pub(super) fn member(employee: &Employee) -> Acting {
    let (institution, member) = employee.member.split_once(':').unwrap();
    Acting::Member {
        institution: id(institution),
        member: id(member),
    }
}

pub(super) fn account(employee: &Employee) -> [u8; 32] {
    let (institution, member) = employee.member.split_once(':').unwrap();
    address::member(&id(institution), &id(member)).to_bytes()
}

pub(super) fn keys_of(person: &Person) -> Identity {
    let passphrase = fs::read(person.passphrase()).unwrap();
    let passphrase = Passphrase::new(passphrase.trim_ascii_end()).unwrap();
    Identity::load(&person.identity(), &passphrase).unwrap()
}

impl Scene {
    pub(super) fn new() -> Self {
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

    pub(super) fn ledger(&self) -> Ledger {
        Ledger::new(&self.clinic.stack.endpoints().rpc)
    }

    pub(super) fn store(&self) -> Stores<Gateway> {
        let gateway = &self.clinic.stack.endpoints().gateway;
        Stores::one(Gateway::new(gateway, GatewayOptions::default()).unwrap())
    }

    pub(super) fn keys(&self, identity: &Identity, acting: Option<Acting>) -> RemoteKeyStore {
        let keys = RemoteKeyStore::new(&self.service.url, identity.wallet.clone()).unwrap();
        match acting {
            Some(acting) => keys.acting(acting),
            None => keys,
        }
    }

    pub(super) fn session(&self, person: &Person, acting: Option<Acting>) -> Remote {
        let identity = keys_of(person);
        let keys = self.keys(&identity, acting);
        Session::new(identity, self.ledger(), self.store(), keys)
    }

    pub(super) fn doctors(&self) -> Remote {
        self.session(&self.doctor.person, Some(member(&self.doctor)))
    }

    pub(super) async fn puts(&self, class: u8) -> Id {
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

    pub(super) fn get(&self, record: Id) -> GetRequest {
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
    pub(super) async fn opens(&self, session: &Remote, record: Id) -> (Access, Vec<u8>) {
        let mut bytes = Vec::new();
        let got = session.get(&self.get(record), &mut bytes, &|_| {}).await.unwrap();
        (got.access, bytes)
    }

    /// The doctor's account.
    pub(super) fn recipient(&self) -> [u8; 32] {
        account(&self.doctor)
    }

    /// Asks the service for the key of an access that was allowed before.
    pub(super) async fn releases(&self, keys: &RemoteKeyStore, access: &Access) -> Result<Vec<u8>, KeyStoreError> {
        self.releases_to(self.recipient(), keys, access).await
    }

    pub(super) async fn releases_to(
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

    pub(super) fn asks(&self, access: &Access) -> Vec<u8> {
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

    pub(super) fn signs(&self, wallet: &WalletKey, body: &[u8], created: i64, nonce: u8) -> Headers {
        let message = Message {
            method: "POST",
            authority: self.service.authority(),
            path: CALLS,
            body,
        };
        signature::sign(&message, wallet, created, [nonce; 16])
    }
}

pub(super) fn failure(body: &[u8]) -> Failure {
    serde_json::from_slice(body).unwrap()
}

pub(super) fn refused(outcome: Result<Vec<u8>, KeyStoreError>, word: &str) {
    match outcome {
        Err(KeyStoreError::Gate(GateError::Refused { reason })) => assert!(reason.contains(word), "{reason}"),
        other => panic!("{:?}", other.map(|envelope| envelope.len())),
    }
}

pub(super) async fn own_slot(scene: &Scene, session: &Remote, record: Id) -> EnvelopeSlot {
    // Names of slots are for those who have a part in this.
    let acting = Acting::Patient { patient: scene.patient };
    let keys = scene.keys(session.identity(), Some(acting));
    let recipient = address::patient(&scene.patient).to_bytes();
    let slots = keys.slots(scene.patient, record).await.unwrap();
    slots.into_iter().find(|slot| slot.recipient == recipient).unwrap()
}
