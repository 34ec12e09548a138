//! What went wrong, as `application/problem+json` (RFC 9457).
//!
//! A caller learns what it can do about it, and nothing of the database behind: that goes to the log.

use axum::{
    Json,
    extract::rejection::{PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// SQLSTATE: a statement ran into its time limit, or was cancelled.
const CANCELED: &str = "57014";
/// SQLSTATE: the role may not do that.
const NOT_ALLOWED: &str = "42501";

/// An answer that is none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is; always the same for the same status.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What happened, and what to do.
    #[schema(example = "patient: an id has 32 hexadecimal digits")]
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "this takes `Authorization: Bearer TOKEN`, with a token that `chartseal-indexer tokens add` made and that was not revoked",
        )
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// What went wrong while the service asked as its own database role, and not yet as its caller's.
    pub(crate) fn of_service(error: sqlx::Error) -> Self {
        if !is_not_allowed(&error) {
            return error.into();
        }
        tracing::error!(%error, "the service's database role may not serve: `chartseal-indexer services add` lets it");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the service's database role lacks a right; the log says more",
        )
    }

    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many questions at once: ask again in a moment",
        )
    }
}

/// Whether the database role that asked may not do that.
pub(super) fn is_not_allowed(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(NOT_ALLOWED)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match (&error, code.as_deref()) {
            (_, Some(CANCELED)) => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the question took too long: narrow it by patient, institution or time, or take smaller pages",
            ),
            (_, Some(NOT_ALLOWED)) => Self::forbidden("this token's role may not read that"),
            (sqlx::Error::PoolTimedOut, _) => Self::busy(),
            (sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::Tls(_), _) => {
                tracing::warn!(%error, "the database is away");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the database is away: ask again in a moment",
                )
            }
            _ => {
                tracing::error!(%error, "a question failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the database did not answer as it should; the log says more",
                )
            }
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}
