//! The command line. Output is for people, or with `--json` one object a line for programs; errors go to standard
//! error. Exit codes: 0 done, 1 error, 2 refused by policy, 3 stored bytes do not match their hash or too little of them is
//! left.
//!
//! A run begins with what must come before anything is opened, the passphrase on a descriptor. Then it listens for
//! signals, and asks for what has to be typed; only after that it reads files and talks to others.

mod agreements;
mod anonymous;
mod args;
mod audit;
mod batch;
mod caller;
mod ceremony;
mod completions;
mod doctor;
mod emergencies;
mod environment;
mod erasure;
mod events;
mod failure;
mod guardians;
mod init;
mod interrupt;
mod key_places;
mod keys;
mod no_keys;
mod output;
mod parse;
mod passphrase;
mod patients;
mod payer;
mod people;
mod profile;
mod records;
mod registry;
mod requests;
mod rewrap;
mod sharing;
mod stores;
mod uploads;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Args, Command, Keys};
use caller::{Caller, off_thread};
use interrupt::{Interrupted, Signals};
use output::Output;

/// How long work that cannot be dropped, a file that is being renamed for example, may take when the program ends. A
/// read of a terminal or a pipe that nobody writes to is not waited for.
const GRACE: Duration = Duration::from_millis(500);

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let parsed = Args::command().try_get_matches().and_then(|matches| {
        let args = Args::from_arg_matches(&matches)?;
        Ok((args, matches))
    });
    let (mut args, matches) = match parsed {
        Ok(parsed) => parsed,
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
    let settled = args.globals.settle(&matches, args.command.takes_profile());
    match settled.and_then(|()| start(args, output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.failed(&error),
    }
}

fn start(args: Args, output: Output) -> Result<()> {
    let Args { globals, command } = args;
    let (may_have_sent, left) = (command.sends(), uploads::what_is_left(&command));
    let caller = Caller::new(globals)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen for signals")?;
        tokio::select! {
            outcome = run(command, caller, output) => outcome.map(Some),
            () = signals.any() => Ok(None),
        }
    });
    passphrase::restore_terminal();
    runtime.shutdown_timeout(GRACE);
    // Looked for only now that everything was dropped that may take it away.
    let goes_on = || left.is_some_and(|left| left.exists());
    outcome?.ok_or_else(|| {
        let interrupted = Interrupted {
            may_have_sent,
            goes_on: goes_on(),
        };
        interrupted.into()
    })
}

async fn run(command: Command, caller: Caller, output: Output) -> Result<()> {
    match command {
        Command::Keys(Keys::Rotate(of)) => people::rotate_key(&of.patient, caller, output).await,
        Command::Keys(Keys::Recover(of)) => guardians::recover(&of.patient, caller, output).await,
        Command::Keys(Keys::Publish) => keys::publish(caller, output).await,
        Command::Keys(command) => off_thread(move || keys::run(&command, caller, output)).await,
        Command::Airdrop { sol } => registry::airdrop(sol, caller, output).await,
        Command::Registry(command) => registry::registry(&command, caller, output).await,
        Command::Institution(command) => registry::institution(&command, caller, output).await,
        Command::Member(command) => registry::member(&command, caller, output).await,
        Command::Patient(command) => patients::patient(&command, caller, output).await,
        Command::Delegate(command) => people::delegate(&command, caller, output).await,
        Command::Guardian(command) => guardians::guardian(&command, caller, output).await,
        Command::Grant(command) => patients::grant(&command, caller, output).await,
        Command::Revoke { patient, grant } => patients::revoke(&patient, &grant, caller, output).await,
        Command::Rewrap(command) => rewrap::rewrap(&command, caller, output).await,
        Command::Grants { patient } => patients::grants(&patient, &caller, output).await,
        Command::Anonymous(command) => anonymous::anonymous(command, caller, output).await,
        Command::Tree(command) => anonymous::tree(command, caller, output).await,
        Command::Zk(command) => off_thread(move || ceremony::zk(&command, output)).await,
        Command::Request(command) => requests::request(&command, caller, output).await,
        Command::Requests { patient } => requests::requests(patient.as_ref(), caller, output).await,
        Command::Decide(command) => requests::decide(&command, caller, output).await,
        Command::Policy(command) => sharing::policy(&command, caller, output).await,
        Command::Share(command) => sharing::share(&command, caller, output).await,
        Command::Erase(command) => erasure::erase(&command, caller, output).await,
        Command::Agreement(command) => agreements::agreement(&command, caller, output).await,
        Command::Emergency(command) => emergencies::emergency(command, caller, output).await,
        Command::BreakGlass(command) => emergencies::break_glass(&command, caller, output).await,
        Command::Init(command) => init::init(command, caller, output).await,
        Command::Completions { shell } => completions::completions(shell),
        Command::Man { out } => off_thread(move || completions::man(&out)).await,
        Command::Doctor(command) => doctor::doctor(command, caller, output).await,
        Command::Health(kept) => stores::health(&kept, &caller, output).await,
        Command::Repair(command) => stores::repair(&command, caller, output).await,
        Command::Audit(command) => audit::audit(command, caller, output).await,
        Command::Log { patient } => patients::log(&patient, &caller, output).await,
        Command::Put(command) => uploads::put(&command, caller, output).await,
        Command::Amend(command) => uploads::amend(&command, caller, output).await,
        Command::Batch(command) => batch::run(&command, caller, output).await,
        Command::Get(command) => records::get(&command, caller, output).await,
        Command::Verify { patient, record } => records::verify(&patient, &record, &caller, output).await,
        Command::List { patient } => records::list(&patient, &caller, output).await,
    }
}
