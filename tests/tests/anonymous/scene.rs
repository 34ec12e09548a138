//! A patient with a record, a key service, and readers who have a machine and no name.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Arc, LazyLock},
};

use chartseal::{
    keys::{InvitationSecret, Passphrase, WalletKey},
    ledger::{AnonymousGrant, GrownTree, Ledger},
    store::{
        KeyStore as _, KeyStoreError,
        keystore::{
            AnonymousAsking, AnonymousEnvelopes, Blind, GateError, ProofGate, Proven, RemoteKeyStore, Shown,
            ShownProof, verifier,
        },
    },
};
use chartseal_program::{membership, seeds::Id, vocabulary::Action};
use chartseal_tests::{
    keyservice::KeyService,
    memory::one_patient,
    people::{Outcome, Person},
    programs::{kept, program},
    stack::Stack,
};
use chartseal_zk::{
    keys::{ProvingKey, VerifyingKey},
    prove,
    witness::{self, Request},
};
use solana_address::Address;

pub(super) const NOTE: &[u8] = b"no allergies known";

/// Made once, for it takes its time; every reader's machine has it.
static KEY: LazyLock<Arc<ProvingKey>> = LazyLock::new(|| {
    let verifying = VerifyingKey::of_contract().unwrap();
    Arc::new(ProvingKey::of_contract(&verifying, &proving_key()).unwrap())
});

fn proving_key() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("proving.key")
}

pub(super) struct Scene {
    pub(super) stack: Stack,
    pub(super) service: KeyService,
    pub(super) patient: Person,
    pub(super) id: String,
    pub(super) record: String,
    pub(super) tree: String,
}

/// Somebody with an invitation, and nothing else: no identity, no wallet.
pub(super) struct Reader {
    name: &'static str,
    folder: PathBuf,
    pub(super) invitation: String,
}

/// A relayer that runs. It ends when this is dropped.
pub(super) struct Relayer {
    child: Child,
    pub(super) url: String,
}

impl Relayer {
    /// Starts one that pays with somebody's wallet.
    pub(super) fn of(scene: &Scene, person: &Person) -> Self {
        let mut child = program("chartseal-relayer")
            .unwrap()
            .args(["--listen", "127.0.0.1:0", "--rpc", &scene.stack.endpoints().rpc])
            .arg("--key")
            .arg(person.identity())
            .arg("--passphrase-file")
            .arg(person.passphrase())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let said = child.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut url).unwrap();
        url.truncate(url.trim_end().len());
        Self { child, url }
    }
}

impl Drop for Relayer {
    fn drop(&mut self) {
        // One that has ended by itself is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a forger makes of a proof: whom it is for, and what it says.
pub(super) struct Forged {
    pub(super) verifier: [u8; 32],
    pub(super) caller: WalletKey,
    pub(super) exchange: Id,
    /// The record whose keys are asked for.
    pub(super) asked: String,
    /// Added to the ledger's time.
    pub(super) off_by: i64,
    pub(super) rights: u8,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    /// With further options of the key service.
    pub(super) fn with(options: &[&str]) -> Self {
        // Before anybody waits for it.
        LazyLock::force(&KEY);
        let (stack, patient, id) = one_patient().unwrap();
        let tree = stack.person("admin").does(&["tree", "open"]).unwrap();
        let rpc = stack.endpoints().rpc.clone();
        let service = KeyService::start(&patient.key_store(), &[&["--rpc", &rpc], options].concat()).unwrap();
        let scene = Self {
            tree: tree.text("tree").unwrap(),
            record: String::new(),
            stack,
            service,
            patient,
            id,
        };
        let record = scene.stores(NOTE);
        Self { record, ..scene }
    }

    pub(super) fn stores(&self, bytes: &[u8]) -> String {
        let file = self.file(bytes);
        self.patient
            .does(&["put", &self.id, &file])
            .unwrap()
            .text("record")
            .unwrap()
    }

    pub(super) fn amends(&self, bytes: &[u8]) {
        let file = self.file(bytes);
        self.patient.does(&["amend", &self.id, &self.record, &file]).unwrap();
    }

    fn file(&self, bytes: &[u8]) -> String {
        let file = self.stack.folder().join("note.txt");
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Somebody draws an invitation.
    pub(super) fn reader(&self, name: &'static str) -> Reader {
        let folder = self.stack.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("passphrase"), "hush\n").unwrap();
        let mut reader = Reader {
            name,
            folder,
            invitation: String::new(),
        };
        let drawn = self.types_as(&reader, &["anonymous", "invite", "--out", "invitation"]);
        reader.invitation = drawn.text("invitation").unwrap();
        reader
    }

    /// What a reader types at a machine that reaches ledger, gateway and key service, and holds nothing.
    pub(super) fn types_as(&self, reader: &Reader, words: &[&str]) -> Outcome {
        let endpoints = self.stack.endpoints();
        let output = kept(self.stack.folder(), "chartseal")
            .unwrap()
            .args(["--json", "--rpc", &endpoints.rpc, "--gateway", &endpoints.gateway])
            .args(["--key-store", &self.service.url, "--identity", "no-identity"])
            .args(["--passphrase-file", "passphrase"])
            .args(words)
            .env("CHARTSEAL_PROVING_KEY", proving_key())
            .env("XDG_CONFIG_HOME", &reader.folder)
            .env("XDG_DATA_HOME", &reader.folder)
            .current_dir(&reader.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Outcome::from(&output)
    }

    /// The patient grants; the grant's place.
    pub(super) fn grants(&self, reader: &Reader, terms: &[&str]) -> String {
        let words = ["anonymous", "grant", &self.id, &self.record, &reader.invitation];
        let granted = self.patient.does(&[&words[..], terms].concat()).unwrap();
        granted.objects[0]["index"].to_string()
    }

    pub(super) fn revokes(&self, index: &str) -> Outcome {
        self.patient
            .does(&["anonymous", "revoke", &self.id, &self.record, index])
            .unwrap()
    }

    /// What comes of reading, and the bytes if any.
    pub(super) fn reads(&self, reader: &Reader, options: &[&str]) -> (Outcome, Option<Vec<u8>>) {
        let words = [
            "anonymous",
            "read",
            &self.id,
            &self.record,
            "--invitation",
            "invitation",
        ];
        let outcome = self.types_as(reader, &[&words[..], &["--out", "opened"], options].concat());
        let opened = reader.folder.join("opened");
        let bytes = std::fs::read(&opened).ok();
        assert_eq!(
            bytes.is_some(),
            outcome.code == 0,
            "{} left a file: {outcome:?}",
            reader.name
        );
        if bytes.is_some() {
            std::fs::remove_file(opened).unwrap();
        }
        (outcome, bytes)
    }

    pub(super) fn ledger(&self) -> Ledger {
        Ledger::new(&self.stack.endpoints().rpc)
    }

    pub(super) fn secret(&self, reader: &Reader) -> InvitationSecret {
        let passphrase = Passphrase::new("hush").unwrap();
        InvitationSecret::load(&reader.folder.join("invitation"), &passphrase).unwrap()
    }

    pub(super) async fn grown(&self) -> GrownTree {
        self.ledger().grown_tree(&id(&self.tree), |_, _| {}).await.unwrap()
    }

    /// What an honest reader would show the key service.
    pub(super) async fn honest(&self, exchange: u8) -> Forged {
        let caller = WalletKey::generate().unwrap();
        let keys = RemoteKeyStore::new(&self.service.url, caller.clone()).unwrap();
        Forged {
            verifier: verifier(&keys.name().await.unwrap()),
            caller,
            exchange: [exchange; 16],
            asked: self.record.clone(),
            off_by: 0,
            rights: Action::Read.bit(),
        }
    }

    /// A proof by a reader's grant.
    pub(super) async fn proof(&self, reader: &Reader, grown: &GrownTree, forged: &Forged) -> AnonymousAsking {
        let secret = self.secret(reader);
        let public = secret.public().unwrap();
        let is_ours = |grant: &&AnonymousGrant| grant.terms.key == public.key;
        let grant = grown.grants.iter().find(is_ours).unwrap();
        let now = self.ledger().now().await.unwrap() + forged.off_by;
        let (store, caller) = (
            Address::new_from_array(forged.verifier),
            Address::new_from_array(forged.caller.address()),
        );
        let request = Request {
            scope: membership::scope(&store, membership::epoch(now)),
            message: membership::message(&forged.exchange, &store, &caller),
            now,
            rights: forged.rights,
        };
        let record = membership::record(&grant.patient, &grant.record).unwrap();
        let path = grown.tree.path(grant.index).unwrap();
        let blind = witness::Blind::random().unwrap();
        let (statement, witness) =
            witness::build(&secret.grant, &record, &grant.terms, &path, &request, &blind).unwrap();
        AnonymousAsking {
            patient: id(&self.id),
            record: id(&forged.asked),
            tree: id(&self.tree),
            exchange: forged.exchange,
            blind: Blind(*blind.to_bytes()),
            shown: Shown::Proof(Box::new(ShownProof {
                nullifier: statement.nullifier,
                handle: statement.handle,
                number: path.number,
                now,
                rights: forged.rights,
                proof: prove(&KEY, &statement, &witness).unwrap().to_bytes(),
            })),
        }
    }

    /// Shows the service what a forger made.
    pub(super) async fn shows(
        &self,
        caller: &WalletKey,
        asking: &AnonymousAsking,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        let keys = RemoteKeyStore::new(&self.service.url, caller.clone()).unwrap();
        keys.release_anonymously(asking, &NotAsked).await
    }
}

/// A gate on the reader's side: a service does not ask it.
struct NotAsked;

impl ProofGate for NotAsked {
    async fn check(&self, _: [u8; 32], _: &AnonymousAsking) -> Result<Proven, GateError> {
        panic!("the service has a gate of its own")
    }
}

/// 64 hexadecimal digits.
pub(super) fn field(text: &str) -> [u8; 32] {
    let mut field = [0; 32];
    hex::decode_to_slice(text, &mut field).unwrap();
    field
}

pub(super) fn id(text: &str) -> Id {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).unwrap();
    id
}

pub(super) fn not_proven(outcome: Result<AnonymousEnvelopes, KeyStoreError>, word: &str) {
    match outcome {
        Err(KeyStoreError::Gate(GateError::NotProven { reason })) => assert!(reason.contains(word), "{reason}"),
        other => panic!("{other:?}"),
    }
}
