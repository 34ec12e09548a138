//! Starting the parts. Each is started in a process group of its own, so that a Ctrl-C in the terminal is
//! ours to act on, and written down at once, so that `down` finds it whatever becomes of us.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::folder::{Folder, make_closed, remove_if_there};
use super::options::Up;
use super::part::{self, Part};
use super::ports;
use super::state::{Running, State, started};
use super::validator::{self, Plan, Validator};
use super::{end, http, lag};
use crate::localnet::profile;
use crate::process;
use crate::report::progress;
use crate::workspace::Programs;

/// How long a part may take until it is well.
const START: Duration = Duration::from_secs(90);
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
    /// Starts all parts in the folders of [`Folder::begin`] and waits until each is well. Where one is not, those that were
    /// started stay written down.
    ///
    /// # Errors
    /// Which part is not well, and the end of its log.
    pub(super) fn start(&mut self, options: &Up) -> Result<()> {
        for part in Part::ALL {
            remove_if_there(&self.folder.log(part))?;
        }
        self.folder.keep(&self.state)?;
        self.start_validator(options)?;
        self.start_sandbox(options)?;
        self.start_key_service(options)?;
        self.start_indexer()?;
        let own = self.folder.profile();
        for file in [Some(&own), options.profile_into.as_ref()].into_iter().flatten() {
            profile::write(self.programs, &self.state, &self.folder.keys(), file)?;
        }
        Ok(())
    }

    fn start_validator(&mut self, options: &Up) -> Result<()> {
        let port = match options.port {
            0 => ports::free_pair()?,
            port => port,
        };
        match options.validator {
            Validator::BuiltIn => self.start_built_in(options, port),
            installed => self.start_installed(options, installed, port),
        }
    }

    fn start_installed(&mut self, options: &Up, validator: Validator, port: u16) -> Result<()> {
        let part = Part::Validator;
        let program = validator.find()?;
        for port in [port, port.saturating_add(1)] {
            ports::require_free(port, "--port")?;
        }
        let data = self.state.data.join("validator");
        make_closed(&data)?;
        let authority = options.upgrade_authority.as_deref();
        let plan = Plan {
            port,
            faucet_port: ports::free()?,
            slot_time: options.slot_time,
            contract: self.contract,
            authority,
            data: &data,
        };
        self.spawn(part, &mut validator.command(&program, &plan))?;
        let rpc = format!("http://127.0.0.1:{port}");
        self.wait_for(part, || validator::is_up(&rpc).then_some(()))?;
        if validator.is_surfpool() {
            validator::deploy(&rpc, self.contract, authority)?;
        }
        for wallet in &options.wallets {
            let (address, lamports) = validator::wallet(wallet)?;
            validator::request(&rpc, address, lamports)?;
            self.wait_for(part, || validator::has(&rpc, address, lamports).then_some(()))?;
        }
        self.state.rpc = Some(rpc);
        self.state.ws = Some(format!("ws://127.0.0.1:{}", port.saturating_add(1)));
        self.folder.keep(&self.state)?;
        self.until_well(part)
    }

    fn start_built_in(&mut self, options: &Up, port: u16) -> Result<()> {
        let part = Part::Validator;
        let ready = self.folder.ready_file(part);
        remove_if_there(&ready)?;
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

    fn start_key_service(&mut self, options: &Up) -> Result<()> {
        let port = match options.key_service_port {
            0 => ports::free()?,
            port => port,
        };
        ports::require_free(port, "--key-service-port")?;
        self.state.key_service = Some(format!("http://127.0.0.1:{port}"));
        self.state.institutions.clone_from(&options.institutions);
        self.folder.keep(&self.state)?;
        self.run_key_service()
    }

    /// Ends the key service and starts it again, where it was, with another institution whose staff it is for.
    ///
    /// # Errors
    /// When it does not end, or is not well then.
    pub(super) fn add_institution(&mut self, id: &str) -> Result<()> {
        if let Some(at) = self.state.parts.iter().position(|it| it.part == Part::KeyService) {
            end::end(&self.state.parts[at])?;
            self.state.parts.remove(at);
        }
        if !self.state.institutions.iter().any(|there| there == id) {
            self.state.institutions.push(id.to_owned());
        }
        self.folder.keep(&self.state)?;
        self.run_key_service()
    }

    fn run_key_service(&mut self) -> Result<()> {
        let part = Part::KeyService;
        let url = self.state.key_service.as_deref();
        let mut command = self.programs.command(part.program())?;
        command
            .env_remove("CHARTSEAL_KEYSERVICE_AUTHORITY")
            .env_remove("CHARTSEAL_KEYSERVICE_INSTITUTIONS")
            .args([
                "--listen",
                url.and_then(http::host).context("the key service has no port")?,
            ])
            .args(["--rpc", self.state.rpc.as_deref().context("the validator is not up")?])
            .arg("--key-store")
            .arg(self.folder.keys());
        for institution in &self.state.institutions {
            command.args(["--institution", institution]);
        }
        self.spawn(part, &mut command)?;
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
            )
            .args(["--ws", self.state.ws.as_deref().unwrap_or("off")]);
        self.spawn(part, &mut command)?;
        self.until_well(part)
    }

    fn spawn(&mut self, part: Part, command: &mut Command) -> Result<()> {
        progress(&format!("starting the {}", part.name()));
        let path = self.folder.log(part);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
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
                Ok(_) => Some(()),
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

    /// Whether a part is there and well, and what else there is to say of it.
    ///
    /// # Errors
    /// What it lacks.
    pub(super) fn check(&self, part: Part) -> Result<Option<String>> {
        if !self.state.part(part).is_some_and(Running::is_alive) {
            bail!("the {} does not run", part.name());
        }
        match part {
            Part::Validator => part::check_validator(&self.state, &self.contract.address),
            Part::Sandbox => part::check_sandbox(&self.state),
            Part::KeyService => part::check_key_service(&self.state),
            Part::Indexer => return lag::check(&self.state, self.programs),
        }?;
        Ok(None)
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

    fn folder(name: &str) -> (PathBuf, Folder) {
        let path = std::env::temp_dir().join(format!("xtask-stack-{name}-{}", std::process::id()));
        (path.clone(), Folder::usual(path).unwrap())
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
