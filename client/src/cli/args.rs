//! What can be typed.

mod agreements;
mod anonymous;
mod consent;
mod people;
mod records;
mod registry;
mod stores;
mod zk;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use chartseal_program::seeds::Id;
use clap::{Args as ClapArgs, CommandFactory as _, Parser, Subcommand};

pub(super) use self::agreements::{Agreement, Propose};
pub(super) use self::anonymous::{Anonymous, OfRecord, ReadAnonymously, Tree};
pub(super) use self::consent::{Approve, Decide, Erase, Policy, Request, Share, class_mask};
pub(super) use self::people::{Delegate, Guardian, HandOver, Holders, OfPatient};
pub(super) use self::records::{Amend, Batch, Claim, Get, Grant, Put, Sealing, Uploading};
pub(super) use self::registry::{Institution, Member, Patient, Registry};
pub(super) use self::stores::{Kept, Repair, StoreArgs};
pub(super) use self::zk::{Ceremony, Zk};
use super::{
    audit::Audit,
    doctor::Doctor,
    emergencies::{BreakGlass, Emergency},
    init::Init,
    key_places::{KeyPlace, KeyPlaces},
    parse,
    profile::Named,
};
use crate::ledger::{Commitment, WebSocket};

/// Seals medical files, keeps them on Arweave, and lets the patient decide who may open them.
///
/// Exit codes: 0 done, 1 error, 2 refused by policy (the chain logs its refusals), 3 stored bytes do not match their hash
/// or too little of them is left.
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
    /// The profile that says what no option and no environment variable does [default: the file's default].
    #[arg(long, global = true, env = "CHARTSEAL_PROFILE", value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// The file with the profiles [default: config.toml in the configuration folder].
    #[arg(long, global = true, env = "CHARTSEAL_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The ledger's JSON-RPC address. Several of one cluster, separated by commas or each with this option, stand in for each
    /// other.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_RPC_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8899",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub(super) rpc: Vec<String>,
    /// Where a node tells of transactions by itself, ws:// or wss:// [default: the port after that of its JSON-RPC]. Where it
    /// does not, and with "off", it is asked.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_WS",
        hide_env_values = true,
        value_parser = WebSocket::parser(),
        value_name = "URL"
    )]
    pub(super) ws: Option<WebSocket>,
    /// When the ledger's answers are believed: confirmed, after about a second, or finalized, once they cannot be undone.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_COMMITMENT",
        default_value = "confirmed",
        value_parser = parse::commitment,
        value_name = "LEVEL"
    )]
    pub(super) commitment: Commitment,
    /// A relayer that pays fee and rent of what you sign (JSON-RPC as Kora speaks it): your wallet needs no SOL. At https://,
    /// or on this machine.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_RELAYER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(super) relayer: Option<String>,
    /// The keys of another wallet that pays fee and rent of what you sign: a keypair file of the Solana CLI, or an identity.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_FEE_PAYER",
        value_name = "FILE",
        conflicts_with = "relayer"
    )]
    pub(super) fee_payer: Option<PathBuf>,
    /// Read the passphrase of the fee payer's identity from the first line of a file.
    #[arg(long, global = true, value_name = "FILE", requires = "fee_payer")]
    pub(super) fee_payer_passphrase_file: Option<PathBuf>,
    /// The Arweave gateway's address.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_GATEWAY_URL",
        default_value = "http://127.0.0.1:8901",
        value_name = "URL"
    )]
    pub(super) gateway: String,
    #[command(flatten)]
    pub(super) stores: StoreArgs,
    /// Where envelopes are kept: a folder, or a key service (https://HOST) [default: keys in the data folder]. Several,
    /// separated by colons or each with this option, work as one: what is written goes to all of them, what is read comes from
    /// the first that has it.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_KEY_STORE",
        value_name = "FOLDER|URL",
        hide_env_values = true,
        value_parser = KeyPlaces::parser()
    )]
    pub(super) key_store: Vec<KeyPlaces>,
    /// A key service that is asked after all other key stores. A profile's is left out where --key-store is given.
    #[arg(
        long,
        global = true,
        env = "CHARTSEAL_KEY_SERVICE",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(super) key_service: Option<String>,
    /// Wrap keys by X-Wing or not at all: whoever has no post-quantum key gets none.
    #[arg(long, global = true)]
    pub(super) require_post_quantum: bool,
    /// The file that keeps your keys [default: identity in the data folder].
    #[arg(long, global = true, env = "CHARTSEAL_IDENTITY", value_name = "FILE")]
    pub(super) identity: Option<PathBuf>,
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
    #[arg(skip)]
    pub(super) named: Named,
}

impl Globals {
    /// The addresses of the ledger's JSON-RPC.
    pub(super) fn rpc_addresses(&self) -> Vec<&str> {
        self.rpc.iter().map(String::as_str).collect()
    }

    /// What is built in for an option, in the words of the command line.
    pub(super) fn built_in(option: &str) -> String {
        let command = Args::command();
        let found = command.get_arguments().find(|argument| argument.get_id() == option);
        let values = found.map(clap::Arg::get_default_values).unwrap_or_default();
        let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
        values.join(",")
    }

    pub(super) fn identity(&self) -> Result<PathBuf> {
        or_in_data_folder(self.identity.as_ref(), "identity")
    }

    /// The file that keeps the key by which proofs of access are made.
    pub(super) fn proving_key(&self, given: Option<&PathBuf>) -> Result<PathBuf> {
        or_in_data_folder(given, "proving.key")
    }

    /// The folder that keeps the reasons of emergencies.
    pub(super) fn emergencies(&self, given: Option<&PathBuf>) -> Result<PathBuf> {
        or_in_data_folder(given, "emergencies")
    }

    /// Where envelopes are kept, each place once; the key service last.
    pub(super) fn key_stores(&self) -> Result<Vec<KeyPlace>> {
        let mut places = self.named_key_stores()?;
        if let Some(service) = &self.key_service {
            let service = KeyPlace::Service(service.clone());
            if !places.contains(&service) {
                places.push(service);
            }
        }
        Ok(places)
    }

    /// The key stores that were named as such, or else the built-in one.
    pub(super) fn named_key_stores(&self) -> Result<Vec<KeyPlace>> {
        let mut places: Vec<KeyPlace> = Vec::new();
        for place in self.key_store.iter().flat_map(|places| &places.0) {
            if !places.contains(place) {
                places.push(place.clone());
            }
        }
        if places.is_empty() {
            places.push(KeyPlace::Folder(or_in_data_folder(None, "keys")?));
        }
        Ok(places)
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
    Rewrap(Rewrap),
    /// List a patient's grants.
    Grants {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
    /// Grants without a name: rights on a record for somebody whom neither the chain nor the key store knows.
    #[command(subcommand)]
    Anonymous(Anonymous),
    /// The trees that grants without a name stand in.
    #[command(subcommand)]
    Tree(Tree),
    /// The keys that proofs of access are made and checked with.
    #[command(subcommand)]
    Zk(Zk),
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
    /// Look at what each store has of a patient's records, every byte of it. Needs no key and no right.
    ///
    /// Exit codes: 0 all is there, 1 something is missing, damaged or out of reach and the records can be read all the same
    /// (run `chartseal repair`), 3 too little is left to read one.
    Health(Kept),
    /// Store anew what a store lost or damaged of a patient's records, from what the others have. Needs no key and no right.
    Repair(Repair),
    /// Look at every part that the other commands rely on, say which is broken and how to mend it. Changes nothing.
    Doctor(Doctor),
    /// Ask where ledger, gateway, stores, keys and database are, and keep that as a profile.
    Init(Init),
    /// Print what makes a shell complete commands and options: `source <(chartseal completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write a page of the manual for each command.
    Man {
        /// The folder to write to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Logs with their proofs, which somebody wrote into a file.
    #[command(subcommand)]
    Audit(Audit),
    /// Show all that happened to a patient and all that was refused, and check that nothing is missing.
    Log {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct Rewrap {
    /// The patient's id.
    #[arg(value_parser = parse::id, required_unless_present = "all")]
    pub(super) patient: Option<Id>,
    /// Of this record only.
    #[arg(long, value_parser = parse::id)]
    pub(super) record: Option<Id>,
    /// Of every patient whose records you can open. What is right already is left alone, so it can be broken off and run
    /// again. Each record that needs it is opened by an access that is logged.
    #[arg(long, conflicts_with_all = ["patient", "record"])]
    pub(super) all: bool,
    /// Wrap again by X-Wing what is wrapped by X25519, for readers who have such a key.
    #[arg(long)]
    pub(super) post_quantum: bool,
}

impl Command {
    /// Whether it takes what a profile says.
    pub(super) fn takes_profile(&self) -> bool {
        match self {
            Self::Init(_) | Self::Completions { .. } | Self::Man { .. } | Self::Zk(_) => false,
            Self::Audit(command) => command.asks_ledger(),
            _ => true,
        }
    }

    /// Whether it sends transactions.
    pub(super) fn sends(&self) -> bool {
        match self {
            Self::Emergency(command) => return command.sends(),
            Self::Agreement(command) => return command.sends(),
            Self::Anonymous(command) => return command.sends(),
            Self::Put(Put { uploading, .. }) | Self::Amend(Amend { uploading, .. }) => return !uploading.dry_run,
            _ => {}
        }
        !matches!(
            self,
            Self::Keys(
                Keys::New
                    | Keys::Import { .. }
                    | Keys::Show
                    | Keys::Publish
                    | Keys::Backup { .. }
                    | Keys::Restore { .. }
            ) | Self::Delegate(Delegate::List(_))
                | Self::Guardian(Guardian::Status(_))
                | Self::Registry(Registry::Show)
                | Self::Patient(Patient::Show { .. })
                | Self::Grants { .. }
                | Self::Tree(Tree::List)
                | Self::Zk(_)
                | Self::Requests { .. }
                | Self::Policy(Policy::List { .. })
                | Self::Log { .. }
                | Self::Audit(_)
                | Self::Doctor(_)
                | Self::Init(_)
                | Self::Completions { .. }
                | Self::Man { .. }
                | Self::Health(_)
                | Self::Repair(_)
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
    /// Put your post-quantum public key into the key stores again: into another one, or where it was lost.
    Publish,
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
