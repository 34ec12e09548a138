//! `cargo xtask bench indexer`: how fast events become rows.

use std::path::PathBuf;
use std::process::ExitCode;

use chartseal_tests::bench::indexer::{self, Part, Plan};
use chartseal_tests::{ending, report::Report};
use clap::Parser;

/// Measures how fast the indexer writes, beside writing row by row as common frameworks do.
#[derive(Parser)]
#[command(name = "cargo xtask bench indexer")]
struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Runs of each case; the median is reported.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    runs: u8,
    /// Events that the indexer writes in one run.
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    events: usize,
    /// Events that are written row by row in one run.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    rows: usize,
    /// Transactions that are stored at once, as `chartseal-indexer run` does it by default.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    batch: usize,
    /// Transactions whose way to Postgres is timed.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    transactions: usize,
    /// How many of them a second.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Accesses that are in the tables when analysts ask, one size after the other.
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "1000000,3000000,10000000"
    )]
    accesses: Vec<u64>,
    /// Time them on a local validator too, beside the embedded ledger: the program that sandbox/localnet builds.
    #[arg(long, value_name = "PROGRAM")]
    validator: Option<PathBuf>,
    /// Only these parts.
    #[arg(long, value_name = "PART", value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Say which statements take the time.
    #[arg(long)]
    profile: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let plan = Plan {
        runs: usize::from(args.runs),
        events: args.events,
        rows: args.rows,
        batch: args.batch,
        transactions: args.transactions,
        rate: args.rate,
        accesses: args.accesses,
        validator: args.validator,
        only: args.only,
        profile: args.profile,
    };
    ending::run(&Report::new(args.json), |_| indexer::run(&plan))
}
