//! `chartseal rewrap`.

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{args::Rewrap, caller::Caller, output::Output, patients::describe_keys};
use crate::ops::{BulkRewrapped, RewrapFailure};

pub(super) async fn rewrap(command: &Rewrap, caller: Caller, output: Output) -> Result<()> {
    if command.all {
        return all(command.post_quantum, caller, output).await;
    }
    let patient = command.patient.context("say whose records, or --all")?;
    let session = caller.session().await?;
    let keys = session
        .rewrap_as(&patient, command.record.as_ref(), command.post_quantum)
        .await?;
    output.say(
        &describe_keys(&keys),
        &json!({ "wrapped": keys.wrapped, "pending": keys.pending, "because": keys.because }),
    );
    Ok(())
}

async fn all(post_quantum: bool, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let bar = output.tally("records");
    let tally = bar.tally();
    let done = session.rewrap_all(post_quantum, |at| tally(at.done, at.found)).await?;
    drop(bar);
    for failure in &done.failed {
        output.warn(&describe(failure));
    }
    let failed: Vec<_> = done
        .failed
        .iter()
        .map(|failure| {
            json!({
                "patient": hex::encode(failure.patient), "record": failure.record.map(hex::encode),
                "because": failure.because,
            })
        })
        .collect();
    output.say(
        &sentence(&done),
        &json!({
            "patients": done.patients, "records": done.records, "right": done.right, "wrapped": done.wrapped,
            "pending": done.pending, "failed": failed,
        }),
    );
    Ok(())
}

fn sentence(done: &BulkRewrapped) -> String {
    format!(
        "{} records of {} patients: {} were right already; {} envelopes wrapped, {} pending, {} failures",
        done.records,
        done.patients,
        done.right,
        done.wrapped,
        done.pending,
        done.failed.len()
    )
}

fn describe(failure: &RewrapFailure) -> String {
    let patient = hex::encode(failure.patient);
    match failure.record {
        Some(record) => format!(
            "record {} of patient {patient}: {}",
            hex::encode(record),
            failure.because
        ),
        None => format!("patient {patient}: {}", failure.because),
    }
}
