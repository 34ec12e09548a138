//! The JSON-RPC, in the formats of Kora: one call a request, over `POST /`. Refusals are errors of the call; where the caller
//! should try again, the answer is HTTP 429 or 503.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_serving::Pace;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_address::Address;
use tokio::sync::Semaphore;

use crate::{Refusal, Service};

/// The longest call: a transaction has 1,232 bytes, and a third more as base64.
const LONGEST_CALL: usize = 16 * 1024;
/// Calls that are answered at a time: each asks the ledger some questions.
const AT_ONCE: usize = 64;
/// No answer takes longer.
const TIME: Duration = Duration::from_secs(18);
/// No call takes longer, what it says included.
const WHOLE: Duration = Duration::from_secs(25);
/// Addresses whose pace is remembered before those that rested are forgotten.
const MOST_REMEMBERED: usize = 10_000;
/// Wallets that ask from one address, a clinic's for example, and so how many times the pace of one an address has.
const WALLETS_AT_AN_ADDRESS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

struct Shared {
    service: Service,
    pace: DefaultKeyedRateLimiter<IpAddr>,
    room: Semaphore,
}

/// A call that has no result.
enum Failure {
    /// Not by this relayer.
    Refused(Refusal),
    /// The call itself is wrong: code and message.
    Wrong(i32, String),
    /// Again in so many seconds.
    Later(StatusCode, u64, String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::TooOften { seconds, .. } => {
                Self::Later(StatusCode::TOO_MANY_REQUESTS, *seconds, refusal.to_string())
            }
            Refusal::NoLedger => Self::Later(StatusCode::SERVICE_UNAVAILABLE, 1, refusal.to_string()),
            _ => Self::Refused(refusal),
        }
    }
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: Value,
}

#[derive(Deserialize)]
struct Asked {
    transaction: String,
    #[serde(default)]
    signer_key: Option<String>,
}

/// The service over HTTP.
pub fn router(service: Service, pace: Pace) -> Router {
    let quota = Quota::per_second(pace.per_second.saturating_mul(WALLETS_AT_AN_ADDRESS))
        .allow_burst(pace.burst.saturating_mul(WALLETS_AT_AN_ADDRESS));
    Router::new()
        .route("/", post(call))
        .route("/liveness", get(|| async { StatusCode::OK }))
        .route("/healthz", get(health))
        .layer(DefaultBodyLimit::max(LONGEST_CALL))
        .layer(middleware::from_fn(in_time))
        .with_state(Arc::new(Shared {
            service,
            pace: RateLimiter::keyed(quota),
            room: Semaphore::new(AT_ONCE),
        }))
}

/// Lets go of whoever does not say to the end what it wants.
async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(WHOLE, next.run(request)).await;
    answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match shared.service.recent_balance().await {
        Ok(lamports) => Json(json!({
            "status": "ok",
            "release": env!("CARGO_PKG_VERSION"),
            "payer": shared.service.payer().to_string(),
            "lamports": lamports,
        }))
        .into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "broken"}))).into_response(),
    }
}

async fn call(State(shared): State<Arc<Shared>>, ConnectInfo(from): ConnectInfo<SocketAddr>, body: Bytes) -> Response {
    let (id, outcome) = match serde_json::from_slice::<Call>(&body) {
        Ok(call) => (call.id.clone(), answer(&shared, from, call).await),
        Err(error) => (
            Value::Null,
            Err(Failure::Wrong(-32_700, format!("this is no call: {error}"))),
        ),
    };
    let failed = |code: i32, message: &str| {
        Json(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })).into_response()
    };
    match outcome {
        Ok(result) => Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response(),
        Err(Failure::Wrong(code, message)) => failed(code, &message),
        Err(Failure::Refused(refusal)) => {
            tracing::warn!(%refusal, %from, "refused");
            failed(-32_000, &refusal.to_string())
        }
        Err(Failure::Later(status, seconds, message)) => {
            let mut response = failed(-32_000, &message);
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

async fn answer(shared: &Shared, from: SocketAddr, call: Call) -> Result<Value, Failure> {
    if let Err(not_until) = shared.pace.check_key(&network(from.ip())) {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        let message = "too many calls from this address".to_owned();
        return Err(Failure::Later(
            StatusCode::TOO_MANY_REQUESTS,
            wait.as_secs() + 1,
            message,
        ));
    }
    if shared.pace.len() > MOST_REMEMBERED {
        shared.pace.retain_recent();
    }
    let later = |message: &str| Failure::Later(StatusCode::SERVICE_UNAVAILABLE, 1, message.to_owned());
    let _room = shared.room.try_acquire().map_err(|_| later("too many calls at once"))?;
    let answered = tokio::time::timeout(TIME, carry_out(&shared.service, call)).await;
    answered.unwrap_or_else(|_| Err(later("the answer took too long")))
}

async fn carry_out(service: &Service, Call { method, params, .. }: Call) -> Result<Value, Failure> {
    let payer = service.payer().to_string();
    Ok(match method.as_str() {
        "liveness" => Value::Null,
        "getVersion" => json!({ "version": env!("CARGO_PKG_VERSION") }),
        "getPayerSigner" => json!({ "signer_address": payer, "payment_address": payer }),
        "getConfig" => config(service),
        "getBlockhash" => json!({ "blockhash": service.blockhash().await? }),
        "signTransaction" | "signAndSendTransaction" => {
            let signed = service.sign(&transaction(params, &payer)?).await?;
            if method == "signAndSendTransaction" {
                service.send(&signed).await?;
            }
            let bytes =
                bincode::serialize(&signed.transaction).map_err(|error| Refusal::NotATransaction(error.to_string()))?;
            json!({
                "signed_transaction": STANDARD.encode(bytes),
                "signature": signed.signature.to_string(),
                "signer_pubkey": payer,
            })
        }
        _ => return Err(Failure::Wrong(-32_601, format!("this relayer has no method {method}"))),
    })
}

/// The transaction that is to be signed. Parameters come by name, or as the one in a list.
fn transaction(params: Value, payer: &str) -> Result<Vec<u8>, Failure> {
    let params = match params {
        Value::Array(mut list) if list.len() == 1 => list.pop().unwrap_or_default(),
        params => params,
    };
    let asked: Asked = serde_json::from_value(params)
        .map_err(|error| Failure::Wrong(-32_602, format!("wrong parameters: {error}")))?;
    if let Some(key) = asked.signer_key.filter(|key| key != payer) {
        // What is logged is an address, and nothing that anybody wrote.
        let key = key.parse::<Address>();
        return Err(match key {
            Ok(key) => Refusal::NoSuchSigner(key).into(),
            Err(_) => Failure::Wrong(-32_602, "wrong parameters: signer_key is no address".to_owned()),
        });
    }
    let bytes = STANDARD.decode(asked.transaction);
    Ok(bytes.map_err(|error| Refusal::NotATransaction(format!("it is not base64: {error}")))?)
}

/// What is paid for, as Kora tells it.
fn config(service: &Service) -> Value {
    let limits = service.limits();
    json!({
        "fee_payers": [service.payer().to_string()],
        "validation_config": {
            "max_allowed_lamports": limits.each,
            "max_signatures": crate::rules::MOST_SIGNATURES,
            "allowed_programs": [
                chartseal_program::ID.to_string(),
                solana_compute_budget_interface::ID.to_string(),
            ],
            "allowed_tokens": [],
            "allowed_spl_paid_tokens": [],
            "disallowed_accounts": [],
            "price_source": "Mock",
            "price": { "type": "free" },
        },
        "enabled_methods": {
            "liveness": true,
            "estimate_transaction_fee": false,
            "get_supported_tokens": false,
            "get_payer_signer": true,
            "sign_transaction": true,
            "sign_and_send_transaction": true,
            "transfer_transaction": false,
            "get_blockhash": true,
            "get_config": true,
            "get_version": true,
        },
    })
}

/// Whoever has one address of the newer kind has all that begin with the same 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
        address => address,
    }
}
