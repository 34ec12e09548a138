//! Versions of a record: whoever amends one takes nothing from those whose record it is. The patient, its delegates and who
//! wrote the first version open the earlier ones, whatever was written over them; others read the newest only.

#![allow(clippy::unwrap_used)]

use chartseal_tests::{
    clinic::{Clinic, Employee, envelopes},
    people::{Outcome, Person},
};

const ORIGINAL: &str = "no allergies known";
const JUNK: &str = "0000000000000000";

/// A patient's record that a doctor wrote, a colleague who may amend it, and a nurse who may read.
struct Scene {
    clinic: Clinic,
    doctor: Employee,
    colleague: Employee,
    nurse: Employee,
    record: String,
}

impl Scene {
    fn new() -> Self {
        let clinic = Clinic::open().unwrap();
        let [doctor, colleague, nurse] = [("doctor", "doctor"), ("colleague", "doctor"), ("nurse", "nurse")]
            .map(|(name, role)| clinic.employs(name, role).unwrap());
        for (who, rights) in [(&doctor, "append"), (&colleague, "read,amend"), (&nurse, "read")] {
            let terms = ["--classes", "0", "--rights", rights, "--purposes", "treatment"];
            clinic.grants(&format!("member:{}", who.member), &terms).unwrap();
        }
        let mut scene = Self {
            clinic,
            doctor,
            colleague,
            nurse,
            record: String::new(),
        };
        let file = scene.file(ORIGINAL);
        let put = ["put", &scene.clinic.patient_id, &file];
        scene.record = scene.doctor.person.does(&put).unwrap().text("record").unwrap();
        scene
    }

    fn file(&self, text: &str) -> String {
        let file = self.clinic.stack.folder().join("note.txt");
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn amends(&self, who: &Person, text: &str) {
        let file = self.file(text);
        who.does(&["amend", &self.clinic.patient_id, &self.record, &file])
            .unwrap();
    }

    /// What somebody reads of a version; without a number, of the newest.
    fn reads(&self, who: &Person, version: Option<&str>) -> Result<String, Outcome> {
        let out = self.clinic.stack.folder().join("opened");
        let mut words = vec!["get", &self.clinic.patient_id, &self.record];
        words.extend(["--force", "--out", out.to_str().unwrap()]);
        words.extend(version.iter().flat_map(|version| ["--version", *version]));
        let outcome = who.types(&words).unwrap();
        assert_eq!(out.exists(), outcome.code == 0, "{outcome:?}");
        if outcome.code != 0 {
            return Err(outcome);
        }
        if let Some(version) = version {
            assert_eq!(outcome.objects[0]["version"].to_string(), version);
        }
        let bytes = std::fs::read(&out).unwrap();
        std::fs::remove_file(out).unwrap();
        Ok(String::from_utf8(bytes).unwrap())
    }

    fn is_refused(&self, who: &Person, version: &str) {
        let refused = self.reads(who, Some(version)).unwrap_err();
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.error.contains("older-version"), "{}", refused.error);
    }

    /// How many refusals because of the version stand in the patient's log.
    fn refusals(&self) -> usize {
        let log = self.clinic.patient.does(&["log", &self.clinic.patient_id]).unwrap();
        let refused = |object: &&serde_json::Value| {
            object["event"] == "ActionRefused" && object["what"].as_str().unwrap().contains("older-version")
        };
        log.objects.iter().filter(refused).count()
    }
}

#[test]
fn junk_written_over_a_record_takes_the_original_from_neither_patient_nor_author() {
    let scene = Scene::new();
    let (patient, doctor) = (&scene.clinic.patient, &scene.doctor.person);
    assert_eq!(scene.reads(&scene.nurse.person, None).unwrap(), ORIGINAL);
    scene.amends(&scene.colleague.person, "allergic to penicillin");
    scene.amends(&scene.colleague.person, JUNK);

    for who in [patient, doctor] {
        assert_eq!(scene.reads(who, None).unwrap(), JUNK);
        for (version, text) in [("1", ORIGINAL), ("2", "allergic to penicillin"), ("3", JUNK)] {
            assert_eq!(scene.reads(who, Some(version)).unwrap(), text, "{}", who.name());
        }
    }
    // Who may read, and who wrote versions later on, has the newest.
    for (count, who) in [&scene.nurse.person, &scene.colleague.person].into_iter().enumerate() {
        assert_eq!(scene.reads(who, None).unwrap(), JUNK);
        assert_eq!(scene.reads(who, Some("3")).unwrap(), JUNK);
        scene.is_refused(who, "1");
        scene.is_refused(who, "2");
        assert_eq!(scene.refusals(), 2 * (count + 1), "refusals are logged");
    }
    for version in ["4", "4294967295"] {
        let none = scene.reads(patient, Some(version)).unwrap_err();
        assert_eq!(none.code, 1, "{none:?}");
        assert!(none.error.contains("its newest is 3"), "{}", none.error);
    }

    // What the key store keeps for those who may not read it any more does not leave it.
    let kept = envelopes(patient).unwrap().len();
    scene.is_refused(&scene.nurse.person, "1");
    assert_eq!(envelopes(patient).unwrap().len(), kept);
    scene.clinic.stack.stop().unwrap();
}

#[test]
fn a_delegate_opens_earlier_versions_once_they_are_wrapped_for_it() {
    let scene = Scene::new();
    scene.amends(&scene.colleague.person, JUNK);
    let (patient, id) = (&scene.clinic.patient, &scene.clinic.patient_id);
    let carer = scene.clinic.stack.person("carer");
    let wallet = carer.arrives().unwrap();
    let named = patient
        .does(&["delegate", "name", id, "--wallet", &wallet, "--rights", "read"])
        .unwrap();
    let delegation = named.text("delegate").unwrap();
    carer.does(&["delegate", "accept", id, &delegation]).unwrap();
    let pending = scene.reads(&carer, Some("1")).unwrap_err();
    assert_eq!(pending.code, 1, "{pending:?}");

    // Somebody who may read the newest only wraps that, and asks the chain for nothing that it would refuse.
    let by_nurse = scene.nurse.person.does(&["rewrap", id]).unwrap();
    assert_eq!(
        (&by_nurse.objects[0]["wrapped"], &by_nurse.objects[0]["pending"]),
        (&1.into(), &1.into())
    );
    assert_eq!(scene.refusals(), 0);
    assert_eq!(scene.reads(&carer, None).unwrap(), JUNK);
    let by_patient = patient.does(&["rewrap", id]).unwrap();
    assert_eq!(
        (&by_patient.objects[0]["wrapped"], &by_patient.objects[0]["pending"]),
        (&1.into(), &0.into())
    );
    assert_eq!(scene.reads(&carer, Some("1")).unwrap(), ORIGINAL);

    patient.does(&["delegate", "revoke", id, &delegation]).unwrap();
    let ended = scene.reads(&carer, Some("1")).unwrap_err();
    assert_eq!(ended.code, 2, "{ended:?}");
    scene.clinic.stack.stop().unwrap();
}

#[test]
fn a_patient_who_is_handed_over_gets_earlier_versions_from_who_wrote_the_first() {
    let scene = Scene::new();
    scene.amends(&scene.colleague.person, JUNK);
    let id = &scene.clinic.patient_id;
    let grown = scene.clinic.stack.person("grown");
    let wallet = grown.arrives().unwrap();
    scene
        .clinic
        .patient
        .does(&["patient", "hand-over", id, "--to", &wallet])
        .unwrap();
    grown.does(&["patient", "accept", id]).unwrap();
    assert_eq!(scene.reads(&grown, Some("1")).unwrap_err().code, 1);

    let wrapped = scene.doctor.person.does(&["rewrap", id]).unwrap();
    assert_eq!(wrapped.objects[0]["pending"], 0, "{wrapped:?}");
    assert_eq!(scene.reads(&grown, Some("1")).unwrap(), ORIGINAL);
    assert_eq!(scene.reads(&grown, None).unwrap(), JUNK);
    let before = scene.reads(&scene.clinic.patient, Some("1")).unwrap_err();
    assert_ne!(before.code, 0, "it handed over");
    scene.clinic.stack.stop().unwrap();
}
