//! Compares every table with its scratch double, both ways, row by row and column by column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection};

use super::report::{Finding, Findings, Problem, TableCount};
use crate::sink::{
    SCHEMA, SinkError,
    tables::{TABLES, Table},
};

/// Differences of one table that are looked at, at most.
const MOST: usize = 2_000;

/// Tables that do not follow from events: how far the ledger was read and how much of that is final, which migrations were
/// applied, who reads, and what the HTTP service and its notifications keep.
const APART: [&str; 8] = [
    "checkpoint",
    "tail",
    "_sqlx_migrations",
    "analysts",
    "api_tokens",
    "outbox",
    "webhooks",
    "deliveries",
];

/// Compares all tables, and counts their rows.
pub(super) async fn tables(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<Vec<TableCount>, SinkError> {
    require_all(connection).await?;
    let mut counts = Vec::new();
    for table in TABLES {
        for finding in compare(connection, table).await? {
            findings.add(finding);
        }
        let count = format!("SELECT count(*) FROM chartseal.{}", table.name);
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await?;
        counts.push(TableCount {
            table: table.name.to_owned(),
            rows: u64::try_from(rows).unwrap_or_default(),
        });
    }
    Ok(counts)
}

/// Refuses to call a database whole whose tables this code does not know. Partitions are parts of a table as long as they
/// are attached to it and hold rows themselves.
async fn require_all(connection: &mut PgConnection) -> Result<(), SinkError> {
    let there = sqlx::query!(
        r#"SELECT c.relnamespace::regnamespace::text AS "schema!", c.relname::text AS "name!",
                  c.relispartition AND c.relkind = 'r' AND p.relname IS NOT NULL AS "is_part!"
           FROM pg_class c
           LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
           LEFT JOIN pg_class p ON p.oid = i.inhparent AND p.relnamespace = 'chartseal'::regnamespace
                                   AND p.relkind = 'p' AND NOT p.relispartition
           WHERE c.relkind IN ('r', 'p', 'f')
                 AND (c.relnamespace = 'chartseal'::regnamespace OR p.relname IS NOT NULL)"#
    )
    .fetch_all(connection)
    .await?;
    let known: BTreeSet<&str> = TABLES.iter().map(|table| table.name).chain(APART).collect();
    let is_known = |schema: &str, name: &str, is_part: bool| schema == SCHEMA && (is_part || known.contains(name));
    match there.iter().find(|row| !is_known(&row.schema, &row.name, row.is_part)) {
        None => Ok(()),
        Some(row) => Err(SinkError::UnknownTable(format!("{}.{}", row.schema, row.name))),
    }
}

/// A row that only one side has.
#[derive(sqlx::FromRow)]
struct Difference {
    /// The double has it, and the table does not.
    expected: bool,
    chain: Option<String>,
    subject: Option<Vec<u8>>,
    seq: Option<i64>,
    key: String,
    content: String,
}

/// The sides of one row, by what names it.
#[derive(Default)]
struct Sides {
    expected: Option<Difference>,
    found: Option<Difference>,
}

async fn compare(connection: &mut PgConnection, table: &Table) -> Result<Vec<Finding>, SinkError> {
    let differences: Vec<Difference> = sqlx::query_as(AssertSqlSafe(differences_of(table)))
        .fetch_all(connection)
        .await?;
    let mut rows: BTreeMap<String, Sides> = BTreeMap::new();
    for difference in differences {
        let sides = rows.entry(difference.key.clone()).or_default();
        match difference.expected {
            true => sides.expected = Some(difference),
            false => sides.found = Some(difference),
        }
    }
    Ok(rows.into_values().filter_map(|sides| finding(table, sides)).collect())
}

fn differences_of(table: &Table) -> String {
    let Table { name, key, origin } = table;
    let (chain, subject, seq) = origin.as_ref().map_or(("NULL", "NULL", "NULL"), |origin| {
        (origin.chain, origin.subject, origin.seq)
    });
    let side = |expected: bool, has: &str, lacks: &str| {
        format!(
            "(SELECT {expected} AS expected, ({chain})::text AS chain, ({subject})::bytea AS subject,
                     ({seq})::bigint AS seq, jsonb_build_array({key})::text AS key, to_jsonb(t)::text AS content
              FROM (SELECT * FROM {has}.{name} EXCEPT ALL SELECT * FROM {lacks}.{name}) t
              ORDER BY key LIMIT {MOST})"
        )
    };
    format!(
        "{} UNION ALL {}",
        side(true, "pg_temp", "chartseal"),
        side(false, "chartseal", "pg_temp")
    )
}

fn finding(table: &Table, sides: Sides) -> Option<Finding> {
    let (problem, row, detail) = match (sides.expected, sides.found) {
        // Named by the event that it must follow from, whatever it claims.
        (Some(expected), Some(found)) => {
            let columns = differing(&expected.content, &found.content).join(", ");
            let detail = match &table.origin {
                Some(_) => format!("{columns} not as the event says"),
                None => format!("{columns} not what the rows add up to"),
            };
            (Problem::Altered, expected, detail)
        }
        (Some(expected), None) => (Problem::Missing, expected, "the row is not there".to_owned()),
        (None, Some(found)) => (Problem::Added, found, "no event says so".to_owned()),
        (None, None) => return None,
    };
    Some(Finding {
        problem,
        table: table.name.to_owned(),
        detail: match &table.origin {
            Some(_) => detail,
            None => format!("{} {}: {detail}", table.key, row.key),
        },
        chain: row.chain,
        subject: row.subject.map(hex::encode),
        seq: row.seq.and_then(|seq| u64::try_from(seq).ok()),
    })
}

/// Columns in which two rows differ.
fn differing(one: &str, other: &str) -> Vec<String> {
    let read = |row: &str| serde_json::from_str::<Map<String, Value>>(row).unwrap_or_default();
    let other = read(other);
    read(one)
        .into_iter()
        .filter(|(column, value)| other.get(column) != Some(value))
        .map(|(column, _)| column)
        .collect()
}
