//! Postgres alone: the sandbox without a ledger, in a folder of its own, with as many databases as somebody wants. It is
//! durable as Postgres is by default, and it can be ended in the ways in which databases end.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::programs::{Process, program};

/// How long it may take until it is ready, or has ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a database server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Asked to: connections are cut and a checkpoint is written.
    Fast,
    /// Without a checkpoint: the next start recovers from the write-ahead log.
    Immediate,
}

/// A server that runs, or has ended and can be started again.
#[derive(Debug)]
pub struct Cluster {
    sandbox: Option<Process>,
    folder: PathBuf,
    url: String,
}

impl Cluster {
    /// Starts one in a folder that is there.
    ///
    /// # Errors
    /// Where it does not start; its log says why.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut cluster = Self {
            sandbox: None,
            folder: folder.to_owned(),
            url: String::new(),
        };
        cluster.restart()?;
        Ok(cluster)
    }

    /// Starts it after it has ended. Its URL stays the same.
    ///
    /// # Errors
    /// Where it does not start; its log says why.
    pub fn restart(&mut self) -> Result<()> {
        let ready = self.folder.join("ready.json");
        // A ready file of an earlier run would be believed.
        let _ = std::fs::remove_file(&ready);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("sandbox.log"))
            .context("cannot write the sandbox's log")?;
        let mut command = program("chartseal-sandbox")?;
        command
            .args(["--no-ledger", "--gateway-port", "0", "--data"])
            .arg(self.folder.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut sandbox = Process::start("the sandbox", &mut command)?;
        let since = Instant::now();
        while !ready.exists() {
            if let Some(status) = sandbox.ended()? {
                bail!("the sandbox ended with {status}:\n{}", self.log());
            }
            ensure!(since.elapsed() < PATIENCE, "Postgres is not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        let text = std::fs::read_to_string(&ready).context("cannot read the sandbox's ready file")?;
        let object: Value = serde_json::from_str(&text).context("the sandbox's ready file is no JSON")?;
        object["database"]
            .as_str()
            .context("the sandbox has no database")?
            .clone_into(&mut self.url);
        self.sandbox = Some(sandbox);
        Ok(())
    }

    /// Ends the server, and waits until it has.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn end(&mut self, how: End) -> Result<()> {
        let mut sandbox = self.sandbox.take().context("Postgres does not run")?;
        let signal = match how {
            End::Fast => Signal::INT,
            End::Immediate => Signal::QUIT,
        };
        // The server may have ended by itself, where its disk is full.
        if let Some(pid) = self.server() {
            let _ = kill_process(pid, signal);
        }
        // The sandbox is nothing without it, and ends too.
        let since = Instant::now();
        while sandbox.ended()?.is_none() {
            ensure!(since.elapsed() < PATIENCE, "Postgres does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn has_ended(&mut self) -> Result<bool> {
        match &mut self.sandbox {
            Some(sandbox) => Ok(sandbox.ended()?.is_some()),
            None => Ok(true),
        }
    }

    /// The server's process: the first line of its pid file.
    fn server(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.folder.join("data/postgres/cluster/postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    /// Where its first database is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new database, and its URL.
    ///
    /// # Errors
    /// Where Postgres refuses.
    pub async fn database(&self, name: &'static str) -> Result<String> {
        let mut connection = connect(&self.url).await?;
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .with_context(|| format!("cannot make database {name}"))?;
        connection.close().await?;
        Ok(self.url.replace("/chartseal?", &format!("/{name}?")))
    }

    /// The last lines of what sandbox and server say.
    fn log(&self) -> String {
        let tail = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(15).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        let files = ["sandbox.log", "data/postgres/server.log"];
        files.map(|name| tail(&self.folder.join(name))).join("\n")
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// Where it does not end as it should.
    pub fn stop(mut self) -> Result<()> {
        self.sandbox.take().map_or(Ok(()), Process::stop)
    }
}

/// A connection whose names mean the indexer's tables.
///
/// # Errors
/// Where Postgres does not answer.
pub async fn connect(url: &str) -> Result<PgConnection> {
    let options = PgConnectOptions::from_str(url).context("not the URL of a database")?;
    let options = options.options([("search_path", "chartseal")]);
    options.connect().await.context("cannot reach Postgres")
}
