//! Drives source, decoder and sink, and outlives a node or a database that is away for a while.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    decode::{Located, decode},
    outage::Outage,
    sink::{Lock, Sink},
    source::{Checkpoint, Delivered, Limits, Listed, RpcSource, Signature, show},
};

/// How long a batch that is being written may still take after the indexer was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What to index, from where to where, and how eagerly.
#[derive(Clone, Debug)]
pub struct Options {
    /// URL of the node's JSON-RPC.
    pub rpc: String,
    /// URL of the database.
    pub database: String,
    /// Read the ledger from its beginning once more. What is stored is compared and not stored again.
    pub from_start: bool,
    /// How long to wait before looking for new transactions.
    pub poll: Duration,
    /// Transactions that are stored at once, at most.
    pub batch: usize,
    /// What to do while another indexer writes to the database.
    pub lock: Lock,
    /// How much to ask the node for at a time.
    pub limits: Limits,
}

impl Options {
    /// The usual ones.
    pub fn new(rpc: &str, database: &str) -> Self {
        Self {
            rpc: rpc.to_owned(),
            database: database.to_owned(),
            from_start: false,
            poll: Duration::from_millis(400),
            batch: 500,
            lock: Lock::Wait,
            limits: Limits::default(),
        }
    }
}

/// What an indexer did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were read, without those that failed.
    pub transactions: u64,
    /// Transactions that failed on chain and were skipped.
    pub failed: u64,
    /// Events that were stored.
    pub events: u64,
    /// Events that were stored before, and came again.
    pub known: u64,
    /// Calls that look like an event of ours and are none.
    pub look_alikes: u64,
}

/// Puts a program's events into a database.
#[derive(Debug)]
pub struct Indexer {
    options: Options,
    source: RpcSource,
    sink: Option<Sink>,
    stats: Stats,
    from_start: bool,
    ledger: Outage,
    database: Outage,
}

impl Indexer {
    /// An indexer that has not connected yet.
    pub fn new(options: Options) -> Self {
        Self {
            source: RpcSource::new(&options.rpc, options.limits),
            sink: None,
            stats: Stats::default(),
            from_start: options.from_start,
            ledger: Outage::new("the RPC node"),
            database: Outage::new("Postgres"),
            options,
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How far the database is; nothing before the first connection, or where it is empty.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.sink.as_ref().and_then(Sink::checkpoint)
    }

    /// Indexes until it is asked to stop.
    ///
    /// # Errors
    /// What does not go away by itself: an event that cannot be read, a ledger that is another one, a gap.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        loop {
            let wait = match self.pass(stop).await {
                Ok(()) => self.options.poll,
                Err(Error::Stopped) => return Ok(()),
                Err(error) => self.patience(error)?,
            };
            if pause(wait, stop).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Indexes what the ledger has now, and fails where node or database are away.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub async fn catch_up(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        self.pass(stop).await
    }

    /// Indexes until everything up to and including `slot` is stored.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`Error::Stopped`].
    pub async fn reach_slot(&mut self, slot: u64, stop: &CancellationToken) -> Result<(), Error> {
        loop {
            let wait = match self.tip_and_pass(stop).await {
                Ok(tip) if tip >= slot => return Ok(()),
                Ok(_) => self.options.poll,
                Err(error) => self.patience(error)?,
            };
            pause(wait, stop).await?;
        }
    }

    /// Indexes until this transaction and everything before it is stored.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`Error::Stopped`].
    pub async fn reach(&mut self, signature: &Signature, stop: &CancellationToken) -> Result<(), Error> {
        loop {
            let wait = match self.source.slot_of(signature).await {
                Ok(Some(slot)) => return self.reach_slot(slot, stop).await,
                Ok(None) => self.options.poll,
                Err(error) => self.patience(error.into())?,
            };
            pause(wait, stop).await?;
        }
    }

    /// The newest slot, and a pass that began after it was asked for and so contains it.
    async fn tip_and_pass(&mut self, stop: &CancellationToken) -> Result<u64, Error> {
        let tip = self.source.slot().await?;
        self.pass(stop).await?;
        Ok(tip)
    }

    /// How long to wait because of an error, or the error where waiting does not help.
    fn patience(&mut self, error: Error) -> Result<Duration, Error> {
        match &error {
            error if !error.is_passing() => {}
            Error::Sink(cause) => return Ok(self.database.failed(cause)),
            _ => return Ok(self.ledger.failed(&error)),
        }
        Err(error)
    }

    /// Stores everything that the ledger has beyond the checkpoint.
    async fn pass(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let checkpoint = self.open(stop).await?;
        let after = if self.from_start { None } else { checkpoint.as_ref() };
        let listed = until(stop, self.source.list_after(after)).await??;
        let again = match checkpoint {
            Some(checkpoint) if self.from_start => beyond(&listed, &checkpoint)?,
            _ => 0,
        };
        let before = self.stats;
        let (known, new) = listed.split_at(again);
        self.store(known, false, stop).await?;
        self.from_start = false;
        self.store(new, true, stop).await?;
        self.ledger.over();
        self.database.over();
        if self.stats.events > before.events {
            let slot = self.checkpoint().map_or(0, |checkpoint| checkpoint.slot);
            tracing::info!(events = self.stats.events - before.events, slot, "stored");
        }
        Ok(())
    }

    /// Connects, unless it is connected.
    async fn open(&mut self, stop: &CancellationToken) -> Result<Option<Checkpoint>, Error> {
        if self.sink.is_none() {
            self.sink = Some(until(stop, Sink::open(&self.options.database, self.options.lock)).await??);
        }
        Ok(self.checkpoint().copied())
    }

    /// Stores what was listed, batch by batch, and moves the checkpoint along if `advance`.
    async fn store(&mut self, listed: &[Listed], advance: bool, stop: &CancellationToken) -> Result<(), Error> {
        for part in listed.chunks(self.options.batch.max(1)) {
            let mut batch = Batch::default();
            // What came before an error is stored all the same.
            let outcome = until(stop, batch.fill(&self.source, part)).await?;
            self.write(batch, advance, stop).await?;
            outcome?;
            self.ledger.over();
        }
        Ok(())
    }

    async fn write(&mut self, batch: Batch, advance: bool, stop: &CancellationToken) -> Result<(), Error> {
        let Some(last) = batch.last else { return Ok(()) };
        let Some(mut sink) = self.sink.take() else {
            return Ok(());
        };
        // Whatever goes wrong from here on, the sink is dropped and with it the connection and its lock.
        let written = tokio::select! {
            written = sink.store(&batch.events, advance.then(|| last.checkpoint())) => written?,
            () = async { stop.cancelled().await; tokio::time::sleep(STOP_GRACE).await } => return Err(Error::Stopped),
        };
        self.sink = Some(sink);
        self.database.over();
        self.stats.transactions += batch.read;
        self.stats.failed += batch.failed;
        self.stats.look_alikes += batch.look_alikes;
        self.stats.events += written.new;
        self.stats.known += written.known;
        Ok(())
    }
}

/// Transactions that are stored together.
#[derive(Default)]
struct Batch {
    events: Vec<Located>,
    /// The last transaction that is complete here, with all before it.
    last: Option<Listed>,
    read: u64,
    failed: u64,
    look_alikes: u64,
}

impl Batch {
    async fn fill(&mut self, source: &RpcSource, listed: &[Listed]) -> Result<(), Error> {
        let mut delivered = std::pin::pin!(source.deliver(listed));
        while let Some(delivered) = delivered.next().await {
            self.add(&delivered?)?;
        }
        Ok(())
    }

    fn add(&mut self, delivered: &Delivered) -> Result<(), Error> {
        match &delivered.transaction {
            None => self.failed += 1,
            Some(transaction) => {
                let decoded = decode(transaction)?;
                if decoded.look_alikes > 0 {
                    let signature = show(&transaction.signature);
                    tracing::warn!(
                        count = decoded.look_alikes,
                        signature,
                        "ignored what looks like our event and is none"
                    );
                }
                self.events.extend(decoded.events);
                self.look_alikes += decoded.look_alikes;
                self.read += 1;
            }
        }
        self.last = Some(delivered.listed);
        Ok(())
    }
}

/// How many of the listed transactions are up to and including the checkpoint.
fn beyond(listed: &[Listed], checkpoint: &Checkpoint) -> Result<usize, Error> {
    let place = listed.iter().position(|entry| entry.checkpoint() == *checkpoint);
    let lost = || crate::source::SourceError::CheckpointLost {
        signature: show(&checkpoint.signature),
        slot: checkpoint.slot,
    };
    Ok(place.ok_or_else(lost)? + 1)
}

/// Does something unless it is asked to stop.
async fn until<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Error::Stopped),
        done = work => Ok(done),
    }
}

async fn pause(wait: Duration, stop: &CancellationToken) -> Result<(), Error> {
    until(stop, tokio::time::sleep(wait)).await
}
