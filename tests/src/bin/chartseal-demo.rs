//! `cargo xtask demo`: tells the story on an embedded stack.

use std::process::ExitCode;

use chartseal_tests::{ending, report::Report, story};
use clap::Parser;

/// Tells Chartseal's story on an embedded stack, and leaves nothing running.
#[derive(Parser)]
struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    ending::run(&Report::new(Args::parse().json), story::tell)
}
