//! Which webhooks there are.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{AddressError, PrivateFileError, Secret, SecretError, address, private_file::lasting};
use crate::sink::{SinkError, connect};

/// Whose notifications a webhook gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody's.
    All,
    Patient([u8; 16]),
    Institution([u8; 16]),
}

impl Audience {
    /// As the tables have it; nothing for all.
    pub(crate) fn columns(self) -> Option<(&'static str, [u8; 16])> {
        match self {
            Self::All => None,
            Self::Patient(id) => Some(("patient", id)),
            Self::Institution(id) => Some(("institution", id)),
        }
    }

    pub(super) fn read(word: Option<&str>, subject: Option<Vec<u8>>) -> Result<Self, SinkError> {
        let damaged = || SinkError::Damaged("webhooks.subject");
        let id = |subject: Option<Vec<u8>>| subject.and_then(|id| id.try_into().ok()).ok_or_else(damaged);
        match word {
            None => Ok(Self::All),
            Some("patient") => Ok(Self::Patient(id(subject)?)),
            Some(_) => Ok(Self::Institution(id(subject)?)),
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Patient(id) => write!(f, "patient {}", hex::encode(id)),
            Self::Institution(id) => write!(f, "institution {}", hex::encode(id)),
        }
    }
}

/// A webhook as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub id: i64,
    /// Where it is: scheme, host and port.
    pub origin: String,
    pub audience: Audience,
    /// The file with the whole address.
    pub url_file: PathBuf,
    pub secret_file: PathBuf,
    /// Notifications that wait for another try.
    pub waiting: i64,
    /// Notifications that were given up.
    pub dead: i64,
    /// Why the last try failed of what waits or was given up.
    pub problem: Option<String>,
}

/// What can go wrong with webhooks.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("there is no webhook {0}: `chartseal-indexer webhooks list` shows those that there are")]
    None(i64),
    #[error(transparent)]
    File(#[from] PrivateFileError),
}

impl From<sqlx::Error> for WebhookError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sink(error.into())
    }
}

/// Adds a webhook, which gets what comes from now on. Where it posts to is in `url_file`, and its secret in `secret_file`,
/// which is made where there is none. Returns its number, and whether the file was made.
///
/// # Errors
/// Where nothing may be posted there, a file cannot be read or made or can be read by others, there is no address or no secret
/// in it, or the database fails.
pub async fn add(
    database: &str,
    url_file: &Path,
    audience: Audience,
    secret_file: &Path,
    private: bool,
) -> Result<(i64, bool), WebhookError> {
    let origin = address::origin(&address::read(url_file, private)?);
    let mut connection = connect(database).await?;
    let made = Secret::read_or_make(secret_file)?;
    let (word, subject) = audience.columns().unzip();
    let id = sqlx::query_scalar!(
        r#"INSERT INTO webhooks (origin, audience, subject, url_file, secret_file, private, after_id, made_at)
           SELECT $1, $2, $3, $4, $5, $6, coalesce(max(id), 0), now() FROM outbox RETURNING id"#,
        origin,
        word as _,
        subject as _,
        // The indexer that delivers may be started in another folder.
        lasting(url_file)?,
        lasting(secret_file)?,
        private,
    )
    .fetch_one(&mut connection)
    .await?;
    Ok((id, made))
}

/// All webhooks, by number.
///
/// # Errors
/// Where the database fails.
pub async fn list(database: &str) -> Result<Vec<Webhook>, WebhookError> {
    let mut connection = connect(database).await?;
    let rows = sqlx::query!(
        r#"SELECT w.id, w.origin, w.audience::text AS audience, w.subject::bytea AS subject, w.url_file,
                  w.secret_file, d.waiting AS "waiting!", d.dead AS "dead!", d.problem
           FROM webhooks w
           CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
                                      count(*) FILTER (WHERE state = 'dead') AS dead,
                                      (array_agg(problem ORDER BY notification DESC))[1] AS problem
                               FROM deliveries WHERE webhook = w.id) d
           ORDER BY w.id"#
    )
    .fetch_all(&mut connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Webhook {
                id: row.id,
                origin: row.origin,
                audience: Audience::read(row.audience.as_deref(), row.subject)?,
                url_file: row.url_file.into(),
                secret_file: row.secret_file.into(),
                waiting: row.waiting,
                dead: row.dead,
                problem: row.problem,
            })
        })
        .collect()
}

/// Removes a webhook, with what waits for it. Its files stay.
///
/// # Errors
/// Where there is none of that number, or the database fails.
pub async fn remove(database: &str, id: i64) -> Result<(), WebhookError> {
    let mut connection = connect(database).await?;
    let removed = sqlx::query!("DELETE FROM webhooks WHERE id = $1", id)
        .execute(&mut connection)
        .await?;
    match removed.rows_affected() {
        0 => Err(WebhookError::None(id)),
        _ => Ok(()),
    }
}

/// Tries again, at once and from the first try on, what a webhook did not take. Returns how many notifications that are.
///
/// # Errors
/// Where there is none of that number, or the database fails.
pub async fn retry(database: &str, id: i64) -> Result<u64, WebhookError> {
    let mut connection = connect(database).await?;
    let there = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM webhooks WHERE id = $1) AS "there!""#, id)
        .fetch_one(&mut connection)
        .await?;
    if !there {
        return Err(WebhookError::None(id));
    }
    let again = sqlx::query!(
        "UPDATE deliveries SET state = 'waiting', attempts = 0, next_try = now() WHERE webhook = $1",
        id
    )
    .execute(&mut connection)
    .await?;
    Ok(again.rows_affected())
}
