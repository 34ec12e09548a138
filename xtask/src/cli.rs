//! What `cargo xtask` understands, and which module does it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{
    localnet::{self, Localnet},
    report::Report,
    run, sbf, sqlx_prepare,
    workspace::Workspace,
};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the whole story on the embedded stack: records stored, shared, refused, tampered with, paid for and erased;
    /// keys lost and recovered; an emergency reviewed; and what Postgres knows of it
    Demo {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Run every test there is: unit, contract, gateway, indexer, the story; then fuzz every parser for 30 seconds
    Test {
        /// Instead tell the story twice, on the embedded ledger and on a local validator, and compare what Postgres holds
        /// after both
        #[arg(long)]
        localnet: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Compile the contract for the chain and write programs/chartseal/artifacts
    BuildSbf {
        /// First install the compiler and linker for the chain (Debian packages and one crate)
        #[arg(long)]
        install: bool,
        /// Write nothing: rebuild, and compare with the committed artifacts
        #[arg(long)]
        check: bool,
        /// With --check: compare the program only, not its IDL, which takes longer
        #[arg(long, requires = "check")]
        no_idl: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Measure: `cu`, what each instruction of the contract costs; `media`, how fast files are stored and opened and how
    /// small they become; `indexer`, how fast events become rows; `privacy`, what proofs of access and encrypted sums cost
    #[command(subcommand)]
    Bench(Bench),
    /// Strain the system for long: `memory` of large files, `kills` and `uploads` at random moments, `indexer` on a ledger that
    /// forks, `contract` by random sequences, `guards` of the contract taken out one by one, `media` by the inputs that fuzzers find
    Soak(Trial),
    /// The whole stack on a local validator: `up`, `status`, `logs`, `env`, `admin`, `down`
    Localnet(Localnet),
    /// Write the query files in .sqlx, by which the indexer compiles without a database
    SqlxPrepare {
        /// Write nothing: fail when the committed files are not what would be written
        #[arg(long)]
        check: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Compute units, bytes of transaction and rent of each instruction, worst of 100 runs
    Cu {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Speed, memory and size of text, image, video and voice, beside the processor's limits, age, gpg, zstd and gzip.
    /// Takes some ten minutes
    #[command(disable_help_flag = true)]
    Media {
        /// Options of the measurement itself, for example --json or --report; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Events a second into Postgres, beside writing them row by row. Takes some minutes
    #[command(disable_help_flag = true)]
    Indexer {
        /// Options of the measurement itself, for example --json or --profile; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Time and size of proofs of access, what the chain charges for them, and a study of encrypted numbers, beside what one
    /// would take otherwise. Takes some ten minutes
    #[command(disable_help_flag = true)]
    Privacy {
        /// Options of the measurement itself, for example --json or --report; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Trial {
    /// Which one; `--help` after it lists its options
    name: String,
    /// Options of the trial itself, for example --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Trial {
    fn into_arguments(self) -> Vec<String> {
        std::iter::once(self.name).chain(self.arguments).collect()
    }
}

/// Does what the command line asks, and returns the exit code of the program that did it.
pub(crate) fn run() -> Result<ExitCode> {
    let command = Cli::parse().command;
    let workspace = Workspace::find()?;
    match command {
        Command::Demo { json } => run::demo(&workspace, json),
        Command::Test { localnet: true, json } => run::test_localnet(&workspace, json),
        Command::Test { localnet: false, json } => run::test(&workspace, &Report::new(json)),
        Command::BuildSbf {
            install,
            check,
            no_idl,
            json,
        } => {
            let report = Report::new(json);
            if install {
                sbf::toolchain::install(&workspace)?;
            }
            if check {
                let what = if no_idl { sbf::Check::Program } else { sbf::Check::All };
                sbf::check(&workspace, what, &report)
            } else {
                sbf::build(&workspace, &report)
            }
        }
        Command::Bench(Bench::Cu { json }) => run::bench_cu(&workspace, json),
        Command::Bench(Bench::Media { arguments }) => run::bench_media(&workspace, &arguments),
        Command::Bench(Bench::Indexer { arguments }) => run::bench_indexer(&workspace, &arguments),
        Command::Bench(Bench::Privacy { arguments }) => run::bench_privacy(&workspace, &arguments),
        Command::Soak(trial) => run::soak(&workspace, &trial.into_arguments()),
        Command::Localnet(command) => localnet::run(&workspace, command),
        Command::SqlxPrepare { check } => sqlx_prepare::run(&workspace, check),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(std::iter::once("xtask").chain(line.split_whitespace())).map(|cli| cli.command)
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn build_sbf_takes_its_flags_in_any_order() {
        let command = parse("build-sbf --json --check --install").unwrap();
        assert!(matches!(
            command,
            Command::BuildSbf {
                install: true,
                check: true,
                no_idl: false,
                json: true
            }
        ));
    }

    #[test]
    fn the_idl_is_left_out_of_checks_only() {
        assert!(parse("build-sbf --check --no-idl").is_ok());
        assert!(parse("build-sbf --no-idl").is_err());
    }

    #[test]
    fn tests_run_on_a_validator_where_that_is_asked_for() {
        for (line, on_it) in [("test --localnet --json", true), ("test --json", false)] {
            let command = parse(line).unwrap();
            assert!(matches!(command, Command::Test { localnet, json: true } if localnet == on_it));
        }
    }

    #[test]
    fn a_trial_gets_every_argument_after_its_name() {
        let Command::Soak(trial) = parse("soak memory --json --mib 3").unwrap() else {
            panic!("not a soak")
        };
        assert_eq!(trial.into_arguments(), ["memory", "--json", "--mib", "3"]);
    }

    #[test]
    fn a_measurement_of_media_gets_every_argument_after_its_name() {
        for line in ["bench media --json --runs 3", "bench media --help"] {
            let Command::Bench(Bench::Media { arguments }) = parse(line).unwrap() else {
                panic!("not media")
            };
            assert_eq!(arguments, line.split_whitespace().skip(2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_measurement_of_the_indexer_gets_every_argument_after_its_name() {
        let Command::Bench(Bench::Indexer { arguments }) = parse("bench indexer --profile --events 9").unwrap() else {
            panic!("not the indexer")
        };
        assert_eq!(arguments, ["--profile", "--events", "9"]);
    }

    #[test]
    fn a_measurement_of_privacy_gets_every_argument_after_its_name() {
        for line in [
            "bench privacy --json --only chain",
            "bench privacy --help",
            "bench privacy",
        ] {
            let Command::Bench(Bench::Privacy { arguments }) = parse(line).unwrap() else {
                panic!("not privacy")
            };
            assert_eq!(arguments, line.split_whitespace().skip(2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn ports_are_ports() {
        for line in [
            "localnet up --detach --port 65534 --gateway-port 65535",
            "localnet up --port 0 --gateway-port 0",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "localnet up --port 65535",
            "localnet up --gateway-port 65536",
            "localnet",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_folder_of_a_stack_may_be_named_before_or_after_what_to_do() {
        assert!(parse("localnet --data x down").is_ok());
        assert!(parse("localnet status --json --data x").is_ok());
    }

    #[test]
    fn a_measurement_and_a_trial_need_a_name() {
        assert!(parse("bench").is_err());
        assert!(parse("soak").is_err());
    }

    #[test]
    fn what_is_not_there_is_not_offered() {
        assert!(parse("localnet restart").is_err());
        assert!(parse("bench speed").is_err());
    }
}
