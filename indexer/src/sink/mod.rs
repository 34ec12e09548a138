//! Writes events and what follows from them, with the checkpoint, in one database transaction.
//!
//! So the checkpoint never says more than the rows do, whenever the process ends: it is a contiguous frontier. An
//! event's key is (signature, outer index, inner index), and each is stored once however often it is delivered. What is
//! not final stands in the tail and can be taken back, with all that followed from it. One indexer writes to a database
//! at a time: the lock belongs to the very connection that writes, and goes with it.

mod chains;
mod connection;
mod error;
mod events;
mod instant;
pub mod outbox;
mod rebuild;
pub(crate) mod tables;
mod tail;

pub use connection::{Lock, migrate};
pub use error::SinkError;
pub use instant::Instant;
pub use tail::Entry;

pub(crate) use connection::{RowSecurity, SCHEMA, connect, newest_views, row_security};
pub(crate) use outbox::CHANNEL;
pub(crate) use tail::Position;

use sqlx::{Connection, PgConnection};

use crate::{decode::Located, source::Checkpoint};

/// Transactions that are stored together, in the ledger's order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Each transaction, those that failed or have no events too.
    pub entries: Vec<Entry>,
    /// What the program emitted in them.
    pub events: Vec<Located>,
    /// All of them are final.
    pub settled: bool,
}

/// What a batch changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Events that are stored now and were not before.
    pub new: u64,
    /// Events that were stored before, and are the same.
    pub known: u64,
}

/// A connection that holds the lock and writes.
#[derive(Debug)]
pub struct Sink {
    connection: PgConnection,
    position: Position,
}

impl Sink {
    /// Connects, applies migrations that are missing, and takes the lock.
    ///
    /// # Errors
    /// Where the database is out of reach, is of another version or program, or another indexer holds the lock.
    pub async fn open(url: &str, lock: Lock) -> Result<Self, SinkError> {
        Self::open_telling(url, lock, |_| ()).await
    }

    /// Does so, and tells when it stands by for another indexer, and in the end that it does not.
    pub(crate) async fn open_telling(url: &str, lock: Lock, stands_by: impl Fn(bool)) -> Result<Self, SinkError> {
        let mut connection = connect(url).await?;
        connection::lock(&mut connection, lock, || stands_by(true)).await?;
        stands_by(false);
        connection::apply_migrations(&mut connection).await?;
        let position = Position::read(&mut connection).await?;
        Ok(Self { connection, position })
    }

    /// The last transaction that was read.
    pub fn frontier(&self) -> Option<Checkpoint> {
        self.position.frontier()
    }

    /// The last transaction that was read and is final.
    pub fn settled(&self) -> Option<Checkpoint> {
        self.position.settled
    }

    /// What was read and is not final, oldest first.
    pub fn tail(&self) -> &[Entry] {
        &self.position.tail
    }

    /// Stores a batch that follows on the frontier, and moves the frontier to its end. Either all of it happens or nothing.
    ///
    /// # Errors
    /// Where the database fails, or an event does not follow the one before it in its chain. After an error this sink
    /// may have lost its connection, and its lock with it: open another.
    pub async fn store(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        let mut transaction = self.connection.begin().await?;
        let (written, fresh) = write_fresh(&mut transaction, &batch.events).await?;
        outbox::queue(&mut transaction, &fresh).await?;
        let position = self
            .position
            .advance(&mut transaction, &batch.entries, batch.settled)
            .await?;
        transaction.commit().await?;
        self.position = position;
        Ok(written)
    }

    /// Stores what is missing of events up to the frontier, which stays.
    ///
    /// # Errors
    /// As [`Sink::store`].
    pub async fn put_back(&mut self, events: &[Located]) -> Result<Written, SinkError> {
        let mut transaction = self.connection.begin().await?;
        // Whom they concern was told when they were stored first.
        let written = write(&mut transaction, events).await?;
        if written.new > 0 {
            // What was stored before and is not there was deleted by somebody.
            tables::recount(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(written)
    }

    /// Notes that the first `count` transactions of the tail are final.
    ///
    /// # Errors
    /// As [`Sink::store`].
    pub async fn promote(&mut self, count: usize) -> Result<(), SinkError> {
        let mut transaction = self.connection.begin().await?;
        let position = self.position.promote(&mut transaction, count).await?;
        transaction.commit().await?;
        self.position = position;
        Ok(())
    }

    /// Takes back all of the tail but its first `keep` transactions, with everything that followed from it. Returns how
    /// many events that were.
    ///
    /// # Errors
    /// As [`Sink::store`].
    pub async fn roll_back(&mut self, keep: usize) -> Result<u64, SinkError> {
        let mut transaction = self.connection.begin().await?;
        let (position, dropped) = self.position.cut(&mut transaction, keep).await?;
        let events = rebuild::take_back(&mut transaction, &dropped).await?;
        outbox::withdraw(&mut transaction, &dropped).await?;
        transaction.commit().await?;
        self.position = position;
        Ok(events)
    }
}

/// Writes events that are not there yet, and all that follows from them, to the tables that `search_path` finds.
pub(crate) async fn write(connection: &mut PgConnection, events: &[Located]) -> Result<Written, SinkError> {
    Ok(write_fresh(connection, events).await?.0)
}

/// Writes them, and says which were not there yet.
async fn write_fresh<'a>(
    connection: &mut PgConnection,
    events: &'a [Located],
) -> Result<(Written, Vec<&'a Located>), SinkError> {
    let standing = chains::standing(connection, events).await?;
    let fresh = events::without_known(connection, events, &standing).await?;
    if !fresh.is_empty() {
        chains::extend(connection, standing, &fresh).await?;
        events::insert(connection, &fresh).await?;
        tables::write(connection, &fresh).await?;
    }
    let new = fresh.len() as u64;
    let known = events.len() as u64 - new;
    Ok((Written { new, known }, fresh))
}
