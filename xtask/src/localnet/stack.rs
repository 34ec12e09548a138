//! Starting and stopping the parts. Each is started in a process group of its own, so that a Ctrl-C in the terminal is
//! ours to act on, and written down at once, so that `down` finds it whatever becomes of us.

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use super::options::Up;
use super::part::{self, Part};
use super::ports;
use super::state::{Folder, Running, State, remove_if_there, started};
use crate::process;
use crate::report::progress;
use crate::workspace::Programs;

/// How long a part may take until it is well.
const START: Duration = Duration::from_secs(90);
/// How long a part may take to end by itself: Postgres has half a minute to write down what it holds.
const STOP: Duration = Duration::from_secs(45);
/// How long the database's files may be in use after the sandbox was killed, until its Postgres has noticed.
const LEFTOVERS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// How often a part is asked whether it is well by then.
const ASK: Duration = Duration::from_millis(300);
/// How much of a log an error shows.
const LOG_LINES: usize = 12;

/// The contract as it is deployed.
#[derive(Debug, Clone)]
pub(super) struct Contract {
    pub(super) address: String,
    pub(super) file: PathBuf,
}

impl Contract {
    /// The committed one.
    ///
    /// # Errors
    /// When its files are not there.
    pub(super) fn committed(root: &Path) -> Result<Self> {
        let artifacts = root.join("programs/chartseal/artifacts");
        let idl = artifacts.join("chartseal.json");
        let text = std::fs::read_to_string(&idl).with_context(|| format!("cannot read {}", idl.display()))?;
        let idl: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", idl.display()))?;
        let address = idl["address"].as_str().context("the IDL has no address")?;
        Ok(Self {
            address: address.to_owned(),
            file: artifacts.join("chartseal.so"),
        })
    }
}

/// A stack that is being started, or runs.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    pub(super) folder: &'a Folder,
    pub(super) contract: &'a Contract,
    pub(super) programs: &'a Programs,
    pub(super) state: State,
    /// Set when the user wants to end it.
    pub(super) interrupted: Arc<AtomicBool>,
}

impl Stack<'_> {
    /// Starts all parts and waits until each is well. Where one is not, those that were started stay written down.
    ///
    /// # Errors
    /// Which part is not well, and the end of its log.
    pub(super) fn start(&mut self, options: &Up) -> Result<()> {
        make_closed(&self.state.data)?;
        self.folder.keep(&self.state)?;
        self.start_validator(options)?;
        self.start_sandbox(options)?;
        self.start_indexer()
    }

    fn start_validator(&mut self, options: &Up) -> Result<()> {
        let part = Part::Validator;
        let ready = self.folder.ready_file(part);
        remove_if_there(&ready)?;
        let port = match options.port {
            0 => ports::free_pair()?,
            port => port,
        };
        let mut command = self.programs.command(part.program())?;
        command
            .args(["--port", &port.to_string()])
            .args(["--slot-time", &options.slot_time.to_string()])
            .arg("--program")
            .arg(format!("{}:{}", self.contract.address, self.contract.file.display()))
            .arg("--ready-file")
            .arg(&ready);
        if let Some(authority) = &options.upgrade_authority {
            command.args(["--upgrade-authority", authority]);
        }
        for wallet in &options.wallets {
            command.args(["--fund", wallet]);
        }
        self.spawn(part, &mut command)?;
        let endpoints = self.wait_for(part, || endpoints(&ready))?;
        self.state.rpc = text(&endpoints, "rpc");
        self.state.ws = text(&endpoints, "ws");
        self.folder.keep(&self.state)?;
        self.until_well(part)
    }

    fn start_sandbox(&mut self, options: &Up) -> Result<()> {
        let part = Part::Sandbox;
        let ready = self.folder.ready_file(part);
        remove_if_there(&ready)?;
        let mut command = self.programs.command(part.program())?;
        command
            .arg("--no-ledger")
            .arg("--data")
            .arg(&self.state.data)
            .args(["--gateway-port", &options.gateway_port.to_string()])
            .arg("--ready-file")
            .arg(&ready);
        self.spawn(part, &mut command)?;
        let endpoints = self.wait_for(part, || endpoints(&ready))?;
        self.state.gateway = text(&endpoints, "gateway");
        self.state.database = text(&endpoints, "database");
        self.folder.keep(&self.state)?;
        self.until_well(part)
    }

    fn start_indexer(&mut self) -> Result<()> {
        let part = Part::Indexer;
        let mut command = self.programs.command(part.program())?;
        command
            .args([
                "run",
                "--rpc",
                self.state.rpc.as_deref().context("the validator is not up")?,
            ])
            .env(
                "CHARTSEAL_DATABASE_URL",
                self.state.database.as_deref().context("Postgres is not up")?,
            );
        self.spawn(part, &mut command)?;
        self.until_well(part)
    }

    fn spawn(&mut self, part: Part, command: &mut Command) -> Result<()> {
        progress(&format!("starting the {}", part.name()));
        let path = self.folder.log(part);
        let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start: {}", process::line(command)))?;
        let pid = i32::try_from(child.id()).context("the system gives numbers that are too large")?;
        self.state.parts.push(Running {
            part,
            pid,
            // One that has ended already is found to be no more, whatever stands here.
            started: started(pid).unwrap_or_default(),
            log: path,
        });
        self.folder.keep(&self.state)
    }

    fn until_well(&self, part: Part) -> Result<()> {
        let mut asked: Option<Instant> = None;
        let mut why = None;
        let well = self.wait_for(part, || {
            if asked.is_some_and(|asked| asked.elapsed() < ASK) {
                return None;
            }
            asked = Some(Instant::now());
            match self.check(part) {
                Ok(()) => Some(()),
                Err(error) => {
                    why = Some(error);
                    None
                }
            }
        });
        match (well, why) {
            (Err(error), Some(why)) => Err(error.context(format!("{why:#}"))),
            (outcome, _) => outcome,
        }
    }

    /// Whether a part is there and well.
    ///
    /// # Errors
    /// What it lacks.
    pub(super) fn check(&self, part: Part) -> Result<()> {
        if !self.state.part(part).is_some_and(Running::is_alive) {
            bail!("the {} does not run", part.name());
        }
        match part {
            Part::Validator => part::check_validator(&self.state, &self.contract.address),
            Part::Sandbox => part::check_sandbox(&self.state),
            Part::Indexer => part::check_indexer(&self.state, self.programs),
        }
    }

    fn wait_for<T>(&self, part: Part, mut found: impl FnMut() -> Option<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = found() {
                return Ok(found);
            }
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            let why = match self.state.part(part).is_some_and(Running::is_alive) {
                true if begun.elapsed() < START => {
                    std::thread::sleep(POLL);
                    continue;
                }
                true => format!("is not well after {} s", START.as_secs()),
                false => "ended instead of starting".to_owned(),
            };
            let log = self.folder.log(part);
            bail!(
                "the {} {why}. The end of {}:\n{}",
                part.name(),
                log.display(),
                tail(&log)
            );
        }
    }
}

/// Stops whatever of a stack still runs, the last that was started first, and removes what it held.
///
/// # Errors
/// When something cannot be stopped or removed; it stays written down.
pub(super) fn stop(folder: &Folder, state: &State) -> Result<()> {
    for running in state.parts.iter().rev() {
        end(running)?;
        remove_if_there(&folder.ready_file(running.part))?;
    }
    // Postgres ends with its sandbox, but where that was killed, a moment later.
    if let Some(sockets) = state.database.as_deref().and_then(part::socket_folder) {
        let begun = Instant::now();
        while sockets.join(part::SOCKET).exists() && begun.elapsed() < LEFTOVERS {
            std::thread::sleep(POLL);
        }
        // Only empty, as a server leaves it; the sandbox has removed it already unless it was killed.
        match std::fs::remove_dir(sockets) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                progress(&format!("{} stays behind: {error}", sockets.display()));
            }
            _ => {}
        }
    }
    remove_folder(&state.data)?;
    folder.forget()
}

fn end(running: &Running) -> Result<()> {
    let pid = Pid::from_raw(running.pid).context("the state names no process")?;
    for (signal, patience) in [(Signal::TERM, STOP), (Signal::KILL, STOP)] {
        if !running.is_alive() {
            return Ok(());
        }
        // It may have ended just now.
        let _ = match signal {
            Signal::KILL => {
                progress(&format!("the {} does not end: killing it", running.part.name()));
                kill_process_group(pid, signal)
            }
            _ => kill_process(pid, signal),
        };
        let begun = Instant::now();
        while running.is_alive() && begun.elapsed() < patience {
            std::thread::sleep(POLL);
        }
    }
    if running.is_alive() {
        bail!("the {} (process {}) does not end", running.part.name(), running.pid);
    }
    Ok(())
}

/// The folder is of the user's alone, and was not there before.
fn make_closed(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

/// What is in use still is tried again for a while.
fn remove_folder(path: &Path) -> Result<()> {
    let begun = Instant::now();
    loop {
        match std::fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) if begun.elapsed() < LEFTOVERS => std::thread::sleep(POLL),
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
}

/// What a part's ready file says, once it is there.
fn endpoints(ready: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(ready).ok()?).ok()
}

fn text(object: &Value, key: &str) -> Option<String> {
    object[key].as_str().map(str::to_owned)
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Child;

    fn folder(name: &str) -> (PathBuf, Folder) {
        let path = std::env::temp_dir().join(format!("xtask-stack-{name}-{}", std::process::id()));
        (path.clone(), Folder::open(path).unwrap())
    }

    fn part(part: Part, child: &Child) -> Running {
        let pid = i32::try_from(child.id()).unwrap();
        Running {
            part,
            pid,
            started: started(pid).unwrap_or_default(),
            log: PathBuf::new(),
        }
    }

    #[test]
    fn down_stops_what_runs_also_beside_what_crashed_and_may_be_said_twice() {
        let (path, folder) = folder("down");
        let mut state = State::new(path.join("data"));
        make_closed(&state.data).unwrap();
        assert!(make_closed(&state.data).is_err(), "somebody else's folder is not ours");
        std::fs::write(state.data.join("item"), "").unwrap();
        let sockets = path.join("sockets");
        make_closed(&sockets).unwrap();
        state.database = Some(format!("postgres://x@localhost/x?host={}", sockets.display()));
        let mut children =
            ["exec sleep 1000", "exit 1"].map(|line| Command::new("sh").args(["-c", line]).spawn().unwrap());
        state.parts = vec![part(Part::Validator, &children[0]), part(Part::Sandbox, &children[1])];
        folder.keep(&state).unwrap();
        for _ in 0..2 {
            stop(&folder, &state).unwrap();
            assert!(state.parts.iter().all(|running| !running.is_alive()));
            assert!(!state.data.exists() && !sockets.exists());
            assert_eq!(folder.state().unwrap(), None);
        }
        assert!(children.iter_mut().all(|child| !child.wait().unwrap().success()));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let (path, _) = folder("tail");
        let log = path.join("x.log");
        std::fs::write(&log, (0..100).map(|n| format!("line {n}\n")).collect::<String>()).unwrap();
        assert!(tail(&log).starts_with("line 88\n") && tail(&log).ends_with("line 99"));
        assert_eq!(tail(&path.join("none")), "");
        std::fs::remove_dir_all(path).unwrap();
    }
}
