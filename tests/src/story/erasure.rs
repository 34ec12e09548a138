//! A record is erased: its keys are destroyed, which stands on chain, and what is left is a tombstone.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    cast::Cast,
    steps::{figure, text},
};
use crate::{clinic::envelopes, report::Report};

/// Which of the files is erased.
pub(super) const ERASED: usize = 4;

/// The patient erases the voice note.
pub(super) fn erasing(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Erasing: the keys are destroyed, a tombstone stays");
    let (id, voice) = (&cast.patient_id, &cast.files[ERASED]);
    let receipt = cast.stack.folder().join("receipt.json");
    let erase = ["erase", id, "--record", &voice.record, "--receipt", text(&receipt)?];
    let erased = cast.patient.does(&erase)?;
    let (destroyed, hash) = (figure(&erased, "destroyed"), erased.text("receipt_sha256")?);
    ensure!(destroyed.as_u64() > Some(0), "no key was destroyed");
    let left = envelopes(&cast.patient)?;
    let left = left
        .iter()
        .filter(|path| path.to_string_lossy().contains(&voice.record));
    ensure!(left.count() == 0, "envelopes of the {} are left", voice.title);
    report.step(
        "erase",
        &format!(
            "the patient erases the {}: {destroyed} envelopes and shares destroyed",
            voice.title
        ),
        &json!({ "file": voice.title, "destroyed": destroyed }),
    );
    let log = cast.patient.does(&["log", id])?;
    let attested = format!("record {}, receipt {hash}", voice.record);
    ensure!(
        log.objects
            .iter()
            .any(|object| object["event"] == "ErasureAttested" && object["what"] == attested.as_str()),
        "the receipt is not attested"
    );
    report.step(
        "receipt",
        "a receipt says which, and its hash stands on chain",
        &json!({ "receipt_sha256": hash }),
    );
    for who in [&cast.patient, &cast.hospital.member] {
        cast.refused(who, voice, &[], "record-erased", report)?;
    }
    let status = cast.patient.does(&["verify", id, &voice.record])?.text("status")?;
    ensure!(status == "erased", "the record is {status}");
    report.step(
        "tombstone",
        "the record stays as a tombstone, so that nothing is missing from the log",
        &json!({ "record": voice.record, "status": status }),
    );
    Ok(())
}
