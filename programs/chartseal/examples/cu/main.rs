//! What each instruction costs on chain: compute units, bytes of transaction, rent.
//!
//! Run by `cargo xtask bench cu [--json]`. Compute units are counted by the virtual machine, so they depend neither on
//! the machine nor on how this program is compiled. For each way of each instruction it is the worst of 100 runs with
//! fresh random ids, every optional account present where the rules allow it, the logs' rings full, and a relayer paying
//! where the transaction has room for one. Ends with code 1 where a limit is broken or an instruction is left out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::cast_possible_truncation)]

#[path = "../../tests/common/anonymous.rs"]
mod anonymous;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/people.rs"]
mod people;
#[path = "../../tests/common/tokens.rs"]
mod tokens;

mod cases;
mod report;
mod stage;

use std::{process::ExitCode, sync::Mutex};

use clap::Parser;

use crate::{
    cases::cases,
    report::Report,
    stage::{Cost, Measured, Stage},
};

#[derive(Parser)]
#[command(bin_name = "cargo xtask bench cu")]
struct Options {
    /// How often each is run
    #[arg(long, default_value_t = 100)]
    runs: u64,
    /// Draws the same ids as a run that printed this seed
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let worst = measure(seed, options.runs);
    let report = Report::new(seed, options.runs, &worst);
    if options.json {
        report.print_json();
    } else {
        report.print_table();
    }
    if report.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The worst of every case over so many runs, which the machine's processors share.
fn measure(seed: u64, runs: u64) -> Vec<Measured> {
    let (left, worst) = (Mutex::new(0..runs), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| loop {
                let Some(run) = left.lock().unwrap().next() else {
                    break;
                };
                let stage = Stage::new(seed.wrapping_add(run));
                let measured = cases().flat_map(|case| stage.measure(case)).collect();
                keep_worst(&mut worst.lock().unwrap(), measured);
            });
        }
    });
    worst.into_inner().unwrap()
}

/// Every run measures the same rows in the same order.
fn keep_worst(worst: &mut Vec<Measured>, measured: Vec<Measured>) {
    if worst.is_empty() {
        *worst = measured;
        return;
    }
    assert_eq!(worst.len(), measured.len(), "a run left rows out");
    for (worst, measured) in worst.iter_mut().zip(measured) {
        worst.cost = worse(worst.cost, measured.cost);
    }
}

/// The worse of two, in every respect.
fn worse(one: Cost, other: Cost) -> Cost {
    Cost {
        cu: one.cu.max(other.cu),
        tx_bytes: one.tx_bytes.max(other.tx_bytes),
        rent_bytes: one.rent_bytes.max(other.rent_bytes),
        rent_lamports: one.rent_lamports.max(other.rent_lamports),
    }
}
