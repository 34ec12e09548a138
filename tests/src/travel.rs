//! Letting time pass on a local ledger, so that what expires or becomes due after days can be seen in seconds. Sandbox and
//! validator take the same request for it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chartseal::ledger::Ledger;
use serde_json::{Value, json};

use crate::stack::Stack;

/// How long the ledger's clock may take to show it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sets the ledger's clock forward by so many seconds.
///
/// # Errors
/// Where the ledger does not do it.
pub fn pass(stack: &Stack, seconds: i64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .context("cannot prepare to wait")?
        .block_on(let_pass(stack, seconds))
}

/// The same where somebody waits already.
///
/// # Errors
/// Where the ledger does not do it.
pub async fn let_pass(stack: &Stack, seconds: i64) -> Result<()> {
    let rpc = &stack.endpoints().rpc;
    let ledger = Ledger::new(rpc);
    let target = ledger.now().await?.saturating_add(seconds);
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": "surfnet_timeTravel",
        "params": [{ "absoluteTimestamp": target.saturating_mul(1_000) }],
    });
    let answer: Value = reqwest::Client::new()
        .post(rpc)
        .json(&request)
        .send()
        .await
        .context("cannot reach the ledger")?
        .json()
        .await
        .context("the ledger gave no JSON")?;
    let since = Instant::now();
    while ledger.now().await? < target {
        ensure!(since.elapsed() < PATIENCE, "time did not pass: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
