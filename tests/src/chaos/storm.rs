//! Everything that is there while the weather is bad, and after it: node, Postgres, indexer, and the calm run.

use std::{fs::File, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use sqlx::Executor as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    compare::{self, Same},
    disk::Disk,
    faults::Faults,
    ledger::{Happened, Ledger},
    met::{Kind, Met},
    node::{GIVEN_UP_AFTER, Node},
};
use crate::{
    cluster::{Cluster, connect},
    kills::Dice,
    programs::{Process, keep, kept, work_folder},
};

/// How long a slot of the ledger is.
const SLOT: Duration = Duration::from_millis(100);

/// How often to look whether something is as it will be, and how many times at most: two minutes of an idle machine. It is
/// not a time, because a machine that stands still for a while makes no progress either.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: u32 = 2_400;

/// What the indexer logs: all that every failed try said of who was away, too.
const LOGS: &str = "info,sqlx=warn,chartseal_indexer::outage=debug";

pub(super) struct Storm {
    // Dropped in this order: the indexer first, which talks to the others; the disk last, which Postgres is on.
    indexer: Option<Process>,
    pub(super) cluster: Cluster,
    pub(super) node: Node,
    pub(super) disk: Disk,
    pub(super) chaos: String,
    calm: String,
    pub(super) runtime: Runtime,
    pub(super) dice: Dice,
    pub(super) struck: Met,
    folder: TempDir,
}

impl Storm {
    pub(super) fn begin(seed: u64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start a runtime")?;
        let folder = work_folder()?;
        keep(folder.path())?;
        let place = folder.path().join("disk");
        let disk = Disk::mount(&place)?;
        let cluster = Cluster::start(&place)?;
        let (chaos, calm) = runtime.block_on(async {
            // So that the write-ahead log leaves room on a small disk.
            let mut connection = connect(cluster.url()).await?;
            connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'").await?;
            connection.execute("ALTER SYSTEM SET min_wal_size = '48MB'").await?;
            connection.execute("SELECT pg_reload_conf()").await?;
            anyhow::Ok((cluster.database("chaos").await?, cluster.database("calm").await?))
        })?;
        let node = Node::start(Ledger::new(seed)?, Faults::new(seed), SLOT)?;
        let mut storm = Self {
            indexer: None,
            cluster,
            node,
            disk,
            chaos,
            calm,
            runtime,
            dice: Dice::new(seed),
            struck: Met::default(),
            folder,
        };
        storm.start_indexer()?;
        Ok(storm)
    }

    pub(super) fn can_fill_its_disk(&self) -> bool {
        self.disk.can_be_filled()
    }

    pub(super) fn start_indexer(&mut self) -> Result<()> {
        let mut command = kept(self.folder.path(), "chartseal-indexer")?;
        let log = File::options().create(true).append(true).open(self.log());
        command
            .args(["run", "--rpc", &self.node.url(), "--poll-ms", "50", "--timeout-ms"])
            .arg(GIVEN_UP_AFTER.as_millis().to_string())
            .env("CHARTSEAL_DATABASE_URL", &self.chaos)
            .env("RUST_LOG", LOGS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.context("cannot write the indexer's log")?);
        self.indexer = Some(Process::start("the indexer", &mut command)?);
        Ok(())
    }

    pub(super) fn kill_indexer(&mut self) -> Result<()> {
        self.lives()?;
        self.struck.count(Kind::Killed);
        self.indexer.take().context("the indexer does not run")?.kill()
    }

    /// Nothing that befalls it may end it.
    pub(super) fn lives(&mut self) -> Result<()> {
        self.node.lives()?;
        if let Some(indexer) = &mut self.indexer
            && let Some(status) = indexer.ended()?
        {
            bail!("the indexer ended by itself ({status}):\n{}", self.tail());
        }
        Ok(())
    }

    /// Waits until it is as it will be; `failing` says what has failed where it never is.
    pub(super) fn wait(&mut self, failing: &str, mut is_so: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        for _ in 0..LOOKS {
            self.lives()?;
            if is_so(self)? {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        bail!("{failing}:\n{}", self.tail())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("indexer.log")
    }

    /// How much the indexer has said so far.
    pub(super) fn said(&self) -> usize {
        self.read_log().len()
    }

    /// Whether it has said this since then.
    pub(super) fn has_said(&self, words: &str, since: usize) -> bool {
        self.read_log().get(since..).is_some_and(|said| said.contains(words))
    }

    fn read_log(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let log = self.read_log();
        let lines: Vec<_> = log.lines().rev().take(25).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Waits until the ledger is final.
    pub(super) fn calm_down(&mut self) -> Result<()> {
        self.node.calm_down();
        self.wait("the ledger does not settle", |storm| Ok(storm.node.is_settled()))
    }

    /// Waits until the indexer has all of it, and proves it: how many events.
    pub(super) fn settle(&mut self) -> Result<u64> {
        let last = self.node.last().context("the ledger is empty")?;
        self.wait("the indexer does not settle", |storm| {
            let reached = reached(&storm.chaos, last.as_ref());
            Ok(storm.runtime.block_on(reached).unwrap_or(false))
        })?;
        self.indexer.take().context("the indexer does not run")?.stop()?;
        self.verified(&self.chaos)
    }

    /// Indexes the same ledger once more, in peace, and compares.
    pub(super) fn compare(&mut self) -> Result<Same> {
        let mut command = kept(self.folder.path(), "chartseal-indexer")?;
        let output = command
            .args(["run", "--once", "--rpc", &self.node.url()])
            .env("CHARTSEAL_DATABASE_URL", &self.calm)
            .stdin(Stdio::null())
            .output()
            .context("cannot run chartseal-indexer")?;
        ensure!(
            output.status.success(),
            "the calm run failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.verified(&self.calm)?;
        self.runtime.block_on(compare::same(&self.chaos, &self.calm))
    }

    /// The indexer's own proofs, from the events and from the ledger's accounts: how many events they are about.
    fn verified(&self, database: &str) -> Result<u64> {
        let proof = self.report("verify", database)?;
        let compared = self.report("reconcile", database)?;
        ensure!(
            compared["agrees"] == true && compared["accounts"].as_u64().is_some_and(|accounts| accounts > 0),
            "rows and accounts do not agree: {compared}"
        );
        proof["events"].as_u64().context("the proof counts no events")
    }

    /// What one of the indexer's commands says of a database, where it finds nothing wrong.
    fn report(&self, what: &str, database: &str) -> Result<Value> {
        let output = kept(self.folder.path(), "chartseal-indexer")?
            .args([what, "--json", "--rpc", &self.node.url()])
            .env("CHARTSEAL_DATABASE_URL", database)
            .stdin(Stdio::null())
            .output()
            .context("cannot run chartseal-indexer")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "{what} ended with {}: {said} {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(&said).with_context(|| format!("{what} gave no report"))
    }

    /// What happened on the ledger.
    pub(super) fn happened(&self) -> Happened {
        self.node.happened()
    }

    /// What befell the indexer.
    pub(super) fn met(&self) -> Met {
        self.node.met().and(&self.struck)
    }

    pub(super) fn end(self) -> Result<()> {
        self.cluster.stop()
    }
}

/// Whether everything up to and including this transaction is stored, and known to be final.
async fn reached(database: &str, signature: &[u8]) -> Result<bool> {
    let mut connection = connect(database).await?;
    let found =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM checkpoint WHERE signature = $1 AND settled_signature = $1)")
            .bind(signature);
    Ok(found.fetch_one(&mut connection).await?)
}
