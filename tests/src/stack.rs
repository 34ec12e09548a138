//! The stack: the sandbox with its ledger, gateway and Postgres, and the indexer between them; or the same with a local
//! validator for a ledger. It lives in a folder of its own and leaves nothing running.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::{
    ground::{self, Ground},
    people::Person,
    programs::{Process, keep, kept, kept_contract},
};

/// How long a part may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where everything is.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The ledger's JSON-RPC.
    pub rpc: String,
    /// The Arweave gateway.
    pub gateway: String,
    /// Postgres.
    pub database: String,
}

/// The parts, and the folder that they work in.
#[derive(Debug)]
pub struct Stack {
    // Dropped in this order: the indexer first, which talks to the others.
    indexer: Option<Process>,
    sandbox: Option<Process>,
    validator: Option<Process>,
    endpoints: Endpoints,
    upgrade_authority: String,
    options: Vec<String>,
    folder: TempDir,
}

impl Stack {
    /// Starts a sandbox whose program this wallet may initialise.
    ///
    /// # Errors
    /// Where a part does not start; its log says why.
    pub fn start(folder: TempDir, upgrade_authority: &str) -> Result<Self> {
        Self::start_with(folder, upgrade_authority, &[])
    }

    /// The same with further options of the sandbox.
    ///
    /// # Errors
    /// Where a part does not start; its log says why.
    pub fn start_with(folder: TempDir, upgrade_authority: &str, options: &[&str]) -> Result<Self> {
        Self::start_on(&Ground::Embedded, folder, upgrade_authority, options)
    }

    /// The same with any ledger. The options are the sandbox's still.
    ///
    /// # Errors
    /// Where a part does not start; its log says why.
    pub fn start_on(ground: &Ground, folder: TempDir, upgrade_authority: &str, options: &[&str]) -> Result<Self> {
        let mut stack = Self {
            indexer: None,
            sandbox: None,
            validator: None,
            endpoints: Endpoints::default(),
            upgrade_authority: upgrade_authority.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            folder,
        };
        keep(stack.folder())?;
        if let Ground::Validator(program) = ground {
            stack.start_validator(program)?;
        }
        stack.start_sandbox(0, 0)?;
        Ok(stack)
    }

    /// The folder that everybody works in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where everything is.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The folder with the gateway's items.
    #[must_use]
    pub fn gateway_items(&self) -> PathBuf {
        self.folder().join("sandbox/gateway")
    }

    /// What somebody other than the people of a story keeps in files: the gateway's items, and the ledger where it has
    /// any.
    #[must_use]
    pub fn public_files(&self) -> Vec<PathBuf> {
        let mut names = vec!["gateway", "gateway-index"];
        if self.validator.is_none() {
            names.push("ledger.journal");
        }
        let sandbox = self.folder().join("sandbox");
        names.into_iter().map(|name| sandbox.join(name)).collect()
    }

    fn start_validator(&mut self, program: &Path) -> Result<()> {
        let ready = self.folder().join("validator.json");
        let mut command = ground::validator(program, self.folder(), &self.upgrade_authority, &ready)?;
        let (validator, says) = self.start_part("the validator", &mut command, "validator.log", &ready)?;
        self.endpoints.rpc = says("rpc")?;
        self.validator = Some(validator);
        Ok(())
    }

    fn start_sandbox(&mut self, rpc_port: u16, gateway_port: u16) -> Result<()> {
        let ready = self.folder().join("ready.json");
        // A ready file of an earlier run would be believed.
        let _ = std::fs::remove_file(&ready);
        let mut command = kept(self.folder(), "chartseal-sandbox")?;
        command
            .arg("--data")
            .arg(self.folder().join("sandbox"))
            .args(["--gateway-port", &gateway_port.to_string()]);
        if self.validator.is_some() {
            command.arg("--no-ledger");
        } else {
            let contract = kept_contract(self.folder());
            let program_spec = format!("{}:{}", chartseal_program::ID, contract.display());
            command
                .args(["--rpc-port", &rpc_port.to_string(), "--program", &program_spec])
                .args(["--upgrade-authority", &self.upgrade_authority]);
        }
        command
            .arg("--ready-file")
            .arg(&ready)
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let (sandbox, says) = self.start_part("the sandbox", &mut command, "sandbox.log", &ready)?;
        if self.validator.is_none() {
            self.endpoints.rpc = says("rpc")?;
        }
        self.endpoints.gateway = says("gateway")?;
        self.endpoints.database = says("database")?;
        self.sandbox = Some(sandbox);
        Ok(())
    }

    /// Starts a part, and waits until its ready file is there: the part, and what the file says.
    fn start_part(
        &self,
        name: &'static str,
        command: &mut Command,
        log: &str,
        ready: &Path,
    ) -> Result<(Process, impl Fn(&str) -> Result<String> + use<>)> {
        let mut part = Process::start(name, command.stderr(self.log(log)?))?;
        let since = Instant::now();
        while !ready.exists() {
            if let Some(status) = part.ended()? {
                bail!("{name} ended with {status}:\n{}", self.tail(log));
            }
            ensure!(since.elapsed() < PATIENCE, "{name} is not ready:\n{}", self.tail(log));
            std::thread::sleep(Duration::from_millis(20));
        }
        let text = std::fs::read_to_string(ready).with_context(|| format!("cannot read the ready file of {name}"))?;
        let object: Value =
            serde_json::from_str(&text).with_context(|| format!("the ready file of {name} is no JSON"))?;
        let says = move |key: &str| {
            let value = object[key].as_str().map(str::to_owned);
            value.with_context(|| format!("the ready file of {name} has no {key}: {object}"))
        };
        Ok((part, says))
    }

    /// Ends the sandbox like a power cut.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill_sandbox(&mut self) -> Result<()> {
        self.sandbox.take().context("the sandbox does not run")?.kill()
    }

    /// Starts the sandbox again, on the same ports and the same data.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn restart_sandbox(&mut self) -> Result<()> {
        let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
        let (rpc, gateway) = (port(&self.endpoints.rpc), port(&self.endpoints.gateway));
        self.start_sandbox(rpc, gateway)
    }

    /// Starts the indexer.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start_indexer(&mut self) -> Result<()> {
        let mut command = kept(self.folder(), "chartseal-indexer")?;
        command
            .args(["run", "--rpc", &self.endpoints.rpc, "--poll-ms", "50"])
            .env("CHARTSEAL_DATABASE_URL", &self.endpoints.database)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log("indexer.log")?);
        self.indexer = Some(Process::start("the indexer", &mut command)?);
        Ok(())
    }

    /// Ends the indexer like a power cut.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill_indexer(&mut self) -> Result<()> {
        self.indexer.take().context("the indexer does not run")?.kill()
    }

    /// Whether the indexer has ended by itself.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn indexer_ended(&mut self) -> Result<bool> {
        Ok(match &mut self.indexer {
            Some(indexer) => indexer.ended()?.is_some(),
            None => true,
        })
    }

    /// Somebody who works on this stack; keys and files of theirs are in the stack's folder.
    #[must_use]
    pub fn person(&self, name: &'static str) -> Person {
        Person::new(name, self.folder(), &self.endpoints)
    }

    /// A connection to Postgres, as an analyst has one.
    ///
    /// # Errors
    /// Where Postgres does not answer.
    pub async fn analyst(&self) -> Result<PgPool> {
        PgPool::connect(&self.endpoints.database)
            .await
            .context("cannot reach Postgres")
    }

    /// Asks the indexer's proof until it has caught up with the ledger, and gives its report.
    ///
    /// # Errors
    /// Where it does not catch up.
    pub fn verified(&mut self) -> Result<Value> {
        let since = Instant::now();
        loop {
            let (code, report) = self.verify(&[])?;
            let behind =
                report["behind"]["events"].as_u64().unwrap_or(0) + report["behind"]["chains"].as_u64().unwrap_or(0);
            if behind == 0 || code == 3 {
                return Ok(report);
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "the indexer does not catch up:\n{}",
                self.tail("indexer.log")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs `chartseal-indexer verify` once: exit code and report.
    ///
    /// # Errors
    /// Where it cannot be run or gives no report.
    pub fn verify(&self, options: &[&str]) -> Result<(i32, Value)> {
        self.asks_indexer(&[&["verify"], options].concat())
    }

    /// Runs `chartseal-indexer` once with these words, the stack's node and database, and `--json`: exit code, and the object
    /// that it prints.
    ///
    /// # Errors
    /// Where it cannot be run or prints none.
    pub fn asks_indexer(&self, words: &[&str]) -> Result<(i32, Value)> {
        let output = kept(self.folder(), "chartseal-indexer")?
            .args(words)
            .args(["--json", "--rpc", &self.endpoints.rpc])
            .env("CHARTSEAL_DATABASE_URL", &self.endpoints.database)
            .stdin(Stdio::null())
            .output()
            .context("cannot run chartseal-indexer")?;
        let printed = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{words:?} gave no object: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok((output.status.code().unwrap_or(-1), printed))
    }

    /// Ends everything and says if a part had something to complain about.
    ///
    /// # Errors
    /// Where a part does not end as it should.
    pub fn stop(mut self) -> Result<()> {
        let parts = [self.indexer.take(), self.sandbox.take(), self.validator.take()];
        for process in parts.into_iter().flatten() {
            process.stop()?;
        }
        Ok(())
    }

    fn log(&self, name: &str) -> Result<File> {
        let path = self.folder().join(name);
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The last lines of a part's log.
    #[must_use]
    pub fn tail(&self, name: &str) -> String {
        let log = std::fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
