//! Kills at random moments. More of them: `cargo xtask soak kills`.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use chartseal_tests::{
    kills::{self, Plan},
    report::Report,
};

#[test]
fn killed_twenty_and_five_times_nothing_is_lost_or_doubled() {
    let seed = kills::new_seed().unwrap();
    eprintln!("seed {seed}: repeat with `cargo xtask soak kills --indexer 20 --sandbox 5 --seed {seed}`");
    kills::survive(
        Plan {
            indexer: 20,
            sandbox: 5,
            seed,
        },
        &Report::silent(),
    )
    .unwrap();
}
