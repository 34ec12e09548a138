//! Random sequences of everything that can be tried, against the real .so, for as long as it is told.
//!
//! Run by `cargo xtask soak contract [--minutes N] [--seed N] [--json]`, optimised. The test target `stateful` runs the
//! same for a minute.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

#[path = "../tests/common/anonymous.rs"]
mod anonymous;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/tokens.rs"]
mod tokens;

// Its macro is the others' too.
#[macro_use]
#[path = "../tests/stateful/agree.rs"]
mod agree;
#[path = "../tests/stateful/apply.rs"]
mod apply;
#[path = "../tests/stateful/model.rs"]
mod model;
#[path = "../tests/stateful/play/mod.rs"]
mod play;
#[path = "../tests/stateful/run.rs"]
mod run;
#[path = "../tests/stateful/step.rs"]
mod step;
#[path = "../tests/stateful/trees.rs"]
mod trees;
#[path = "../tests/stateful/universe.rs"]
mod universe;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask soak contract")]
struct Options {
    /// How long to go on
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Tries the same sequences as a run that printed this seed
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}, {} minutes", options.minutes);
    let started = Instant::now();
    let mut told = 0;
    let report = run::soak(seed, Duration::from_secs(60 * options.minutes), |report| {
        if started.elapsed().as_secs() / 10 > told {
            told = started.elapsed().as_secs() / 10;
            eprintln!("{} s: {} steps", 10 * told, report.tally.steps());
        }
    });
    if options.json {
        print_json(&report);
    } else {
        println!("{}", report.table());
    }
    match report.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            eprintln!("{violation}");
            ExitCode::FAILURE
        }
    }
}

fn print_json(report: &run::Report) {
    for (kind, [done, refused, failed, idle]) in &report.tally.0 {
        let instruction = kind.word();
        println!(
            "{}",
            serde_json::json!({
                "instruction": instruction, "done": done, "refused": refused, "failed": failed, "idle": idle
            })
        );
    }
    println!(
        "{}",
        serde_json::json!({
            "seed": report.seed, "sequences": report.sequences, "steps": report.tally.steps(),
            "violation": report.violation
        })
    );
}
