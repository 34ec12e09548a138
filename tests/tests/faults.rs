//! What people see when something is wrong: an exit code, a sentence that says what to do, and no file half-written.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use chartseal_tests::{
    clinic::envelopes,
    memory::{one_patient, one_patient_with},
    people::{Outcome, Person},
    programs::{fixture, program},
    stack::{Endpoints, Stack},
};
use solana_rpc_client::rpc_client::RpcClient;

/// A patient with one record of its own.
struct Scene {
    stack: Stack,
    patient: Person,
    id: String,
    record: String,
    /// The gateway's files: the shard is the larger one, the manifest the other.
    shard: PathBuf,
    manifest: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let (stack, patient, id) = one_patient().unwrap();
        let record = put(&patient, &id, "dicom/CT_small.dcm");
        let items = fs::read_dir(stack.gateway_items()).unwrap();
        let mut items: Vec<PathBuf> = items.map(|item| item.unwrap().path()).collect();
        items.sort_by_key(|item| fs::metadata(item).unwrap().len());
        let [manifest, shard] = items.try_into().unwrap();
        Self {
            stack,
            patient,
            id,
            record,
            shard,
            manifest,
        }
    }

    fn out(&self) -> PathBuf {
        self.stack.folder().join("out")
    }

    fn get(&self) -> Outcome {
        get(&self.patient, &self.id, &self.record, &self.out())
    }

    /// Reading fails with this code and sentence, and writes nothing: neither the file nor a part of it.
    fn get_fails(&self, code: i32, says: &str) {
        let before = names(self.stack.folder());
        let outcome = self.get();
        assert_eq!(outcome.code, code, "{}", outcome.error);
        assert!(
            outcome.error.contains(says),
            "'{}' does not say '{says}'",
            outcome.error
        );
        assert!(!self.out().exists());
        assert_eq!(names(self.stack.folder()), before, "something was left behind");
    }

    fn get_works(&self) {
        let outcome = self.get();
        assert_eq!(outcome.code, 0, "{}", outcome.error);
        assert_eq!(
            fs::read(self.out()).unwrap(),
            fs::read(fixture("dicom/CT_small.dcm")).unwrap()
        );
        fs::remove_file(self.out()).unwrap();
    }
}

fn put(patient: &Person, id: &str, file: &str) -> String {
    let path = fixture(file);
    patient
        .does(&["put", id, path.to_str().unwrap(), "--class", "4"])
        .unwrap()
        .text("record")
        .unwrap()
}

fn get(who: &Person, id: &str, record: &str, out: &std::path::Path) -> Outcome {
    who.types(&["get", id, record, "--out", out.to_str().unwrap()]).unwrap()
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn damaged_missing_and_swapped_items_are_told_apart() {
    let scene = Scene::new();
    scene.get_works();
    let (shard, manifest) = (fs::read(&scene.shard).unwrap(), fs::read(&scene.manifest).unwrap());

    fs::remove_file(&scene.shard).unwrap();
    scene.get_fails(1, "does not have item");
    fs::write(&scene.shard, &shard[..shard.len() / 2]).unwrap();
    scene.get_fails(3, "does not match its hash");
    fs::write(&scene.shard, &manifest).unwrap();
    scene.get_fails(3, "does not match its hash");
    let mut flipped = shard.clone();
    *flipped.last_mut().unwrap() ^= 0x80;
    fs::write(&scene.shard, &flipped).unwrap();
    scene.get_fails(3, "does not match its hash");
    fs::write(&scene.shard, &shard).unwrap();
    scene.get_works();

    fs::write(&scene.manifest, &manifest[..manifest.len() - 1]).unwrap();
    scene.get_fails(3, "does not match its hash");
    fs::write(&scene.manifest, &manifest).unwrap();
    scene.get_works();
    scene.stack.stop().unwrap();
}

#[test]
fn a_ledger_that_is_gone_is_an_error_and_its_return_is_enough() {
    let mut scene = Scene::new();
    scene.get_works();
    scene.stack.kill_sandbox().unwrap();
    scene.get_fails(1, "cannot reach the ledger");
    scene.stack.restart_sandbox().unwrap();
    scene.get_works();
    scene.stack.stop().unwrap();
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let scene = Scene::new();
    fs::write(scene.patient.passphrase(), "another\n").unwrap();
    scene.get_fails(1, "wrong passphrase");
    scene.stack.stop().unwrap();
}

#[test]
fn an_envelope_that_was_altered_is_damage() {
    let scene = Scene::new();
    let [envelope] = envelopes(&scene.patient).unwrap().try_into().unwrap();
    let mut bytes = fs::read(&envelope).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&envelope, bytes).unwrap();
    scene.get_fails(3, "tampered with or damaged");
    fs::remove_file(&envelope).unwrap();
    scene.get_fails(1, "key pending or revoked");
    scene.stack.stop().unwrap();
}

#[test]
fn an_existing_file_is_not_written_over_unless_asked() {
    let scene = Scene::new();
    fs::write(scene.out(), "mine").unwrap();
    let outcome = scene.get();
    assert_eq!(outcome.code, 1);
    assert_eq!(fs::read(scene.out()).unwrap(), b"mine");
    scene.stack.stop().unwrap();
}

#[test]
fn amending_a_version_that_is_not_the_newest_is_refused_by_name() {
    let scene = Scene::new();
    let (patient, id, record) = (&scene.patient, scene.id.as_str(), scene.record.as_str());
    let file = fixture("note.txt");
    let amend = |version: &str| {
        patient
            .types(&["amend", id, record, file.to_str().unwrap(), "--expect-version", version])
            .unwrap()
    };
    assert_eq!(amend("1").code, 0);
    let stale = amend("1");
    assert_eq!(stale.code, 1);
    assert!(stale.error.contains("version 2, not 1"), "{}", stale.error);
    assert_eq!(scene.get().code, 0);
    assert_eq!(fs::read(scene.out()).unwrap(), fs::read(&file).unwrap());
    scene.stack.stop().unwrap();
}

#[test]
fn a_range_is_of_original_bytes() {
    let scene = Scene::new();
    let out = scene.out();
    let words = [
        "get",
        &scene.id,
        &scene.record,
        "--range",
        "1000..3000",
        "--out",
        out.to_str().unwrap(),
    ];
    scene.patient.does(&words).unwrap();
    assert_eq!(
        fs::read(&out).unwrap(),
        fs::read(fixture("dicom/CT_small.dcm")).unwrap()[1000..3000]
    );
    scene.stack.stop().unwrap();
}

#[test]
fn standard_input_is_sealed_as_it_comes() {
    let scene = Scene::new();
    let mut command = scene
        .patient
        .command(&["put", &scene.id, "-", "--name", "dictation"])
        .unwrap();
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"spoken words").unwrap();
    let printed = child.wait_with_output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    let record = object["record"].as_str().unwrap();
    assert_eq!(get(&scene.patient, &scene.id, record, &scene.out()).code, 0);
    assert_eq!(fs::read(scene.out()).unwrap(), b"spoken words");
    scene.stack.stop().unwrap();
}

/// All that the program has on chain: its accounts with their bytes, and how many transactions of it succeeded.
fn on_chain(stack: &Stack) -> (BTreeMap<String, Vec<u8>>, usize) {
    let rpc = RpcClient::new(stack.endpoints().rpc.clone());
    let accounts = rpc.get_program_accounts(&chartseal_program::ID).unwrap();
    let accounts = accounts
        .into_iter()
        .map(|(address, account)| (address.to_string(), account.data))
        .collect();
    let signatures = rpc.get_signatures_for_address(&chartseal_program::ID).unwrap();
    (
        accounts,
        signatures.iter().filter(|signature| signature.err.is_none()).count(),
    )
}

#[test]
fn a_stranger_gets_an_error_and_leaves_nothing() {
    let scene = Scene::new();
    let stranger = scene.stack.person("stranger");
    stranger.arrives().unwrap();
    let before = on_chain(&scene.stack);
    assert!(before.0.len() >= 3 && before.1 >= 3, "there is something to compare");
    let outcome = get(&stranger, &scene.id, &scene.record, &scene.out());
    assert_eq!(outcome.code, 1);
    assert!(outcome.error.contains("not registered here"), "{}", outcome.error);
    let file = fixture("note.txt");
    let wants = [
        vec!["put", &scene.id, file.to_str().unwrap(), "--class", "4"],
        vec![
            "grant",
            &scene.id,
            "--to",
            "person:11111111111111111111111111111112",
            "--purposes",
            "personal",
        ],
    ];
    for words in wants {
        assert_ne!(stranger.types(&words).unwrap().code, 0, "{words:?}");
    }
    assert!(on_chain(&scene.stack) == before, "something was left on chain");
    // The same look sees what does leave something.
    scene.get_works();
    assert!(on_chain(&scene.stack) != before);
    scene.stack.stop().unwrap();
}

#[test]
fn a_person_reads_by_a_grant_until_it_expires() {
    let scene = Scene::new();
    let friend = scene.stack.person("friend");
    let wallet = friend.arrives().unwrap();
    let key = friend.does(&["keys", "show"]).unwrap().text("encryption_key").unwrap();
    let grant = |to: &str, lasts: &str| {
        let words = [
            "grant",
            &scene.id,
            "--to",
            to,
            "--record",
            &scene.record,
            "--purposes",
            "personal",
            "--for",
            lasts,
        ];
        scene.patient.does(&words).unwrap()
    };
    let revoke = |grant: &Outcome| {
        let words = ["revoke", &scene.id, &grant.text("grant").unwrap()];
        scene.patient.does(&words).unwrap();
    };
    // Without the person's key the grant stands and opens nothing yet.
    let pending = grant(&format!("person:{wallet}"), "1h");
    assert_eq!(pending.objects[0]["pending"], 1);
    let outcome = get(&friend, &scene.id, &scene.record, &scene.out());
    assert_eq!(
        (outcome.code, outcome.error.contains("key pending")),
        (1, true),
        "{}",
        outcome.error
    );
    revoke(&pending);

    let whole = format!("person:{wallet}:{key}");
    let long = grant(&whole, "1h");
    let outcome = get(&friend, &scene.id, &scene.record, &scene.out());
    assert_eq!(outcome.code, 0, "{}", outcome.error);
    fs::remove_file(scene.out()).unwrap();
    revoke(&long);

    // However slow this machine is, it ends: until then it opens the file, and afterwards never again.
    grant(&whole, "2s");
    let since = Instant::now();
    let outcome = loop {
        let outcome = get(&friend, &scene.id, &scene.record, &scene.out());
        if outcome.code != 0 || since.elapsed() > Duration::from_secs(120) {
            break outcome;
        }
        fs::remove_file(scene.out()).unwrap();
    };
    assert_eq!(
        (outcome.code, outcome.error.contains("grant-expired")),
        (2, true),
        "{}",
        outcome.error
    );
    assert!(!scene.out().exists());
    scene.stack.stop().unwrap();
}

#[test]
fn a_gateway_that_wants_to_be_paid_is_said_to_be_one() {
    let (stack, patient, id) = one_patient_with(&["--charge-above", "10000"]).unwrap();
    let before = on_chain(&stack);
    let path = fixture("dicom/CT_small.dcm");
    let outcome = patient
        .types(&["put", &id, path.to_str().unwrap(), "--class", "4"])
        .unwrap();
    assert_eq!(outcome.code, 1);
    assert!(outcome.error.contains("Insufficient balance"), "{}", outcome.error);
    assert!(
        on_chain(&stack) == before,
        "a record without its content was left on chain"
    );
    put(&patient, &id, "note.txt");
    stack.stop().unwrap();
}

#[test]
fn a_full_disk_is_said_to_be_one() {
    let scene = Scene::new();
    let mut command = scene
        .patient
        .command(&["get", &scene.id, &scene.record, "--out", "-"])
        .unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let outcome = command
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(said.contains("no room is left"), "{said}");
    scene.stack.stop().unwrap();
}

#[test]
fn verifying_needs_neither_keys_nor_a_folder_for_them() {
    let scene = Scene::new();
    let auditor = scene.stack.folder().join("auditor");
    fs::create_dir(&auditor).unwrap();
    let Endpoints { rpc, gateway, .. } = scene.stack.endpoints();
    let mut command = program("chartseal").unwrap();
    command.args(["--rpc", rpc, "--gateway", gateway, "verify", &scene.id, &scene.record]);
    command.env("HOME", &auditor).env_remove("XDG_DATA_HOME");
    let verified = command.output().unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    assert!(names(&auditor).is_empty(), "{:?}", names(&auditor));

    let shard = fs::read(&scene.shard).unwrap();
    fs::write(&scene.shard, &shard[..shard.len() - 1]).unwrap();
    assert_eq!(command.output().unwrap().status.code(), Some(3));
    assert!(names(&auditor).is_empty(), "{:?}", names(&auditor));
    scene.stack.stop().unwrap();
}
