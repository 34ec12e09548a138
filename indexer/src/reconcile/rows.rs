//! Reads rows so that they can be compared with accounts: bytes as hex, times in seconds, amounts as text.

use chartseal_program::{
    log::ChainKind,
    seeds::{Id, NO_ID},
};
use serde_json::{Map, Value};
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, PgConnection, SqlSafeStr as _, Statement as _, TypeInfo as _,
    postgres::PgColumn,
};

use super::{expected::Gate, tables::Table};
use crate::sink::SinkError;

/// The rows of a table as they stand.
pub(super) type Row = Map<String, Value>;

pub(super) struct Rows(pub(super) Vec<Row>);

impl Rows {
    /// Reads them all. No value goes into the SQL: names come from this module and from the catalogue.
    pub(super) async fn read(snapshot: &mut PgConnection, table: &Table) -> Result<Self, SinkError> {
        let query = format!("SELECT {} FROM ({}) t", as_json(snapshot, table).await?, table.from);
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(snapshot).await?;
        let rows = rows.iter().map(|row| serde_json::from_str(row));
        Ok(Self(
            rows.collect::<Result<_, _>>()
                .map_err(|_| SinkError::Damaged("a row of a table"))?,
        ))
    }
}

/// SQL that makes an object of a row, by the types that its columns have.
async fn as_json(snapshot: &mut PgConnection, table: &Table) -> Result<String, SinkError> {
    let query = AssertSqlSafe(table.from).into_sql_str();
    let statement = (&mut *snapshot).prepare(query).await?;
    let column = |column: &PgColumn| {
        let name = column.name();
        let value = match column.type_info().name() {
            "BYTEA" => format!("encode(t.{name}, 'hex')"),
            "NUMERIC" => format!("t.{name}::text"),
            "TIMESTAMPTZ" => format!(
                // To the microsecond: accounts have whole seconds, and so must rows.
                "CASE WHEN isfinite(t.{name}) THEN to_jsonb(trim_scale(extract(epoch FROM t.{name})))
                      ELSE to_jsonb(t.{name}::text) END"
            ),
            _ => format!("t.{name}"),
        };
        format!("'{name}', {value}")
    };
    let columns: Vec<String> = statement.columns().iter().map(column).collect();
    Ok(format!("jsonb_build_object({})::text", columns.join(", ")))
}

/// The chain that a row follows from.
pub(super) fn gate(table: &Table, row: &Row) -> Gate {
    if table.sums {
        return Gate::All;
    }
    let kind = ChainKind::from_word(table.chain).unwrap_or(ChainKind::Log);
    let subject = row.get(table.subject).and_then(Value::as_str);
    let subject = subject.and_then(|text| hex::decode(text).ok()?.try_into().ok());
    let subject: Id = subject.unwrap_or(NO_ID);
    Gate::Chain(kind, subject)
}
