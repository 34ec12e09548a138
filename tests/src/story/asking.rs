//! What an analyst finds in Postgres, and whether it is whole.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sqlx::{PgPool, Row as _};

use super::{cast::Cast, emergency::REASON, erasure::ERASED, proving, steps::read};
use crate::{leaks::Search, programs::fixture, report::Report};

/// What was refused in the story, in its order.
const REFUSALS: [&str; 12] = [
    "no-grant",
    "grant-for-another-record",
    "grant-revoked",
    "policy-for-other-records",
    "grant-for-another-record",
    "grant-for-another-record",
    "grant-revoked",
    "grant-ancestor-lapsed",
    "no-emergency-credential",
    "emergency-awaits-review",
    "record-erased",
    "record-erased",
];

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
    proving::reconciling(cast, report)?;
    let told = cast.patient.does(&["log", &cast.patient_id])?;
    let last = told.objects.last().cloned().unwrap_or_default();
    ensure!(
        last["whole"] == true,
        "the patient's own look at the log says otherwise: {last}"
    );

    let database = cast.stack.analyst().await?;
    records(cast, &database, report).await?;
    decisions(&database, report).await?;
    consequences(&database, report).await?;
    missing(cast, &database, report).await?;
    proving::handing_out(cast, report)?;
    leaks(cast, &database, report).await?;
    database.close().await;
    Ok(())
}

async fn records(cast: &Cast, database: &PgPool, report: &Report) -> Result<()> {
    let records = ask(
        database,
        "SELECT record, class::text, version::text, status::text, padded_size::text FROM chartseal.record_list
         ORDER BY created_at, record",
    )
    .await?;
    ensure!(
        records.len() == cast.files.len(),
        "{} records are indexed",
        records.len()
    );
    let erased: Vec<_> = records.iter().filter(|row| row[3] == "erased").collect();
    ensure!(
        matches!(&erased[..], [row] if row[0] == cast.files[ERASED].record),
        "Postgres has these erased: {erased:?}"
    );
    let head = ["record", "class", "version", "status", "sealed bytes"];
    report.table("records", "records, with the one that was erased", &head, &records);
    Ok(())
}

async fn decisions(database: &PgPool, report: &Report) -> Result<()> {
    let refusals = ask(
        database,
        "SELECT why FROM chartseal.decisions WHERE outcome = 'refused' ORDER BY seq",
    )
    .await?;
    let refusals = refusals.concat();
    ensure!(refusals == REFUSALS, "the refusals in Postgres are {refusals:?}");
    let decisions = ask(
        database,
        "SELECT outcome, why, coalesce(role::text, actor_kind::text), action, purpose::text, count(*)::text
         FROM chartseal.decisions GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
    )
    .await?;
    let head = ["outcome", "basis or reason", "who", "action", "purpose", "times"];
    report.table(
        "decisions",
        "every access and every refusal, counted",
        &head,
        &decisions,
    );
    Ok(())
}

/// What followed from decisions, each asked of the view that shows it.
async fn consequences(database: &PgPool, report: &Report) -> Result<()> {
    let questions = [
        (
            "requests answered",
            "SELECT string_agg(state::text, ', ' ORDER BY asked_at, state) FROM chartseal.request_list",
            "approved, denied, approved",
        ),
        (
            "grants passed on",
            "SELECT count(*)::text FROM chartseal.grant_list WHERE depth = 1",
            "1",
        ),
        (
            "emergency: readings, reviews",
            "SELECT readings || ', ' || institution_verdict || ', ' || patient_verdict FROM chartseal.emergency_list",
            "2, justified, justified",
        ),
        (
            "agreement: deposited, paid, returned",
            "SELECT deposited || ', ' || paid || ', ' || returned FROM chartseal.agreement_list",
            "1000, 250, 750",
        ),
        (
            "batch: records, promoted",
            "SELECT count || ', ' || promoted FROM chartseal.batch_list",
            "4, 1",
        ),
        (
            "erasures attested",
            "SELECT sum(attestations)::text FROM chartseal.erasure_list",
            "1",
        ),
    ];
    let mut rows = Vec::new();
    for (what, question, expected) in questions {
        let answer = ask(database, question).await?.concat().join("; ");
        ensure!(answer == expected, "{what}: Postgres says {answer}");
        rows.push(vec![what.to_owned(), answer]);
    }
    report.table("consequences", "what came of it", &["what", "Postgres says"], &rows);
    Ok(())
}

/// Somebody takes one grant out of the database; it is noticed, and noticed to be back.
async fn missing(cast: &mut Cast, database: &PgPool, report: &Report) -> Result<()> {
    // A connection of its own, which ends with what was set on it.
    let mut intruder = database.acquire().await.context("cannot reach Postgres")?.detach();
    let mut types = async |statement: &'static str| {
        let done = sqlx::raw_sql(statement).execute(&mut intruder).await;
        done.map(|done| done.rows_affected())
            .with_context(|| format!("Postgres does not do this: {statement}"))
    };
    // As a database's owner can: without asking its constraints.
    types("SET session_replication_role = replica").await?;
    types(
        "CREATE TEMPORARY TABLE taken AS SELECT * FROM chartseal.grants
         WHERE revoked_at IS NOT NULL ORDER BY created_at, id LIMIT 1",
    )
    .await?;
    let taken = types("DELETE FROM chartseal.grants WHERE id IN (SELECT id FROM taken)").await?;
    ensure!(taken == 1, "{taken} rows were deleted");
    let (code, proof) = cast.stack.verify(&[])?;
    let found = proof["findings"].as_array().cloned().unwrap_or_default();
    let named = found.iter().any(|finding| {
        finding["problem"] == "missing"
            && finding["table"] == "grants"
            && finding["subject"] == cast.patient_id.as_str()
            && finding["seq"].is_u64()
    });
    ensure!(
        code == 3 && named,
        "a grant was deleted, and verify ended with {code}: {proof}"
    );
    report.step(
        "missing",
        "somebody deletes one grant from Postgres; `verify` names it, with its patient and its place in the log",
        &json!({ "exit_code": code, "found": found.len() }),
    );
    types("INSERT INTO chartseal.grants SELECT * FROM taken").await?;
    let proof = cast.stack.verified()?;
    ensure!(proof["whole"] == true, "the index is not whole again: {proof}");
    report.step(
        "whole-again",
        "with the row put back the database is whole",
        &json!({ "whole": true }),
    );
    Ok(())
}

async fn leaks(cast: &Cast, database: &PgPool, report: &Report) -> Result<()> {
    let mut search = Search::new(&SECRETS);
    search.expect_each_in(&inputs(cast)?)?;
    for place in cast.stack.public_files() {
        search.in_place(&place)?;
    }
    search.in_accounts(&cast.stack.endpoints().rpc).await?;
    search.in_tables(database).await?;
    let Search { leaks, bytes, .. } = search;
    ensure!(leaks.is_empty(), "found in the clear: {}", leaks.join("; "));
    report.step(
        "leaks",
        &format!("no name, file name or text of the story is in {bytes} bytes of ledger, gateway and Postgres"),
        &json!({ "searched_bytes": bytes, "found": 0 }),
    );
    Ok(())
}

/// Names, file names and texts of the story: each stands in a file, in a file's name, in what the client takes a file for,
/// or in the reason of the emergency.
const SECRETS: [&str; 20] = [
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
    "examples_rgb_color",
    "examples_overlay",
    "waveform_ecg",
    "voice_note",
    "note.txt",
    "application/dicom",
    REASON,
];

/// What was put into the system: the files, their names, the types that the client told of, and a reason.
fn inputs(cast: &Cast) -> Result<Vec<Vec<u8>>> {
    let mut inputs = vec![REASON.as_bytes().to_vec()];
    for file in &cast.files {
        inputs.push(read(&fixture(file.file))?);
        inputs.push(file.file.as_bytes().to_vec());
        inputs.push(file.media_type.as_bytes().to_vec());
    }
    Ok(inputs)
}

/// The rows of a question, each cell as text.
async fn ask(database: &PgPool, question: &'static str) -> Result<Vec<Vec<String>>> {
    let rows = sqlx::query(question).fetch_all(database).await;
    let rows = rows.with_context(|| format!("cannot ask: {question}"))?;
    let cells = |row: &sqlx::postgres::PgRow| {
        (0..row.len())
            .map(|column| row.try_get(column).context("a cell is no text"))
            .collect()
    };
    rows.iter().map(cells).collect()
}
