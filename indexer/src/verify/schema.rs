//! Compares what analysts read through, the views, functions and policies of the schema, with what the migrations make
//! of it, and finds what can hide or change rows behind a table's back.
//!
//! The migrations that are named `…_views` hold views and functions only, and the newest of them has all that there are.
//! It is applied once more, to the scratch doubles, as are the statements of all migrations about row security, and what
//! Postgres says of the two is compared: nothing that is kept in the database is believed.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::report::{Finding, Findings, Problem};
use crate::sink::{RowSecurity, SCHEMA, SinkError, newest_views, row_security};

/// Views, functions and row security of `$schema` by name, with their definitions. They are read with that schema in the
/// search path, so that its own names are not qualified in them; only the head of a function always is.
const DEFINITIONS: &str = "
    SELECT c.relname::text, pg_get_viewdef(c.oid) || coalesce(array_to_string(c.reloptions, ','), '')
    FROM pg_class c WHERE c.relnamespace = $schema AND c.relkind IN ('v', 'm')
    UNION ALL
    SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           regexp_replace(pg_get_functiondef(p.oid), '(chartseal|pg_temp(_\\d+)?)\\.', '')
    FROM pg_proc p
    WHERE p.pronamespace = $schema AND p.prokind IN ('f', 'p')
    UNION ALL
    SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', 'an aggregate' FROM pg_proc p
    WHERE p.pronamespace = $schema AND p.prokind NOT IN ('f', 'p')
    UNION ALL
    SELECT 'operator ' || o.oprname || ' ' || o.oid, 'an operator' FROM pg_operator o WHERE o.oprnamespace = $schema
    UNION ALL
    SELECT 'policy ' || p.polname || ' of ' || c.relname,
           concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::text, pg_get_expr(p.polqual, p.polrelid), 'check',
                     pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = $schema
    UNION ALL
    SELECT 'row security of ' || c.relname, concat(c.relrowsecurity, c.relforcerowsecurity)
    FROM pg_class c
    WHERE c.relnamespace = $schema AND (c.relrowsecurity OR c.relforcerowsecurity) AND NOT c.relispartition";

/// Search paths with which the names of the one schema or the other go unqualified.
const OURS_FIRST: &str = "chartseal, pg_temp";
const DOUBLES_FIRST: &str = "pg_temp, chartseal";

/// What makes a table show or keep something else than was written: none of it is ours.
const INTERFERENCE: &str = "
    SELECT c.relname::text, 'rule ' || r.rulename
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE c.relnamespace = 'chartseal'::regnamespace AND NOT (c.relkind IN ('v', 'm') AND r.rulename = '_RETURN')
    UNION ALL
    SELECT c.relname::text, 'trigger ' || t.tgname
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'chartseal'::regnamespace AND NOT t.tgisinternal
    ORDER BY 1, 2";

/// Partitions that can be read past their table and its policy: none is ours.
const OPEN_PARTITIONS: &str = "
    SELECT relname::text FROM pg_class
    WHERE relnamespace = 'chartseal'::regnamespace AND relispartition AND relkind IN ('r', 'p') AND NOT relrowsecurity
    ORDER BY 1";

/// Refuses to verify as somebody from whom row security hides rows, which would be called missing.
///
/// # Errors
/// Where it does, or Postgres fails.
pub(super) async fn require_all_rows(connection: &mut PgConnection) -> Result<(), SinkError> {
    let is_filtered: bool = sqlx::query_scalar("SELECT row_security_active('chartseal.events')")
        .fetch_one(&mut *connection)
        .await?;
    if !is_filtered {
        return Ok(());
    }
    let sees_all: bool = sqlx::query_scalar("SELECT chartseal.sees_all()")
        .fetch_one(connection)
        .await?;
    match sees_all {
        true => Ok(()),
        false => Err(SinkError::RowsHidden),
    }
}

/// Compares definitions. The doubles of the tables must be there.
pub(super) async fn compare(connection: &mut PgConnection, findings: &mut Findings) -> Result<(), SinkError> {
    let interference: Vec<(String, String)> = sqlx::query_as(INTERFERENCE).fetch_all(&mut *connection).await?;
    let mut by_table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, what) in interference {
        by_table.entry(table).or_default().push(what);
    }
    for (table, what) in by_table {
        let detail = format!("{}: it can hide or change rows", what.join(", "));
        findings.add(about(Problem::Altered, table, detail));
    }

    let open: Vec<String> = sqlx::query_scalar(OPEN_PARTITIONS).fetch_all(&mut *connection).await?;
    for partition in open {
        let detail = "row security is off: whoever may read it sees past the policy of its table".to_owned();
        findings.add(about(Problem::Altered, partition, detail));
    }

    let found = definitions(connection, "'chartseal'::regnamespace", OURS_FIRST).await?;
    let expected = expected(connection, findings).await?;
    for (name, definition) in &expected {
        match found.get(name) {
            Some(found) if found == definition => {}
            Some(_) => findings.add(about(
                Problem::Altered,
                name.clone(),
                "its definition is not that of the migrations".to_owned(),
            )),
            None => findings.add(about(
                Problem::Missing,
                name.clone(),
                "it is not in the schema".to_owned(),
            )),
        }
    }
    for name in found.into_keys().filter(|name| !expected.contains_key(name)) {
        findings.add(about(Problem::Added, name, "no migration makes it".to_owned()));
    }
    Ok(())
}

/// Definitions as the migrations make them. Nothing of it stays. Where they cannot be made, something that they need is
/// gone or is another, and all of it counts as missing or added.
async fn expected(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<BTreeMap<String, String>, SinkError> {
    let mut attempt = connection.begin().await?;
    let expected = match make(&mut attempt).await {
        Ok(expected) => expected,
        Err(error) if error.is_of_schema() => {
            let detail = format!("its views cannot be made anew: {error}");
            findings.add(about(Problem::Altered, SCHEMA.to_owned(), detail));
            BTreeMap::new()
        }
        Err(error) => return Err(error),
    };
    attempt.rollback().await?;
    Ok(expected)
}

async fn make(connection: &mut PgConnection) -> Result<BTreeMap<String, String>, SinkError> {
    set_path(connection, DOUBLES_FIRST).await?;
    for RowSecurity { table, statements } in row_security() {
        // Tables that do not follow from events have no double, and need one here.
        let there: bool = sqlx::query_scalar("SELECT to_regclass('pg_temp.' || quote_ident($1)) IS NOT NULL")
            .bind(table)
            .fetch_one(&mut *connection)
            .await?;
        let double = match there {
            true => String::new(),
            false => format!("CREATE TEMPORARY TABLE {table} (LIKE {SCHEMA}.{table});"),
        };
        sqlx::raw_sql(AssertSqlSafe(double + &statements))
            .execute(&mut *connection)
            .await?;
    }
    // Each of these is a line of its own. A scratch function can neither be commented on nor be kept from anybody: such
    // names are not looked for among the scratch.
    let sql = newest_views();
    let making: Vec<&str> = sql
        .lines()
        .filter(|line| {
            let others = ["SET search_path", "COMMENT ON ", "REVOKE "];
            !others.iter().any(|other| line.starts_with(other))
        })
        .collect();
    sqlx::raw_sql(AssertSqlSafe(making.join("\n")))
        .execute(&mut *connection)
        .await?;
    definitions(connection, "pg_my_temp_schema()", DOUBLES_FIRST).await
}

/// `schema` is SQL for its oid.
async fn definitions(
    connection: &mut PgConnection,
    schema: &str,
    path: &str,
) -> Result<BTreeMap<String, String>, SinkError> {
    set_path(connection, path).await?;
    let query = DEFINITIONS.replace("$schema", schema);
    let definitions: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(query)).fetch_all(connection).await?;
    Ok(definitions.into_iter().collect())
}

async fn set_path(connection: &mut PgConnection, path: &str) -> Result<(), SinkError> {
    sqlx::query(AssertSqlSafe(format!("SET LOCAL search_path TO {path}")))
        .execute(connection)
        .await?;
    Ok(())
}

fn about(problem: Problem, name: String, detail: String) -> Finding {
    Finding {
        problem,
        table: name,
        chain: None,
        subject: None,
        seq: None,
        detail,
    }
}
