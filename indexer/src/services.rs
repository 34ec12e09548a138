//! Database roles for what others reach: the HTTP service, and the deliveries to webhooks.
//!
//! Such a role reads tokens and notifications, notes what was delivered, and acts as the roles of tokens, one question at a
//! time. Of what was indexed it reads by itself what the notifications of the last 30 days tell, which are ids, kinds and times
//! of everybody's, and no event and no other row that follows from one, because it does not inherit what those roles may do;
//! and it writes none. So whoever gets hold of the service gets what all of its tokens may read, and cannot alter what
//! was indexed. Logins and passwords are Postgres' matter, as with [`crate::analysts`].

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    analysts::{self, AnalystError},
    sink::SinkError,
};

/// What a role is given, and [`remove`] takes back: a right, and on what. Whoever may write `deliveries` is a service, in the
/// eyes of the rules.
const RIGHTS: [(&str, &str); 5] = [
    ("USAGE", "SCHEMA chartseal"),
    // Whether the database answers is asked of the first of these.
    (
        "SELECT",
        "chartseal.checkpoint, chartseal.api_tokens, chartseal.outbox, chartseal.webhooks, chartseal.deliveries",
    ),
    ("DELETE", "chartseal.outbox"),
    ("UPDATE (after_id)", "chartseal.webhooks"),
    ("INSERT, UPDATE, DELETE", "chartseal.deliveries"),
];

/// A service's role as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub role: String,
    /// Whether it can log in.
    pub logs_in: bool,
}

/// What can go wrong with the roles of services.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Role(#[from] AnalystError),
    #[error(
        "the role {0} inherits what the roles may do that it is a member of, so it could read by itself what its callers may read: name a role that is not there yet, or say ALTER ROLE … NOINHERIT first, and from Postgres 16 on REVOKE those roles from it, too"
    )]
    Inherits(String),
    #[error(
        "the role {0} is the analyst of an institution, and whoever serves can act as roles that see the rows of every institution: name another role"
    )]
    SeesOne(String),
    #[error(
        "the role {service} would still be a member of {token}, because {grantor} granted that: `REVOKE {token} FROM {service} GRANTED BY {grantor}` first"
    )]
    StillActs {
        service: String,
        token: String,
        grantor: String,
    },
    #[error("the role {0} serves nothing: `chartseal-indexer services list` shows those that do")]
    NotAService(String),
}

impl From<sqlx::Error> for ServiceError {
    fn from(error: sqlx::Error) -> Self {
        Self::Role(error.into())
    }
}

impl From<SinkError> for ServiceError {
    fn from(error: SinkError) -> Self {
        Self::Role(error.into())
    }
}

/// Lets a role serve; it is made if there is none, without a login. Whether it can log in.
///
/// # Errors
/// Where the name is none, the role may do more than it should, or the database refuses or fails. Nothing is changed then.
pub async fn add(database: &str, role: &str) -> Result<bool, ServiceError> {
    let mut connection = analysts::open(database).await?;
    let mut transaction = connection.begin().await?;
    analysts::require_role(&mut transaction, role, "CREATE ROLE %1$I NOLOGIN NOINHERIT").await?;
    // From Postgres 16 on each membership says whether it is inherited, and the role only what a new one will say.
    let (inherits, sees_one, logs_in): (bool, bool, bool) = sqlx::query_as(
        "SELECT r.rolinherit OR EXISTS (SELECT FROM analysts a JOIN pg_roles s ON s.oid = a.role
                                        WHERE s.oid <> r.oid AND pg_has_role(r.oid, s.oid, 'USAGE')),
                EXISTS (SELECT FROM analysts a WHERE a.role = r.oid AND a.institution IS NOT NULL),
                r.rolcanlogin
         FROM pg_roles r WHERE r.rolname = $1",
    )
    .bind(role)
    .fetch_one(&mut *transaction)
    .await?;
    if inherits {
        return Err(ServiceError::Inherits(role.to_owned()));
    }
    if sees_one {
        return Err(ServiceError::SeesOne(role.to_owned()));
    }
    allow(&mut transaction, role).await?;
    transaction.commit().await?;
    Ok(logs_in)
}

/// All roles that serve, by name. Whoever may write what is indexed is not one of them.
///
/// # Errors
/// Where the database fails or has no schema of ours.
pub async fn list(database: &str) -> Result<Vec<Service>, ServiceError> {
    let mut connection = analysts::open(database).await?;
    Ok(all(&mut connection).await?)
}

/// Takes from a role all that [`add`] gave it. The role itself stays.
///
/// # Errors
/// Where it serves nothing, or the database refuses or fails. Nothing is changed then.
pub async fn remove(database: &str, role: &str) -> Result<(), ServiceError> {
    let mut connection = analysts::open(database).await?;
    let mut transaction = connection.begin().await?;
    if !serves(&mut transaction, role).await? {
        return Err(ServiceError::NotAService(role.to_owned()));
    }
    for (right, of) in RIGHTS {
        analysts::execute(&mut transaction, &format!("REVOKE {right} ON {of} FROM %1$I"), role).await?;
    }
    let_act_no_more(&mut transaction, role).await?;
    require_no_member(&mut transaction, role).await?;
    // It may read as an analyst, too.
    analysts::renew(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Lets all services act as a token's role.
pub(crate) async fn act_as(connection: &mut PgConnection, token: &str) -> Result<(), sqlx::Error> {
    for service in all(connection).await? {
        let_act(connection, &service.role, Some(token)).await?;
    }
    Ok(())
}

/// Gives all services what newer migrations ask for, which the schema's owner can. Whom they act as is not its to say: it need
/// not be one who makes roles and their members.
pub(crate) async fn renew(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for service in all(connection).await? {
        give_rights(connection, &service.role).await?;
    }
    Ok(())
}

/// Whether a role serves.
pub(crate) async fn serves(connection: &mut PgConnection, role: &str) -> Result<bool, sqlx::Error> {
    Ok(all(connection).await?.iter().any(|service| service.role == role))
}

/// Gives a role what a service needs.
pub(crate) async fn allow(connection: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    give_rights(connection, role).await?;
    let_act(connection, role, None).await
}

async fn give_rights(connection: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    for (right, of) in RIGHTS {
        analysts::execute(connection, &format!("GRANT {right} ON {of} TO %1$I"), role).await?;
    }
    Ok(())
}

async fn all(connection: &mut PgConnection) -> Result<Vec<Service>, sqlx::Error> {
    let roles: Vec<(String, bool)> = sqlx::query_as(
        "SELECT DISTINCT r.rolname::text, r.rolcanlogin
         FROM pg_class c, aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee
         WHERE c.oid = 'chartseal.deliveries'::regclass AND x.privilege_type = 'INSERT' AND x.grantee <> c.relowner
               AND NOT has_table_privilege(r.oid, 'chartseal.events', 'INSERT')
         ORDER BY 1",
    )
    .fetch_all(connection)
    .await?;
    let service = |(role, logs_in)| Service { role, logs_in };
    Ok(roles.into_iter().map(service).collect())
}

/// Lets a service act as the role of a token, or of all tokens, where it cannot yet. What a token names that is no analyst's role
/// is nobody's to act as.
async fn let_act(connection: &mut PgConnection, service: &str, token: Option<&str>) -> Result<(), sqlx::Error> {
    let grants: Vec<String> = sqlx::query_scalar(
        "SELECT format('GRANT %I TO %I', r.rolname, $1) FROM pg_roles r
         WHERE EXISTS (SELECT FROM analysts a WHERE a.role = r.oid)
               AND NOT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles s ON s.oid = m.member
                               WHERE m.roleid = r.oid AND s.rolname = $1)
               AND (r.rolname = $2 OR $2 IS NULL AND EXISTS (SELECT FROM api_tokens t WHERE t.role = r.rolname))",
    )
    .bind(service)
    .bind(token)
    .fetch_all(&mut *connection)
    .await?;
    execute_all(connection, grants).await
}

/// Lets a service act as no token's role any more.
async fn let_act_no_more(connection: &mut PgConnection, service: &str) -> Result<(), sqlx::Error> {
    let revokes: Vec<String> = sqlx::query_scalar(
        "SELECT format('REVOKE %I FROM %I', r.rolname, $1)
         FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles s ON s.oid = m.member
         WHERE s.rolname = $1 AND EXISTS (SELECT FROM api_tokens t WHERE t.role = r.rolname)",
    )
    .bind(service)
    .fetch_all(&mut *connection)
    .await?;
    execute_all(connection, revokes).await
}

/// From Postgres 16 on a membership stands once for each who granted it, and each takes back their own alone: with no more than
/// a warning where there is none.
async fn require_no_member(connection: &mut PgConnection, service: &str) -> Result<(), ServiceError> {
    let left: Option<(String, String, String)> = sqlx::query_as(
        "SELECT quote_ident(s.rolname), quote_ident(r.rolname), m.grantor::regrole::text
         FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles s ON s.oid = m.member
         WHERE s.rolname = $1 AND EXISTS (SELECT FROM api_tokens t WHERE t.role = r.rolname)
         LIMIT 1",
    )
    .bind(service)
    .fetch_optional(connection)
    .await?;
    match left {
        None => Ok(()),
        Some((service, token, grantor)) => Err(ServiceError::StillActs {
            service,
            token,
            grantor,
        }),
    }
}

/// Statements in which Postgres quoted the names.
async fn execute_all(connection: &mut PgConnection, statements: Vec<String>) -> Result<(), sqlx::Error> {
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}
