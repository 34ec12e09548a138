//! All tables of two databases, row by row.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::cluster::connect;

/// Tables that say how a database came to be what it is, and not what it holds: migrations and when they were applied, and
/// what was told to others, which is told again after a roll-back.
const OF_ITS_OWN: [&str; 2] = ["_sqlx_migrations", "outbox"];

/// How many rows of a difference are shown.
const SHOWN: usize = 3;

/// The rows of every table, as text and in order.
async fn export(connection: &mut PgConnection) -> Result<BTreeMap<String, Vec<String>>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'chartseal' AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut all = BTreeMap::new();
    for table in tables {
        if OF_ITS_OWN.contains(&table.as_str()) {
            continue;
        }
        let words = format!("SELECT rows::text FROM chartseal.\"{table}\" AS rows ORDER BY 1");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(words))
            .fetch_all(&mut *connection)
            .await?;
        all.insert(table, rows);
    }
    Ok(all)
}

/// How many rows both databases hold.
///
/// # Errors
/// Where they do not hold the same; the error shows what only one of them does.
pub(super) async fn same(chaos: &str, calm: &str) -> Result<usize> {
    let ours = export(&mut connect(chaos).await?).await?;
    let theirs = export(&mut connect(calm).await?).await?;
    let mut differences = Vec::new();
    ensure!(
        ours.keys().eq(theirs.keys()),
        "the databases have different tables: {:?} and {:?}",
        ours.keys(),
        theirs.keys()
    );
    for (table, rows) in &ours {
        let others = theirs.get(table).context("a table of one database only")?;
        if rows != others {
            differences.push(format!(
                "{table}: {} rows and {} where it was calm; too many:{}; missing:{}",
                rows.len(),
                others.len(),
                only(rows, others),
                only(others, rows)
            ));
        }
    }
    ensure!(
        differences.is_empty(),
        "the databases differ:\n{}",
        differences.join("\n")
    );
    Ok(ours.values().map(Vec::len).sum())
}

/// The first rows that are in one list and not in the other, both being in order.
fn only(rows: &[String], others: &[String]) -> String {
    let missing = rows.iter().filter(|row| others.binary_search(row).is_err());
    missing.take(SHOWN).map(|row| format!("\n    {row}")).collect()
}
