//! Random sequences of everything that can be tried, by everybody, against the real .so and a model that knows only the
//! events. In a test for a minute; `cargo xtask soak contract` goes on as long as it is told.
//!
//! What failed once is kept in `kept/`, shortened, and tried again each time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

#[path = "../common/anonymous.rs"]
mod anonymous;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tokens.rs"]
mod tokens;

// Its macro is the others' too.
#[macro_use]
mod agree;
mod apply;
mod model;
mod play;
mod run;
mod step;
mod trees;
mod universe;

use std::time::Duration;

/// Seconds for which sequences are tried, unless `CHARTSEAL_STATEFUL_SECONDS` says otherwise.
const SECONDS: u64 = 60;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_sequences_break_no_invariant() {
    let seed = from_environment("CHARTSEAL_STATEFUL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let seconds = from_environment("CHARTSEAL_STATEFUL_SECONDS").unwrap_or(SECONDS);
    eprintln!("seed {seed}: CHARTSEAL_STATEFUL_SEED={seed} tries the same sequences");
    let report = run::soak(seed, Duration::from_secs(seconds), |_| {});
    eprintln!("{}", report.table());
    if let Some(violation) = report.violation {
        panic!("{violation}");
    }
    assert!(report.tally.steps() > 0, "nothing was tried");
}

#[test]
fn what_failed_once_holds_now() {
    for (name, steps) in run::kept() {
        if let Err((at, why)) = run::tell(&run::beginning(), &steps, &mut universe::Tally::default()) {
            panic!("{name}, step {at}: {why}");
        }
    }
}

#[test]
fn every_instruction_is_tried() {
    let idl = include_str!("../../artifacts/chartseal.json");
    let idl: serde_json::Value = serde_json::from_str(idl).unwrap();
    let mut there: Vec<&str> = idl["instructions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let mut tried: Vec<&str> = run::instructions().collect();
    there.sort_unstable();
    tried.sort_unstable();
    assert_eq!(there, tried);
}
