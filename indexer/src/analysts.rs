//! Database roles that read: who sees whose rows.
//!
//! A role becomes an analyst of an institution, or of all: it can then read what analysts read and nothing else, for so
//! long and no longer, and row security shows it the rows that are its own. Logins and passwords are Postgres' matter and
//! stay there. Names of roles are quoted by Postgres itself.

use std::{fmt, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection, error::DatabaseError};

use crate::sink::{SinkError, connect};

/// The longest name that Postgres keeps whole.
const LONGEST_NAME: usize = 63;

/// How long a query of an analyst may take, where nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whose rows a role sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All there are.
    All,
    /// Those of the institution with this id.
    Institution([u8; 16]),
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Institution(id) => write!(f, "institution {}", hex::encode(id)),
        }
    }
}

/// An analyst as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analyst {
    pub role: String,
    pub sight: Sight,
    /// Whether there is such a role still.
    pub exists: bool,
    /// Whether it can log in.
    pub logs_in: bool,
}

/// What can go wrong with analysts.
#[derive(Debug, thiserror::Error)]
pub enum AnalystError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("a role's name has 1 to {LONGEST_NAME} bytes, and none of them is zero: give it another name")]
    Name,
    #[error(
        "this database has no institution {0}. `SELECT encode(id, 'hex'), kind FROM chartseal.institutions` lists those that were indexed"
    )]
    NoInstitution(String),
    #[error("the role {role} {why}, so row security would not hold it back: take another role for reading")]
    Unheld { role: String, why: &'static str },
    #[error("the role {0} is no analyst: `chartseal-indexer analysts list` shows those that are")]
    NotAnAnalyst(String),
    #[error(
        "Postgres does not let this role do that: {0}. Connect as the owner of the tables, who can also make roles, or let an administrator make the role first (CREATE ROLE)"
    )]
    NotAllowed(#[source] sqlx::Error),
}

impl From<sqlx::Error> for AnalystError {
    fn from(error: sqlx::Error) -> Self {
        let is_forbidden = |error: &sqlx::Error| {
            let state = error.as_database_error().and_then(DatabaseError::code);
            state.is_some_and(|state| state == "42501")
        };
        match is_forbidden(&error) {
            true => Self::NotAllowed(error),
            false => Self::Sink(error.into()),
        }
    }
}

/// Makes a role an analyst; it is made if there is none, without a login. Whether it can log in.
///
/// # Errors
/// Where the name or the institution is none, the role can see more than row security would show, or the database
/// refuses or fails. Nothing is changed then.
pub async fn add(database: &str, role: &str, sight: Sight, patience: Duration) -> Result<bool, AnalystError> {
    if role.is_empty() || role.len() > LONGEST_NAME || role.contains('\0') {
        return Err(AnalystError::Name);
    }
    let mut connection = open(database).await?;
    let mut transaction = connection.begin().await?;
    let institution = match sight {
        Sight::All => None,
        Sight::Institution(id) => Some(require_institution(&mut transaction, id).await?),
    };
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *transaction)
        .await?;
    if !there {
        execute(&mut transaction, "CREATE ROLE %1$I NOLOGIN", role).await?;
    }
    require_held(&mut transaction, role).await?;
    allow(&mut transaction, role).await?;
    for setting in [
        "ALTER ROLE %1$I IN DATABASE %2$I SET default_transaction_read_only = on".to_owned(),
        format!(
            "ALTER ROLE %1$I IN DATABASE %2$I SET statement_timeout = {}",
            patience.as_millis()
        ),
        "ALTER ROLE %1$I IN DATABASE %2$I SET idle_in_transaction_session_timeout = '10min'".to_owned(),
        "ALTER ROLE %1$I IN DATABASE %2$I SET search_path = chartseal, public".to_owned(),
        // Row security looks expensive to the planner, and compiling a query takes longer than running it.
        "ALTER ROLE %1$I IN DATABASE %2$I SET jit = off".to_owned(),
    ] {
        execute(&mut transaction, &setting, role).await?;
    }
    sqlx::query("INSERT INTO analysts (role, institution) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(role)
        .bind(institution)
        .execute(&mut *transaction)
        .await?;
    let logs_in = sqlx::query_scalar("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1")
        .bind(role)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(logs_in)
}

/// All analysts, by name.
///
/// # Errors
/// Where the database fails or has no schema of ours.
pub async fn list(database: &str) -> Result<Vec<Analyst>, AnalystError> {
    let mut connection = open(database).await?;
    let rows: Vec<(String, Option<Vec<u8>>, Option<bool>)> = sqlx::query_as(
        "SELECT a.role::text, a.institution::bytea, r.rolcanlogin
         FROM analysts a LEFT JOIN pg_roles r ON r.rolname = a.role ORDER BY a.role, a.institution",
    )
    .fetch_all(&mut connection)
    .await?;
    rows.into_iter()
        .map(|(role, institution, logs_in)| {
            let sight = match institution {
                None => Sight::All,
                Some(id) => {
                    let id = id.try_into();
                    Sight::Institution(id.map_err(|_| SinkError::Damaged("analysts.institution"))?)
                }
            };
            Ok(Analyst {
                role,
                sight,
                exists: logs_in.is_some(),
                logs_in: logs_in.unwrap_or_default(),
            })
        })
        .collect()
}

/// Takes from a role all that [`add`] gave it. The role itself stays.
///
/// # Errors
/// Where it is no analyst, or the database refuses or fails. Nothing is changed then.
pub async fn remove(database: &str, role: &str) -> Result<(), AnalystError> {
    let mut connection = open(database).await?;
    let mut transaction = connection.begin().await?;
    let gone = sqlx::query("DELETE FROM analysts WHERE role = $1")
        .bind(role)
        .execute(&mut *transaction)
        .await?;
    if gone.rows_affected() == 0 {
        return Err(AnalystError::NotAnAnalyst(role.to_owned()));
    }
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *transaction)
        .await?;
    if there {
        for statement in [
            "REVOKE ALL ON ALL TABLES IN SCHEMA chartseal FROM %1$I",
            "REVOKE ALL ON SCHEMA chartseal FROM %1$I",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET default_transaction_read_only",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET statement_timeout",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET idle_in_transaction_session_timeout",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET search_path",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET jit",
        ] {
            execute(&mut transaction, statement, role).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Lets all analysts read what newer migrations added. Only the schema's owner applies those.
pub(crate) async fn renew(connection: &mut PgConnection) -> Result<(), SinkError> {
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT a.role::text FROM analysts a JOIN pg_roles r ON r.rolname = a.role")
            .fetch_all(&mut *connection)
            .await?;
    for role in roles {
        allow(connection, &role).await?;
    }
    Ok(())
}

async fn open(database: &str) -> Result<PgConnection, AnalystError> {
    let mut connection = connect(database).await?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass('chartseal.analysts') IS NOT NULL")
        .fetch_one(&mut connection)
        .await?;
    match there {
        true => Ok(connection),
        false => Err(SinkError::NoSchema.into()),
    }
}

async fn require_institution(connection: &mut PgConnection, id: [u8; 16]) -> Result<Vec<u8>, AnalystError> {
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM institutions WHERE id = $1)")
        .bind(&id[..])
        .fetch_one(connection)
        .await?;
    match there {
        true => Ok(id.to_vec()),
        false => Err(AnalystError::NoInstitution(hex::encode(id))),
    }
}

/// Row security holds back neither superusers nor owners, and not whoever writes the tables either.
async fn require_held(connection: &mut PgConnection, role: &str) -> Result<(), AnalystError> {
    let (is_exempt, is_owner, writes): (bool, bool, bool) = sqlx::query_as(
        "SELECT r.rolsuper OR r.rolbypassrls, pg_has_role(r.oid, c.relowner, 'USAGE'),
                has_table_privilege(r.oid, c.oid, 'INSERT')
         FROM pg_roles r, pg_class c WHERE r.rolname = $1 AND c.oid = 'chartseal.events'::regclass",
    )
    .bind(role)
    .fetch_one(connection)
    .await?;
    let why = match (is_exempt, is_owner, writes) {
        (true, ..) => "is a superuser or bypasses row security",
        (_, true, _) => "owns the tables",
        (_, _, true) => "may write the tables",
        _ => return Ok(()),
    };
    Err(AnalystError::Unheld {
        role: role.to_owned(),
        why,
    })
}

/// Lets a role read every view, and every table with a policy. Partitions have none of their own: whoever read one past
/// its table would see all of it.
async fn allow(connection: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format('GRANT USAGE ON SCHEMA chartseal TO %I', $1)
         UNION ALL
         SELECT format('GRANT SELECT ON chartseal.%I TO %I', c.relname, $1)
         FROM pg_class c
         WHERE c.relnamespace = 'chartseal'::regnamespace AND NOT c.relispartition
               AND (c.relkind = 'v' OR c.relkind IN ('r', 'p') AND c.relrowsecurity)",
    )
    .bind(role)
    .fetch_all(&mut *connection)
    .await?;
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Runs a statement in which Postgres puts the role's name for `%1$I`, and the database's for `%2$I`.
async fn execute(connection: &mut PgConnection, statement: &str, role: &str) -> Result<(), sqlx::Error> {
    let quoted: String = sqlx::query_scalar("SELECT format($1, $2, current_database())")
        .bind(statement)
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query(AssertSqlSafe(quoted)).execute(connection).await?;
    Ok(())
}
