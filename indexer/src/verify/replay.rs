//! Fills a scratch double of every table, by the code that fills the tables.
//!
//! The doubles are temporary tables of the same names. While they are filled, `search_path` has nothing but them, so
//! that a table without a double is an error and never the real one.

use chartseal_program::events::AnyEvent;
use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, PgConnection};

use super::rows::{self, Row};
use crate::{
    Error,
    decode::{Located, Place, decode},
    sink::{self, SinkError, tables::TABLES},
    source::{Listed, RpcSource},
};

/// Transactions that are written at once.
const BATCH: usize = 500;

/// Replays the ledger's transactions.
pub(super) async fn from_ledger(
    connection: &mut PgConnection,
    source: &RpcSource,
    listed: &[Listed],
) -> Result<(), Error> {
    mean_doubles(connection).await?;
    for part in listed.chunks(BATCH) {
        let mut events = Vec::new();
        let mut delivered = std::pin::pin!(source.deliver(part));
        while let Some(delivered) = delivered.next().await {
            if let Some(transaction) = delivered?.transaction {
                events.extend(decode(&transaction)?.events);
            }
        }
        sink::write(connection, &events).await?;
    }
    Ok(())
}

/// Replays the rows of `events`, whose chains were found whole.
pub(super) async fn from_rows(connection: &mut PgConnection) -> Result<(), SinkError> {
    mean_doubles(connection).await?;
    let mut last = None;
    loop {
        let mut page = rows::page(connection, last.as_ref()).await?;
        let events = page.iter().map(located).collect::<Result<Vec<_>, _>>()?;
        sink::write(connection, &events).await?;
        last = page.pop();
        if last.is_none() {
            return Ok(());
        }
    }
}

/// Makes the doubles, empty.
pub(super) async fn make_doubles(connection: &mut PgConnection) -> Result<(), SinkError> {
    for table in TABLES {
        let name = table.name;
        let double = format!("CREATE TEMPORARY TABLE {name} (LIKE chartseal.{name} INCLUDING ALL) ON COMMIT DROP");
        sqlx::query(AssertSqlSafe(double)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Lets names mean the doubles and nothing else.
async fn mean_doubles(connection: &mut PgConnection) -> Result<(), SinkError> {
    sqlx::query("SET LOCAL search_path TO pg_temp")
        .execute(connection)
        .await?;
    Ok(())
}

fn located(row: &Row) -> Result<Located, SinkError> {
    let event = AnyEvent::decode(&row.body).map_err(|_| SinkError::Damaged("events.body"))?;
    let index = |index: i32, column| u16::try_from(index).map_err(|_| SinkError::Damaged(column));
    Ok(Located {
        place: Place {
            signature: row
                .signature
                .as_slice()
                .try_into()
                .map_err(|_| SinkError::Damaged("events.signature"))?,
            outer: index(row.outer_index, "events.outer_index")?,
            inner: index(row.inner_index, "events.inner_index")?,
            slot: u64::try_from(row.slot).map_err(|_| SinkError::Damaged("events.slot"))?,
            blockhash: row
                .blockhash
                .as_slice()
                .try_into()
                .map_err(|_| SinkError::Damaged("events.blockhash"))?,
            block_time: row.block_time.map(|time| time.0),
        },
        bytes: row.body.clone(),
        event,
    })
}
