//! Uploads in parts, over real HTTP, to gateways that lose parts, forget them, or lie about them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chartseal::keys::StorageKey;
use chartseal::store::{BlobStore, Gateway, GatewayOptions, Price, SignedItem, StoreError};
use serde_json::{Value, json};
use support::gateway::{Asked, TestGateway, patient, receipt};
use support::noise;

/// How long the server lets parts be.
const PART: usize = 1_000;

/// An item of ten whole parts and a short one.
fn item() -> SignedItem {
    SignedItem::sign(&noise(10 * PART + 200, 1), &StorageKey::generate().unwrap())
}

fn in_parts(gateway: &TestGateway) -> Gateway {
    let options = GatewayOptions {
        parts_above: 500,
        silence_timeout: Duration::from_millis(200),
        ..patient()
    };
    Gateway::new(&gateway.url, options).unwrap()
}

/// Turbo as far as parts go, with one upload at a time.
#[derive(Default)]
struct Turbo {
    begun: usize,
    parts: BTreeMap<usize, Vec<u8>>,
}

type Shared = Arc<Mutex<Turbo>>;

/// The last two parts of a path: upload, and what of it.
fn named(asked: &Asked) -> (String, String) {
    let mut names = asked
        .path
        .trim_start_matches("/v1/chunks/solana/")
        .split('/')
        .map(str::to_owned);
    (names.next().unwrap_or_default(), names.next().unwrap_or_default())
}

/// Answers as Turbo does; the item's id is what it gives a receipt for.
fn turbo(shared: &Shared, asked: &Asked, id: &str, whole: &[u8]) -> Response {
    let mut turbo = shared.lock().unwrap();
    let current = format!("upload-{}", turbo.begun);
    let (upload, what) = named(asked);
    if asked.method == Method::POST {
        assert_eq!(asked.headers["content-type"], "application/octet-stream");
    }
    assert_eq!(asked.headers["x-chunking-version"], "2");
    match (asked.method.clone(), upload.as_str(), what.as_str()) {
        (Method::GET, "-1", "-1") => {
            *turbo = Turbo {
                begun: turbo.begun + 1,
                parts: BTreeMap::new(),
            };
            let id = format!("upload-{}", turbo.begun);
            Json(json!({ "id": id, "min": 1, "max": 9_999, "chunkSize": PART })).into_response()
        }
        (_, upload, _) if upload != current => StatusCode::NOT_FOUND.into_response(),
        (Method::GET, _, "-1") => {
            let chunks: Vec<[usize; 2]> = turbo.parts.iter().map(|(offset, part)| [*offset, part.len()]).collect();
            Json(json!({ "id": upload, "size": PART, "chunks": chunks, "failedReason": null })).into_response()
        }
        (Method::GET, _, "status") => {
            Json(json!({ "status": "FINALIZED", "timestamp": 1, "receipt": { "id": id } })).into_response()
        }
        (Method::POST, _, "finalize") => {
            let sent: Vec<u8> = turbo.parts.values().flatten().copied().collect();
            if sent == whole {
                StatusCode::ACCEPTED.into_response()
            } else {
                (StatusCode::BAD_REQUEST, "Invalid Data Item!").into_response()
            }
        }
        (Method::POST, _, offset) => {
            turbo.parts.insert(offset.parse().unwrap(), asked.body.to_vec());
            StatusCode::OK.into_response()
        }
        _ => panic!("{} {}", asked.method, asked.path),
    }
}

/// The offsets of the parts that were sent, in the order in which they came.
fn sent(gateway: &TestGateway) -> Vec<usize> {
    let posts = gateway.asked().into_iter().filter(|asked| asked.method == Method::POST);
    posts.filter_map(|asked| named(&asked).1.parse().ok()).collect()
}

/// A gateway that answers as Turbo, except where `other` has an answer, given the request and how often the same was
/// asked before.
async fn turbo_but(
    item: &SignedItem,
    other: impl Fn(&Asked, usize, &Shared) -> Option<Response> + Send + Sync + 'static,
) -> TestGateway {
    let shared = Shared::default();
    let (id, whole) = (item.id().to_string(), item.bytes().clone());
    let before: Mutex<BTreeMap<String, usize>> = Mutex::default();
    TestGateway::answering(move |asked, _| {
        let count = {
            let mut before = before.lock().unwrap();
            let count = before.entry(format!("{} {}", asked.method, asked.path)).or_default();
            *count += 1;
            *count - 1
        };
        other(asked, count, &shared).unwrap_or_else(|| turbo(&shared, asked, &id, &whole))
    })
    .await
}

#[tokio::test]
async fn a_large_item_goes_in_parts_and_a_small_one_does_not() {
    let item = item();
    let gateway = turbo_but(&item, |_, _, _| None).await;
    in_parts(&gateway).put(&item).await.unwrap();
    let mut parts = sent(&gateway);
    parts.sort_unstable();
    assert_eq!(parts, (0..11).map(|part| part * PART).collect::<Vec<_>>(), "each once");

    let small = SignedItem::sign(b"small", &StorageKey::generate().unwrap());
    let id = small.id().to_string();
    let gateway = TestGateway::answering(move |_, _| receipt(&id)).await;
    in_parts(&gateway).put(&small).await.unwrap();
    assert_eq!(gateway.asked()[0].path, "/v1/tx/solana");
}

#[tokio::test]
async fn a_part_that_is_lost_is_sent_again_by_itself() {
    let item = item();
    let gateway = turbo_but(&item, |asked, before, _| {
        (asked.path.ends_with("/3000") && before < 2).then(|| StatusCode::BAD_GATEWAY.into_response())
    })
    .await;
    in_parts(&gateway).put(&item).await.unwrap();
    let parts = sent(&gateway);
    assert_eq!(parts.iter().filter(|offset| **offset == 3_000).count(), 3);
    assert_eq!(parts.len(), 11 + 2);
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_with_what_is_missing() {
    let item = item();
    let healed = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&healed);
    let gateway = turbo_but(&item, move |asked, _, _| {
        (asked.path.ends_with("/10000") && !*seen.lock().unwrap()).then(|| StatusCode::BAD_GATEWAY.into_response())
    })
    .await;
    let client = in_parts(&gateway);
    let error = client.put(&item).await.unwrap_err();
    assert!(matches!(error, StoreError::ServerError { status: 502, .. }), "{error}");
    let before = sent(&gateway);
    let arrived: Vec<usize> = (0..10)
        .map(|part| part * PART)
        .filter(|offset| before.contains(offset))
        .collect();

    *healed.lock().unwrap() = true;
    client.put(&item).await.unwrap();
    let parts = sent(&gateway);
    let after = &parts[before.len()..];
    assert!(after.contains(&10_000));
    assert!(
        !after.iter().any(|offset| arrived.contains(offset)),
        "{arrived:?} were there, {after:?} were sent"
    );
}

#[tokio::test]
async fn an_upload_that_the_server_forgot_begins_anew() {
    let item = item();
    let broken = Arc::new(Mutex::new(true));
    let seen = Arc::clone(&broken);
    let gateway = turbo_but(&item, move |asked, _, shared| {
        let broken = *seen.lock().unwrap();
        if broken && asked.path.ends_with("/0") {
            // By the time of the next try it is another upload that the server knows.
            shared.lock().unwrap().begun += 1;
            return Some(StatusCode::PAYMENT_REQUIRED.into_response());
        }
        None
    })
    .await;
    let client = in_parts(&gateway);
    assert!(matches!(
        client.put(&item).await,
        Err(StoreError::PaymentRequired { .. } | StoreError::UnexpectedStatus { .. })
    ));
    *broken.lock().unwrap() = false;
    client.put(&item).await.unwrap();
}

#[tokio::test]
async fn a_server_that_has_less_than_it_says_gets_all_of_it_again() {
    let item = item();
    let broken = Arc::new(Mutex::new(true));
    let seen = Arc::clone(&broken);
    let gateway = turbo_but(&item, move |asked, _, shared| {
        let broken = *seen.lock().unwrap();
        if broken && asked.path.ends_with("/10000") {
            return Some(StatusCode::BAD_GATEWAY.into_response());
        }
        if !broken && asked.method == Method::GET && named(asked).1 == "-1" && named(asked).0 == "upload-1" {
            let there: Vec<[usize; 2]> = (0..10).map(|part| [part * PART, PART]).collect();
            shared.lock().unwrap().parts.remove(&2_000);
            return Some(Json(json!({ "id": "upload-1", "size": PART, "chunks": there })).into_response());
        }
        None
    })
    .await;
    let client = in_parts(&gateway);
    client.put(&item).await.unwrap_err();
    *broken.lock().unwrap() = false;
    client.put(&item).await.unwrap();
    let parts = sent(&gateway);
    assert!(
        parts.ends_with(&[10_000]) || parts.len() >= 21,
        "the second upload is whole: {parts:?}"
    );
}

/// Puts an item to a gateway whose finalization or status is this.
async fn ended(finalize: StatusCode, status: Value) -> Result<(), StoreError> {
    let item = item();
    let gateway = turbo_but(&item, move |asked, _, _| match named(asked).1.as_str() {
        "finalize" => Some(finalize.into_response()),
        "status" => Some(Json(status.clone()).into_response()),
        // Whether it is there in the end.
        _ if asked.method == Method::HEAD => Some(StatusCode::NOT_FOUND.into_response()),
        _ => None,
    })
    .await;
    in_parts(&gateway).put(&item).await
}

#[tokio::test]
async fn an_item_that_was_not_put_together_is_not_stored() {
    let accepted = StatusCode::ACCEPTED;
    let unpaid = ended(accepted, json!({ "status": "UNDERFUNDED" })).await;
    assert!(matches!(unpaid, Err(StoreError::PaymentRequired { .. })), "{unpaid:?}");
    let unpaid = ended(StatusCode::PAYMENT_REQUIRED, json!({})).await;
    assert!(matches!(unpaid, Err(StoreError::PaymentRequired { .. })), "{unpaid:?}");
    let invalid = ended(accepted, json!({ "status": "INVALID" })).await;
    assert!(
        matches!(&invalid, Err(StoreError::Malformed { detail, .. }) if detail == "INVALID"),
        "{invalid:?}"
    );
    let another = ended(
        accepted,
        json!({ "status": "FINALIZED", "receipt": { "id": "another" } }),
    )
    .await;
    assert!(matches!(another, Err(StoreError::BadReceipt { .. })), "{another:?}");
    let unshown = ended(accepted, json!({ "status": "FINALIZED" })).await;
    assert!(matches!(unshown, Err(StoreError::Conflict { .. })), "{unshown:?}");
    let already = ended(StatusCode::CONFLICT, json!({ "status": "INVALID" })).await;
    assert!(matches!(already, Err(StoreError::Conflict { .. })), "{already:?}");
    let never = ended(accepted, json!({ "status": "VALIDATING" })).await;
    assert!(
        matches!(&never, Err(StoreError::Unfinished { detail, .. }) if detail.contains("VALIDATING")),
        "{never:?}"
    );
}

#[tokio::test]
async fn an_item_that_is_being_put_together_is_waited_for() {
    let item = item();
    let gateway = turbo_but(&item, |asked, before, _| match named(asked).1.as_str() {
        "finalize" => Some(StatusCode::CONFLICT.into_response()),
        "status" if before < 4 => Some(Json(json!({ "status": "ASSEMBLING" })).into_response()),
        _ if asked.method == Method::HEAD => Some(StatusCode::NOT_FOUND.into_response()),
        _ => None,
    })
    .await;
    in_parts(&gateway).put(&item).await.unwrap();
}

#[tokio::test]
async fn what_was_not_put_together_in_time_needs_no_second_upload() {
    for finalize in [StatusCode::ACCEPTED, StatusCode::CONFLICT] {
        let item = item();
        let slow = Arc::new(Mutex::new(true));
        let seen = Arc::clone(&slow);
        let gateway = turbo_but(&item, move |asked, _, _| match named(asked).1.as_str() {
            "finalize" => Some(finalize.into_response()),
            "status" if *seen.lock().unwrap() => Some(Json(json!({ "status": "ASSEMBLING" })).into_response()),
            _ if asked.method == Method::HEAD => Some(StatusCode::NOT_FOUND.into_response()),
            _ => None,
        })
        .await;
        let client = in_parts(&gateway);
        let error = client.put(&item).await.unwrap_err();
        assert!(matches!(error, StoreError::Unfinished { .. }), "{error}");
        *slow.lock().unwrap() = false;
        client.put(&item).await.unwrap();
        assert_eq!(sent(&gateway).len(), 11, "each part once");
    }
}

#[tokio::test]
async fn an_upload_that_the_server_will_not_list_begins_anew() {
    for gone in [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::GONE] {
        let item = item();
        let broken = Arc::new(Mutex::new(true));
        let seen = Arc::clone(&broken);
        let gateway = turbo_but(&item, move |asked, _, _| {
            let (upload, what) = named(asked);
            if what == "10000" && *seen.lock().unwrap() {
                return Some(StatusCode::BAD_GATEWAY.into_response());
            }
            (upload == "upload-1" && what == "-1").then(|| gone.into_response())
        })
        .await;
        let client = in_parts(&gateway);
        client.put(&item).await.unwrap_err();
        *broken.lock().unwrap() = false;
        client.put(&item).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_begins_with_nonsense_is_not_sent_a_byte() {
    for answer in [
        json!({ "id": "../../admin", "chunkSize": 1_000 }),
        json!({ "id": "..", "chunkSize": 1_000 }),
        json!({ "id": "", "chunkSize": 1_000 }),
        json!({ "id": "a?b", "chunkSize": 1_000 }),
        json!({ "id": "a".repeat(2_000), "chunkSize": 1_000 }),
        json!({ "id": "upload", "chunkSize": 0 }),
        json!({ "id": "upload", "chunkSize": 1 }),
        json!({ "id": "upload", "chunkSize": 1_u64 << 40 }),
        json!({ "chunkSize": 1_000 }),
        json!("a".repeat(2 << 20)),
    ] {
        let shown = answer.to_string();
        let gateway = TestGateway::answering(move |_, _| Json(answer.clone()).into_response()).await;
        let error = in_parts(&gateway).put(&item()).await.unwrap_err();
        assert!(matches!(error, StoreError::BadAnswer { .. }), "{error}, {:.60}", shown);
        assert_eq!(gateway.asked().len(), 1, "{shown:.60}");
    }
}

#[tokio::test]
async fn a_price_is_the_sum_of_all_lengths() {
    let gateway = TestGateway::answering(|asked, _| {
        let bytes: u64 = asked.path.strip_prefix("/v1/price/bytes/").unwrap().parse().unwrap();
        Json(json!({ "winc": (bytes * 3).to_string(), "adjustments": [] })).into_response()
    })
    .await;
    let price = gateway.client().price(&[100, 20, 100, 100]).await.unwrap();
    assert_eq!(price, Some(Price { winston: 960 }));
    assert_eq!(gateway.asked().len(), 2, "equal lengths are asked for once");
}

#[tokio::test]
async fn a_gateway_without_prices_has_none_and_one_that_jests_is_told_apart() {
    let silent = TestGateway::answering(|_, _| StatusCode::NOT_FOUND.into_response()).await;
    assert_eq!(silent.client().price(&[1]).await.unwrap(), None);
    for answer in [
        json!({ "winc": "-1" }),
        json!({ "winc": 5 }),
        json!({}),
        json!({ "winc": "9".repeat(60) }),
    ] {
        let gateway = TestGateway::answering(move |_, _| Json(answer.clone()).into_response()).await;
        let price = gateway.client().price(&[1]).await;
        assert!(matches!(price, Err(StoreError::BadAnswer { .. })), "{price:?}");
    }
}
