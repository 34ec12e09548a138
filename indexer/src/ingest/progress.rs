//! How far an indexer is and how it fares, for whoever watches it.

use std::{sync::Arc, time::Instant};

use tokio::sync::watch;

use crate::{Error, metrics, source::Checkpoint};

/// How an indexer fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It has not come so far yet as to tell.
    #[default]
    Starting,
    /// It connects to the database, or waits for it to answer.
    Connecting,
    /// Another indexer writes to the database: this one takes over when that one ends.
    StandingBy,
    /// Its last pass stored all that there was.
    Well,
    /// Something is away, and it tries until that is back: what was said last.
    Waiting(String),
    /// It has ended, because of this.
    Ended(String),
}

/// How far an indexer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last transaction that was read.
    pub frontier: Option<Checkpoint>,
    /// The last transaction that was read and is final.
    pub settled: Option<Checkpoint>,
    /// Transactions that were read and are not final.
    pub unsettled: usize,
    pub health: Health,
    /// When all that the ledger had was last stored.
    pub caught_up: Option<Instant>,
}

/// Says how far the indexer is.
#[derive(Clone, Debug)]
pub(super) struct Publisher(Arc<watch::Sender<Progress>>);

impl Default for Publisher {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Progress::default())))
    }
}

impl Publisher {
    pub(super) fn subscribe(&self) -> watch::Receiver<Progress> {
        self.0.subscribe()
    }

    pub(super) fn moved(&self, frontier: Option<Checkpoint>, settled: Option<Checkpoint>, unsettled: usize) {
        let slot = |checkpoint: Checkpoint| checkpoint.slot;
        metrics::slots(frontier.map(slot), settled.map(slot));
        self.0.send_modify(|progress| {
            (progress.frontier, progress.settled, progress.unsettled) = (frontier, settled, unsettled);
        });
    }

    pub(super) fn connects(&self) {
        self.is(Health::Connecting);
    }

    /// Whether another indexer writes; where none does any more, this one begins to.
    pub(super) fn stands_by(&self, stands_by: bool) {
        self.is(match stands_by {
            true => Health::StandingBy,
            false => Health::Starting,
        });
    }

    pub(super) fn well(&self) {
        metrics::caught_up();
        self.0.send_if_modified(|progress| {
            progress.caught_up = Some(Instant::now());
            false
        });
        self.is(Health::Well);
    }

    pub(super) fn failed(&self, error: &Error) {
        metrics::failed(error);
        self.is(match error.is_passing() {
            true => Health::Waiting(error.to_string()),
            false => Health::Ended(error.to_string()),
        });
    }

    fn is(&self, health: Health) {
        metrics::standing_by(health == Health::StandingBy);
        self.0.send_if_modified(|progress| {
            let changes = progress.health != health;
            progress.health = health;
            changes
        });
    }
}
