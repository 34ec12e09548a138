//! `cargo xtask localnet`: the whole stack on a local validator, started, watched and stopped as one. What runs is written
//! down under `target/localnet/run` (or `--data`), with the logs; nothing of it outlives `down` but the logs and what was
//! built.

mod end;
mod folder;
mod http;
mod lag;
mod options;
mod part;
mod ports;
mod profile;
mod show;
mod stack;
mod state;
mod validator;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use folder::Folder;
pub(crate) use options::Localnet;
use options::{Action, Up};
use part::Part;
use stack::{Contract, Stack};
use state::{Running, State};
use validator::Validator;

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
        Some(folder) => Folder::named(std::path::absolute(folder).context("--data names no folder")?)?,
        None => Folder::usual(workspace.target.join("localnet/run"))?,
    };
    match command.command {
        Action::Up(options) => up(workspace, &folder, &options),
        Action::Status { json } => show::status(workspace, &folder, json),
        Action::Logs { part, follow } => show::logs(&folder, part, follow),
        Action::Env => show::env(workspace, &folder),
        Action::Institution { id } => institution(workspace, &folder, &id),
        Action::Admin { wallet } => admin(workspace, &folder, &wallet),
        Action::Down => down(&folder),
    }
}

fn up(workspace: &Workspace, folder: &Folder, options: &Up) -> Result<ExitCode> {
    let lock = folder.lock()?;
    if let Some(state) = folder.state()? {
        return runs_already(folder, &state);
    }
    setup::ensure()?;
    let contract = Contract::committed(&workspace.root)?;
    let programs = match options.validator {
        Validator::BuiltIn => build(workspace)?,
        installed => {
            // Before minutes are spent on a build.
            installed.find()?;
            build_programs(workspace)?
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, interrupted.clone()).context("cannot wait for signals")?;
    }
    let data = folder.begin()?;
    let mut stack = Stack {
        folder,
        contract: &contract,
        programs: &programs,
        state: State::new(data, options.validator),
        interrupted,
    };
    if let Err(error) = stack.start(options) {
        end::stop(folder, &stack.state)
            .with_context(|| format!("{error:#}; and then not all of it could be stopped"))?;
        return Err(error);
    }
    show::print_places(&stack.state);
    if options.upgrade_authority.is_none() {
        let line = folder.line("admin <its address>");
        eprintln!("nobody may initialise the registry yet; to let a wallet: {line}");
    }
    let found = format!("eval \"$({})\"", folder.line("env"));
    if options.detach {
        eprintln!("it runs until `{}`; to find it: {found}", folder.line("down"));
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("it runs until Ctrl-C; in another terminal: {found}");
    drop(lock);
    watch(folder, stack)
}

/// Stays until the user ends the stack, from here or elsewhere, or a part of it ends by itself.
fn watch(folder: &Folder, mut stack: Stack<'_>) -> Result<ExitCode> {
    loop {
        std::thread::sleep(WATCH);
        let interrupted = stack.interrupted.load(Ordering::Relaxed);
        let ended = |state: &State| state.parts.iter().find(|running| !running.is_alive()).cloned();
        if !interrupted && ended(&stack.state).is_none() {
            continue;
        }
        // If another command is at work, it has ended that part, and is done once we have the lock.
        let _lock = folder.lock()?;
        match folder.state()? {
            Some(now) if now.data == stack.state.data => stack.state = now,
            _ => return Ok(ExitCode::SUCCESS),
        }
        let ended = ended(&stack.state);
        if !interrupted && ended.is_none() {
            continue;
        }
        progress("stopping");
        let said = ended.as_ref().map(|running| stack::tail(&running.log));
        end::stop(folder, &stack.state)?;
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

fn runs_already(folder: &Folder, state: &State) -> Result<ExitCode> {
    let crashed = Part::ALL
        .into_iter()
        .find(|part| !state.part(*part).is_some_and(Running::is_alive));
    if let Some(part) = crashed {
        bail!(
            "a stack was started already, but its {} does not run: {}, then up again",
            part.name(),
            folder.line("down")
        );
    }
    eprintln!("it runs already:");
    show::print_places(state);
    Ok(ExitCode::SUCCESS)
}

/// Builds every program of the workspace and the validator.
///
/// # Errors
/// When something does not compile.
pub(crate) fn build(workspace: &Workspace) -> Result<Programs> {
    let programs = build_programs(workspace)?;
    Ok(programs.and(build_validator(workspace)?))
}

/// Builds the validator.
///
/// # Errors
/// When it does not compile.
pub(crate) fn build_validator(workspace: &Workspace) -> Result<Programs> {
    let target = workspace.target.join("localnet");
    let program = target.join("debug").join(Part::Validator.program());
    let first = if process::is_program(&program) {
        String::new()
    } else {
        format!(
            " (the first time takes some ten minutes: it is a thousand packages; they are kept in {})",
            target.display()
        )
    };
    progress(&format!("building the validator{first}"));
    let target = target.display().to_string();
    workspace.build(&["--manifest-path", VALIDATOR, "--target-dir", &target, "--locked"])
}

fn build_programs(workspace: &Workspace) -> Result<Programs> {
    progress("building the programs (the first time takes some minutes)");
    workspace.build(&["--workspace", "--bins"])
}

fn admin(workspace: &Workspace, folder: &Folder, wallet: &str) -> Result<ExitCode> {
    let state = running(folder)?;
    let rpc = state
        .rpc
        .as_deref()
        .with_context(|| format!("the validator is not up yet: {}", folder.line("status")))?;
    if !state.validator.is_surfpool() {
        bail!(
            "solana-test-validator is told at the start who the upgrade authority is: {}, then up with \
             --upgrade-authority {wallet}",
            folder.line("down")
        );
    }
    let contract = Contract::committed(&workspace.root)?;
    http::call(rpc, "surfnet_setProgramAuthority", &json!([contract.address, wallet]))?;
    println!("{wallet} may initialise the registry: chartseal registry init");
    Ok(ExitCode::SUCCESS)
}

fn institution(workspace: &Workspace, folder: &Folder, id: &str) -> Result<ExitCode> {
    let _lock = folder.lock()?;
    let contract = Contract::committed(&workspace.root)?;
    // Where it was when the stack was started; nothing is built.
    let programs = Programs::in_folder(&workspace.target.join("debug"), &[Part::KeyService.program()]);
    let mut stack = Stack {
        folder,
        contract: &contract,
        programs: &programs,
        state: running(folder)?,
        interrupted: Arc::default(),
    };
    stack.add_institution(id)?;
    println!("the staff of {id} may store keys at the key service");
    Ok(ExitCode::SUCCESS)
}

fn running(folder: &Folder) -> Result<State> {
    folder
        .state()?
        .with_context(|| format!("nothing runs; to start it: {}", folder.line("up")))
}

fn down(folder: &Folder) -> Result<ExitCode> {
    let _lock = folder.lock()?;
    match folder.state()? {
        Some(state) => {
            end::stop(folder, &state)?;
            println!("everything is stopped");
        }
        None => println!("nothing runs"),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command};

    fn sleeping(part: Part) -> (Child, Running) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let running = Running {
            part,
            pid,
            started: state::started(pid).unwrap(),
            log: PathBuf::new(),
        };
        (child, running)
    }

    #[test]
    fn a_part_that_another_command_started_anew_is_stopped_with_the_others() {
        let path = std::env::temp_dir().join(format!("xtask-watch-{}", std::process::id()));
        let folder = Folder::usual(path.clone()).unwrap();
        let (mut before, old) = sleeping(Part::KeyService);
        let (mut after, new) = sleeping(Part::KeyService);
        let mut state = State::new(path.join("data"), Validator::BuiltIn);
        state.parts = vec![new.clone()];
        folder.keep(&state).unwrap();
        state.parts = vec![old];
        before.kill().unwrap();
        before.wait().unwrap();
        let contract = Contract {
            address: String::new(),
            file: PathBuf::new(),
        };
        let stack = Stack {
            folder: &folder,
            contract: &contract,
            programs: &Programs::in_folder(Path::new(""), &[]),
            state,
            interrupted: Arc::new(AtomicBool::new(true)),
        };
        watch(&folder, stack).unwrap();
        assert!(!new.is_alive());
        assert!(!after.wait().unwrap().success());
        assert_eq!(folder.state().unwrap(), None);
        std::fs::remove_dir_all(path).unwrap();
    }
}
