//! What the indexer can prove besides: that the contract's accounts say what the rows say, and a log in one file that holds by
//! itself.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    cast::Cast,
    steps::{read, text},
};
use crate::{people::Outcome, report::Report};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// How long a ledger may take until what was written last is final, and stands in a file.
const PATIENCE: Duration = Duration::from_secs(90);

/// Every account of the contract is compared with its rows.
pub(super) fn reconciling(cast: &Cast, report: &Report) -> Result<()> {
    let (code, said) = cast.stack.asks_indexer(&["reconcile"])?;
    ensure!(
        code == 0 && said["agrees"] == true,
        "rows and accounts do not agree: {said}"
    );
    let accounts = &said["accounts"];
    report.step(
        "reconcile",
        &format!("{accounts} accounts of the contract, each field as its row says"),
        &json!({ "accounts": accounts, "agrees": true }),
    );
    Ok(())
}

/// The patient's log is written into a file, and somebody without network checks it.
pub(super) fn handing_out(cast: &Cast, report: &Report) -> Result<()> {
    let file = cast.stack.folder().join("log.audit");
    let told = cast.patient.does(&["log", &cast.patient_id])?;
    let events = told.objects.iter().filter(|object| object["event"].is_string()).count();
    let since = Instant::now();
    let sum = loop {
        // The validator names older slots for what is final than those that it has the accounts of: until these have passed
        // too, a head seems to be older than its events, and no file is written.
        match exports(cast, &file) {
            Ok(sum) if sum["events"] == events => break sum,
            written => ensure!(
                since.elapsed() < PATIENCE,
                "the file has not all {events} events: {written:?}"
            ),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    ensure!(
        sum["whole"] == true && sum["ledger_asked"] == Value::Bool(false),
        "the file was not checked by itself: {sum}"
    );
    let mut bytes = read(&file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).context("cannot alter the file")?;
    let altered = checks(cast, &file)?;
    ensure!(
        altered.code == 3,
        "an altered file ended with {}: {}",
        altered.code,
        altered.error
    );
    report.step(
        "audit",
        &format!("the patient's log of {events} events in one file: it holds without any network, and not with one bit altered"),
        &json!({ "events": events, "bytes": bytes.len(), "whole": true, "altered_exit_code": 3 }),
    );
    Ok(())
}

/// Writes the file, where the ledger lets it be written, and checks it: the sum of what is in it.
fn exports(cast: &Cast, file: &Path) -> Result<Value> {
    if file.exists() {
        std::fs::remove_file(file).context("cannot remove the file")?;
    }
    let export = ["audit", "export", "--patient", &cast.patient_id, "--out", text(file)?];
    cast.stack.asks_indexer(&export)?;
    let checked = checks(cast, file)?;
    ensure!(checked.code == 0, "the file does not hold: {}", checked.error);
    Ok(checked.objects.last().cloned().unwrap_or_default())
}

fn checks(cast: &Cast, file: &Path) -> Result<Outcome> {
    let offline = cast.patient.through_rpc(NOWHERE).through_gateway(NOWHERE);
    offline.types(&["audit", "check", text(file)?])
}
