//! The indexer in bad weather, for a minute. For longer: `cargo xtask soak indexer`.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use chartseal_tests::{
    chaos::{self, Plan},
    kills,
    report::Report,
};

/// The seed of a run that is to be repeated.
const SEED: &str = "CHARTSEAL_CHAOS_SEED";

/// Where nothing may be left out, whatever the user may do: what runs tests by itself sets it.
const CI: &str = "CI";

#[test]
fn in_a_minute_of_bad_weather_no_event_is_lost_doubled_or_left_of_a_branch_that_died() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => kills::new_seed().unwrap(),
    };
    say(&format!(
        "seed {seed}: repeat with {SEED}={seed}, or for longer with `cargo xtask soak indexer --seed {seed}`"
    ));
    let plan = Plan {
        seconds: 60,
        seed,
        whole: std::env::var_os(CI).is_some(),
    };
    say(&chaos::survive(plan, &Report::silent()).unwrap());
}

/// Says it also where the test passes, unlike what is printed.
fn say(words: &str) {
    std::io::stderr().write_all(format!("{words}\n").as_bytes()).unwrap();
}
