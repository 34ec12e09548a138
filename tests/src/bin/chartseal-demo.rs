//! `cargo xtask demo`: tells the story on an embedded stack, or on one with a local validator.

use std::{path::PathBuf, process::ExitCode};

use chartseal_tests::{ending, ground::Ground, report::Report, story};
use clap::Parser;

/// Tells Chartseal's story on a stack of its own, and leaves nothing running.
#[derive(Parser)]
struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Tell it on a local validator instead of the embedded ledger: the program that sandbox/localnet builds.
    #[arg(long, value_name = "PROGRAM")]
    validator: Option<PathBuf>,
    /// Tell it on the embedded ledger first, and compare what Postgres holds after both.
    #[arg(long, requires = "validator")]
    compare: bool,
}

fn main() -> ExitCode {
    let Args {
        json,
        validator,
        compare,
    } = Args::parse();
    let ground = validator.map_or(Ground::Embedded, Ground::Validator);
    ending::run(&Report::new(json), |report| {
        if compare {
            story::compare(&Ground::Embedded, &ground, report)
        } else {
            story::tell(&ground, report)
        }
    })
}
