//! All tables of two databases, row by row, and what each of them tells those who are notified.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::cluster::connect;

/// Tables that say how a database came to be what it is, and not what it holds: migrations and when they were applied, and
/// what was told to others, which is compared by what of it stands.
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

/// What both databases hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Same {
    /// Rows of all tables but those of its own.
    pub(super) rows: usize,
    /// Notices that stand.
    pub(super) notices: usize,
    /// Notices that were taken back where it was not calm.
    pub(super) withdrawn: usize,
}

/// The notices that were not taken back, as text and in order.
async fn standing(connection: &mut PgConnection) -> Result<Vec<String>> {
    let found = sqlx::query_scalar(
        "SELECT concat_ws(' ', audience, subject, kind, signature, outer_index, inner_index, at, payload)
         FROM outbox o
         WHERE kind <> 'withdrawn'
               AND NOT EXISTS (SELECT FROM outbox w WHERE w.kind = 'withdrawn' AND w.payload ->> 'withdraws' = o.id::text)
         ORDER BY 1",
    );
    Ok(found.fetch_all(connection).await?)
}

/// How many notices were taken back: each after it was given, and once.
async fn withdrawn(connection: &mut PgConnection) -> Result<usize> {
    let found = sqlx::query_as("SELECT id, (payload ->> 'withdraws')::bigint FROM outbox WHERE kind = 'withdrawn'");
    let all: Vec<(i64, i64)> = found.fetch_all(connection).await?;
    ensure!(
        all.iter().all(|(withdrawal, notice)| notice < withdrawal),
        "a notice was taken back before it was given: {all:?}"
    );
    let notices: BTreeSet<i64> = all.iter().map(|(_, notice)| *notice).collect();
    ensure!(notices.len() == all.len(), "a notice was taken back twice: {all:?}");
    Ok(all.len())
}

/// Compares what those who are notified were told.
async fn same_notices(chaos: &mut PgConnection, calm: &mut PgConnection) -> Result<(usize, usize)> {
    let (ours, theirs) = (standing(chaos).await?, standing(calm).await?);
    let twice = ours.windows(2).find(|pair| pair.first() == pair.last());
    ensure!(twice.is_none(), "a notice stands twice: {twice:?}");
    ensure!(
        ours == theirs,
        "the notices differ: {} stand and {} where it was calm; too many:{}; missing:{}",
        ours.len(),
        theirs.len(),
        only(&ours, &theirs),
        only(&theirs, &ours)
    );
    ensure!(withdrawn(calm).await? == 0, "a notice was taken back where it was calm");
    Ok((ours.len(), withdrawn(chaos).await?))
}

/// What both databases hold.
///
/// # Errors
/// Where they do not hold the same; the error shows what only one of them does.
pub(super) async fn same(chaos: &str, calm: &str) -> Result<Same> {
    let (mut chaos, mut calm) = (connect(chaos).await?, connect(calm).await?);
    let ours = export(&mut chaos).await?;
    let theirs = export(&mut calm).await?;
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
    let (notices, withdrawn) = same_notices(&mut chaos, &mut calm).await?;
    Ok(Same {
        rows: ours.values().map(Vec::len).sum(),
        notices,
        withdrawn,
    })
}

/// The first rows that are in one list and not in the other, both being in order.
fn only(rows: &[String], others: &[String]) -> String {
    let missing = rows.iter().filter(|row| others.binary_search(row).is_err());
    missing.take(SHOWN).map(|row| format!("\n    {row}")).collect()
}
