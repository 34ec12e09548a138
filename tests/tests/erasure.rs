//! Erasing: nobody opens what was erased, every key of it is gone, the receipt says what was done, and whatever broke it off
//! it goes on where it stopped.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use chartseal_tests::{
    clinic::{Clinic, Employee},
    people::Outcome,
    programs::fixture,
};
use serde_json::Value;

/// A patient with a record of two versions that a doctor may read, and another one.
struct Scene {
    clinic: Clinic,
    doctor: Employee,
    record: String,
    other: String,
}

impl Scene {
    fn new() -> Self {
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        let to = format!("member:{}", doctor.member);
        let terms = [
            "--classes",
            "0",
            "--rights",
            "read,append,amend",
            "--purposes",
            "treatment",
        ];
        clinic.grants(&to, &terms).unwrap();
        let note = fixture("note.txt");
        let put = ["put", &clinic.patient_id, note.to_str().unwrap(), "--class", "0"];
        let record = doctor.person.does(&put).unwrap().text("record").unwrap();
        let amend = ["amend", &clinic.patient_id, &record, note.to_str().unwrap()];
        doctor.person.does(&amend).unwrap();
        let other = doctor.person.does(&put).unwrap().text("record").unwrap();
        Self {
            clinic,
            doctor,
            record,
            other,
        }
    }

    fn receipt(&self) -> PathBuf {
        self.clinic.stack.folder().join("receipt.json")
    }

    fn words(&self) -> [String; 6] {
        let receipt = self.receipt().to_str().unwrap().to_owned();
        let [patient, record] = [&self.clinic.patient_id, &self.record].map(Clone::clone);
        [
            "erase".into(),
            patient,
            "--record".into(),
            record,
            "--receipt".into(),
            receipt,
        ]
    }

    fn erases(&self) -> Outcome {
        self.clinic
            .patient
            .does(&self.words().each_ref().map(String::as_str))
            .unwrap()
    }

    fn read_receipt(&self) -> Value {
        serde_json::from_slice(&fs::read(self.receipt()).unwrap()).unwrap()
    }

    /// The envelopes of a record.
    fn envelopes(&self, record: &str) -> usize {
        let all = self.clinic.envelopes().unwrap();
        all.iter()
            .filter(|path| path.to_str().unwrap().contains(record))
            .count()
    }

    /// The events of this name in the patient's log: what each is about.
    fn told(&self, event: &str) -> Vec<String> {
        let log = self.clinic.patient.does(&["log", &self.clinic.patient_id]).unwrap();
        let found = log.objects.iter().filter(|object| object["event"] == event);
        found
            .map(|object| object["what"].as_str().unwrap().to_owned())
            .collect()
    }

    fn ends(self) {
        self.clinic.stack.stop().unwrap();
    }
}

#[test]
fn what_is_erased_opens_to_nobody_and_the_receipt_says_what_was_destroyed() {
    let scene = Scene::new();
    assert_eq!(scene.envelopes(&scene.record), 4, "patient and doctor, in two versions");
    let erased = scene.erases();
    assert_eq!(erased.objects[0]["destroyed"], 4);
    assert_eq!(scene.envelopes(&scene.record), 0);
    assert_eq!(scene.envelopes(&scene.other), 2);

    let receipt = scene.read_receipt();
    assert_eq!(receipt["versions"], serde_json::json!([1, 2]));
    assert_eq!(receipt["destroyed"].as_array().unwrap().len(), 4);
    assert!(receipt["destroyed_at"].as_i64().unwrap() >= receipt["erased_at"].as_i64().unwrap());
    assert!(receipt["does_not_prove"].as_str().unwrap().contains("copy"));
    let hash = erased.text("receipt_sha256").unwrap();
    assert_eq!(
        scene.told("ErasureAttested"),
        [format!("record {}, receipt {hash}", scene.record)]
    );

    for who in [&scene.clinic.patient, &scene.doctor.person] {
        let (outcome, _) = scene.clinic.opens(who, &scene.record).unwrap();
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(outcome.error.contains("record-erased"), "{}", outcome.error);
        let (outcome, bytes) = scene.clinic.opens(who, &scene.other).unwrap();
        assert!(bytes.is_some(), "{outcome:?}");
    }
    let verified = scene
        .clinic
        .patient
        .does(&["verify", &scene.clinic.patient_id, &scene.record])
        .unwrap();
    assert_eq!(verified.text("status").unwrap(), "erased");
    let listed = scene.clinic.patient.does(&["list", &scene.clinic.patient_id]).unwrap();
    let listed = listed
        .objects
        .iter()
        .find(|object| object["record"] == scene.record.as_str());
    assert_eq!(listed.unwrap()["status"], "erased");
    scene.ends();
}

#[test]
fn erasing_that_was_broken_off_goes_on_where_it_stopped() {
    let scene = Scene::new();
    // Broken off after the chain: there is no folder for the receipt.
    let mut words = scene.words();
    words[5] = scene
        .clinic
        .stack
        .folder()
        .join("none/receipt.json")
        .to_str()
        .unwrap()
        .into();
    let failed = scene
        .clinic
        .patient
        .types(&words.each_ref().map(String::as_str))
        .unwrap();
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(
        scene.envelopes(&scene.record),
        4,
        "nothing is destroyed that was not written down"
    );
    assert_eq!(scene.told("RecordErased").len(), 1);

    let erased = scene.erases();
    assert!(erased.objects[0]["erased_signature"].is_null());
    assert_eq!(erased.objects[0]["destroyed"], 4);
    assert_eq!(scene.told("RecordErased").len(), 1);

    // Broken off after the keys, before the receipt: only the draft knows what there was.
    let mut draft = scene.read_receipt();
    draft["destroyed_at"] = Value::Null;
    let receipt = scene.receipt();
    fs::remove_file(&receipt).unwrap();
    let draft_file = receipt.with_extension("json.draft");
    fs::write(&draft_file, serde_json::to_vec(&draft).unwrap()).unwrap();
    let again = scene.erases();
    assert_eq!(again.objects[0]["destroyed"], 4);
    assert!(!draft_file.exists());
    assert!(scene.read_receipt()["destroyed_at"].is_i64());

    // Run once more after everything: nothing is said twice.
    let said = scene.told("ErasureAttested").len();
    let once_more = scene.erases();
    // Within one second both receipts are the same to the last byte, and either attestation stands for it.
    let attested = [&erased, &again].map(|outcome| outcome.text("attested_signature").unwrap());
    assert!(attested.contains(&once_more.text("attested_signature").unwrap()));
    assert_eq!(scene.told("ErasureAttested").len(), said);
    scene.ends();
}

#[test]
fn a_receipt_of_another_record_is_not_taken_for_this_ones() {
    let scene = Scene::new();
    scene.erases();
    let receipt = scene.receipt();
    let before = fs::read(&receipt).unwrap();
    let words = ["erase", &scene.clinic.patient_id, "--record", &scene.other, "--receipt"];
    let outcome = scene
        .clinic
        .patient
        .types(&[&words[..], &[receipt.to_str().unwrap()]].concat())
        .unwrap();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.error.contains("no receipt of this record"), "{}", outcome.error);
    assert_eq!(fs::read(&receipt).unwrap(), before);
    assert_eq!(scene.envelopes(&scene.other), 2);
    assert_eq!(scene.told("RecordErased").len(), 1, "it was not erased");
    scene.ends();
}

#[test]
fn the_clinic_that_wrote_it_attests_for_its_own_keys_and_nobody_else_erases() {
    let scene = Scene::new();
    let words = [
        "erase",
        &scene.clinic.patient_id,
        "--record",
        &scene.record,
        "--receipt",
    ];
    let own = scene.clinic.stack.folder().join("own.json");
    let by = |person: &chartseal_tests::people::Person| {
        person.types(&[&words[..], &[own.to_str().unwrap()]].concat()).unwrap()
    };
    let early = by(&scene.doctor.person);
    assert_eq!(early.code, 1, "only the patient erases: {early:?}");
    let stranger = scene.clinic.stack.person("stranger");
    stranger.arrives().unwrap();
    let outcome = by(&stranger);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(scene.envelopes(&scene.record), 4);
    assert!(scene.told("RecordErased").is_empty());
    assert!(!own.exists());

    scene.erases();
    let attested = by(&scene.doctor.person);
    assert_eq!(attested.code, 0, "{}", attested.error);
    assert_eq!(scene.told("ErasureAttested").len(), 2);
    scene.ends();
}

#[test]
fn whoever_wrote_the_first_version_attests_though_another_clinic_amended_it() {
    let scene = Scene::new();
    let (university, id) = scene.clinic.institution("university", "hospital").unwrap();
    let employs = |name| {
        let person = scene.clinic.stack.person(name);
        let wallet = person.arrives().unwrap();
        let named = university
            .does(&["member", "register", &id, "--wallet", &wallet, "--role", "doctor"])
            .unwrap();
        let member = format!("{id}:{}", named.text("member").unwrap());
        person.does(&["member", "accept", &member]).unwrap();
        (person, member)
    };
    let (professor, member) = employs("professor");
    let (assistant, _) = employs("assistant");
    let terms = ["--classes", "0", "--rights", "append", "--purposes", "treatment"];
    scene.clinic.grants(&format!("member:{member}"), &terms).unwrap();
    let note = fixture("note.txt");
    let (patient, note) = (&scene.clinic.patient_id, note.to_str().unwrap());
    let stored = professor.does(&["put", patient, note]).unwrap();
    let record = stored.text("record").unwrap();
    scene.doctor.person.does(&["amend", patient, &record, note]).unwrap();

    let erases = |who: &chartseal_tests::people::Person| {
        let receipt = scene.clinic.stack.folder().join(format!("{}.json", who.name()));
        let words = ["erase", patient, "--record", &record, "--receipt"];
        who.types(&[&words[..], &[receipt.to_str().unwrap()]].concat()).unwrap()
    };
    assert_eq!(erases(&scene.clinic.patient).code, 0);
    assert_eq!(erases(&assistant).code, 1, "it wrote neither the first nor the last");
    assert_eq!(scene.told("ErasureAttested").len(), 1);
    let first = erases(&professor);
    assert_eq!(first.code, 0, "{}", first.error);
    let last = erases(&scene.doctor.person);
    assert_eq!(last.code, 0, "{}", last.error);
    assert_eq!(scene.told("ErasureAttested").len(), 3);
    scene.ends();
}

#[test]
fn a_record_is_erased_out_of_every_key_store_and_no_copy_of_an_envelope_opens() {
    let scene = Scene::new();
    let patient = scene.clinic.patient.with_second_key_store();
    let note = fixture("note.txt");
    let put = ["put", &scene.clinic.patient_id, note.to_str().unwrap(), "--class", "0"];
    let record = patient.does(&put).unwrap().text("record").unwrap();
    let second = patient.second_key_store();
    let kept = |folder: &PathBuf| {
        let folder = folder.join("envelopes").join(&scene.clinic.patient_id).join(&record);
        folder.exists()
    };
    let stores = [patient.key_store(), second.clone()];
    assert!(stores.iter().all(kept), "what is stored goes into both");
    // Read from the one that is there.
    let away = second.with_file_name("unplugged");
    fs::rename(&second, &away).unwrap();
    let (outcome, bytes) = scene.clinic.opens(&scene.doctor.person, &record).unwrap();
    assert!(bytes.is_some(), "{outcome:?}");

    // Away, it is named, the other is emptied, and nothing is attested yet.
    let receipt = scene.receipt();
    let words = ["erase", &scene.clinic.patient_id, "--record", &record, "--receipt"];
    let words = [&words[..], &[receipt.to_str().unwrap()]].concat();
    let failed = patient.types(&words).unwrap();
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.error.contains("second-key-store"), "{}", failed.error);
    assert!(!kept(&stores[0]) && kept(&away));
    assert_eq!(scene.told("RecordErased").len(), 1);
    assert!(scene.told("ErasureAttested").is_empty() && !receipt.exists());
    assert!(!second.exists(), "no empty store was made in its place");

    fs::rename(&away, &second).unwrap();
    let erased = patient.does(&words).unwrap();
    assert!(!stores.iter().any(kept));
    assert_eq!(erased.objects[0]["destroyed"], 2, "patient and doctor");
    let said = scene.read_receipt()["key_stores"].as_array().unwrap().clone();
    assert_eq!(said.len(), 2);
    for store in &said {
        assert_eq!(store["outcome"], "destroyed");
        assert_eq!(store["key_store"].as_str().unwrap().len(), 32, "a name and no path");
        assert_eq!(store["copies_tried"], 2, "those of the store that was away");
    }
    let names = stores.map(|store| fs::read_to_string(store.join("name")).unwrap());
    assert!(
        said.iter()
            .all(|store| names.iter().any(|name| store["key_store"] == name.as_str()))
    );
    let text = fs::read_to_string(&receipt).unwrap();
    assert!(!text.contains("key-store\""), "no path is in the receipt");
    scene.ends();
}

#[test]
fn a_key_store_that_never_kept_a_record_is_said_to_have_kept_none() {
    let scene = Scene::new();
    let patient = scene.clinic.patient.with_second_key_store();
    patient.does(&["keys", "publish"]).unwrap();
    let words = scene.words();
    let words = words.each_ref().map(String::as_str);
    let erased = patient.does(&words).unwrap();
    let outcomes: Vec<_> = erased.objects[0]["key_stores"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&outcomes[0]["outcome"], &outcomes[1]["outcome"]),
        (&"destroyed".into(), &"absent".into())
    );
    for store in outcomes {
        assert_eq!(store["copies_tried"], 4, "every store was given every copy");
    }
    // Run again it says the same; a store that the receipt does not know takes another receipt.
    let again = patient.does(&words).unwrap();
    assert_eq!(
        again.text("receipt_sha256").unwrap(),
        erased.text("receipt_sha256").unwrap()
    );
    fs::remove_dir_all(patient.second_key_store()).unwrap();
    patient.does(&["keys", "publish"]).unwrap();
    let other = patient.types(&words).unwrap();
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.error.contains("says nothing of key store"), "{}", other.error);
    scene.ends();
}
