//! The gateway that is uploaded to: the sandbox as a process of its own, on loopback, in a folder in memory, so that
//! neither a disk nor a network is measured.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::ending;
use crate::programs::{Process, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// A sandbox that runs, without Postgres.
#[derive(Debug)]
pub(super) struct Gateway {
    process: Process,
    url: String,
}

impl Gateway {
    /// Starts one on these cores, in a folder that is there and empty.
    pub(super) fn start(folder: &Path, cores: &[usize]) -> Result<Self> {
        let sandbox = program("chartseal-sandbox")?;
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let mut command = ending::tie(Command::new(own))?;
        let ready = folder.join("ready.json");
        let log = std::fs::File::create(folder.join("sandbox.log")).context("cannot write the sandbox's log")?;
        command
            .arg("on")
            .args(cores.iter().map(ToString::to_string))
            .arg("--")
            .arg(sandbox.get_program())
            .args(["--no-postgres", "--rpc-port", "0", "--gateway-port", "0", "--data"])
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut process = Process::start("the sandbox", &mut command)?;
        let since = Instant::now();
        while !ready.exists() {
            if let Some(status) = process.ended()? {
                let log = std::fs::read_to_string(folder.join("sandbox.log")).unwrap_or_default();
                bail!("the sandbox ended with {status}: {log}");
            }
            ensure!(since.elapsed() < PATIENCE, "the sandbox is not ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        let text = std::fs::read_to_string(&ready).context("cannot read the sandbox's ready file")?;
        let object: Value = serde_json::from_str(&text).context("the sandbox's ready file is no JSON")?;
        let url = object["gateway"]
            .as_str()
            .context("the sandbox has no gateway")?
            .to_owned();
        Ok(Self { process, url })
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it.
    pub(super) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}
