//! A small Arweave gateway: it takes data items as Turbo does, and gives them out and looks them up as any gateway does.
//!
//! It is as strict as the real ones where that protects the user: an item's signature is checked before it is kept, and
//! only whole items are ever seen. It is more generous where the real ones cost money or time: nothing is charged unless it
//! is told to, and an item is confirmed as soon as it is there. Uploads go to disk as they arrive; no body is held in memory.

mod ans104;
mod catalog;
mod graphql;
mod head;
mod journal;
mod layer_one;
mod multipart;
mod parts;
mod price;
mod range;
mod receipt;
mod store;
mod upload;

use std::io::{self, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha384};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;

use crate::error::Error;
use ans104::Header;
use catalog::{Catalog, Entry};
use head::Head;
use journal::{By, Journal};
use layer_one::LayerOne;
use parts::Parts;
use range::Asked;
use receipt::ReceiptKey;
use store::{ItemInfo, Store};

/// How long a block of Arweave takes, in milliseconds: about two minutes.
const BLOCK_MS: u64 = 120_000;

/// The length of an id in base64url.
const ID_LENGTH: usize = 43;

/// How much of a file is read at a time.
const READ_BYTES: usize = 256 << 10;

/// What a gateway is started with.
#[derive(Debug, Clone)]
pub(crate) struct GatewayConfig {
    /// Where its folders are made.
    pub(crate) folder: PathBuf,
    pub(crate) max_item_bytes: u64,
    pub(crate) charge_above: Option<u64>,
    pub(crate) max_uploads: usize,
}

/// What all requests share.
#[derive(Debug)]
struct Gateway {
    store: Store,
    parts: Parts,
    catalog: Catalog,
    journal: Journal,
    layer_one: LayerOne,
    key: ReceiptKey,
    max_item_bytes: u64,
    charge_above: Option<u64>,
    uploads: Semaphore,
}

/// The gateway's routes.
pub(crate) fn router(config: &GatewayConfig) -> Result<Router, Error> {
    let store = Store::open(&config.folder).map_err(Error::at(&config.folder))?;
    let key = ReceiptKey::open(store.index()).map_err(Error::at(store.index()))?;
    let layer_one = LayerOne::open(&config.folder).map_err(Error::at(&config.folder))?;
    let catalog = catalogue(&store, &layer_one).map_err(Error::at(store.index()))?;
    let gateway = Gateway {
        store,
        parts: Parts::open(&config.folder).map_err(Error::at(&config.folder))?,
        catalog,
        journal: Journal::open(&config.folder).map_err(Error::at(&config.folder))?,
        layer_one,
        key,
        max_item_bytes: config.max_item_bytes,
        charge_above: config.charge_above,
        uploads: Semaphore::new(config.max_uploads),
    };
    Ok(Router::new()
        .route("/v1/tx/solana", post(upload::upload))
        .route(
            "/v1/chunks/solana/{id}/{what}",
            get(multipart::ask).post(multipart::post),
        )
        .route("/v1/price/bytes/{bytes}", get(price::of_upload))
        .route("/info", get(info))
        .route("/tx/{id}/status", get(status))
        .route("/{id}", get(item))
        .route("/raw/{id}", get(item))
        .merge(layer_one::routes())
        .merge(graphql::routes())
        // Uploads are counted as they are written, with an answer of our own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(log_access))
        .with_state(Arc::new(gateway)))
}

/// Lists what is stored. What cannot be read is left out: one damaged file must not keep everything else from being found.
fn catalogue(store: &Store, layer_one: &LayerOne) -> io::Result<Catalog> {
    let mut entries = Vec::new();
    for id in store.ids()? {
        let read = || match store.find(&id)? {
            Some((_, info)) => Ok(head(layer_one, &id, &info)?.map(|head| Entry::new(&id, &info, head))),
            None => Ok::<_, io::Error>(None),
        };
        match read() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => tracing::warn!(id, "an item without a head is not listed"),
            Err(error) => tracing::warn!(id, %error, "an item that cannot be read is not listed"),
        }
    }
    Catalog::open(store.index(), entries)
}

/// The head of an item, or of a transaction of layer one.
fn head(layer_one: &LayerOne, id: &str, info: &ItemInfo) -> io::Result<Option<Head>> {
    if info.header.is_empty() {
        return layer_one.head(id);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&info.header).map_err(io::Error::other)?;
    let header = Header::read(&bytes).map_err(io::Error::other)?;
    Ok(header.as_ref().map(Head::from))
}

impl Gateway {
    /// Makes a draft an item that is found from now on. `false`: there was one already, of which nothing changes.
    fn keep(&self, draft: NamedTempFile, id: &str, info: &ItemInfo, bytes: u64, by: By) -> io::Result<bool> {
        let new = !self.store.contains(id) && self.store.keep(draft, id, info)?;
        if new && let Some(head) = head(&self.layer_one, id, info)? {
            self.catalog.add(Entry::new(id, info, head))?;
        }
        self.journal.add(id, bytes, by, new)?;
        Ok(new)
    }
}

async fn log_access(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let bytes = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .unwrap_or("-");
    tracing::info!(%method, path, status = response.status().as_u16(), bytes, ms = begun.elapsed().as_millis(), "gateway");
    response
}

/// What a handler could not do. The text goes to the client.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "the gateway's folder");
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let status = if full {
            StatusCode::INSUFFICIENT_STORAGE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self(status, format!("the gateway cannot use its folder: {error}"))
    }
}

fn not_found() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "Not Found".to_owned())
}

/// The height of the chain that there would be, and the time.
fn height() -> (u64, u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis());
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    (now / BLOCK_MS, now)
}

fn block_hash(height: u64) -> String {
    let hash = Sha384::new()
        .chain_update(b"chartseal/sandbox/arweave-block/v1")
        .chain_update(height.to_le_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Ids also name files, so nothing else passes.
fn check_id(id: &str) -> Result<(), Refusal> {
    let valid = id.len() == ID_LENGTH && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if valid { Ok(()) } else { Err(not_found()) }
}

async fn info() -> Response {
    let (height, _) = height();
    Json(json!({
        "version": 5,
        "release": 0,
        "queue_length": 0,
        "peers": 0,
        "height": height,
        "current": block_hash(height),
        "blocks": height,
        "node_state_latency": 0,
        "network": "chartseal.sandbox",
    }))
    .into_response()
}

async fn status(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    check_id(&id)?;
    let Some((_, known)) = gateway.store.find(&id)? else {
        return if gateway.layer_one.is_pending(&id)? {
            Ok((StatusCode::ACCEPTED, "Pending").into_response())
        } else {
            Err(not_found())
        };
    };
    let block = gateway.catalog.find(&id).map_or(known.height, |entry| entry.height);
    Ok(Json(json!({
        "block_height": block,
        "block_indep_hash": block_hash(block),
        "number_of_confirmations": height().0.saturating_sub(block) + 1,
    }))
    .into_response())
}

/// `GET` of an item's data. axum answers `HEAD` with it too, without the body.
async fn item(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check_id(&id)?;
    let (file, known) = gateway.store.find(&id)?.ok_or_else(not_found)?;
    let mut file = tokio::fs::File::from_std(file);
    let size = file.metadata().await?.len();
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, part) = match Asked::read(range, size) {
        Asked::All => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Nothing => {
            let range = format!("bytes */{size}");
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, range)]).into_response());
        }
    };
    file.seek(SeekFrom::Start(part.start)).await?;
    let length = part.end - part.start;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), READ_BYTES));
    let mut response = (status, body).into_response();
    let answer = response.headers_mut();
    let content_type = HeaderValue::from_str(&known.content_type);
    answer.insert(
        header::CONTENT_TYPE,
        content_type.unwrap_or(HeaderValue::from_static(upload::OCTET_STREAM)),
    );
    answer.insert(header::CONTENT_LENGTH, length.into());
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // What an id names never changes. Browsers must not take a stored page for one of ours.
    answer.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {}-{}/{size}", part.start, part.end - 1))
    {
        answer.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}
