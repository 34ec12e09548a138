use chartseal_program::{log::ChainKind, seeds::Id};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    list::{Origin, TABLES, Table},
    rollups,
};
use crate::sink::SinkError;

/// Deletes every row that follows from the events of these chains, in all tables but `events` and `chains`.
///
/// Rows of other chains may refer to those that go. So the caller defers foreign keys, and writes what is to stay anew in
/// the same database transaction.
pub(in crate::sink) async fn forget(
    connection: &mut PgConnection,
    chains: &[(ChainKind, Id)],
) -> Result<(), SinkError> {
    // Sums by role ask the members, so patients come before institutions.
    for kind in ChainKind::ALL.into_iter().rev() {
        let subjects: Vec<Id> = chains
            .iter()
            .filter(|(chain, _)| *chain == kind)
            .map(|(_, subject)| *subject)
            .collect();
        if subjects.is_empty() {
            continue;
        }
        match kind {
            ChainKind::Log => rollups::forget_logs(connection, &subjects).await?,
            ChainKind::Refusals => rollups::forget_refusals(connection, &subjects).await?,
            ChainKind::Registry | ChainKind::Institution | ChainKind::Tree => {}
        }
        // Those that refer to others go first.
        for (table, origin) in TABLES.iter().rev().filter_map(|table| of_chain(table, kind)) {
            let delete = format!("DELETE FROM {} WHERE {} = ANY($1)", table.name, origin.subject);
            sqlx::query(AssertSqlSafe(delete))
                .bind(&subjects)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// A table of which all rows follow from chains of this kind.
fn of_chain(table: &Table, kind: ChainKind) -> Option<(&Table, &Origin)> {
    let origin = table.origin.as_ref()?;
    (origin.chain.strip_prefix('\'')?.strip_suffix('\'')? == kind.word()).then_some((table, origin))
}
