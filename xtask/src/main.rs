//! `cargo xtask`: the project's own commands, each of which does its set-up first, so that a newcomer needs one command
//! and no preparation. It is light (it builds in seconds) because it only starts the other packages as processes.
//!
//! Results go to standard output, as text or with `--json` as one object a line; progress goes to standard error.

mod cli;
mod fuzz;
mod guards;
mod localnet;
mod process;
mod report;
mod run;
mod sbf;
mod setup;
mod sqlx_prepare;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = || std::env::args_os().skip(1).collect::<Vec<_>>();
    // While a contract is being built, rustc calls this same program in place of a linker (see `sbf::link`), and while
    // the fuzzers are, cargo calls it in place of rustc (see `fuzz::call`).
    let outcome = match sbf::link::requested() {
        Some(job) => job.run(&arguments()),
        None if fuzz::requested() => fuzz::call(&arguments()),
        None => cli::run(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
