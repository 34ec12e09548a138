//! What can be typed about records: storing, opening, granting.

use std::{ops::Range, path::PathBuf};

use chartseal_program::{
    seeds::Id,
    vocabulary::{Action, Purpose},
};
use clap::{Args as ClapArgs, Subcommand};

use super::{super::parse, consent::Subject};
use crate::ops::Grantee;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Sealing {
    /// The name that is kept with the file, encrypted [default: the file's].
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// The media type [default: told from the first bytes].
    #[arg(long)]
    pub(in crate::cli) media_type: Option<String>,
    /// Do not hide the size by padding.
    #[arg(long)]
    pub(in crate::cli) no_padding: bool,
    /// Do not compress.
    #[arg(long)]
    pub(in crate::cli) no_compression: bool,
    /// Keep SHA-256 of the file with it, encrypted. What is opened is authenticated without it, and it takes longer than
    /// sealing.
    #[arg(long)]
    pub(in crate::cli) sha256: bool,
}

/// What becomes of an upload that is broken off.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Uploading {
    /// Where it is written down how far the upload is, so that the same command goes on with it [default: for files longer
    /// than 4 MB, beside the file, with .chartseal-upload after its name].
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_journal", "dry_run"])]
    pub(in crate::cli) journal: Option<PathBuf>,
    /// Write nothing down: what is broken off begins anew.
    #[arg(long)]
    pub(in crate::cli) no_journal: bool,
    /// Do not go on with an upload that was broken off: begin anew.
    #[arg(long, conflicts_with_all = ["no_journal", "dry_run"])]
    pub(in crate::cli) restart: bool,
    /// Store nothing, and show how small the file would become and what storing it costs. Takes no key.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Claim {
    /// What it is for.
    #[arg(long, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purpose: Option<Purpose>,
    /// The grant to claim [default: the one that fits best].
    #[arg(long, value_parser = parse::id)]
    pub(in crate::cli) grant: Option<Id>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Put {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The file, or - for standard input.
    pub(in crate::cli) file: PathBuf,
    /// Sharing class, 0 to 31: a label of the patient's choosing. It is public.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..32))]
    pub(in crate::cli) class: u8,
    #[command(flatten)]
    pub(in crate::cli) claim: Claim,
    #[command(flatten)]
    pub(in crate::cli) sealing: Sealing,
    #[command(flatten)]
    pub(in crate::cli) uploading: Uploading,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Batch {
    /// Seal and store many files and anchor them in one transaction. Run again after whatever broke it off, it goes on.
    Anchor {
        /// A file with one JSON object a line: {"patient": ID, "file": PATH, "class": 0 to 31, or left out for 0}. Paths
        /// are taken from this file's folder.
        manifest: PathBuf,
        /// Where it is written down what is stored already [default: beside the manifest, with .journal after its name].
        #[arg(long, value_name = "FILE")]
        journal: Option<PathBuf>,
    },
    /// List the records of a batch, for the institution that anchored it.
    Show {
        /// Institution and batch.
        #[arg(value_name = "INSTITUTION:BATCH", value_parser = parse::batch)]
        batch: (Id, Id),
    },
    /// Prove that a record is in a batch. The proof tells nothing of the other records.
    Prove {
        /// Institution and batch.
        #[arg(value_name = "INSTITUTION:BATCH", value_parser = parse::batch)]
        batch: (Id, Id),
        /// The record's id.
        #[arg(value_parser = parse::id)]
        record: Id,
        /// The file to make [default: standard output].
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
    /// Put a record of a batch into its patient's chart.
    Promote {
        /// The file with its proof.
        proof: PathBuf,
        #[command(flatten)]
        claim: Claim,
    },
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Amend {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The record's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) record: Id,
    /// The file, or - for standard input.
    pub(in crate::cli) file: PathBuf,
    /// Fail where the record is at another version than this.
    #[arg(long)]
    pub(in crate::cli) expect_version: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) claim: Claim,
    #[command(flatten)]
    pub(in crate::cli) sealing: Sealing,
    #[command(flatten)]
    pub(in crate::cli) uploading: Uploading,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Get {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The record's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) record: Id,
    /// The file to make, or - for standard output.
    #[arg(long, short)]
    pub(in crate::cli) out: PathBuf,
    /// Write over a file that exists.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// The version, from 1 [default: the newest]. Earlier ones are for the patient, its delegates, and whoever wrote the
    /// first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["emergency", "pay"])]
    pub(in crate::cli) version: Option<u32>,
    /// Original bytes, for example 1000..2000 (the last one not included).
    #[arg(long, value_parser = parse::range)]
    pub(in crate::cli) range: Option<Range<u64>>,
    /// Keep what is fetched, encrypted as it is, in a folder beside the file until it is whole: broken off, the same command
    /// goes on with it. Takes as much room again.
    #[arg(long)]
    pub(in crate::cli) resume: bool,
    /// Read by the emergency that you opened (`chartseal emergency open`).
    #[arg(long, conflicts_with_all = ["purpose", "grant"])]
    pub(in crate::cli) emergency: bool,
    /// Pay for it in the same transaction, by this agreement of your institution.
    #[arg(long, value_name = "AGREEMENT", value_parser = parse::id, requires = "request",
          conflicts_with_all = ["purpose", "grant", "emergency"])]
    pub(in crate::cli) pay: Option<Id>,
    /// The request that the patient approved, for --pay.
    #[arg(long, value_parser = parse::id, requires = "pay")]
    pub(in crate::cli) request: Option<Id>,
    #[command(flatten)]
    pub(in crate::cli) claim: Claim,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Grant {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// Who gets it: member:INSTITUTION:MEMBER, institution:ID, or person:WALLET[:X25519-KEY].
    #[arg(long, value_parser = parse::grantee)]
    pub(in crate::cli) to: Grantee,
    #[command(flatten)]
    pub(in crate::cli) subject: Subject,
    /// What is allowed.
    #[arg(long, value_delimiter = ',', default_value = "read", value_parser = parse::word(Action::ALL, Action::word))]
    pub(in crate::cli) rights: Vec<Action>,
    /// What for.
    #[arg(long, value_delimiter = ',', required = true, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purposes: Vec<Purpose>,
    /// How long it lasts, for example 90m, 12h or 30d.
    #[arg(long = "for", value_parser = parse::duration, default_value = "30d")]
    pub(in crate::cli) lasts: i64,
    /// When it begins, from now, for example 2d.
    #[arg(long, value_parser = parse::duration)]
    pub(in crate::cli) starts_in: Option<i64>,
    /// How often it may be used [default: without limit].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) uses: Option<u32>,
}
