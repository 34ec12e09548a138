//! X-Wing keys as people have them: whoever makes keys today gets both halves, keys are wrapped to the better one, what was
//! wrapped before moves over in one run, and whoever insists wraps for nobody without.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use chartseal::store::{FolderKeyStore, KeyStore as _};
use chartseal::{seal::envelope::Suite, store::keystore::EnvelopeSlot};
use chartseal_tests::{
    clinic::{Clinic, Employee},
    people::Person,
    programs::fixture,
};

struct Scene {
    clinic: Clinic,
    doctor: Employee,
}

impl Scene {
    /// A patient and a doctor who may read and write.
    fn new() -> Self {
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        let to = format!("member:{}", doctor.member);
        let rights = "read,append,amend";
        let terms = ["--classes", "0", "--rights", rights, "--purposes", "treatment"];
        clinic.grants(&to, &terms).unwrap();
        Self { clinic, doctor }
    }

    fn puts(&self, who: &Person) -> String {
        let note = fixture("note.txt");
        let put = ["put", &self.clinic.patient_id, note.to_str().unwrap()];
        who.does(&put).unwrap().text("record").unwrap()
    }

    fn opens(&self, who: &Person, record: &str) -> bool {
        let (outcome, bytes) = self.clinic.opens(who, record).unwrap();
        assert!(outcome.code == 0 || bytes.is_none(), "{outcome:?}");
        bytes.is_some_and(|bytes| bytes == fs::read(fixture("note.txt")).unwrap())
    }

    /// How the envelopes of a record are wrapped, in the order of their slots.
    fn suites(&self, record: &str) -> Vec<Suite> {
        let store = FolderKeyStore::existing(self.clinic.patient.key_store());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let [patient, record] = [&self.clinic.patient_id, record].map(|id| {
                let mut bytes = [0; 16];
                hex::decode_to_slice(id, &mut bytes).unwrap();
                bytes
            });
            let mut suites = Vec::new();
            for slot in store.slots(patient, record).await.unwrap() {
                let slot: EnvelopeSlot = slot;
                suites.push(store.wrapping(slot).await.unwrap().unwrap().suite);
            }
            suites
        })
    }

    /// The folder with the public keys.
    fn public(&self) -> PathBuf {
        self.clinic.patient.key_store().join("public")
    }

    /// How often somebody's reading was logged.
    fn accesses(&self) -> usize {
        let log = self.clinic.patient.does(&["log", &self.clinic.patient_id]).unwrap();
        let allowed = log.objects.iter().filter(|object| object["event"] == "AccessAllowed");
        allowed.count()
    }

    fn ends(self) {
        self.clinic.stack.stop().unwrap();
    }
}

#[test]
fn keys_are_wrapped_by_x_wing_for_everybody_who_has_such_a_key() {
    let scene = Scene::new();
    let shown = scene.doctor.person.does(&["keys", "show"]).unwrap();
    let hash = shown.text("post_quantum_key_sha256").unwrap();
    assert!(scene.public().join(&hash).is_file(), "it was published");

    let record = scene.puts(&scene.doctor.person);
    assert_eq!(scene.suites(&record), [Suite::XWing, Suite::XWing]);
    assert!(scene.opens(&scene.clinic.patient, &record));
    assert!(scene.opens(&scene.doctor.person, &record));
    scene.ends();
}

#[test]
fn what_was_wrapped_by_x25519_moves_to_x_wing_in_one_run_and_the_next_finds_nothing_to_do() {
    let scene = Scene::new();
    let (patient, doctor) = (&scene.clinic.patient, &scene.doctor.person);
    // The public keys are nowhere to be found: then it is X25519.
    let elsewhere = scene.public().with_file_name("elsewhere");
    fs::rename(scene.public(), &elsewhere).unwrap();
    let records = [scene.puts(patient), scene.puts(doctor), scene.puts(patient)];
    for record in &records {
        assert_eq!(scene.suites(record), [Suite::X25519, Suite::X25519]);
    }
    let insisting = ["--require-post-quantum", "put", &scene.clinic.patient_id];
    let note = fixture("note.txt");
    let refused = patient
        .types(&[&insisting[..], &[note.to_str().unwrap()]].concat())
        .unwrap();
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.error.contains("no post-quantum key"), "{}", refused.error);
    let listed = patient.does(&["list", &scene.clinic.patient_id]).unwrap();
    assert_eq!(listed.objects.len(), 3, "nothing was stored");

    // Somebody publishes them again, the doctor's own by command.
    fs::rename(&elsewhere, scene.public()).unwrap();
    let hash = doctor
        .does(&["keys", "show"])
        .unwrap()
        .text("post_quantum_key_sha256")
        .unwrap();
    fs::remove_file(scene.public().join(&hash)).unwrap();
    let published = doctor.does(&["keys", "publish"]).unwrap();
    assert_eq!(published.text("post_quantum_key_sha256").unwrap(), hash);

    // Without being asked to, nothing is wrapped again that opens as it is.
    let before = scene.accesses();
    let plain = patient.does(&["rewrap", "--all"]).unwrap();
    assert_eq!(
        (&plain.objects[0]["right"], &plain.objects[0]["wrapped"]),
        (&3.into(), &0.into())
    );
    assert_eq!(scene.accesses(), before, "what is right is not opened");

    let moved = patient.does(&["rewrap", "--all", "--post-quantum"]).unwrap();
    let moved = &moved.objects[0];
    assert_eq!((&moved["patients"], &moved["records"]), (&1.into(), &3.into()));
    assert_eq!(
        (&moved["wrapped"], &moved["pending"], &moved["right"]),
        (&6.into(), &0.into(), &0.into())
    );
    assert_eq!(moved["failed"], serde_json::json!([]));
    assert_eq!(scene.accesses(), before + 3, "each opening is logged");
    for record in &records {
        assert_eq!(scene.suites(record), [Suite::XWing, Suite::XWing]);
        assert!(scene.opens(patient, record) && scene.opens(doctor, record));
    }

    let before = scene.accesses();
    let again = patient.does(&["rewrap", "--all", "--post-quantum"]).unwrap();
    assert_eq!(
        (&again.objects[0]["right"], &again.objects[0]["wrapped"]),
        (&3.into(), &0.into())
    );
    assert_eq!(scene.accesses(), before);
    scene.ends();
}

#[test]
fn a_run_for_everything_touches_what_this_identity_opens_and_says_what_it_could_not_do() {
    let scene = Scene::new();
    let (patient, doctor) = (&scene.clinic.patient, &scene.doctor.person);
    let record = scene.puts(patient);
    let private = fixture("note.txt");
    let put = [
        "put",
        &scene.clinic.patient_id,
        private.to_str().unwrap(),
        "--class",
        "7",
    ];
    patient.does(&put).unwrap();
    // Something is filed under what is no patient.
    fs::create_dir(patient.key_store().join("envelopes").join("ab".repeat(16))).unwrap();
    let stranger = scene.clinic.stack.person("stranger");
    stranger.arrives().unwrap();
    let nothing = stranger.does(&["rewrap", "--all"]).unwrap();
    assert_eq!(nothing.objects[0]["records"], 0);
    assert_eq!(nothing.objects[0]["failed"], serde_json::json!([]));
    let his = doctor.does(&["rewrap", "--all"]).unwrap();
    assert_eq!(his.objects[0]["records"], 1, "the other one is none of his");

    // The patient's envelope is gone, and the doctor may not read any more: so he cannot make up for it.
    let envelopes = scene.clinic.envelopes().unwrap();
    let account = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let of_record: Vec<_> = envelopes
        .iter()
        .filter(|path| path.to_str().unwrap().contains(&record))
        .collect();
    assert_eq!(of_record.len(), 2);
    let others: Vec<_> = envelopes
        .iter()
        .filter(|path| !path.to_str().unwrap().contains(&record))
        .collect();
    let of_patient = of_record
        .iter()
        .find(|path| account(path) == account(others[0]))
        .unwrap();
    fs::remove_file(of_patient).unwrap();
    let suspend = ["member", "suspend", &scene.doctor.member];
    scene.clinic.hospital.does(&suspend).unwrap();
    let failed = doctor.does(&["rewrap", "--all"]).unwrap();
    assert_eq!(failed.objects[0]["failed"][0]["record"], record.as_str());
    assert_eq!(failed.objects[0]["pending"], 1);
    scene
        .clinic
        .hospital
        .does(&["member", "reinstate", &scene.doctor.member])
        .unwrap();
    let made_up = doctor.does(&["rewrap", "--all"]).unwrap();
    assert_eq!(made_up.objects[0]["wrapped"], 1);
    assert!(scene.opens(patient, &record));
    scene.ends();
}

#[test]
fn a_patient_who_takes_a_new_key_still_opens_everything() {
    let scene = Scene::new();
    let patient = &scene.clinic.patient;
    let before = patient
        .does(&["keys", "show"])
        .unwrap()
        .text("post_quantum_key_sha256")
        .unwrap();
    let record = scene.puts(&scene.doctor.person);
    patient.does(&["keys", "rotate", &scene.clinic.patient_id]).unwrap();
    let after = patient
        .does(&["keys", "show"])
        .unwrap()
        .text("post_quantum_key_sha256")
        .unwrap();
    assert_ne!(before, after);
    assert!(scene.public().join(&after).is_file());
    assert!(scene.opens(patient, &record));
    assert_eq!(scene.suites(&record), [Suite::XWing, Suite::XWing]);
    scene.ends();
}

#[test]
fn a_person_without_an_account_gets_x25519_or_nothing_where_somebody_insists() {
    let scene = Scene::new();
    let (patient, id) = (&scene.clinic.patient, &scene.clinic.patient_id);
    let record = scene.puts(patient);
    let friend = scene.clinic.stack.person("friend");
    friend.arrives().unwrap();
    let shown = friend.does(&["keys", "show"]).unwrap();
    let to = format!(
        "person:{}:{}",
        shown.text("wallet").unwrap(),
        shown.text("encryption_key").unwrap()
    );
    let grant = ["--require-post-quantum", "grant", id, "--to", &to, "--record", &record];
    let before = scene.accesses();
    let granted = patient
        .does(&[&grant[..], &["--purposes", "personal"]].concat())
        .unwrap();
    let keys = &granted.objects[0];
    assert_eq!((&keys["wrapped"], &keys["pending"]), (&0.into(), &1.into()));
    assert!(keys["because"].as_str().unwrap().contains("no post-quantum key"));
    assert_eq!(
        scene.accesses(),
        before,
        "nothing is opened for whom nothing is wrapped"
    );
    assert!(!scene.opens(&friend, &record));

    patient.does(&["rewrap", id]).unwrap();
    assert!(scene.opens(&friend, &record));
    let mut suites = scene.suites(&record);
    suites.sort_unstable();
    assert_eq!(suites, [Suite::X25519, Suite::XWing, Suite::XWing]);
    scene.ends();
}
