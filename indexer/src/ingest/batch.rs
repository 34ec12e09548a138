//! Cuts what a source delivers into batches: as large as pays off, none older than a moment, and none both of what is
//! final and of what is not.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::mpsc::Sender;

use crate::{
    Error,
    decode::decode,
    sink::{Batch, Entry},
    source::{Delivered, Listed, RpcSource, SourceError, show},
};

/// Transactions that one stream of answers is for: what it keeps of their blocks is forgotten after them.
const STREAM: usize = 10_000;

/// When a batch is large enough, or old enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    transactions: usize,
    bytes: usize,
    within: Duration,
}

impl Cut {
    /// Transactions of a batch, usually.
    pub(super) const TRANSACTIONS: usize = 5_000;

    /// After so many transactions, 4 MiB of events, or a fifth of a second.
    pub(super) fn after(transactions: usize) -> Self {
        Self {
            transactions: transactions.max(1),
            bytes: 4 << 20,
            within: Duration::from_millis(200),
        }
    }
}

/// A batch, and what was read for it.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) batch: Batch,
    pub(super) read: u64,
    pub(super) failed: u64,
    pub(super) look_alikes: u64,
    bytes: usize,
    begun: Option<Instant>,
}

/// Delivers what was listed and hands it on in batches. What came before an error is handed on all the same. Ends where
/// nobody takes them.
pub(super) async fn fill(source: &RpcSource, listed: &[Listed], cut: Cut, to: Sender<Part>) -> Result<(), Error> {
    let mut part = Part::default();
    let mut outcome = Ok(());
    'all: for listed in listed.chunks(STREAM) {
        let mut delivered = std::pin::pin!(source.deliver(listed));
        loop {
            let next = match part.begun {
                None => delivered.next().await,
                // What is there does not wait for an answer that takes its time.
                Some(begun) => match tokio::time::timeout_at((begun + cut.within).into(), delivered.next()).await {
                    Ok(next) => next,
                    Err(_) => match to.send(std::mem::take(&mut part)).await {
                        Ok(()) => continue,
                        Err(_) => return Ok(()),
                    },
                },
            };
            let Some(delivered) = next else { break };
            let added = match delivered {
                Ok(delivered) if part.is_full(cut, &delivered.listed) => {
                    if to.send(std::mem::take(&mut part)).await.is_err() {
                        return Ok(());
                    }
                    part.add(&delivered)
                }
                Ok(delivered) => part.add(&delivered),
                // Its block went between the listing and now: another one is listed.
                Err(error @ (SourceError::Moved { .. } | SourceError::Skipped { .. })) => {
                    Err(Error::Unsettled(Box::new(error.into())))
                }
                Err(error) => Err(error.into()),
            };
            if added.is_err() {
                outcome = added;
                break 'all;
            }
        }
    }
    if !part.batch.entries.is_empty() {
        // Who takes no more has an error of its own.
        let _ = to.send(part).await;
    }
    outcome
}

impl Part {
    fn is_full(&self, cut: Cut, next: &Listed) -> bool {
        let entries = self.batch.entries.len();
        entries > 0
            && (entries >= cut.transactions
                || self.bytes >= cut.bytes
                || self.begun.is_some_and(|begun| begun.elapsed() >= cut.within)
                || self.batch.settled != next.settled)
    }

    fn add(&mut self, delivered: &Delivered) -> Result<(), Error> {
        let listed = delivered.listed;
        let mut blockhash = None;
        match &delivered.transaction {
            None => self.failed += 1,
            Some(transaction) => {
                let decoded = decode(transaction).map_err(|error| match listed.settled {
                    true => Error::from(error),
                    // Its block may go, and it with it.
                    false => Error::Unsettled(Box::new(error.into())),
                })?;
                if decoded.look_alikes > 0 {
                    let signature = show(&transaction.signature);
                    tracing::warn!(
                        count = decoded.look_alikes,
                        signature,
                        "ignored what looks like our event and is none"
                    );
                }
                self.bytes += decoded.events.iter().map(|located| located.bytes.len()).sum::<usize>();
                self.batch.events.extend(decoded.events);
                self.look_alikes += decoded.look_alikes;
                self.read += 1;
                blockhash = Some(transaction.blockhash);
            }
        }
        self.begun.get_or_insert_with(Instant::now);
        self.batch.settled = listed.settled;
        self.batch.entries.push(Entry {
            signature: listed.signature,
            slot: listed.slot,
            blockhash,
        });
        Ok(())
    }
}
