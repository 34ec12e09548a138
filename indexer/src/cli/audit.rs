//! `audit`: writes a log with its proofs into one file, which `chartseal audit check` checks.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use chartseal_audit::{SigningKey, Subject, new_keypair, signing_key};
use chartseal_indexer::audit::{ExportError, export};
use chartseal_program::seeds::Id;
use clap::{Args, Subcommand};
use serde_json::json;
use std::os::unix::fs::OpenOptionsExt as _;

use super::{
    Database,
    verify::{BEHIND, BROKEN},
};

/// Longest keypair file: 64 numbers of three digits, and white space.
const LONGEST_KEY: u64 = 4_096;

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Write a patient's log, an institution's or the registry's into one file that proves itself.
    ///
    /// `chartseal audit check FILE` checks it, with neither a node nor a database. Exit codes: 0 written; 1 error; 3 the
    /// database does not bear out what the ledger says; 4 the ledger has events that were not read.
    Export(Export),
    /// Make a key that files are signed with, and print its public key, which `chartseal audit check --signer` demands.
    Key {
        /// Where to write it, as a keypair file of the Solana CLI; an existing file is kept
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    whose: Whose,
    /// URL of a Solana node's JSON-RPC, which says where the chains end
    #[arg(long, value_name = "URL")]
    rpc: String,
    #[command(flatten)]
    database: Database,
    /// Where to write it; an existing file is kept
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Sign it with this keypair file of the Solana CLI: without a signature nobody can tell who wrote it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print what was written as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The patient's id: all that was done and refused about it
    #[arg(long, value_name = "HEX", value_parser = id)]
    patient: Option<Id>,
    /// The institution's id: its members, batches and agreements
    #[arg(long, value_name = "HEX", value_parser = id)]
    institution: Option<Id>,
    /// The registry: admins and pauses
    #[arg(long)]
    registry: bool,
}

fn id(text: &str) -> Result<Id, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "an id is 32 hexadecimal digits".to_owned())
}

impl Whose {
    fn subject(&self) -> Subject {
        match (self.patient, self.institution) {
            (Some(patient), _) => Subject::Patient(patient),
            (None, Some(institution)) => Subject::Institution(institution),
            (None, None) => Subject::Registry,
        }
    }
}

impl Audit {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Export(export) => export.execute().await,
            Self::Key { out } => make_key(&out),
        }
    }
}

impl Export {
    async fn execute(self) -> anyhow::Result<ExitCode> {
        let key = self.key.as_deref().map(read_key).transpose()?;
        let exported = match export(&self.rpc, &self.database.url, self.whose.subject(), key.as_ref()).await {
            Ok(exported) => exported,
            Err(error) => {
                eprintln!("error: {error}");
                return Ok(match error {
                    ExportError::Broken(_) => BROKEN.into(),
                    ExportError::Behind { .. } => BEHIND.into(),
                    _ => ExitCode::FAILURE,
                });
            }
        };
        write(&self.out, &exported.bytes).with_context(|| format!("cannot write {}", self.out.display()))?;
        let (chains, events) = (exported.chains, exported.events);
        let (digest, out) = (hex::encode(exported.digest), self.out.display());
        let signer = key.map(|key| bs58::encode(key.verifying_key().to_bytes()).into_string());
        match self.json {
            true => println!(
                "{}",
                json!({
                    "file": out.to_string(), "bytes": exported.bytes.len(), "chains": chains, "events": events,
                    "digest": digest, "signer": signer,
                })
            ),
            false => {
                println!("{out}: {events} events of {chains} chains, digest {digest}");
                match signer {
                    Some(signer) => println!("signed by {signer}"),
                    None => println!("not signed: nobody can tell who wrote it (--key)"),
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn make_key(out: &Path) -> anyhow::Result<ExitCode> {
    let (key, text) = new_keypair().context("the system has no random numbers")?;
    write(out, text.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{}", bs58::encode(key.verifying_key().to_bytes()).into_string());
    Ok(ExitCode::SUCCESS)
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let shown = path.display();
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_KEY).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {shown}"))?;
    signing_key(&bytes).with_context(|| shown.to_string())
}

/// Writes a file that nobody else may read, whole or not at all, over none that is there.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // What is left of it would be taken for a damaged one.
        let _ = std::fs::remove_file(path);
    }
    written
}
