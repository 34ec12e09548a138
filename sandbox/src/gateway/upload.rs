//! `POST /v1/tx/solana`: takes a data item as Turbo does. The header is read as soon as it has arrived, the data goes to
//! a draft while it is hashed, and the draft becomes an item if the signature is right. Items that came in parts
//! ([`super::multipart`]) go the same way once they are whole.

use std::fmt::Display;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::SemaphorePermit;

use super::ans104::{DataHash, Header, ItemError};
use super::journal::By;
use super::store::ItemInfo;
use super::{Gateway, Refusal, height};

/// The type of an upload's body, and of items that do not say theirs.
pub(super) const OCTET_STREAM: &str = "application/octet-stream";

/// How much of a refused body is read to its end, so that the client gets the answer instead of a broken connection.
const DRAIN_BYTES: u64 = 256 << 20;

impl From<ItemError> for Refusal {
    fn from(error: ItemError) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }
}

pub(super) async fn upload(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body) -> Response {
    let mut body = body.into_data_stream();
    let refused = match take(&gateway, &headers, &mut body).await {
        Ok(receipt) => return Json(receipt).into_response(),
        Err(refused) => refused,
    };
    let rest = drain(&mut body).await;
    match (refused, rest) {
        (Refused::Known { id, bytes }, Some(rest)) => match gateway.journal.add(&id, bytes + rest, By::Single, false) {
            Ok(()) => known_already(&id).into_response(),
            Err(error) => Refusal::from(error).into_response(),
        },
        (refused, _) => Refusal::from(refused).into_response(),
    }
}

/// Reads what is left of a body and says how much that was, if it came to an end.
pub(super) async fn drain(body: &mut BodyDataStream) -> Option<u64> {
    let mut drained = 0;
    while let Some(read) = body.next().await {
        drained += read.ok()?.len() as u64;
        if drained > DRAIN_BYTES {
            return None;
        }
    }
    Some(drained)
}

/// Why an item was not taken.
pub(super) enum Refused {
    /// It is there already; so many bytes of it had come when this was seen.
    Known {
        id: String,
        bytes: u64,
    },
    Other(Refusal),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

impl From<ItemError> for Refused {
    fn from(error: ItemError) -> Self {
        Self::Other(error.into())
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Known { id, .. } => known_already(&id),
            Refused::Other(refusal) => refusal,
        }
    }
}

async fn take(gateway: &Arc<Gateway>, headers: &HeaderMap, body: &mut BodyDataStream) -> Result<Value, Refused> {
    check_headers(gateway, headers)?;
    let _place = place(gateway)?;
    let body = body.map(|bytes| bytes.map_err(|error| broke_off(&error)));
    let received = receive(gateway, body).await?;
    keep(gateway, received, By::Single).await
}

/// Refuses what can be refused before a body is read, and gives the length that it announces.
pub(super) fn check_headers(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE);
    if content_type.is_some_and(|content_type| content_type != OCTET_STREAM) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "Invalid Content Type".to_owned()));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = announced {
        check_size(gateway, length)?;
    }
    Ok(announced)
}

/// A place among those whose bodies are read at once.
pub(super) fn place(gateway: &Gateway) -> Result<SemaphorePermit<'_>, Refusal> {
    gateway.uploads.try_acquire().map_err(|_| {
        Refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many uploads at once; try again".to_owned(),
        )
    })
}

/// An item that has arrived whole and is signed by its owner.
pub(super) struct Received {
    header: Header,
    draft: NamedTempFile,
    /// With the header.
    bytes: u64,
}

/// Reads an item from its first byte to its last. What stops the bytes from coming is the refusal.
pub(super) async fn receive(
    gateway: &Gateway,
    mut body: impl Stream<Item = Result<Bytes, Refusal>> + Unpin,
) -> Result<Received, Refused> {
    let draft = gateway.store.draft()?;
    let mut file = tokio::fs::File::from_std(draft.reopen()?);
    let mut begin = Vec::new();
    let mut header: Option<Header> = None;
    let mut hash = DataHash::default();
    let mut bytes = 0u64;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        check_size(gateway, bytes)?;
        if header.is_some() {
            hash.update(&chunk);
            file.write_all(&chunk).await?;
            continue;
        }
        begin.extend_from_slice(&chunk);
        if let Some(read) = Header::read(&begin)? {
            let id = read.id();
            if gateway.store.contains(&id) {
                return Err(Refused::Known { id, bytes });
            }
            let data = begin.get(read.length..).unwrap_or_default();
            hash.update(data);
            file.write_all(data).await?;
            header = Some(read);
            begin = Vec::new();
        }
    }
    let header = header.ok_or(ItemError::Truncated)?;
    file.flush().await?;
    header.verify(hash)?;
    Ok(Received { header, draft, bytes })
}

pub(super) fn broke_off(error: &impl Display) -> Refusal {
    Refusal(
        StatusCode::BAD_REQUEST,
        format!("Data item parsing error! The upload broke off: {error}"),
    )
}

/// Makes what was received an item, and gives the receipt for it.
pub(super) async fn keep(gateway: &Arc<Gateway>, received: Received, by: By) -> Result<Value, Refused> {
    let Received { header, draft, bytes } = received;
    let id = header.id();
    let (height, now) = height();
    let owner = header.owner_address();
    let content_type = header
        .tag("Content-Type")
        .and_then(|value| std::str::from_utf8(value).ok());
    let info = ItemInfo {
        content_type: content_type.unwrap_or(OCTET_STREAM).to_owned(),
        owner: owner.clone(),
        height,
        header: BASE64_URL_SAFE_NO_PAD.encode(header.encode()),
        bundled_in: None,
    };
    let (keeper, kept_id) = (Arc::clone(gateway), id.clone());
    let kept = tokio::task::spawn_blocking(move || keeper.keep(draft, &kept_id, &info, bytes, by)).await;
    match kept.map_err(std::io::Error::other)?? {
        true => Ok(gateway.key.receipt(&id, &owner, height, now)),
        false => Err(known_already(&id).into()),
    }
}

/// Refuses an item that is too large, or too large to cost nothing.
pub(super) fn check_size(gateway: &Gateway, bytes: u64) -> Result<(), Refusal> {
    let max = gateway.max_item_bytes;
    if bytes > max {
        let message = format!("Data item is too large, this service only accepts data items up to {max} bytes!");
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    match gateway.charge_above {
        Some(free) if bytes > free => {
            let message = format!("Insufficient balance: data items of more than {free} bytes must be paid for");
            Err(Refusal(StatusCode::PAYMENT_REQUIRED, message))
        }
        _ => Ok(()),
    }
}

pub(super) fn known_already(id: &str) -> Refusal {
    Refusal(
        StatusCode::CONFLICT,
        format!("Data item with ID {id} has already been uploaded to this service!"),
    )
}
