//! `reconcile`: compares every account of the program with its rows.

use std::process::ExitCode;

use anyhow::Context;
use chartseal_indexer::{Verdict, reconcile::reconcile};
use clap::Args;

use super::{
    Commitment, Database,
    verify::{BEHIND, BROKEN},
};

#[derive(Args)]
pub(super) struct Reconcile {
    /// URL of a Solana node's JSON-RPC
    #[arg(long, value_name = "URL")]
    rpc: String,
    #[command(flatten)]
    database: Database,
    /// How settled accounts must be: as when the database was indexed
    #[arg(long, value_enum, default_value_t = Commitment::Confirmed)]
    commitment: Commitment,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

impl Reconcile {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        let report = reconcile(&self.rpc, &self.database.url, self.commitment.into()).await?;
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
