//! Layer one over real HTTP: transactions and chunks, written here from Arweave's own rules, and forgeries of each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use common::items::{get, item, taken};
use common::transactions::{CHUNK, Draft, LONGEST_SALT, NO_SALT, text, tree};
use common::{folder, sandbox};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384};

async fn post(gateway: &str, path: &str, body: &Value) -> (StatusCode, String) {
    let response = Client::new()
        .post(format!("{gateway}/{path}"))
        .json(body)
        .send()
        .await
        .unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn accepted(gateway: &str, path: &str, body: &Value) {
    let (status, text) = post(gateway, path, body).await;
    assert_eq!(status, StatusCode::OK, "{text}");
}

fn key() -> KeyPair {
    KeyPair::generate(KeySize::Rsa2048).unwrap()
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 % 251).to_le_bytes()[0]).collect()
}

/// Two whole chunks and a short one, cut as every library cuts them.
fn three_chunks() -> (Vec<u8>, [usize; 3]) {
    (noise(2 * CHUNK + 50_000), [CHUNK, 2 * CHUNK, 2 * CHUNK + 50_000])
}

fn id_of(transaction: &Value) -> String {
    transaction["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_served_once_all_its_chunks_are_there() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (data, ends) = three_chunks();
    let draft = Draft::new(gateway, &data, &ends).await;
    let (transaction, chunks) = (draft.sign(&key()), draft.chunks());
    let id = id_of(&transaction);

    let (status, text) = post(gateway, "chunk", &chunks[0]).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::BAD_REQUEST, r#"{"error":"data_root_not_found"}"#)
    );
    assert_eq!(
        get(gateway, &format!("tx/{id}"), None).await.status(),
        StatusCode::NOT_FOUND
    );
    accepted(gateway, "tx", &transaction).await;
    assert_eq!(post(gateway, "tx", &transaction).await.0, StatusCode::ALREADY_REPORTED);
    for chunk in [&chunks[2], &chunks[0], &chunks[0]] {
        accepted(gateway, "chunk", chunk).await;
        for path in [format!("tx/{id}"), format!("tx/{id}/status")] {
            assert_eq!(get(gateway, &path, None).await.status(), StatusCode::ACCEPTED, "{path}");
        }
        assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    }
    accepted(gateway, "chunk", &chunks[1]).await;

    let served = get(gateway, &id, None).await;
    assert_eq!(served.headers()["content-type"], "text/plain");
    assert!(served.bytes().await.unwrap() == data);
    let answer: Value = get(gateway, &format!("tx/{id}"), None).await.json().await.unwrap();
    assert_eq!(answer, transaction);
    let status: Value = get(gateway, &format!("tx/{id}/status"), None)
        .await
        .json()
        .await
        .unwrap();
    assert!(status["number_of_confirmations"].as_u64().unwrap() >= 1);
    accepted(gateway, "chunk", &chunks[1]).await;
    assert_eq!(post(gateway, "tx", &transaction).await.0, StatusCode::ALREADY_REPORTED);
    assert_eq!(
        taken(folder.path()),
        [(id, data.len() as u64, "transaction".to_owned(), true)]
    );
    let left = std::fs::read_dir(folder.path().join("gateway-transactions/chunks")).unwrap();
    assert_eq!(left.count(), 0, "the chunks are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_data_comes_with_its_transaction_and_any_salt_will_do() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let key = key();
    for (salt, data) in [(&LONGEST_SALT, b"one"), (&RSA_PSS_SHA256, b"two"), (&NO_SALT, b"six")] {
        let draft = Draft {
            salt,
            ..Draft::new(gateway, data, &[3]).await
        };
        let mut transaction = draft.sign(&key);
        transaction["data"] = json!(text(data));
        accepted(gateway, "tx", &transaction).await;
        assert_eq!(
            get(gateway, &id_of(&transaction), None).await.bytes().await.unwrap(),
            &data[..]
        );
        transaction["data"] = json!("");
        let answer: Value = get(gateway, &format!("tx/{}", id_of(&transaction)), None)
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(answer, transaction, "its data is kept apart");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_not_right_in_every_part_is_refused() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (key, draft) = (key(), Draft::new(gateway, b"some data", &[9]).await);
    let good = draft.sign(&key);
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let signature = |change: fn(&mut Vec<u8>)| {
        let mut bytes = BASE64_URL_SAFE_NO_PAD
            .decode(good["signature"].as_str().unwrap())
            .unwrap();
        change(&mut bytes);
        let mut changed = with("signature", json!(text(&bytes)));
        changed["id"] = json!(text(Sha256::digest(&bytes)));
        changed
    };
    let redrawn = |change: fn(&mut Draft)| {
        let mut draft = draft.clone();
        change(&mut draft);
        draft.sign(&key)
    };
    let another: String = text([7; 48]);
    for (transaction, message) in [
        (with("id", json!(text([7; 32]))), "the id is not that of the signature"),
        (signature(|bytes| bytes[9] ^= 1), "the signature does not match"),
        (signature(|bytes| bytes.truncate(255)), "the signature does not match"),
        (with("owner", json!(text([0xc1; 256]))), "the signature does not match"),
        (with("owner", json!(text([0xc1; 513]))), "the signature does not match"),
        (with("data_root", json!(text([7; 32]))), "the signature does not match"),
        (with("data_size", json!("8")), "the signature does not match"),
        (with("last_tx", json!(another)), "the signature does not match"),
        (with("tags", json!([])), "the signature does not match"),
        (with("target", json!(text([7; 32]))), "the signature does not match"),
        (
            with("reward", json!((draft.reward + 1).to_string())),
            "the signature does not match",
        ),
        (with("reward", json!(format!("0{}", draft.reward))), "reward"),
        (redrawn(|draft| draft.reward -= 1), "the reward is too small"),
        (redrawn(|draft| draft.last_tx = text([7; 48])), "Invalid anchor"),
        (redrawn(|draft| draft.last_tx = String::new()), "Invalid anchor"),
        (redrawn(|draft| draft.quantity = "1"), "No money is moved"),
        (
            redrawn(|draft| draft.tags.push(("a", Box::leak("b".repeat(2_048).into_boxed_str())))),
            "Tags have at most",
        ),
        (with("data", json!(text(b"same size"))), "not that of data_root"),
        (with("data", json!(text(b"short"))), "length of data_size"),
        (with("data_root", json!("")), "A data_root has 32 bytes"),
        (with("data_size", json!(9)), "Invalid JSON"),
        (with("data_size", json!("9.0")), "Invalid JSON"),
        (with("format", json!(1)), "format 1"),
        (with("id", json!("../../lock")), "Invalid JSON"),
        (with("owner", json!("=")), "owner is no base64url"),
        (json!([]), "Invalid JSON"),
    ] {
        let (status, text) = post(gateway, "tx", &transaction).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{message}: {text}");
        assert!(text.contains(message), "{message}: {text}");
    }
    let large = Draft {
        reward: u128::from(u64::MAX),
        ..draft.clone()
    };
    let mut too_large = large.sign(&key);
    too_large["data_size"] = json!((1_u64 << 40).to_string());
    assert_eq!(post(gateway, "tx", &too_large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(taken(folder.path()), []);
    accepted(gateway, "tx", &good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_is_too_old_is_refused() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let info: Value = get(gateway, "info", None).await.json().await.unwrap();
    let height = info["height"].as_u64().unwrap();
    let block = |height: u64| {
        let hash = Sha384::new()
            .chain_update(b"chartseal/sandbox/arweave-block/v1")
            .chain_update(height.to_le_bytes());
        text(hash.finalize())
    };
    assert_eq!(info["current"], block(height), "blocks are made as we think");
    let (key, draft) = (key(), Draft::new(gateway, b"some data", &[9]).await);
    for (last_tx, expected) in [
        (block(height - 60), StatusCode::BAD_REQUEST),
        (block(height + 10), StatusCode::BAD_REQUEST),
        (block(height - 40), StatusCode::OK),
    ] {
        let transaction = Draft {
            last_tx,
            ..draft.clone()
        }
        .sign(&key);
        assert_eq!(post(gateway, "tx", &transaction).await.0, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_does_not_belong_where_it_says_is_refused() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (data, ends) = three_chunks();
    let draft = Draft::new(gateway, &data, &ends).await;
    let transaction = draft.sign(&key());
    accepted(gateway, "tx", &transaction).await;
    let chunks = draft.chunks();
    let with = |field: &str, value: Value| {
        let mut changed = chunks[1].clone();
        changed[field] = value;
        changed
    };
    let mut altered = data[ends[0]..ends[1]].to_vec();
    altered[5] ^= 1;
    let (other_root, _) = tree(b"other data", &[10]);
    let mut note_moved = BASE64_URL_SAFE_NO_PAD
        .decode(chunks[1]["data_path"].as_str().unwrap())
        .unwrap();
    *note_moved.last_mut().unwrap() ^= 1;
    for (chunk, error) in [
        (with("chunk", json!(text(&altered))), "invalid_proof"),
        (with("chunk", chunks[0]["chunk"].clone()), "invalid_proof"),
        (with("chunk", json!(text(&altered[1..]))), "invalid_proof"),
        (with("data_path", chunks[0]["data_path"].clone()), "invalid_proof"),
        (with("data_path", chunks[2]["data_path"].clone()), "invalid_proof"),
        (with("data_path", json!(text(&note_moved))), "invalid_proof"),
        (with("data_path", json!("")), "invalid_proof"),
        (with("offset", json!((ends[0] - 1).to_string())), "invalid_proof"),
        (with("offset", json!(ends[1].to_string())), "invalid_proof"),
        (with("offset", json!(data.len().to_string())), "invalid_proof"),
        (with("offset", json!("18446744073709551616")), "offset_too_big"),
        (with("offset", json!("-1")), "invalid_json"),
        (with("offset", json!(ends[1] - 1)), "invalid_json"),
        (with("data_size", json!(data.len())), "invalid_json"),
        (with("data_size", json!((ends[1] - 1).to_string())), "invalid_proof"),
        (with("data_size", json!((1_u64 << 40).to_string())), "data_size_too_big"),
        (with("data_root", json!(text(other_root))), "invalid_proof"),
        (with("chunk", json!(text(vec![7; CHUNK + 1]))), "chunk_too_big"),
        (with("data_path", json!(text(vec![7; CHUNK + 1]))), "data_path_too_big"),
    ] {
        let (status, text) = post(gateway, "chunk", &chunk).await;
        assert_eq!(
            (status, text),
            (StatusCode::BAD_REQUEST, json!({ "error": error }).to_string())
        );
    }
    let endless = json!({ "chunk": "a".repeat(1 << 20) });
    assert_eq!(post(gateway, "chunk", &endless).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(taken(folder.path()), []);
    for chunk in &chunks {
        accepted(gateway, "chunk", chunk).await;
    }
    assert!(get(gateway, &id_of(&transaction), None).await.bytes().await.unwrap() == data);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_was_cut_at_will_never_becomes_whole() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let data = noise(300_000);
    let draft = Draft::new(gateway, &data, &[100_000, 300_000]).await;
    let transaction = draft.sign(&key());
    accepted(gateway, "tx", &transaction).await;
    let chunks = draft.chunks();
    accepted(gateway, "chunk", &chunks[0]).await;
    let (status, text) = post(gateway, "chunk", &chunks[1]).await;
    assert_eq!(
        (status, text),
        (StatusCode::OK, String::new()),
        "the last may begin anywhere before the border"
    );
    let draft = Draft::new(gateway, &data, &[100_000, 200_000, 300_000]).await;
    let transaction = draft.sign(&key());
    accepted(gateway, "tx", &transaction).await;
    for (chunk, expected) in draft
        .chunks()
        .iter()
        .zip([StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::OK])
    {
        assert_eq!(post(gateway, "chunk", chunk).await.0, expected);
    }
    assert_eq!(
        get(gateway, &id_of(&transaction), None).await.status(),
        StatusCode::NOT_FOUND
    );
}

/// A bundle of items under these ids.
fn bundle(items: &[(&str, &[u8])]) -> Vec<u8> {
    let word = |number: usize| {
        let mut word = [0; 32];
        word[..8].copy_from_slice(&(number as u64).to_le_bytes());
        word
    };
    let mut bytes = word(items.len()).to_vec();
    for (id, item) in items {
        bytes.extend_from_slice(&word(item.len()));
        bytes.extend_from_slice(&BASE64_URL_SAFE_NO_PAD.decode(id).unwrap());
    }
    for (_, item) in items {
        bytes.extend_from_slice(item);
    }
    bytes
}

const BUNDLE: [(&str, &str); 2] = [("Bundle-Format", "binary"), ("Bundle-Version", "2.0.0")];

#[tokio::test(flavor = "multi_thread")]
async fn the_items_of_a_bundle_are_served_and_those_that_are_not_signed_are_not() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (first, second) = (item(1, b"first"), item(2, &noise(300_000)));
    let (forged, misnamed) = (item(3, b"forged"), item(4, b"misnamed"));
    let mut altered = forged.1.clone();
    *altered.last_mut().unwrap() ^= 1;
    let data = bundle(&[
        (&first.0, &first.1),
        (&forged.0, &altered),
        (&second.0, &second.1),
        (&text([7; 32]), &misnamed.1),
    ]);
    let draft = Draft {
        tags: BUNDLE.to_vec(),
        ..Draft::new(gateway, &data, &[CHUNK, data.len()]).await
    };
    let transaction = draft.sign(&key());
    accepted(gateway, "tx", &transaction).await;
    for chunk in draft.chunks() {
        accepted(gateway, "chunk", &chunk).await;
    }
    assert!(get(gateway, &id_of(&transaction), None).await.bytes().await.unwrap() == data);
    assert_eq!(get(gateway, &first.0, None).await.text().await.unwrap(), "first");
    assert!(get(gateway, &second.0, None).await.bytes().await.unwrap() == noise(300_000));
    for id in [&forged.0, &misnamed.0, &text([7; 32])] {
        assert_eq!(get(gateway, id, None).await.status(), StatusCode::NOT_FOUND);
    }
    let rows = taken(folder.path());
    let rows: Vec<(&str, &str)> = rows.iter().map(|(id, _, by, _)| (id.as_str(), by.as_str())).collect();
    let id = id_of(&transaction);
    assert_eq!(
        rows,
        [
            (first.0.as_str(), "bundle"),
            (&second.0, "bundle"),
            (&id, "transaction")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_says_that_it_is_a_bundle_stays_what_it_is() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let gateway = &sandbox.endpoints().gateway;
    let (id, bytes) = item(1, b"first");
    let key = key();
    let whole = bundle(&[(&id, &bytes)]);
    for (data, tags) in [
        (whole[..whole.len() - 1].to_vec(), BUNDLE.to_vec()),
        ([0xff; 100].to_vec(), BUNDLE.to_vec()),
        (whole.clone(), BUNDLE[..1].to_vec()),
    ] {
        let draft = Draft {
            tags,
            ..Draft::new(gateway, &data, &[data.len()]).await
        };
        let transaction = draft.sign(&key);
        accepted(gateway, "tx", &transaction).await;
        accepted(gateway, "chunk", &draft.chunks()[0]).await;
        assert!(get(gateway, &id_of(&transaction), None).await.bytes().await.unwrap() == data);
        assert_eq!(get(gateway, &id, None).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_waits_outlives_a_restart() {
    let folder = folder();
    let started = sandbox(folder.path()).await;
    let gateway = started.endpoints().gateway.clone();
    let (data, ends) = three_chunks();
    let draft = Draft::new(&gateway, &data, &ends).await;
    let (transaction, chunks) = (draft.sign(&key()), draft.chunks());
    accepted(&gateway, "tx", &transaction).await;
    accepted(&gateway, "chunk", &chunks[0]).await;
    started.stop().await.unwrap();
    let started = sandbox(folder.path()).await;
    let gateway = &started.endpoints().gateway;
    accepted(gateway, "chunk", &chunks[1]).await;
    accepted(gateway, "chunk", &chunks[2]).await;
    assert!(get(gateway, &id_of(&transaction), None).await.bytes().await.unwrap() == data);
}
