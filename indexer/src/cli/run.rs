//! `run`: indexes until it is stopped.

use std::{net::SocketAddr, num::NonZeroU64, process::ExitCode, time::Duration};

use anyhow::Context;
use chartseal_indexer::{
    Indexer, Options,
    notify::{Worker, deliver},
    sink::Lock,
    source::Limits,
    verify::{Continuous, Pace},
};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    Commitment, Database,
    hearing::Hearing,
    http::{Beside, Http},
};

#[derive(Args)]
pub(super) struct Run {
    /// URL of a Solana node's JSON-RPC
    #[arg(long, value_name = "URL")]
    rpc: String,
    #[command(flatten)]
    database: Database,
    /// How settled a transaction must be to be read. What is confirmed and then dropped is taken back
    #[arg(long, value_enum, default_value_t = Commitment::Confirmed)]
    commitment: Commitment,
    /// Read the ledger from its beginning once more; what is stored is compared and not stored again
    #[arg(long)]
    from_start: bool,
    /// How long to wait before looking for new transactions
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 400)]
    poll_ms: u64,
    /// How long the node may take for an answer that indexing waits for, before it is asked again
    #[arg(long, value_name = "MILLISECONDS", default_value = "30000")]
    timeout_ms: NonZeroU64,
    /// Index what the ledger has now and end. Fails where the node or Postgres are away
    #[arg(long)]
    once: bool,
    /// How often to compare what is new with the heads on the ledger; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    verify_every: u64,
    /// How often to prove all rows by their chains. It reads all of them
    #[arg(long, value_name = "SECONDS", default_value = "21600")]
    verify_fully_every: NonZeroU64,
    /// Answer over HTTP there too: health, metrics, questions. Without a certificate only on this machine
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    listen: Option<SocketAddr>,
    /// URL of the same database for what others reach, HTTP and webhooks: with a role of `chartseal-indexer services add`,
    /// which writes nothing that is indexed [default: that of --database]
    #[arg(
        long,
        env = "CHARTSEAL_SERVICE_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    service_database: Option<String>,
    #[command(flatten)]
    hearing: Hearing,
    #[command(flatten)]
    http: Http,
}

impl Run {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        let stop = stop_on_signals()?;
        let door = match self.listen {
            Some(listen) => Some(self.http.door(listen).await?),
            None => None,
        };
        let mut options = Options {
            commitment: self.commitment.into(),
            from_start: self.from_start,
            poll: Duration::from_millis(self.poll_ms),
            lock: if self.once { Lock::Refuse } else { Lock::Wait },
            limits: Limits {
                timeout: Duration::from_millis(self.timeout_ms.get()),
                ..Limits::default()
            },
            ..Options::new(&self.rpc, &self.database.url)
        };
        self.hearing.choose(&mut options)?;
        let mut indexer = Indexer::new(options);
        let progress = indexer.progress();
        let indexing = async {
            let outcome = match self.once {
                true => indexer.catch_up(&stop).await,
                false => indexer.run(&stop).await,
            };
            stop.cancel();
            outcome
        };
        let verification = (!self.once && self.verify_every > 0).then(|| {
            let pace = Pace {
                every: Duration::from_secs(self.verify_every),
                fully_every: Duration::from_secs(self.verify_fully_every.get()),
            };
            Continuous::new(&self.rpc, &self.database.url, self.commitment.into(), pace)
        });
        let beside = Beside {
            progress: Some(progress),
            verification: verification.as_ref().map(Continuous::state),
        };
        let reached = self.service_database.as_ref().unwrap_or(&self.database.url);
        let answering = async {
            let Some(door) = door else { return Ok(()) };
            let outcome = self.http.answer(door, reached, beside, &stop).await;
            stop.cancel();
            outcome
        };
        let notifying = async {
            match self.once {
                true => Ok(()),
                false => deliver(reached, Worker::default(), &stop).await,
            }
        };
        let verifying = async {
            if let Some(verification) = verification {
                verification.run(&stop).await;
            }
        };
        // None goes on without the others: whoever ends takes them with it.
        let (outcome, answered, notified, ()) = tokio::join!(indexing, answering, notifying, verifying);
        let stats = indexer.stats();
        tracing::info!(
            transactions = stats.transactions,
            failed = stats.failed,
            events = stats.events,
            known = stats.known,
            taken_back = stats.taken_back,
            look_alikes = stats.look_alikes,
            "ended"
        );
        outcome?;
        answered?;
        notified?;
        Ok(ExitCode::SUCCESS)
    }
}

/// SIGINT and SIGTERM end the indexer after the batch that it is writing.
pub(super) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    });
    Ok(stop)
}
