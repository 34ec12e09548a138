//! The ledger over Solana's JSON-RPC: HTTP POST for questions, WebSocket for subscriptions, one JSON object or an array
//! of them. It answers as Agave 3.1 does where Chartseal's programs would notice a difference, and -32601 to what it does
//! not have. Nothing that a client sends makes it panic, and no request makes it hold more than a few copies of the largest
//! answer: see [`MAX_BODY_BYTES`], [`MAX_BATCH`] and [`params::Room`].

mod accounts;
mod blocks;
mod encode;
mod error;
mod methods;
mod params;
mod pubsub;
mod transactions;
mod travel;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use error::RpcError;
use params::Room;

/// The largest body, for batches. A validator takes 50 KiB.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The most requests of a batch. Together their answers have the room of one, see [`params::Room`].
const MAX_BATCH: usize = 256;

/// What every connection shares.
#[derive(Debug, Clone)]
struct Shared {
    ledger: Ledger,
    stop: CancellationToken,
}

/// The routes of both the HTTP and the WebSocket port: each does both.
pub(crate) fn router(ledger: Ledger, stop: CancellationToken) -> Router {
    Router::new()
        .route("/", get(pubsub::upgrade).post(answer))
        .route("/health", get(|| async { "ok" }))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Shared { ledger, stop })
}

async fn answer(State(shared): State<Shared>, body: Bytes) -> Response {
    let answer = match serde_json::from_slice(&body) {
        Err(_) => Some(failure(&Value::Null, &RpcError::parse_error())),
        Ok(Value::Array(requests)) if requests.is_empty() => {
            Some(failure(&Value::Null, &RpcError::invalid_request("Invalid request")))
        }
        Ok(Value::Array(requests)) if requests.len() > MAX_BATCH => {
            let message = format!("Too many requests in the batch; max {MAX_BATCH}");
            Some(failure(&Value::Null, &RpcError::invalid_request(message)))
        }
        Ok(Value::Array(requests)) => {
            let room = Room::new();
            // All at once, so that the transactions of a batch share a disk write. They still go to the ledger in order.
            let answers = join_all(
                requests
                    .into_iter()
                    .map(|request| answer_one(&shared.ledger, request, &room)),
            )
            .await;
            let answers: Vec<_> = answers.into_iter().flatten().collect();
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        Ok(request) => answer_one(&shared.ledger, request, &Room::new()).await,
    };
    let body = answer.map(|answer| answer.to_string()).unwrap_or_default();
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body,
    )
        .into_response()
}

/// The answer to one request, or nothing to one that carries no id.
async fn answer_one(ledger: &Ledger, request: Value, room: &Room) -> Option<Value> {
    let Request { id, method, params } = match Request::read(request) {
        Ok(request) => request,
        Err(error) => return Some(failure(&Value::Null, &error)),
    };
    let answer = methods::call(ledger, &method, params, room).await;
    if let Err(error) = &answer {
        tracing::debug!(method, code = error.code, message = error.message, "refused");
    }
    id.map(|id| match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "result": result, "id": id }),
        Err(error) => failure(&id, &error),
    })
}

fn failure(id: &Value, error: &RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "error": error.to_json(), "id": id })
}

/// One JSON-RPC request.
struct Request {
    id: Option<Value>,
    method: String,
    params: Option<Value>,
}

impl Request {
    fn read(request: Value) -> Result<Self, RpcError> {
        let Value::Object(mut request) = request else {
            return Err(RpcError::invalid_request("Invalid request"));
        };
        let id = request.remove("id");
        if matches!(id, Some(Value::Array(_) | Value::Object(_) | Value::Bool(_))) {
            return Err(RpcError::invalid_request("Invalid request"));
        }
        match request.remove("method") {
            Some(Value::String(method)) => Ok(Self {
                id,
                method,
                params: request.remove("params"),
            }),
            _ => Err(RpcError::invalid_request("Invalid request")),
        }
    }
}
