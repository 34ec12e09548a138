//! The months of `accesses`.

use std::collections::BTreeSet;

use chartseal_program::events::AccessAllowed;
use sqlx::PgConnection;

use crate::sink::{Instant, SinkError};

const DAY: i64 = 86_400;

/// Makes the partitions that these events need. The tables' owner lets whoever may insert do that; a scratch double has
/// none.
pub(super) async fn make_room(connection: &mut PgConnection, events: &[&AccessAllowed]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    // Months are the database's matter; a few days stand for many events.
    let days: BTreeSet<i64> = events.iter().map(|e| e.link.at.div_euclid(DAY)).collect();
    let days: Vec<Instant> = days.into_iter().map(|day| Instant(day.saturating_mul(DAY))).collect();
    sqlx::query!(
        "SELECT chartseal.make_access_partitions($1::timestamptz[]) FROM pg_class
         WHERE oid = to_regclass('accesses') AND relkind = 'p'",
        days as _
    )
    .execute(connection)
    .await?;
    Ok(())
}
