//! Drives source, decoder and sink, and outlives a node or a database that is away for a while.
//!
//! A pass lists what the ledger has after the frontier and stores it, and then settles what has become final meanwhile.
//! Whatever looks wrong about what is not final is held against the ledger again and taken back where its block was
//! dropped ([`settle`]); the same about what is final stops the indexer.

mod batch;
mod progress;
mod settle;
mod writer;

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

pub use progress::{Health, Progress};

use crate::{
    Error,
    outage::Outage,
    sink::Lock,
    source::{Checkpoint, Commitment, Limits, Listed, RpcSource, Signature, Wake, WebSocket},
};
use batch::Cut;
use progress::Publisher;
use writer::Writer;

/// How often what became final is looked for.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// How often one who does not wait for an outage tries again what a fork of the ledger disturbed, and everybody's wait
/// between.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// What to index, from where to where, and how eagerly.
#[derive(Clone, Debug)]
pub struct Options {
    /// URL of the node's JSON-RPC.
    pub rpc: String,
    /// URL of the database.
    pub database: String,
    /// How settled a transaction must be to be read.
    pub commitment: Commitment,
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
    /// Where the node tells of transactions by itself.
    pub websocket: WebSocket,
    /// Where transactions are pushed from, too.
    #[cfg(feature = "yellowstone")]
    pub yellowstone: Option<crate::source::Yellowstone>,
}

impl Options {
    /// The usual ones.
    pub fn new(rpc: &str, database: &str) -> Self {
        Self {
            rpc: rpc.to_owned(),
            database: database.to_owned(),
            commitment: Commitment::default(),
            from_start: false,
            poll: Duration::from_millis(400),
            batch: Cut::TRANSACTIONS,
            lock: Lock::Wait,
            limits: Limits::default(),
            websocket: WebSocket::default(),
            #[cfg(feature = "yellowstone")]
            yellowstone: None,
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
    /// Events that were taken back, because their blocks were dropped.
    pub taken_back: u64,
    /// Calls that look like an event of ours and are none.
    pub look_alikes: u64,
}

/// Puts a program's events into a database.
#[derive(Debug)]
pub struct Indexer {
    options: Options,
    source: RpcSource,
    writer: Writer,
    from_start: bool,
    ledger: Outage,
    /// When what became final was last looked for.
    settled: Option<Instant>,
    progress: Publisher,
}

impl Indexer {
    /// An indexer that has not connected yet.
    pub fn new(options: Options) -> Self {
        let progress = Publisher::default();
        Self {
            source: RpcSource::new(&options.rpc, options.limits, options.commitment),
            writer: Writer::new(&options.database, options.lock, progress.clone()),
            from_start: options.from_start,
            ledger: Outage::new("the RPC node", crate::metrics::Peer::Node),
            settled: None,
            progress,
            options,
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> &Stats {
        &self.writer.stats
    }

    /// How far the database is; nothing before the first connection, or where it is empty.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.writer.frontier()
    }

    /// How far it is and how it fares, as it changes.
    pub fn progress(&self) -> tokio::sync::watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Indexes until it is asked to stop.
    ///
    /// # Errors
    /// What does not go away by itself: an event that cannot be read, a ledger that is another one, a gap.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut wake = self.listen();
        loop {
            let waited = match self.pass(stop).await {
                Ok(()) => until(stop, wake.next(self.options.poll)).await,
                Err(Error::Stopped) => return Ok(()),
                Err(error) => pause(self.patience(error)?, stop).await,
            };
            if waited.is_err() {
                return Ok(());
            }
        }
    }

    /// Hears of transactions from now on, wherever anybody tells of them.
    fn listen(&mut self) -> Wake {
        let commitment = self.options.commitment.config();
        #[cfg_attr(not(feature = "yellowstone"), allow(unused_mut))]
        let mut wake = Wake::start(&self.options.websocket, &self.options.rpc, commitment);
        #[cfg(feature = "yellowstone")]
        if let Some(place) = &self.options.yellowstone {
            self.source.read_ahead(place, &mut wake);
        }
        wake
    }

    /// Indexes what the ledger has now, and fails where node or database are away.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub async fn catch_up(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        for _ in 1..TRIES {
            match self.pass(stop).await {
                Err(Error::Unsettled(_)) => pause(TRY_AGAIN, stop).await?,
                outcome => return outcome,
            }
        }
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
        self.progress.failed(&error);
        match &error {
            error if !error.is_passing() => {}
            Error::Sink(cause) => return Ok(self.writer.outage.failed(cause)),
            Error::Unsettled(cause) => {
                tracing::debug!("what is not final does not fit what was read, reading it again: {cause}");
                return Ok(TRY_AGAIN);
            }
            _ => return Ok(self.ledger.failed(&error)),
        }
        Err(error)
    }

    /// Stores everything that the ledger has beyond the frontier, and settles what is final.
    async fn pass(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        self.writer.open(stop).await?;
        let before = self.writer.stats;
        let read = match self.read_on(stop).await {
            // Of what is not final something was dropped, or the node does not list all of it yet. What has become final
            // meanwhile may be what it does not fit, and is not taken back by anything later.
            Err(Error::Unsettled(cause)) => match self.check_tail(stop).await? + self.settle(stop).await? {
                0 => Err(Error::Unsettled(cause)),
                _ => self.read_on(stop).await,
            },
            read => read,
        };
        read?;
        if self.settled.is_none_or(|last| last.elapsed() >= SETTLE_EVERY) {
            if self.settle(stop).await? > 0 {
                self.read_on(stop).await?;
            }
            self.settled = Some(Instant::now());
        }
        self.ledger.over();
        self.writer.outage.over();
        self.progress.well();
        let stats = self.writer.stats;
        if stats.events > before.events {
            let slot = self.checkpoint().map_or(0, |checkpoint| checkpoint.slot);
            tracing::info!(events = stats.events - before.events, slot, "stored");
        }
        Ok(())
    }

    /// Stores everything that the ledger has beyond the frontier.
    async fn read_on(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        if self.from_start && !self.writer.tail().is_empty() {
            // It is read again anyway; and what is put back then is final, and needs no tail.
            self.writer.roll_back(0, stop).await?;
        }
        let frontier = self.writer.frontier();
        let (listed, again) = match frontier {
            Some(frontier) if self.from_start => until(stop, self.source.list_around(&frontier)).await??,
            frontier => {
                let listed = until(stop, self.source.list_after(frontier.as_ref())).await?;
                (listed.map_err(|error| self.writer.doubt(error.into(), false))?, 0)
            }
        };
        let (known, new) = listed.split_at(again);
        self.writer.none_twice(new)?;
        self.store(known, false, stop).await?;
        self.from_start = false;
        self.store(new, true, stop).await
    }

    /// Stores what was listed, batch by batch: the next is fetched while one is written, and not more than that.
    async fn store(&mut self, listed: &[Listed], advance: bool, stop: &CancellationToken) -> Result<(), Error> {
        let cut = Cut::after(self.options.batch);
        let before = self.writer.stats;
        let (source, writer) = (&self.source, &mut self.writer);
        let (send, mut receive) = tokio::sync::mpsc::channel(1);
        let filling = async move { until(stop, batch::fill(source, listed, cut, send)).await? };
        let writing = async move {
            while let Some(part) = receive.recv().await {
                writer.write(part, advance, stop).await?;
            }
            Ok(())
        };
        let (filled, written): (Result<(), Error>, Result<(), Error>) = tokio::join!(filling, writing);
        if self.writer.stats != before {
            self.ledger.got_on();
        }
        // What was written last says more than that nothing more was taken.
        written.and(filled)
    }
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
