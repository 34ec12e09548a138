//! The raw events.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, postgres::PgDatabaseError};

use super::{
    Instant, SinkError,
    chains::Standing,
    tables::{each, number},
};
use crate::{
    decode::Located,
    source::{Signature, show},
};

/// The constraint that keeps each event from being stored twice.
const KEY: &str = "events_pkey";

/// Events that are not stored yet, each once. Those that are must be the same, in the same block. An event beyond the end
/// of its chain is not stored, so nothing is asked about it.
pub(super) async fn without_known<'a>(
    connection: &mut PgConnection,
    events: &'a [Located],
    standing: &Standing,
) -> Result<Vec<&'a Located>, SinkError> {
    let reached = events.iter().filter(|located| standing.reaches(located));
    let known = known(connection, reached.map(|located| located.place.signature).collect()).await?;
    let mut taken = HashSet::new();
    let mut fresh = Vec::new();
    for located in events {
        let key = located.place.key();
        match known.get(&key) {
            Some(stored) if stored.blockhash == located.place.blockhash && stored.body == located.bytes => {}
            Some(_) => {
                let (signature, outer, inner) = key;
                return Err(SinkError::Conflict {
                    signature: show(&signature),
                    outer,
                    inner,
                });
            }
            None if taken.insert(key) => fresh.push(located),
            None => {}
        }
    }
    Ok(fresh)
}

struct Stored {
    blockhash: Vec<u8>,
    body: Vec<u8>,
}

/// What is stored of these transactions.
async fn known(
    connection: &mut PgConnection,
    signatures: HashSet<Signature>,
) -> Result<HashMap<(Signature, u16, u16), Stored>, SinkError> {
    if signatures.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "SELECT signature, outer_index, inner_index, blockhash, body FROM events WHERE signature = ANY($1::bytea[])",
        signatures.into_iter().collect::<Vec<_>>() as _
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let signature = row
                .signature
                .try_into()
                .map_err(|_| SinkError::Damaged("events.signature"))?;
            let outer = u16::try_from(row.outer_index).map_err(|_| SinkError::Damaged("events.outer_index"))?;
            let inner = u16::try_from(row.inner_index).map_err(|_| SinkError::Damaged("events.inner_index"))?;
            Ok((
                (signature, outer, inner),
                Stored {
                    blockhash: row.blockhash,
                    body: row.body,
                },
            ))
        })
        .collect()
}

/// Inserts them. A key that is there after all is an error, not an update.
pub(super) async fn insert(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    // Chain by chain, as the larger index has them: Postgres finds their places there sooner.
    let mut events = events.to_vec();
    events.sort_unstable_by_key(|located| {
        (
            located.event.chain(),
            located.event.link().subject,
            located.event.link().seq,
        )
    });
    let events = &events;
    let inserted = sqlx::query!(
        "INSERT INTO events (signature, outer_index, inner_index, slot, blockhash, block_time, chain, subject, seq, at,
                             name, body, head)
         SELECT * FROM UNNEST($1::bytea[], $2::integer[], $3::integer[], $4::bigint[], $5::bytea[], $6::timestamptz[],
                              $7::text[], $8::bytea[], $9::bigint[], $10::timestamptz[], $11::text[], $12::bytea[],
                              $13::bytea[])",
        each(events, |e| e.place.signature) as _,
        &each(events, |e| i32::from(e.place.outer)),
        &each(events, |e| i32::from(e.place.inner)),
        &each(events, |e| number(e.place.slot)),
        each(events, |e| e.place.blockhash) as _,
        each(events, |e| e.place.block_time.map(Instant)) as _,
        each(events, |e| e.event.chain().word()) as _,
        each(events, |e| e.event.link().subject) as _,
        &each(events, |e| number(e.event.link().seq)),
        each(events, |e| Instant(e.event.link().at)) as _,
        each(events, |e| e.event.name()) as _,
        each(events, |e| e.bytes.as_slice()) as _,
        each(events, |e| *e.event.head()) as _,
    )
    .execute(connection)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) => Err(key_taken(&error).map_or(SinkError::Database(error), SinkError::KeyTaken)),
    }
}

/// Which key is taken, where that is what Postgres says.
fn key_taken(error: &sqlx::Error) -> Option<String> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<PgDatabaseError>()
        .filter(|error| error.constraint() == Some(KEY))?;
    Some(error.detail().unwrap_or(error.message()).to_owned())
}
