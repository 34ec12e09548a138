//! `chartseal-localnet`: a local validator with programs deployed and wallets funded, until it is told to stop. It takes
//! no network, keeps nothing, and answers as a cluster does, at the addresses that it prints once all of it is there.

mod options;
mod validator;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use options::Options;
use validator::Validator;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    // Before anything is started, so that no signal finds us unprepared.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let (validator, mut ended) = Validator::start(options.ports()?, options.slot_time)?;
    let ready = async {
        validator.ready().await?;
        for program in &options.programs {
            let elf = std::fs::read(&program.path)
                .with_context(|| format!("cannot read the program {}", program.path.display()))?;
            validator
                .deploy(program.address, options.upgrade_authority, &elf)
                .await
                .with_context(|| format!("cannot deploy {}", program.path.display()))?;
        }
        for wallet in &options.wallets {
            validator.fund(wallet.address, wallet.lamports)?;
        }
        announce(&validator, options)
    };
    let outcome = tokio::select! {
        started = ready => match started {
            Ok(()) => tokio::select! {
                _ = interrupt.recv() => Ok(()),
                _ = terminate.recv() => Ok(()),
                why = &mut ended => Err(ended_by_itself(why)),
            },
            failed => failed,
        },
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        why = &mut ended => return Err(ended_by_itself(why)),
    };
    if let Some(path) = &options.ready_file {
        // It says that something is there to talk to, which is about to end.
        let _ = std::fs::remove_file(path);
    }
    validator.stop();
    outcome
}

fn ended_by_itself(why: Result<String, tokio::sync::oneshot::error::RecvError>) -> anyhow::Error {
    anyhow::anyhow!(
        "the validator ended by itself: {}",
        why.unwrap_or_else(|_| "it does not say why".to_owned())
    )
}

/// Says where it is reached, on standard output and in the ready file.
fn announce(validator: &Validator, options: &Options) -> anyhow::Result<()> {
    let (rpc, ws) = (validator.rpc_url(), validator.ws_url());
    let programs: Vec<_> = options.programs.iter().map(|it| it.address.to_string()).collect();
    let object = json!({ "rpc": rpc, "ws": ws, "programs": programs, "pid": std::process::id() });
    if let Some(path) = &options.ready_file {
        write_whole(path, &format!("{object}\n"))
            .with_context(|| format!("cannot write the ready file {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if options.json {
        writeln!(out, "{object}")?;
    } else {
        writeln!(out, "ledger    {rpc}")?;
        writeln!(out, "events    {ws}")?;
        for program in programs {
            writeln!(out, "program   {program}")?;
        }
    }
    Ok(out.flush()?)
}

/// Whoever waits for the file finds it whole.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}
