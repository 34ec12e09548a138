//! `chartseal zk ceremony` as it is typed. What a ceremony does and refuses is tried in `zk/`; here it is that the files come
//! and go as they should, and that nothing else is needed: no ledger, no identity.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn types(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chartseal"))
        .args(["--json", "zk", "ceremony"])
        .args(words)
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn a_transcript_that_nobody_contributed_to_is_sound_and_gives_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    assert!(types(folder.path(), &["begin", "transcript"]).status.success());
    let again = types(folder.path(), &["begin", "transcript"]);
    assert_eq!(again.status.code(), Some(1), "a transcript is never written over");

    let verified = types(folder.path(), &["verify", "transcript"]);
    assert!(verified.status.success(), "{verified:?}");
    assert_eq!(object(&verified)["complete"], false);
    let next = types(folder.path(), &["phase-two", "transcript", "next"]);
    let said = String::from_utf8_lossy(&next.stderr).into_owned();
    assert!(said.contains("nobody has contributed to phase 1"), "{said}");
    let words = ["finish", "transcript", "--verifying", "v", "--proving", "p"];
    assert_eq!(types(folder.path(), &words).status.code(), Some(1));
    for name in ["next", "v", "p"] {
        assert!(!folder.path().join(name).exists(), "{name} was left behind");
    }
}

#[test]
fn what_is_no_transcript_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("transcript"),
        b"CSCT and something else that is long enough",
    )
    .unwrap();
    let verified = types(folder.path(), &["verify", "transcript"]);
    assert_eq!(verified.status.code(), Some(1));
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(said.contains("transcript of version 1"), "{said}");
}
