//! Compares every table with its scratch double, both ways, row by row and column by column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection};

use super::report::{Finding, Findings, Problem, TableCount};
use crate::sink::SinkError;

/// Differences of one table that are looked at, at most.
const MOST: usize = 2_000;

/// A table, and how its rows name the event that they follow from.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// SQL for the kind of the chain.
    chain: &'static str,
    /// SQL for the chain's subject.
    subject: &'static str,
    /// SQL for the place of the event that made or last changed the row.
    seq: &'static str,
    /// SQL for what names the row: its primary key.
    key: &'static str,
}

/// SQL for the subject of the registry's chain.
const ZEROS: &str = r"'\x00000000000000000000000000000000'::bytea";

/// Every table but the checkpoint. What is not here would not be compared, so [`tables`] refuses to leave one out.
pub(super) const TABLES: &[Table] = &[
    table(
        "events",
        "chain",
        "subject",
        "seq",
        "signature, outer_index, inner_index",
    ),
    table("chains", "chain", "subject", "seq", "chain, subject"),
    table("registry", "'registry'", ZEROS, "changed_seq", "single"),
    table("registry_changes", "'registry'", ZEROS, "seq", "seq"),
    table("institutions", "'institution'", "id", "changed_seq", "id"),
    table("members", "'institution'", "institution", "changed_seq", "address"),
    table("batches", "'institution'", "institution", "seq", "institution, id"),
    table("patients", "'log'", "id", "changed_seq", "id"),
    table("delegates", "'log'", "patient", "changed_seq", "patient, id"),
    table("safeguards", "'log'", "patient", "changed_seq", "patient"),
    table(
        "guardians",
        "'log'",
        "patient",
        "changed_seq",
        "patient, made_seq, place",
    ),
    table(
        "break_glass_holders",
        "'log'",
        "patient",
        "changed_seq",
        "patient, made_seq, place",
    ),
    table("recovery_steps", "'log'", "patient", "seq", "patient, seq"),
    table("policies", "'log'", "patient", "changed_seq", "patient, institution"),
    table(
        "policy_classes",
        "'log'",
        "patient",
        "changed_seq",
        "patient, institution, class, made_seq",
    ),
    table("policy_changes", "'log'", "patient", "seq", "patient, seq"),
    table("emergencies", "'log'", "patient", "changed_seq", "patient, id"),
    table("records", "'log'", "patient", "changed_seq", "patient, id"),
    table("record_versions", "'log'", "patient", "seq", "patient, record, version"),
    table("erasures", "'log'", "patient", "seq", "patient, record"),
    table("erasure_attestations", "'log'", "patient", "seq", "patient, seq"),
    table("requests", "'log'", "patient", "changed_seq", "patient, id"),
    table("grants", "'log'", "patient", "changed_seq", "patient, id"),
    table("grants_passed_on", "'log'", "patient", "seq", "patient, seq"),
    table("accesses", "'log'", "patient", "seq", "patient, seq"),
    table("refusals", "'refusals'", "patient", "seq", "patient, seq"),
    table("agreements", "'institution'", "consumer", "changed_seq", "consumer, id"),
    table(
        "agreement_deposits",
        "'institution'",
        "consumer",
        "seq",
        "consumer, seq",
    ),
    table("settlements", "'log'", "patient", "seq", "patient, seq"),
];

/// Tables that do not follow from events: how far the ledger was read, and which migrations were applied.
const APART: [&str; 2] = ["checkpoint", "_sqlx_migrations"];

const fn table(
    name: &'static str,
    chain: &'static str,
    subject: &'static str,
    seq: &'static str,
    key: &'static str,
) -> Table {
    Table {
        name,
        chain,
        subject,
        seq,
        key,
    }
}

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

/// Refuses to call a database whole whose tables this code does not know.
async fn require_all(connection: &mut PgConnection) -> Result<(), SinkError> {
    let there = sqlx::query_scalar!(
        r#"SELECT c.relname::text AS "name!" FROM pg_class c
           WHERE c.relnamespace = 'chartseal'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"#
    )
    .fetch_all(connection)
    .await?;
    let known: BTreeSet<&str> = TABLES.iter().map(|table| table.name).chain(APART).collect();
    match there.into_iter().find(|name| !known.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(SinkError::UnknownTable(name)),
    }
}

/// A row that only one side has.
#[derive(sqlx::FromRow)]
struct Difference {
    /// The double has it, and the table does not.
    expected: bool,
    chain: String,
    subject: Vec<u8>,
    seq: i64,
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
    let Table {
        name,
        chain,
        subject,
        seq,
        key,
    } = table;
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
            let columns = differing(&expected.content, &found.content);
            (
                Problem::Altered,
                expected,
                format!("{} not as the event says", columns.join(", ")),
            )
        }
        (Some(expected), None) => (Problem::Missing, expected, "the row is not there".to_owned()),
        (None, Some(found)) => (Problem::Added, found, "no event says so".to_owned()),
        (None, None) => return None,
    };
    Some(Finding {
        problem,
        table: table.name.to_owned(),
        chain: Some(row.chain),
        subject: Some(hex::encode(row.subject)),
        seq: u64::try_from(row.seq).ok(),
        detail,
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
