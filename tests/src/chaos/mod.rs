//! The indexer in bad weather: a ledger that forks, a node that errs, lags and goes away, a database that ends and runs out
//! of room, and `kill -9`. Afterwards every table must hold what a calm run over the same ledger puts there, and the
//! indexer's own proofs must say so too. A run in which any of these never struck is a failure.

mod compare;
mod disk;
mod faults;
mod ledger;
mod met;
mod node;
mod storm;
mod strikes;
mod wire;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use self::{
    compare::Same,
    met::{Kind, Met},
    storm::Storm,
};
use crate::report::Report;

/// How long the weather is bad, and what it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seconds of it, at least: on a slow machine it lasts until everything struck once.
    pub seconds: u64,
    /// What the ledger, the faults and the moments come from.
    pub seed: u64,
    /// Fail where this user may mount no disk that can be filled, instead of leaving that one fault out.
    pub whole: bool,
}

/// Indexes in bad weather, and compares with a calm run. Returns what befell it and what came of it, for people.
///
/// # Errors
/// Where the indexer ends by itself, does not settle, or holds anything else than a calm run; also where so little
/// happened that this would show nothing.
pub fn survive(plan: Plan, report: &Report) -> Result<String> {
    let mut storm = Storm::begin(plan.seed)?;
    let spared = match storm.can_fill_its_disk() {
        true => None,
        false => {
            ensure!(
                !plan.whole,
                "this user may mount no disk (a tmpfs) that can be filled: run as root"
            );
            Some(Kind::DiskFull)
        }
    };
    let tell = |what: String| report.step("strike", &what, &json!({}));
    let until = Instant::now() + Duration::from_secs(plan.seconds);
    for strike in storm.each_once() {
        tell(storm.strike(strike)?);
    }
    while Instant::now() < until {
        let strike = storm.any();
        tell(storm.strike(strike)?);
    }
    storm.calm_down()?;
    let events = storm.settle()?;
    let happened = storm.happened();
    ensure!(
        happened.forks > 0 && happened.dropped > 0 && happened.again > 0,
        "too little happened on the ledger to show anything: {happened:?}"
    );
    let met = storm.met();
    let lacks = met.lacks(spared);
    ensure!(
        lacks.is_empty(),
        "too little befell it to show anything, never: {}",
        lacks.join(", ")
    );
    let Same {
        rows,
        notices,
        withdrawn,
    } = storm.compare()?;
    ensure!(notices > 0, "nobody was notified of anything");
    let whole = format!(
        "{} transactions ({} failed), {} branches died with {} transactions, {} of which stood in another block; \
         {events} events, {rows} rows and {notices} notices as in a calm run, {withdrawn} notices taken back",
        happened.transactions, happened.failed, happened.forks, happened.dropped, happened.again
    );
    let figures = json!({
        "transactions": happened.transactions, "failed": happened.failed, "forks": happened.forks,
        "dropped": happened.dropped, "again": happened.again, "met": by_kind(&met),
        "events": events, "rows": rows, "notices": notices, "withdrawn": withdrawn, "seed": plan.seed,
    });
    let left_out = spared.map_or("", |_| " (left out: this user may mount no disk that can be filled)");
    let struck = format!("how often it was struck by what: {met}{left_out}");
    report.step("met", &struck, &by_kind(&met));
    report.step("whole", &whole, &figures);
    storm.end()?;
    Ok(format!("{struck}\n{whole}"))
}

fn by_kind(met: &Met) -> Value {
    met.each()
        .map(|(kind, times)| (kind.replace(' ', "_"), json!(times)))
        .collect()
}
