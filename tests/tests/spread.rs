//! A record over six folders, of which four are enough, as a clinic works with it at the command line: what is lost is
//! shown, read around, and repaired by anybody.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use chartseal::store::ans104::HEADER_LEN;
use chartseal_tests::{
    memory::one_patient,
    people::{Outcome, Person},
    programs::fixture,
    stack::Stack,
};

/// A patient with one record in six folders.
struct Scene {
    stack: Stack,
    patient: Person,
    id: String,
    record: String,
    folders: Vec<PathBuf>,
}

impl Scene {
    fn new() -> Self {
        let (stack, patient, id) = one_patient().unwrap();
        let folders: Vec<_> = (0..6)
            .map(|store| stack.folder().join(format!("store-{store}")))
            .collect();
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        let mut scene = Self {
            stack,
            patient,
            id,
            record: String::new(),
            folders,
        };
        let file = fixture("dicom/CT_small.dcm");
        let stored = scene.types(&["put", &scene.id, file.to_str().unwrap(), "--class", "4"]);
        assert_eq!(stored.code, 0, "{}", stored.error);
        scene.record = stored.text("record").unwrap();
        scene
    }

    /// The patient types a command and names the six folders with it.
    fn types(&self, words: &[&str]) -> Outcome {
        self.as_typed_by(&self.patient, words)
    }

    fn as_typed_by(&self, who: &Person, words: &[&str]) -> Outcome {
        let mut words = words.to_vec();
        for folder in &self.folders {
            words.extend(["--store", folder.to_str().unwrap()]);
        }
        words.extend(["--spread", "4+2"]);
        who.types(&words).unwrap()
    }

    fn health(&self) -> Outcome {
        self.types(&["health", &self.id, &self.record])
    }

    fn opened(&self) -> Result<Vec<u8>, Outcome> {
        let out = self.stack.folder().join("opened");
        let outcome = self.types(&["get", &self.id, &self.record, "--out", out.to_str().unwrap()]);
        match fs::read(&out) {
            Ok(bytes) => {
                fs::remove_file(out).unwrap();
                assert_eq!(outcome.code, 0, "{}", outcome.error);
                Ok(bytes)
            }
            Err(_) => Err(outcome),
        }
    }

    fn kept(&self) -> Vec<BTreeMap<PathBuf, Vec<u8>>> {
        self.folders.iter().map(|folder| files(folder)).collect()
    }

    fn empty(&self, store: usize) {
        for file in files(&self.folders[store]).into_keys() {
            fs::remove_file(file).unwrap();
        }
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// What a store has in some state.
fn count(outcome: &Outcome, store: usize, state: &str) -> u64 {
    outcome.objects[store][state].as_u64().unwrap()
}

#[test]
fn what_stores_lost_is_shown_read_around_and_repaired() {
    let scene = Scene::new();
    let original = fs::read(fixture("dicom/CT_small.dcm")).unwrap();
    let kept = scene.kept();
    assert!(
        kept.iter().all(|files| files.len() == 2),
        "a manifest and a piece at each"
    );
    assert_eq!(fs::read_dir(scene.stack.gateway_items()).unwrap().count(), 0);
    assert_eq!(scene.health().code, 0);
    assert_eq!(scene.opened().unwrap(), original);

    // Two lose all that they have, which is as many as may.
    scene.empty(0);
    scene.empty(3);
    let health = scene.health();
    assert_eq!(health.code, 1, "{}", health.error);
    assert!(health.error.contains("everything can be read"), "{}", health.error);
    assert_eq!((count(&health, 0, "missing"), count(&health, 3, "missing")), (2, 2));
    assert_eq!((count(&health, 1, "good"), count(&health, 1, "missing")), (2, 0));
    assert_eq!(scene.opened().unwrap(), original);

    // Whoever has neither key nor right repairs it.
    let stranger = scene.stack.person("stranger");
    let repaired = scene.as_typed_by(&stranger, &["repair", &scene.id]);
    assert_eq!(repaired.code, 0, "{}", repaired.error);
    assert_eq!(
        (count(&repaired, 0, "restored"), count(&repaired, 1, "restored")),
        (2, 0)
    );
    assert_eq!(scene.kept(), kept);
    assert_eq!(scene.health().code, 0);

    // One byte of a piece.
    let piece = kept[4]
        .iter()
        .min_by_key(|(_, bytes)| bytes[HEADER_LEN..].starts_with(b"CHSEALMF"))
        .unwrap();
    let mut bytes = piece.1.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(piece.0, bytes).unwrap();
    let health = scene.health();
    assert_eq!((health.code, count(&health, 4, "damaged")), (1, 1));
    assert_eq!(health.objects[4]["faults"][0]["part"], "shard 0");
    assert_eq!(scene.opened().unwrap(), original);
    assert_eq!(scene.types(&["repair", &scene.id, &scene.record]).code, 0);
    assert_eq!(scene.kept(), kept);

    // Three are too many: nothing is made up, and it is said what is lost.
    for store in [1, 2, 5] {
        scene.empty(store);
    }
    let health = scene.health();
    assert_eq!(health.code, 3, "{}", health.error);
    for says in ["shard 0", &scene.record, "3 of the 4"] {
        assert!(health.error.contains(says), "{} does not say '{says}'", health.error);
    }
    let failed = scene.opened().unwrap_err();
    assert_eq!(failed.code, 3, "{}", failed.error);
    assert!(failed.error.contains("3 of the 4"), "{}", failed.error);
    assert_eq!(scene.types(&["repair", &scene.id]).code, 3);
    scene.stack.stop().unwrap();
}

#[test]
fn stores_that_do_not_go_with_the_code_are_refused_before_anything_is_done() {
    let (stack, patient, id) = one_patient().unwrap();
    let folder = stack.folder().join("store");
    fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let file = fixture("note.txt");
    let put = ["put", &id, file.to_str().unwrap(), "--class", "4"];
    for (stores, says) in [
        (["--store", folder, "--spread", "4+2"], "takes 6 stores"),
        (["--store", folder, "--spread", "0+1"], "at least 1 piece"),
        (["--store", folder, "--store", folder], "named twice"),
        (["--store", folder, "--store", "gopher://x"], "no address of a store"),
    ] {
        let outcome = patient.types(&[&put[..], &stores].concat()).unwrap();
        assert_eq!(outcome.code, 1);
        assert!(outcome.error.contains(says), "{} does not say '{says}'", outcome.error);
    }
    assert!(files(Path::new(folder)).is_empty());
    stack.stop().unwrap();
}
