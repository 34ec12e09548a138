//! How the indexer connects: to its own schema, as the only writer, with the schema up to date.

use std::{str::FromStr, time::Duration};

use sqlx::{Connection, PgConnection, migrate::Migrator, postgres::PgConnectOptions};

use super::SinkError;
use crate::{analysts, services};

/// The schema that all tables are in.
pub(crate) const SCHEMA: &str = "chartseal";

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Names the lock that an indexer holds on its database: "chartsea" in ASCII.
const LOCK: i64 = 0x6368_6172_7473_6561;

/// How often a waiting indexer asks whether the lock is free.
const LOCK_POLL: Duration = Duration::from_millis(250);

/// How long the lock of an indexer that was killed may take to go: Postgres sees that a moment later.
const LOCK_GRACE: Duration = Duration::from_secs(3);

/// What to do while another indexer holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Stand by until it is free.
    Wait,
    /// Refuse after a few seconds.
    Refuse,
}

/// Connects so that unqualified names mean the tables of our schema.
pub(crate) async fn connect(url: &str) -> Result<PgConnection, SinkError> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("chartseal-indexer")
        .options([("search_path", SCHEMA)]);
    Ok(PgConnection::connect_with(&options).await?)
}

/// Applies the migrations that a database lacks.
///
/// # Errors
/// Where the database is out of reach, or holds a schema that is not an earlier one of ours.
pub async fn migrate(url: &str) -> Result<(), SinkError> {
    let mut connection = connect(url).await?;
    apply_migrations(&mut connection).await?;
    Ok(connection.close().await?)
}

pub(super) async fn apply_migrations(connection: &mut PgConnection) -> Result<(), SinkError> {
    if !is_current(connection).await? {
        apply_what_lacks(connection).await?;
    }
    // At each start: a start that was cut short after the migrations has let nobody read what they added. Without it a role
    // suffices that may write rows and change nothing else.
    if owns_schema(connection).await? {
        analysts::renew(connection).await?;
        services::renew(connection).await?;
    }
    Ok(())
}

async fn apply_what_lacks(connection: &mut PgConnection) -> Result<(), SinkError> {
    // The migrator keeps its list where search_path says, which must exist before the first migration makes it.
    sqlx::query("CREATE SCHEMA IF NOT EXISTS chartseal")
        .execute(&mut *connection)
        .await?;
    MIGRATIONS.run_direct(None, connection, false).await?;
    // Migrations set the path for whoever applies them by hand.
    sqlx::query("SET search_path TO chartseal").execute(connection).await?;
    Ok(())
}

/// Whether this role may let others read all that is in the schema.
async fn owns_schema(connection: &mut PgConnection) -> Result<bool, SinkError> {
    let owns = sqlx::query_scalar(
        "SELECT coalesce(bool_and(pg_has_role(n.nspowner, 'USAGE') AND pg_has_role(c.relowner, 'USAGE')), false)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'chartseal'",
    )
    .fetch_one(connection)
    .await?;
    Ok(owns)
}

/// What makes all views and functions of the schema: the newest of the migrations that hold nothing else, whose names end
/// in `views`. Before it, the functions that migrations make beside tables: it has the last word on those that it names.
pub(crate) fn newest_views() -> String {
    let (views, tables): (Vec<_>, Vec<_>) = MIGRATIONS
        .iter()
        .partition(|migration| migration.description.ends_with("views"));
    let functions = tables.iter().flat_map(|migration| functions_of(migration.sql.as_str()));
    let newest = views.into_iter().max_by_key(|migration| migration.version);
    functions
        .chain(newest.map(|migration| migration.sql.as_str()))
        .collect()
}

/// The statements that make functions of the schema. Each begins and ends a line.
fn functions_of(sql: &str) -> impl Iterator<Item = &str> {
    sql.split("\nCREATE FUNCTION ")
        .skip(1)
        .filter(|function| !function.starts_with("pg_temp."))
        .filter_map(|function| Some(function.split_once("$$;\n")?.0))
        .flat_map(|function| ["CREATE FUNCTION ", function, "$$;\n"])
}

/// What the migrations say of a table's row security.
pub(crate) struct RowSecurity {
    pub(crate) table: &'static str,
    /// That it is on, and each policy: each ends with a semicolon.
    pub(crate) statements: String,
}

/// The row security of all tables, in the migrations' order. In these, each statement of it begins and ends with a line.
pub(crate) fn row_security() -> Vec<RowSecurity> {
    let mut all: Vec<RowSecurity> = Vec::new();
    for migration in MIGRATIONS.iter() {
        let mut is_within = false;
        for line in migration.sql.as_str().lines() {
            if let Some(table) = enabled_for(line) {
                all.push(RowSecurity {
                    table,
                    statements: String::new(),
                });
                is_within = true;
            }
            is_within |= line.starts_with("CREATE POLICY ");
            if let (true, Some(last)) = (is_within, all.last_mut()) {
                last.statements.push_str(line);
                last.statements.push('\n');
                is_within = !line.ends_with(';');
            }
        }
    }
    all
}

/// The table whose row security this line turns on.
fn enabled_for(line: &'static str) -> Option<&'static str> {
    line.strip_prefix("ALTER TABLE ")?
        .strip_suffix(" ENABLE ROW LEVEL SECURITY;")
}

/// Whether exactly our migrations were applied.
async fn is_current(connection: &mut PgConnection) -> Result<bool, SinkError> {
    let listed: bool = sqlx::query_scalar("SELECT to_regclass('chartseal._sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !listed {
        return Ok(false);
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM chartseal._sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(connection)
            .await?;
    let ours = MIGRATIONS
        .iter()
        .map(|migration| (migration.version, &*migration.checksum));
    Ok(ours.eq(applied.iter().map(|(version, checksum)| (*version, &checksum[..]))))
}

/// Takes the lock, or waits for it behind an indexer. Postgres lets everybody hold a lock of that kind: whoever does and
/// cannot be an indexer, because it may not write, is nobody to stand by for. Where it stands by, it says so, once.
pub(super) async fn lock(connection: &mut PgConnection, lock: Lock, stands_by: impl FnOnce()) -> Result<(), SinkError> {
    let started = std::time::Instant::now();
    let mut stands_by = Some(stands_by);
    loop {
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await?;
        if taken {
            return Ok(());
        }
        if let Some((role, process)) = outsider(connection).await? {
            return Err(SinkError::LockedOut { role, process });
        }
        if lock == Lock::Refuse && started.elapsed() > LOCK_GRACE {
            return Err(SinkError::Locked);
        }
        if lock == Lock::Wait
            && let Some(stands_by) = stands_by.take()
        {
            tracing::info!("another indexer writes to this database: standing by until it ends");
            stands_by();
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

/// Who holds the lock and may not write here, neither as itself nor as a role that it can become: its name and process.
/// Before there are tables, whoever may make a schema could.
async fn outsider(connection: &mut PgConnection) -> Result<Option<(String, i32)>, SinkError> {
    let outsider = sqlx::query_as(
        "SELECT coalesce(a.usename::text, 'nobody who is connected'), coalesce(l.pid, 0)
         FROM pg_locks l
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND l.classid::bigint << 32 | l.objid::bigint = $1
               -- One that has just ended holds nothing any more.
               AND (l.pid IS NULL OR a.pid IS NOT NULL)
               AND NOT EXISTS (
                   SELECT FROM pg_roles r
                   WHERE pg_has_role(a.usesysid, r.oid, 'MEMBER')
                         AND coalesce(has_table_privilege(r.oid, to_regclass('chartseal.events'), 'INSERT'),
                                      has_database_privilege(r.oid, l.database, 'CREATE')))
         LIMIT 1",
    )
    .bind(LOCK)
    .fetch_optional(connection)
    .await?;
    Ok(outsider)
}
