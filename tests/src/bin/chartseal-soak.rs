//! `cargo xtask soak NAME`: what takes longer than a test may.

use std::process::ExitCode;

use chartseal_tests::{
    chaos, ending,
    kills::{self, Plan},
    memory,
    report::Report,
    uploads,
};
use clap::{Parser, Subcommand};

/// Strains the system for longer than a test may last.
#[derive(Parser)]
#[command(name = "cargo xtask soak", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// One JSON object a line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Store and open a large file; fail where a process holds 128 MiB or more.
    Memory {
        /// The file's size in MiB. Three times as much room is needed for temporary files.
        #[arg(long, default_value_t = 4096)]
        mib: u64,
    },
    /// Kill indexer and sandbox at random moments; fail where anything is lost or doubled.
    Kills {
        /// Kills of the indexer.
        #[arg(long, default_value_t = 200)]
        indexer: u32,
        /// Kills of the sandbox.
        #[arg(long, default_value_t = 50)]
        sandbox: u32,
        /// Where the random moments come from [default: random, and printed].
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Index a ledger that forks, in bad weather: the node errs, lags and leaves, Postgres ends or has no room, the indexer
    /// is killed; fail where a table differs from a calm run's, or a fault never struck.
    Indexer {
        /// For how many minutes.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Where ledger, faults and moments come from [default: random, and printed].
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Kill an upload at random moments and go on with it; fail where it is not completed, or a shard was sent twice.
    Uploads {
        /// The file's size in MiB.
        #[arg(long, default_value_t = 1024)]
        mib: u64,
        /// Kills of the upload.
        #[arg(long, default_value_t = 20)]
        kills: u32,
        /// Where the random moments come from [default: random, and printed].
        #[arg(long)]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    ending::run(&Report::new(args.json), |report| match args.what {
        What::Memory { mib } => memory::large_files([mib], report).map(|_| ()),
        What::Kills { indexer, sandbox, seed } => {
            let seed = seed.map_or_else(kills::new_seed, Ok)?;
            report.chapter(&format!("seed {seed}"));
            kills::survive(Plan { indexer, sandbox, seed }, report)
        }
        What::Indexer { minutes, seed } => {
            let seed = seed.map_or_else(kills::new_seed, Ok)?;
            report.chapter(&format!("seed {seed}"));
            let plan = chaos::Plan {
                seconds: minutes.saturating_mul(60),
                seed,
                whole: false,
            };
            chaos::survive(plan, report).map(|_| ())
        }
        What::Uploads { mib, kills, seed } => {
            let seed = seed.map_or_else(kills::new_seed, Ok)?;
            report.chapter(&format!("seed {seed}"));
            uploads::survive(uploads::Plan { mib, kills, seed }, report)
        }
    })
}
