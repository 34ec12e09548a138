//! The `chartseal` command. Everything is in the library; this only turns the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    chartseal::cli::main()
}
