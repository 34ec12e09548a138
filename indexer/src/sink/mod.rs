//! Writes events and what follows from them, with the checkpoint, in one database transaction.
//!
//! So the checkpoint never says more than the rows do, whenever the process ends: it is a contiguous frontier. An
//! event's key is (signature, outer index, inner index), and each is stored once however often it is delivered. One
//! indexer writes to a database at a time: the lock belongs to the very connection that writes, and goes with it.

mod chains;
mod connection;
mod error;
mod events;
mod instant;
pub mod outbox;
pub(crate) mod tables;

pub use connection::{Lock, migrate};
pub use error::SinkError;
pub use instant::Instant;

pub(crate) use connection::{RowSecurity, SCHEMA, connect, newest_views, row_security};
pub(crate) use outbox::CHANNEL;

use sqlx::{Connection, PgConnection};

use crate::{decode::Located, source::Checkpoint};

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
    checkpoint: Option<Checkpoint>,
}

impl Sink {
    /// Connects, applies migrations that are missing, and takes the lock.
    ///
    /// # Errors
    /// Where the database is out of reach, is of another version or program, or another indexer holds the lock.
    pub async fn open(url: &str, lock: Lock) -> Result<Self, SinkError> {
        let mut connection = connect(url).await?;
        connection::lock(&mut connection, lock).await?;
        connection::apply_migrations(&mut connection).await?;
        let checkpoint = read_checkpoint(&mut connection).await?;
        Ok(Self { connection, checkpoint })
    }

    /// How far this database is.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Stores events and, where there is a `frontier`, moves the checkpoint there. Either all of it happens or nothing.
    ///
    /// # Errors
    /// Where the database fails, or an event does not follow the one before it in its chain. After an error this sink
    /// may have lost its connection, and its lock with it: open another.
    pub async fn store(&mut self, events: &[Located], frontier: Option<Checkpoint>) -> Result<Written, SinkError> {
        let mut transaction = self.connection.begin().await?;
        let (written, fresh) = write_fresh(&mut transaction, events).await?;
        outbox::queue(&mut transaction, &fresh).await?;
        match &frontier {
            Some(next) => move_checkpoint(&mut transaction, self.checkpoint.as_ref(), next).await?,
            // What was stored before and is not there was deleted by somebody.
            None if written.new > 0 => tables::recount(&mut transaction).await?,
            None => {}
        }
        transaction.commit().await?;
        self.checkpoint = frontier.or(self.checkpoint);
        Ok(written)
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
    let fresh = events::without_known(connection, events).await?;
    if !fresh.is_empty() {
        chains::extend(connection, &fresh).await?;
        events::insert(connection, &fresh).await?;
        tables::write(connection, &fresh).await?;
    }
    let new = fresh.len() as u64;
    let known = events.len() as u64 - new;
    Ok((Written { new, known }, fresh))
}

/// How far a database is, and that it is this program's.
pub(crate) async fn read_checkpoint(connection: &mut PgConnection) -> Result<Option<Checkpoint>, SinkError> {
    let Some(row) = sqlx::query!("SELECT program, signature, slot FROM checkpoint")
        .fetch_optional(connection)
        .await?
    else {
        return Ok(None);
    };
    if row.program != chartseal_program::ID.to_bytes() {
        return Err(SinkError::OtherProgram {
            program: bs58::encode(row.program).into_string(),
        });
    }
    let signature = row
        .signature
        .try_into()
        .map_err(|_| SinkError::Damaged("checkpoint.signature"))?;
    let slot = u64::try_from(row.slot).map_err(|_| SinkError::Damaged("checkpoint.slot"))?;
    Ok(Some(Checkpoint { signature, slot }))
}

/// Moves the checkpoint from where this sink knows it to be. Another writer's would not be there.
async fn move_checkpoint(
    connection: &mut PgConnection,
    from: Option<&Checkpoint>,
    to: &Checkpoint,
) -> Result<(), SinkError> {
    let slot = tables::number(to.slot);
    let moved = match from {
        None => sqlx::query!(
            "INSERT INTO checkpoint (program, signature, slot) VALUES ($1, $2, $3)",
            &chartseal_program::ID.to_bytes()[..],
            &to.signature[..],
            slot
        )
        .execute(connection),
        Some(from) => sqlx::query!(
            "UPDATE checkpoint SET signature = $1, slot = $2 WHERE signature = $3",
            &to.signature[..],
            slot,
            &from.signature[..]
        )
        .execute(connection),
    }
    .await?
    .rows_affected();
    match moved {
        1 => Ok(()),
        _ => Err(SinkError::CheckpointMoved),
    }
}
