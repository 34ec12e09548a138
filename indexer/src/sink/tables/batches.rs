use chartseal_program::events::BatchAnchored;
use sqlx::PgConnection;

use super::{each, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn anchor(connection: &mut PgConnection, events: &[&BatchAnchored]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO batches (institution, id, author, wallet, root, locator, count, at, seq)
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[],
                              $7::bigint[], $8::timestamptz[], $9::bigint[])",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.batch) as _,
        each(events, |e| e.author.to_bytes()) as _,
        each(events, |e| e.wallet.to_bytes()) as _,
        each(events, |e| e.root) as _,
        each(events, |e| e.locator) as _,
        &each(events, |e| i64::from(e.count)),
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
