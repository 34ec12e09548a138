//! `cargo xtask bench privacy`: what proofs of access and encrypted statistics cost.

use std::path::PathBuf;
use std::process::ExitCode;

use chartseal_tests::bench::privacy::{self, Part, Plan};
use chartseal_tests::{ending, report::Report};
use clap::Parser;

/// Measures proofs of access and encrypted statistics, beside what one would take otherwise.
#[derive(Parser)]
#[command(name = "cargo xtask bench privacy")]
struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Write docs/benchmarks: the report, and the JSON that it was made from.
    #[arg(long)]
    report: bool,
    /// Measure nothing: print or report what an earlier run printed with --json.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Runs of each case, fewer of those that take long; the median is reported.
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u8).range(3..=101))]
    runs: u8,
    /// The program that counts compute units: the example `cu` of the contract's package.
    #[arg(long, value_name = "PROGRAM")]
    cu: Option<PathBuf>,
    /// Runs of each of its cases, of which the worst is reported.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    cu_runs: u64,
    /// Leaves of trees, one size after the other.
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "1000,100000,1000000",
        value_parser = clap::value_parser!(u32).range(1..1 << 20)
    )]
    leaves: Vec<u32>,
    /// Only these parts.
    #[arg(long, value_name = "PART", value_delimiter = ',', value_enum)]
    only: Vec<Part>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let plan = Plan {
        runs: usize::from(args.runs),
        only: args.only,
        cu: args.cu,
        cu_runs: args.cu_runs,
        leaves: args.leaves,
        from: args.from,
        json: args.json,
        report: args.report,
    };
    ending::run(&Report::new(args.json), |_| privacy::run(&plan))
}
