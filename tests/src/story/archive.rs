//! A hospital anchors an archive as one batch, and a record of it becomes part of a chart.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    cast::{Cast, Stored},
    steps::{is_failure, read, text},
};
use crate::{programs::fixture, report::Report};

/// What is in the archive; the first is promoted.
const ARCHIVE: [(&str, &str, u8); 4] = [
    ("MR of the year before", "dicom/examples_overlay.dcm", 1),
    ("CT of the year before", "dicom/CT_small.dcm", 1),
    ("voice note of the year before", "voice_note.wav", 3),
    ("note of the year before", "note.txt", 3),
];

/// The doctor anchors the archive, proves one record and puts it into the chart.
pub(super) fn importing(cast: &mut Cast, report: &Report) -> Result<()> {
    report.chapter("Archive: many records in one transaction, one of them proven");
    let (doctor, folder) = (&cast.hospital.member, cast.stack.folder());
    let lines: Vec<String> = ARCHIVE
        .iter()
        .map(|(_, file, class)| {
            json!({ "patient": cast.patient_id, "file": fixture(file), "class": class }).to_string()
        })
        .collect();
    let manifest = folder.join("archive.jsonl");
    std::fs::write(&manifest, lines.join("\n")).context("cannot write the archive's list")?;
    let anchored = doctor.does(&["batch", "anchor", text(&manifest)?])?;
    let batch = format!("{}:{}", anchored.text("institution")?, anchored.text("batch")?);
    report.step(
        "anchor",
        &format!(
            "the doctor seals {} files of an archive, and anchors them in one transaction",
            ARCHIVE.len()
        ),
        &json!({ "batch": batch, "records": ARCHIVE.len() }),
    );

    let mut old = Stored::new(ARCHIVE[0]);
    old.record = doctor.does(&["batch", "show", &batch])?.text("record")?;
    let proof = folder.join("proof.json");
    doctor.does(&["batch", "prove", &batch, &old.record, "--out", text(&proof)?])?;
    let forged = folder.join("forged.json");
    let mut altered: Value = serde_json::from_slice(&read(&proof)?).context("the proof is no JSON")?;
    altered["record"]["class"] = json!(ARCHIVE[2].2);
    std::fs::write(&forged, altered.to_string()).context("cannot forge a proof")?;
    let promoted = doctor.types(&["batch", "promote", text(&forged)?])?;
    is_failure(&promoted, "does not show").context("promoting by a forged proof")?;
    report.step(
        "forge",
        "with one field altered the proof of a record does not hold",
        &json!({ "exit_code": 1 }),
    );
    let basis = doctor.does(&["batch", "promote", text(&proof)?])?.text("basis")?;
    let opened = cast.opens(&cast.patient, &old, &[])?;
    ensure!(opened == "patient", "the patient opened it as {opened}");
    report.step(
        "promote",
        "with the true one the doctor puts the record into the chart, and the patient opens it",
        &json!({ "record": old.record, "basis": basis, "identical": true }),
    );
    cast.files.push(old);
    Ok(())
}
