//! What happens in every chapter: somebody stores a file, opens one, or is refused. Each asserts what it tells.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::cast::{Cast, Stored};
use crate::{
    people::{Outcome, Person},
    programs::fixture,
    report::Report,
};

/// What the insurer adds to whatever it reads.
pub(super) const FOR_PAYMENT: [&str; 2] = ["--purpose", "payment"];

impl Cast {
    /// The doctor stores a file, which is told; the file with its record.
    pub(super) fn doctor_stores(&self, mut file: Stored, report: &Report) -> Result<Stored> {
        let before = self.items()?;
        let (path, class) = (fixture(file.file), file.class.to_string());
        let words = ["put", &self.patient_id, text(&path)?, "--class", &class];
        let stored = self.hospital.member.does(&words)?;
        file.record = stored.text("record")?;
        file.media_type = stored.text("media_type")?;
        file.item = self.largest(self.items()?.difference(&before))?;
        let [original, sealed] = ["original_bytes", "sealed_bytes"].map(|key| figure(&stored, key));
        report.step(
            "put",
            &format!(
                "the doctor stores the {}: {original} bytes, sealed to {sealed}",
                file.title
            ),
            &json!({
                "file": file.title, "record": file.record, "original_bytes": original, "sealed_bytes": sealed,
                "media_type": file.media_type,
            }),
        );
        Ok(file)
    }

    /// Somebody opens a file, and it is byte for byte what was stored; on what basis.
    pub(super) fn opens(&self, who: &Person, file: &Stored, options: &[&str]) -> Result<String> {
        let (outcome, bytes) = self.asks_for(who, file, options)?;
        let name = who.name();
        ensure!(
            outcome.code == 0,
            "the {name} cannot open the {}: {}",
            file.title,
            outcome.error
        );
        ensure!(
            bytes == Some(read(&fixture(file.file))?),
            "what the {name} opened is not the {}",
            file.title
        );
        outcome.text("basis")
    }

    /// Somebody asks for a file and is refused, which is told.
    pub(super) fn refused(
        &self,
        who: &Person,
        file: &Stored,
        options: &[&str],
        reason: &str,
        report: &Report,
    ) -> Result<()> {
        let (outcome, _) = self.asks_for(who, file, options)?;
        let name = who.name();
        is_refusal(&outcome, reason).with_context(|| format!("the {name} asks for the {}", file.title))?;
        report.step(
            "refuse",
            &format!("the {name} asks for the {} and is refused: {reason}", file.title),
            &json!({ "who": name, "file": file.title, "reason": reason, "exit_code": outcome.code }),
        );
        Ok(())
    }

    /// Somebody types `get`: what came of it, and the bytes if any.
    pub(super) fn asks_for(&self, who: &Person, file: &Stored, options: &[&str]) -> Result<(Outcome, Option<Vec<u8>>)> {
        let out = self.stack.folder().join("opened");
        let words = ["get", &self.patient_id, &file.record, "--out", text(&out)?];
        let outcome = who.types(&[&words[..], options].concat())?;
        let opened = out.exists().then(|| read(&out)).transpose()?;
        ensure!(
            opened.is_some() == (outcome.code == 0),
            "a file was left although: {}",
            outcome.error
        );
        if opened.is_some() {
            std::fs::remove_file(&out).context("cannot remove what was opened")?;
        }
        Ok((outcome, opened))
    }

    fn items(&self) -> Result<BTreeSet<String>> {
        let entries = std::fs::read_dir(self.stack.gateway_items()).context("cannot read the gateway's folder")?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    /// The largest of these items: a shard rather than a manifest.
    fn largest<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<String> {
        let items = self.stack.gateway_items();
        let size = |name: &&String| std::fs::metadata(items.join(name)).map_or(0, |file| file.len());
        names.max_by_key(size).cloned().context("nothing new is on the gateway")
    }
}

/// Makes sure that something was refused by policy, and for this reason.
pub(super) fn is_refusal(outcome: &Outcome, reason: &str) -> Result<()> {
    let (code, error) = (outcome.code, &outcome.error);
    ensure!(code == 2, "it was to be refused, and ended with {code}: {error}");
    ensure!(
        error.contains(reason),
        "it was refused for another reason than {reason}: {error}"
    );
    Ok(())
}

/// Makes sure that something failed, and that the message says this.
pub(super) fn is_failure(outcome: &Outcome, says: &str) -> Result<()> {
    let (code, error) = (outcome.code, &outcome.error);
    ensure!(
        code == 1 && error.contains(says),
        "it was to fail with '{says}', and ended with {code}: {error}"
    );
    Ok(())
}

/// A value of the first object that a command printed; null where there is none.
pub(super) fn figure(outcome: &Outcome, key: &str) -> Value {
    outcome
        .objects
        .first()
        .map(|object| object[key].clone())
        .unwrap_or_default()
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A path as it is typed.
pub(super) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is no UTF-8")
}
