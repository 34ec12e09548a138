//! Everybody's log in one file: written from database and ledger, checked where neither is, and held against what the client
//! reads off the ledger itself.

use std::path::{Path, PathBuf};

use chartseal_tests::{
    people::{Outcome, Person},
    programs::kept,
};
use serde_json::{Value, json};

use crate::{Scene, lines};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What `audit check` says last: the sum of it.
fn sum(checked: &Outcome) -> &Value {
    checked.objects.last().unwrap()
}

struct Auditor<'a> {
    scene: &'a Scene,
    /// Somebody who reaches neither ledger nor gateway.
    offline: Person,
    /// Where the key is that files are signed with, and its public half.
    key: PathBuf,
    signer: String,
}

impl<'a> Auditor<'a> {
    fn of(scene: &'a Scene, name: &str) -> Self {
        let folder = scene.clinic.stack.folder();
        let key = folder.join(format!("{name}.json"));
        let made = kept(folder, "chartseal-indexer")
            .unwrap()
            .args(["audit", "key", "--out"])
            .arg(&key)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self {
            scene,
            offline: scene.doctor.person.through_rpc(NOWHERE).through_gateway(NOWHERE),
            key,
            signer: String::from_utf8(made.stdout).unwrap().trim().to_owned(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scene.clinic.stack.folder().join(format!("{name}.audit"))
    }

    /// What the indexer says, and the file, which is there only where it wrote one.
    fn exports(&self, whose: &[&str], name: &str) -> (i32, Value, PathBuf) {
        let file = self.file(name);
        let words = [
            "audit",
            "export",
            "--out",
            file.to_str().unwrap(),
            "--key",
            self.key.to_str().unwrap(),
        ];
        let (code, said) = self
            .scene
            .clinic
            .stack
            .asks_indexer(&[&words[..], whose].concat())
            .unwrap();
        (code, said, file)
    }

    fn checks(&self, who: &Person, file: &Path, options: &[&str]) -> Outcome {
        who.types(&[&["audit", "check", file.to_str().unwrap()], options].concat())
            .unwrap()
    }

    fn holds(&self, file: &Path) -> Outcome {
        let checked = self.checks(&self.offline, file, &["--signer", &self.signer]);
        assert_eq!(checked.code, 0, "{}", checked.error);
        assert_eq!(sum(&checked)["whole"], true);
        checked
    }

    /// A file of these bytes is not believed, whoever demands what of it.
    fn is_refused(&self, bytes: &[u8], what: &str) {
        let file = self.file("altered");
        std::fs::write(&file, bytes).unwrap();
        for options in [&[][..], &["--signer", &self.signer]] {
            let checked = self.checks(&self.offline, &file, options);
            assert_eq!(checked.code, 3, "{what}: {checked:?}");
        }
    }
}

pub(crate) async fn each_log_checks_out_by_itself(scene: &Scene) {
    let auditor = Auditor::of(scene, "auditor");
    let database = scene.clinic.stack.analyst().await.unwrap();
    let patients = lines(
        &database,
        "SELECT encode(id, 'hex') FROM chartseal.patients ORDER BY made_seq, id",
    )
    .await;
    let institutions = lines(
        &database,
        "SELECT encode(id, 'hex') FROM chartseal.institutions ORDER BY id",
    )
    .await;
    database.close().await;
    assert_eq!(patients.len(), 3);
    for id in &patients {
        is_what_the_client_reads(&auditor, id);
    }
    for id in &institutions {
        let (code, said, file) = auditor.exports(&["--institution", id], id);
        assert_eq!(code, 0, "{said}");
        assert_eq!(sum(&auditor.holds(&file))["id"], id.as_str());
    }
    let (code, said, file) = auditor.exports(&["--registry"], "registry");
    assert_eq!(code, 0, "{said}");
    auditor.holds(&file);

    let own = auditor.file(&scene.clinic.patient_id);
    names_whoever_read(&auditor, &own);
    is_found_where_it_was_altered(&auditor, &own);
}

/// The file of a patient has what the patient's own client reads off the ledger, event by event.
fn is_what_the_client_reads(auditor: &Auditor<'_>, id: &str) {
    let (code, said, file) = auditor.exports(&["--patient", id], id);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["signer"], auditor.signer.as_str());
    let checked = auditor.holds(&file);
    assert_eq!(sum(&checked)["digest"], said["digest"]);
    assert_eq!(sum(&checked)["ledger_asked"], false);

    let online = &auditor.scene.clinic.patient;
    let read = online.does(&["log", id]).unwrap();
    let told = |outcome: &Outcome| {
        let events = outcome.objects.iter().filter(|object| object["event"].is_string());
        let place = |object: &Value| {
            let seq = object["seq"].as_u64().unwrap();
            ((object["log"].as_str().unwrap().to_owned(), seq), object.clone())
        };
        let mut events: Vec<_> = events.map(place).collect();
        events.sort_by(|(one, _), (other, _)| one.cmp(other));
        let parts = |object: &Value| json!([object["event"], object["what"], object["at"]]);
        events
            .into_iter()
            .map(|(place, object)| (place, parts(&object)))
            .collect::<Vec<_>>()
    };
    assert!(!told(&checked).is_empty());
    assert_eq!(told(&checked), told(&read));

    let asked = auditor.checks(online, &file, &["--ledger", "--signer", &auditor.signer]);
    assert_eq!(
        (asked.code, &sum(&asked)["events_since"]),
        (0, &json!(0)),
        "{}",
        asked.error
    );
}

fn names_whoever_read(auditor: &Auditor<'_>, file: &Path) {
    let checked = auditor.holds(file);
    let hospital = format!("of hospital {}", auditor.scene.clinic.id);
    let reads = checked
        .objects
        .iter()
        .filter(|object| object["event"] == "AccessAllowed");
    let by_staff = reads.filter(|object| object["who"].as_str().is_some_and(|who| who.contains(&hospital)));
    assert!(by_staff.count() > 0, "{:#?}", checked.objects);
}

fn is_found_where_it_was_altered(auditor: &Auditor<'_>, file: &Path) {
    let whole = std::fs::read(file).unwrap();
    for part in 0..8 {
        let mut altered = whole.clone();
        let place = part * whole.len() / 8 + part;
        altered[place] ^= 1;
        auditor.is_refused(&altered, &format!("byte {place} of {}", whole.len()));
    }
    auditor.is_refused(&whole[..whole.len() - 1], "a byte less");
    auditor.is_refused(&[&whole[..], &[0]].concat(), "a byte more");
    // Everything holds, and somebody else says so.
    let another = Auditor::of(auditor.scene, "another");
    let (code, said, file) = another.exports(&["--patient", &auditor.scene.clinic.patient_id], "another's");
    assert_eq!(code, 0, "{said}");
    another.holds(&file);
    let checked = auditor.checks(&auditor.offline, &file, &["--signer", &auditor.signer]);
    assert_eq!(checked.code, 3, "{checked:?}");
}
