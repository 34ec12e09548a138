//! HTTP around the service: `POST /v1/calls` for calls, `GET /healthz` for whoever looks after it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chartseal::store::keystore::remote::signature::{CONTENT_DIGEST, Headers, Message, SIGNATURE, SIGNATURE_INPUT};
use chartseal::store::keystore::remote::wire::{Asked, CALLS, Failure, LONGEST_REQUEST};
use serde_json::{Value, json};

use crate::calls::Service;
use crate::doorman::Doorman;

/// The service, and who stands at its door.
type Shared = Arc<(Service, Doorman)>;

/// The service as HTTP.
pub fn router(service: Service, doorman: Doorman) -> Router {
    Router::new()
        .route(CALLS, post(call))
        .route("/healthz", get(health))
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST))
        .with_state(Arc::new((service, doorman)))
}

async fn health(State(shared): State<Shared>) -> Response {
    match shared.0.name().await {
        Ok(name) => Json(json!({"status": "ok", "name": name, "release": env!("CARGO_PKG_VERSION")})).into_response(),
        Err(error) => {
            tracing::error!(%error, "the key store is not there");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "broken"}))).into_response()
        }
    }
}

async fn call(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    match answer(&shared, &uri, &headers, &body).await {
        Ok(value) => Json(value).into_response(),
        Err(failure) => (status(&failure), Json(failure)).into_response(),
    }
}

async fn answer(
    (service, doorman): &(Service, Doorman),
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Failure> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    // HTTP/2 says it in the address, HTTP/1.1 in a header.
    let authority = uri
        .authority()
        .map_or_else(|| text(header::HOST.as_str()), |authority| authority.as_str());
    let message = Message {
        method: "POST",
        authority: &authority.to_ascii_lowercase(),
        path: CALLS,
        body,
    };
    let signed = Headers {
        content_digest: text(CONTENT_DIGEST).to_owned(),
        signature_input: text(SIGNATURE_INPUT).to_owned(),
        signature: text(SIGNATURE).to_owned(),
    };
    let wallet = doorman.admit(&message, &signed, now())?;
    let asked: Asked = serde_json::from_slice(body).map_err(|error| Failure::NotAllowed {
        detail: format!("this is no call that this release of the service knows: {error}"),
    })?;
    service.answer(wallet, asked).await
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::NotSigned { .. } => StatusCode::UNAUTHORIZED,
        Failure::NotAllowed { .. } | Failure::NotTheReader | Failure::Refused { .. } | Failure::NoDecision => {
            StatusCode::FORBIDDEN
        }
        Failure::NoEnvelope => StatusCode::NOT_FOUND,
        Failure::Destroyed => StatusCode::GONE,
        Failure::TooLong { .. } | Failure::NoPublicKey { .. } => StatusCode::BAD_REQUEST,
        Failure::Later { .. } => StatusCode::TOO_MANY_REQUESTS,
        Failure::LedgerUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Failure::Damaged | Failure::Broken { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
