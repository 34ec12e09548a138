//! Takes back what was stored of dropped transactions.
//!
//! Their events go, and with them every row of the chains that they were links of; then the events that stay are written
//! once more, by the code that wrote them first. So after it the tables hold what they would if the dropped ones had never
//! been seen, however much they changed. It costs as much as those chains are long, and happens as often as a confirmed
//! block is dropped.

use std::collections::BTreeSet;

use chartseal_program::{events::AnyEvent, log::ChainKind, seeds::Id};
use sqlx::PgConnection;

use super::{Instant, SinkError, chains, tables};
use crate::{
    decode::{Located, Place},
    source::Signature,
};

/// Events that are written again at once.
const PAGE: i64 = 2_000;

/// Takes back what follows from these transactions. Returns how many events that were.
pub(super) async fn take_back(connection: &mut PgConnection, dropped: &[Signature]) -> Result<u64, SinkError> {
    let gone = sqlx::query!(
        "DELETE FROM events WHERE signature = ANY($1::bytea[]) RETURNING chain, subject",
        dropped as _
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut chains = BTreeSet::new();
    for row in &gone {
        let kind = ChainKind::from_word(&row.chain).ok_or(SinkError::Damaged("events.chain"))?;
        let subject: Id = row
            .subject
            .as_slice()
            .try_into()
            .map_err(|_| SinkError::Damaged("events.subject"))?;
        // A patient's two chains fill the same tables.
        match kind {
            ChainKind::Log | ChainKind::Refusals => {
                chains.extend([(ChainKind::Log, subject), (ChainKind::Refusals, subject)]);
            }
            ChainKind::Registry | ChainKind::Institution | ChainKind::Tree => {
                chains.insert((kind, subject));
            }
        }
    }
    let chains: Vec<_> = chains.into_iter().collect();
    if !chains.is_empty() {
        // Rows of other chains refer to those that go and come back.
        sqlx::query("SET CONSTRAINTS ALL DEFERRED")
            .execute(&mut *connection)
            .await?;
        tables::forget(connection, &chains).await?;
        chains::forget(connection, &chains).await?;
        for chain in &chains {
            write_again(connection, *chain).await?;
        }
    }
    Ok(gone.len() as u64)
}

/// Writes what follows from a chain's events.
async fn write_again(connection: &mut PgConnection, (kind, subject): (ChainKind, Id)) -> Result<(), SinkError> {
    let mut after = 0;
    loop {
        let rows = sqlx::query!(
            r#"SELECT signature, outer_index, inner_index, slot, blockhash, block_time AS "block_time: Instant", seq, body
               FROM events WHERE chain = $1 AND subject = $2 AND seq > $3 ORDER BY seq LIMIT $4"#,
            kind.word() as _,
            subject as _,
            after,
            PAGE
        )
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.seq;
        let events = rows
            .into_iter()
            .map(|row| {
                let damaged = SinkError::Damaged;
                Ok(Located {
                    place: Place {
                        signature: row.signature.try_into().map_err(|_| damaged("events.signature"))?,
                        outer: u16::try_from(row.outer_index).map_err(|_| damaged("events.outer_index"))?,
                        inner: u16::try_from(row.inner_index).map_err(|_| damaged("events.inner_index"))?,
                        slot: u64::try_from(row.slot).map_err(|_| damaged("events.slot"))?,
                        blockhash: row.blockhash.try_into().map_err(|_| damaged("events.blockhash"))?,
                        block_time: row.block_time.map(|time| time.0),
                    },
                    event: AnyEvent::decode(&row.body).map_err(|_| damaged("events.body"))?,
                    bytes: row.body,
                })
            })
            .collect::<Result<Vec<_>, SinkError>>()?;
        let standing = chains::standing(connection, &events).await?;
        let events: Vec<&Located> = events.iter().collect();
        chains::extend(connection, standing, &events).await?;
        tables::write(connection, &events).await?;
    }
}
