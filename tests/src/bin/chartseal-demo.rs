//! `cargo xtask demo`: tells the story on an embedded stack.

use std::process::ExitCode;

use chartseal_tests::{report::Report, story};
use clap::Parser;

/// Tells Chartseal's story on an embedded stack, and leaves nothing running.
#[derive(Parser)]
struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let report = Report::new(Args::parse().json);
    let told = tokio::select! {
        told = story::tell(&report) => told,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report.failed(&error);
            ExitCode::FAILURE
        }
    }
}
