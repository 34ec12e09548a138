//! A ledger that answers late, wrongly or not at all, people who act at once, and rights that come and go: afterwards
//! what stands on chain opens for its readers, or nothing stands there and no envelope remains; and nothing is done twice.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    process::{Child, Stdio},
};

use chartseal_tests::{
    clinic::{Clinic, envelopes, opens},
    memory::one_patient,
    people::{Outcome, Person},
    programs::fixture,
    proxy::{Fault, Proxy},
    stack::Stack,
};
use serde_json::Value;

/// "Node is behind": what a node of a pool answers that has not seen our transaction yet.
const BEHIND: Fault = Fault::Error(-32005);

/// A patient whose line to the ledger is bad.
struct Scene {
    stack: Stack,
    proxy: Proxy,
    patient: Person,
    id: String,
}

impl Scene {
    fn new() -> Self {
        let (stack, patient, id) = one_patient().unwrap();
        let proxy = Proxy::before(&stack.endpoints().rpc).unwrap();
        Self {
            stack,
            proxy,
            patient,
            id,
        }
    }

    /// The patient stores the note over the bad line.
    fn puts(&self) -> Outcome {
        self.patient
            .through_rpc(&self.proxy.url)
            .types(&["put", &self.id, &path("note.txt")])
            .unwrap()
    }

    /// The patient's records, as the ledger itself has them.
    fn records(&self) -> Vec<Value> {
        self.patient.does(&["list", &self.id]).unwrap().objects
    }

    /// Storing works in spite of it all, once, and what was stored opens.
    fn puts_once(&self) {
        let before = self.records().len();
        let stored = self.puts();
        assert_eq!(stored.code, 0, "{}", stored.error);
        assert_eq!(self.proxy.left(), 0, "the line was not as bad as it was meant to be");
        assert_eq!(self.records().len(), before + 1);
        self.opens(&self.patient, &stored.text("record").unwrap());
    }

    fn opens(&self, who: &Person, record: &str) {
        let (outcome, bytes) = opens(&self.stack, who, &self.id, record).unwrap();
        assert_eq!(outcome.code, 0, "{}", outcome.error);
        assert_eq!(bytes.unwrap(), fs::read(fixture("note.txt")).unwrap());
    }
}

fn path(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

#[test]
fn a_decision_that_a_node_does_not_show_at_once_is_waited_for() {
    let scene = Scene::new();
    scene.proxy.spoil("getTransaction", Fault::Null, 8);
    scene.puts_once();

    let record = scene.records()[0]["record"].as_str().unwrap().to_owned();
    for fault in [Fault::Null, BEHIND, Fault::LostAnswer, Fault::Break] {
        scene.proxy.spoil("getTransaction", fault, 4);
        scene.opens(&scene.patient.through_rpc(&scene.proxy.url), &record);
        assert_eq!(scene.proxy.left(), 0);
    }
    scene.stack.stop().unwrap();
}

#[test]
fn a_transaction_whose_acceptance_was_lost_is_not_done_twice() {
    let scene = Scene::new();
    scene.proxy.spoil("sendTransaction", Fault::LostAnswer, 1);
    scene.puts_once();
    scene.proxy.spoil("sendTransaction", Fault::LostAnswer, 1);
    scene.proxy.spoil("getSignatureStatuses", Fault::LostAnswer, 30);
    scene.puts_once();
    assert_eq!(scene.records().len(), 2);
    scene.stack.stop().unwrap();
}

#[test]
fn a_status_that_a_node_cannot_tell_yet_is_waited_for() {
    let scene = Scene::new();
    scene.proxy.spoil("getSignatureStatuses", BEHIND, 10);
    scene.puts_once();
    scene.stack.stop().unwrap();
}

#[test]
fn a_transaction_that_did_not_arrive_is_sent_again() {
    let scene = Scene::new();
    for fault in [BEHIND, Fault::Break] {
        scene.proxy.spoil("sendTransaction", fault, 1);
        scene.puts_once();
    }
    scene.stack.stop().unwrap();
}

#[test]
fn whatever_fails_before_sending_leaves_nothing() {
    let scene = Scene::new();
    for method in ["getAccountInfo", "getProgramAccounts", "getLatestBlockhash"] {
        for fault in [BEHIND, Fault::LostAnswer, Fault::Break] {
            scene.proxy.spoil(method, fault, usize::MAX);
            let failed = scene.puts();
            assert_eq!(failed.code, 1, "{method} {fault:?}: {}", failed.error);
            scene.proxy.mend();
            assert!(scene.records().is_empty(), "{method} {fault:?}");
            assert_eq!(envelopes(&scene.patient).unwrap().len(), 0, "{method} {fault:?}");
        }
    }
    scene.puts_once();
    scene.stack.stop().unwrap();
}

/// The one case in which the program cannot know: then it says so, and keeps the keys.
#[test]
fn a_record_whose_fate_nobody_tells_keeps_its_keys() {
    let scene = Scene::new();
    scene.proxy.spoil("getSignatureStatuses", BEHIND, usize::MAX);
    let unknown = scene.puts();
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.error.contains("look it up before you try again"),
        "{}",
        unknown.error
    );
    let records = scene.records();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    scene.opens(&scene.patient, record["record"].as_str().unwrap());
    scene.stack.stop().unwrap();
}

#[test]
fn a_log_with_a_hole_is_tampered_with() {
    let scene = Scene::new();
    scene.puts_once();
    let through = scene.patient.through_rpc(&scene.proxy.url);
    assert_eq!(through.types(&["log", &scene.id]).unwrap().code, 0);
    scene.proxy.spoil("getSignaturesForAddress", Fault::Empty, 1);
    let holed = through.types(&["log", &scene.id]).unwrap();
    assert_eq!(holed.code, 3, "{}", holed.error);
    let error: Value = serde_json::from_str(&holed.error).unwrap();
    assert_eq!(error["kind"], "tampered", "{error}");
    scene.stack.stop().unwrap();
}

#[test]
fn of_four_who_amend_one_version_at_once_one_wins() {
    let clinic = Clinic::open().unwrap();
    let doctor = clinic.employs("doctor", "doctor").unwrap();
    let terms = ["--classes", "1", "--rights", "append,amend", "--purposes", "treatment"];
    clinic.grants(&format!("institution:{}", clinic.id), &terms).unwrap();
    let put = ["put", &clinic.patient_id, &path("note.txt"), "--class", "1"];
    let record = doctor.person.does(&put).unwrap().text("record").unwrap();

    let amend = |text: &String| -> Child {
        let file = clinic.stack.folder().join(text);
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let words = ["amend", &clinic.patient_id, &record, file, "--expect-version", "1"];
        let mut command = doctor.person.command(&words).unwrap();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let texts: Vec<String> = (1..=4)
        .map(|number| format!("the note as number {number} has it"))
        .collect();
    let running: Vec<Child> = texts.iter().map(amend).collect();
    let outcomes = running
        .into_iter()
        .map(|child| Outcome::from(&child.wait_with_output().unwrap()));
    let (winners, losers): (Vec<_>, Vec<_>) = texts.iter().zip(outcomes).partition(|(_, outcome)| outcome.code == 0);
    let [(winner, _)] = winners.as_slice() else {
        panic!("{winners:?} {losers:?}")
    };
    for (_, loser) in &losers {
        assert_eq!(loser.code, 1, "{}", loser.error);
    }

    for who in [&clinic.patient, &doctor.person] {
        let (outcome, bytes) = clinic.opens(who, &record).unwrap();
        assert_eq!(
            bytes.as_deref(),
            Some(winner.as_bytes()),
            "{}: {}",
            who.name(),
            outcome.error
        );
    }
    let second = clinic
        .patient
        .key_store()
        .join("envelopes")
        .join(&clinic.patient_id)
        .join(&record)
        .join("2");
    let left = clinic
        .envelopes()
        .unwrap()
        .into_iter()
        .filter(|envelope| envelope.starts_with(&second));
    assert_eq!(left.count(), 2, "the winner's, for patient and author");
    clinic.stack.stop().unwrap();
}

/// A patient, one record, and a doctor who may read it by a grant to the member.
fn one_reader() -> (Clinic, Person, String, String, String) {
    let clinic = Clinic::open().unwrap();
    let doctor = clinic.employs("doctor", "doctor").unwrap();
    let put = ["put", &clinic.patient_id, &path("note.txt")];
    let record = clinic.patient.does(&put).unwrap().text("record").unwrap();
    let terms = ["--record", &record, "--purposes", "treatment"];
    let grant = clinic.grants(&format!("member:{}", doctor.member), &terms).unwrap();
    assert_eq!(clinic.opens(&doctor.person, &record).unwrap().0.code, 0);
    assert_eq!(clinic.envelopes().unwrap().len(), 2, "the patient's and the doctor's");
    (clinic, doctor.person, doctor.member, record, grant)
}

#[test]
fn revoking_deletes_the_envelope_of_a_member_who_was_suspended() {
    let (clinic, doctor, member, record, grant) = one_reader();
    clinic.hospital.does(&["member", "suspend", &member]).unwrap();
    assert_eq!(clinic.opens(&doctor, &record).unwrap().0.code, 2);
    let revoked = clinic.patient.does(&["revoke", &clinic.patient_id, &grant]).unwrap();
    assert_eq!(revoked.objects[0]["envelopes_deleted"], 1);
    assert_eq!(clinic.envelopes().unwrap().len(), 1);
    clinic.hospital.does(&["member", "reinstate", &member]).unwrap();
    assert_eq!(clinic.opens(&doctor, &record).unwrap().0.code, 2);
    assert_eq!(clinic.opens(&clinic.patient, &record).unwrap().0.code, 0);
    clinic.stack.stop().unwrap();
}

#[test]
fn a_revocation_that_was_interrupted_is_finished_by_the_next() {
    let (clinic, doctor, _, record, grant) = one_reader();
    let before: Vec<_> = clinic
        .envelopes()
        .unwrap()
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    let revoke = ["revoke", &clinic.patient_id, &grant];
    clinic.patient.does(&revoke).unwrap();
    // As if it had been interrupted between the ledger and the key store.
    for (bytes, path) in &before {
        fs::write(path, bytes).unwrap();
    }
    let (refused, _) = clinic.opens(&doctor, &record).unwrap();
    assert_eq!(
        refused.code, 2,
        "an envelope that is left is released to nobody: {}",
        refused.error
    );

    let again = clinic.patient.does(&revoke).unwrap();
    assert_eq!(again.objects[0]["already_revoked"], true, "{again:?}");
    assert_eq!(again.objects[0]["envelopes_deleted"], 1, "{again:?}");
    assert_eq!(clinic.envelopes().unwrap().len(), 1);
    let third = clinic.patient.does(&revoke).unwrap();
    assert_eq!(third.objects[0]["envelopes_deleted"], 0, "{third:?}");
    assert_eq!(clinic.opens(&clinic.patient, &record).unwrap().0.code, 0);
    clinic.stack.stop().unwrap();
}

#[test]
fn a_person_reads_whatever_else_names_it() {
    let clinic = Clinic::open().unwrap();
    let friend = clinic.stack.person("friend");
    let wallet = friend.arrives().unwrap();
    let key = friend.does(&["keys", "show"]).unwrap().text("encryption_key").unwrap();
    let to = format!("person:{wallet}:{key}");
    let put = ["put", &clinic.patient_id, &path("note.txt")];
    let record = clinic.patient.does(&put).unwrap().text("record").unwrap();
    let (on, other) = (
        ["--record", &record, "--purposes", "personal"],
        ["--classes", "9", "--purposes", "personal"],
    );
    let reads = || {
        let (outcome, bytes) = clinic.opens(&friend, &record).unwrap();
        assert_eq!(outcome.code, 0, "{}", outcome.error);
        assert_eq!(bytes.unwrap(), fs::read(fixture("note.txt")).unwrap());
    };

    clinic.grants(&to, &[&on[..], &["--for", "1h"]].concat()).unwrap();
    reads();
    // One that lasts longer and has not begun, one that is on something else, and one that was revoked.
    clinic
        .grants(&to, &[&on[..], &["--starts-in", "1d", "--for", "90d"]].concat())
        .unwrap();
    clinic.grants(&to, &other).unwrap();
    let revoked = clinic.grants(&to, &[&on[..], &["--for", "300d"]].concat()).unwrap();
    clinic.patient.does(&["revoke", &clinic.patient_id, &revoked]).unwrap();
    reads();
    // Somebody else's invitation changes nothing until it is accepted.
    clinic.invites(&wallet, "doctor").unwrap();
    reads();
    clinic.stack.stop().unwrap();
}

#[test]
fn a_steward_institution_cares_for_a_patient_without_a_wallet() {
    let clinic = Clinic::open().unwrap();
    let doctor = clinic.employs("doctor", "doctor").unwrap();
    let nurse = clinic.employs("nurse", "nurse").unwrap();
    let id = clinic
        .hospital
        .does(&["patient", "open", "--steward", &clinic.id])
        .unwrap()
        .text("patient")
        .unwrap();
    let stored = doctor.person.does(&["put", &id, &path("note.txt")]).unwrap();
    let record = stored.text("record").unwrap();
    let reads = |who: &Person| {
        let (outcome, bytes) = opens(&clinic.stack, who, &id, &record).unwrap();
        assert_eq!(outcome.code, 0, "{}: {}", who.name(), outcome.error);
        assert_eq!(bytes.unwrap(), fs::read(fixture("note.txt")).unwrap());
    };
    reads(&doctor.person);
    let (refused, _) = opens(&clinic.stack, &nurse.person, &id, &record).unwrap();
    assert_eq!(
        (refused.code, refused.error.contains("no-grant")),
        (2, true),
        "{}",
        refused.error
    );

    // The hospital's authority speaks for the patient but holds no key: the author wraps it.
    let to = format!("institution:{}", clinic.id);
    let words = ["grant", &id, "--to", &to, "--classes", "0", "--purposes", "treatment"];
    let granted = clinic.hospital.does(&words).unwrap();
    assert!(granted.objects[0]["pending"].as_u64() > Some(0), "{granted:?}");
    doctor.person.does(&["rewrap", &id]).unwrap();
    reads(&nurse.person);
    let (outcome, _) = opens(&clinic.stack, &clinic.patient, &id, &record).unwrap();
    assert_eq!(outcome.code, 1, "a stranger: {}", outcome.error);
    clinic.stack.stop().unwrap();
}

#[test]
fn a_key_that_is_none_is_refused_when_it_is_granted() {
    let scene = Scene::new();
    let wallet = scene.stack.person("friend").arrives().unwrap();
    // Points of low order (RFC 7748, section 6.1): with them every exchange gives the same secret.
    let low_order = [
        "00".repeat(32),
        format!("01{}", "00".repeat(31)),
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800".into(),
    ];
    for key in low_order {
        let to = format!("person:{wallet}:{key}");
        let words = [
            "grant",
            &scene.id,
            "--to",
            &to,
            "--classes",
            "0",
            "--purposes",
            "personal",
        ];
        let refused = scene.patient.types(&words).unwrap();
        assert_eq!(refused.code, 1, "{key}: {}", refused.error);
        assert!(refused.error.contains("key"), "{}", refused.error);
    }
    assert!(scene.patient.does(&["grants", &scene.id]).unwrap().objects.is_empty());
    scene.puts_once();
    scene.stack.stop().unwrap();
}

#[test]
fn who_joined_since_reads_once_the_keys_were_wrapped_again() {
    let clinic = Clinic::open().unwrap();
    let terms = ["--classes", "0", "--purposes", "treatment"];
    clinic.grants(&format!("institution:{}", clinic.id), &terms).unwrap();
    let put = ["put", &clinic.patient_id, &path("note.txt")];
    let record = clinic.patient.does(&put).unwrap().text("record").unwrap();
    let nurse = clinic.employs("nurse", "nurse").unwrap().person;
    let (pending, _) = clinic.opens(&nurse, &record).unwrap();
    assert_eq!(
        (pending.code, pending.error.contains("key pending")),
        (1, true),
        "{}",
        pending.error
    );

    let rewrap = ["rewrap", &clinic.patient_id, "--record", &record];
    assert_eq!(clinic.patient.does(&rewrap).unwrap().objects[0]["wrapped"], 1);
    assert_eq!(clinic.opens(&nurse, &record).unwrap().0.code, 0);
    let again = clinic.patient.does(&["rewrap", &clinic.patient_id]).unwrap();
    assert_eq!(
        (&again.objects[0]["wrapped"], &again.objects[0]["pending"]),
        (&0.into(), &0.into())
    );
    clinic.stack.stop().unwrap();
}
