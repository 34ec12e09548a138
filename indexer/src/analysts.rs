//! Database roles that read: who sees whose rows.
//!
//! A role becomes an analyst of an institution, or of all: it is then let read what analysts read, and row
//! security shows it the rows that are its own. That its transactions are read-only and its queries end in time are
//! defaults, which it can change for itself. Logins and passwords are Postgres' matter and stay there. Names of roles are
//! quoted by Postgres itself.

use std::{fmt, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection, error::DatabaseError};

use crate::{
    services,
    sink::{SinkError, connect},
};

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
    /// Its name, or its number where there is no such role any more.
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
    #[error("the role {role} {why}, so row security would not hold it back: take another role")]
    Unheld { role: String, why: &'static str },
    #[error(
        "the role {0} sees all rows already: `chartseal-indexer analysts remove` it first, and it sees those alone"
    )]
    SeesAll(String),
    #[error(
        "the role {0} serves, so it can act as roles that see the rows of every institution: take another role for what one institution sees"
    )]
    Serves(String),
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
    let mut connection = open(database).await?;
    let mut transaction = connection.begin().await?;
    let institution = match sight {
        Sight::All => None,
        Sight::Institution(id) => Some(require_institution(&mut transaction, id).await?),
    };
    require_role(&mut transaction, role, "CREATE ROLE %1$I NOLOGIN").await?;
    if institution.is_some() && services::serves(&mut transaction, role).await? {
        return Err(AnalystError::Serves(role.to_owned()));
    }
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
    sqlx::query(
        "INSERT INTO analysts (role, institution) SELECT oid, $2::bytea FROM pg_roles WHERE rolname = $1
         ON CONFLICT DO NOTHING",
    )
    .bind(role)
    .bind(&institution)
    .execute(&mut *transaction)
    .await?;
    let sees_all: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM analysts a JOIN pg_roles r ON r.oid = a.role
                        WHERE r.rolname = $1 AND a.institution IS NULL)",
    )
    .bind(role)
    .fetch_one(&mut *transaction)
    .await?;
    if sees_all && institution.is_some() {
        return Err(AnalystError::SeesAll(role.to_owned()));
    }
    let logs_in = sqlx::query_scalar("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1")
        .bind(role)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(logs_in)
}

/// What a role may write in spite of all: it can fill the disk that way. What to say to Postgres so that it may not.
///
/// # Errors
/// Where the database fails, or there is no such role.
pub async fn writes(database: &str, role: &str) -> Result<Vec<String>, AnalystError> {
    let mut connection = open(database).await?;
    let writes = sqlx::query_scalar(
        "SELECT format('make temporary tables: REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, %I', current_database(), $1)
         WHERE has_database_privilege($1::text::name, current_database(), 'TEMPORARY')
         UNION ALL
         SELECT format('make tables in the schema public: REVOKE CREATE ON SCHEMA public FROM PUBLIC, %I', $1)
         WHERE has_schema_privilege($1::text::name, to_regnamespace('public'), 'CREATE')",
    )
    .bind(role)
    .fetch_all(&mut connection)
    .await?;
    Ok(writes)
}

/// All analysts, by name.
///
/// # Errors
/// Where the database fails or has no schema of ours.
pub async fn list(database: &str) -> Result<Vec<Analyst>, AnalystError> {
    let mut connection = open(database).await?;
    let rows: Vec<(String, Option<Vec<u8>>, Option<bool>)> = sqlx::query_as(
        "SELECT coalesce(r.rolname::text, a.role::text) AS name, a.institution::bytea, r.rolcanlogin
         FROM analysts a LEFT JOIN pg_roles r ON r.oid = a.role ORDER BY name, a.institution",
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
    // A role that is gone is listed by its number.
    let gone = sqlx::query(
        "DELETE FROM analysts a
         WHERE coalesce((SELECT r.rolname::text FROM pg_roles r WHERE r.oid = a.role), a.role::text) = $1",
    )
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
        let serves = services::serves(&mut transaction, role).await?;
        for statement in [
            "REVOKE ALL ON ALL TABLES IN SCHEMA chartseal FROM %1$I",
            "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chartseal FROM %1$I",
            "REVOKE ALL ON SCHEMA chartseal FROM %1$I",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET default_transaction_read_only",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET statement_timeout",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET idle_in_transaction_session_timeout",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET search_path",
            "ALTER ROLE %1$I IN DATABASE %2$I RESET jit",
        ] {
            execute(&mut transaction, statement, role).await?;
        }
        if serves {
            services::allow(&mut transaction, role).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Lets all analysts read what newer migrations added. Only the schema's owner applies those.
pub(crate) async fn renew(connection: &mut PgConnection) -> Result<(), SinkError> {
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT r.rolname::text FROM analysts a JOIN pg_roles r ON r.oid = a.role")
            .fetch_all(&mut *connection)
            .await?;
    for role in roles {
        allow(connection, &role).await?;
    }
    Ok(())
}

pub(crate) async fn open(database: &str) -> Result<PgConnection, AnalystError> {
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

/// Makes a role by this statement if there is none, and refuses one that nothing would hold back.
pub(crate) async fn require_role(connection: &mut PgConnection, role: &str, make: &str) -> Result<(), AnalystError> {
    if role.is_empty() || role.len() > LONGEST_NAME || role.contains('\0') {
        return Err(AnalystError::Name);
    }
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        execute(connection, make, role).await?;
    }
    require_held(connection, role).await
}

/// Row security holds back neither superusers nor owners, and not whoever writes the tables either; nor whoever can become
/// one of these, by `SET ROLE` or by making itself a member.
async fn require_held(connection: &mut PgConnection, role: &str) -> Result<(), AnalystError> {
    let (is_exempt, is_owner, writes, makes_roles): (bool, bool, bool, bool) = sqlx::query_as(
        "SELECT coalesce(bool_or(s.rolsuper OR s.rolbypassrls), false), coalesce(bool_or(s.oid = c.relowner), false),
                coalesce(bool_or(has_table_privilege(s.oid, c.oid, 'INSERT')), false),
                coalesce(bool_or(s.rolcreaterole), false)
         FROM pg_roles r
         JOIN pg_roles s ON pg_has_role(r.oid, s.oid, 'MEMBER')
         JOIN pg_class c ON c.oid = 'chartseal.events'::regclass
         WHERE r.rolname = $1",
    )
    .bind(role)
    .fetch_one(connection)
    .await?;
    let why = match (is_exempt, is_owner, writes, makes_roles) {
        (true, ..) => "is a superuser or bypasses row security, or can become a role that does",
        (_, true, ..) => "owns the tables, or can become their owner",
        (_, _, true, _) => "may write the tables, or can become a role that may",
        (.., true) => "may make roles and members of them",
        _ => return Ok(()),
    };
    Err(AnalystError::Unheld {
        role: role.to_owned(),
        why,
    })
}

/// Lets a role read every view, and every table with a policy for analysts, where it was not let yet.
async fn allow(connection: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format('GRANT %s ON %s TO %I', t.may, t.what, $1)
         FROM (SELECT 'USAGE', 'SCHEMA chartseal', n.nspacl FROM pg_namespace n WHERE n.nspname = 'chartseal'
               UNION ALL
               SELECT 'EXECUTE', format('FUNCTION %s', p.oid::regprocedure), p.proacl FROM pg_proc p
               WHERE p.oid = 'chartseal.grant_lives(bytea, bytea, timestamptz)'::regprocedure
               UNION ALL
               SELECT 'SELECT', format('chartseal.%I', c.relname), c.relacl FROM pg_class c
               WHERE c.relnamespace = 'chartseal'::regnamespace
                     AND (c.relkind = 'v'
                          OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'analysts'))
              ) t (may, what, acl)
         WHERE NOT EXISTS (SELECT FROM aclexplode(t.acl) x
                           WHERE x.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1) AND x.privilege_type = t.may)",
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
pub(crate) async fn execute(connection: &mut PgConnection, statement: &str, role: &str) -> Result<(), sqlx::Error> {
    let quoted: String = sqlx::query_scalar("SELECT format($1, $2, current_database())")
        .bind(statement)
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query(AssertSqlSafe(quoted)).execute(connection).await?;
    Ok(())
}
