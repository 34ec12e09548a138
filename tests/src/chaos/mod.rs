//! The indexer in bad weather: a ledger that forks, a node that errs, lags and goes away, a database that ends and runs out
//! of room, and `kill -9`. Afterwards every table must hold what a calm run over the same ledger puts there, and the
//! indexer's own proof must say so too.

mod compare;
mod disk;
mod faults;
mod ledger;
mod node;
mod wire;
mod world;

use std::{
    fs::File,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use sqlx::Executor as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::{compare::Same, disk::Disk, faults::Faults, ledger::Ledger, node::Node};
use crate::{
    cluster::{Cluster, End, connect},
    kills::Dice,
    programs::{Process, keep, kept, work_folder},
    report::Report,
};

/// How long a slot of the ledger is.
const SLOT: Duration = Duration::from_millis(100);

/// How long everything may take to settle once the weather is calm.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of so many seconds, one answer of the node may stall. It takes a client half a minute to notice.
const SECONDS_PER_STALL: u64 = 60;

/// How long the weather is bad, and what it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seconds of it.
    pub seconds: u64,
    /// What the ledger, the faults and the moments come from.
    pub seed: u64,
}

/// Indexes in bad weather, and compares with a calm run.
///
/// # Errors
/// Where the indexer ends by itself, does not settle, or holds anything else than a calm run; also where so little
/// happened that this would show nothing.
pub fn survive(plan: Plan, report: &Report) -> Result<()> {
    let mut storm = Storm::begin(plan)?;
    let until = Instant::now() + Duration::from_secs(plan.seconds);
    while Instant::now() < until {
        let what = storm.strike()?;
        report.step("strike", &what, &json!({}));
    }
    let struck = storm.strikes;
    storm.calm_down()?;
    let events = storm.settle()?;
    let (happened, befallen) = storm.node.happened();
    ensure!(
        happened.forks > 0 && happened.dropped > 0 && happened.again > 0 && befallen > 0 && struck > 0,
        "too little happened to show anything: {happened:?}, {befallen} answers were bad, {struck} strikes"
    );
    let Same {
        rows,
        notices,
        withdrawn,
    } = storm.compare()?;
    ensure!(notices > 0, "nobody was notified of anything");
    report.step(
        "whole",
        &format!(
            "{} transactions ({} failed), {} branches died with {} transactions, {} of which stood in another block; \
             {befallen} bad answers, {struck} strikes; {events} events, {rows} rows and {notices} notices as in a calm \
             run, {withdrawn} notices taken back",
            happened.transactions, happened.failed, happened.forks, happened.dropped, happened.again
        ),
        &json!({
            "transactions": happened.transactions, "failed": happened.failed, "forks": happened.forks,
            "dropped": happened.dropped, "again": happened.again, "bad_answers": befallen, "strikes": struck,
            "events": events, "rows": rows, "notices": notices, "withdrawn": withdrawn, "seed": plan.seed,
        }),
    );
    storm.end()
}

/// Everything that is there while it lasts.
struct Storm {
    // Dropped in this order: the indexer first, which talks to the others; the disk last, which Postgres is on.
    indexer: Option<Process>,
    cluster: Cluster,
    node: Node,
    disk: Disk,
    chaos: String,
    calm: String,
    runtime: Runtime,
    dice: Dice,
    strikes: u64,
    folder: TempDir,
}

impl Storm {
    fn begin(plan: Plan) -> Result<Self> {
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
        let stalls = u32::try_from(plan.seconds / SECONDS_PER_STALL)?;
        let node = Node::start(Ledger::new(plan.seed)?, Faults::new(plan.seed, stalls), SLOT)?;
        let mut storm = Self {
            indexer: None,
            cluster,
            node,
            disk,
            chaos,
            calm,
            runtime,
            dice: Dice::new(plan.seed),
            strikes: 0,
            folder,
        };
        storm.start_indexer()?;
        Ok(storm)
    }

    fn start_indexer(&mut self) -> Result<()> {
        let mut command = kept(self.folder.path(), "chartseal-indexer")?;
        let log = File::options().create(true).append(true).open(self.log());
        command
            .args(["run", "--rpc", &self.node.url(), "--poll-ms", "50"])
            .env("CHARTSEAL_DATABASE_URL", &self.chaos)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.context("cannot write the indexer's log")?);
        self.indexer = Some(Process::start("the indexer", &mut command)?);
        Ok(())
    }

    fn kill_indexer(&mut self) -> Result<()> {
        self.lives()?;
        self.indexer.take().context("the indexer does not run")?.kill()
    }

    /// Nothing that befalls it may end it.
    fn lives(&mut self) -> Result<()> {
        if let Some(indexer) = &mut self.indexer
            && let Some(status) = indexer.ended()?
        {
            bail!("the indexer ended by itself ({status}):\n{}", self.tail());
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("indexer.log")
    }

    fn tail(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(25).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Something happens, after a while in which only the node errs.
    fn strike(&mut self) -> Result<String> {
        std::thread::sleep(self.dice.pause(1_200));
        self.lives()?;
        self.strikes += 1;
        let pause = self.dice.pause(1_500);
        Ok(match self.dice.below(20) {
            0..=8 => {
                self.kill_indexer()?;
                std::thread::sleep(pause / 4);
                self.start_indexer()?;
                "the indexer was killed".to_owned()
            }
            9..=12 => {
                self.node.leave();
                std::thread::sleep(pause);
                self.node.come_back()?;
                format!("the node was away for {pause:?}")
            }
            roll @ 13..=15 => {
                let how = if roll == 13 { End::Fast } else { End::Immediate };
                self.cluster.end(how)?;
                std::thread::sleep(pause / 2);
                self.cluster.restart()?;
                format!("Postgres ended ({how:?})")
            }
            16 => {
                self.kill_indexer()?;
                self.cluster.end(End::Immediate)?;
                self.start_indexer()?;
                std::thread::sleep(pause / 2);
                self.cluster.restart()?;
                "the indexer was killed and started while Postgres was away".to_owned()
            }
            _ if self.disk.can_be_filled() => {
                self.disk.fill()?;
                std::thread::sleep(pause);
                self.disk.clear()?;
                if self.cluster.has_ended()? {
                    self.cluster.restart()?;
                }
                format!("Postgres had no room for {pause:?}")
            }
            _ => "nothing: this user may mount no disk that can be filled".to_owned(),
        })
    }

    /// Waits until the ledger is final.
    fn calm_down(&mut self) -> Result<()> {
        self.node.calm_down();
        let since = Instant::now();
        while !self.node.is_settled()? {
            ensure!(since.elapsed() < PATIENCE, "the ledger does not settle");
            std::thread::sleep(SLOT);
        }
        Ok(())
    }

    /// Waits until the indexer has all of it, and proves it: how many events.
    fn settle(&mut self) -> Result<u64> {
        let last = self.node.last().context("the ledger is empty")?;
        let since = Instant::now();
        loop {
            self.lives()?;
            if self
                .runtime
                .block_on(reached(&self.chaos, last.as_ref()))
                .unwrap_or(false)
            {
                break;
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "the indexer does not settle:\n{}",
                self.tail()
            );
            std::thread::sleep(SLOT);
        }
        self.indexer.take().context("the indexer does not run")?.stop()?;
        self.verified(&self.chaos)
    }

    /// Indexes the same ledger once more, in peace, and compares.
    fn compare(&mut self) -> Result<Same> {
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

    fn end(self) -> Result<()> {
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
