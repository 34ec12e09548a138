//! The committed files: the program, its hash, its IDL, and which toolchain made them. Each appears by rename, so that
//! nobody ever reads half of one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::toolchain::Versions;
use crate::workspace::Workspace;

pub(crate) const PROGRAM: &str = "chartseal.so";
const HASH: &str = "chartseal.so.sha256";
pub(crate) const IDL: &str = "chartseal.json";
const RECORD: &str = "toolchain.json";

/// What `toolchain.json` holds: which toolchain gave which program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) toolchain: Versions,
    /// Size of the program.
    pub(crate) bytes: usize,
    /// SHA-256 of the program, in hexadecimal digits.
    pub(crate) sha256: String,
}

impl Record {
    pub(crate) fn new(program: &[u8], toolchain: Versions) -> Self {
        Self {
            toolchain,
            bytes: program.len(),
            sha256: sha256(program),
        }
    }
}

/// All that a build makes.
#[derive(Debug)]
pub(crate) struct Artifacts {
    pub(crate) program: Vec<u8>,
    pub(crate) idl: String,
    pub(crate) record: Record,
}

/// Where the committed files are.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("programs/chartseal/artifacts")
}

impl Artifacts {
    /// Reads the committed files.
    ///
    /// # Errors
    /// When one is missing, or the program is not the one that the record and the hash tell of.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let folder = folder(workspace);
        let read = |name: &str| {
            let file = folder.join(name);
            std::fs::read(&file).with_context(|| {
                format!(
                    "cannot read {}: make it with `cargo xtask build-sbf` and commit it",
                    file.display()
                )
            })
        };
        let program = read(PROGRAM)?;
        let record: Record = serde_json::from_slice(&read(RECORD)?)
            .with_context(|| format!("{RECORD} is damaged: make it again with `cargo xtask build-sbf`"))?;
        let actual = sha256(&program);
        if actual != record.sha256 || read(HASH)? != hash_file(&actual).into_bytes() {
            bail!(
                "{PROGRAM} has SHA-256 {actual}, which {HASH} and {RECORD} do not both say: it was damaged, or committed \
                 without them; make all of them again with `cargo xtask build-sbf`"
            );
        }
        let idl = String::from_utf8(read(IDL)?).with_context(|| format!("{IDL} is not UTF-8"))?;
        Ok(Self { program, idl, record })
    }

    /// Replaces the committed files.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn write(&self, workspace: &Workspace) -> Result<()> {
        let folder = folder(workspace);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut record = serde_json::to_string_pretty(&self.record).context("cannot write the record as JSON")?;
        record.push('\n');
        replace(&folder.join(PROGRAM), &self.program)?;
        replace(&folder.join(HASH), hash_file(&self.record.sha256).as_bytes())?;
        replace(&folder.join(IDL), self.idl.as_bytes())?;
        replace(&folder.join(RECORD), record.as_bytes())
    }
}

/// In the form that `sha256sum --check` reads.
fn hash_file(sha256: &str) -> String {
    format!("{sha256}  {PROGRAM}\n")
}

/// Writes beside `file` and renames.
pub(crate) fn replace(file: &Path, content: &[u8]) -> Result<()> {
    let fresh = file.with_added_extension(format!("{}.new", std::process::id()));
    let done = std::fs::write(&fresh, content).and_then(|()| std::fs::rename(&fresh, file));
    if done.is_err() {
        // What is left of it is of no use; that it cannot be removed either is not the news.
        let _ = std::fs::remove_file(&fresh);
    }
    done.with_context(|| format!("cannot write {}", file.display()))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// How a fresh build compares with the committed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The same program, whatever made it.
    Same,
    /// The same toolchain gave another program: what is committed is not what the source says.
    Differs,
    /// Another toolchain gave another program, which says nothing about the source.
    OtherToolchain,
}

impl Verdict {
    pub(crate) fn of(committed: &Record, fresh: &Record) -> Self {
        if committed.sha256 == fresh.sha256 {
            Self::Same
        } else if committed.toolchain == fresh.toolchain {
            Self::Differs
        } else {
            Self::OtherToolchain
        }
    }

    pub(crate) fn explain(self, committed: &Record, fresh: &Record) -> String {
        let both = format!(
            "\n  committed: {} ({} bytes), by {}\n  this build: {} ({} bytes), by {}",
            committed.sha256, committed.bytes, committed.toolchain, fresh.sha256, fresh.bytes, fresh.toolchain
        );
        match self {
            Self::Same if committed.toolchain == fresh.toolchain => {
                format!("{PROGRAM}: as committed, {}", fresh.sha256)
            }
            Self::Same => format!("{PROGRAM}: as committed, although the toolchain is another{both}"),
            Self::Differs => format!(
                "{PROGRAM}: NOT what this source gives. Either the source changed after the last \
                 `cargo xtask build-sbf`, or the committed file was altered{both}"
            ),
            Self::OtherToolchain => format!(
                "WARNING\nWARNING: THE COMMITTED {PROGRAM} WAS MADE BY ANOTHER TOOLCHAIN, so hashes cannot be compared: \
                 nothing here shows that it is what the source gives\nWARNING{both}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(program: &[u8], linker: &str) -> Record {
        let toolchain = Versions {
            rustc_web: "1.96.0+dfsg1-1".into(),
            rustc: "1.96.0 (ac68faa20 2026-05-25)".into(),
            llvm: "22.1.8".into(),
            sbpf_linker: linker.into(),
        };
        Record::new(program, toolchain)
    }

    #[test]
    fn the_same_bytes_are_the_same_whoever_made_them() {
        assert_eq!(
            Verdict::of(&record(b"a", "0.1.9"), &record(b"a", "0.1.9")),
            Verdict::Same
        );
        let (committed, fresh) = (record(b"a", "0.1.9"), record(b"a", "0.2.0"));
        assert_eq!(Verdict::of(&committed, &fresh), Verdict::Same);
        assert!(
            Verdict::Same
                .explain(&committed, &fresh)
                .contains("toolchain is another")
        );
    }

    #[test]
    fn other_bytes_by_the_recorded_toolchain_are_a_failure_that_names_both_hashes() {
        let (committed, fresh) = (record(b"a", "0.1.9"), record(b"b", "0.1.9"));
        assert_eq!(Verdict::of(&committed, &fresh), Verdict::Differs);
        let text = Verdict::Differs.explain(&committed, &fresh);
        assert!(
            text.contains(&committed.sha256) && text.contains(&fresh.sha256),
            "{text}"
        );
    }

    #[test]
    fn other_bytes_by_another_toolchain_prove_nothing_and_say_so() {
        let (committed, fresh) = (record(b"a", "0.1.9"), record(b"b", "0.2.0"));
        assert_eq!(Verdict::of(&committed, &fresh), Verdict::OtherToolchain);
        let text = Verdict::OtherToolchain.explain(&committed, &fresh);
        assert!(text.contains("0.1.9") && text.contains("0.2.0"), "{text}");
    }

    #[test]
    fn the_record_survives_being_written_and_read() {
        let record = record(b"a", "0.1.9");
        let text = serde_json::to_string_pretty(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }

    #[test]
    fn the_hash_is_sha_256_in_hexadecimal() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let file = std::env::temp_dir().join(format!("xtask-replace-{}", std::process::id()));
        replace(&file, b"long content").unwrap();
        replace(&file, b"short").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"short");
        std::fs::remove_file(file).unwrap();
    }
}
