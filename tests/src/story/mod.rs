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
mod recovery;
mod steps;

use anyhow::{Context as _, Result};

pub use cast::Cast;

use crate::{ground::Ground, report::Report};

/// Tells it, on a stack of its own that ends with it.
///
/// # Errors
/// At the first step that does not turn out as it must.
pub fn tell(ground: &Ground, report: &Report) -> Result<()> {
    wait_for(async { tell_it(ground, report).await?.stack.stop() })
}

fn wait_for<T>(story: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot prepare to wait")?.block_on(story)
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
