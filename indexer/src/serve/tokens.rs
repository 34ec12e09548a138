//! Tokens of the HTTP service: made, listed, revoked.
//!
//! A token acts as a database role that is an analyst (see [`crate::analysts`]): one of the institution, or one of all. So
//! what it sees is decided where the rows are.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::{AssertSqlSafe, PgConnection};
use zeroize::Zeroizing;

use super::{
    access::{PREFIX, hash_of},
    values::Time,
};
use crate::{
    analysts::{self, AnalystError, PATIENCE, Sight},
    notify::Audience,
    services,
    sink::{SinkError, connect},
};

/// The longest label.
const LONGEST_LABEL: usize = 200;

/// A token that was just made.
pub struct Made {
    pub id: i64,
    /// The token: it is shown once and stored nowhere.
    pub token: Zeroizing<String>,
    /// The database role that its holder acts as.
    pub role: String,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Made({}, {})", self.id, self.role)
    }
}

/// A token as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: i64,
    pub label: String,
    pub role: String,
    pub audience: Audience,
    /// When it was made, RFC 3339.
    pub made_at: String,
    pub is_revoked: bool,
}

/// What can go wrong with tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Analyst(#[from] AnalystError),
    #[error(
        "the database role {0} sees more than that: `chartseal-indexer analysts remove` it, and make the token again"
    )]
    SeesMore(String),
    #[error("a label has up to {LONGEST_LABEL} bytes: say who it is for")]
    Label,
    #[error("there is no token {0} that counts: `chartseal-indexer tokens list` shows those that there are")]
    None(i64),
    #[error("the system gives no random bytes")]
    Random,
}

impl From<sqlx::Error> for TokenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sink(error.into())
    }
}

/// Makes a token. The role that it acts as is made where there is none; whoever makes the token, and every service, may act
/// as it.
///
/// # Errors
/// Where the label is too long, the role cannot be one of an analyst, or the database refuses or fails.
pub async fn add(database: &str, label: &str, audience: Audience) -> Result<Made, TokenError> {
    if label.len() > LONGEST_LABEL {
        return Err(TokenError::Label);
    }
    let mut connection = connect(database).await?;
    // Roles are of all databases of a server: one of another's must not see what is here.
    let here: i64 = sqlx::query_scalar("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
        .fetch_one(&mut connection)
        .await?;
    let (whose, sight) = match audience {
        Audience::Institution(id) => (hex::encode(id), Sight::Institution(id)),
        // Of a patient the service shows nothing but the patient's.
        Audience::All | Audience::Patient(_) => ("all".to_owned(), Sight::All),
    };
    let role = format!("chartseal_api_{here}_{whose}");
    analysts::add(database, &role, sight, PATIENCE).await?;
    let seen = analysts::list(database).await?;
    if seen
        .iter()
        .any(|analyst| analyst.role == role && analyst.sight != sight)
    {
        return Err(TokenError::SeesMore(role));
    }
    allow(&mut connection, &role).await?;
    services::act_as(&mut connection, &role).await?;
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut bytes[..]).map_err(|_| TokenError::Random)?;
    let token = Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&bytes[..])));
    let (institution, patient) = match audience {
        Audience::All => (None, None),
        Audience::Institution(id) => (Some(id), None),
        Audience::Patient(id) => (None, Some(id)),
    };
    let id = sqlx::query_scalar!(
        "INSERT INTO api_tokens (hash, label, role, institution, patient, made_at)
         VALUES ($1, $2, $3::text::name, $4, $5, now()) RETURNING id",
        hash_of(&token),
        label,
        role,
        institution as _,
        patient as _,
    )
    .fetch_one(&mut connection)
    .await?;
    Ok(Made { id, token, role })
}

/// Lets this connection's role act as another one. A superuser may already.
async fn allow(connection: &mut PgConnection, role: &str) -> Result<(), TokenError> {
    let grant: Option<String> = sqlx::query_scalar(
        "SELECT CASE WHEN NOT rolsuper THEN format('GRANT %I TO %I', $1, rolname) END
         FROM pg_roles WHERE rolname = current_user",
    )
    .bind(role)
    .fetch_one(&mut *connection)
    .await?;
    if let Some(grant) = grant {
        sqlx::query(AssertSqlSafe(grant)).execute(connection).await?;
    }
    Ok(())
}

/// All tokens, by number.
///
/// # Errors
/// Where the database fails.
pub async fn list(database: &str) -> Result<Vec<Token>, TokenError> {
    let mut connection = connect(database).await?;
    let rows = sqlx::query!(
        r#"SELECT id, label, role::text AS "role!", institution::bytea AS institution, patient::bytea AS patient,
                  made_at AS "made_at: Time", revoked_at IS NOT NULL AS "is_revoked!"
           FROM api_tokens ORDER BY id"#
    )
    .fetch_all(&mut connection)
    .await?;
    let damaged = |_| SinkError::Damaged("api_tokens.institution");
    rows.into_iter()
        .map(|row| {
            let audience = match (row.institution, row.patient) {
                (Some(id), _) => Audience::Institution(id.try_into().map_err(damaged)?),
                (None, Some(id)) => Audience::Patient(id.try_into().map_err(damaged)?),
                (None, None) => Audience::All,
            };
            Ok(Token {
                id: row.id,
                label: row.label,
                role: row.role,
                audience,
                made_at: row.made_at.text().unwrap_or_default(),
                is_revoked: row.is_revoked,
            })
        })
        .collect()
}

/// Revokes a token: it counts no more from the next call on.
///
/// # Errors
/// Where there is none of that number that counts, or the database fails.
pub async fn revoke(database: &str, id: i64) -> Result<(), TokenError> {
    let mut connection = connect(database).await?;
    let revoked = sqlx::query!(
        "UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL",
        id
    )
    .execute(&mut connection)
    .await?;
    match revoked.rows_affected() {
        0 => Err(TokenError::None(id)),
        _ => Ok(()),
    }
}
