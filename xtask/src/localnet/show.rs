//! Telling what runs: to people, to programs, and to a shell.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::folder::{Folder, quoted};
use super::part::Part;
use super::stack::{Contract, Stack};
use super::state::{Running, State};
use super::{profile, running};
use crate::process;
use crate::workspace::{Programs, Workspace};

/// What would come before the profile where it is still exported for another cluster.
const OTHERS: [&str; 6] = [
    "CHARTSEAL_STORES",
    "CHARTSEAL_SPREAD",
    "CHARTSEAL_KEY_STORE",
    "CHARTSEAL_KEY_SERVICE",
    "CHARTSEAL_RELAYER",
    "CHARTSEAL_FEE_PAYER",
];

/// Prints where everything is.
pub(super) fn print_places(state: &State) {
    for (name, place) in places(state) {
        println!("{name:<11} {place}");
    }
}

fn places(state: &State) -> impl Iterator<Item = (&'static str, &str)> {
    let places = [
        ("ledger", &state.rpc),
        ("events", &state.ws),
        ("gateway", &state.gateway),
        ("key service", &state.key_service),
        ("database", &state.database),
    ];
    places
        .into_iter()
        .filter_map(|(name, place)| Some((name, place.as_deref()?)))
}

/// Says of each part whether it is well.
///
/// # Errors
/// When what was written down cannot be read. That a part is not well is in the exit code.
pub(super) fn status(workspace: &Workspace, folder: &Folder, as_json: bool) -> Result<ExitCode> {
    let Some(state) = folder.state()? else {
        match as_json {
            true => println!("{}", json!({ "up": false, "parts": [] })),
            false => println!("nothing runs; to start it: {}", folder.line("up")),
        }
        return Ok(ExitCode::FAILURE);
    };
    let contract = Contract::committed(&workspace.root)?;
    // Where they were when the stack was started; asking builds nothing.
    let programs = Programs::in_folder(&workspace.target.join("debug"), &[Part::Indexer.program()]);
    let stack = Stack {
        folder,
        contract: &contract,
        programs: &programs,
        state: state.clone(),
        interrupted: Arc::default(),
    };
    let found: Vec<_> = Part::ALL.into_iter().map(|part| (part, stack.check(part))).collect();
    let up = found.iter().all(|(_, outcome)| outcome.is_ok());
    if as_json {
        let parts: Vec<_> = found
            .iter()
            .map(|(part, outcome)| {
                let running = state.part(*part);
                json!({
                    "part": part, "well": outcome.is_ok(), "note": outcome.as_ref().ok(),
                    "why": outcome.as_ref().err().map(|why| format!("{why:#}")),
                    "runs": running.is_some_and(Running::is_alive), "pid": running.map(|running| running.pid),
                    "log": folder.log(*part),
                })
            })
            .collect();
        let State {
            rpc,
            ws,
            gateway,
            database,
            key_service,
            institutions,
            ..
        } = &state;
        println!(
            "{}",
            json!({
                "up": up, "rpc": rpc, "ws": ws, "gateway": gateway, "database": database, "key_service": key_service,
                "institutions": institutions, "keys": folder.keys(), "profile": folder.profile(), "parts": parts,
            })
        );
    } else {
        for (part, outcome) in &found {
            let pid = state
                .part(*part)
                .map_or_else(String::new, |running| running.pid.to_string());
            match outcome {
                Ok(None) => println!("{:<11} well       process {pid}", part.name()),
                Ok(Some(note)) => println!("{:<11} well       process {pid}: {note}", part.name()),
                Err(why) => println!("{:<11} not well   process {pid}: {why:#}", part.name()),
            }
        }
        print_places(&state);
    }
    Ok(if up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows logs, also of a stack that has gone down.
///
/// # Errors
/// When nothing was written yet.
pub(super) fn logs(folder: &Folder, part: Option<Part>, follow: bool) -> Result<ExitCode> {
    let parts = part.map_or_else(|| Part::ALL.to_vec(), |part| vec![part]);
    let files: Vec<PathBuf> = parts
        .into_iter()
        .map(|part| folder.log(part))
        .filter(|file| file.exists())
        .collect();
    if files.is_empty() {
        bail!("nothing was written yet; to start the stack: {}", folder.line("up"));
    }
    let mut tail = Command::new("tail");
    tail.args(["-n", "+1"])
        .args(follow.then_some("-F"))
        .arg("--")
        .args(files);
    process::become_it(&mut tail)
}

/// Prints what to export.
///
/// # Errors
/// When nothing runs, or not all of it is up.
pub(super) fn env(workspace: &Workspace, folder: &Folder) -> Result<ExitCode> {
    let state = running(folder)?;
    let profile = folder.profile();
    if !profile.exists() {
        bail!("the stack is not up yet: {}", folder.line("status"));
    }
    println!("unset {}", OTHERS.join(" "));
    // Not every program reads profiles. Those that store keys do, and a key store that is said here would come before that of
    // the profile with the service too.
    let variables = [
        ("CHARTSEAL_CONFIG", profile.to_str()),
        ("CHARTSEAL_PROFILE", Some(profile::NAME)),
        ("CHARTSEAL_RPC_URL", state.rpc.as_deref()),
        ("CHARTSEAL_WS", state.ws.as_deref()),
        ("CHARTSEAL_GATEWAY_URL", state.gateway.as_deref()),
        ("CHARTSEAL_DATABASE_URL", state.database.as_deref()),
    ];
    for (name, value) in variables {
        let value = value.with_context(|| format!("{name} cannot be said"))?;
        println!("export {name}={}", quoted(value));
    }
    let programs = workspace.target.join("debug").display().to_string();
    println!("export PATH={}:\"$PATH\"", quoted(&programs));
    Ok(ExitCode::SUCCESS)
}
