//! `POST /v1/tx/solana`: takes a data item as Turbo does. The header is read as soon as it has arrived, the data goes to
//! a draft while it is hashed, and the draft becomes an item if the signature is right.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::StreamExt as _;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::ans104::{DataHash, Header, ItemError};
use super::store::ItemInfo;
use super::{Gateway, Refusal, height};

/// The type of an upload's body, and of items that do not say theirs.
pub(super) const OCTET_STREAM: &str = "application/octet-stream";

/// How much of a refused body is read to its end, so that the client gets the answer instead of a broken connection.
const DRAIN_BYTES: usize = 256 << 20;

impl From<ItemError> for Refusal {
    fn from(error: ItemError) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }
}

pub(super) async fn upload(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body) -> Response {
    let mut body = body.into_data_stream();
    match take(&gateway, &headers, &mut body).await {
        Ok(response) => response,
        Err(refusal) => {
            let mut drained = 0;
            while let Some(Ok(bytes)) = body.next().await {
                drained += bytes.len();
                if drained > DRAIN_BYTES {
                    break;
                }
            }
            refusal.into_response()
        }
    }
}

async fn take(gateway: &Arc<Gateway>, headers: &HeaderMap, body: &mut BodyDataStream) -> Result<Response, Refusal> {
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
    let Ok(_place) = gateway.uploads.try_acquire() else {
        return Err(Refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many uploads at once; try again".to_owned(),
        ));
    };

    let Received { header, draft } = receive(gateway, body).await?;
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
    };
    let (keeper, kept_id) = (Arc::clone(gateway), id.clone());
    let kept = tokio::task::spawn_blocking(move || keeper.store.keep(draft, &kept_id, &info)).await;
    match kept.map_err(std::io::Error::other)?? {
        true => Ok(Json(gateway.key.receipt(&id, &owner, height, now)).into_response()),
        false => Err(known_already(&id)),
    }
}

/// An item that has arrived whole and is signed by its owner.
struct Received {
    header: Header,
    draft: NamedTempFile,
}

async fn receive(gateway: &Gateway, body: &mut BodyDataStream) -> Result<Received, Refusal> {
    let draft = gateway.store.draft()?;
    let mut file = tokio::fs::File::from_std(draft.reopen()?);
    let mut begin = Vec::new();
    let mut header: Option<Header> = None;
    let mut hash = DataHash::default();
    let mut size = 0u64;
    while let Some(chunk) = body.next().await {
        let cut = |e| {
            Refusal(
                StatusCode::BAD_REQUEST,
                format!("Data item parsing error! The upload broke off: {e}"),
            )
        };
        let chunk = chunk.map_err(cut)?;
        size += chunk.len() as u64;
        check_size(gateway, size)?;
        if header.is_some() {
            hash.update(&chunk);
            file.write_all(&chunk).await?;
            continue;
        }
        begin.extend_from_slice(&chunk);
        if let Some(read) = Header::read(&begin)? {
            let id = read.id();
            if gateway.store.contains(&id) {
                return Err(known_already(&id));
            }
            hash.update(&begin[read.length..]);
            file.write_all(&begin[read.length..]).await?;
            header = Some(read);
            begin = Vec::new();
        }
    }
    let header = header.ok_or(ItemError::Truncated)?;
    file.flush().await?;
    header.verify(hash)?;
    Ok(Received { header, draft })
}

/// Refuses an item that is too large, or too large to cost nothing.
fn check_size(gateway: &Gateway, bytes: u64) -> Result<(), Refusal> {
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

fn known_already(id: &str) -> Refusal {
    Refusal(
        StatusCode::CONFLICT,
        format!("Data item with ID {id} has already been uploaded to this service!"),
    )
}
