//! `chartseal health` and `repair`: what each store has of a patient's records, and making good what one lost.

use anyhow::Result;
use chartseal_program::seeds::Id;
use serde_json::{Value, json};
use thiserror::Error;

use super::{
    args::{Kept, Repair},
    caller::Caller,
    output::Output,
};
use crate::{
    ops::{OfVersions, OpError, Session},
    seal::{Health, Repaired, State},
    store::{Backend, KeyStore},
};

/// Records that are not kept as they must be.
#[derive(Debug, Error)]
pub(super) enum Unhealthy {
    /// All can be read.
    #[error(
        "{faults} copies or pieces are missing, damaged or out of reach; everything can be read all the same: run \
         `chartseal repair` with every store at hand"
    )]
    Repairable {
        /// How many there are.
        faults: usize,
    },
    /// Some stores did not take what they must have.
    #[error(
        "{faults} copies or pieces are still missing, damaged or out of reach{reasons}; everything can be read all the \
         same"
    )]
    Remaining {
        /// How many there are.
        faults: usize,
        /// What the stores say.
        reasons: String,
    },
    /// Some cannot.
    #[error("too little is left to read {what}")]
    Lost {
        /// What is lost.
        what: String,
    },
}

pub(super) async fn health(command: &Kept, caller: &Caller, output: Output) -> Result<()> {
    let session = caller.anonymous()?;
    let mut report = Report::default();
    for record in records(command, caller).await? {
        let bar = output.progress(None);
        let found = session.health(&command.patient, &record, &bar.callback()).await?;
        drop(bar);
        warn_of(&found, &record, output);
        for (version, health) in &found.versions {
            report.add(&record, *version, health);
        }
    }
    report.say(output);
    let faults = report.faults;
    match report.lost() {
        Some(lost) => Err(lost.into()),
        None if faults > 0 => Err(Unhealthy::Repairable { faults }.into()),
        None => Ok(()),
    }
}

pub(super) async fn repair(command: &Repair, caller: Caller, output: Output) -> Result<()> {
    let Repair { kept, as_author } = command;
    let records = records(kept, &caller).await?;
    if *as_author {
        repair_all(&kept.patient, &records, &caller.session().await?, output).await
    } else {
        repair_all(&kept.patient, &records, &caller.anonymous()?, output).await
    }
}

async fn repair_all<K: KeyStore>(
    patient: &Id,
    records: &[Id],
    session: &Session<Backend, K>,
    output: Output,
) -> Result<()> {
    let (mut report, mut reasons) = (Report::default(), Vec::new());
    for record in records {
        let bar = output.progress(None);
        let done = session.repair(patient, record, &bar.callback()).await?;
        drop(bar);
        warn_of(&done, record, output);
        for (version, repaired) in &done.versions {
            report.add_repaired(record, *version, repaired);
            let refused = repaired.refused.iter();
            reasons.extend(refused.map(|(store, reason)| format!("{}: {reason}", name(&repaired.after, *store))));
        }
    }
    report.say(output);
    reasons.sort();
    reasons.dedup();
    let faults = report.faults;
    match report.lost() {
        Some(lost) => Err(lost.into()),
        None if faults > 0 => {
            let reasons = match reasons.as_slice() {
                [] => String::new(),
                reasons => format!(" ({})", reasons.join("; ")),
            };
            Err(Unhealthy::Remaining { faults, reasons }.into())
        }
        None => Ok(()),
    }
}

/// The record that was named, or all of the patient's but the erased ones.
async fn records(command: &Kept, caller: &Caller) -> Result<Vec<Id>> {
    if let Some(record) = command.record {
        return Ok(vec![record]);
    }
    let records = caller.ledger().records(&command.patient).await.map_err(OpError::from)?;
    let kept = records.iter().filter(|found| !found.account.is_erased());
    Ok(kept.map(|found| found.account.id).collect())
}

fn warn_of<T>(found: &OfVersions<T>, record: &Id, output: Output) {
    if let Some(reason) = &found.newest_only {
        let record = hex::encode(record);
        output.warn(&format!(
            "of record {record} only the newest version was looked at: {reason}"
        ));
    }
}

fn name(health: &Health, store: usize) -> &str {
    health.stores.get(store).map_or("?", String::as_str)
}

/// A line for each store and version.
#[derive(Default)]
struct Report {
    rows: Vec<(Vec<String>, Value)>,
    lost: Vec<String>,
    faults: usize,
    restored: bool,
}

impl Report {
    fn add(&mut self, record: &Id, version: u32, health: &Health) {
        self.add_with(record, version, health, |_| None);
    }

    fn add_repaired(&mut self, record: &Id, version: u32, repaired: &Repaired) {
        self.restored = true;
        let of_store = |health: &Health, store| health.count(store, |_| true);
        self.add_with(record, version, &repaired.after, |store| {
            Some(of_store(&repaired.before, store).saturating_sub(of_store(&repaired.after, store)))
        });
    }

    fn add_with(&mut self, record: &Id, version: u32, health: &Health, restored: impl Fn(usize) -> Option<usize>) {
        let record = hex::encode(record);
        self.faults += health.faults.len();
        self.lost.extend(health.lost.iter().map(|lost| {
            let out_of_reach = match lost.unreachable {
                0 => String::new(),
                stores => format!(", {stores} out of reach"),
            };
            format!(
                "{} of version {version} of record {record} ({} of the {} that it takes are good{out_of_reach})",
                lost.part, lost.good, lost.needed
            )
        }));
        for (store, name) in health.stores.iter().enumerate() {
            let missing = health.count(store, |state| *state == State::Missing);
            let damaged = health.count(store, |state| *state == State::Damaged);
            let unreachable = health.count(store, |state| matches!(state, State::Unreachable(_)));
            let good = health.parts - missing - damaged - unreachable;
            let faults = health.faults.iter().filter(|fault| fault.store == store);
            let faults: Vec<_> = faults
                .map(|fault| json!({ "part": fault.part.to_string(), "state": fault.state.word() }))
                .collect();
            let restored = restored(store);
            let mut object = json!({
                "record": record, "version": version, "store": name, "good": good, "missing": missing,
                "damaged": damaged, "unreachable": unreachable, "readable": health.is_readable(), "faults": faults,
            });
            if let (Some(restored), Value::Object(fields)) = (restored, &mut object) {
                fields.insert("restored".into(), restored.into());
            }
            let mut cells = vec![record.clone(), version.to_string(), name.clone()];
            let counts = [good, missing, damaged, unreachable].into_iter().chain(restored);
            cells.extend(counts.map(|count| count.to_string()));
            self.rows.push((cells, object));
        }
    }

    fn say(&mut self, output: Output) {
        let mut head = vec![
            "record",
            "version",
            "store",
            "good",
            "missing",
            "damaged",
            "unreachable",
        ];
        head.extend(self.restored.then_some("restored"));
        output.table(&head, std::mem::take(&mut self.rows));
    }

    fn lost(self) -> Option<Unhealthy> {
        /// Lost parts that are named; the rest are counted.
        const NAMED: usize = 5;
        let mut what = self.lost.get(..NAMED).unwrap_or(&self.lost).join("; ");
        if self.lost.len() > NAMED {
            what.push_str(&format!("; and {} more", self.lost.len() - NAMED));
        }
        (!what.is_empty()).then_some(Unhealthy::Lost { what })
    }
}
