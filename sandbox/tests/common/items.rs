//! Data items as the standard has them, written apart from the gateway's own reader, and what a test asks a gateway.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::{Body, Client, StatusCode, header};
use serde_json::{Value, json};
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
    item_with(seed, &[("Content-Type", "text/plain")], None, data)
}

/// The same with these tags, and with a target and an anchor if they are given.
pub fn item_with(seed: u8, tags: &[(&str, &str)], to: Option<[[u8; 32]; 2]>, data: &[u8]) -> (String, Vec<u8>) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let owner = key.verifying_key().to_bytes();
    let avro = avro(tags);
    let [target, anchor] = to.map_or([Vec::new(), Vec::new()], |both| both.map(Vec::from));
    let signature = key
        .sign(&deep_hash(&[
            b"dataitem",
            b"1",
            b"2",
            &owner,
            &target,
            &anchor,
            &avro,
            data,
        ]))
        .to_bytes();
    let mut bytes = vec![2, 0];
    bytes.extend_from_slice(&signature);
    bytes.extend_from_slice(&owner);
    for optional in [target, anchor] {
        bytes.push(u8::from(!optional.is_empty()));
        bytes.extend_from_slice(&optional);
    }
    bytes.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(avro.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&avro);
    bytes.extend_from_slice(data);
    (BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(signature)), bytes)
}

/// Tags as an Avro array in one block. Numbers are zigzag and of variable length.
fn avro(tags: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |bytes: &mut Vec<u8>, number: usize| {
        let mut rest = number * 2;
        while rest >= 0x80 {
            bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        bytes.push(rest.to_le_bytes()[0]);
    };
    if !tags.is_empty() {
        number(&mut bytes, tags.len());
        for text in tags.iter().flat_map(|(name, value)| [name, value]) {
            number(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.push(0);
    }
    bytes
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

/// Everything that a client may ask of a transaction.
pub const NODE: &str = "id anchor signature recipient owner { address key } fee { winston ar } quantity { winston ar } \
                    data { size type } tags { name value } block { id timestamp height previous } \
                    bundledIn { id } parent { id }";

/// Sends a body to `/graphql`.
pub async fn post_query(gateway: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let response = Client::new()
        .post(format!("{gateway}/graphql"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    (response.status(), response.json().await.unwrap())
}

/// The answer to a query that is right.
pub async fn ask(gateway: &str, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let (status, mut answer) = post_query(gateway, body).await;
    assert_eq!((status, &answer["errors"]), (StatusCode::OK, &Value::Null), "{query}");
    answer["data"].take()
}

/// What is wrong with a query that is not.
pub async fn refused(gateway: &str, query: &str) -> (StatusCode, String) {
    let (status, answer) = post_query(gateway, json!({ "query": query }).to_string()).await;
    assert_eq!(answer["data"], Value::Null, "{query}");
    (status, answer["errors"][0]["message"].as_str().unwrap().to_owned())
}

/// The ids of the transactions that pass, the newest first.
pub async fn found(gateway: &str, filter: &str) -> Vec<String> {
    let query = format!("{{ transactions(first: 100, {filter}) {{ edges {{ node {{ id }} }} }} }}");
    let answer = ask(gateway, &query, Value::Null).await;
    ids(&answer["transactions"]["edges"])
}

/// The ids on a page.
pub fn ids(edges: &Value) -> Vec<String> {
    let edges = edges.as_array().unwrap().iter();
    edges
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Uploads an item with these tags, and gives its id.
pub async fn put(gateway: &str, seed: u8, tags: &[(&str, &str)], data: &[u8]) -> String {
    let (id, bytes) = item_with(seed, tags, None, data);
    assert_eq!(upload(gateway, bytes).await.status(), StatusCode::OK);
    id
}
