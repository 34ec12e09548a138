//! What an export reads from the database. It is not believed: the chains are checked before a file leaves.

use std::collections::BTreeSet;

use chartseal_audit::Placed;
use chartseal_program::{log::ChainKind, seeds::Id};
use sqlx::PgConnection;

use crate::sink::{Instant, SinkError};

/// The events of a chain, in their order.
pub(super) async fn of_chain(
    snapshot: &mut PgConnection,
    kind: ChainKind,
    subject: &Id,
) -> Result<Vec<Placed>, SinkError> {
    let rows = sqlx::query!(
        r#"SELECT signature, outer_index, inner_index, slot, blockhash, block_time AS "block_time: Instant", body
           FROM chartseal.events WHERE chain = $1::text AND subject = $2::bytea ORDER BY seq"#,
        kind.word(),
        &subject[..]
    )
    .fetch_all(snapshot)
    .await?;
    rows.into_iter()
        .map(|row| {
            let index = |index: i32, column| u16::try_from(index).map_err(|_| SinkError::Damaged(column));
            let damaged = |column| move |_| SinkError::Damaged(column);
            Ok(Placed {
                signature: row.signature.try_into().map_err(damaged("events.signature"))?,
                slot: u64::try_from(row.slot).map_err(|_| SinkError::Damaged("events.slot"))?,
                blockhash: row.blockhash.try_into().map_err(damaged("events.blockhash"))?,
                block_time: row.block_time.map(|time| time.0),
                outer: index(row.outer_index, "events.outer_index")?,
                inner: index(row.inner_index, "events.inner_index")?,
                body: row.body,
            })
        })
        .collect()
}

/// The institutions that these accounts are, or are members of.
pub(super) async fn institutions_of(
    snapshot: &mut PgConnection,
    accounts: &BTreeSet<[u8; 32]>,
) -> Result<Vec<Id>, SinkError> {
    let accounts: Vec<&[u8]> = accounts.iter().map(|account| &account[..]).collect();
    let rows = sqlx::query_scalar!(
        r#"SELECT id::bytea AS "id!" FROM chartseal.institutions WHERE address = ANY($1::bytea[])
           UNION SELECT institution::bytea FROM chartseal.members WHERE address = ANY($1::bytea[])"#,
        &accounts as _
    )
    .fetch_all(snapshot)
    .await?;
    let id = |id: Vec<u8>| id.try_into().map_err(|_| SinkError::Damaged("institutions.id"));
    rows.into_iter().map(id).collect()
}
