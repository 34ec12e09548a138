//! What storing costs. Layer one is paid for in whole chunks of 256 KiB and a little for the transaction itself, as on
//! Arweave, at a rate of the sandbox's own that is in the region of the true one. Uploads cost the same once they are
//! above what is free, and nothing below.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Gateway;

/// What a byte costs, in winston: 10^12 of them are one AR.
const WINSTON_PER_BYTE: u128 = 1_000;

/// Data is paid for in whole chunks, in bytes.
const CHUNK: u64 = 256 << 10;

/// What a transaction takes besides its data, in bytes.
const TRANSACTION: u128 = 3_210;

/// The least reward of a transaction with so much data.
pub(super) fn winston(bytes: u64) -> u128 {
    (TRANSACTION + u128::from(bytes.div_ceil(CHUNK)) * u128::from(CHUNK)) * WINSTON_PER_BYTE
}

/// `GET /price/{bytes}`.
pub(super) async fn of_transaction(Path(bytes): Path<u64>) -> String {
    winston(bytes).to_string()
}

/// `GET /price/{bytes}/{target}`: no money is sent here, so the recipient makes no difference.
pub(super) async fn of_transfer(Path((bytes, _)): Path<(u64, String)>) -> String {
    winston(bytes).to_string()
}

/// `GET /v1/price/bytes/{n}`, as Turbo's payment service answers it.
pub(super) async fn of_upload(State(gateway): State<Arc<Gateway>>, Path(bytes): Path<u64>) -> Response {
    let price = if gateway.charge_above.is_some_and(|free| bytes > free) {
        winston(bytes)
    } else {
        0
    };
    Json(json!({ "winc": price.to_string(), "adjustments": [], "fees": [] })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_of_whole_chunks() {
        assert_eq!(winston(0), 3_210_000);
        assert_eq!(winston(1), winston(CHUNK));
        assert_eq!(winston(CHUNK + 1), winston(2 * CHUNK));
        assert!(winston(u64::MAX) > u128::from(u64::MAX), "no length overflows it");
    }
}
