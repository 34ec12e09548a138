//! The gateway over real HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chartseal_sandbox::{Config, Sandbox};
use common::items::{get, header_of, item, taken, upload};
use common::{Process, config, folder, sandbox};
use ed25519_dalek::SigningKey;
use reqwest::{Body, Client, StatusCode, header};
use serde_json::Value;
use sha2::{Digest, Sha256};

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_taken_and_given_out() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let data: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    let (id, bytes) = item(1, &data);

    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    let response = upload(gateway, bytes.clone()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let receipt: Value = response.json().await.unwrap();
    assert_eq!(receipt["id"], id);
    let owner = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes();
    assert_eq!(receipt["owner"], BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(owner)));
    for field in ["dataCaches", "fastFinalityIndexes"] {
        assert!(receipt[field].is_array(), "{field}");
    }
    for field in ["winc", "version", "signature", "public"] {
        assert!(receipt[field].is_string(), "{field}");
    }
    assert!(receipt["timestamp"].is_u64() && receipt["deadlineHeight"].is_u64());

    for path in [id.clone(), format!("raw/{id}")] {
        let response = get(gateway, &path, None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header_of(&response, header::CONTENT_TYPE), "text/plain");
        assert_eq!(header_of(&response, header::ACCEPT_RANGES), "bytes");
        assert_eq!(header_of(&response, header::CONTENT_LENGTH), data.len().to_string());
        assert!(response.bytes().await.unwrap() == data);
    }
    let response = Client::new().head(format!("{gateway}/{id}")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, header::CONTENT_LENGTH), data.len().to_string());
    assert!(response.bytes().await.unwrap().is_empty());
    assert!(std::fs::read(folder.path().join("gateway").join(&id)).unwrap() == data);

    let status: Value = get(gateway, &format!("tx/{id}/status"), None)
        .await
        .json()
        .await
        .unwrap();
    assert!(status["number_of_confirmations"].as_u64().unwrap() >= 1);
    assert!(status["block_height"].is_u64() && status["block_indep_hash"].is_string());
    let info: Value = get(gateway, "info", None).await.json().await.unwrap();
    assert!(info["height"].as_u64().unwrap() >= status["block_height"].as_u64().unwrap());

    let length = bytes.len() as u64;
    let again = upload(gateway, bytes).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert!(again.text().await.unwrap().contains(&id));
    assert_eq!(
        taken(folder.path()),
        [
            (id.clone(), length, "single".to_owned(), true),
            (id, length, "single".to_owned(), false)
        ],
        "what came a second time is written down as such"
    );
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_those_of_the_data() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = item(2, b"0123456789");
    assert_eq!(upload(gateway, bytes).await.status(), StatusCode::OK);
    for (range, part, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=3-6", "3456", "bytes 3-6/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
    ] {
        let response = get(gateway, &id, Some(range)).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(header_of(&response, header::CONTENT_RANGE), content_range);
        assert_eq!(header_of(&response, header::CONTENT_LENGTH), part.len().to_string());
        assert_eq!(response.text().await.unwrap(), part);
    }
    let response = get(gateway, &id, Some("bytes=10-")).await;
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header_of(&response, header::CONTENT_RANGE), "bytes */10");
    let response = get(gateway, &id, Some("bytes=0-1,3-4")).await;
    assert_eq!(
        (response.status(), response.text().await.unwrap().as_str()),
        (StatusCode::OK, "0123456789")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forged_cut_or_malformed_leaves_nothing() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = item(3, b"some data");
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut other_kind = bytes.clone();
    other_kind[0] = 1;
    for (body, message) in [
        (forged, "The signature does not match"),
        (bytes[..bytes.len() - 1].to_vec(), "The signature does not match"),
        (bytes[..50].to_vec(), "within its header"),
        (other_kind, "Signature type 1"),
        (Vec::new(), "within its header"),
        (vec![0xff; 8_000], "Signature type 65535"),
    ] {
        let response = upload(gateway, body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let text = response.text().await.unwrap();
        assert!(text.contains(message), "{text}");
    }
    let response = Client::new()
        .post(format!("{gateway}/v1/tx/solana"))
        .header(header::CONTENT_TYPE, "text/plain")
        .body(bytes.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    for path in [id.as_str(), "short", "..%2Flock", "raw/..%2F..%2Flock", &"a".repeat(43)] {
        assert_eq!(get(gateway, path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        get(gateway, &format!("tx/{id}/status"), None).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(std::fs::read_dir(folder.path().join("gateway")).unwrap().count(), 0);
    assert_eq!(drafts(folder.path()), 0);
    assert_eq!(taken(folder.path()), []);
    assert_eq!(
        upload(gateway, bytes).await.status(),
        StatusCode::OK,
        "the true one is still welcome"
    );
}

fn drafts(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder.join("gateway-index")).unwrap();
    entries
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("draft-")
        })
        .count()
}

/// A body of unknown length, so that only counting it tells how large it is.
fn stream(parts: Vec<Vec<u8>>, pause: std::time::Duration) -> Body {
    Body::wrap_stream(futures_util::stream::unfold(
        parts.into_iter(),
        move |mut parts| async move {
            let part = parts.next()?;
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(part), parts))
        },
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_over_the_limit_is_refused_however_it_is_sent() {
    let folder = folder();
    let small = Config {
        max_item_bytes: 100_000,
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(small).await.unwrap();
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = item(4, &vec![7; 200_000]);
    assert_eq!(
        upload(gateway, bytes.clone()).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let parts = bytes.chunks(30_000).map(<[u8]>::to_vec).collect();
    let response = upload(gateway, stream(parts, std::time::Duration::ZERO)).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    let (_, fits) = item(4, &[7; 90_000]);
    let parts = fits
        .chunks(1)
        .map(<[u8]>::to_vec)
        .take(300)
        .chain([fits[300..].to_vec()])
        .collect();
    assert_eq!(
        upload(gateway, stream(parts, std::time::Duration::ZERO)).await.status(),
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_costs_something_is_not_taken_on_credit() {
    let folder = folder();
    let charging = Config {
        charge_above: Some(1_000),
        max_item_bytes: 100_000,
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(charging).await.unwrap();
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = item(9, &[7; 2_000]);
    let parts = bytes.chunks(300).map(<[u8]>::to_vec).collect();
    for body in [Body::from(bytes), stream(parts, std::time::Duration::ZERO)] {
        let response = upload(gateway, body).await;
        assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
        assert!(response.text().await.unwrap().contains("Insufficient balance"));
    }
    assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(drafts(folder.path()), 0);
    let (_, small) = item(9, &[7; 500]);
    assert_eq!(upload(gateway, small).await.status(), StatusCode::OK);
    let (_, large) = item(9, &[7; 200_000]);
    assert_eq!(upload(gateway, large).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_uploads_at_once_are_told_to_wait() {
    let folder = folder();
    let one = Config {
        max_uploads: 1,
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(one).await.unwrap();
    let gateway = sandbox.endpoints().gateway.clone();
    let (_, first) = item(5, &[1; 1_000]);
    let parts = first.chunks(50).map(<[u8]>::to_vec).collect();
    let slow = tokio::spawn({
        let gateway = gateway.clone();
        async move {
            upload(&gateway, stream(parts, std::time::Duration::from_millis(100)))
                .await
                .status()
        }
    });
    while drafts(folder.path()) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let (_, second) = item(6, b"x");
    assert_eq!(
        upload(&gateway, second.clone()).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(slow.await.unwrap(), StatusCode::OK);
    assert_eq!(upload(&gateway, second).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_receipt_survives_a_kill_and_what_has_none_leaves_nothing() {
    let folder = folder();
    let process = Process::start(folder.path(), &["--no-postgres"]);
    let gateway = process.endpoints.gateway.clone();
    let (id, bytes) = item(7, b"kept");
    assert_eq!(upload(&gateway, bytes).await.status(), StatusCode::OK);
    let (unfinished, bytes) = item(8, &[1; 10_000]);
    let parts = bytes.chunks(500).map(<[u8]>::to_vec).collect();
    let slow = tokio::spawn(
        Client::new()
            .post(format!("{gateway}/v1/tx/solana"))
            .body(stream(parts, std::time::Duration::from_millis(200)))
            .send(),
    );
    while drafts(folder.path()) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    process.kill();
    assert!(slow.await.unwrap().is_err());
    assert_eq!(drafts(folder.path()), 1);

    let process = Process::start(folder.path(), &["--no-postgres"]);
    let gateway = process.endpoints.gateway.clone();
    assert_eq!(get(&gateway, &id, None).await.text().await.unwrap(), "kept");
    assert_eq!(get(&gateway, &unfinished, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(drafts(folder.path()), 0);
    assert!(process.terminate());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_zero_for_what_is_free_and_that_of_layer_one_above() {
    let folder = folder();
    let charging = Config {
        charge_above: Some(1_000),
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(charging).await.unwrap();
    let gateway = &sandbox.endpoints().gateway;
    let upload = async |bytes: u64| -> String {
        let response = get(gateway, &format!("v1/price/bytes/{bytes}"), None).await;
        let price: Value = response.json().await.unwrap();
        price["winc"].as_str().unwrap().to_owned()
    };
    let transaction = async |path: &str| get(gateway, &format!("price/{path}"), None).await.text().await.unwrap();
    assert_eq!(upload(1_000).await, "0");
    assert_eq!(upload(1_001).await, transaction("1001").await);
    assert_eq!(
        transaction("1001").await,
        transaction(&format!("1001/{}", "a".repeat(43))).await
    );
    let (small, large): (u128, u128) = (
        transaction("1").await.parse().unwrap(),
        transaction("10000000").await.parse().unwrap(),
    );
    assert!(0 < small && small < large);
    for wrong in ["price/many", "price/-1", "v1/price/bytes/1.5"] {
        assert_eq!(
            get(gateway, wrong, None).await.status(),
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
}
