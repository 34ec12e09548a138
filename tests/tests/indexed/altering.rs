//! Somebody alters the database: one cell at a time, in every way that its column allows, and back again.

use chartseal_tests::stack::Stack;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgRow};

/// The way in which a cell is altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It holds something else.
    Other,
    /// It holds nothing any more.
    Emptied,
    /// It holds something where there was nothing.
    Filled,
}

/// A column as the catalogue has it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Name of its domain, or else of its type.
    kind: String,
    /// Name of its type.
    base: String,
    nullable: bool,
    /// The words of its domain; none where it has no words.
    words: Vec<String>,
}

/// A row before it was altered.
#[derive(Clone, Debug)]
pub(crate) struct Victim {
    pub(crate) ctid: String,
    pub(crate) key: Value,
    pub(crate) content: Value,
    /// The cell in question, as reports show cells.
    pub(crate) cell: Value,
}

/// A cell that was altered.
pub(crate) struct Alteration {
    /// The row as it was.
    pub(crate) victim: Victim,
    /// What names the row now.
    pub(crate) key: Value,
    /// What the cell holds now.
    pub(crate) cell: Value,
}

/// What came of trying to alter.
pub(crate) enum Tried {
    /// It was done.
    Altered(Box<Alteration>),
    /// These constraints forbid it in every row.
    Refused(Vec<String>),
    /// There is no row in which it could be done.
    NoRow,
}

/// Somebody who owns the tables.
pub(crate) struct Owner(PgConnection);

impl Owner {
    pub(crate) async fn of(stack: &Stack) -> Self {
        let mut owner = Self(PgConnection::connect(&stack.endpoints().database).await.unwrap());
        owner.does("SET search_path TO chartseal").await;
        // As an owner can: foreign keys are not asked. Other constraints are.
        owner.does("SET session_replication_role = replica").await;
        owner
    }

    pub(crate) async fn does(&mut self, statement: &str) -> u64 {
        let done = self.tries(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"))
            .rows_affected()
    }

    async fn tries(&mut self, statement: &str) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.0).await
    }

    pub(crate) async fn asks(&mut self, question: &str) -> Vec<PgRow> {
        let rows = sqlx::query(AssertSqlSafe(question)).fetch_all(&mut self.0).await;
        rows.unwrap_or_else(|error| panic!("{question}: {error}"))
    }

    /// Keeps the rows of a table aside.
    pub(crate) async fn keeps(&mut self, table: &str) {
        self.does(&format!("CREATE TEMPORARY TABLE kept_{table} AS TABLE {table}"))
            .await;
    }

    /// Puts the rows back that were kept.
    pub(crate) async fn puts_back(&mut self, table: &str) {
        self.does(&format!(
            "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}"
        ))
        .await;
    }

    pub(crate) async fn columns(&mut self, table: &str) -> Vec<Column> {
        let rows = self
            .asks(&format!(
                "SELECT column_name::text, coalesce(domain_name, udt_name)::text, udt_name::text, is_nullable = 'YES',
                        coalesce((SELECT pg_get_constraintdef(oid) FROM pg_constraint
                                  WHERE contypid = to_regtype(c.domain_schema || '.' || c.domain_name)
                                        AND c.udt_name = 'text'), '')
                 FROM information_schema.columns c
                 WHERE table_schema = 'chartseal' AND table_name = '{table}' ORDER BY ordinal_position"
            ))
            .await;
        rows.iter().map(Column::from_row).collect()
    }

    /// The rows of a table under this condition, with their keys, and one column as reports show it.
    pub(crate) async fn rows(&mut self, table: &str, key: &[Column], shown: &Column, condition: &str) -> Vec<Victim> {
        let rows = self
            .asks(&format!(
                "SELECT ctid::text, {}::text, to_jsonb(t)::text, coalesce({}, 'null')::text FROM {table} t
                 WHERE {condition} ORDER BY ctid",
                key_of(key),
                shown.as_reported()
            ))
            .await;
        let json = |row: &PgRow, column: usize| serde_json::from_str(row.get(column)).unwrap();
        let victim = |row: &PgRow| Victim {
            ctid: row.get(0),
            key: json(row, 1),
            content: json(row, 2),
            cell: json(row, 3),
        };
        rows.iter().map(victim).collect()
    }

    /// Alters this column of the first row under this condition in which it can be done.
    pub(crate) async fn alters(
        &mut self,
        table: &str,
        key: &[Column],
        column: &Column,
        way: Way,
        stands: &str,
    ) -> Tried {
        if way == Way::Emptied && !column.nullable {
            return Tried::NoRow;
        }
        let is_null = if way == Way::Filled { "IS NULL" } else { "IS NOT NULL" };
        let condition = format!("({stands}) AND t.{} {is_null}", column.name);
        let mut refused = Vec::new();
        for victim in self.rows(table, key, column, &condition).await {
            for value in column.values(way) {
                let name = &column.name;
                let update = format!(
                    "UPDATE {table} t SET {name} = {value} WHERE ctid = '{}' AND ({value}) IS DISTINCT FROM t.{name}
                     RETURNING {}::text, coalesce({}, 'null')::text",
                    victim.ctid,
                    key_of(key),
                    column.as_reported()
                );
                match sqlx::query(AssertSqlSafe(update.as_str()))
                    .fetch_optional(&mut self.0)
                    .await
                {
                    Ok(Some(row)) => {
                        let json = |column: usize| serde_json::from_str(row.get(column)).unwrap();
                        let (key, cell) = (json(0), json(1));
                        return Tried::Altered(Box::new(Alteration { victim, key, cell }));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let constraint = error.as_database_error().and_then(|error| error.constraint());
                        refused.push(constraint.unwrap_or_else(|| panic!("{update}: {error}")).to_owned());
                    }
                }
            }
        }
        refused.sort();
        refused.dedup();
        match refused.is_empty() {
            true => Tried::NoRow,
            false => Tried::Refused(refused),
        }
    }

    /// Drops constraints of a table: what brings them back.
    pub(crate) async fn drops(&mut self, table: &str, constraints: &[String]) -> Vec<String> {
        let mut back = Vec::new();
        for name in constraints {
            let row = self
                .asks(&format!(
                    "SELECT pg_get_constraintdef(oid) FROM pg_constraint
                     WHERE conrelid = 'chartseal.{table}'::regclass AND conname = '{name}'"
                ))
                .await;
            back.push(format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} {}",
                row[0].get::<String, _>(0)
            ));
            self.does(&format!("ALTER TABLE {table} DROP CONSTRAINT {name}")).await;
        }
        back
    }
}

/// SQL for what names a row, as reports show it.
fn key_of(key: &[Column]) -> String {
    let parts: Vec<String> = key.iter().map(Column::as_reported).collect();
    format!("jsonb_build_array({})", parts.join(", "))
}

impl Column {
    fn from_row(row: &PgRow) -> Self {
        let check: String = row.get(4);
        Self {
            name: row.get(0),
            kind: row.get(1),
            base: row.get(2),
            nullable: row.get(3),
            // CHECK ((VALUE = ANY (ARRAY['open'::text, ...
            words: check.split('\'').skip(1).step_by(2).map(str::to_owned).collect(),
        }
    }

    /// SQL for the cell of a row `t` as reports show it.
    fn as_reported(&self) -> String {
        let cell = format!("t.{}", self.name);
        match self.base.as_str() {
            "bytea" => format!("to_jsonb(encode({cell}, 'hex'))"),
            "numeric" => format!("to_jsonb({cell}::text)"),
            "timestamptz" => format!(
                "CASE WHEN isfinite({cell}) THEN to_jsonb(trim_scale(extract(epoch FROM {cell})))
                      ELSE to_jsonb({cell}::text) END"
            ),
            _ => format!("to_jsonb({cell})"),
        }
    }

    /// SQL for what may be put in its place, the smallest alterations first.
    pub(crate) fn values(&self, way: Way) -> Vec<String> {
        let cell = format!("t.{}", self.name);
        if way == Way::Emptied {
            return vec!["NULL".to_owned()];
        }
        let filled = way == Way::Filled;
        if !self.words.is_empty() {
            return self.words.iter().map(|word| format!("'{word}'")).collect();
        }
        let values: &[String] = match (self.base.as_str(), filled) {
            ("bytea", true) => {
                let length = if self.kind == "id" { 16 } else { 32 };
                &[format!("decode(repeat('ab', {length}), 'hex')")]
            }
            ("bytea", false) => &[format!("set_byte({cell}, 0, get_byte({cell}, 0) # 1)")],
            ("int2" | "int4" | "int8" | "numeric", true) => &["1".to_owned()],
            ("int2" | "int4" | "int8" | "numeric", false) => &[format!("{cell} + 1"), format!("{cell} - 1")],
            ("timestamptz", true) => &["now()".to_owned()],
            ("timestamptz", false) => &[format!(
                "CASE WHEN isfinite({cell}) THEN {cell} + interval '1 microsecond' ELSE now() END"
            )],
            ("bool", false) => &[format!("NOT {cell}")],
            ("_text", false) => &[format!("{cell}[2:]"), "'{read}'".to_owned(), "'{research}'".to_owned()],
            ("_int4", true) => &["'{1}'".to_owned()],
            ("_int4", false) => &[format!("{cell} || 31")],
            _ => panic!("nobody has said how to alter {self:?}"),
        };
        values.to_vec()
    }

    /// SQL for what a row of its own has there, where this one has that.
    pub(crate) fn of_its_own(&self) -> String {
        let cell = format!("t.{}", self.name);
        match self.base.as_str() {
            "bytea" => format!("set_byte({cell}, 0, 255 - get_byte({cell}, 0))"),
            "int2" => format!("{cell} + 10"),
            _ => format!("{cell} + 1000000"),
        }
    }
}
