//! Layer one of Arweave, as far as storing goes: transactions and the chunks of their data, as a node takes them. A
//! transaction names a recent block, pays for its data and is signed with RSA; each chunk comes with a Merkle path from
//! the transaction's data root. Once all chunks are there, the data is served under the transaction's id and, if it is a
//! bundle, each of its items under its own.
//!
//! Blocks are never waited for, and rewards are compared with the price but taken from nobody.

mod bundle;
mod merkle;
mod pool;
mod transaction;

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json as JsonBody, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use self::merkle::Leaf;
use self::pool::{Known, Pool};
use self::transaction::{Json, MAX_DATA, Transaction, number};
use super::head::Head;
use super::journal::By;
use super::store::ItemInfo;
use super::upload::{OCTET_STREAM, place};
use super::{Gateway, Refusal, block_hash, check_id, height, not_found, price};

/// A transaction may name one of the last so many blocks.
const ANCHORS: u64 = 50;

/// How far back the anchor is that is given out: a node's own last block may not be everybody's.
const ANCHOR_DEPTH: u64 = 5;

/// A Merkle path is never longer, in bytes.
const MAX_PATH: usize = 256 << 10;

/// The longest body of a transaction: its data as base64, and the rest.
const TRANSACTION_BODY: usize = 24 << 20;

/// The longest body of a chunk: two fields of 256 KiB as base64, and the rest.
const CHUNK_BODY: usize = 768 << 10;

/// Transactions, and the one lock under which they get their data.
#[derive(Debug)]
pub(super) struct LayerOne {
    pool: Pool,
    changing: Mutex<()>,
}

impl LayerOne {
    pub(super) fn open(folder: &Path) -> std::io::Result<Self> {
        Ok(Self {
            pool: Pool::open(folder)?,
            changing: Mutex::default(),
        })
    }

    /// Whether a transaction waits for its data.
    pub(super) fn is_pending(&self, id: &str) -> std::io::Result<bool> {
        Ok(matches!(self.pool.find(id)?, Known::Pending))
    }

    /// The head of a transaction, also of one whose data is only just there.
    pub(super) fn head(&self, id: &str) -> std::io::Result<Option<Head>> {
        Ok(self.pool.read(id)?.map(|transaction| transaction.head()))
    }
}

/// The routes.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/tx_anchor", get(anchor))
        .route("/price/{bytes}", get(price::of_transaction))
        .route("/price/{bytes}/{target}", get(price::of_transfer))
        .route(
            "/tx",
            post(take_transaction).layer(DefaultBodyLimit::max(TRANSACTION_BODY)),
        )
        .route("/tx/{id}", get(transaction))
        .route("/chunk", post(take_chunk).layer(DefaultBodyLimit::max(CHUNK_BODY)))
}

/// `GET /tx_anchor`: a recent block.
async fn anchor() -> String {
    block_hash(height().0.saturating_sub(ANCHOR_DEPTH))
}

/// `GET /tx/{id}`: the transaction without its data.
async fn transaction(State(gateway): State<Arc<Gateway>>, UrlPath(id): UrlPath<String>) -> Result<Response, Refusal> {
    check_id(&id)?;
    match gateway.layer_one.pool.find(&id)? {
        Known::Done(transaction) => Ok(JsonBody(transaction).into_response()),
        Known::Pending => Ok((StatusCode::ACCEPTED, "Pending").into_response()),
        Known::Unknown => Err(not_found()),
    }
}

/// `POST /tx`.
async fn take_transaction(State(gateway): State<Arc<Gateway>>, body: Bytes) -> Result<Response, Refusal> {
    let _place = place(&gateway)?;
    let json: Json = serde_json::from_slice(&body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("Invalid JSON: {error}")))?;
    check_id(&json.id).map_err(|_| Refusal(StatusCode::BAD_REQUEST, "Invalid JSON: id".to_owned()))?;
    let taker = Arc::clone(&gateway);
    blocking(move || taker.take(&json)).await
}

async fn blocking(work: impl FnOnce() -> Result<Response, Refusal> + Send + 'static) -> Result<Response, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

/// `POST /chunk`: what is binary is base64url, what is a number text.
#[derive(Debug, Deserialize)]
struct ChunkJson {
    data_root: String,
    data_size: String,
    data_path: String,
    offset: String,
    chunk: String,
}

async fn take_chunk(State(gateway): State<Arc<Gateway>>, body: Bytes) -> Result<Response, Refusal> {
    let _place = place(&gateway)?;
    let json: ChunkJson = serde_json::from_slice(&body).map_err(|_| refuse("invalid_json"))?;
    let taker = Arc::clone(&gateway);
    blocking(move || taker.take_chunk(&json)).await
}

/// A refusal in the form in which a node refuses chunks.
fn refuse(error: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, json!({ "error": error }).to_string())
}

impl Gateway {
    fn take(&self, json: &Json) -> Result<Response, Refusal> {
        let transaction = json.check()?;
        let (now, _) = height();
        let anchors = now.saturating_sub(ANCHORS)..=now;
        let named = BASE64_URL_SAFE_NO_PAD.encode(&transaction.last_tx);
        if !anchors.into_iter().any(|height| block_hash(height) == named) {
            let message = "Invalid anchor (last_tx): it is none of the last blocks";
            return Err(Refusal(StatusCode::BAD_REQUEST, message.to_owned()));
        }
        let layer = &self.layer_one;
        let _one = layer.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(layer.pool.find(&transaction.id)?, Known::Unknown) {
            let status = StatusCode::ALREADY_REPORTED;
            return Ok((status, "Transaction already processed.").into_response());
        }
        if !layer.pool.add(json)? {
            let message = "Too many transactions wait for their data".to_owned();
            return Err(Refusal(StatusCode::TOO_MANY_REQUESTS, message));
        }
        if !transaction.data.is_empty() {
            self.complete(&transaction, &transaction.data)?;
        }
        Ok("OK".into_response())
    }

    fn take_chunk(&self, json: &ChunkJson) -> Result<Response, Refusal> {
        let chunk = Chunk::read(json)?;
        let layer = &self.layer_one;
        let _one = layer.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = layer.pool.waiting_for(&chunk.root, chunk.size)?;
        if waiting.is_empty() {
            return if layer.pool.has_data(&chunk.root, chunk.size)? {
                Ok(StatusCode::OK.into_response())
            } else {
                Err(refuse("data_root_not_found"))
            };
        }
        layer
            .pool
            .keep_chunk(&chunk.root, chunk.size, &chunk.leaf, &chunk.bytes)?;
        if let Some(data) = layer.pool.assemble(&chunk.root, chunk.size)? {
            for json in waiting {
                self.complete(&json.check()?, &data)?;
            }
            layer.pool.forget_chunks(&chunk.root, chunk.size)?;
        }
        Ok(StatusCode::OK.into_response())
    }

    /// Keeps the data of a transaction and what is in it.
    fn complete(&self, transaction: &Transaction, data: &[u8]) -> std::io::Result<()> {
        let (height, _) = height();
        if transaction.is_bundle() {
            bundle::unpack(self, &transaction.id, data, height)?;
        }
        let mut draft = self.store.draft()?;
        draft.write_all(data)?;
        draft.flush()?;
        let info = ItemInfo {
            content_type: transaction.tag("Content-Type").unwrap_or(OCTET_STREAM).to_owned(),
            owner: transaction.owner.clone(),
            height,
            header: String::new(),
            bundled_in: None,
        };
        self.keep(draft, &transaction.id, &info, data.len() as u64, By::Transaction)?;
        self.layer_one.pool.finish(transaction)
    }
}

/// A chunk whose path leads to it.
struct Chunk {
    root: [u8; 32],
    size: u64,
    leaf: Leaf,
    bytes: Vec<u8>,
}

impl Chunk {
    fn read(json: &ChunkJson) -> Result<Self, Refusal> {
        let binary = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| refuse("invalid_json"));
        let size = number(&json.data_size).ok_or_else(|| refuse("invalid_json"))?;
        let offset = number(&json.offset).ok_or_else(|| refuse("invalid_json"))?;
        let root = binary(&json.data_root)?;
        let root: [u8; 32] = root.as_slice().try_into().map_err(|_| refuse("invalid_json"))?;
        let (path, bytes) = (binary(&json.data_path)?, binary(&json.chunk)?);
        if bytes.len() as u64 > merkle::MAX_CHUNK {
            return Err(refuse("chunk_too_big"));
        }
        if path.len() > MAX_PATH {
            return Err(refuse("data_path_too_big"));
        }
        let size = u64::try_from(size).ok().filter(|size| *size <= MAX_DATA);
        let size = size.ok_or_else(|| refuse("data_size_too_big"))?;
        let offset = u64::try_from(offset).map_err(|_| refuse("offset_too_big"))?;
        let leaf = merkle::validate_path(root, offset, size, &path).ok_or_else(|| refuse("invalid_proof"))?;
        // Of the chunks but the last, a proof that is longer than what it proves costs everybody too much.
        if path.len() > bytes.len() && leaf.end != size {
            return Err(refuse("chunk_proof_ratio_not_attractive"));
        }
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        if hash != leaf.data_hash || leaf.end - leaf.start != bytes.len() as u64 {
            return Err(refuse("invalid_proof"));
        }
        Ok(Self {
            root,
            size,
            leaf,
            bytes,
        })
    }
}
