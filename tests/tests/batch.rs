//! A clinic imports its archive: broken off and taken up again, anchored once, proven, and put into charts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use chartseal_tests::{
    clinic::{Clinic, Employee},
    people::Person,
};
use serde_json::{Value, json};

const FILES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(120);

/// A hospital with a doctor, and an archive of files of its patient.
struct Archive {
    clinic: Clinic,
    doctor: Employee,
    manifest: PathBuf,
}

impl Archive {
    fn open() -> Self {
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        let folder = clinic.stack.folder().join("archive");
        std::fs::create_dir(&folder).unwrap();
        let lines: Vec<String> = (0..FILES)
            .map(|n| {
                let name = format!("{n}.bin");
                std::fs::write(folder.join(&name), contents(n)).unwrap();
                json!({ "patient": clinic.patient_id, "file": name, "class": n % 3 }).to_string()
            })
            .collect();
        let manifest = folder.join("archive.jsonl");
        std::fs::write(&manifest, lines.join("\n")).unwrap();
        Self {
            clinic,
            doctor,
            manifest,
        }
    }

    fn journal(&self) -> Vec<Value> {
        let path = self.manifest.with_extension("jsonl.journal");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The last line may have been cut.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn stored(&self) -> Vec<Value> {
        let lines = self.journal().into_iter();
        lines.filter(|line| line["line"] == "stored").collect()
    }

    fn anchor(&self) -> String {
        let done = self
            .doctor
            .person
            .does(&["batch", "anchor", text(&self.manifest)])
            .unwrap();
        assert_eq!(done.objects[0]["records"], FILES);
        format!("{}:{}", done.text("institution").unwrap(), done.text("batch").unwrap())
    }

    fn proof(&self, batch: &str, record: &str) -> PathBuf {
        let out = self.clinic.stack.folder().join(format!("{record}.proof"));
        self.doctor
            .person
            .does(&["batch", "prove", batch, record, "--out", text(&out)])
            .unwrap();
        out
    }
}

fn contents(n: usize) -> Vec<u8> {
    format!("file {n}; ").repeat(20_000).into_bytes()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn promote(who: &Person, proof: &Path) -> (i32, String) {
    let outcome = who.types(&["batch", "promote", text(proof)]).unwrap();
    let basis = outcome.text("basis").unwrap_or_else(|_| outcome.error.clone());
    (outcome.code, basis)
}

#[test]
fn import_that_was_killed_goes_on_and_is_anchored_once() {
    let archive = Archive::open();
    let mut importing = archive
        .doctor
        .person
        .command(&["batch", "anchor", text(&archive.manifest)])
        .unwrap()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while archive.stored().len() < 5 {
        assert!(since.elapsed() < PATIENCE, "nothing is being stored");
        std::thread::sleep(Duration::from_millis(2));
    }
    importing.kill().unwrap();
    importing.wait().unwrap();
    let before = archive.stored();
    assert!(before.len() < FILES, "it was killed too late to tell anything");

    let batch = archive.anchor();
    let after = archive.stored();
    assert_eq!(after[..before.len()], before, "what was stored was not stored again");
    assert_eq!(after.len(), FILES);
    // And once more: nothing is left to do.
    assert_eq!(archive.anchor(), batch);
    assert_eq!(archive.stored(), after);

    let shown = archive.doctor.person.does(&["batch", "show", &batch]).unwrap().objects;
    assert_eq!(shown.len(), FILES);
    for (place, entry) in shown.iter().enumerate() {
        let kept = after.iter().find(|line| line["index"] == place).unwrap();
        assert_eq!(kept["entry"]["record"], entry["record"]);
        assert_eq!(
            (entry["class"].as_u64(), &entry["patient"]),
            (Some(place as u64 % 3), &json!(archive.clinic.patient_id))
        );
    }
}

#[test]
fn imported_record_is_proven_promoted_by_who_may_and_read() {
    let archive = Archive::open();
    let batch = archive.anchor();
    let (clinic, doctor) = (&archive.clinic, &archive.doctor.person);
    let shown = doctor.does(&["batch", "show", &batch]).unwrap().objects;
    let record = |place: usize| shown[place]["record"].as_str().unwrap().to_owned();
    let colleague = clinic.employs("nurse", "nurse").unwrap();

    let proof = archive.proof(&batch, &record(7));
    let (code, why) = promote(doctor, &proof);
    assert_eq!(code, 2, "having imported it is no right to put it into a chart: {why}");
    let listed = || {
        clinic
            .patient
            .does(&["list", &clinic.patient_id])
            .unwrap()
            .objects
            .len()
    };
    assert_eq!(listed(), 0);

    // The patient needs nothing but the proof.
    assert_eq!(promote(&clinic.patient, &proof), (0, "patient".into()));
    assert_eq!(listed(), 1);
    let (code, _) = promote(&clinic.patient, &proof);
    assert_eq!(code, 1, "a record is promoted once");
    for who in [&clinic.patient, doctor] {
        let (outcome, bytes) = clinic.opens(who, &record(7)).unwrap();
        assert_eq!((outcome.code, bytes), (0, Some(contents(7))));
    }
    assert_eq!(clinic.opens(&colleague.person, &record(7)).unwrap().0.code, 2);

    // By a grant, a member does it; and whoever joined later gets the key from somebody who has it.
    clinic
        .grants(
            &format!("institution:{}", clinic.id),
            &[
                "--classes",
                "0,1,2",
                "--rights",
                "read,append",
                "--purposes",
                "treatment",
            ],
        )
        .unwrap();
    let proof = archive.proof(&batch, &record(39));
    assert_eq!(promote(&colleague.person, &proof), (0, "grant".into()));
    doctor.does(&["rewrap", &clinic.patient_id]).unwrap();
    let (outcome, bytes) = clinic.opens(&colleague.person, &record(39)).unwrap();
    assert_eq!((outcome.code, bytes), (0, Some(contents(39))));
}

#[test]
fn proof_that_was_altered_and_list_for_others_are_refused() {
    let archive = Archive::open();
    let batch = archive.anchor();
    let (clinic, doctor) = (&archive.clinic, &archive.doctor.person);
    let shown = doctor.does(&["batch", "show", &batch]).unwrap().objects;
    let proof = archive.proof(&batch, shown[0]["record"].as_str().unwrap());
    let good: Value = serde_json::from_slice(&std::fs::read(&proof).unwrap()).unwrap();
    let other = shown[1]["record"].clone();
    for (pointer, value) in [
        ("/record/class", json!(2)),
        ("/record/record", other),
        ("/record/padded_size", json!(1)),
        ("/index", json!(1)),
        ("/path/0", json!("00".repeat(32))),
        ("/path", json!([])),
    ] {
        let mut altered = good.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&proof, altered.to_string()).unwrap();
        let (code, why) = promote(&clinic.patient, &proof);
        assert_eq!(code, 1, "{pointer}");
        assert!(why.contains("does not show"), "{why}");
    }
    // The list is for the institution; whoever else asks has no key of it.
    let outcome = clinic.patient.types(&["batch", "show", &batch]).unwrap();
    assert_eq!(outcome.code, 2, "{}", outcome.error);
    clinic.hospital.does(&["batch", "show", &batch]).unwrap();
    doctor.does(&["batch", "show", &batch]).unwrap();
    clinic
        .hospital
        .does(&["member", "suspend", &archive.doctor.member])
        .unwrap();
    let outcome = doctor.types(&["batch", "show", &batch]).unwrap();
    assert_eq!(outcome.code, 2, "{}", outcome.error);
}
