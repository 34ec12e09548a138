//! `cargo xtask localnet`: the whole stack on a local validator, started, watched and stopped as one. What runs is written
//! down under `target/localnet/run` (or `--data`), with the logs; nothing of it outlives `down` but the logs and what was
//! built.

mod http;
mod options;
mod part;
mod ports;
mod stack;
mod state;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub(crate) use options::Localnet;
use options::{Action, Up};
use part::Part;
use stack::{Contract, Stack};
use state::{Folder, Running, State};

use crate::process;
use crate::report::progress;
use crate::setup;
use crate::workspace::{Programs, Workspace};

/// How often a stack in the foreground is looked at.
const WATCH: Duration = Duration::from_millis(500);
/// The validator's package, which has a lockfile and a build folder of its own.
const VALIDATOR: &str = "sandbox/localnet/Cargo.toml";

/// Does what the command line asks.
///
/// # Errors
/// When a part is not well, or what was asked for does not run.
pub(crate) fn run(workspace: &Workspace, command: Localnet) -> Result<ExitCode> {
    let folder = match command.data {
        Some(folder) => std::path::absolute(folder).context("--data names no folder")?,
        None => workspace.target.join("localnet/run"),
    };
    let folder = Folder::open(folder)?;
    match command.command {
        Action::Up(options) => up(workspace, &folder, &options),
        Action::Status { json } => status(workspace, &folder, json),
        Action::Logs { part, follow } => logs(&folder, part, follow),
        Action::Env => env(workspace, &folder),
        Action::Admin { wallet } => admin(workspace, &folder, &wallet),
        Action::Down => down(&folder),
    }
}

fn up(workspace: &Workspace, folder: &Folder, options: &Up) -> Result<ExitCode> {
    let lock = folder.lock()?;
    if let Some(state) = folder.state()? {
        return runs_already(&state);
    }
    setup::ensure()?;
    let contract = Contract::committed(&workspace.root)?;
    let programs = build(workspace)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, interrupted.clone()).context("cannot wait for signals")?;
    }
    let data = std::env::temp_dir().join(format!("chartseal-localnet-{}", std::process::id()));
    let mut stack = Stack {
        folder,
        contract: &contract,
        programs: &programs,
        state: State::new(data),
        interrupted,
    };
    if let Err(error) = stack.start(options) {
        stack::stop(folder, &stack.state)
            .with_context(|| format!("{error:#}; and then not all of it could be stopped"))?;
        return Err(error);
    }
    print_places(&stack.state);
    if options.upgrade_authority.is_none() {
        eprintln!("nobody may initialise the registry yet; to let a wallet: cargo xtask localnet admin <its address>");
    }
    if options.detach {
        eprintln!("it runs until `cargo xtask localnet down`; to find it: eval \"$(cargo xtask localnet env)\"");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("it runs until Ctrl-C; in another terminal: eval \"$(cargo xtask localnet env)\"");
    drop(lock);
    watch(folder, &stack)
}

/// Stays until the user ends the stack, from here or elsewhere, or a part of it ends by itself.
fn watch(folder: &Folder, stack: &Stack<'_>) -> Result<ExitCode> {
    loop {
        std::thread::sleep(WATCH);
        let interrupted = stack.interrupted.load(Ordering::Relaxed);
        let ended = stack.state.parts.iter().find(|running| !running.is_alive());
        if !interrupted && ended.is_none() {
            continue;
        }
        // If `down` is at work, it has ended that part, and is done once we have the lock.
        let _lock = folder.lock()?;
        if folder.state()?.as_ref() != Some(&stack.state) {
            return Ok(ExitCode::SUCCESS);
        }
        progress("stopping");
        let said = ended.map(|running| stack::tail(&running.log));
        stack::stop(folder, &stack.state)?;
        return match (ended, said) {
            (Some(running), Some(said)) if !interrupted => bail!(
                "the {} ended by itself, and the others were stopped. The end of {}:\n{said}",
                running.part.name(),
                running.log.display()
            ),
            _ => Ok(ExitCode::SUCCESS),
        };
    }
}

fn runs_already(state: &State) -> Result<ExitCode> {
    let crashed = Part::ALL
        .into_iter()
        .find(|part| !state.part(*part).is_some_and(Running::is_alive));
    if let Some(part) = crashed {
        bail!(
            "a stack was started already, but its {} does not run: cargo xtask localnet down, then up again",
            part.name()
        );
    }
    eprintln!("it runs already:");
    print_places(state);
    Ok(ExitCode::SUCCESS)
}

/// Builds every program of the workspace and the validator.
///
/// # Errors
/// When something does not compile.
pub(crate) fn build(workspace: &Workspace) -> Result<Programs> {
    progress("building the programs (the first time takes some minutes)");
    let programs = workspace.build(&["--workspace", "--bins"])?;
    let target = workspace.target.join("localnet");
    let program = target.join("debug").join(Part::Validator.program());
    let first = if process::is_program(&program) {
        String::new()
    } else {
        format!(
            " (the first time takes some 15 minutes: it is a thousand packages; they are kept in {})",
            target.display()
        )
    };
    progress(&format!("building the validator{first}"));
    let target = target.display().to_string();
    let validator = workspace.build(&["--manifest-path", VALIDATOR, "--target-dir", &target, "--locked"])?;
    Ok(programs.and(validator))
}

fn print_places(state: &State) {
    for (name, place) in places(state) {
        println!("{name:<9} {place}");
    }
}

fn places(state: &State) -> impl Iterator<Item = (&'static str, &str)> {
    let places = [
        ("ledger", &state.rpc),
        ("events", &state.ws),
        ("gateway", &state.gateway),
        ("database", &state.database),
    ];
    places
        .into_iter()
        .filter_map(|(name, place)| Some((name, place.as_deref()?)))
}

fn status(workspace: &Workspace, folder: &Folder, as_json: bool) -> Result<ExitCode> {
    let Some(state) = folder.state()? else {
        match as_json {
            true => println!("{}", json!({ "up": false, "parts": [] })),
            false => println!("nothing runs; to start it: cargo xtask localnet up"),
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
                    "part": part, "well": outcome.is_ok(), "why": outcome.as_ref().err().map(|why| format!("{why:#}")),
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
            ..
        } = &state;
        println!(
            "{}",
            json!({ "up": up, "rpc": rpc, "ws": ws, "gateway": gateway, "database": database, "parts": parts })
        );
    } else {
        for (part, outcome) in &found {
            let pid = state
                .part(*part)
                .map_or_else(String::new, |running| running.pid.to_string());
            match outcome {
                Ok(()) => println!("{:<9} well       process {pid}", part.name()),
                Err(why) => println!("{:<9} not well   process {pid}: {why:#}", part.name()),
            }
        }
        print_places(&state);
    }
    Ok(if up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows logs, also of a stack that has gone down.
fn logs(folder: &Folder, part: Option<Part>, follow: bool) -> Result<ExitCode> {
    let parts = part.map_or_else(|| Part::ALL.to_vec(), |part| vec![part]);
    let files: Vec<PathBuf> = parts
        .into_iter()
        .map(|part| folder.log(part))
        .filter(|file| file.exists())
        .collect();
    if files.is_empty() {
        bail!("nothing was written yet; to start the stack: cargo xtask localnet up");
    }
    let mut tail = Command::new("tail");
    tail.args(["-n", "+1"])
        .args(follow.then_some("-F"))
        .arg("--")
        .args(files);
    process::become_it(&mut tail)
}

fn env(workspace: &Workspace, folder: &Folder) -> Result<ExitCode> {
    let state = running(folder)?;
    let variables = [
        ("CHARTSEAL_RPC_URL", &state.rpc),
        ("CHARTSEAL_GATEWAY_URL", &state.gateway),
        ("CHARTSEAL_DATABASE_URL", &state.database),
    ];
    for (name, value) in variables {
        let value = value
            .as_deref()
            .context("the stack is not up yet: cargo xtask localnet status")?;
        println!("export {name}={}", quoted(value));
    }
    let programs = workspace.target.join("debug").display().to_string();
    println!("export PATH={}:\"$PATH\"", quoted(&programs));
    Ok(ExitCode::SUCCESS)
}

/// As a shell takes it for one word, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn admin(workspace: &Workspace, folder: &Folder, wallet: &str) -> Result<ExitCode> {
    let state = running(folder)?;
    let rpc = state
        .rpc
        .as_deref()
        .context("the validator is not up yet: cargo xtask localnet status")?;
    let contract = Contract::committed(&workspace.root)?;
    http::call(rpc, "surfnet_setProgramAuthority", &json!([contract.address, wallet]))?;
    println!("{wallet} may initialise the registry: chartseal registry init");
    Ok(ExitCode::SUCCESS)
}

fn running(folder: &Folder) -> Result<State> {
    folder
        .state()?
        .context("nothing runs; to start it: cargo xtask localnet up")
}

fn down(folder: &Folder) -> Result<ExitCode> {
    let _lock = folder.lock()?;
    match folder.state()? {
        Some(state) => {
            stack::stop(folder, &state)?;
            println!("everything is stopped");
        }
        None => println!("nothing runs"),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_what_is_quoted_for_one_word() {
        for word in ["", "a b", "it's", "$HOME `x` \"y\" \\"] {
            let mut echo = Command::new("sh");
            let said = process::capture(echo.args(["-c", &format!("printf %s {}", quoted(word))])).unwrap();
            assert_eq!(said, word);
        }
    }
}
