//! `cargo xtask bench indexer`: how many events a second the indexer puts into Postgres, beside writing them row by row as
//! common frameworks do. `write` fills a database from an old ledger, whose events are ready; `write-live` is told of recent
//! ones, so it writes notices too, and what it writes is not final at first. The server is the sandbox's, durable as it is
//! by default, on this machine's disk.

mod lag;
mod load;
mod profile;
mod queries;
mod rows;
mod write;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use self::load::{Load, Times};
use super::host;
use crate::cluster::Cluster;
use crate::ground::Ground;
use crate::programs::work_folder;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Events into tables, beside row by row.
    Write,
    /// From confirmation to the visible row.
    Lag,
    /// What analysts ask.
    Queries,
}

/// What is asked of the benchmark.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Runs of each case; the median is reported.
    pub runs: usize,
    /// Events that the indexer writes in one run.
    pub events: usize,
    /// Events that are written row by row in one run.
    pub rows: usize,
    /// Transactions that are stored at once.
    pub batch: usize,
    /// Transactions whose way to Postgres is timed, ...
    pub transactions: usize,
    /// ... and how many of them a second.
    pub rate: u32,
    /// Accesses that are in the tables when they are asked, one size after the other.
    pub accesses: Vec<u64>,
    /// The local validator's program: where there is one, they are timed on it too, beside the embedded ledger.
    pub validator: Option<PathBuf>,
    /// Only these; all where none is named.
    pub only: Vec<Part>,
    /// Say which statements take the time.
    pub profile: bool,
}

/// One case and what it gave. What a case does not have is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub case: String,
    /// Events a second, the median of the runs, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub events_per_s: Option<f64>,
    /// ... the slowest, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slowest: Option<f64>,
    /// ... and the fastest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fastest: Option<f64>,
    /// How many times as many as row by row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vs_row_by_row: Option<f64>,
    /// Half of the events were visible so many milliseconds after they were confirmed, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_p50_ms: Option<f64>,
    /// ... and 99 of a hundred so many.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_p99_ms: Option<f64>,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query: Option<String>,
    /// Milliseconds, the median of the runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ms: Option<f64>,
    /// How much there was: events written, or accesses in the tables.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// How often it was measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub runs: Option<usize>,
}

/// Measures and prints.
///
/// # Errors
/// Where something is missing, or does not do what it must.
pub fn run(plan: &Plan) -> Result<()> {
    say(&serde_json::to_string(&host::machine()?)?);
    say(&serde_json::to_string(&host::versions())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start a runtime")?;
    let wanted = |part| plan.only.is_empty() || plan.only.contains(&part);
    if wanted(Part::Write) {
        let folder = work_folder()?;
        let cluster = Cluster::start(folder.path())?;
        progress("making events");
        let load = Load::new(plan.events, Times::LONG_AGO)?;
        let live = Load::new(plan.events, Times::recent()?)?;
        for line in runtime.block_on(write::measure(plan, &cluster, &load, &live))? {
            print(&line)?;
        }
        cluster.stop()?;
    }
    if wanted(Part::Lag) {
        print(&lag::measure(plan, &Ground::Embedded, &runtime)?)?;
        if let Some(program) = &plan.validator {
            print(&lag::measure(plan, &Ground::Validator(program.clone()), &runtime)?)?;
        }
    }
    if wanted(Part::Queries) {
        let folder = work_folder()?;
        let cluster = Cluster::start(folder.path())?;
        for line in runtime.block_on(queries::measure(plan, &cluster))? {
            print(&line)?;
        }
        cluster.stop()?;
    }
    Ok(())
}

fn progress(text: &str) {
    eprintln!("==> {text}");
}

fn print(line: &Line) -> Result<()> {
    say(&serde_json::to_string(line)?);
    Ok(())
}

fn say(text: &str) {
    // Where nobody reads on there is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
