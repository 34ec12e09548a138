//! The indexer in bad weather, for a minute. For longer: `cargo xtask soak indexer`.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use chartseal_tests::{
    chaos::{self, Plan},
    kills,
    report::Report,
};

/// The seed of a run that is to be repeated.
const SEED: &str = "CHARTSEAL_CHAOS_SEED";

#[test]
fn in_a_minute_of_bad_weather_no_event_is_lost_doubled_or_left_of_a_branch_that_died() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => kills::new_seed().unwrap(),
    };
    eprintln!("seed {seed}: repeat with {SEED}={seed}, or for longer with `cargo xtask soak indexer --seed {seed}`");
    chaos::survive(Plan { seconds: 60, seed }, &Report::silent()).unwrap();
}
