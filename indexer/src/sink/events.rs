//! The raw events.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::{
    Instant, SinkError,
    tables::{each, number},
};
use crate::{
    decode::Located,
    source::{Signature, show},
};

/// Events that are not stored yet, each once. Those that are must be the same, in the same block.
pub(super) async fn without_known<'a>(
    connection: &mut PgConnection,
    events: &'a [Located],
) -> Result<Vec<&'a Located>, SinkError> {
    let known = known(connection, events).await?;
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
    events: &[Located],
) -> Result<HashMap<(Signature, u16, u16), Stored>, SinkError> {
    let signatures: HashSet<Signature> = events.iter().map(|located| located.place.signature).collect();
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
    sqlx::query!(
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
    .await?;
    Ok(())
}
