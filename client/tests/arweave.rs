//! Items straight onto Arweave, over real HTTP, by way of nodes that refuse, lie, fail or ask too much: what is sent is a
//! transaction as nodes want it, nothing is paid twice, and nothing is paid that may not be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chartseal::keys::StorageKey;
use chartseal::store::arweave::{LAYER_ONE_LIMIT, Wallet, WalletError};
use chartseal::store::{BlobStore, LayerOne, LayerOneOptions, Price, SignedItem, StoreError};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::gateway::{Asked, TestGateway, patient};
use support::jwk;
use support::noise;

fn binary(value: &Value) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn item(len: usize) -> SignedItem {
    SignedItem::sign(&noise(len, 1), &StorageKey::generate().unwrap())
}

/// What every node says unless a test has something else.
fn node(asked: &Asked) -> Response {
    let anchor = BASE64_URL_SAFE_NO_PAD.encode([7; 48]);
    match (asked.method.clone(), asked.path.as_str()) {
        (Method::GET, "/tx_anchor") => anchor.into_response(),
        (Method::GET, path) if path.ends_with("/status") => StatusCode::NOT_FOUND.into_response(),
        (Method::GET, path) if path.starts_with("/price/") => {
            path.strip_prefix("/price/").unwrap().to_owned().into_response()
        }
        (Method::POST, "/tx" | "/chunk") => StatusCode::OK.into_response(),
        (Method::HEAD, _) => StatusCode::NOT_FOUND.into_response(),
        (method, path) => panic!("{method} {path}"),
    }
}

/// A node that answers as others do, except where `other` has an answer, given the request and how many came before it.
async fn node_but(other: impl Fn(&Asked, usize) -> Option<Response> + Send + Sync + 'static) -> TestGateway {
    TestGateway::answering(move |asked, before| other(asked, before).unwrap_or_else(|| node(asked))).await
}

fn options() -> LayerOneOptions {
    LayerOneOptions {
        gateway: patient(),
        ..LayerOneOptions::default()
    }
}

fn layer_one(gateway: &TestGateway) -> LayerOne {
    let wallet = Wallet::from_jwk(&jwk::wallet().to_string()).unwrap();
    LayerOne::new(&gateway.url, wallet, options()).unwrap()
}

/// The bodies that were posted to a path.
fn posted(gateway: &TestGateway, path: &str) -> Vec<Value> {
    let posts = gateway
        .asked()
        .into_iter()
        .filter(|asked| asked.method == Method::POST && asked.path == path);
    posts
        .map(|asked| serde_json::from_slice(&asked.body).unwrap())
        .collect()
}

#[tokio::test]
async fn an_item_goes_in_a_transaction_of_text_and_its_chunks_hold_the_bundle() {
    let gateway = node_but(|_, _| None).await;
    let store = layer_one(&gateway);
    let item = item(600_000);
    store.put(&item).await.unwrap();

    let transaction = posted(&gateway, "/tx").remove(0);
    let size = item.bytes().len() + 96;
    assert_eq!(transaction["format"], 2);
    assert_eq!(
        (&transaction["quantity"], &transaction["target"], &transaction["data"]),
        (&json!("0"), &json!(""), &json!(""))
    );
    assert_eq!(
        (&transaction["data_size"], &transaction["reward"]),
        (&json!(size.to_string()), &json!(size.to_string()))
    );
    assert_eq!(binary(&transaction["last_tx"]), [7; 48]);
    assert_eq!(
        binary(&transaction["id"]),
        Sha256::digest(binary(&transaction["signature"])).to_vec()
    );
    let owner = Sha256::digest(binary(&transaction["owner"]));
    assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(owner), store.address());
    let tags = transaction["tags"].as_array().unwrap().iter();
    let tags: Vec<_> = tags.map(|tag| (binary(&tag["name"]), binary(&tag["value"]))).collect();
    let expected = [("Bundle-Format", "binary"), ("Bundle-Version", "2.0.0")];
    assert_eq!(
        tags,
        expected.map(|(name, value)| (name.into(), value.into())),
        "and no other tag"
    );

    let mut chunks = posted(&gateway, "/chunk");
    chunks.sort_by_key(|chunk| chunk["offset"].as_str().unwrap().parse::<u64>().unwrap());
    assert_eq!(chunks.len(), 3);
    let mut data = Vec::new();
    for chunk in &chunks {
        assert_eq!(
            (&chunk["data_root"], &chunk["data_size"]),
            (&transaction["data_root"], &transaction["data_size"])
        );
        data.extend(binary(&chunk["chunk"]));
        assert_eq!(chunk["offset"], (data.len() - 1).to_string());
        assert!(!binary(&chunk["data_path"]).is_empty());
    }
    assert_eq!(data.len(), size);
    assert_eq!(data[0], 1);
    assert_eq!(data[32..40], (item.bytes().len() as u64).to_le_bytes());
    assert_eq!(data[64..96], item.id().0);
    assert!(data[96..] == item.bytes()[..]);
}

#[tokio::test]
async fn what_the_gateway_serves_already_is_not_paid_for() {
    let gateway = node_but(|asked, _| (asked.method == Method::HEAD).then(|| StatusCode::OK.into_response())).await;
    layer_one(&gateway).put(&item(100)).await.unwrap();
    assert_eq!(gateway.asked().len(), 1);
}

#[tokio::test]
async fn an_item_that_is_too_long_is_refused_before_a_word_is_said() {
    let gateway = node_but(|_, _| None).await;
    let len = usize::try_from(LAYER_ONE_LIMIT).unwrap();
    let error = layer_one(&gateway).put(&item(len)).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLargeForLayerOne { .. }), "{error}");
    assert!(error.to_string().contains("use a gateway's upload"));
    assert!(gateway.asked().is_empty());
}

#[tokio::test]
async fn nothing_is_paid_beyond_what_may_be() {
    let limit = LayerOneOptions::default().max_price;
    for (price, taken) in [(limit, true), (limit + 1, false), (u128::MAX, false)] {
        let gateway = node_but(move |asked, _| {
            asked
                .path
                .starts_with("/price/")
                .then(|| price.to_string().into_response())
        })
        .await;
        let put = layer_one(&gateway).put(&item(100)).await;
        assert_eq!(put.is_ok(), taken, "{put:?}");
        assert_eq!(posted(&gateway, "/tx").len(), usize::from(taken));
        if let Err(error) = put {
            assert!(
                matches!(error, StoreError::TooCostly { max_price, .. } if max_price == limit),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_node_that_talks_nonsense_gets_no_transaction() {
    let long = "9".repeat(1_000);
    let not_hashes = [
        BASE64_URL_SAFE_NO_PAD.encode([7; 47]),
        String::new(),
        "no base64!".to_owned(),
        "a".repeat(1_000),
    ];
    let prices = ["-1", "", "1.5", "free", "{}", &long].map(|answer| ("/price/", answer.to_owned()));
    let anchors = not_hashes.map(|answer| ("/tx_anchor", answer));
    for (path, answer) in prices.into_iter().chain(anchors) {
        let shown = answer.clone();
        let gateway =
            node_but(move |asked, _| asked.path.starts_with(path).then(|| answer.clone().into_response())).await;
        let error = layer_one(&gateway).put(&item(100)).await.unwrap_err();
        assert!(matches!(error, StoreError::BadAnswer { .. }), "{shown:.40}: {error}");
        assert!(posted(&gateway, "/tx").is_empty());
    }
}

#[tokio::test]
async fn a_refused_transaction_says_why_and_is_not_repeated() {
    let gateway = node_but(|asked, _| {
        (asked.path == "/tx").then(|| (StatusCode::BAD_REQUEST, "Transaction verification failed.").into_response())
    })
    .await;
    let error = layer_one(&gateway).put(&item(100)).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused { detail, .. } if detail.contains("verification failed")),
        "{error}"
    );
    assert_eq!(posted(&gateway, "/tx").len(), 1);
    assert!(posted(&gateway, "/chunk").is_empty());
}

#[tokio::test]
async fn a_transaction_that_is_known_already_is_as_good_as_taken() {
    let gateway = node_but(|asked, _| {
        (asked.path == "/tx").then(|| (StatusCode::ALREADY_REPORTED, "Transaction already processed.").into_response())
    })
    .await;
    layer_one(&gateway).put(&item(100)).await.unwrap();
    assert_eq!(posted(&gateway, "/chunk").len(), 1);
}

/// How often a chunk was sent to a node that refuses all of them for this reason, and what came of it.
async fn refused_chunk(reason: &'static str) -> (StoreError, usize) {
    let gateway = node_but(move |asked, _| {
        let answer = || (StatusCode::BAD_REQUEST, json!({ "error": reason }).to_string()).into_response();
        (asked.path == "/chunk").then(answer)
    })
    .await;
    let error = layer_one(&gateway).put(&item(100)).await.unwrap_err();
    (error, posted(&gateway, "/chunk").len())
}

#[tokio::test]
async fn a_chunk_is_sent_again_where_that_may_help_and_only_there() {
    let (error, sent) = refused_chunk("data_root_not_found").await;
    assert!(matches!(error, StoreError::ServerError { .. }), "{error}");
    assert_eq!(sent, 3);
    let (error, sent) = refused_chunk("invalid_proof").await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn an_item_whose_chunks_did_not_all_arrive_is_not_paid_for_twice() {
    let broken = Arc::new(Mutex::new(true));
    let seen = Arc::clone(&broken);
    let gateway = node_but(move |asked, _| {
        (asked.path == "/chunk" && *seen.lock().unwrap()).then(|| StatusCode::BAD_GATEWAY.into_response())
    })
    .await;
    let (store, item) = (layer_one(&gateway), item(400_000));
    let error = store.put(&item).await.unwrap_err();
    assert!(matches!(error, StoreError::ServerError { status: 502, .. }), "{error}");
    *broken.lock().unwrap() = false;
    store.put(&item).await.unwrap();
    let transactions = posted(&gateway, "/tx");
    assert_eq!(transactions.len(), 2);
    assert_eq!(transactions[0], transactions[1], "it is the same one");
}

/// A node that says this of every transaction's status, as long as it is something.
async fn node_where(status: &Arc<Mutex<Option<(StatusCode, String)>>>) -> TestGateway {
    let status = Arc::clone(status);
    node_but(move |asked, _| {
        let status = status.lock().unwrap().clone();
        status
            .filter(|_| asked.path.ends_with("/status"))
            .map(IntoResponse::into_response)
    })
    .await
}

fn confirmed(times: u64) -> Option<(StatusCode, String)> {
    let said = json!({ "block_height": 1, "block_indep_hash": "x", "number_of_confirmations": times });
    Some((StatusCode::OK, said.to_string()))
}

#[tokio::test]
async fn what_awaits_its_block_is_stored_and_not_paid_for_again() {
    let pending = Some((StatusCode::ACCEPTED, "Pending".to_owned()));
    let in_words = Some((StatusCode::OK, "Pending".to_owned()));
    let status = Arc::new(Mutex::new(None));
    let gateway = node_where(&status).await;
    let (store, items) = (layer_one(&gateway), [(); 12].map(|()| item(100)));
    for item in &items {
        assert!(!store.has(item.id()).await.unwrap());
        store.put(item).await.unwrap();
    }
    for said in [pending, in_words, confirmed(1), confirmed(49)] {
        *status.lock().unwrap() = said;
        for item in &items {
            assert!(store.has(item.id()).await.unwrap());
            store.clone().put(item).await.unwrap();
            let replaced = store.replace(item).await.unwrap_err();
            assert!(matches!(replaced, StoreError::AwaitsBlock { .. }), "{replaced}");
        }
        assert_eq!(posted(&gateway, "/tx").len(), items.len());
    }
}

#[tokio::test]
async fn what_a_node_lost_or_does_not_serve_is_sent_again_and_not_paid_for_again() {
    let status = Arc::new(Mutex::new(None));
    let gateway = node_where(&status).await;
    let (store, item) = (layer_one(&gateway), item(100));
    store.put(&item).await.unwrap();
    for said in [None, confirmed(50)] {
        *status.lock().unwrap() = said;
        assert!(!store.has(item.id()).await.unwrap());
        store.put(&item).await.unwrap();
        store.replace(&item).await.unwrap();
    }
    let transactions = posted(&gateway, "/tx");
    assert_eq!(transactions.len(), 5);
    assert!(transactions.iter().all(|sent| *sent == transactions[0]));
    assert_eq!(posted(&gateway, "/chunk").len(), 5);
}

#[tokio::test]
async fn a_transaction_that_a_node_has_already_is_not_replaced_by_another() {
    for said in [
        "Transaction is already on the weave.",
        "Transaction is already in the mempool.",
    ] {
        let gateway =
            node_but(move |asked, _| (asked.path == "/tx").then(|| (StatusCode::BAD_REQUEST, said).into_response()))
                .await;
        layer_one(&gateway).put(&item(100)).await.unwrap();
    }
    // Too old to be taken, and taken long ago.
    let gateway = node_but(|asked, _| match asked.path.as_str() {
        "/tx" => Some((StatusCode::BAD_REQUEST, "Invalid anchor (last_tx).").into_response()),
        path if path.ends_with("/status") => confirmed(60).map(IntoResponse::into_response),
        _ => None,
    })
    .await;
    let (store, item) = (layer_one(&gateway), item(100));
    store.put(&item).await.unwrap();
    store.put(&item).await.unwrap();
    let transactions = posted(&gateway, "/tx");
    assert_eq!(transactions[0], transactions[1]);
}

#[tokio::test]
async fn a_transaction_that_is_too_old_and_was_never_taken_is_made_anew() {
    let gateway = node_but(|asked, _| {
        (asked.path == "/tx").then(|| (StatusCode::BAD_REQUEST, "Invalid anchor (last_tx).").into_response())
    })
    .await;
    let (store, item) = (layer_one(&gateway), item(100));
    for _ in 0..2 {
        assert!(matches!(store.put(&item).await, Err(StoreError::Refused { .. })));
    }
    let transactions = posted(&gateway, "/tx");
    assert_ne!(transactions[0]["id"], transactions[1]["id"]);
}

#[tokio::test]
async fn all_items_together_cost_no_more_than_they_may() {
    let gateway = node_but(|_, _| None).await;
    let items = [(); 3].map(|()| item(100));
    let one = u128::from(items[0].bytes().len() as u64) + 96;
    let wallet = Wallet::from_jwk(&jwk::wallet().to_string()).unwrap();
    let options = LayerOneOptions {
        max_price: one,
        budget: 2 * one + one / 2,
        ..options()
    };
    let store = LayerOne::new(&gateway.url, wallet, options).unwrap();
    store.put(&items[0]).await.unwrap();
    // What was paid for already costs nothing.
    store.put(&items[0]).await.unwrap();
    store.clone().put(&items[1]).await.unwrap();
    let error = store.put(&items[2]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TooCostly { price, max_price } if price == one && max_price == one / 2),
        "{error}"
    );
    assert!(error.to_string().contains("--max-price"), "{error}");
    assert_eq!(posted(&gateway, "/tx").len(), 3);
}

#[test]
fn an_item_may_cost_a_tenth_of_what_all_may() {
    let options = LayerOneOptions::default().paying(50);
    assert_eq!((options.max_price, options.budget), (5, 50));
    let default = LayerOneOptions::default();
    assert_eq!(default.max_price, default.budget / 10);
}

#[tokio::test]
async fn a_price_is_that_of_the_bundles() {
    let gateway = node_but(|_, _| None).await;
    let price = layer_one(&gateway).price(&[100, 20, 100]).await.unwrap();
    assert_eq!(
        price,
        Some(Price {
            winston: 196 + 116 + 196
        })
    );
}

#[test]
fn a_key_that_does_not_add_up_is_no_wallet_and_is_never_quoted() {
    let good = jwk::wallet();
    Wallet::from_jwk(&good.to_string()).unwrap();
    let other = jwk::wallet();
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed.to_string()
    };
    let mut cases = vec![
        String::new(),
        "[]".to_owned(),
        with("kty", json!("oct")),
        with("e", json!("Aw")),
        with("n", json!("AQAB")),
        with("n", json!("A".repeat(342))),
        with("p", json!("no base64!")),
    ];
    for field in ["n", "d", "p", "q", "dp", "dq", "qi"] {
        cases.push(with(field, other[field].clone()));
        cases.push(with(field, json!("")));
        cases.push(with(field, Value::Null));
    }
    for case in cases {
        let error = Wallet::from_jwk(&case).unwrap_err();
        assert!(matches!(error, WalletError::NotAWallet(_)), "{case}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&good["d"].as_str().unwrap()[..12]), "{shown}");
    }
    let wallet = format!("{:?}", Wallet::from_jwk(&good.to_string()).unwrap());
    assert!(wallet.len() < 60, "{wallet}");
}

#[test]
fn a_wallet_that_others_can_read_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.json");
    std::fs::write(&path, jwk::wallet().to_string()).unwrap();
    for (mode, opens) in [
        (0o600, true),
        (0o400, true),
        (0o640, false),
        (0o604, false),
        (0o666, false),
    ] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let opened = LayerOne::with_wallet_file("http://127.0.0.1:1", &path, options());
        assert_eq!(opened.is_ok(), opens, "{mode:o}");
        if let Err(error) = opened {
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&path, "9".repeat(20_000)).unwrap();
    assert!(matches!(Wallet::open(&path), Err(WalletError::File(_))));
    assert!(matches!(
        Wallet::open(&folder.path().join("none")),
        Err(WalletError::File(_))
    ));
}
