//! `cargo xtask bench media`: how fast, how small, in how much memory. It starts itself again for each run, and to keep
//! others on their cores.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use chartseal_tests::bench::job::Op;
use chartseal_tests::bench::{self, Plan, host, job};
use chartseal_tests::{ending, report::Report};
use clap::{Parser, Subcommand};

/// Measures how fast files are stored and opened and how small they become, beside what the processor allows and what a
/// user would take otherwise.
#[derive(Parser)]
#[command(name = "cargo xtask bench media", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    inner: Option<Inner>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Write docs/benchmarks: the report, its plots, and the JSON that they were made from.
    #[arg(long)]
    report: bool,
    /// Measure nothing: print or report what an earlier run printed with --json.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Runs of each case; the median is reported.
    #[arg(long, value_name = "N", default_value_t = 7)]
    runs: usize,
    /// For how long a run goes on, at least.
    #[arg(long, value_name = "S", default_value_t = 0.3)]
    seconds: f64,
    /// Only these, for example put,get,aes256gcm; no sizes then.
    #[arg(long, value_name = "OP", value_delimiter = ',', value_parser = op)]
    only: Vec<Op>,
}

/// How this program starts itself.
#[derive(Subcommand)]
enum Inner {
    /// Does the job on standard input.
    #[command(hide = true)]
    Worker,
    /// Becomes another program on these cores.
    #[command(hide = true)]
    On {
        #[arg(required = true)]
        cores: Vec<usize>,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

fn op(name: &str) -> Result<Op, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.inner {
        Some(Inner::Worker) => said(job::work()),
        Some(Inner::On { cores, command }) => said(become_it(&cores, &command)),
        None => {
            let plan = Plan {
                runs: args.runs.max(1),
                seconds: args.seconds,
                only: args.only,
                from: args.from,
                json: args.json,
                report: args.report,
            };
            ending::run(&Report::new(args.json), |_| bench::run(&plan))
        }
    }
}

fn become_it(cores: &[usize], command: &[String]) -> Result<()> {
    host::stay_on(cores)?;
    let (program, arguments) = command.split_first().context("there is nothing to become")?;
    Err(Command::new(program).args(arguments).exec()).with_context(|| format!("cannot start {program}"))
}

fn said(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
