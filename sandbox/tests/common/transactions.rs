//! Transactions of layer one and their chunks, written from Arweave's own rules, apart from the gateway's reader.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, RsaPssSaltLength};
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256, RsaSignatureEncoding};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384};

use super::items::get;

/// The longest chunk.
pub const CHUNK: usize = 256 << 10;

/// The salts that Arweave's libraries use.
pub static LONGEST_SALT: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
pub static NO_SALT: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));

pub fn text(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    let hashes: Vec<[u8; 32]> = parts.iter().map(|part| Sha256::digest(part).into()).collect();
    Sha256::digest(hashes.concat()).into()
}

fn note(number: usize) -> [u8; 32] {
    let mut note = [0; 32];
    note[24..].copy_from_slice(&(number as u64).to_be_bytes());
    note
}

/// A chunk of a tree: where it is, and the path to it from the root.
#[derive(Clone)]
pub struct Leaf {
    pub start: usize,
    pub end: usize,
    pub path: Vec<u8>,
}

/// The root over data that is cut at these ends, and its chunks.
pub fn tree(data: &[u8], ends: &[usize]) -> ([u8; 32], Vec<Leaf>) {
    let mut start = 0;
    let mut row: Vec<([u8; 32], usize, Vec<Leaf>)> = Vec::new();
    for end in ends {
        let hash: [u8; 32] = Sha256::digest(&data[start..*end]).into();
        let path = [hash, note(*end)].concat();
        row.push((sha(&[&hash, &note(*end)]), *end, vec![Leaf { start, end: *end, path }]));
        start = *end;
    }
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| match pair {
                [(left, border, below), (right, end, others)] => {
                    let step = [*left, *right, note(*border)].concat();
                    let lower = below.iter().chain(others);
                    let leaves = lower.map(|leaf| Leaf {
                        path: [&step[..], &leaf.path].concat(),
                        ..leaf.clone()
                    });
                    (sha(&[left, right, &note(*border)]), *end, leaves.collect())
                }
                [odd] => odd.clone(),
                _ => unreachable!(),
            })
            .collect();
    }
    let (root, _, leaves) = row.remove(0);
    (root, leaves)
}

enum Deep<'a> {
    Blob(&'a [u8]),
    List(Vec<Deep<'a>>),
}

fn deep_hash(tree: &Deep<'_>) -> [u8; 48] {
    let pair = |left: [u8; 48], right: [u8; 48]| Sha384::digest([left, right].concat()).into();
    match tree {
        Deep::Blob(bytes) => pair(
            Sha384::digest(format!("blob{}", bytes.len())).into(),
            Sha384::digest(bytes).into(),
        ),
        Deep::List(parts) => {
            let begin = Sha384::digest(format!("list{}", parts.len())).into();
            parts.iter().fold(begin, |hash, part| pair(hash, deep_hash(part)))
        }
    }
}

/// A transaction that is being made.
#[derive(Clone)]
pub struct Draft {
    pub data: Vec<u8>,
    pub ends: Vec<usize>,
    pub last_tx: String,
    pub reward: u128,
    pub tags: Vec<(&'static str, &'static str)>,
    pub quantity: &'static str,
    pub salt: &'static RsaSignatureEncoding,
}

impl Draft {
    /// Data cut at these ends, for all that it costs, after a block that the gateway names.
    pub async fn new(gateway: &str, data: &[u8], ends: &[usize]) -> Self {
        let price = get(gateway, &format!("price/{}", data.len()), None).await;
        Self {
            data: data.to_vec(),
            ends: ends.to_vec(),
            last_tx: get(gateway, "tx_anchor", None).await.text().await.unwrap(),
            reward: price.text().await.unwrap().parse().unwrap(),
            tags: vec![("Content-Type", "text/plain")],
            quantity: "0",
            salt: &LONGEST_SALT,
        }
    }

    pub fn sign(&self, key: &KeyPair) -> Value {
        let root = tree(&self.data, &self.ends).0;
        let owner = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
        let last_tx = BASE64_URL_SAFE_NO_PAD.decode(&self.last_tx).unwrap();
        let (reward, size) = (self.reward.to_string(), self.data.len().to_string());
        let blob = |bytes| Deep::Blob(bytes);
        let tag = |(name, value): &(&'static str, &'static str)| {
            Deep::List(vec![Deep::Blob(name.as_bytes()), Deep::Blob(value.as_bytes())])
        };
        let message = deep_hash(&Deep::List(vec![
            blob(b"2"),
            blob(&owner),
            blob(b""),
            blob(self.quantity.as_bytes()),
            blob(reward.as_bytes()),
            blob(&last_tx),
            Deep::List(self.tags.iter().map(tag).collect()),
            blob(size.as_bytes()),
            blob(&root),
        ]));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(self.salt, &SystemRandom::new(), &message, &mut signature)
            .unwrap();
        let tags = self.tags.iter();
        json!({
            "format": 2,
            "id": text(Sha256::digest(&signature)),
            "last_tx": self.last_tx,
            "owner": text(owner),
            "tags": tags.map(|(name, value)| json!({ "name": text(name), "value": text(value) })).collect::<Vec<_>>(),
            "target": "",
            "quantity": self.quantity,
            "data": "",
            "data_size": size,
            "data_root": text(root),
            "reward": reward,
            "signature": text(signature),
        })
    }

    /// The chunks of its data, as a node wants them.
    pub fn chunks(&self) -> Vec<Value> {
        let (root, leaves) = tree(&self.data, &self.ends);
        let chunk = |leaf: &Leaf| {
            json!({
                "data_root": text(root),
                "data_size": self.data.len().to_string(),
                "data_path": text(&leaf.path),
                "offset": (leaf.end - 1).to_string(),
                "chunk": text(&self.data[leaf.start..leaf.end]),
            })
        };
        leaves.iter().filter(|leaf| leaf.start < leaf.end).map(chunk).collect()
    }
}
