//! Consent as people type it: asking and answering, sharing by policy, passing on. What is given opens, what is not does not,
//! and what is taken back is taken from everybody below.

#![allow(clippy::unwrap_used)]

use std::fs;

use chartseal_tests::{
    clinic::{Clinic, Employee},
    people::{Outcome, Person},
    programs::fixture,
    travel,
};

struct Scene {
    clinic: Clinic,
    doctor: Employee,
}

impl Scene {
    fn new() -> Self {
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        Self { clinic, doctor }
    }

    /// Somebody stores a note for the patient; the record's id.
    fn put(&self, who: &Person, class: &str) -> String {
        let note = fixture("note.txt");
        let words = ["put", &self.clinic.patient_id, note.to_str().unwrap(), "--class", class];
        who.does(&words).unwrap().text("record").unwrap()
    }

    fn patient_types(&self, words: &[&str]) -> Outcome {
        self.clinic.patient.types(words).unwrap()
    }

    /// The doctor asks; the request's id.
    fn asks(&self, terms: &[&str]) -> String {
        let words = [&["request", &self.clinic.patient_id], terms].concat();
        self.doctor.person.does(&words).unwrap().text("request").unwrap()
    }

    fn opens(&self, who: &Person, record: &str) -> bool {
        let (outcome, bytes) = self.clinic.opens(who, record).unwrap();
        assert!(matches!(outcome.code, 0 | 2), "{}", outcome.error);
        let whole = bytes.is_some_and(|bytes| bytes == fs::read(fixture("note.txt")).unwrap());
        assert_eq!(whole, outcome.code == 0);
        whole
    }

    fn envelopes(&self) -> usize {
        self.clinic.envelopes().unwrap().len()
    }

    fn ends(self) {
        self.clinic.stack.stop().unwrap();
    }
}

#[test]
fn a_request_is_approved_in_part_and_opens_no_more_than_that() {
    let scene = Scene::new();
    let (patient, id) = (&scene.clinic.patient, scene.clinic.patient_id.clone());
    let (first, second) = (scene.put(patient, "0"), scene.put(patient, "1"));
    let request = scene.asks(&["--classes", "0,1", "--purposes", "treatment", "--for", "10d"]);
    assert!(!scene.opens(&scene.doctor.person, &first), "asking is not being given");

    let listed = patient.does(&["requests", &id]).unwrap();
    assert_eq!(listed.text("request").unwrap(), request);
    assert_eq!(listed.text("state").unwrap(), "open");
    assert_eq!(listed.text("on").unwrap(), "classes 0,1");

    // More than was asked for is no answer.
    let wider = scene.patient_types(&["decide", "approve", &id, &request, "--rights", "read,amend"]);
    assert_eq!(wider.code, 1, "{wider:?}");
    assert!(wider.error.contains("more than was asked for"), "{}", wider.error);
    assert!(patient.does(&["grants", &id]).unwrap().objects.is_empty());

    let given = patient
        .does(&["decide", "approve", &id, &request, "--classes", "0", "--for", "1d"])
        .unwrap();
    assert_eq!(given.objects[0]["wrapped"], 1);
    assert!(scene.opens(&scene.doctor.person, &first));
    assert!(!scene.opens(&scene.doctor.person, &second));

    let own = scene.doctor.person.does(&["requests"]).unwrap();
    assert_eq!(own.text("state").unwrap(), "approved");
    assert_eq!(own.text("grant").unwrap(), given.text("grant").unwrap());
    for again in [&["approve"], &["deny"]] {
        let twice = scene.patient_types(&[&["decide"], &again[..], &[&id, &request]].concat());
        assert_eq!(twice.code, 1);
        assert!(twice.error.contains("decided before"), "{}", twice.error);
    }
    scene.ends();
}

#[test]
fn a_denied_request_gives_nothing() {
    let scene = Scene::new();
    let id = &scene.clinic.patient_id;
    let record = scene.put(&scene.clinic.patient, "0");
    let (before, request) = (
        scene.envelopes(),
        scene.asks(&["--record", &record, "--purposes", "treatment"]),
    );
    scene.clinic.patient.does(&["decide", "deny", id, &request]).unwrap();
    let listed = scene.clinic.patient.does(&["requests", id]).unwrap();
    assert_eq!(listed.text("state").unwrap(), "denied");
    assert!(!scene.opens(&scene.doctor.person, &record));
    assert_eq!(scene.envelopes(), before);
    // Nobody but the patient decides.
    let another = scene.asks(&["--record", &record, "--purposes", "treatment"]);
    let own = scene.doctor.person.types(&["decide", "approve", id, &another]).unwrap();
    assert_eq!(own.code, 1, "{own:?}");
    assert!(!scene.opens(&scene.doctor.person, &record));
    scene.ends();
}

#[test]
fn a_policy_shares_what_comes_after_it_until_it_is_cleared() {
    let scene = Scene::new();
    let (id, hospital) = (scene.clinic.patient_id.clone(), scene.clinic.id.clone());
    let patient = &scene.clinic.patient;
    let before = scene.put(patient, "3");
    // The chain counts in seconds: what was made in the very second of the choice counts as made after it.
    travel::pass(&scene.clinic.stack, 60).unwrap();
    let wider = ["--classes", "3", "--purposes", "treatment"];
    patient
        .does(&[&["policy", "set", &id, &hospital], &wider[..]].concat())
        .unwrap();
    let (after, other) = (scene.put(patient, "3"), scene.put(patient, "4"));
    let doctor = &scene.doctor.person;
    assert!(scene.opens(doctor, &after));
    assert!(!scene.opens(doctor, &before), "what was there before was not shared");
    assert!(!scene.opens(doctor, &other));

    // Only where it says so may its members add records.
    let note = fixture("note.txt");
    let put = ["put", &id, note.to_str().unwrap(), "--class", "3"];
    assert_eq!(doctor.types(&put).unwrap().code, 2);
    patient
        .does(&[&["policy", "set", &id, &hospital, "--enrol"], &wider[..]].concat())
        .unwrap();
    let added = doctor.does(&put).unwrap().text("record").unwrap();
    assert!(scene.opens(patient, &added));
    let listed = patient.does(&["policy", "list", &id]).unwrap();
    assert_eq!(listed.text("institution").unwrap(), hospital);
    assert_eq!(listed.text("state").unwrap(), "live");
    assert_eq!(listed.objects[0]["enrols"], true);

    let cleared = patient.does(&["policy", "clear", &id, &hospital]).unwrap();
    assert_eq!(
        cleared.objects[0]["envelopes_deleted"], 3,
        "the hospital's and the doctor's of one record, the hospital's of the one that the doctor wrote"
    );
    assert!(!scene.opens(doctor, &after));
    assert!(scene.opens(doctor, &added), "who wrote it reads it");
    assert_eq!(doctor.types(&put).unwrap().code, 2);
    scene.ends();
}

#[test]
fn what_is_passed_on_opens_and_ends_with_what_it_came_from() {
    let scene = Scene::new();
    let id = scene.clinic.patient_id.clone();
    let nurse = scene.clinic.employs("nurse", "nurse").unwrap();
    let (record, other) = (
        scene.put(&scene.clinic.patient, "0"),
        scene.put(&scene.clinic.patient, "1"),
    );
    let to_doctor = format!("member:{}", scene.doctor.member);
    let to_nurse = format!("member:{}", nurse.member);
    let doctor = &scene.doctor.person;

    let share = ["share", &id, "--to", &to_nurse, "--classes", "0"];
    let nothing = doctor.types(&share).unwrap();
    assert_eq!(nothing.code, 1, "{nothing:?}");
    assert!(nothing.error.contains("no grant to pass on"), "{}", nothing.error);

    let terms = ["--classes", "0", "--rights", "read,share", "--purposes", "treatment"];
    let grant = scene.clinic.grants(&to_doctor, &terms).unwrap();
    let passed_on = doctor.does(&share).unwrap();
    assert_eq!(passed_on.objects[0]["wrapped"], 1);
    assert_eq!(passed_on.objects[0]["pending"], 0);
    assert!(scene.opens(&nurse.person, &record));
    assert!(!scene.opens(&nurse.person, &other));

    // No more than the grant itself gives, and the attempt is logged.
    let wider = doctor
        .types(&["share", &id, "--to", &to_nurse, "--classes", "0,1"])
        .unwrap();
    assert_eq!(wider.code, 2, "{wider:?}");
    assert!(wider.error.contains("grant-beyond-its-parent"), "{}", wider.error);
    // The nurse may read, and not share.
    let further = nurse
        .person
        .types(&["share", &id, "--to", &to_doctor, "--classes", "0"])
        .unwrap();
    assert_ne!(further.code, 0, "{further:?}");

    scene.clinic.patient.does(&["revoke", &id, &grant]).unwrap();
    assert!(!scene.opens(doctor, &record));
    assert!(!scene.opens(&nurse.person, &record));
    scene.ends();
}

#[test]
fn the_log_tells_of_requests_decisions_policies_and_shares() {
    let scene = Scene::new();
    let id = scene.clinic.patient_id.clone();
    let patient = &scene.clinic.patient;
    let request = scene.asks(&["--classes", "2", "--purposes", "treatment"]);
    patient.does(&["decide", "deny", &id, &request]).unwrap();
    patient
        .does(&[
            "policy",
            "set",
            &id,
            &scene.clinic.id,
            "--classes",
            "2",
            "--purposes",
            "treatment",
        ])
        .unwrap();
    let log = patient.does(&["log", &id]).unwrap();
    let told = |event: &str| {
        let found = log.objects.iter().find(|object| object["event"] == event);
        found.unwrap()["what"].as_str().unwrap().to_owned()
    };
    assert_eq!(told("AccessRequested"), format!("request {request} on classes 2"));
    assert_eq!(told("RequestDecided"), format!("request {request} denied"));
    assert_eq!(told("PolicySet"), format!("institution {}, classes 2", scene.clinic.id));
    assert_eq!(log.objects.last().unwrap()["whole"], true);
    scene.ends();
}
