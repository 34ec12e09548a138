//! What can be typed.

mod agreements;
mod consent;
mod people;

use std::{ops::Range, path::PathBuf};

use anyhow::{Context as _, Result};
use chartseal_program::{
    seeds::Id,
    vocabulary::{Action, InstitutionKind, Purpose, Role},
};
use clap::{Args as ClapArgs, Parser, Subcommand};

pub(super) use self::agreements::{Agreement, Propose};
pub(super) use self::consent::{Approve, Decide, Erase, Policy, Request, Share, class_mask};
pub(super) use self::people::{Delegate, Guardian, HandOver, Holders, OfPatient};
use super::{
    emergencies::{BreakGlass, Emergency},
    parse,
};
use crate::ops::Grantee;

/// Seals medical files, keeps them on Arweave, and lets the patient decide who may open them.
///
/// Exit codes: 0 done, 1 error, 2 refused by policy (the chain logs its refusals), 3 stored bytes do not match their hash.
#[derive(Debug, Parser)]
#[command(name = "chartseal", version, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Globals {
    /// The ledger's JSON-RPC address.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_RPC_URL",
        default_value = "http://127.0.0.1:8899",
        value_name = "URL"
    )]
    pub(super) rpc: String,
    /// The Arweave gateway's address.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_GATEWAY_URL",
        default_value = "http://127.0.0.1:8901",
        value_name = "URL"
    )]
    pub(super) gateway: String,
    /// The folder that keeps envelopes [default: keys in the data folder].
    #[arg(long, global = true, env = "CHARTSEAL_KEY_STORE", value_name = "FOLDER")]
    key_store: Option<PathBuf>,
    /// The file that keeps your keys [default: identity in the data folder].
    #[arg(long, global = true, env = "CHARTSEAL_IDENTITY", value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Read the passphrase from the first line of a file.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_fd")]
    pub(super) passphrase_file: Option<PathBuf>,
    /// Read the passphrase from an open descriptor, up to its end or the first line's.
    #[arg(long, global = true, value_name = "N")]
    pub(super) passphrase_fd: Option<i32>,
    /// Act as this member, where the wallet belongs to several institutions.
    #[arg(long = "as", global = true, value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
    pub(super) act_as: Option<(Id, Id)>,
    /// One JSON object a line.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Globals {
    pub(super) fn identity(&self) -> Result<PathBuf> {
        or_in_data_folder(self.identity.as_ref(), "identity")
    }

    /// The folder that keeps the reasons of emergencies.
    pub(super) fn emergencies(&self, given: Option<&PathBuf>) -> Result<PathBuf> {
        or_in_data_folder(given, "emergencies")
    }

    pub(super) fn key_store(&self) -> Result<PathBuf> {
        or_in_data_folder(self.key_store.as_ref(), "keys")
    }
}

/// A path that was given, or one in the user's data folder (XDG Base Directory Specification).
fn or_in_data_folder(given: Option<&PathBuf>, name: &str) -> Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.clone());
    }
    let folder = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".local/share")));
    Ok(folder
        .context("there is no home folder; say where things are (--identity, --key-store)")?
        .join("chartseal")
        .join(name))
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Your keys: make, import, show, back up, restore.
    #[command(subcommand)]
    Keys(Keys),
    /// Ask a local cluster for money.
    Airdrop {
        /// How many SOL.
        #[arg(default_value_t = 10)]
        sol: u32,
    },
    /// The program's registry, for its admin.
    #[command(subcommand)]
    Registry(Registry),
    /// Institutions: the admin registers, the institution's authority accepts.
    #[command(subcommand)]
    Institution(Institution),
    /// Members: an institution's authority registers, the member's wallet accepts.
    #[command(subcommand)]
    Member(Member),
    /// Patients.
    #[command(subcommand)]
    Patient(Patient),
    /// Delegates: a patient names them, their wallets accept, and they act for the patient.
    #[command(subcommand)]
    Delegate(Delegate),
    /// Guardians, who help a patient to a new wallet.
    #[command(subcommand)]
    Guardian(Guardian),
    /// Seal a file and store it as a new record.
    Put(Put),
    /// Seal a file and store it as the next version of a record.
    Amend(Amend),
    /// Import an archive: many files in one batch, each put into a chart when somebody may.
    #[command(subcommand)]
    Batch(Batch),
    /// Open a record.
    Get(Get),
    /// Check that what is stored of a record is what stands on chain. Needs no key and no right.
    Verify {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The record's id.
        #[arg(value_parser = parse::id)]
        record: Id,
    },
    /// List a patient's records.
    List {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
    /// Give rights on a record or on classes of records.
    Grant(Grant),
    /// End a grant, and delete the envelopes that were made for it.
    Revoke {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The grant's id.
        #[arg(value_parser = parse::id)]
        grant: Id,
    },
    /// Wrap the keys of a patient's records for readers who ought to have them and do not: somebody who joined since, was
    /// reinstated, or was granted while nobody who holds the keys was at hand.
    Rewrap {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// Of this record only.
        #[arg(long, value_parser = parse::id)]
        record: Option<Id>,
    },
    /// List a patient's grants.
    Grants {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
    /// Ask a patient for rights, as a member of an institution.
    Request(Request),
    /// List the requests to a patient, or those that you made.
    Requests {
        /// The patient's id [default: whatever you asked for].
        #[arg(value_parser = parse::id)]
        patient: Option<Id>,
    },
    /// Answer a request.
    #[command(subcommand)]
    Decide(Decide),
    /// What a patient shares with institutions by itself.
    #[command(subcommand)]
    Policy(Policy),
    /// Pass on what was granted to you with the right to share, or less of it.
    Share(Share),
    /// Erase a record: destroy its keys, and attest that. It cannot be undone.
    Erase(Erase),
    /// Agreements: one institution pays another for records that patients let it read.
    #[command(subcommand)]
    Agreement(Agreement),
    /// Emergencies: open a chart without asking, and review that.
    #[command(subcommand)]
    Emergency(Emergency),
    /// Shares of data keys, which open records in an emergency.
    #[command(subcommand)]
    BreakGlass(BreakGlass),
    /// Show all that happened to a patient and all that was refused, and check that nothing is missing.
    Log {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
}

impl Command {
    /// Whether it sends transactions.
    pub(super) fn sends(&self) -> bool {
        match self {
            Self::Emergency(command) => return command.sends(),
            Self::Agreement(command) => return command.sends(),
            _ => {}
        }
        !matches!(
            self,
            Self::Keys(Keys::New | Keys::Import { .. } | Keys::Show | Keys::Backup { .. } | Keys::Restore { .. })
                | Self::Delegate(Delegate::List(_))
                | Self::Guardian(Guardian::Status(_))
                | Self::Registry(Registry::Show)
                | Self::Patient(Patient::Show { .. })
                | Self::Grants { .. }
                | Self::Requests { .. }
                | Self::Policy(Policy::List { .. })
                | Self::Log { .. }
                | Self::Verify { .. }
                | Self::List { .. }
                | Self::Batch(Batch::Show { .. } | Batch::Prove { .. })
        )
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make new keys.
    New,
    /// Take the wallet from a Solana CLI keypair file, and make new encryption and storage keys.
    Import {
        /// The keypair file.
        keypair: PathBuf,
    },
    /// Show the public keys.
    Show,
    /// Copy the keys into a file under a passphrase of its own. The copy is opened before it is said to be there.
    Backup {
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        other: OtherPassphrase,
    },
    /// Make the identity from a backup.
    Restore {
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Restore also where there is an identity. That one is not lost: it is kept beside, under another name.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        other: OtherPassphrase,
    },
    /// Take a new encryption key for a patient, publish it, and wrap the history for it. The keys before are kept.
    Rotate(OfPatient),
    /// Put a patient's earlier key together from shares that guardians released, and wrap the history for your key.
    Recover(OfPatient),
}

#[derive(Debug, ClapArgs)]
pub(super) struct OtherPassphrase {
    /// Read the backup's passphrase from the first line of a file.
    #[arg(long, value_name = "FILE")]
    pub(super) backup_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Registry {
    /// Make the registry. Your wallet must be the program's upgrade authority.
    Init {
        /// Who administers it [default: you].
        #[arg(long, value_parser = parse::address)]
        admin: Option<[u8; 32]>,
    },
    /// Show it.
    Show,
    /// Pause the program. Revoking goes on.
    Pause,
    /// Let it go on.
    Resume,
    /// Name a successor, who has to accept.
    ProposeAdmin {
        /// The successor's wallet.
        #[arg(value_parser = parse::address)]
        wallet: [u8; 32],
    },
    /// Take over as admin.
    AcceptAdmin,
}

#[derive(Debug, Subcommand)]
pub(super) enum Institution {
    /// Approve an institution.
    Register {
        /// What it is.
        #[arg(long, value_parser = parse::word(InstitutionKind::ALL, InstitutionKind::word))]
        kind: InstitutionKind,
        /// The wallet that speaks for it and has to accept.
        #[arg(long, value_parser = parse::address)]
        authority: [u8; 32],
        /// How long the approval lasts, for example 365d [default: without end].
        #[arg(long = "for", value_parser = parse::duration)]
        lasts: Option<i64>,
    },
    /// Accept for an institution, with your encryption key as its key.
    Accept {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// Suspend an institution, and so all of its members.
    Suspend {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// Lift a suspension.
    Reinstate {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// Set another end to an institution's approval.
    Renew {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// How long it lasts from now, for example 365d [default: without end].
        #[arg(long = "for", value_parser = parse::duration)]
        lasts: Option<i64>,
    },
    /// Name who speaks for your institution next and has to accept.
    ProposeAuthority {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// The successor's wallet.
        #[arg(value_parser = parse::address, required_unless_present = "withdraw")]
        wallet: Option<[u8; 32]>,
        /// Name nobody after all.
        #[arg(long, conflicts_with = "wallet")]
        withdraw: bool,
    },
    /// Take over as an institution's authority.
    AcceptAuthority {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Member {
    /// Name a member of your institution.
    Register {
        /// The institution's id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// The member's wallet, which has to accept.
        #[arg(long, value_parser = parse::address)]
        wallet: [u8; 32],
        /// What the member does.
        #[arg(long, value_parser = parse::word(Role::ALL, Role::word))]
        role: Role,
        /// How long the membership lasts, for example 365d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
        lasts: i64,
    },
    /// Accept a membership.
    Accept {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
    /// Suspend a member.
    Suspend {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
    /// Lift a suspension.
    Reinstate {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
    /// Set another end to a membership.
    Renew {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
        /// How long it lasts from now, for example 365d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
        lasts: i64,
    },
    /// Let a doctor or nurse of your hospital open emergencies, or take that back.
    EmergencyCredential {
        /// Whether the member may.
        #[arg(value_parser = ["on", "off"])]
        holds: String,
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Patient {
    /// Open a patient: yourself, or somebody without a wallet whose steward your institution is.
    Open {
        /// The steward institution's id.
        #[arg(long, value_parser = parse::id)]
        steward: Option<Id>,
    },
    /// Show what stands on chain of a patient.
    Show {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
    /// Name a patient's next wallet: yours, or that of somebody whose steward your institution is.
    HandOver(HandOver),
    /// Take a patient over whose next wallet is yours.
    Accept(OfPatient),
    /// The same as `keys rotate`.
    RotateKey(OfPatient),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Sealing {
    /// The name that is kept with the file, encrypted [default: the file's].
    #[arg(long)]
    pub(super) name: Option<String>,
    /// The media type [default: told from the first bytes].
    #[arg(long)]
    pub(super) media_type: Option<String>,
    /// Do not hide the size by padding.
    #[arg(long)]
    pub(super) no_padding: bool,
    /// Do not compress.
    #[arg(long)]
    pub(super) no_compression: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Claim {
    /// What it is for.
    #[arg(long, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(super) purpose: Option<Purpose>,
    /// The grant to claim [default: the one that fits best].
    #[arg(long, value_parser = parse::id)]
    pub(super) grant: Option<Id>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Put {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(super) patient: Id,
    /// The file, or - for standard input.
    pub(super) file: PathBuf,
    /// Sharing class, 0 to 31: a label of the patient's choosing. It is public.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..32))]
    pub(super) class: u8,
    #[command(flatten)]
    pub(super) claim: Claim,
    #[command(flatten)]
    pub(super) sealing: Sealing,
}

#[derive(Debug, Subcommand)]
pub(super) enum Batch {
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
pub(super) struct Amend {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(super) patient: Id,
    /// The record's id.
    #[arg(value_parser = parse::id)]
    pub(super) record: Id,
    /// The file, or - for standard input.
    pub(super) file: PathBuf,
    /// Fail where the record is at another version than this.
    #[arg(long)]
    pub(super) expect_version: Option<u32>,
    #[command(flatten)]
    pub(super) claim: Claim,
    #[command(flatten)]
    pub(super) sealing: Sealing,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Get {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(super) patient: Id,
    /// The record's id.
    #[arg(value_parser = parse::id)]
    pub(super) record: Id,
    /// The file to make, or - for standard output.
    #[arg(long, short)]
    pub(super) out: PathBuf,
    /// Write over a file that exists.
    #[arg(long)]
    pub(super) force: bool,
    /// Original bytes, for example 1000..2000 (the last one not included).
    #[arg(long, value_parser = parse::range)]
    pub(super) range: Option<Range<u64>>,
    /// Read by the emergency that you opened (`chartseal emergency open`).
    #[arg(long, conflicts_with_all = ["purpose", "grant"])]
    pub(super) emergency: bool,
    /// Pay for it in the same transaction, by this agreement of your institution.
    #[arg(long, value_name = "AGREEMENT", value_parser = parse::id, requires = "request",
          conflicts_with_all = ["purpose", "grant", "emergency"])]
    pub(super) pay: Option<Id>,
    /// The request that the patient approved, for --pay.
    #[arg(long, value_parser = parse::id, requires = "pay")]
    pub(super) request: Option<Id>,
    #[command(flatten)]
    pub(super) claim: Claim,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Grant {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(super) patient: Id,
    /// Who gets it: member:INSTITUTION:MEMBER, institution:ID, or person:WALLET[:X25519-KEY].
    #[arg(long, value_parser = parse::grantee)]
    pub(super) to: Grantee,
    /// The one record it is on.
    #[arg(long, value_parser = parse::id, required_unless_present = "classes", conflicts_with = "classes")]
    pub(super) record: Option<Id>,
    /// The sharing classes it is on, for example 0,3.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(..32))]
    pub(super) classes: Vec<u8>,
    /// What is allowed.
    #[arg(long, value_delimiter = ',', default_value = "read", value_parser = parse::word(Action::ALL, Action::word))]
    pub(super) rights: Vec<Action>,
    /// What for.
    #[arg(long, value_delimiter = ',', required = true, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(super) purposes: Vec<Purpose>,
    /// How long it lasts, for example 90m, 12h or 30d.
    #[arg(long = "for", value_parser = parse::duration, default_value = "30d")]
    pub(super) lasts: i64,
    /// When it begins, from now, for example 2d.
    #[arg(long, value_parser = parse::duration)]
    pub(super) starts_in: Option<i64>,
    /// How often it may be used [default: without limit].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) uses: Option<u32>,
}
