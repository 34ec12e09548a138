//! The story of a patient's records: stored, shared, lost and found, read in an emergency, paid for, and erased. Every step
//! asserts what it claims, so that the demo cannot tell something that is not so.

mod archive;
mod asking;
mod cast;
mod chapters;
mod consent;
mod emergency;
mod erasure;
mod payment;
mod proving;
mod recovery;
mod steps;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

pub use cast::Cast;

use crate::{
    ground::Ground,
    report::Report,
    rows::{Rows, differences},
};

/// Tells it, on a stack of its own that ends with it.
///
/// # Errors
/// At the first step that does not turn out as it must.
pub fn tell(ground: &Ground, report: &Report) -> Result<()> {
    tell_and(ground, report, async |_| Ok(()))
}

/// Tells it, and does something more before the stack ends: what comes of that.
///
/// # Errors
/// At the first step that does not turn out as it must.
pub fn tell_and<T>(ground: &Ground, report: &Report, more: impl AsyncFnOnce(&Cast) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot prepare to wait")?.block_on(async {
        let cast = tell_it(ground, report).await?;
        let outcome = more(&cast).await?;
        cast.stack.stop()?;
        Ok(outcome)
    })
}

/// Tells it on both grounds, and compares the rows that Postgres holds after each.
///
/// # Errors
/// At the first step that does not turn out as it must, and where the rows differ.
pub fn compare(one: &Ground, other: &Ground, report: &Report) -> Result<()> {
    let run = |ground| tell_and(ground, report, async |cast| rows(cast).await);
    let (ours, theirs) = (run(one)?, run(other)?);
    report.chapter("Comparing: what Postgres holds after both");
    ensure!(
        ours.rows() >= FEWEST,
        "Postgres holds {} rows only: they say nothing of the story",
        ours.rows()
    );
    let found = differences((one.name(), &ours), (other.name(), &theirs));
    ensure!(
        found.is_empty(),
        "the rows differ in {} places:\n  {}",
        found.len(),
        found[..found.len().min(SHOWN)].join("\n  ")
    );
    let (rows, tables) = (ours.rows(), ours.tables());
    report.step(
        "rows",
        &format!("{rows} rows of {tables} tables are equal but for signatures, slots, hashes and times"),
        &json!({ "rows": rows, "tables": tables, "differ": 0 }),
    );
    Ok(())
}

/// The story leaves more rows than this.
const FEWEST: usize = 200;

/// How many differences an error shows.
const SHOWN: usize = 20;

/// What Postgres holds.
///
/// # Errors
/// Where it cannot be read.
pub async fn rows(cast: &Cast) -> Result<Rows> {
    let database = cast.stack.analyst().await?;
    let rows = Rows::read(&database, &cast.stack.endpoints().rpc).await;
    database.close().await;
    rows
}

async fn tell_it(ground: &Ground, report: &Report) -> Result<Cast> {
    let ledger = match ground {
        Ground::Embedded => "a ledger",
        Ground::Validator(_) => "a local validator",
    };
    report.chapter(&format!(
        "Setting up: {ledger}, an Arweave gateway, Postgres and the indexer on this machine"
    ));
    let mut cast = Cast::assemble(ground, report)?;
    chapters::storing(&mut cast, report)?;
    chapters::opening(&cast, report)?;
    chapters::sharing(&cast, report).await?;
    chapters::tampering(&cast, report)?;
    consent::policy(&mut cast, report)?;
    consent::requests(&cast, report)?;
    consent::passing_on(&cast, report)?;
    recovery::losing_everything(&cast, report).await?;
    emergency::break_glass(&cast, report)?;
    payment::agreement(&cast, report).await?;
    archive::importing(&mut cast, report)?;
    erasure::erasing(&cast, report)?;
    asking::asking(&mut cast, report).await?;
    Ok(cast)
}
