//! The rows of `events`, in the order of their chains, page by page.

use sqlx::PgConnection;

use crate::sink::{Instant, SinkError};

/// Rows of one page.
const PAGE: i64 = 2_000;

/// A row as it stands; what it says is not yet believed.
pub(super) struct Row {
    pub(super) signature: Vec<u8>,
    pub(super) outer_index: i32,
    pub(super) inner_index: i32,
    pub(super) slot: i64,
    pub(super) blockhash: Vec<u8>,
    pub(super) block_time: Option<Instant>,
    pub(super) chain: String,
    pub(super) subject: Vec<u8>,
    pub(super) seq: i64,
    pub(super) at: Instant,
    pub(super) name: String,
    pub(super) body: Vec<u8>,
    pub(super) head: Vec<u8>,
}

/// The rows after this one, or the first ones; none at the end.
pub(super) async fn page(connection: &mut PgConnection, after: Option<&Row>) -> Result<Vec<Row>, SinkError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT signature, outer_index, inner_index, slot, blockhash, block_time AS "block_time: Instant", chain,
                  subject, seq, at AS "at: Instant", name, body, head
           FROM chartseal.events
           WHERE (chain::text, subject::bytea, seq) > ($1::text, $2::bytea, $3::bigint)
           ORDER BY chain, subject, seq
           LIMIT $4"#,
        after.map_or("", |row| &row.chain),
        after.map_or(&[][..], |row| &row.subject),
        after.map_or(0, |row| row.seq),
        PAGE
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
