//! The first path: a file is stored, opened, refused, granted and taken back, and tampered with.

use anyhow::{Context as _, Result, ensure};
use chartseal_program::seeds::Id;
use serde_json::json;

use super::{
    cast::Cast,
    steps::{FOR_PAYMENT, figure, read, text},
};
use crate::{report::Report, theft};

/// The doctor stores six files.
pub(super) fn storing(cast: &mut Cast, report: &Report) -> Result<()> {
    report.chapter("Storing: sealed on the clinic's machine, kept on the gateway, decided and logged on chain");
    cast.patient.does(&[
        "grant",
        &cast.patient_id,
        "--to",
        &cast.hospital.as_grantee(),
        "--classes",
        "1,2,3",
        "--rights",
        "append",
        "--purposes",
        "treatment",
    ])?;
    report.step(
        "enrol",
        "the patient lets the hospital write, and not read",
        &json!({ "rights": "append" }),
    );
    for file in std::mem::take(&mut cast.files) {
        let stored = cast.doctor_stores(file, report)?;
        cast.files.push(stored);
    }
    Ok(())
}

/// The patient opens each.
pub(super) fn opening(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Opening: the patient reads everything");
    for file in &cast.files {
        let basis = cast.opens(&cast.patient, file, &[])?;
        report.step(
            "get",
            &format!(
                "the patient opens the {}: byte for byte what the doctor stored",
                file.title
            ),
            &json!({ "file": file.title, "basis": basis, "identical": true }),
        );
    }
    Ok(())
}

/// The insurer is refused, is granted one record, and loses it again.
pub(super) async fn sharing(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Sharing: an insurer, one record, one purpose, and its end");
    let insurer = &cast.insurance.member;
    let [ct, ecg] = [0, 3].map(|index| &cast.files[index]);
    let nothing = |opened: &[Id], when: &str| -> Result<()> {
        ensure!(
            opened.is_empty(),
            "{when} the insurer's key opens {} envelopes",
            opened.len()
        );
        report.step(
            "stolen-key-store",
            &format!("{when} even the whole key store in the insurer's hands opens nothing"),
            &json!({ "when": when, "opens": 0 }),
        );
        Ok(())
    };
    cast.refused(insurer, ct, &FOR_PAYMENT, "no-grant", report)?;
    nothing(&steals(cast).await?, "before the grant")?;

    let granted = cast.patient.does(&[
        "grant",
        &cast.patient_id,
        "--to",
        &cast.insurance.member_as_grantee(),
        "--record",
        &ct.record,
        "--purposes",
        "payment",
        "--for",
        "30d",
    ])?;
    let grant = granted.text("grant")?;
    report.step(
        "grant",
        "the patient grants the CT to the insurer, for payment",
        &json!({ "grant": grant }),
    );

    let basis = cast.opens(insurer, ct, &FOR_PAYMENT)?;
    let stolen = steals(cast).await?;
    ensure!(
        stolen == [id(&ct.record)?],
        "the insurer's key opens {} records instead of one",
        stolen.len()
    );
    report.step(
        "get",
        "the insurer opens the CT; of all envelopes its key opens that one only",
        &json!({ "file": ct.title, "basis": basis, "envelopes_its_key_opens": stolen.len() }),
    );
    cast.refused(insurer, ecg, &FOR_PAYMENT, "grant-for-another-record", report)?;

    let revoked = cast.patient.does(&["revoke", &cast.patient_id, &grant])?;
    let deleted = figure(&revoked, "envelopes_deleted");
    ensure!(deleted == 1, "revoking deleted {deleted} envelopes");
    report.step(
        "revoke",
        "the patient revokes it; the insurer's envelope is deleted",
        &json!({ "envelopes_deleted": deleted }),
    );
    cast.refused(insurer, ct, &FOR_PAYMENT, "grant-revoked", report)?;
    nothing(&steals(cast).await?, "after the revocation")
}

/// A stored byte is flipped.
pub(super) fn tampering(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Tampering: somebody flips one byte of what the gateway stores");
    let ct = &cast.files[0];
    let path = cast.stack.gateway_items().join(&ct.item);
    let mut bytes = read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).context("cannot write the gateway's file")?;
    let out = cast.stack.folder().join("not-to-be-made");
    let words = ["get", &cast.patient_id, &ct.record, "--out", text(&out)?];
    let outcome = cast.patient.types(&words)?;
    ensure!(
        outcome.code == 3,
        "a flipped byte ended with {}: {}",
        outcome.code,
        outcome.error
    );
    ensure!(
        outcome.error.contains("does not match its hash"),
        "the warning is missing: {}",
        outcome.error
    );
    ensure!(!out.exists(), "a file was written all the same");
    let checked = cast.patient.types(&["verify", &cast.patient_id, &ct.record])?;
    ensure!(checked.code == 3, "verify overlooked a flipped byte");
    report.step(
        "tamper",
        "`get` says that the CT does not match its hash, and writes nothing; `verify` says so too",
        &json!({ "exit_code": outcome.code, "file_written": false }),
    );
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).context("cannot write the gateway's file")?;
    cast.patient.does(&["verify", &cast.patient_id, &ct.record])?;
    report.step(
        "repair",
        "with the byte put right everything matches again",
        &json!({ "matches": true }),
    );
    Ok(())
}

/// What the insurer's own key opens of the whole key store.
async fn steals(cast: &Cast) -> Result<Vec<Id>> {
    let patient = id(&cast.patient_id)?;
    theft::opens(&cast.insurance.member, &cast.stack.endpoints().rpc, patient).await
}

fn id(text: &str) -> Result<Id> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).with_context(|| format!("{text} is no id"))?;
    Ok(id)
}
