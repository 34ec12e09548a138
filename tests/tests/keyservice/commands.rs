//! The same with commands only: people on machines of their own, who reach the hospital's keys by its service.

use std::fs;

use chartseal_tests::{
    clinic::{Clinic, Employee},
    keyservice::{KeyService, Machine},
    people::Outcome,
};

use super::scene::NOTE;

/// A hospital whose doctors and nurses have machines of their own.
struct Ward {
    clinic: Clinic,
    service: KeyService,
}

impl Ward {
    fn open() -> Self {
        let clinic = Clinic::open().unwrap();
        let service = KeyService::of_clinic(&clinic).unwrap();
        Self { clinic, service }
    }

    fn employs(&self, name: &'static str, role: &str) -> (Employee, Machine) {
        let employee = self.clinic.employs(name, role).unwrap();
        let machine = Machine::of(&self.clinic.stack, &employee.person).unwrap();
        (employee, machine)
    }

    fn grants(&self, to: &Employee, rights: &str) -> String {
        let terms = ["--classes", "0", "--rights", rights, "--purposes", "treatment"];
        self.clinic.grants(&format!("member:{}", to.member), &terms).unwrap()
    }

    /// Somebody writes a note at their machine, by these key stores.
    fn puts(&self, machine: &Machine, key_stores: &str) -> Outcome {
        fs::write(machine.file("note.txt"), NOTE).unwrap();
        machine
            .types(
                key_stores,
                &["put", &self.clinic.patient_id, "note.txt", "--class", "0"],
            )
            .unwrap()
    }

    fn gets(&self, machine: &Machine, key_stores: &str, record: &str) -> (Outcome, Option<Vec<u8>>) {
        let words = ["get", &self.clinic.patient_id, record, "--out", "opened"];
        let outcome = machine.types(key_stores, &words).unwrap();
        let opened = fs::read(machine.file("opened")).ok();
        if opened.is_some() {
            fs::remove_file(machine.file("opened")).unwrap();
        }
        (outcome, opened)
    }

    fn url(&self) -> &str {
        &self.service.url
    }

    /// An empty folder of the machine's own, and the service.
    fn own_and_service(&self) -> String {
        format!("keys:{}", self.url())
    }
}

#[track_caller]
fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

/// How many envelopes lie in a machine's own folder.
fn envelopes(machine: &Machine) -> usize {
    let mut folders = vec![machine.key_store().join("envelopes")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
            }
        }
    }
    files
}

#[test]
fn a_doctor_on_another_machine_opens_a_record_until_that_is_revoked() {
    let ward = Ward::open();
    let ((author, writing), (reader, reading)) = (ward.employs("doctor", "doctor"), ward.employs("nurse", "nurse"));
    ward.grants(&author, "append");
    let grant = ward.grants(&reader, "read");
    // Keys that were made elsewhere come to lie where others look for them.
    done(reading.types(ward.url(), &["keys", "publish"]).unwrap());
    let record = done(ward.puts(&writing, ward.url())).text("record").unwrap();

    let both = ward.own_and_service();
    let (outcome, opened) = ward.gets(&reading, &both, &record);
    assert_eq!(opened.as_deref(), Some(NOTE), "{outcome:?}");
    assert_eq!(envelopes(&reading), 0, "what is read is not kept");
    // Named as the service of a profile, it is asked last all the same.
    let profile = format!(
        "default = \"ward\"\n[profiles.ward]\nkey_stores = [{:?}]\nkey_service = {:?}\n",
        reading.key_store(),
        ward.url()
    );
    fs::create_dir(reading.file("chartseal")).unwrap();
    fs::write(reading.file("chartseal/config.toml"), profile).unwrap();
    let words = ["get", &ward.clinic.patient_id, &record, "--out", "opened"];
    done(reading.types_by_profile(&words).unwrap());
    assert_eq!(fs::read(reading.file("opened")).unwrap(), NOTE);
    fs::remove_file(reading.file("opened")).unwrap();

    let patients = Machine::of(&ward.clinic.stack, &ward.clinic.patient).unwrap();
    let before = ward.clinic.envelopes().unwrap().len();
    done(
        patients
            .types(ward.url(), &["revoke", &ward.clinic.patient_id, &grant])
            .unwrap(),
    );
    assert_eq!(
        ward.clinic.envelopes().unwrap().len(),
        before - 1,
        "and its envelope is deleted"
    );
    let (outcome, opened) = ward.gets(&reading, &both, &record);
    assert_eq!((outcome.code, opened), (2, None), "{outcome:?}");

    let url = ward.url().to_owned();
    let Ward { clinic, service } = ward;
    drop(service);
    let words = ["get", &clinic.patient_id, &record, "--out", "opened"];
    let outcome = patients.types(&format!("keys:{url}"), &words).unwrap();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for word in [url.as_str(), "does not answer", "--key-service"] {
        assert!(outcome.error.contains(word), "{word}: {}", outcome.error);
    }
    clinic.stack.stop().unwrap();
}

#[test]
fn what_the_service_does_not_take_is_not_written_at_all() {
    let ward = Ward::open();
    let (author, machine) = ward.employs("doctor", "doctor");
    let (laboratory, id) = ward.clinic.institution("laboratory", "laboratory").unwrap();
    let grant = ["--classes", "0", "--rights", "append", "--purposes", "treatment"];
    ward.clinic.grants(&format!("institution:{id}"), &grant).unwrap();
    ward.grants(&author, "append");
    let technician = ward.clinic.stack.person("technician");
    let wallet = technician.arrives().unwrap();
    let words = ["member", "register", &id, "--wallet", &wallet, "--role", "technician"];
    let member = laboratory.does(&words).unwrap().text("member").unwrap();
    technician
        .does(&["member", "accept", &format!("{id}:{member}")])
        .unwrap();
    let elsewhere = Machine::of(&ward.clinic.stack, &technician).unwrap();

    let both = ward.own_and_service();
    let outcome = ward.puts(&elsewhere, &both);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for word in [ward.url(), "staff", "--key-store"] {
        assert!(outcome.error.contains(word), "{word}: {}", outcome.error);
    }
    assert_eq!(envelopes(&elsewhere), 0, "what its own folder took was taken back");
    let records = || {
        done(machine.types(ward.url(), &["list", &ward.clinic.patient_id]).unwrap())
            .objects
            .len()
    };
    assert_eq!(records(), 0, "and nothing stands on chain");
    // By its own folder alone it may; and staff may by both.
    done(ward.puts(&elsewhere, "keys"));
    done(ward.puts(&machine, &both));
    assert_eq!(records(), 2);
    assert!(envelopes(&machine) > 0);
    ward.clinic.stack.stop().unwrap();
}

#[test]
fn a_record_is_erased_by_way_of_the_service_and_opens_for_nobody() {
    let ward = Ward::open();
    let (author, writing) = ward.employs("doctor", "doctor");
    ward.grants(&author, "read,append");
    let record = done(ward.puts(&writing, &ward.own_and_service()))
        .text("record")
        .unwrap();
    let patients = Machine::of(&ward.clinic.stack, &ward.clinic.patient).unwrap();
    // An erasure makes no key store: one that is not there must not be taken for an empty one.
    done(patients.types("keys", &["keys", "publish"]).unwrap());
    let words = [
        "erase",
        &ward.clinic.patient_id,
        "--record",
        &record,
        "--receipt",
        "receipt.json",
    ];
    let erased = done(patients.types(&ward.own_and_service(), &words).unwrap());
    let stores = erased.objects[0]["key_stores"].as_array().unwrap().clone();
    let outcomes: Vec<_> = stores.iter().map(|store| store["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["absent", "destroyed"],
        "the patient's own folder and the service's"
    );
    assert!(ward.clinic.envelopes().unwrap().is_empty());
    let (outcome, opened) = ward.gets(&writing, &ward.own_and_service(), &record);
    assert_eq!((outcome.code, opened), (2, None), "{outcome:?}");
    ward.clinic.stack.stop().unwrap();
}

#[test]
fn no_key_store_is_made_of_an_address() {
    let folder = tempfile::tempdir().unwrap();
    for (text, word) in [
        ("s3://bucket", "https://"),
        ("https://me:hush@host", "password"),
        ("", "without a name"),
    ] {
        let mut command = chartseal_tests::programs::program("chartseal").unwrap();
        let command = command.current_dir(folder.path()).env("CHARTSEAL_KEY_STORE", text);
        let output = command.args(["list", &"ab".repeat(16)]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(word) && !error.contains("hush"),
            "{error}"
        );
    }
    let there: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(there.is_empty(), "{there:?}");
}
