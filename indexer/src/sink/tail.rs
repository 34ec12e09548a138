//! How far a database is: the end of what was read, the end of what is final, and the transactions in between.
//!
//! All three move with the rows that they stand for, in the same database transaction. This keeps what the database
//! holds in memory too, for there is one writer.

use sqlx::PgConnection;

use super::{
    SinkError,
    tables::{each, number},
};
use crate::source::{Checkpoint, Signature};

/// A transaction that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub signature: Signature,
    pub slot: u64,
    /// Hash of its block; nothing where it failed.
    pub blockhash: Option<[u8; 32]>,
}

impl Entry {
    /// The checkpoint that stands once this transaction is stored.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            signature: self.signature,
            slot: self.slot,
        }
    }
}

/// How far a database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last transaction that is final.
    pub(crate) settled: Option<Checkpoint>,
    /// What was read after it, oldest first.
    pub(crate) tail: Vec<Entry>,
    /// The place of the first one of the tail.
    first: i64,
}

impl Position {
    /// The last transaction that was read.
    pub(crate) fn frontier(&self) -> Option<Checkpoint> {
        self.tail.last().map(Entry::checkpoint).or(self.settled)
    }

    /// Reads it, and that the database is this program's.
    pub(crate) async fn read(connection: &mut PgConnection) -> Result<Self, SinkError> {
        let (stated, position) = Self::read_as_it_is(connection).await?;
        match position.frontier() == stated {
            true => Ok(position),
            false => Err(SinkError::Damaged("checkpoint.signature")),
        }
    }

    /// Reads it, and the frontier that the checkpoint states, which is this position's where nobody altered them.
    pub(crate) async fn read_as_it_is(connection: &mut PgConnection) -> Result<(Option<Checkpoint>, Self), SinkError> {
        let Some(row) =
            sqlx::query!("SELECT program, signature, slot, settled_signature, settled_slot FROM checkpoint")
                .fetch_optional(&mut *connection)
                .await?
        else {
            return Ok((None, Self::default()));
        };
        if row.program != chartseal_program::ID.to_bytes() {
            return Err(SinkError::OtherProgram {
                program: bs58::encode(row.program).into_string(),
            });
        }
        let settled = match (row.settled_signature, row.settled_slot) {
            (Some(signature), Some(slot)) => Some(Checkpoint {
                signature: signature
                    .try_into()
                    .map_err(|_| SinkError::Damaged("checkpoint.settled_signature"))?,
                slot: u64::try_from(slot).map_err(|_| SinkError::Damaged("checkpoint.settled_slot"))?,
            }),
            _ => None,
        };
        let rows = sqlx::query!("SELECT place, signature, slot, blockhash FROM tail ORDER BY place")
            .fetch_all(connection)
            .await?;
        let first = rows.first().map_or(0, |row| row.place);
        let tail: Vec<Entry> = rows
            .into_iter()
            .map(|row| {
                Ok(Entry {
                    signature: row
                        .signature
                        .try_into()
                        .map_err(|_| SinkError::Damaged("tail.signature"))?,
                    slot: u64::try_from(row.slot).map_err(|_| SinkError::Damaged("tail.slot"))?,
                    blockhash: row
                        .blockhash
                        .map(|hash| hash.try_into().map_err(|_| SinkError::Damaged("tail.blockhash")))
                        .transpose()?,
                })
            })
            .collect::<Result<_, SinkError>>()?;
        let stated = Checkpoint {
            signature: row
                .signature
                .try_into()
                .map_err(|_| SinkError::Damaged("checkpoint.signature"))?,
            slot: u64::try_from(row.slot).map_err(|_| SinkError::Damaged("checkpoint.slot"))?,
        };
        Ok((Some(stated), Self { settled, tail, first }))
    }

    /// Goes on by these transactions. They are final at once where they are said to be and nothing before them is not.
    pub(super) async fn advance(
        &self,
        connection: &mut PgConnection,
        entries: &[Entry],
        settled: bool,
    ) -> Result<Self, SinkError> {
        let Some(last) = entries.last() else {
            return Ok(self.clone());
        };
        let mut next = self.clone();
        if settled && self.tail.is_empty() {
            next.settled = Some(last.checkpoint());
        } else {
            let place = self.first + i64::try_from(self.tail.len()).unwrap_or(i64::MAX);
            sqlx::query!(
                "INSERT INTO tail (place, signature, slot, blockhash)
                 SELECT $1 + row_number() OVER (ORDER BY place) - 1, signature, slot, blockhash
                 FROM UNNEST($2::bytea[], $3::bigint[], $4::bytea[]) WITH ORDINALITY
                      AS entry (signature, slot, blockhash, place)",
                place,
                each(entries, |entry| entry.signature) as _,
                &each(entries, |entry| number(entry.slot)),
                each(entries, |entry| entry.blockhash) as _,
            )
            .execute(&mut *connection)
            .await?;
            next.tail.extend_from_slice(entries);
        }
        self.move_to(connection, &next).await?;
        Ok(next)
    }

    /// The first so many of the tail are final.
    pub(super) async fn promote(&self, connection: &mut PgConnection, count: usize) -> Result<Self, SinkError> {
        let mut next = self.clone();
        let Some(last) = next.tail.drain(..count.min(self.tail.len())).next_back() else {
            return Ok(next);
        };
        next.settled = Some(last.checkpoint());
        next.first += i64::try_from(count).unwrap_or(i64::MAX);
        sqlx::query!("DELETE FROM tail WHERE place < $1", next.first)
            .execute(&mut *connection)
            .await?;
        self.move_to(connection, &next).await?;
        Ok(next)
    }

    /// Only the first so many of the tail stay. Returns the signatures of the others.
    pub(super) async fn cut(
        &self,
        connection: &mut PgConnection,
        keep: usize,
    ) -> Result<(Self, Vec<Signature>), SinkError> {
        let mut next = self.clone();
        let dropped = next.tail.split_off(keep.min(self.tail.len()));
        let place = self.first + i64::try_from(next.tail.len()).unwrap_or(i64::MAX);
        sqlx::query!("DELETE FROM tail WHERE place >= $1", place)
            .execute(&mut *connection)
            .await?;
        self.move_to(connection, &next).await?;
        Ok((next, each(&dropped, |entry| entry.signature)))
    }

    /// Moves the checkpoint from where this is. Another writer's would not be there.
    async fn move_to(&self, connection: &mut PgConnection, next: &Self) -> Result<(), SinkError> {
        let settled = next.settled.map(|settled| settled.signature);
        let settled_slot = next.settled.map(|settled| number(settled.slot));
        let moved = match (self.frontier(), next.frontier()) {
            (None, None) => return Ok(()),
            (None, Some(to)) => {
                sqlx::query!(
                    "INSERT INTO checkpoint (program, signature, slot, settled_signature, settled_slot)
                     VALUES ($1, $2, $3, $4, $5)",
                    &chartseal_program::ID.to_bytes()[..],
                    &to.signature[..],
                    number(to.slot),
                    settled as _,
                    settled_slot,
                )
                .execute(connection)
                .await?
            }
            (Some(from), Some(to)) => {
                sqlx::query!(
                    "UPDATE checkpoint SET signature = $1, slot = $2, settled_signature = $3, settled_slot = $4
                     WHERE signature = $5",
                    &to.signature[..],
                    number(to.slot),
                    settled as _,
                    settled_slot,
                    &from.signature[..],
                )
                .execute(connection)
                .await?
            }
            (Some(from), None) => {
                sqlx::query!("DELETE FROM checkpoint WHERE signature = $1", &from.signature[..])
                    .execute(connection)
                    .await?
            }
        };
        match moved.rows_affected() {
            1 => Ok(()),
            _ => Err(SinkError::CheckpointMoved),
        }
    }
}
