//! `POST /v1/tx/solana`: Turbo's upload of one data item. It answers with a receipt, which must name our item.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::retry::Attempt;
use super::{Gateway, common_failure, detail, no_response, read_answer};
use crate::store::ans104::SignedItem;
use crate::store::{ItemId, StoreError};

/// A receipt is some hundred bytes; with a long list of caches, some thousand.
const RECEIPT_LIMIT: usize = 64 * 1024;

/// The one field of the receipt that we rely on. Its signature is the gateway's word about itself.
#[derive(Deserialize)]
pub(super) struct Receipt {
    id: String,
}

impl Receipt {
    /// Compares the item that it names with ours.
    pub(super) fn check(&self, id: ItemId) -> Result<(), Attempt> {
        if self.id == id.to_string() {
            Ok(())
        } else {
            let detail = "it names another item".to_owned();
            Err(Attempt::over(StoreError::BadReceipt { id, detail }))
        }
    }
}

pub(super) async fn upload(gateway: &Gateway, item: &SignedItem) -> Result<(), Attempt> {
    let id = item.id();
    let bytes = item.bytes().clone();
    let time = gateway.options.time_for(bytes.len() as u64);
    let response = gateway
        .uploads
        .post(gateway.url("v1/tx/solana").map_err(Attempt::over)?)
        .header(CONTENT_TYPE, "application/octet-stream")
        .timeout(time)
        .body(bytes)
        .send()
        .await
        .map_err(|error| no_response(&error))?;
    match response.status() {
        // Turbo says 202 for an item that it has, its documentation 409.
        StatusCode::CONFLICT | StatusCode::ACCEPTED => confirm(gateway, id).await,
        status if status.is_success() => check_receipt(response, id).await,
        StatusCode::BAD_REQUEST => Err(Attempt::over(StoreError::Malformed {
            id,
            detail: detail(response).await,
        })),
        StatusCode::PAYMENT_REQUIRED => Err(Attempt::over(StoreError::PaymentRequired {
            id,
            detail: detail(response).await,
        })),
        StatusCode::PAYLOAD_TOO_LARGE => Err(Attempt::over(StoreError::TooLarge {
            id,
            detail: detail(response).await,
        })),
        _ => Err(common_failure(response).await),
    }
}

/// The gateway claims to have the item already: has it?
pub(super) async fn confirm(gateway: &Gateway, id: ItemId) -> Result<(), Attempt> {
    if has(gateway, id).await? {
        Ok(())
    } else {
        // It may be on its way from the uploader to the gateway.
        Err(Attempt::again(StoreError::Conflict { id }))
    }
}

/// `HEAD /{id}`.
pub(super) async fn has(gateway: &Gateway, id: ItemId) -> Result<bool, Attempt> {
    let url = gateway.url(&id.to_string()).map_err(Attempt::over)?;
    let response = gateway
        .downloads
        .head(url)
        .send()
        .await
        .map_err(|error| no_response(&error))?;
    match response.status() {
        status if status.is_success() => Ok(true),
        StatusCode::NOT_FOUND => Ok(false),
        _ => Err(common_failure(response).await),
    }
}

pub(super) async fn check_receipt(response: Response, id: ItemId) -> Result<(), Attempt> {
    let bad = |detail: String| StoreError::BadReceipt { id, detail };
    let body = read_answer(response, RECEIPT_LIMIT, bad).await?;
    let receipt: Receipt = serde_json::from_slice(&body).map_err(|error| Attempt::over(bad(error.to_string())))?;
    receipt.check(id)
}
