//! What is said to a node: `GET /price/{bytes}`, `GET /tx_anchor`, `POST /tx`, `POST /chunk`. Answers are short and are
//! read no further than they can be.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};

use super::carrier::Carrier;
use crate::store::gateway::price::{amount, bad as bad_price};
use crate::store::gateway::retry::Attempt;
use crate::store::gateway::{Gateway, SLOWEST_UPLOAD, common_failure, detail, no_response, read_answer};
use crate::store::{ItemId, StoreError};

/// A number of winston, or an anchor, with room to spare.
const ANSWER_LIMIT: usize = 256;

/// What a node says of a chunk that no other node would take either.
const NEVER: [&str; 7] = [
    "invalid_json",
    "chunk_too_big",
    "data_path_too_big",
    "offset_too_big",
    "data_size_too_big",
    "chunk_proof_ratio_not_attractive",
    "invalid_proof",
];

async fn ask(gateway: &Gateway, path: &str) -> Result<Response, Attempt> {
    let request = gateway.downloads().get(gateway.url(path).map_err(Attempt::over)?);
    request.send().await.map_err(|error| no_response(&error))
}

async fn tell(gateway: &Gateway, path: &str, body: Bytes) -> Result<Response, Attempt> {
    let time = gateway.options().silence_timeout + Duration::from_secs(body.len() as u64 / SLOWEST_UPLOAD);
    let request = gateway
        .uploads()
        .post(gateway.url(path).map_err(Attempt::over)?)
        .header(CONTENT_TYPE, "application/json")
        .timeout(time)
        .body(body);
    request.send().await.map_err(|error| no_response(&error))
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap_or_default().trim()
}

/// What a transaction with so much data costs, in winston. Never `None`: a node that has no prices takes no transactions.
pub(super) async fn price(gateway: &Gateway, bytes: u64) -> Result<Option<u128>, Attempt> {
    let response = ask(gateway, &format!("price/{bytes}")).await?;
    if response.status() != StatusCode::OK {
        return Err(common_failure(response).await);
    }
    let body = read_answer(response, ANSWER_LIMIT, bad_price).await?;
    amount(text(&body)).map(Some).map_err(Attempt::over)
}

/// A recent block, or a transaction of ours in old nodes; that is 48 or 32 bytes.
pub(super) async fn anchor(gateway: &Gateway) -> Result<Vec<u8>, Attempt> {
    let bad = |detail: String| StoreError::BadAnswer {
        what: "the anchor",
        detail,
    };
    let response = ask(gateway, "tx_anchor").await?;
    if response.status() != StatusCode::OK {
        return Err(common_failure(response).await);
    }
    let body = read_answer(response, ANSWER_LIMIT, bad).await?;
    let anchor = URL_SAFE_NO_PAD.decode(text(&body)).unwrap_or_default();
    if matches!(anchor.len(), 32 | 48) {
        Ok(anchor)
    } else {
        Err(Attempt::over(bad("it is no hash of a block".to_owned())))
    }
}

/// The transaction without its data. One that is there already is as good as taken.
pub(super) async fn transaction(gateway: &Gateway, carrier: &Carrier) -> Result<(), Attempt> {
    let response = tell(gateway, "tx", carrier.transaction.clone()).await?;
    match response.status() {
        StatusCode::OK | StatusCode::ALREADY_REPORTED => Ok(()),
        _ => Err(refused(response, carrier.item).await),
    }
}

/// A chunk. What a node says of it that may pass is asked again: it may not have heard of the transaction yet.
pub(super) async fn chunk(gateway: &Gateway, carrier: &Carrier, number: usize) -> Result<(), Attempt> {
    let id = carrier.item;
    let response = tell(gateway, "chunk", carrier.chunk(number)).await?;
    match response.status() {
        StatusCode::OK | StatusCode::ALREADY_REPORTED => Ok(()),
        StatusCode::BAD_REQUEST => {
            let detail = detail(response).await;
            let never = NEVER.iter().any(|error| detail.contains(error));
            if never {
                Err(Attempt::over(StoreError::Refused { id, detail }))
            } else {
                Err(Attempt::again(StoreError::ServerError { status: 400, detail }))
            }
        }
        _ => Err(refused(response, id).await),
    }
}

async fn refused(response: Response, id: ItemId) -> Attempt {
    match response.status() {
        StatusCode::BAD_REQUEST => Attempt::over(StoreError::Refused {
            id,
            detail: detail(response).await,
        }),
        StatusCode::PAYMENT_REQUIRED => Attempt::over(StoreError::PaymentRequired {
            id,
            detail: detail(response).await,
        }),
        StatusCode::PAYLOAD_TOO_LARGE => Attempt::over(StoreError::TooLarge {
            id,
            detail: detail(response).await,
        }),
        _ => common_failure(response).await,
    }
}
