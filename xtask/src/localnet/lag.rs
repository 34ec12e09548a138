//! Whether the indexer keeps up, as its own proof says it. What is not settled yet it leaves for later, so being behind by
//! that is as it should be; being behind by anything else is, for as long as it reads on.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::part::Part;
use super::state::State;
use crate::workspace::Programs;

/// How long the indexer may read nothing of what it could before it is stuck.
const STUCK: Duration = Duration::from_secs(10);
const ASK: Duration = Duration::from_millis(500);

/// How far the database is from the ledger.
#[derive(Debug, PartialEq, Eq)]
enum Lag {
    None,
    /// So many events are not there, and none of them is confirmed.
    Unsettled(u64),
    /// So many events could have been read, since that transaction.
    Unread {
        events: u64,
        since: Option<String>,
    },
}

/// Looks whether the database holds what the ledger does, and says by what it is behind.
///
/// # Errors
/// When it differs, or the indexer does not read what it could.
pub(super) fn check(state: &State, programs: &Programs) -> Result<Option<String>> {
    let begun = Instant::now();
    let mut first: Option<Option<String>> = None;
    loop {
        let (events, since) = match prove(state, programs)? {
            Lag::None => return Ok(None),
            Lag::Unsettled(events) => {
                return Ok(Some(format!("behind by {}, not settled yet", counted(events))));
            }
            Lag::Unread { events, since } => (events, since),
        };
        match &first {
            Some(first) if *first != since => {
                return Ok(Some(format!("behind by {}, and reading on", counted(events))));
            }
            Some(_) if begun.elapsed() > STUCK => bail!(
                "it is behind by {} that it could read, and reads nothing: see its log",
                counted(events)
            ),
            Some(_) => {}
            None => first = Some(since),
        }
        std::thread::sleep(ASK);
    }
}

fn counted(events: u64) -> String {
    match events {
        1 => "1 event".to_owned(),
        more => format!("{more} events"),
    }
}

fn prove(state: &State, programs: &Programs) -> Result<Lag> {
    let (rpc, database) = (state.rpc.as_deref(), state.database.as_deref());
    let output = programs
        .command(Part::Indexer.program())?
        .args(["verify", "--quick", "--json", "--rpc"])
        .arg(rpc.context("the validator is not up")?)
        .env("CHARTSEAL_DATABASE_URL", database.context("Postgres is not up")?)
        .stdin(Stdio::null())
        .output()
        .context("cannot start the indexer's proof")?;
    match serde_json::from_slice(&output.stdout) {
        Ok(report) => judge(&report),
        Err(_) => bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end()),
    }
}

/// What a report comes down to.
fn judge(report: &Value) -> Result<Lag> {
    let findings = report["findings"].as_array().context("the proof is of another form")?;
    if let Some(first) = findings.first() {
        bail!(
            "the database differs from the ledger in {} places, the first: {} in table {}: {}. All of them: chartseal-indexer \
             verify",
            findings.len(),
            first["problem"].as_str().unwrap_or_default(),
            first["table"].as_str().unwrap_or_default(),
            first["detail"].as_str().unwrap_or_default()
        );
    }
    let behind = |what: &str| {
        let number = report["behind"][what].as_u64();
        number.context("the proof is of another form")
    };
    Ok(match (behind("events")?, behind("unsettled")?) {
        (0, _) => Lag::None,
        (events, unsettled) if events == unsettled => Lag::Unsettled(events),
        (events, unsettled) => Lag::Unread {
            events: events.saturating_sub(unsettled),
            since: report["signature"].as_str().map(str::to_owned),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(events: u64, unsettled: u64) -> Value {
        json!({ "signature": "5x", "findings": [], "behind": { "events": events, "unsettled": unsettled } })
    }

    #[test]
    fn what_is_unsettled_is_told_from_what_could_have_been_read() {
        assert_eq!(judge(&report(0, 0)).unwrap(), Lag::None);
        assert_eq!(judge(&report(3, 3)).unwrap(), Lag::Unsettled(3));
        let since = Some("5x".to_owned());
        assert_eq!(judge(&report(3, 1)).unwrap(), Lag::Unread { events: 2, since });
        assert!(judge(&json!({})).is_err());
    }

    #[test]
    fn what_differs_is_named() {
        let mut report = report(1, 1);
        report["findings"] = json!([{ "problem": "missing", "table": "grants", "detail": "row 7" }]);
        let error = judge(&report).unwrap_err().to_string();
        assert!(error.contains("missing in table grants: row 7"), "{error}");
    }
}
