//! `verify`: shows that the database holds what the ledger holds.

use std::process::ExitCode;

use anyhow::Context;
use chartseal_indexer::{Scope, Verdict};
use clap::Args;

use super::{Commitment, Database};

/// The database does not hold what the ledger does.
pub(super) const BROKEN: u8 = 3;
/// What was read is as on the ledger, but the ledger has more. A database that was set back looks like this too.
pub(super) const BEHIND: u8 = 4;

#[derive(Args)]
pub(super) struct Verify {
    /// URL of a Solana node's JSON-RPC, with the program's whole history
    #[arg(long, value_name = "URL")]
    rpc: String,
    #[command(flatten)]
    database: Database,
    /// How settled a transaction must be to be missed: as when it was indexed
    #[arg(long, value_enum, default_value_t = Commitment::Confirmed)]
    commitment: Commitment,
    /// Do not read the ledger's transactions again: prove the events by their chains, and take slots, blocks and
    /// signatures on trust
    #[arg(long)]
    quick: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        let scope = if self.quick { Scope::Rows } else { Scope::Ledger };
        let report = chartseal_indexer::verify_at(&self.rpc, &self.database.url, scope, self.commitment.into()).await?;
        match self.json {
            true => println!("{}", serde_json::to_string(&report).context("the report as JSON")?),
            false => println!("{report}"),
        }
        Ok(match report.verdict() {
            Verdict::Whole => ExitCode::SUCCESS,
            Verdict::Behind => BEHIND.into(),
            Verdict::Broken => BROKEN.into(),
        })
    }
}
