//! A key service at work, and people on machines of their own, who share no folder with anybody.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    clinic::Clinic,
    people::{Outcome, Person},
    programs::{kept, program},
    stack::{Endpoints, Stack},
};

/// A running service. It ends when this is dropped.
#[derive(Debug)]
pub struct KeyService {
    child: Child,
    /// Where it is reached.
    pub url: String,
}

impl KeyService {
    /// Serves the folder that a clinic's people share, to the staff of its hospital.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn of_clinic(clinic: &Clinic) -> Result<Self> {
        let rpc = &clinic.stack.endpoints().rpc;
        Self::start(
            &clinic.patient.key_store(),
            &["--rpc", rpc, "--institution", &clinic.id],
        )
    }

    /// Serves a folder.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(key_store: &Path, options: &[&str]) -> Result<Self> {
        let mut child = program("chartseal-keyservice")?
            .args(["--listen", "127.0.0.1:0", "--key-store"])
            .arg(key_store)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start chartseal-keyservice")?;
        let said = child.stdout.take().context("it says nothing")?;
        let mut service = Self {
            child,
            url: String::new(),
        };
        BufReader::new(said).read_line(&mut service.url)?;
        service.url.truncate(service.url.trim_end().len());
        ensure!(service.url.contains("://127.0.0.1:"), "it said: {}", service.url);
        Ok(service)
    }

    /// Host and port, as callers sign them.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.split_once("://").map_or(&self.url, |(_, authority)| authority)
    }
}

impl Drop for KeyService {
    fn drop(&mut self) {
        // One that has ended by itself is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A machine of somebody's own: what lies there is theirs, and of others they reach only addresses.
#[derive(Debug)]
pub struct Machine {
    folder: PathBuf,
    programs: PathBuf,
    endpoints: Endpoints,
}

impl Machine {
    /// An empty machine in reach of a stack, to which somebody brings their keys.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn of(stack: &Stack, person: &Person) -> Result<Self> {
        let folder = stack.folder().join(format!("machine-of-{}", person.name()));
        fs::create_dir(&folder).context("cannot make a folder")?;
        for (from, to) in [(person.identity(), "identity"), (person.passphrase(), "passphrase")] {
            fs::copy(from, folder.join(to)).context("cannot bring the keys")?;
        }
        Ok(Self {
            folder,
            programs: stack.folder().to_owned(),
            endpoints: stack.endpoints().clone(),
        })
    }

    /// The key store in a folder of this machine.
    #[must_use]
    pub fn key_store(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// A place on this machine.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Types a command with these key stores, as the environment variable names them, and waits for what comes of it.
    ///
    /// # Errors
    /// Where the program cannot be run.
    pub fn types(&self, key_stores: &str, words: &[&str]) -> Result<Outcome> {
        self.run(words, Some(key_stores))
    }

    /// The same with the key stores that the machine's profile names (`chartseal/config.toml`).
    ///
    /// # Errors
    /// As [`types`](Self::types).
    pub fn types_by_profile(&self, words: &[&str]) -> Result<Outcome> {
        self.run(words, None)
    }

    fn run(&self, words: &[&str], key_stores: Option<&str>) -> Result<Outcome> {
        let mut command = kept(&self.programs, "chartseal")?;
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CHARTSEAL_")) {
            command.env_remove(key);
        }
        let Endpoints { rpc, gateway, .. } = &self.endpoints;
        command
            .args(["--json", "--rpc", rpc, "--gateway", gateway, "--identity", "identity"])
            .args(["--passphrase-file", "passphrase"])
            .args(words)
            .envs(key_stores.map(|named| ("CHARTSEAL_KEY_STORE", named)))
            .env("XDG_CONFIG_HOME", &self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        Ok(Outcome::from(&command.output().context("cannot run chartseal")?))
    }
}
