//! Uploads of large items in parts, as Turbo takes them. Parts arrive in any order, several at a time, and again if one
//! got lost; together they go the way of a single upload, so nothing is kept of them that is not signed.
//!
//! | request under `/v1/chunks/solana` | answer |
//! | --- | --- |
//! | `GET /-1/-1?chunkSize=N` | begins: `{id, min, max, chunkSize}`; all parts but the last have that size |
//! | `POST /{id}/{offset}` | takes a part; the same one again replaces it |
//! | `GET /{id}/-1` | `{id, min, max, size, chunks: [[offset, length]]}`: what is there |
//! | `POST /{id}/finalize` | puts them together: 202, the outcome is in the status |
//! | `POST /{id}/-1` | the same, and answers with the receipt |
//! | `GET /{id}/status` | `{status, timestamp}` and, once `FINALIZED`, the receipt |

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::journal::By;
use super::parts::{Outcome, Part, Upload};
use super::upload::{Refused, broke_off, check_headers, check_size, drain, keep, place, receive};
use super::{Gateway, READ_BYTES, Refusal, height, not_found};

/// Turbo's bounds for a part, in bytes, and what it is unless asked for.
const MIN_CHUNK: u64 = 5 << 20;
const MAX_CHUNK: u64 = 500 << 20;
const DEFAULT_CHUNK: u64 = 25_000_000;

/// In place of an upload's id or an offset: none.
const NONE: &str = "-1";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    chunk_size: Option<u64>,
}

/// `GET` of `/{id}/{what}`.
pub(super) async fn ask(
    State(gateway): State<Arc<Gateway>>,
    Path((id, what)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let answer = match (id.as_str(), what.as_str()) {
        (NONE, NONE) => begin(&gateway, asked.chunk_size.unwrap_or(DEFAULT_CHUNK))?,
        (id, NONE) => {
            let upload = find(&gateway, id)?;
            let chunks = gateway.parts.list(id)?.into_iter();
            json!({
                "id": id,
                "min": MIN_CHUNK,
                "max": MAX_CHUNK,
                "size": upload.chunk_size,
                "chunks": chunks.map(|part| [part.offset, part.length]).collect::<Vec<_>>(),
                "failedReason": matches!(upload.outcome, Some(Outcome::Invalid(_))).then_some("INVALID"),
            })
        }
        (id, "status") => status(find(&gateway, id)?),
        _ => return Err(not_found()),
    };
    Ok(Json(answer).into_response())
}

fn begin(gateway: &Gateway, chunk_size: u64) -> Result<Value, Refusal> {
    if !(MIN_CHUNK..=MAX_CHUNK).contains(&chunk_size) {
        let message = format!("Invalid chunk size: parts have {MIN_CHUNK} to {MAX_CHUNK} bytes");
        return Err(Refusal(StatusCode::BAD_REQUEST, message));
    }
    let id = gateway.parts.begin(chunk_size)?.ok_or_else(|| {
        Refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many unfinished uploads; finalize one, or wait until one has expired".to_owned(),
        )
    })?;
    Ok(json!({ "id": id, "min": MIN_CHUNK, "max": MAX_CHUNK, "chunkSize": chunk_size }))
}

fn find(gateway: &Gateway, id: &str) -> Result<Upload, Refusal> {
    gateway.parts.find(id)?.ok_or_else(|| {
        Refusal(
            StatusCode::NOT_FOUND,
            "Multi-part upload not found: it never was, or has expired".to_owned(),
        )
    })
}

fn status(upload: Upload) -> Value {
    let (_, now) = height();
    match upload.outcome {
        None => json!({ "status": "ASSEMBLING", "timestamp": now }),
        Some(Outcome::Invalid(reason)) => json!({ "status": "INVALID", "timestamp": now, "reason": reason }),
        Some(Outcome::Finalized(receipt)) => json!({ "status": "FINALIZED", "timestamp": now, "receipt": receipt }),
    }
}

/// `POST` of `/{id}/{what}`.
pub(super) async fn post(
    State(gateway): State<Arc<Gateway>>,
    Path((id, what)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut body = body.into_data_stream();
    let answer = match what.as_str() {
        NONE => finalize(&gateway, &id)
            .await
            .map(|receipt| Json(receipt).into_response()),
        "finalize" => finalize(&gateway, &id)
            .await
            .map(|_| StatusCode::ACCEPTED.into_response()),
        offset => take_part(&gateway, &id, offset, &headers, &mut body)
            .await
            .map(|()| StatusCode::OK.into_response()),
    };
    match answer {
        Ok(response) => response,
        Err(refusal) => {
            drain(&mut body).await;
            refusal.into_response()
        }
    }
}

async fn take_part(
    gateway: &Gateway,
    id: &str,
    offset: &str,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<(), Refusal> {
    let upload = find(gateway, id)?;
    let refuse = |message: String| Err(Refusal(StatusCode::BAD_REQUEST, message));
    let Ok(offset) = offset.parse::<u64>() else {
        return Err(not_found());
    };
    if !offset.is_multiple_of(upload.chunk_size) {
        return refuse(format!(
            "Invalid chunk: offset {offset} is no multiple of the {} bytes that a part has",
            upload.chunk_size
        ));
    }
    check_open(&upload)?;
    check_headers(gateway, headers)?;
    let _place = place(gateway)?;

    let draft = gateway.parts.draft(id)?;
    let mut file = tokio::fs::File::from_std(draft.reopen()?);
    let mut length = 0u64;
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| broke_off(&error))?;
        length += bytes.len() as u64;
        if length > upload.chunk_size {
            return refuse(format!("Invalid chunk: it has more than {} bytes", upload.chunk_size));
        }
        check_size(gateway, offset.saturating_add(length))?;
        file.write_all(&bytes).await?;
    }
    if length == 0 {
        return refuse("Invalid chunk: it has no bytes".to_owned());
    }
    file.flush().await?;
    if gateway.parts.keep(id, offset, draft)? {
        Ok(())
    } else {
        Err(being_assembled())
    }
}

fn check_open(upload: &Upload) -> Result<(), Refusal> {
    let message = match &upload.outcome {
        None => return Ok(()),
        Some(Outcome::Finalized(_)) => "The upload has been finalized already".to_owned(),
        Some(Outcome::Invalid(reason)) => reason.clone(),
    };
    Err(Refusal(StatusCode::BAD_REQUEST, message))
}

async fn finalize(gateway: &Arc<Gateway>, id: &str) -> Result<Value, Refusal> {
    let mut upload = find(gateway, id)?;
    let _seized = gateway.parts.seize(id).ok_or_else(being_assembled)?;
    // It may have ended between the two.
    upload.outcome = find(gateway, id)?.outcome;
    match upload.outcome {
        Some(Outcome::Finalized(receipt)) => return Ok(receipt),
        Some(Outcome::Invalid(reason)) => return Err(Refusal(StatusCode::BAD_REQUEST, reason)),
        None => {}
    }
    let _place = place(gateway)?;
    let parts = gateway.parts.list(id)?;
    check_whole(&parts, upload.chunk_size)?;
    let paths: Vec<PathBuf> = parts.iter().map(|part| gateway.parts.path(id, *part)).collect();
    let bytes = parts.iter().map(|part| part.length).sum();
    let taken = match receive(
        gateway,
        Box::pin(concatenated(paths).map(|bytes| bytes.map_err(Refusal::from))),
    )
    .await
    {
        Ok(received) => keep(gateway, received, By::Parts).await,
        Err(refused) => Err(refused),
    };
    let (outcome, answer) = match taken {
        Ok(receipt) => (Outcome::Finalized(receipt.clone()), Ok(receipt)),
        Err(Refused::Known { id, .. }) => {
            gateway.journal.add(&id, bytes, By::Parts, false)?;
            let refusal = super::upload::known_already(&id);
            (Outcome::Invalid(refusal.1.clone()), Err(refusal))
        }
        Err(Refused::Other(refusal)) if refusal.0 == StatusCode::BAD_REQUEST => {
            (Outcome::Invalid(refusal.1.clone()), Err(refusal))
        }
        // Nothing is wrong with the parts: it can be asked for again.
        Err(Refused::Other(refusal)) => return Err(refusal),
    };
    upload.outcome = Some(outcome);
    gateway.parts.end(id, &upload)?;
    answer
}

fn being_assembled() -> Refusal {
    Refusal(
        StatusCode::CONFLICT,
        "The parts of this upload are being put together; ask for its status".to_owned(),
    )
}

/// Refuses parts between which some are missing. Nobody has said how many there are: a signature that does not match
/// tells of those missing at the end.
fn check_whole(parts: &[Part], chunk_size: u64) -> Result<(), Refusal> {
    let missing = |offset: u64| {
        let message = format!("The upload is not whole: the part at offset {offset} is missing or too short");
        Err(Refusal(StatusCode::BAD_REQUEST, message))
    };
    let mut offset = 0;
    for (index, part) in parts.iter().enumerate() {
        if part.offset != offset {
            return missing(offset);
        }
        if part.length != chunk_size && index + 1 < parts.len() {
            return missing(part.offset);
        }
        offset += part.length;
    }
    if parts.is_empty() { missing(0) } else { Ok(()) }
}

/// The bytes of several files, one after the other.
fn concatenated(paths: Vec<PathBuf>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::iter(paths)
        .then(|path| async move {
            Ok::<_, io::Error>(ReaderStream::with_capacity(
                tokio::fs::File::open(path).await?,
                READ_BYTES,
            ))
        })
        .flat_map(|file| match file {
            Ok(bytes) => bytes.left_stream(),
            Err(error) => stream::once(async { Err(error) }).right_stream(),
        })
}
