//! Emergencies with break-glass: who opened one reads once enough holders released their shares, nobody before, and nothing
//! after it is over. Reasons stay in the hospital's books.

#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use chartseal_tests::{
    clinic::{Clinic, Employee},
    people::{Outcome, Person},
    programs::fixture,
};
use serde_json::Value;

const REASON: &str = "unconscious after a fall from the roof";

/// A hospital with a doctor who may open emergencies, and two further institutions.
struct Scene {
    clinic: Clinic,
    doctor: Employee,
    /// Who speaks for a holder, and the holder's id; the hospital is the third.
    second: (Person, String),
    third: (Person, String),
}

impl Scene {
    fn new() -> Self {
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        clinic
            .hospital
            .does(&["member", "emergency-credential", "on", &doctor.member])
            .unwrap();
        let (second, third) = (
            clinic.institution("university", "hospital").unwrap(),
            clinic.institution("county", "regulator").unwrap(),
        );
        Self {
            clinic,
            doctor,
            second,
            third,
        }
    }

    /// The patient names holders, of whom two open a record.
    fn names_holders(&self, holders: &[&str]) -> Outcome {
        let holders = holders.join(",");
        let words = [
            "break-glass",
            "set",
            &self.clinic.patient_id,
            "--holders",
            &holders,
            "--threshold",
            "2",
        ];
        self.clinic.patient.does(&words).unwrap()
    }

    fn names_all(&self) {
        self.names_holders(&[&self.clinic.id, &self.second.1, &self.third.1]);
    }

    fn put(&self) -> Outcome {
        let path = fixture("note.txt");
        let words = ["put", &self.clinic.patient_id, path.to_str().unwrap()];
        self.clinic.patient.does(&words).unwrap()
    }

    fn books(&self) -> PathBuf {
        self.clinic.stack.folder().join("books")
    }

    fn opens_emergency(&self, who: &Person) -> Outcome {
        let books = self.books();
        let words = [
            "emergency",
            "open",
            "--patient",
            &self.clinic.patient_id,
            "--reason",
            REASON,
        ];
        who.types(&[&words[..], &["--books", books.to_str().unwrap()]].concat())
            .unwrap()
    }

    /// The doctor reads by the emergency: the bytes, or why not.
    fn reads(&self, record: &str) -> Result<Vec<u8>, Outcome> {
        let out = self.clinic.stack.folder().join("opened");
        let words = ["get", &self.clinic.patient_id, record, "--emergency", "--out"];
        let outcome = self
            .doctor
            .person
            .types(&[&words[..], &[out.to_str().unwrap()]].concat())
            .unwrap();
        assert_eq!(out.exists(), outcome.code == 0, "{outcome:?}");
        if outcome.code != 0 {
            return Err(outcome);
        }
        assert_eq!(outcome.text("basis").unwrap(), "emergency");
        let bytes = fs::read(&out).unwrap();
        fs::remove_file(out).unwrap();
        Ok(bytes)
    }

    /// It does not open for want of shares; the transaction that holders have to see.
    fn lacks_shares(&self, record: &str, says: &str) -> String {
        let outcome = self.reads(record).unwrap_err();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.error.contains(says), "{}", outcome.error);
        let after = outcome.error.split("transaction ").nth(1).unwrap();
        after.split_whitespace().next().unwrap().to_owned()
    }

    /// The shares in the key store that were released to somebody.
    fn released_shares(&self) -> usize {
        let all = self.clinic.envelopes().unwrap();
        all.iter()
            .filter(|path| path.to_str().unwrap().contains(".released-"))
            .count()
    }

    fn ends(self) {
        self.clinic.stack.stop().unwrap();
    }
}

fn releases(who: &Person, transaction: &str) -> Outcome {
    who.types(&["break-glass", "release", "--transaction", transaction])
        .unwrap()
}

#[test]
fn two_of_three_holders_open_a_record_in_an_emergency_and_one_does_not() {
    let scene = Scene::new();
    scene.names_all();
    let stored = scene.put();
    assert_eq!(stored.objects[0]["break_glass_shares"], 3);
    let record = stored.text("record").unwrap();

    let refused = scene.reads(&record).unwrap_err();
    assert_eq!(refused.code, 2, "no emergency, no access: {refused:?}");

    let opened = scene.opens_emergency(&scene.doctor.person);
    assert_eq!(opened.code, 0, "{}", opened.error);
    let transaction = scene.lacks_shares(&record, "0 of the 2 shares");
    // Who insists on X-Wing releases nothing while the doctor's such key is not to be found.
    let public = scene.clinic.patient.key_store().join("public");
    let elsewhere = public.with_file_name("elsewhere");
    fs::rename(&public, &elsewhere).unwrap();
    let insisting = [
        "--require-post-quantum",
        "break-glass",
        "release",
        "--transaction",
        &transaction,
    ];
    let refused = scene.second.0.types(&insisting).unwrap();
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.error.contains("no post-quantum key"), "{}", refused.error);
    assert_eq!(scene.released_shares(), 0);
    fs::rename(&elsewhere, &public).unwrap();
    let released = scene.second.0.types(&insisting).unwrap();
    assert_eq!(released.code, 0, "{}", released.error);
    assert_eq!(released.text("record").unwrap(), record);
    // The same share twice is one.
    assert_eq!(releases(&scene.second.0, &transaction).code, 0);
    let transaction = scene.lacks_shares(&record, "1 of the 2 shares");
    assert_eq!(releases(&scene.third.0, &transaction).code, 0);
    let bytes = scene.reads(&record).unwrap();
    assert_eq!(bytes, fs::read(fixture("note.txt")).unwrap());

    assert_eq!(scene.released_shares(), 2);

    // What was found justified goes on, and can still turn out not to be.
    let emergency = opened.text("emergency").unwrap();
    let review = ["emergency", "review", &scene.clinic.patient_id, &emergency, "--verdict"];
    let by_patient = |verdict| scene.clinic.patient.types(&[&review[..], &[verdict]].concat()).unwrap();
    assert_eq!(by_patient("justified").code, 0);
    assert_eq!(scene.reads(&record).unwrap(), bytes);
    let twice = by_patient("justified");
    assert!(twice.code == 1 && twice.error.contains("AlreadyReviewed"), "{twice:?}");

    // Over is over: for the doctor, and for holders.
    let unjustified = scene
        .clinic
        .patient
        .does(&[&review[..], &["unjustified"]].concat())
        .unwrap();
    assert_eq!(unjustified.text("reviewer").unwrap(), "patient");
    assert_eq!(scene.released_shares(), 0, "what was released is gone");
    let late = scene.reads(&record).unwrap_err();
    assert_eq!(late.code, 2, "{late:?}");
    assert!(late.error.contains("emergency-over"), "{}", late.error);
    let late = releases(&scene.clinic.hospital, &transaction);
    assert_eq!(late.code, 2, "{late:?}");
    assert!(late.error.contains("emergency-over"), "{}", late.error);
    assert_eq!(by_patient("justified").code, 1, "it does not turn back");

    let own = scene
        .doctor
        .person
        .types(&[&review[..], &["justified"]].concat())
        .unwrap();
    assert_eq!(own.code, 1, "nobody reviews their own: {own:?}");
    let reviewed = scene
        .clinic
        .hospital
        .does(&[&review[..], &["justified"]].concat())
        .unwrap();
    assert_eq!(reviewed.text("reviewer").unwrap(), "institution");
    let listed = scene
        .clinic
        .patient
        .does(&["emergency", "list", &scene.clinic.patient_id])
        .unwrap();
    assert_eq!(listed.text("patient_verdict").unwrap(), "unjustified");
    assert_eq!(listed.text("institution_verdict").unwrap(), "justified");
    assert_eq!(listed.text("state").unwrap(), "over");
    scene.ends();
}

#[test]
fn a_share_that_was_released_in_one_emergency_is_of_no_use_in_the_next() {
    let scene = Scene::new();
    scene.names_all();
    let record = scene.put().text("record").unwrap();
    let first = scene.opens_emergency(&scene.doctor.person).text("emergency").unwrap();
    let transaction = scene.lacks_shares(&record, "0 of the 2 shares");
    for (holder, _) in [&scene.second, &scene.third] {
        assert_eq!(releases(holder, &transaction).code, 0);
    }
    scene.reads(&record).unwrap();
    // The hospital reviews, and finds it unjustified: it is over, and its doctor may open another.
    let review = [
        "emergency",
        "review",
        &scene.clinic.patient_id,
        &first,
        "--verdict",
        "unjustified",
    ];
    scene.clinic.hospital.does(&review).unwrap();
    assert_eq!(scene.opens_emergency(&scene.doctor.person).code, 0);
    scene.lacks_shares(&record, "0 of the 2 shares");
    scene.ends();
}

#[test]
fn only_a_holder_releases_and_only_against_an_emergency() {
    let scene = Scene::new();
    scene.names_holders(&[&scene.clinic.id, &scene.second.1]);
    let record = scene.put().text("record").unwrap();
    let to = format!("member:{}", scene.doctor.member);
    let terms = ["--record", &record, "--purposes", "treatment"];
    let grant = scene.clinic.grants(&to, &terms).unwrap();
    let out = scene.clinic.stack.folder().join("by-grant");
    let words = ["get", &scene.clinic.patient_id, &record, "--out", out.to_str().unwrap()];
    let by_grant = scene.doctor.person.does(&words).unwrap();
    let ordinary = releases(&scene.second.0, &by_grant.text("signature").unwrap());
    assert_eq!(ordinary.code, 1, "{ordinary:?}");
    assert!(
        ordinary.error.contains("no access in an emergency"),
        "{}",
        ordinary.error
    );
    scene
        .clinic
        .patient
        .does(&["revoke", &scene.clinic.patient_id, &grant])
        .unwrap();

    scene.opens_emergency(&scene.doctor.person);
    let transaction = scene.lacks_shares(&record, "0 of the 2 shares");
    let stranger = releases(&scene.third.0, &transaction);
    assert_eq!(stranger.code, 1, "{stranger:?}");
    assert!(stranger.error.contains("speaks for none"), "{}", stranger.error);
    // Not by naming another's share either.
    let words = [
        "break-glass",
        "release",
        "--transaction",
        &transaction,
        "--institution",
        &scene.second.1,
    ];
    let thief = scene.third.0.types(&words).unwrap();
    assert_eq!(thief.code, 2, "{thief:?}");
    // Who was a holder is none any more once the patient says so.
    scene.names_holders(&[&scene.clinic.id, &scene.third.1]);
    let former = scene.second.0.types(&words).unwrap();
    assert_eq!(former.code, 2, "{former:?}");
    assert!(
        former.error.contains("does not name this institution"),
        "{}",
        former.error
    );
    scene.lacks_shares(&record, "0 of the 2 shares");
    scene.ends();
}

#[test]
fn records_from_before_get_shares_by_rewrapping() {
    let scene = Scene::new();
    let stored = scene.put();
    assert_eq!(stored.objects[0]["break_glass_shares"], 0);
    let record = stored.text("record").unwrap();
    scene.names_all();
    scene.opens_emergency(&scene.doctor.person);
    let nobody = scene.reads(&record).unwrap_err();
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.error.contains("nobody holds shares"), "{}", nobody.error);

    let rewrap = ["rewrap", &scene.clinic.patient_id];
    assert_eq!(scene.clinic.patient.does(&rewrap).unwrap().objects[0]["wrapped"], 3);
    assert_eq!(scene.clinic.patient.does(&rewrap).unwrap().objects[0]["wrapped"], 0);
    let transaction = scene.lacks_shares(&record, "0 of the 2 shares");
    for holder in [&scene.clinic.hospital, &scene.third.0] {
        let released = releases(holder, &transaction);
        assert_eq!(released.code, 0, "{}", released.error);
    }
    assert_eq!(scene.reads(&record).unwrap(), fs::read(fixture("note.txt")).unwrap());
    // Another holder in the place of one: the shares are made anew.
    scene.names_holders(&[&scene.second.1, &scene.third.1]);
    assert_eq!(scene.clinic.patient.does(&rewrap).unwrap().objects[0]["wrapped"], 2);
    scene.ends();
}

#[test]
fn a_reason_stays_in_the_books_and_its_hash_goes_on_chain() {
    let scene = Scene::new();
    let opened = scene.opens_emergency(&scene.doctor.person);
    let file = PathBuf::from(opened.text("reason_file").unwrap());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(scene.books().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept["reason"], REASON);
    assert_eq!(kept["emergency"], opened.text("emergency").unwrap());
    let listed = scene
        .clinic
        .patient
        .does(&["emergency", "list", &scene.clinic.patient_id])
        .unwrap();
    assert_eq!(listed.text("reason_hash").unwrap(), kept["hash"]);
    let journal = fs::read_dir(scene.clinic.stack.folder().join("sandbox")).unwrap();
    for file in journal.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = fs::read(&file).unwrap();
        let said = bytes.windows(REASON.len()).any(|window| window == REASON.as_bytes());
        assert!(!said, "{} tells the reason", file.display());
    }

    // An emergency that is refused needs no reason: one awaits its review already.
    let refused = scene.opens_emergency(&scene.doctor.person);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.error.contains("emergency-awaits-review"), "{}", refused.error);
    let nurse = scene.clinic.employs("nurse", "nurse").unwrap();
    let refused = scene.opens_emergency(&nurse.person);
    assert!(refused.error.contains("no-emergency-credential"), "{}", refused.error);
    assert_eq!(fs::read_dir(scene.books()).unwrap().count(), 1);
    scene.ends();
}

#[test]
fn holders_that_have_no_key_yet_are_no_holders_and_that_is_said() {
    let scene = Scene::new();
    let (admin, late) = (scene.clinic.stack.person("admin"), scene.clinic.stack.person("late"));
    let wallet = late.arrives().unwrap();
    let registered = admin
        .does(&["institution", "register", "--kind", "hospital", "--authority", &wallet])
        .unwrap();
    let invited = registered.text("institution").unwrap();
    scene.names_holders(&[&scene.clinic.id, &invited]);
    let stored = scene.put();
    assert_eq!(stored.objects[0]["break_glass_shares"], 0);
    assert_eq!(stored.objects[0]["break_glass_holders_too_few"], true);
    late.does(&["institution", "accept", &invited]).unwrap();
    let rewrapped = scene
        .clinic
        .patient
        .does(&["rewrap", &scene.clinic.patient_id])
        .unwrap();
    assert_eq!(rewrapped.objects[0]["wrapped"], 2);
    assert_eq!(scene.put().objects[0]["break_glass_shares"], 2);
    scene.ends();
}
