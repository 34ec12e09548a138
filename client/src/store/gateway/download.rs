//! `GET /{id}`, whole or a range. The body is read up to what may come and not a byte further, for as long as that many
//! bytes may take.

use std::ops::Range;

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};

use super::retry::Attempt;
use super::{Gateway, common_failure, no_response};
use crate::store::{ItemId, StoreError, buffer};

pub(super) async fn download(
    gateway: &Gateway,
    id: ItemId,
    range: Option<Range<u64>>,
    limit: u64,
) -> Result<Vec<u8>, Attempt> {
    if range.as_ref().is_some_and(Range::is_empty) {
        // HTTP has no empty range.
        return Ok(Vec::new());
    }
    let expected = range
        .as_ref()
        .map_or(limit, |range| (range.end - range.start).min(limit));
    let mut request = gateway
        .downloads
        .get(gateway.url(&id.to_string()).map_err(Attempt::over)?)
        .timeout(gateway.options.time_for(expected));
    if let Some(Range { start, end }) = &range {
        request = request.header(RANGE, format!("bytes={start}-{}", end - 1));
    }
    let response = request.send().await.map_err(|error| no_response(&error))?;
    match (response.status(), range) {
        (StatusCode::OK, None) => read_body(response, id, limit, None).await,
        (StatusCode::PARTIAL_CONTENT, Some(range)) => {
            check_range(&response, id, &range)?;
            let len = range.end - range.start;
            read_body(response, id, len.min(limit), Some(len)).await
        }
        (StatusCode::OK, Some(_)) => Err(Attempt::over(StoreError::RangeIgnored {
            detail: "it answered with the whole item".to_owned(),
        })),
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(range)) => {
            Err(Attempt::over(StoreError::OutOfRange { id, end: range.end }))
        }
        (StatusCode::NOT_FOUND, _) => Err(Attempt::over(StoreError::NotFound { id })),
        _ => Err(common_failure(response).await),
    }
}

/// Holds `Content-Range: bytes a-b/n` against what was asked for. A range cut short by the item's end is told apart
/// from another range: it means that the item is another one.
fn check_range(response: &Response, id: ItemId, asked: &Range<u64>) -> Result<(), Attempt> {
    let header = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match Served::read(header) {
        Some(served) if served.first == asked.start && served.last == asked.end - 1 => Ok(()),
        Some(served) if served.first == asked.start && served.length.is_some_and(|length| length < asked.end) => {
            Err(Attempt::over(StoreError::OutOfRange { id, end: asked.end }))
        }
        _ => {
            let shown: String = header.chars().take(60).collect();
            let detail = format!(
                "asked for bytes {}-{}, it answered `{shown}`",
                asked.start,
                asked.end - 1
            );
            Err(Attempt::over(StoreError::RangeIgnored { detail }))
        }
    }
}

/// What a `Content-Range` says (RFC 9110, section 14.4).
#[derive(Debug, PartialEq, Eq)]
struct Served {
    first: u64,
    last: u64,
    /// The whole item's; `None` where the server does not know it (`*`).
    length: Option<u64>,
}

impl Served {
    fn read(header: &str) -> Option<Self> {
        let (unit, rest) = header.trim().split_once(' ')?;
        let (range, length) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let length = match length {
            "*" => None,
            length => Some(length.parse().ok()?),
        };
        let served = Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            length,
        };
        unit.eq_ignore_ascii_case("bytes").then_some(served)
    }
}

async fn read_body(mut response: Response, id: ItemId, limit: u64, exact: Option<u64>) -> Result<Vec<u8>, Attempt> {
    let announced = response.content_length();
    if announced.is_some_and(|announced| announced > limit) {
        return Err(Attempt::over(StoreError::TooLong { id, limit }));
    }
    let mut body = buffer(usize::try_from(announced.or(exact).unwrap_or(0).min(limit)).unwrap_or(0));
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                if (body.len() as u64).saturating_add(chunk.len() as u64) > limit {
                    return Err(Attempt::over(StoreError::TooLong { id, limit }));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    let got = body.len() as u64;
    let expected = exact.or(announced).unwrap_or(limit);
    if broken || exact.is_some_and(|exact| exact != got) {
        return Err(Attempt::again(StoreError::Truncated { id, expected, got }));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_as_the_standard_has_them() {
        let served = |first, last, length| Some(Served { first, last, length });
        assert_eq!(Served::read("bytes 10-19/100"), served(10, 19, Some(100)));
        assert_eq!(Served::read("Bytes 0-0/*"), served(0, 0, None));
        for wrong in [
            "",
            "bytes",
            "bytes */100",
            "bytes 1-/5",
            "items 0-1/2",
            "bytes 0-1",
            "bytes 0-1/x",
            "bytes -1-2/3",
        ] {
            assert_eq!(Served::read(wrong), None, "{wrong}");
        }
    }
}
