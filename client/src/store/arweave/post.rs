//! What is said to a node: `GET /price/{bytes}`, `GET /tx_anchor`, `POST /tx`, `POST /chunk`, `GET /tx/{id}/status`.
//! Answers are short and are read no further than they can be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::carrier::Carrier;
use crate::store::gateway::price::{amount, bad as bad_price};
use crate::store::gateway::retry::Attempt;
use crate::store::gateway::{Gateway, common_failure, detail, no_response, read_answer};
use crate::store::{ItemId, StoreError};

/// A number of winston, or an anchor, with room to spare.
const ANSWER_LIMIT: usize = 256;

/// Where a transaction stands, with room to spare.
const STATUS_LIMIT: usize = 4 * 1024;

/// Blocks after which whatever a transaction carries is served, if it ever is: more than an hour and a half.
const SETTLED: u64 = 50;

/// What a node says of a transaction that it has: nothing is wrong with that.
const KNOWN: [&str; 2] = [
    "Transaction is already on the weave",
    "Transaction is already in the mempool",
];

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
    let time = gateway.options().time_for(body.len() as u64);
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
    let (id, response) = (
        carrier.item,
        tell(gateway, "tx", carrier.signed.transaction.clone()).await?,
    );
    match response.status() {
        StatusCode::OK | StatusCode::ALREADY_REPORTED => Ok(()),
        StatusCode::BAD_REQUEST => {
            let detail = detail(response).await;
            if KNOWN.iter().any(|known| detail.contains(known)) {
                Ok(())
            } else {
                Err(Attempt::over(StoreError::Refused { id, detail }))
            }
        }
        _ => Err(refused(response, id).await),
    }
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The node does not have it.
    Unknown,
    /// It waits for a block, or has been in one for so short a time that what it carries may not be served yet.
    Underway,
    /// It has been in a block for long.
    Settled,
}

#[derive(Deserialize)]
struct StatusAnswer {
    number_of_confirmations: u64,
}

pub(super) async fn standing(gateway: &Gateway, transaction: &str) -> Result<Standing, Attempt> {
    let bad = |detail: String| StoreError::BadAnswer {
        what: "a transaction",
        detail,
    };
    let response = ask(gateway, &format!("tx/{transaction}/status")).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::ACCEPTED => return Ok(Standing::Underway),
        StatusCode::NOT_FOUND => return Ok(Standing::Unknown),
        _ => return Err(common_failure(response).await),
    }
    let body = read_answer(response, STATUS_LIMIT, bad).await?;
    // Some gateways say it in words while it waits.
    if text(&body) == "Pending" {
        return Ok(Standing::Underway);
    }
    let answer: StatusAnswer = serde_json::from_slice(&body).map_err(|error| Attempt::over(bad(error.to_string())))?;
    Ok(if answer.number_of_confirmations < SETTLED {
        Standing::Underway
    } else {
        Standing::Settled
    })
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
