//! What storing costs: each distinct length is asked for once, so a record of a thousand shards costs two questions. A
//! price of uploads is shown and nothing more: Turbo takes it from the key's balance. Layer one asks again, compares with
//! what may be paid, and pays.

use std::collections::BTreeMap;
use std::future::Future;

use reqwest::StatusCode;
use serde::Deserialize;

use super::retry::Attempt;
use super::{Gateway, common_failure, no_response, read_answer};
use crate::store::{Price, StoreError};

/// A price with its surcharges and discounts is some hundred bytes.
const ANSWER_LIMIT: usize = 16 * 1024;

/// Turbo's answer. Its credits are counted in winston, as text.
#[derive(Deserialize)]
struct Answer {
    winc: String,
}

pub(in crate::store) fn bad(detail: String) -> StoreError {
    StoreError::BadAnswer {
        what: "the price",
        detail,
    }
}

/// The sum of what `price` says of each length; `None` as soon as it names no price.
pub(in crate::store) async fn of_all<F, Priced>(lengths: &[u64], price: F) -> Result<Option<Price>, StoreError>
where
    F: Fn(u64) -> Priced + Send + Sync,
    Priced: Future<Output = Result<Option<u128>, StoreError>> + Send,
{
    let mut counts = BTreeMap::<u64, u128>::new();
    for length in lengths {
        *counts.entry(*length).or_default() += 1;
    }
    let mut winston = 0_u128;
    for (length, count) in counts {
        let Some(one) = price(length).await? else {
            return Ok(None);
        };
        winston = one
            .checked_mul(count)
            .and_then(|all| winston.checked_add(all))
            .ok_or_else(|| bad("it is more than there is".to_owned()))?;
    }
    Ok(Some(Price { winston }))
}

/// `GET /v1/price/bytes/{n}`: what an upload of so many bytes costs; `None` where the gateway has no such answer.
pub(super) async fn of_upload(gateway: &Gateway, length: u64) -> Result<Option<u128>, Attempt> {
    let url = gateway
        .url(&format!("v1/price/bytes/{length}"))
        .map_err(Attempt::over)?;
    let response = gateway
        .downloads
        .get(url)
        .send()
        .await
        .map_err(|error| no_response(&error))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        _ => return Err(common_failure(response).await),
    }
    let body = read_answer(response, ANSWER_LIMIT, bad).await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|error| Attempt::over(bad(error.to_string())))?;
    amount(&answer.winc).map(Some).map_err(Attempt::over)
}

/// A whole number of winston.
pub(in crate::store) fn amount(text: &str) -> Result<u128, StoreError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| bad("it is no whole number".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn equal_lengths_are_asked_for_once_and_counted_each() {
        let asked = Mutex::new(Vec::new());
        let price = |length: u64| {
            asked.lock().unwrap().push(length);
            async move { Ok(Some(u128::from(length) * 10)) }
        };
        let sum = of_all(&[5, 7, 5, 5], price).await.unwrap();
        assert_eq!(sum, Some(Price { winston: 220 }));
        assert_eq!(*asked.lock().unwrap(), [5, 7]);
    }

    #[tokio::test]
    async fn a_sum_that_overflows_is_no_price() {
        let dear = of_all(&[1, 1], |_| async { Ok(Some(u128::MAX)) }).await;
        assert!(matches!(dear, Err(StoreError::BadAnswer { .. })));
        assert_eq!(of_all(&[1, 2], |_| async { Ok(None) }).await.unwrap(), None);
    }

    #[test]
    fn an_amount_is_digits_and_nothing_else() {
        assert_eq!(amount("0042").unwrap(), 42);
        for wrong in [
            "",
            "+1",
            "-1",
            "1.5",
            " 1",
            "1e3",
            "340282366920938463463374607431768211456",
        ] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }
}
