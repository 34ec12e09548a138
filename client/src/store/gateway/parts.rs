//! `/v1/chunks/solana`: Turbo's upload of a large item in parts. Several go at a time and each is tried again by itself,
//! so a broken connection costs a part and not the item. What has arrived is asked of the server, and an upload that broke
//! off is taken up where it was by the next [`put`](crate::store::BlobStore::put) of the same item to the same [`Gateway`] or a
//! clone of it: which uploads broke off is in its memory and nowhere else.
//!
//! The server decides how long a part is, within bounds of ours. That it says it has a part is believed until the item is
//! put together: its id and signature are ours, so an item that is FINALIZED under our id is our item.

use futures_util::{TryStreamExt as _, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

use super::retry::{self, Attempt};
use super::upload::{Receipt, check_receipt, confirm, has};
use super::{Gateway, common_failure, detail, no_response, read_answer};
use crate::store::ans104::SignedItem;
use crate::store::{ItemId, StoreError};

/// An item longer than this goes in parts unless [`GatewayOptions`](super::GatewayOptions) say otherwise.
pub const PARTS_ABOVE: u64 = 8 << 20;
/// What we ask for as the length of a part: the least that Turbo takes.
const PART_LEN: u64 = 5 << 20;
/// What we let a server ask for.
const LONGEST_PART: u64 = 500 << 20;
/// Parts of an upload at most, as S3 has it, which Turbo is built on.
const MOST_PARTS: u64 = 10_000;
/// A list of so many parts, as JSON.
const ANSWER_LIMIT: usize = 1 << 20;
/// The longest id of an upload that is taken. Those of S3 have up to some hundred characters.
const ID_LIMIT: usize = 1024;
/// Unfinished uploads that are remembered.
const REMEMBERED: usize = 64;

/// The uploads that broke off, by item.
pub(super) type Unfinished = Arc<Mutex<HashMap<ItemId, String>>>;

/// An upload that has begun.
struct Begun {
    id: String,
    part_len: u64,
    /// Where the parts begin that the server has, and how long these are.
    there: HashMap<u64, u64>,
}

#[derive(Deserialize)]
struct BeginAnswer {
    id: String,
    #[serde(rename = "chunkSize")]
    chunk_size: Option<u64>,
    min: Option<u64>,
}

#[derive(Deserialize)]
struct ListAnswer {
    size: u64,
    chunks: Vec<(u64, u64)>,
    #[serde(rename = "failedReason")]
    failed: Option<String>,
}

#[derive(Deserialize)]
struct StatusAnswer {
    status: String,
    receipt: Option<Receipt>,
}

/// How far an upload is.
enum Progress {
    Finalized,
    Failed(String),
    Underway(String),
}

pub(super) async fn upload(gateway: &Gateway, item: &SignedItem) -> Result<(), StoreError> {
    let resumed = match recall(gateway, item.id()) {
        Some(upload) => with_retries(gateway, || list(gateway, &upload)).await?,
        None => None,
    };
    let again = resumed.is_some();
    if !again {
        forget(gateway, item.id());
    }
    match attempt(gateway, item, resumed).await {
        // What the server said it had of before may be what was wrong.
        Err(StoreError::Malformed { .. }) if again => attempt(gateway, item, None).await,
        done => done,
    }
}

async fn attempt(gateway: &Gateway, item: &SignedItem, resumed: Option<Begun>) -> Result<(), StoreError> {
    let len = item.bytes().len() as u64;
    let begun = match resumed {
        Some(begun) => begun,
        None => with_retries(gateway, || begin(gateway)).await?,
    };
    if len.div_ceil(begun.part_len) > MOST_PARTS {
        return Err(bad_answer(format!("parts of {} bytes are too short", begun.part_len)));
    }
    remember(gateway, item.id(), &begun.id);
    let Begun { id, part_len, there } = &begun;
    let missing = (0..len)
        .step_by(usize::try_from(*part_len).unwrap_or(usize::MAX))
        .map(|offset| (offset, (*part_len).min(len - offset)))
        .filter(|(offset, part)| there.get(offset) != Some(part));
    stream::iter(missing.map(Ok::<_, StoreError>))
        .try_for_each_concurrent(gateway.options.parts_at_once.max(1), |(offset, part)| async move {
            with_retries(gateway, || send(gateway, item, id, offset, part)).await
        })
        .await?;
    let ended = finish(gateway, item, id).await;
    if !matches!(&ended, Err(error) if may_pass(error)) {
        forget(gateway, item.id());
    }
    ended
}

/// Whether what is there is worth taking up again.
fn may_pass(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unreachable { .. }
            | StoreError::RateLimited
            | StoreError::ServerError { .. }
            | StoreError::PaymentRequired { .. }
            | StoreError::Conflict { .. }
            | StoreError::Unfinished { .. }
            | StoreError::Truncated { .. }
    )
}

fn with_retries<'a, T, F, Tried>(
    gateway: &'a Gateway,
    request: F,
) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
where
    F: FnMut() -> Tried + Send + 'a,
    Tried: Future<Output = Result<T, Attempt>> + Send + 'a,
    T: Send + 'a,
{
    retry::with_retries(&gateway.options, request)
}

fn bad_answer(detail: String) -> StoreError {
    StoreError::BadAnswer {
        what: "an upload in parts",
        detail,
    }
}

/// A request under `/v1/chunks/solana/{upload}`, as Turbo wants it.
fn request(
    gateway: &Gateway,
    upload: &str,
    what: &str,
    method: impl FnOnce(reqwest::Url) -> RequestBuilder,
) -> Result<RequestBuilder, Attempt> {
    let url = gateway
        .url(&format!("v1/chunks/solana/{upload}/{what}"))
        .map_err(Attempt::over)?;
    Ok(method(url).header("x-chunking-version", "2"))
}

async fn send_off(request: RequestBuilder) -> Result<Response, Attempt> {
    request.send().await.map_err(|error| no_response(&error))
}

async fn begin(gateway: &Gateway) -> Result<Begun, Attempt> {
    let what = format!("-1?chunkSize={PART_LEN}");
    let response = send_off(request(gateway, "-1", &what, |url| gateway.downloads.get(url))?).await?;
    if response.status() != StatusCode::OK {
        return Err(common_failure(response).await);
    }
    let body = read_answer(response, ANSWER_LIMIT, bad_answer).await?;
    let answer: BeginAnswer =
        serde_json::from_slice(&body).map_err(|error| Attempt::over(bad_answer(error.to_string())))?;
    // Ids of S3 have these characters. Others could make another path of ours.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if answer.id.len() > ID_LIMIT || !answer.id.bytes().all(plain) || !answer.id.bytes().any(|b| b != b'.' && b != b'-')
    {
        return Err(Attempt::over(bad_answer("it names no upload".to_owned())));
    }
    let part_len = answer.chunk_size.unwrap_or(PART_LEN.max(answer.min.unwrap_or(0)));
    check_part_len(part_len)?;
    Ok(Begun {
        id: answer.id,
        part_len,
        there: HashMap::new(),
    })
}

fn check_part_len(len: u64) -> Result<(), Attempt> {
    if (1..=LONGEST_PART).contains(&len) {
        Ok(())
    } else {
        Err(Attempt::over(bad_answer(format!(
            "parts of {len} bytes are not to be had"
        ))))
    }
}

/// What the server has of an upload that broke off. `None`: it does not know it any more, or cannot go on with it.
async fn list(gateway: &Gateway, upload: &str) -> Result<Option<Begun>, Attempt> {
    let response = send_off(request(gateway, upload, "-1", |url| gateway.downloads.get(url))?).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
        _ => return Err(common_failure(response).await),
    }
    let body = read_answer(response, ANSWER_LIMIT, bad_answer).await?;
    let answer: ListAnswer =
        serde_json::from_slice(&body).map_err(|error| Attempt::over(bad_answer(error.to_string())))?;
    check_part_len(answer.size)?;
    Ok(answer.failed.is_none().then(|| Begun {
        id: upload.to_owned(),
        part_len: answer.size,
        there: answer.chunks.into_iter().collect(),
    }))
}

async fn send(gateway: &Gateway, item: &SignedItem, upload: &str, offset: u64, len: u64) -> Result<(), Attempt> {
    let id = item.id();
    let bytes = usize::try_from(offset)
        .ok()
        .zip(usize::try_from(offset + len).ok())
        .filter(|(_, end)| *end <= item.bytes().len())
        .map(|(start, end)| item.bytes().slice(start..end))
        .unwrap_or_default();
    let time = gateway.options.time_for(len);
    let request = request(gateway, upload, &offset.to_string(), |url| gateway.uploads.post(url))?
        .header(CONTENT_TYPE, "application/octet-stream")
        .timeout(time)
        .body(bytes);
    let response = send_off(request).await?;
    match response.status() {
        status if status.is_success() => Ok(()),
        // Turbo says 400 for a part that came before it knew how long parts are.
        StatusCode::BAD_REQUEST => Err(Attempt::again(StoreError::Malformed {
            id,
            detail: detail(response).await,
        })),
        _ => Err(refused(response, id).await),
    }
}

/// The statuses that mean the same for a part and for the whole.
async fn refused(response: Response, id: ItemId) -> Attempt {
    match response.status() {
        StatusCode::PAYMENT_REQUIRED => Attempt::over(StoreError::PaymentRequired {
            id,
            detail: detail(response).await,
        }),
        StatusCode::PAYLOAD_TOO_LARGE => Attempt::over(StoreError::TooLarge {
            id,
            detail: detail(response).await,
        }),
        _ => common_failure(response).await,
    }
}

/// Has the parts put together, and waits until they are.
async fn finish(gateway: &Gateway, item: &SignedItem, upload: &str) -> Result<(), StoreError> {
    let id = item.id();
    let conflict = match with_retries(gateway, || finalize(gateway, id, upload)).await? {
        Finalize::Done => return Ok(()),
        Finalize::Taken => false,
        Finalize::Conflict => true,
    };
    let time = gateway.options.time_for(item.bytes().len() as u64);
    let until = Instant::now() + time;
    let mut pause = gateway.options.first_pause;
    loop {
        match with_retries(gateway, || status(gateway, id, upload)).await? {
            Progress::Finalized => return Ok(()),
            // What was said to be there already may be the item, put together from another upload.
            Progress::Failed(_) if conflict => return with_retries(gateway, || confirm(gateway, id)).await,
            Progress::Failed(state) if state == "UNDERFUNDED" => {
                return Err(StoreError::PaymentRequired { id, detail: state });
            }
            Progress::Failed(state) => return Err(StoreError::Malformed { id, detail: state }),
            Progress::Underway(state) if Instant::now() >= until => {
                let detail = format!("{state} after {} s", time.as_secs());
                return Err(StoreError::Unfinished { id, detail });
            }
            Progress::Underway(_) if conflict && with_retries(gateway, || has(gateway, id)).await? => return Ok(()),
            Progress::Underway(_) => tokio::time::sleep(pause).await,
        }
        pause = pause.saturating_mul(2).min(gateway.options.longest_pause);
    }
}

/// What the gateway says of putting an item together.
enum Finalize {
    Done,
    /// It will; the status tells when it has.
    Taken,
    /// It is doing so, or has the item already: the status and the item tell which.
    Conflict,
}

async fn finalize(gateway: &Gateway, id: ItemId, upload: &str) -> Result<Finalize, Attempt> {
    let request = request(gateway, upload, "finalize", |url| gateway.uploads.post(url))?
        .header(CONTENT_TYPE, "application/octet-stream")
        // Small items are put together before the answer comes.
        .timeout(gateway.options.silence_timeout * 2)
        .body(Vec::new());
    let response = send_off(request).await?;
    match response.status() {
        StatusCode::ACCEPTED => Ok(Finalize::Taken),
        StatusCode::OK => check_receipt(response, id).await.map(|()| Finalize::Done),
        // Another upload of the same item was faster; or ours was, and its answer got lost; or it is at it.
        StatusCode::CREATED | StatusCode::CONFLICT => Ok(Finalize::Conflict),
        StatusCode::BAD_REQUEST => Err(Attempt::over(StoreError::Malformed {
            id,
            detail: detail(response).await,
        })),
        _ => Err(refused(response, id).await),
    }
}

async fn status(gateway: &Gateway, id: ItemId, upload: &str) -> Result<Progress, Attempt> {
    let response = send_off(request(gateway, upload, "status", |url| gateway.downloads.get(url))?).await?;
    match response.status() {
        StatusCode::OK => {}
        // Turbo's status lags behind its other answers.
        StatusCode::NOT_FOUND => return Ok(Progress::Underway("unknown".to_owned())),
        _ => return Err(common_failure(response).await),
    }
    let body = read_answer(response, ANSWER_LIMIT, bad_answer).await?;
    let answer: StatusAnswer =
        serde_json::from_slice(&body).map_err(|error| Attempt::over(bad_answer(error.to_string())))?;
    let state: String = answer.status.chars().filter(|c| !c.is_control()).take(40).collect();
    match (state.as_str(), answer.receipt) {
        ("FINALIZED", Some(receipt)) => {
            receipt.check(id)?;
            Ok(Progress::Finalized)
        }
        ("FINALIZED", None) => confirm(gateway, id).await.map(|()| Progress::Finalized),
        ("ASSEMBLING" | "VALIDATING" | "FINALIZING", _) => Ok(Progress::Underway(state)),
        _ => Ok(Progress::Failed(state)),
    }
}

fn remember(gateway: &Gateway, item: ItemId, upload: &str) {
    let mut unfinished = gateway.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
    if unfinished.len() < REMEMBERED || unfinished.contains_key(&item) {
        unfinished.insert(item, upload.to_owned());
    }
}

fn recall(gateway: &Gateway, item: ItemId) -> Option<String> {
    let unfinished = gateway.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
    unfinished.get(&item).cloned()
}

fn forget(gateway: &Gateway, item: ItemId) {
    let mut unfinished = gateway.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
    unfinished.remove(&item);
}
