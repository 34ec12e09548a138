//! What can be typed about the keys that proofs of access are made and checked with.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Zk {
    /// The ceremony of several parties that makes the keys. One honest party is enough.
    #[command(subcommand)]
    Ceremony(Ceremony),
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Ceremony {
    /// Begin a transcript.
    Begin {
        /// The file to make.
        to: PathBuf,
    },
    /// Verify a transcript, contribute to it, and write it to a new file, which goes to the next party.
    Contribute {
        #[command(flatten)]
        files: FromTo,
        /// What you call yourself: 1 to 64 bytes. It is public.
        #[arg(long)]
        name: String,
        /// Whatever else nobody can guess, beside the system's randomness: a file with the throws of dice, for example.
        #[arg(long, value_name = "FILE")]
        entropy: Option<PathBuf>,
    },
    /// Go on to the second phase, once all have contributed to the first. Anybody can, and it gives the same bytes.
    PhaseTwo {
        #[command(flatten)]
        files: FromTo,
    },
    /// Say who contributed, and name the first contribution that is at fault.
    Verify {
        /// The transcript.
        transcript: PathBuf,
        /// A verifying key that has to be the one that the transcript gives.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Write the keys that a transcript gives, once somebody has contributed to each phase.
    Finish {
        /// The transcript.
        transcript: PathBuf,
        /// The file to make for the contract, which is built with it (programs/chartseal/zk/verifying.key).
        #[arg(long, value_name = "FILE")]
        verifying: PathBuf,
        /// The file to make for whoever proves (--proving-key).
        #[arg(long, value_name = "FILE")]
        proving: PathBuf,
    },
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct FromTo {
    /// The transcript as it was handed to you.
    pub(in crate::cli) from: PathBuf,
    /// The file to make.
    pub(in crate::cli) to: PathBuf,
}
