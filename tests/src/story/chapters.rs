//! What happens.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use chartseal_program::seeds::Id;
use serde_json::json;
use sqlx::Row as _;

use super::cast::{Cast, Stored};
use crate::{leaks::Search, people::Outcome, programs::fixture, report::Report, stack::Stack, theft};

/// The doctor stores six files.
pub(super) fn storing(cast: &mut Cast, report: &Report) -> Result<()> {
    report.chapter("Storing: sealed on the clinic's machine, kept on the gateway, decided and logged on chain");
    let institution = format!("institution:{}", cast.hospital_id);
    cast.patient.does(&[
        "grant",
        &cast.patient_id,
        "--to",
        &institution,
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
    for file in &mut cast.files {
        let before = items(&cast.stack)?;
        let (path, class) = (fixture(file.file), file.class.to_string());
        let stored = cast
            .doctor
            .does(&["put", &cast.patient_id, text(&path)?, "--class", &class])?;
        file.record = stored.text("record")?;
        file.media_type = stored.text("media_type")?;
        file.item = largest(&cast.stack, items(&cast.stack)?.difference(&before))?;
        let figure = |key: &str| {
            stored
                .objects
                .first()
                .map(|object| object[key].clone())
                .unwrap_or_default()
        };
        let sentence = format!(
            "the doctor stores the {}: {} bytes, sealed to {}",
            file.title,
            figure("original_bytes"),
            figure("sealed_bytes")
        );
        report.step(
            "put",
            &sentence,
            &json!({
                "file": file.title, "record": file.record, "original_bytes": figure("original_bytes"),
                "sealed_bytes": figure("sealed_bytes"), "media_type": figure("media_type"),
            }),
        );
    }
    Ok(())
}

/// The patient opens each.
pub(super) fn opening(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Opening: the patient reads everything");
    for file in &cast.files {
        let out = cast.stack.folder().join("opened");
        let opened = cast
            .patient
            .does(&["get", &cast.patient_id, &file.record, "--out", text(&out)?, "--force"])?;
        let same = read(&out)? == read(&fixture(file.file))?;
        ensure!(same, "the {} did not come back byte for byte", file.title);
        let basis = opened.text("basis")?;
        report.step(
            "get",
            &format!(
                "the patient opens the {}: byte for byte what the doctor stored",
                file.title
            ),
            &json!({ "file": file.title, "basis": basis, "identical": same }),
        );
    }
    Ok(())
}

/// The insurer is refused, is granted one record, and loses it again.
pub(super) async fn sharing(cast: &mut Cast, report: &Report) -> Result<()> {
    report.chapter("Sharing: an insurer, one record, one purpose, and its end");
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
    refused(cast, ct, "no-grant", report)?;
    nothing(&opens(cast).await?, "before the grant")?;

    let to = format!("member:{}", cast.insurer_id);
    let granted = cast.patient.does(&[
        "grant",
        &cast.patient_id,
        "--to",
        &to,
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

    let out = cast.stack.folder().join("insurers-copy");
    let opened = read_for_payment(cast, ct, &out)?;
    ensure!(
        opened.code == 0,
        "the insurer was granted the CT and cannot open it: {}",
        opened.error
    );
    ensure!(
        read(&out)? == read(&fixture(ct.file))?,
        "the insurer opened something else"
    );
    let stolen = opens(cast).await?;
    ensure!(
        stolen == [id(&ct.record)?],
        "the insurer's key opens {} records instead of one",
        stolen.len()
    );
    report.step(
        "get",
        "the insurer opens the CT; of all envelopes its key opens that one only",
        &json!({ "file": ct.title, "basis": opened.text("basis")?, "envelopes_its_key_opens": stolen.len() }),
    );
    refused(cast, ecg, "grant-for-another-record", report)?;

    let revoked = cast.patient.does(&["revoke", &cast.patient_id, &grant])?;
    let deleted = revoked
        .objects
        .first()
        .map(|object| object["envelopes_deleted"].clone())
        .unwrap_or_default();
    ensure!(deleted == 1, "revoking deleted {deleted} envelopes");
    report.step(
        "revoke",
        "the patient revokes it; the insurer's envelope is deleted",
        &json!({ "envelopes_deleted": deleted }),
    );
    refused(cast, ct, "grant-revoked", report)?;
    nothing(&opens(cast).await?, "after the revocation")
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

/// The analyst asks Postgres.
pub(super) async fn asking(cast: &mut Cast, report: &Report) -> Result<()> {
    report.chapter("Asking: what Postgres says, and whether it is whole");
    let proof = cast.stack.verified()?;
    ensure!(proof["whole"] == true, "the index is not whole: {proof}");
    let events = proof["events"].clone();
    report.step(
        "verify",
        &format!("{events} events, every chain recomputed and equal to its head on chain"),
        &json!({ "events": events, "whole": true }),
    );
    let told = cast.patient.does(&["log", &cast.patient_id])?;
    let last = told.objects.last().cloned().unwrap_or_default();
    ensure!(
        last["whole"] == true,
        "the patient's own look at the log says otherwise: {last}"
    );

    let database = cast.stack.analyst().await?;
    let records = sqlx::query(
        "SELECT encode(r.id, 'hex'), r.class::text, r.version::text, r.status::text, v.padded_size::text
         FROM chartseal.records r
         JOIN chartseal.record_versions v ON (v.patient, v.record, v.version) = (r.patient, r.id, r.version)
         ORDER BY r.made_seq",
    );
    let records = rows(
        &records
            .fetch_all(&database)
            .await
            .context("cannot ask for the records")?,
    )?;
    ensure!(
        records.len() == cast.files.len(),
        "{} records are indexed",
        records.len()
    );
    report.table(
        "records",
        "records",
        &["record", "class", "version", "status", "sealed bytes"],
        &records,
    );

    let decisions = sqlx::query(
        "SELECT to_char(at AT TIME ZONE 'UTC', 'HH24:MI:SS'), action::text, outcome::text, why::text, purpose::text,
                coalesce(role::text, actor_kind::text), left(record, 8)
         FROM chartseal.decisions ORDER BY at, chain, seq",
    );
    let decisions = rows(
        &decisions
            .fetch_all(&database)
            .await
            .context("cannot ask for the decisions")?,
    )?;
    let refusals: Vec<&str> = decisions
        .iter()
        .filter(|row| row[2] == "refused")
        .map(|row| row[3].as_str())
        .collect();
    ensure!(
        refusals == ["no-grant", "grant-for-another-record", "grant-revoked"],
        "the refusals in Postgres are {refusals:?}"
    );
    let head = ["at", "action", "outcome", "basis or reason", "purpose", "who", "record"];
    report.table("decisions", "every access and every refusal", &head, &decisions);

    let mut search = Search::new(&SECRETS);
    search.expect_each_in(&inputs(cast)?)?;
    let sandbox = cast.stack.folder().join("sandbox");
    for place in ["gateway", "gateway-index", "ledger.journal"] {
        search.in_place(&sandbox.join(place))?;
    }
    search.in_accounts(&cast.stack.endpoints().rpc).await?;
    search.in_tables(&database).await?;
    let Search { leaks, bytes, .. } = search;
    ensure!(leaks.is_empty(), "found in the clear: {}", leaks.join("; "));
    report.step(
        "leaks",
        &format!("no name, file name or text of the story is in {bytes} bytes of ledger, gateway and Postgres"),
        &json!({ "searched_bytes": bytes, "found": 0 }),
    );
    database.close().await;
    Ok(())
}

/// Names, file names and texts of the story: each stands in a file, in a file's name or in what the client takes a file for.
const SECRETS: [&str; 17] = [
    "Marguerite",
    "Oyelaran",
    "Brightwater",
    "ibuprofen",
    "musculoskeletal",
    "CompressedSamples^CT1",
    "CompressedSamples^MR1",
    "JFK IMAGING CENTER",
    "GEMS_PATI_01",
    "HiSpeed CT/i",
    "CT_small",
    "MR_small",
    "examples_ybr_color",
    "waveform_ecg",
    "voice_note",
    "note.txt",
    "application/dicom",
];

/// What was put into the system: the files, their names, and the types that the client told of.
fn inputs(cast: &Cast) -> Result<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    for file in &cast.files {
        inputs.push(read(&fixture(file.file))?);
        inputs.push(file.file.as_bytes().to_vec());
        inputs.push(file.media_type.as_bytes().to_vec());
    }
    Ok(inputs)
}

fn refused(cast: &Cast, file: &Stored, reason: &str, report: &Report) -> Result<()> {
    let out = cast.stack.folder().join("refused");
    let outcome = read_for_payment(cast, file, &out)?;
    ensure!(
        outcome.code == 2,
        "the insurer was to be refused, and got {}: {}",
        outcome.code,
        outcome.error
    );
    ensure!(
        outcome.error.contains(reason),
        "refused for another reason than {reason}: {}",
        outcome.error
    );
    ensure!(!out.exists(), "a refused read wrote a file");
    report.step(
        "refuse",
        &format!("the insurer asks for the {} and is refused: {reason}", file.title),
        &json!({ "file": file.title, "reason": reason, "exit_code": outcome.code }),
    );
    Ok(())
}

fn read_for_payment(cast: &Cast, file: &Stored, out: &Path) -> Result<Outcome> {
    cast.insurer.types(&[
        "get",
        &cast.patient_id,
        &file.record,
        "--purpose",
        "payment",
        "--out",
        text(out)?,
        "--force",
    ])
}

async fn opens(cast: &Cast) -> Result<Vec<Id>> {
    theft::opens(&cast.insurer, &cast.stack.endpoints().rpc, id(&cast.patient_id)?).await
}

fn id(text: &str) -> Result<Id> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).with_context(|| format!("{text} is no id"))?;
    Ok(id)
}

fn items(stack: &Stack) -> Result<BTreeSet<String>> {
    let entries = std::fs::read_dir(stack.gateway_items()).context("cannot read the gateway's folder")?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// The largest of these items: a shard rather than a manifest.
fn largest<'a>(stack: &Stack, names: impl Iterator<Item = &'a String>) -> Result<String> {
    let size = |name: &&String| std::fs::metadata(stack.gateway_items().join(name)).map_or(0, |file| file.len());
    names.max_by_key(size).cloned().context("nothing new is on the gateway")
}

fn rows(rows: &[sqlx::postgres::PgRow]) -> Result<Vec<Vec<String>>> {
    let cells = |row: &sqlx::postgres::PgRow| {
        (0..row.len())
            .map(|column| row.try_get(column).context("a cell is no text"))
            .collect()
    };
    rows.iter().map(cells).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is no UTF-8")
}
