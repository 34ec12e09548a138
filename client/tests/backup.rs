//! Copies of an identity on the command line: what is said to be there is there, and no key is ever lost to a copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with passphrases.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            std::fs::write(folder.path().join(name), format!("passphrase {name}\n")).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn types(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal"));
        command
            .args(["--json", "--identity", "identity", "--passphrase-file", "one", "keys"])
            .args(words);
        command
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The wallet that a command that has to work answers with.
    fn wallet(&self, words: &[&str]) -> String {
        let output = self.types(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        object["wallet"].as_str().unwrap().to_owned()
    }

    fn fails(&self, words: &[&str]) -> String {
        let output = self.types(words);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }
}

const BACKUP: [&str; 5] = ["backup", "--to", "copy", "--backup-passphrase-file", "two"];
const RESTORE: [&str; 5] = ["restore", "--from", "copy", "--backup-passphrase-file", "two"];

#[test]
fn a_copy_gives_the_identity_back() {
    let desk = Desk::new();
    let wallet = desk.wallet(&["new"]);
    assert_eq!(desk.wallet(&BACKUP), wallet);
    assert!(
        desk.fails(&BACKUP).contains("exists"),
        "a copy is never written over another"
    );
    std::fs::remove_file(desk.path("identity")).unwrap();
    assert_eq!(desk.wallet(&RESTORE), wallet);
    assert_eq!(desk.wallet(&["show"]), wallet);
}

#[test]
fn a_restore_keeps_the_identity_that_it_takes_the_place_of() {
    let desk = Desk::new();
    let first = desk.wallet(&["new"]);
    desk.wallet(&BACKUP);
    std::fs::remove_file(desk.path("identity")).unwrap();
    let second = desk.wallet(&["new"]);
    assert!(desk.fails(&RESTORE).contains("exists"));
    assert_eq!(desk.wallet(&["show"]), second);

    let force = [&RESTORE[..], &["--force"]].concat();
    assert_eq!(desk.wallet(&force), first);
    assert_eq!(desk.wallet(&["show"]), first);
    std::fs::rename(desk.path("identity.1"), desk.path("identity")).unwrap();
    assert_eq!(desk.wallet(&["show"]), second);
    desk.wallet(&force);
    desk.wallet(&force);
    assert!(desk.path("identity.1").exists() && desk.path("identity.2").exists());
}

#[test]
fn a_copy_that_does_not_open_takes_no_place() {
    let desk = Desk::new();
    let wallet = desk.wallet(&["new"]);
    desk.wallet(&BACKUP);
    let wrong = [
        "restore",
        "--from",
        "copy",
        "--backup-passphrase-file",
        "one",
        "--force",
    ];
    assert!(desk.fails(&wrong).contains("wrong passphrase"));
    let mut bytes = std::fs::read(desk.path("copy")).unwrap();
    bytes[100] ^= 1;
    std::fs::write(desk.path("copy"), bytes).unwrap();
    let force = [&RESTORE[..], &["--force"]].concat();
    assert!(desk.fails(&force).contains("checksum"));
    assert_eq!(desk.wallet(&["show"]), wallet);
    assert!(!desk.path("identity.1").exists());
}
