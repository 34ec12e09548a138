//! The story: a hospital, a doctor, a patient, an insurer, six files. Every step asserts what it claims, so that the
//! demo cannot tell something that is not so.

mod cast;
mod chapters;

use anyhow::{Context as _, Result};

pub use cast::Cast;

use crate::{report::Report, stack::Stack};

/// Tells it, on a stack of its own that ends with it.
///
/// # Errors
/// At the first step that does not turn out as it must.
pub fn tell(report: &Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot prepare to wait")?.block_on(tell_it(report))
}

async fn tell_it(report: &Report) -> Result<()> {
    report.chapter("Setting up: a ledger, an Arweave gateway, Postgres and the indexer on this machine");
    let mut cast = Cast::assemble(report)?;
    chapters::storing(&mut cast, report)?;
    chapters::opening(&cast, report)?;
    chapters::sharing(&mut cast, report).await?;
    chapters::tampering(&cast, report)?;
    chapters::asking(&mut cast, report).await?;
    let stack: Stack = cast.stack;
    stack.stop()
}
