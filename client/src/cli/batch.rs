//! `chartseal batch anchor`, `show`, `prove`, `promote`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use chartseal_program::seeds::Id;
use serde::Deserialize;
use serde_json::json;

use super::{
    args::{Batch, Claim},
    caller::Caller,
    output::Output,
    parse,
    records::purpose,
};
use crate::{
    ops::{Batched, ImportedFile, OpError, Proof},
    store::{Existing, write_file},
};

pub(super) async fn run(command: &Batch, caller: Caller, output: Output) -> Result<()> {
    match command {
        Batch::Anchor { manifest, journal } => anchor(manifest, journal.as_deref(), caller, output).await,
        Batch::Show { batch } => show(batch, caller, output).await,
        Batch::Prove { batch, record, out } => prove(batch, record, out.as_deref(), caller, output).await,
        Batch::Promote { proof, claim } => promote(proof, claim, caller, output).await,
    }
}

async fn anchor(manifest: &Path, journal: Option<&Path>, caller: Caller, output: Output) -> Result<()> {
    let files = read_manifest(manifest)?;
    let journal = journal.map_or_else(|| beside(manifest), Path::to_path_buf);
    let session = caller.session().await?;
    let bar = output.count(files.len());
    let anchored = session.anchor(&files, &journal, bar.counter()).await?;
    drop(bar);
    let (institution, batch) = (hex::encode(anchored.institution), hex::encode(anchored.batch));
    output.say(
        &format!("batch {institution}:{batch}: {} records anchored", anchored.count),
        &json!({
            "institution": institution, "batch": batch, "records": anchored.count,
            "root": hex::encode(anchored.root), "signature": anchored.signature,
        }),
    );
    Ok(())
}

async fn show((institution, batch): &(Id, Id), caller: Caller, output: Output) -> Result<()> {
    let batched = caller.session().await?.batch(institution, batch).await?;
    let rows = batched.entries().iter().map(|entry| {
        let (patient, record) = (hex::encode(entry.patient), hex::encode(entry.record));
        let object = json!({
            "patient": patient, "record": record, "class": entry.class, "sealed_bytes": entry.padded_size,
        });
        let cells = vec![patient, record, entry.class.to_string(), entry.padded_size.to_string()];
        (cells, object)
    });
    output.table(&["patient", "record", "class", "sealed bytes"], rows.collect());
    Ok(())
}

async fn prove(
    (institution, batch): &(Id, Id),
    record: &Id,
    out: Option<&Path>,
    caller: Caller,
    output: Output,
) -> Result<()> {
    let batched = caller.session().await?.batch(institution, batch).await?;
    let proof = find(&batched, record)?;
    let object = serde_json::to_value(&proof).context("cannot write the proof")?;
    match out {
        // The proof itself is what people and programs want to have.
        None => output.say(&object.to_string(), &object),
        Some(path) => {
            write_file(path, object.to_string().as_bytes(), Existing::Refuse).map_err(OpError::from)?;
            output.say(
                &format!(
                    "{}: record {} is number {} of the batch",
                    path.display(),
                    hex::encode(record),
                    proof.index
                ),
                &json!({ "out": path, "record": hex::encode(record), "index": proof.index }),
            );
        }
    }
    Ok(())
}

fn find(batched: &Batched, record: &Id) -> Result<Proof> {
    let proof = batched.prove(record);
    proof.with_context(|| format!("there is no record {} in this batch", hex::encode(record)))
}

async fn promote(proof: &Path, claim: &Claim, caller: Caller, output: Output) -> Result<()> {
    let text = std::fs::read(proof).with_context(|| format!("cannot read {}", proof.display()))?;
    let proof: Proof =
        serde_json::from_slice(&text).with_context(|| format!("{} is no proof of a record", proof.display()))?;
    let session = caller.session().await?;
    let purpose = purpose(&session, claim, &proof.record.patient).await?;
    let promoted = session.promote(&proof, purpose, claim.grant).await?;
    let (patient, record) = (hex::encode(promoted.patient), hex::encode(promoted.record));
    output.say(
        &format!(
            "record {record} is in the chart of patient {patient}, allowed as {}",
            promoted.basis.word()
        ),
        &json!({
            "patient": patient, "record": record, "basis": promoted.basis.word(), "signature": promoted.signature,
        }),
    );
    Ok(())
}

/// A line of a manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    patient: String,
    file: PathBuf,
    #[serde(default)]
    class: u8,
}

fn read_manifest(path: &Path) -> Result<Vec<ImportedFile>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| imported(line, folder).with_context(|| format!("{}, line {number}", path.display())))
        .collect()
}

fn imported(line: &str, folder: &Path) -> Result<ImportedFile> {
    let Line { patient, file, class } = serde_json::from_str(line)?;
    let patient = match parse::id(&patient) {
        Ok(id) => id,
        Err(why) => bail!(why),
    };
    Ok(ImportedFile {
        patient,
        class,
        path: folder.join(file),
    })
}

/// The journal's name where none is given.
fn beside(manifest: &Path) -> PathBuf {
    let mut name = manifest.as_os_str().to_owned();
    name.push(".journal");
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn manifest_names_patients_files_and_classes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.jsonl");
        let patient = "a5".repeat(16);
        let text = format!(
            "{{\"patient\":\"{patient}\",\"file\":\"a.dcm\"}}\n\n{{\"patient\":\"{patient}\",\"file\":\"/b.dcm\",\"class\":3}}\n"
        );
        std::fs::write(&path, text).unwrap();
        let files = read_manifest(&path).unwrap();
        assert_eq!(
            files,
            [(0, folder.path().join("a.dcm")), (3, "/b.dcm".into())].map(|(class, path)| ImportedFile {
                patient: [0xA5; 16],
                class,
                path,
            })
        );
        assert_eq!(beside(&path), folder.path().join("archive.jsonl.journal"));
    }

    #[test]
    fn wrong_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.jsonl");
        let patient = "a5".repeat(16);
        for line in [
            "no json".to_owned(),
            r#"{"patient":"a5","file":"a"}"#.to_owned(),
            format!(r#"{{"patient":"{patient}"}}"#),
            format!(r#"{{"patient":"{patient}","file":"a","class":300}}"#),
            format!(r#"{{"patient":"{patient}","file":"a","name":"Jane"}}"#),
        ] {
            std::fs::write(&path, format!("\n{line}\n")).unwrap();
            let error = read_manifest(&path).unwrap_err();
            assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        }
    }
}
