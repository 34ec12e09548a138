//! Somebody with keys and a terminal: what they type is run as the real program.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{programs::kept, stack::Endpoints};

/// What a command came to.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code: 0 done, 1 error, 2 refused by policy, 3 stored bytes do not match their hash.
    pub code: i32,
    /// The objects that it printed.
    pub objects: Vec<Value>,
    /// What it said on standard error.
    pub error: String,
}

impl Outcome {
    /// A text in the first object.
    ///
    /// # Errors
    /// Where there is none.
    pub fn text(&self, key: &str) -> Result<String> {
        let found = self.objects.first().and_then(|object| object[key].as_str());
        found
            .map(str::to_owned)
            .with_context(|| format!("the answer has no {key}: {self:?}"))
    }
}

impl From<&Output> for Outcome {
    fn from(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        Self {
            code: output.status.code().unwrap_or(-1),
            objects: text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Somebody.
#[derive(Clone, Debug)]
pub struct Person {
    name: &'static str,
    folder: PathBuf,
    endpoints: Endpoints,
    second_key_store: bool,
}

impl Person {
    pub(crate) fn new(name: &'static str, folder: &Path, endpoints: &Endpoints) -> Self {
        Self {
            name,
            folder: folder.to_owned(),
            endpoints: endpoints.clone(),
            second_key_store: false,
        }
    }

    /// Their name in the story.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The same person, who reaches the ledger at another address.
    #[must_use]
    pub fn through_rpc(&self, rpc: &str) -> Self {
        let mut other = self.clone();
        rpc.clone_into(&mut other.endpoints.rpc);
        other
    }

    /// The same person, who reaches the gateway at another address.
    #[must_use]
    pub fn through_gateway(&self, gateway: &str) -> Self {
        let mut other = self.clone();
        gateway.clone_into(&mut other.endpoints.gateway);
        other
    }

    /// The file with their keys.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.folder.join(format!("{}.id", self.name))
    }

    /// The file with their passphrase.
    #[must_use]
    pub fn passphrase(&self) -> PathBuf {
        self.folder.join(format!("{}.passphrase", self.name))
    }

    /// The key store that everybody in the story shares.
    #[must_use]
    pub fn key_store(&self) -> PathBuf {
        self.folder.join("key-store")
    }

    /// The same person, who works with a second key store beside the one that everybody shares.
    #[must_use]
    pub fn with_second_key_store(&self) -> Self {
        Self {
            second_key_store: true,
            ..self.clone()
        }
    }

    /// The second key store, for those who work with one.
    #[must_use]
    pub fn second_key_store(&self) -> PathBuf {
        self.folder.join("second-key-store")
    }

    /// The command that they type, ready to run.
    ///
    /// # Errors
    /// Where the program is not built.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = kept(&self.folder, "chartseal")?;
        command
            .args([
                "--json",
                "--rpc",
                &self.endpoints.rpc,
                "--gateway",
                &self.endpoints.gateway,
            ])
            .arg("--identity")
            .arg(self.identity())
            .arg("--passphrase-file")
            .arg(self.passphrase())
            .arg("--key-store")
            .arg(self.key_store());
        if self.second_key_store {
            command.arg("--key-store").arg(self.second_key_store());
        }
        command.args(words).stdin(Stdio::null());
        Ok(command)
    }

    /// Types a command, and waits for what comes of it.
    ///
    /// # Errors
    /// Where the program cannot be run.
    pub fn types(&self, words: &[&str]) -> Result<Outcome> {
        let output = self.command(words)?.output().context("cannot run chartseal")?;
        Ok(Outcome::from(&output))
    }

    /// Types a command that has to work.
    ///
    /// # Errors
    /// Where it does not.
    pub fn does(&self, words: &[&str]) -> Result<Outcome> {
        let outcome = self.types(words)?;
        if outcome.code != 0 {
            bail!(
                "{}: chartseal {} ended with {}: {}",
                self.name,
                words.join(" "),
                outcome.code,
                outcome.error
            );
        }
        Ok(outcome)
    }

    /// Makes keys and asks for money; the wallet's address.
    ///
    /// # Errors
    /// Where that does not work.
    pub fn arrives(&self) -> Result<String> {
        let wallet = self.makes_keys()?;
        self.does(&["airdrop", "100"])?;
        Ok(wallet)
    }

    /// Makes keys; the wallet's address.
    ///
    /// # Errors
    /// Where that does not work.
    pub fn makes_keys(&self) -> Result<String> {
        std::fs::write(self.passphrase(), format!("the passphrase of {}\n", self.name))
            .context("cannot write a passphrase file")?;
        self.does(&["keys", "new"])?.text("wallet")
    }
}
