//! The command line. Output is for people, or with `--json` one object a line for programs; errors go to standard
//! error. Exit codes: 0 done, 1 error, 2 refused by policy, 3 stored bytes do not match their hash.

mod args;
mod keys;
mod output;
mod parse;
mod passphrase;
mod patients;
mod records;
mod registry;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Args, Command, Globals};
use output::Output;

use crate::{
    keys::Identity,
    ledger::Ledger,
    ops::{OpError, Session},
    store::{FolderKeyStore, Gateway, GatewayOptions},
};

/// The session that commands work with.
type Here = Session<Gateway, FolderKeyStore>;

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::command()
        .try_get_matches()
        .and_then(|matches| Args::from_arg_matches(&matches))
    {
        Ok(args) => args,
        Err(error) => {
            let help = matches!(
                error.kind(),
                clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
            );
            // Where even the message cannot be written there is nobody to tell.
            let _ = error.print();
            return if help { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let output = Output::new(args.globals.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failed(&anyhow::Error::new(error).context("cannot start"), ExitCode::FAILURE),
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = run(&args, &output) => outcome,
            // Files appear by rename and envelopes are whole, so stopping anywhere leaves nothing half-done.
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; nothing was left half-written")),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.failed(&error, exit_code(&error)),
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<OpError>() {
        Some(error) if error.is_refusal() => ExitCode::from(2),
        Some(error) if error.is_tampered() => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    }
}

async fn run(args: &Args, output: &Output) -> Result<()> {
    let globals = &args.globals;
    match &args.command {
        Command::Keys(command) => keys::run(command, globals, output),
        Command::Airdrop { sol } => registry::airdrop(*sol, globals, output).await,
        Command::Registry(command) => registry::registry(command, globals, output).await,
        Command::Institution(command) => registry::institution(command, globals, output).await,
        Command::Member(command) => registry::member(command, globals, output).await,
        Command::Patient(command) => patients::patient(command, globals, output).await,
        Command::Grant(command) => patients::grant(command, globals, output).await,
        Command::Revoke { patient, grant } => patients::revoke(patient, grant, globals, output).await,
        Command::Grants { patient } => patients::grants(patient, globals, output).await,
        Command::Log { patient } => patients::log(patient, globals, output).await,
        Command::Put(command) => records::put(command, globals, output).await,
        Command::Amend(command) => records::amend(command, globals, output).await,
        Command::Get(command) => records::get(command, globals, output).await,
        Command::Verify { patient, record } => records::verify(patient, record, globals, output).await,
        Command::List { patient } => records::list(patient, globals, output).await,
    }
}

impl Globals {
    fn ledger(&self) -> Ledger {
        Ledger::new(&self.rpc)
    }

    fn open_identity(&self) -> Result<Identity> {
        let path = self.identity()?;
        let passphrase = passphrase::ask(self, "Passphrase of the identity")?;
        Ok(Identity::load(&path, &passphrase).map_err(OpError::from)?)
    }

    /// A session of this identity.
    fn session(&self) -> Result<Here> {
        let identity = self.open_identity()?;
        self.session_of(identity)
    }

    /// A session of nobody, for what needs no identity.
    fn anonymous(&self) -> Result<Here> {
        self.session_of(Identity::generate().map_err(OpError::from)?)
    }

    fn session_of(&self, identity: Identity) -> Result<Here> {
        let gateway = Gateway::new(&self.gateway, GatewayOptions::default()).map_err(OpError::from)?;
        let keys = FolderKeyStore::open(self.key_store()?).map_err(OpError::from)?;
        let session = Session::new(identity, self.ledger(), gateway, keys);
        Ok(match self.act_as {
            Some((institution, member)) => session.as_member(institution, member),
            None => session,
        })
    }
}
