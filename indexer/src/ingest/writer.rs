//! Writes batches, and opens the database again after it was away.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{Stats, batch::Part, progress::Publisher, until};
use crate::{
    Error,
    metrics::{self, Peer},
    outage::Outage,
    sink::{Entry, Lock, Sink, SinkError},
    source::{Checkpoint, Listed, SourceError, show},
};

/// How long a batch that is being written may still take after the indexer was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The writing half of an indexer.
#[derive(Debug)]
pub(super) struct Writer {
    url: String,
    lock: Lock,
    sink: Option<Sink>,
    pub(super) stats: Stats,
    pub(super) outage: Outage,
    progress: Publisher,
}

impl Writer {
    pub(super) fn new(url: &str, lock: Lock, progress: Publisher) -> Self {
        Self {
            url: url.to_owned(),
            lock,
            sink: None,
            stats: Stats::default(),
            outage: Outage::new("Postgres", Peer::Database),
            progress,
        }
    }

    /// Connects, unless it is connected.
    pub(super) async fn open(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        if self.sink.is_none() {
            self.progress.connects();
            let stands_by = |stands_by| self.progress.stands_by(stands_by);
            let sink = until(stop, Sink::open_telling(&self.url, self.lock, stands_by)).await??;
            self.sink = Some(sink);
            self.publish();
        }
        Ok(())
    }

    /// The last transaction that was read.
    pub(super) fn frontier(&self) -> Option<Checkpoint> {
        self.sink.as_ref().and_then(Sink::frontier)
    }

    /// The last transaction that was read and is final.
    pub(super) fn settled(&self) -> Option<Checkpoint> {
        self.sink.as_ref().and_then(Sink::settled)
    }

    /// What was read and is not final.
    pub(super) fn tail(&self) -> &[Entry] {
        self.sink.as_ref().map_or(&[], Sink::tail)
    }

    /// An error as it is to be taken: where it is about what is not final, a dropped block would explain it, and it does not
    /// stop the indexer.
    pub(super) fn doubt(&self, error: Error, settled: bool) -> Error {
        let doubtful = !self.tail().is_empty();
        let explained = match &error {
            Error::Source(SourceError::CheckpointLost { .. }) => doubtful,
            // What it does not fit may be what is not final, though it is final itself.
            Error::Sink(
                SinkError::Gap { .. }
                | SinkError::WrongHead { .. }
                | SinkError::Conflict { .. }
                | SinkError::KeyTaken(_),
            ) => doubtful || !settled,
            _ => false,
        };
        match explained {
            true => Error::Unsettled(Box::new(error)),
            false => error,
        }
    }

    /// That none of these transactions is stored where the ledger does not list it any more.
    pub(super) fn none_twice(&self, new: &[Listed]) -> Result<(), Error> {
        if self.tail().is_empty() || new.is_empty() {
            return Ok(());
        }
        let new: HashSet<_> = new.iter().map(|listed| listed.signature).collect();
        let moved = self.tail().iter().find(|entry| new.contains(&entry.signature));
        match moved {
            None => Ok(()),
            Some(entry) => {
                let signature = show(&entry.signature);
                Err(Error::Unsettled(Box::new(SourceError::Moved { signature }.into())))
            }
        }
    }

    /// Writes a batch, and moves the frontier along if `advance`.
    pub(super) async fn write(&mut self, part: Part, advance: bool, stop: &CancellationToken) -> Result<(), Error> {
        let began = Instant::now();
        let settled = part.batch.settled;
        let written = self
            .with(stop, async |sink| match advance {
                true => sink.store(&part.batch).await,
                false => sink.put_back(&part.batch.events).await,
            })
            .await
            .map_err(|error| self.doubt(error, settled || !advance))?;
        self.stats.transactions += part.read;
        self.stats.failed += part.failed;
        self.stats.look_alikes += part.look_alikes;
        self.stats.events += written.new;
        self.stats.known += written.known;
        let batch = metrics::Batch {
            stored: written.new,
            known: written.known,
            transactions: part.read,
            failed: part.failed,
            look_alikes: part.look_alikes,
        };
        metrics::batch_written(batch, began.elapsed());
        Ok(())
    }

    /// Notes that the first `count` of the tail are final.
    pub(super) async fn promote(&mut self, count: usize, stop: &CancellationToken) -> Result<(), Error> {
        match count {
            0 => Ok(()),
            count => self.with(stop, async |sink| sink.promote(count).await).await,
        }
    }

    /// Takes back all of the tail but its first `keep`.
    pub(super) async fn roll_back(&mut self, keep: usize, stop: &CancellationToken) -> Result<(), Error> {
        let transactions = self.tail().len().saturating_sub(keep);
        let events = self.with(stop, async |sink| sink.roll_back(keep).await).await?;
        tracing::warn!(transactions, events, "took back what the ledger dropped");
        self.stats.taken_back += events;
        metrics::dropped(transactions as u64);
        Ok(())
    }

    /// Does something with the sink. Whatever goes wrong, the sink is dropped and with it the connection and its lock.
    async fn with<T>(
        &mut self,
        stop: &CancellationToken,
        work: impl AsyncFnOnce(&mut Sink) -> Result<T, SinkError>,
    ) -> Result<T, Error> {
        self.open(stop).await?;
        let Some(mut sink) = self.sink.take() else {
            return Err(Error::Stopped);
        };
        let done = tokio::select! {
            done = work(&mut sink) => done,
            () = async { stop.cancelled().await; tokio::time::sleep(STOP_GRACE).await } => return Err(Error::Stopped),
        };
        match done {
            Ok(done) => {
                self.sink = Some(sink);
                self.outage.over();
                self.publish();
                Ok(done)
            }
            Err(error) => {
                // What it was about, the caller asks: the tail is as it was.
                let connected = !error.is_passing();
                self.sink = connected.then_some(sink);
                Err(error.into())
            }
        }
    }

    fn publish(&self) {
        self.progress.moved(self.frontier(), self.settled(), self.tail().len());
    }
}
