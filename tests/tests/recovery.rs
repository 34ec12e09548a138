//! Keys that change and keys that are lost: rotation, guardians, and a history that opens again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use chartseal_tests::{clinic::opens, memory::one_patient, people::Person, stack::Stack, travel};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const NAMES: [&str; 3] = ["ada", "ben", "cem"];

struct Family {
    stack: Stack,
    patient: Person,
    id: String,
    guardians: Vec<Person>,
}

impl Family {
    /// A patient with a record, and three guardians of whom two are enough.
    fn gather() -> (Self, String) {
        let (stack, patient, id) = one_patient().unwrap();
        let guardians: Vec<Person> = NAMES.iter().map(|name| stack.person(name)).collect();
        for guardian in &guardians {
            guardian.arrives().unwrap();
        }
        let family = Self {
            stack,
            patient,
            id,
            guardians,
        };
        let stored = family.stores(&family.patient, "long ago");
        assert_eq!(stored["recoverable"], false, "nobody could help: {stored}");
        let record = stored["record"].as_str().unwrap().to_owned();
        let named = family.names_guardians(&family.patient, "2");
        assert_eq!(
            (&named["guardians"], &named["shares"]),
            (&json!(3), &json!(3)),
            "{named}"
        );
        assert_eq!(family.stores(&family.patient, "safe now")["recoverable"], true);
        (family, record)
    }

    fn stores(&self, who: &Person, text: &str) -> Value {
        let file = self.stack.folder().join("note.txt");
        std::fs::write(&file, text).unwrap();
        who.does(&["put", &self.id, file.to_str().unwrap()]).unwrap().objects[0].clone()
    }

    fn names_guardians(&self, who: &Person, threshold: &str) -> Value {
        let named: Vec<String> = self.guardians.iter().map(key_of).collect();
        let mut words = vec!["guardian", "set", &self.id, "--threshold", threshold, "--delay", "2d"];
        for guardian in &named {
            words.extend(["--guardian", guardian]);
        }
        who.does(&words).unwrap().objects[0].clone()
    }

    fn reads(&self, who: &Person, record: &str) -> Result<Vec<u8>, String> {
        let (outcome, bytes) = opens(&self.stack, who, &self.id, record).unwrap();
        bytes.ok_or(outcome.error)
    }

    fn status(&self) -> Value {
        self.patient.does(&["guardian", "status", &self.id]).unwrap().objects[0].clone()
    }

    fn does(&self, who: &Person, words: &[&str]) -> Value {
        who.does(&[words, &[self.id.as_str()]].concat()).unwrap().objects[0].clone()
    }

    /// What stops somebody.
    fn fails(&self, who: &Person, words: &[&str]) -> String {
        let outcome = who.types(&[words, &[self.id.as_str()]].concat()).unwrap();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        outcome.error
    }

    fn shares(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.patient.key_store().join("shares")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

/// `WALLET:KEY` of somebody.
fn key_of(who: &Person) -> String {
    let shown = who.does(&["keys", "show"]).unwrap();
    format!(
        "{}:{}",
        shown.text("wallet").unwrap(),
        shown.text("encryption_key").unwrap()
    )
}

#[test]
fn two_of_three_guardians_give_a_lost_history_back() {
    let (family, record) = Family::gather();
    let next = family.stack.person("next");
    next.arrives().unwrap();
    let next_key = key_of(&next);
    let [ada, ben, cem] = [0, 1, 2].map(|place| &family.guardians[place]);

    for guardian in [ada, ben] {
        guardian.does(&["guardian", "vote", &family.id, &next_key]).unwrap();
    }
    assert_eq!(family.status()["pending"]["state"], "waiting");
    assert!(family.fails(&next, &["guardian", "finish"]).contains("TooEarly"));
    assert!(family.fails(ada, &["guardian", "release"]).contains("none is due"));
    family.does(&family.patient, &["guardian", "object"]);
    assert_eq!(
        family.status()["pending"],
        Value::Null,
        "the patient still had its wallet"
    );

    for guardian in [ada, cem] {
        guardian.does(&["guardian", "vote", &family.id, &next_key]).unwrap();
    }
    travel::pass(&family.stack, 2 * DAY).unwrap();
    assert_eq!(family.status()["pending"]["state"], "due");
    family.does(&next, &["guardian", "finish"]);
    assert!(
        family.reads(&family.patient, &record).is_err(),
        "the lost wallet has no say"
    );
    assert!(
        family
            .reads(&next, &record)
            .unwrap_err()
            .contains("have the key wrapped again")
    );

    assert!(
        family
            .fails(&next, &["keys", "recover"])
            .contains("no guardian has released")
    );
    assert_eq!(family.does(ben, &["guardian", "release"])["released"], 1);
    assert!(family.fails(&next, &["keys", "recover"]).contains("1 of the 2 shares"));
    assert_eq!(family.does(cem, &["guardian", "release"])["released"], 1);
    let stranger = family.stack.person("stranger");
    stranger.arrives().unwrap();
    assert!(
        family
            .fails(&stranger, &["guardian", "release"])
            .contains("no guardian")
    );

    let recovered = family.does(&next, &["keys", "recover"]);
    assert_eq!(recovered["epochs"], json!([1]), "{recovered}");
    assert_eq!((&recovered["wrapped"], &recovered["pending"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&recovered["wrong_shares"], &recovered["shares"]),
        (&json!([]), &json!(3))
    );
    assert_eq!(family.reads(&next, &record).unwrap(), b"long ago");
    assert_eq!(
        family.shares().len(),
        3,
        "the shares of the lost key are gone, the new key's are dealt"
    );
    family.stack.stop().unwrap();
}

#[test]
fn an_earlier_version_opens_after_the_key_was_rotated_and_after_it_was_lost() {
    let (family, record) = Family::gather();
    let file = family.stack.folder().join("note.txt");
    std::fs::write(&file, "written over it").unwrap();
    family
        .patient
        .does(&["amend", &family.id, &record, file.to_str().unwrap()])
        .unwrap();
    let reads_first = |who: &Person| {
        let out = family.stack.folder().join("first");
        let words = ["get", &family.id, &record, "--version", "1", "--force", "--out"];
        let outcome = who.types(&[&words[..], &[out.to_str().unwrap()]].concat()).unwrap();
        match outcome.code {
            0 => Ok(std::fs::read(&out).unwrap()),
            _ => Err(outcome.error),
        }
    };
    assert_eq!(reads_first(&family.patient).unwrap(), b"long ago");
    let rotated = family.does(&family.patient, &["keys", "rotate"]);
    assert_eq!(
        (&rotated["wrapped"], &rotated["pending"]),
        (&json!(3), &json!(0)),
        "every version of both records: {rotated}"
    );
    assert_eq!(reads_first(&family.patient).unwrap(), b"long ago");

    let next = family.stack.person("next");
    next.arrives().unwrap();
    let next_key = key_of(&next);
    for guardian in &family.guardians[..2] {
        guardian.does(&["guardian", "vote", &family.id, &next_key]).unwrap();
    }
    travel::pass(&family.stack, 2 * DAY).unwrap();
    family.does(&next, &["guardian", "finish"]);
    assert!(reads_first(&next).unwrap_err().contains("have the key wrapped again"));
    for guardian in &family.guardians[..2] {
        family.does(guardian, &["guardian", "release"]);
    }
    let recovered = family.does(&next, &["keys", "recover"]);
    assert_eq!((&recovered["wrapped"], &recovered["pending"]), (&json!(3), &json!(0)));
    assert_eq!(reads_first(&next).unwrap(), b"long ago");
    assert_eq!(family.reads(&next, &record).unwrap(), b"written over it");
    assert!(reads_first(&family.patient).is_err(), "the lost wallet has no say");
    family.stack.stop().unwrap();
}

#[test]
fn a_wrong_share_is_noticed_and_named() {
    let (family, record) = Family::gather();
    let next = family.stack.person("next");
    next.arrives().unwrap();
    let next_key = key_of(&next);
    for guardian in &family.guardians[..2] {
        guardian.does(&["guardian", "vote", &family.id, &next_key]).unwrap();
    }
    travel::pass(&family.stack, 2 * DAY).unwrap();
    let dealt = family.shares();
    for guardian in &family.guardians {
        family.does(guardian, &["guardian", "release"]);
    }
    family.does(&next, &["guardian", "finish"]);
    let released: Vec<_> = family
        .shares()
        .into_iter()
        .filter(|path| !dealt.contains(path))
        .collect();
    assert_eq!(released.len(), 3);
    // Somebody puts one guardian's share in the place of another's.
    std::fs::copy(&released[0], &released[1]).unwrap();

    let recovered = family.does(&next, &["keys", "recover"]);
    assert_eq!(recovered["wrong_shares"].as_array().unwrap().len(), 1, "{recovered}");
    assert_eq!(family.reads(&next, &record).unwrap(), b"long ago");
    family.stack.stop().unwrap();
}

#[test]
fn a_patient_who_objects_takes_back_what_guardians_released() {
    let (family, _) = Family::gather();
    let thief = family.stack.person("thief");
    thief.arrives().unwrap();
    let thief_key = key_of(&thief);
    let dealt = family.shares();
    for guardian in &family.guardians[..2] {
        guardian.does(&["guardian", "vote", &family.id, &thief_key]).unwrap();
    }
    travel::pass(&family.stack, 2 * DAY).unwrap();
    for guardian in &family.guardians[..2] {
        family.does(guardian, &["guardian", "release"]);
    }
    assert_eq!(family.shares().len(), 5);
    family.does(&family.patient, &["guardian", "object"]);
    assert_eq!(family.shares(), dealt);
    assert!(family.fails(&thief, &["guardian", "finish"]).contains("NoRecovery"));
    family.stack.stop().unwrap();
}

#[test]
fn a_rotated_key_opens_all_that_was_and_all_that_comes() {
    let (family, record) = Family::gather();
    let before = family.stack.folder().join("backup-before");
    let passphrase = family.patient.passphrase();
    let other = ["--backup-passphrase-file", passphrase.to_str().unwrap()];
    let backup = [&["keys", "backup", "--to", before.to_str().unwrap()], &other[..]].concat();
    family.patient.does(&backup).unwrap();
    let old_shares = family.shares();

    let rotated = family.does(&family.patient, &["keys", "rotate"]);
    assert_eq!(
        (&rotated["wrapped"], &rotated["pending"], &rotated["shares"]),
        (&json!(2), &json!(0), &json!(3))
    );
    let shares = family.shares();
    assert!(shares.len() == 3 && shares.iter().all(|path| !old_shares.contains(path)));
    assert_eq!(family.reads(&family.patient, &record).unwrap(), b"long ago");
    let later = family.stores(&family.patient, "of the new key");
    assert_eq!(
        family
            .reads(&family.patient, later["record"].as_str().unwrap())
            .unwrap(),
        b"of the new key"
    );
    let shown = family.patient.does(&["keys", "show"]).unwrap();
    assert_eq!(shown.objects[0]["encryption_key"], rotated["encryption_key"]);
    assert_eq!(shown.objects[0]["earlier_encryption_keys"].as_array().unwrap().len(), 1);

    // A copy from before has the wallet and not the key.
    let restore = [&["keys", "restore", "--from", before.to_str().unwrap()], &other[..]].concat();
    let refused = family.patient.types(&restore).unwrap();
    assert!(refused.code == 1 && refused.error.contains("exists"), "{refused:?}");
    let bytes = std::fs::read(family.patient.identity()).unwrap();
    family.patient.does(&[&restore[..], &["--force"]].concat()).unwrap();
    assert!(family.reads(&family.patient, &record).is_err());
    let aside = PathBuf::from(format!("{}.1", family.patient.identity().display()));
    assert_eq!(
        std::fs::read(&aside).unwrap(),
        bytes,
        "what it took the place of is kept"
    );
    std::fs::rename(aside, family.patient.identity()).unwrap();
    assert_eq!(family.reads(&family.patient, &record).unwrap(), b"long ago");
    family.stack.stop().unwrap();
}

#[test]
fn a_rotation_that_was_cut_short_goes_on_where_it_ended() {
    let (family, record) = Family::gather();
    let nowhere = family.patient.through_rpc("http://127.0.0.1:9");
    let fails = nowhere.types(&["keys", "rotate", &family.id]).unwrap();
    assert_eq!(fails.code, 1);
    let earlier = |who: &Person| {
        let shown = who.does(&["keys", "show"]).unwrap().objects[0].clone();
        shown["earlier_encryption_keys"].as_array().unwrap().len()
    };
    assert_eq!(
        earlier(&family.patient),
        0,
        "nothing was asked of the ledger, nothing was changed"
    );

    // The key was taken for another patient of the same wallet; this one's still names the one before.
    let second = family
        .patient
        .does(&["patient", "open"])
        .unwrap()
        .text("patient")
        .unwrap();
    family.patient.does(&["keys", "rotate", &second]).unwrap();
    assert_eq!(earlier(&family.patient), 1);
    assert_eq!(family.reads(&family.patient, &record).unwrap(), b"long ago");
    let published = family.does(&family.patient, &["patient", "rotate-key"]);
    assert_eq!(
        earlier(&family.patient),
        1,
        "the newer key was published, none was made"
    );
    assert_eq!(published["wrapped"], 2);
    assert_eq!(family.reads(&family.patient, &record).unwrap(), b"long ago");
    family.stack.stop().unwrap();
}
