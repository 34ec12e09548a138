//! HTTP around the service: `POST /v1/calls` for calls, `GET /healthz` for whoever looks after it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chartseal::store::keystore::remote::signature::{
    CONTENT_DIGEST, Headers, Message, SIGNATURE, SIGNATURE_INPUT, now,
};
use chartseal::store::keystore::remote::wire::{Asked, CALLS, Failure, LONGEST_REQUEST};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::calls::Service;
use crate::doorman::Doorman;

/// Calls that are answered at a time: each asks the ledger some questions.
const AT_ONCE: usize = 64;
/// No answer takes longer: before callers give up.
const TIME: Duration = Duration::from_secs(45);

/// The service, who stands at its door, and room inside.
struct Shared {
    service: Service,
    doorman: Doorman,
    room: Semaphore,
    /// How long the body of a request may take.
    patience: Duration,
}

/// The service as HTTP. Who takes longer than so much to send the body of a request is not waited for.
pub fn router(service: Service, doorman: Doorman, patience: Duration) -> Router {
    Router::new()
        .route(CALLS, post(call))
        .route("/healthz", get(health))
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST))
        .with_state(Arc::new(Shared {
            service,
            doorman,
            room: Semaphore::new(AT_ONCE),
            patience,
        }))
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match shared.service.name().await {
        Ok(_) => Json(json!({"status": "ok", "release": env!("CARGO_PKG_VERSION")})).into_response(),
        Err(error) => {
            tracing::error!(%error, "the key store is not there");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "broken"}))).into_response()
        }
    }
}

async fn call(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let body = match tokio::time::timeout(shared.patience, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    match answer(&shared, &uri, &headers, &body).await {
        Ok(value) => Json(value).into_response(),
        Err(failure) => (status(&failure), Json(failure)).into_response(),
    }
}

async fn answer(shared: &Shared, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
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
    let wallet = shared.doorman.admit(&message, &signed, now())?;
    let asked: Asked = serde_json::from_slice(body).map_err(|error| Failure::NotAllowed {
        detail: format!("this is no call that this release of the service knows: {error}"),
    })?;
    let later = |detail: &str| Failure::Later {
        detail: detail.to_owned(),
        seconds: 1,
    };
    let _room = shared.room.try_acquire().map_err(|_| later("too many calls at once"))?;
    let answered = tokio::time::timeout(TIME, shared.service.answer(wallet, asked)).await;
    answered.unwrap_or_else(|_| Err(later("the answer took too long")))
}

fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::NotSigned { .. } => StatusCode::UNAUTHORIZED,
        Failure::NotAllowed { .. }
        | Failure::NotTheReader
        | Failure::Refused { .. }
        | Failure::NotProven { .. }
        | Failure::NoDecision => StatusCode::FORBIDDEN,
        Failure::NoEnvelope => StatusCode::NOT_FOUND,
        Failure::Destroyed => StatusCode::GONE,
        Failure::TooLong { .. } | Failure::NoPublicKey { .. } => StatusCode::BAD_REQUEST,
        Failure::Later { .. } => StatusCode::TOO_MANY_REQUESTS,
        Failure::LedgerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Failure::Damaged | Failure::Broken { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
