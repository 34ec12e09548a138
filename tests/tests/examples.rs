//! The examples of the SDK, as a clinic's developer, a patient's portal and a viewer would run them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use chartseal_tests::{
    clinic::Clinic,
    people::Person,
    programs::{program, root},
};

/// Runs an example as somebody: its exit code and what it said.
fn runs(clinic: &Clinic, who: &Person, example: &str, words: &[&str]) -> (i32, String) {
    let endpoints = clinic.stack.endpoints();
    let output = program(&format!("examples/{example}"))
        .unwrap()
        .args([who.identity(), who.passphrase()])
        .args(words)
        .envs([
            ("CHARTSEAL_RPC_URL", &endpoints.rpc),
            ("CHARTSEAL_GATEWAY_URL", &endpoints.gateway),
        ])
        .env("CHARTSEAL_KEY_STORE", who.key_store())
        // Whoever runs the tests may have a profile, or somebody else's variables.
        .env("CHARTSEAL_CONFIG", no_profile(clinic))
        .env_remove("CHARTSEAL_PROFILE")
        .env_remove("CHARTSEAL_STORES")
        .env_remove("CHARTSEAL_SPREAD")
        .env_remove("CHARTSEAL_KEY_SERVICE")
        .env_remove("CHARTSEAL_RELAYER")
        .env_remove("CHARTSEAL_FEE_PAYER")
        .env_remove("CHARTSEAL_WS")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// A file of profiles without any.
fn no_profile(clinic: &Clinic) -> PathBuf {
    let path = clinic.stack.folder().join("no-profile.toml");
    std::fs::write(&path, "").unwrap();
    path
}

fn does(clinic: &Clinic, who: &Person, example: &str, words: &[&str]) -> String {
    let (code, said) = runs(clinic, who, example, words);
    assert_eq!(code, 0, "{example}: {said}");
    said
}

/// A study: two images, and something as long as a film.
fn study(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for name in ["CT_small.dcm", "MR_small.dcm"] {
        std::fs::copy(root().join("tests/fixtures/dicom").join(name), folder.join(name)).unwrap();
    }
    let film: Vec<u8> = (0..6_000_000_u32).flat_map(u32::to_le_bytes).take(9 << 20).collect();
    std::fs::write(folder.join("film.mp4"), film).unwrap();
}

/// The id of the record that a line of `store_study` names.
fn record<'a>(said: &'a str, file: &str) -> &'a str {
    let line = said.lines().find(|line| line.contains(file)).unwrap();
    let (_, rest) = line.split_once("record ").unwrap();
    rest.split(' ').next().unwrap()
}

#[test]
fn a_study_is_stored_asked_for_shared_and_seen() {
    let clinic = Clinic::open().unwrap();
    let patient = clinic.patient_id.as_str();
    let doctor = clinic.employs("doctor", "doctor").unwrap().person;
    let nurse = clinic.employs("nurse", "nurse").unwrap().person;
    let folder = clinic.stack.folder().join("study");
    study(&folder);
    let folder = folder.to_str().unwrap();

    let (code, said) = runs(&clinic, &doctor, "store_study", &[patient, folder]);
    assert!(
        code == 1 && said.contains("no-grant") && said.contains("chartseal request"),
        "{said}"
    );
    let institution = format!("institution:{}", clinic.id);
    let terms = ["--classes", "1", "--rights", "append", "--purposes", "treatment"];
    clinic.grants(&institution, &terms).unwrap();
    let said = does(&clinic, &doctor, "store_study", &[patient, folder]);
    assert_eq!(said.matches("application/dicom").count(), 2, "{said}");
    let film = record(&said, "film.mp4");
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert_eq!(
        left.len(),
        4,
        "beside the files there is a list, and no journal: {left:?}"
    );
    assert_eq!(
        does(&clinic, &doctor, "store_study", &[patient, folder]),
        "",
        "all is stored"
    );

    let asked = does(&clinic, &nurse, "seek_in_video", &[patient, film, "50"]);
    assert!(
        asked.contains("refused") && asked.contains("asked the patient"),
        "{asked}"
    );
    let answered = does(&clinic, &clinic.patient, "answer_requests", &[patient]);
    assert!(
        answered.contains("approved: grant") && answered.contains("lets member"),
        "{answered}"
    );
    let seen = does(&clinic, &nurse, "seek_in_video", &[patient, film, "50"]);
    assert!(seen.contains("65536 bytes from 4718550 on"), "{seen}");

    let shown = does(&clinic, &clinic.patient, "answer_requests", &[patient]);
    for line in [
        "was refused to append: no-grant",
        "was refused to read: ",
        "for treatment",
        "the log is whole",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[test]
fn a_profile_says_where_everything_is_for_programs_too() {
    let clinic = Clinic::open().unwrap();
    let endpoints = clinic.stack.endpoints();
    let config = clinic.stack.folder().join("profile.toml");
    let (rpc, gateway, keys) = (&endpoints.rpc, &endpoints.gateway, clinic.patient.key_store());
    let profile = format!(
        "default = \"here\"\n[profiles.here]\nrpc = [\"{rpc}\"]\ngateway = \"{gateway}\"\nkey_stores = [\"{}\"]\n",
        keys.display()
    );
    std::fs::write(&config, profile).unwrap();
    let mut example = program("examples/answer_requests").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHARTSEAL_")) {
        example.env_remove(name);
    }
    example
        .args([clinic.patient.identity(), clinic.patient.passphrase()])
        .arg(&clinic.patient_id);
    let output = example.env("CHARTSEAL_CONFIG", &config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("the log is whole"),
        "{output:?}"
    );
    let wrong = example.env("CHARTSEAL_RPC_URL", "http://127.0.0.1:1").output().unwrap();
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        !wrong.status.success() && said.contains("127.0.0.1:1"),
        "what the environment says comes first: {said}"
    );
}

#[test]
fn an_example_that_is_told_nothing_says_what_to_type() {
    for example in ["store_study", "answer_requests", "seek_in_video"] {
        let output = program(&format!("examples/{example}")).unwrap().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && said.contains("PASSPHRASE-FILE"),
            "{said}"
        );
    }
}
