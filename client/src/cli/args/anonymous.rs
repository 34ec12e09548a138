//! What can be typed about grants without a name, and about the trees that they stand in.

use std::{ops::Range, path::PathBuf};

use chartseal_program::{seeds::Id, vocabulary::Action};
use clap::{Args as ClapArgs, Subcommand};

use super::super::parse;
use crate::keys::Invitation;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Anonymous {
    /// Draw an invitation: its secret goes into a file of its own, its text to the patient. For one grant. Needs no identity.
    Invite {
        /// The file to make, sealed under the passphrase.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Give rights on a record to whoever holds an invitation. Neither the chain nor the key store learns who that is.
    Grant {
        #[command(flatten)]
        of: OfRecord,
        /// The invitation's text, as the reader handed it over.
        #[arg(value_parser = parse::invitation)]
        invitation: Invitation,
        /// What is allowed: read, aggregate or both.
        #[arg(long, value_delimiter = ',', default_value = "read", value_parser = parse::word(&[Action::Read, Action::Aggregate], Action::word))]
        rights: Vec<Action>,
        /// How long it lasts, for example 90m, 12h or 30d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "30d")]
        lasts: i64,
        #[command(flatten)]
        tree: InTree,
    },
    /// List the grants without a name on a record.
    List {
        #[command(flatten)]
        of: OfRecord,
    },
    /// End a grant without a name, and delete the envelope that was made for it.
    Revoke {
        #[command(flatten)]
        of: OfRecord,
        /// The grant's place in the tree.
        index: u32,
        #[command(flatten)]
        tree: InTree,
    },
    /// Open a record by a grant without a name. No key of yours signs anything, and no wallet of yours is named.
    Read(Box<ReadAnonymously>),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ReadAnonymously {
    #[command(flatten)]
    pub(in crate::cli) of: OfRecord,
    /// The file of the invitation that was granted. Its passphrase is asked for as an identity's is.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) invitation: PathBuf,
    /// The file to make, or - for standard output.
    #[arg(long, short)]
    pub(in crate::cli) out: PathBuf,
    /// Write over a file that exists.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Original bytes, for example 1000..2000 (the last one not included).
    #[arg(long, value_parser = parse::range)]
    pub(in crate::cli) range: Option<Range<u64>>,
    /// Have the chain check the proof and count the use: once an hour. A relayer or another wallet pays for it (--relayer,
    /// --fee-payer).
    #[arg(long)]
    pub(in crate::cli) count: bool,
    /// The key that proofs are made with, as the ceremony wrote it [default: proving.key in the data folder]. In development
    /// one for tests is made and kept beside.
    #[arg(long, env = "CHARTSEAL_PROVING_KEY", value_name = "FILE")]
    pub(in crate::cli) proving_key: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) tree: InTree,
}

#[derive(Clone, Copy, Debug, ClapArgs)]
pub(in crate::cli) struct OfRecord {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The record's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) record: Id,
}

#[derive(Clone, Copy, Debug, ClapArgs)]
pub(in crate::cli) struct InTree {
    /// The tree that the grant stands in [default: the only one].
    #[arg(long, value_name = "ID", value_parser = parse::id)]
    pub(in crate::cli) tree: Option<Id>,
}

impl Anonymous {
    /// Whether it sends transactions.
    pub(in crate::cli) fn sends(&self) -> bool {
        match self {
            Self::Invite { .. } | Self::List { .. } => false,
            Self::Grant { .. } | Self::Revoke { .. } => true,
            Self::Read(command) => command.count,
        }
    }
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(in crate::cli) enum Tree {
    /// Open a tree, for the admin. One is enough: the more grants stand in it, the more a reader hides among.
    Open,
    /// List the trees.
    List,
}
