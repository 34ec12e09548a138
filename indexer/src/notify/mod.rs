//! Tells patients and institutions what happened: what the outbox holds goes out to streams and webhooks.
//!
//! Each notification reaches each webhook at least once and in order, and each stream that goes on from the last number it
//! saw. A notification has ids only; who wants to know more asks, with a token that may.

mod address;
mod post;
mod private_file;
mod secret;
mod webhooks;
mod worker;

use serde::{Serialize, Serializer};
use sqlx::PgConnection;
use utoipa::ToSchema;

pub use address::AddressError;
pub use private_file::PrivateFileError;
pub use secret::{Secret, SecretError};
pub use webhooks::{Audience, Webhook, WebhookError, add, list, remove, retry};
pub use worker::{Worker, deliver};

use crate::serve::values::{Base58, Hex, Time};

/// One notification, as it is sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notification {
    /// Its number; only grows.
    pub(crate) id: i64,
    /// What happened, such as `access` or `grant-revoked`; `withdrawn` takes an earlier one back.
    pub(crate) kind: String,
    /// Who is notified: patient or institution.
    audience: String,
    /// The patient's or institution's id.
    subject: Hex,
    /// When it happened, by the chain's clock.
    at: Time,
    /// The transaction of the event.
    signature: Base58,
    /// Which instruction of the transaction.
    outer_index: i32,
    /// Which inner instruction of that one. A notification with the same signature and indices tells of the same event.
    inner_index: i32,
    /// What it is about, by id.
    ids: Ids,
}

/// Ids by what they name, as the database has them: a JSON object.
#[derive(Debug, sqlx::Type, ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = std::collections::BTreeMap<String, String>)]
pub(crate) struct Ids(String);

impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids: serde_json::Value = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        ids.serialize(serializer)
    }
}

/// Notifications after a number, up to another one, oldest first: of one audience, or all.
pub(crate) async fn after(
    connection: &mut PgConnection,
    after: i64,
    until: i64,
    audience: Option<(&'static str, [u8; 16])>,
    most: i64,
) -> Result<Vec<Notification>, sqlx::Error> {
    match audience {
        None => {
            sqlx::query_as!(
                Notification,
                r#"SELECT id, kind, audience::text AS "audience!", subject AS "subject: Hex", at AS "at: Time",
                          signature AS "signature: Base58", outer_index, inner_index, payload::text AS "ids!: Ids"
                   FROM outbox WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3"#,
                after,
                until,
                most,
            )
            .fetch_all(connection)
            .await
        }
        Some((word, subject)) => {
            sqlx::query_as!(
                Notification,
                r#"SELECT id, kind, audience::text AS "audience!", subject AS "subject: Hex", at AS "at: Time",
                          signature AS "signature: Base58", outer_index, inner_index, payload::text AS "ids!: Ids"
                   FROM outbox
                   WHERE audience = $1::text AND subject = $2::bytea AND id > $3 AND id <= $4 ORDER BY id LIMIT $5"#,
                word,
                &subject[..],
                after,
                until,
                most,
            )
            .fetch_all(connection)
            .await
        }
    }
}

/// The oldest notification that waits for another try at a webhook. It is read with the row that says so, at once: the
/// indexer may withdraw both at any moment.
pub(crate) async fn waiting(connection: &mut PgConnection, webhook: i64) -> Result<Option<Notification>, sqlx::Error> {
    sqlx::query_as!(
        Notification,
        r#"SELECT id, kind, audience::text AS "audience!", subject AS "subject: Hex", at AS "at: Time",
                  signature AS "signature: Base58", outer_index, inner_index, payload::text AS "ids!: Ids"
           FROM outbox JOIN deliveries ON notification = id
           WHERE webhook = $1 AND state = 'waiting' ORDER BY id LIMIT 1"#,
        webhook,
    )
    .fetch_optional(connection)
    .await
}

/// The newest number that there is. There is one writer, so all before it are there too.
pub(crate) async fn head(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "head!" FROM outbox"#)
        .fetch_one(connection)
        .await
}
