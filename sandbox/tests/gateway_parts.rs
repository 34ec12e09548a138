//! Uploads in parts over real HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::{Duration, SystemTime};

use chartseal_sandbox::{Config, Sandbox};
use common::items::{get, item, taken, upload};
use common::{config, folder, sandbox};
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};

/// How long parts are: the least that there is.
const PART: usize = 5 << 20;

/// An item of two whole parts and a short one.
fn large_item(seed: u8) -> (String, Vec<u8>) {
    let data: Vec<u8> = (0..2 * PART + 100_000).map(|n| n.to_le_bytes()[n % 3]).collect();
    item(seed, &data)
}

async fn begin(gateway: &str) -> String {
    let answer = get(gateway, &format!("v1/chunks/solana/-1/-1?chunkSize={PART}"), None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["chunkSize"], PART);
    assert_eq!((&answer["min"], &answer["max"]), (&json!(PART), &json!(500 << 20)));
    answer["id"].as_str().unwrap().to_owned()
}

async fn post(gateway: &str, upload: &str, what: impl std::fmt::Display, body: &[u8]) -> (StatusCode, String) {
    let response = Client::new()
        .post(format!("{gateway}/v1/chunks/solana/{upload}/{what}"))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(body.to_vec())
        .send()
        .await
        .unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn ask(gateway: &str, upload: &str, what: &str) -> Value {
    let response = get(gateway, &format!("v1/chunks/solana/{upload}/{what}"), None).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

/// Sends these parts of an item.
async fn send(gateway: &str, upload: &str, item: &[u8], parts: &[usize]) {
    for part in parts {
        let bytes = item.chunks(PART).nth(*part).unwrap();
        let (status, text) = post(gateway, upload, part * PART, bytes).await;
        assert_eq!(status, StatusCode::OK, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_and_twice_become_the_item() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = large_item(1);
    let upload_id = begin(gateway).await;
    assert_eq!(ask(gateway, &upload_id, "status").await["status"], "ASSEMBLING");
    send(gateway, &upload_id, &bytes, &[2, 0, 0]).await;
    let there = ask(gateway, &upload_id, "-1").await;
    assert_eq!(there["size"], PART);
    assert_eq!(there["chunks"], json!([[0, PART], [2 * PART, bytes.len() - 2 * PART]]));

    let (status, text) = post(gateway, &upload_id, "finalize", b"").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains(&format!("offset {PART} is missing")), "{text}");
    assert_eq!(
        ask(gateway, &upload_id, "status").await["status"],
        "ASSEMBLING",
        "it goes on"
    );

    send(gateway, &upload_id, &bytes, &[1]).await;
    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(post(gateway, &upload_id, "finalize", b"").await.0, StatusCode::ACCEPTED);
    let ended = ask(gateway, &upload_id, "status").await;
    assert_eq!(
        (&ended["status"], &ended["receipt"]["id"]),
        (&json!("FINALIZED"), &json!(id))
    );
    let data = get(gateway, &id, None).await.bytes().await.unwrap();
    assert!(bytes.ends_with(&data) && data.len() == 2 * PART + 100_000);
    assert_eq!(files(folder.path(), &upload_id), ["upload.json"], "the parts are gone");

    let (status, receipt) = post(gateway, &upload_id, "-1", b"").await;
    assert_eq!(status, StatusCode::OK, "asked again, it gives the same receipt");
    assert_eq!(serde_json::from_str::<Value>(&receipt).unwrap(), ended["receipt"]);
    assert_eq!(post(gateway, &upload_id, 0, b"x").await.0, StatusCode::BAD_REQUEST);
    let length = bytes.len() as u64;
    assert_eq!(taken(folder.path()), [(id.clone(), length, "parts".to_owned(), true)]);

    // The same item once more, in parts, and at once.
    let again = begin(gateway).await;
    send(gateway, &again, &bytes, &[0, 1, 2]).await;
    assert_eq!(post(gateway, &again, "finalize", b"").await.0, StatusCode::CONFLICT);
    assert_eq!(upload(gateway, bytes).await.status(), StatusCode::CONFLICT);
    let rows = taken(folder.path()).into_iter().skip(1);
    assert_eq!(
        rows.map(|(_, length, by, new)| (length, by, new)).collect::<Vec<_>>(),
        [
            (length, "parts".to_owned(), false),
            (length, "single".to_owned(), false)
        ]
    );
}

fn files(folder: &Path, upload: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("gateway-parts").join(upload)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_together_no_signed_item_leave_nothing() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = large_item(2);
    let mut forged = bytes.clone();
    forged[PART + 7] ^= 1;
    for (bytes, parts) in [(&forged, &[0, 1, 2][..]), (&bytes, &[0, 1])] {
        let upload_id = begin(gateway).await;
        send(gateway, &upload_id, bytes, parts).await;
        let (status, text) = post(gateway, &upload_id, "finalize", b"").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.contains("The signature does not match"), "{text}");
        assert_eq!(ask(gateway, &upload_id, "status").await["status"], "INVALID");
        assert_eq!(ask(gateway, &upload_id, "-1").await["failedReason"], "INVALID");
        assert_eq!(post(gateway, &upload_id, 0, b"x").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(files(folder.path(), &upload_id), ["upload.json"]);
    }
    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(taken(folder.path()), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_the_disk_does_not_give_back_are_kept_and_can_be_asked_for_again() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = large_item(3);
    let upload_id = begin(gateway).await;
    send(gateway, &upload_id, &bytes, &[0, 1, 2]).await;
    let part = folder
        .path()
        .join("gateway-parts")
        .join(&upload_id)
        .join((2 * PART).to_string());
    let aside = folder.path().join("aside");
    // A folder opens like a file, and cannot be read like one.
    std::fs::rename(&part, &aside).unwrap();
    std::fs::create_dir(&part).unwrap();
    let (status, text) = post(gateway, &upload_id, "finalize", b"").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    assert_eq!(ask(gateway, &upload_id, "status").await["status"], "ASSEMBLING");
    std::fs::remove_dir(&part).unwrap();
    std::fs::rename(&aside, &part).unwrap();
    assert_eq!(
        files(folder.path(), &upload_id).len(),
        4,
        "three parts and what is known of them"
    );
    assert_eq!(post(gateway, &upload_id, "finalize", b"").await.0, StatusCode::ACCEPTED);
    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_cannot_be_are_refused() {
    let folder = folder();
    let small = Config {
        max_item_bytes: PART as u64 + 1_000,
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(small).await.unwrap();
    let gateway = &sandbox.endpoints().gateway;
    for size in [0, PART - 1, (500 << 20) + 1] {
        let path = format!("v1/chunks/solana/-1/-1?chunkSize={size}");
        assert_eq!(
            get(gateway, &path, None).await.status(),
            StatusCode::BAD_REQUEST,
            "{size}"
        );
    }
    let upload_id = begin(gateway).await;
    let too_long = vec![7; PART + 1];
    for (what, body, expected) in [
        ("1", &b"x"[..], StatusCode::BAD_REQUEST),
        ("0", b"", StatusCode::BAD_REQUEST),
        ("0", &too_long, StatusCode::BAD_REQUEST),
        (&PART.to_string(), &too_long[..1_001], StatusCode::PAYLOAD_TOO_LARGE),
        ("10485760", b"x", StatusCode::PAYLOAD_TOO_LARGE),
        ("18446744073708503040", b"x", StatusCode::PAYLOAD_TOO_LARGE),
        ("18446744073709551616", b"x", StatusCode::NOT_FOUND),
        ("upload.json", b"x", StatusCode::NOT_FOUND),
        ("finalize", b"", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(
            post(gateway, &upload_id, what, body).await.0,
            expected,
            "{what}, {} bytes",
            body.len()
        );
    }
    for unknown in [
        "0".repeat(32),
        "..".to_owned(),
        "%2e%2e%2f".to_owned(),
        "A".repeat(32),
        "a".repeat(31),
    ] {
        assert_eq!(
            post(gateway, &unknown, 0, b"x").await.0,
            StatusCode::NOT_FOUND,
            "{unknown}"
        );
        let status = get(gateway, &format!("v1/chunks/solana/{unknown}/status"), None).await;
        assert_eq!(status.status(), StatusCode::NOT_FOUND, "{unknown}");
    }
    assert_eq!(files(folder.path(), &upload_id), ["upload.json"], "no draft is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_in_parts_that_costs_something_is_not_taken_on_credit() {
    let folder = folder();
    let charging = Config {
        charge_above: Some(1_000),
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(charging).await.unwrap();
    let gateway = &sandbox.endpoints().gateway;
    let upload_id = begin(gateway).await;
    let (status, text) = post(gateway, &upload_id, 0, &[7; 1_001]).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    assert!(text.contains("Insufficient balance"), "{text}");
    assert_eq!(post(gateway, &upload_id, 0, &[7; 1_000]).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_uploads_are_bounded_in_number_and_age_and_outlive_a_restart() {
    let folder = folder();
    let started = sandbox(folder.path()).await;
    let gateway = started.endpoints().gateway.clone();
    let (id, bytes) = large_item(3);
    let first = begin(&gateway).await;
    send(&gateway, &first, &bytes, &[0]).await;
    let mut last = String::new();
    // As a process leaves it that is killed while one begins: it takes nobody's place.
    std::fs::create_dir(folder.path().join("gateway-parts").join("0".repeat(32))).unwrap();
    for _ in 1..64 {
        last = begin(&gateway).await;
    }
    let path = format!("v1/chunks/solana/-1/-1?chunkSize={PART}");
    assert_eq!(get(&gateway, &path, None).await.status(), StatusCode::TOO_MANY_REQUESTS);

    let known = folder.path().join("gateway-parts").join(&last).join("upload.json");
    let long_ago = SystemTime::now() - Duration::from_secs(25 * 3600);
    std::fs::File::options()
        .write(true)
        .open(&known)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let status = get(&gateway, &format!("v1/chunks/solana/{last}/status"), None).await;
    assert_eq!(status.status(), StatusCode::NOT_FOUND, "it has expired");
    begin(&gateway).await;
    assert!(!known.exists(), "and gave its place to another");
    started.stop().await.unwrap();

    let started = sandbox(folder.path()).await;
    let gateway = &started.endpoints().gateway;
    assert_eq!(ask(gateway, &first, "-1").await["chunks"], json!([[0, PART]]));
    send(gateway, &first, &bytes, &[1, 2]).await;
    assert_eq!(post(gateway, &first, "finalize", b"").await.0, StatusCode::ACCEPTED);
    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::OK);
}
