//! Data items as the standard has them, written apart from the gateway's own reader, and what a test asks a gateway.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::{Body, Client, header};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha384};

fn blob(bytes: &[u8]) -> [u8; 48] {
    let tag = Sha384::digest(format!("blob{}", bytes.len()));
    Sha384::new()
        .chain_update(tag)
        .chain_update(Sha384::digest(bytes))
        .finalize()
        .into()
}

pub fn deep_hash(blobs: &[&[u8]]) -> [u8; 48] {
    let begin: [u8; 48] = Sha384::digest(format!("list{}", blobs.len())).into();
    blobs.iter().fold(begin, |hash, bytes| {
        Sha384::new()
            .chain_update(hash)
            .chain_update(blob(bytes))
            .finalize()
            .into()
    })
}

/// A signed data item with one tag, and its id. Written from the standard, apart from the gateway's own reader.
pub fn item(seed: u8, data: &[u8]) -> (String, Vec<u8>) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let owner = key.verifying_key().to_bytes();
    let tags = b"\x02\x18Content-Type\x14text/plain\x00";
    let signature = key
        .sign(&deep_hash(&[b"dataitem", b"1", b"2", &owner, b"", b"", tags, data]))
        .to_bytes();
    let mut bytes = vec![2, 0];
    bytes.extend_from_slice(&signature);
    bytes.extend_from_slice(&owner);
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&1u64.to_le_bytes());
    bytes.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    bytes.extend_from_slice(tags);
    bytes.extend_from_slice(data);
    (BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(signature)), bytes)
}

pub async fn upload(gateway: &str, body: impl Into<Body>) -> reqwest::Response {
    Client::new()
        .post(format!("{gateway}/v1/tx/solana"))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(body)
        .send()
        .await
        .unwrap()
}

pub async fn get(gateway: &str, path: &str, range: Option<&str>) -> reqwest::Response {
    let mut request = Client::new().get(format!("{gateway}/{path}"));
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    request.send().await.unwrap()
}

pub fn header_of(response: &reqwest::Response, name: header::HeaderName) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// What the gateway has written down as having come in whole: id, bytes, how, and whether it was new.
pub fn taken(folder: &Path) -> Vec<(String, u64, String, bool)> {
    let lines = std::fs::read_to_string(folder.join("gateway-uploads.jsonl")).unwrap();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["unix_ms"].as_u64().unwrap() > 1_700_000_000_000);
        (
            line["id"].as_str().unwrap().to_owned(),
            line["bytes"].as_u64().unwrap(),
            line["by"].as_str().unwrap().to_owned(),
            line["new"].as_bool().unwrap(),
        )
    };
    lines.lines().map(line).collect()
}
