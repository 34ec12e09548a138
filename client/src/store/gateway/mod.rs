//! The client of an Arweave gateway: uploads of data items as Turbo takes them, downloads with and without ranges. What
//! a gateway says about lengths is never believed: bodies are bounded by what the caller expects, and a body that ends
//! early, a range that is not the one asked for, or a receipt for something else each have an error of their own.
//! Failures that pass by themselves are tried again, a bounded number of times.

mod download;
mod parts;
pub(super) mod price;
pub(super) mod retry;
mod upload;

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};

pub use self::parts::PARTS_ABOVE;
use self::retry::Attempt;
use super::ans104::SignedItem;
use super::{BlobStore, ItemId, Price, StoreError};

/// How patient a gateway client is.
#[derive(Debug, Clone, Copy)]
pub struct GatewayOptions {
    /// Tries for each request, at least one.
    pub attempts: u32,
    /// The longest pause before the second try; each further one may be twice as long.
    pub first_pause: Duration,
    /// No pause is longer than this, whatever the server asks for.
    pub longest_pause: Duration,
    /// How long the server may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long the server may be silent, before and within a response. Bytes have more time, for each its share: see
    /// [`SLOWEST_UPLOAD`].
    pub silence_timeout: Duration,
    /// Items longer than this go up in parts, in bytes.
    pub parts_above: u64,
    /// Parts of an item that are under way at once, at least one.
    pub parts_at_once: usize,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(8),
            connect_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(60),
            parts_above: PARTS_ABOVE,
            parts_at_once: 4,
        }
    }
}

/// Bytes a second below which an upload counts as stuck, and a download.
pub const SLOWEST_UPLOAD: u64 = 16 * 1024;

/// The longest answer that is no item, and what the time is measured by that it may take.
const LONGEST_ANSWER: u64 = 1 << 20;

/// No request takes longer, however much is asked for.
const LONGEST_REQUEST: Duration = Duration::from_secs(24 * 3600);

impl GatewayOptions {
    /// How long a try may take that moves so many bytes.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        let moving = Duration::from_secs(bytes / SLOWEST_UPLOAD);
        self.silence_timeout.saturating_add(moving).min(LONGEST_REQUEST)
    }
}

/// An Arweave gateway over HTTP.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Gives up on a silent server, and on one that makes a short answer last.
    downloads: Client,
    /// Does not by itself: to it a server is silent for as long as our own bytes take to get there.
    uploads: Client,
    base: Url,
    options: GatewayOptions,
    unfinished: parts::Unfinished,
}

impl Gateway {
    /// A client for the gateway at `base`, for example `https://host` or `http://127.0.0.1:1984`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn new(base: &str, options: GatewayOptions) -> Result<Self, StoreError> {
        let bad = |detail: String| StoreError::bad_url(base, detail);
        let mut url = Url::parse(base).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(bad("it does not begin with http:// or https:// and a host".to_owned()));
        }
        if !url.path().ends_with('/') {
            // Without this, `join` would replace the last part of the path instead of adding to it.
            url.set_path(&format!("{}/", url.path()));
        }
        let client = || {
            let builder = Client::builder()
                .connect_timeout(options.connect_timeout)
                .user_agent(concat!("chartseal/", env!("CARGO_PKG_VERSION")));
            // A proxy cannot reach this machine's own loopback.
            if is_loopback(&url) { builder.no_proxy() } else { builder }
        };
        let build = |builder: ClientBuilder| builder.build().map_err(|error| bad(error.to_string()));
        let impatient = client().read_timeout(options.silence_timeout);
        let downloads = build(impatient.timeout(options.time_for(LONGEST_ANSWER)))?;
        let uploads = build(client())?;
        Ok(Self {
            downloads,
            uploads,
            base: url,
            options,
            unfinished: parts::Unfinished::default(),
        })
    }

    pub(super) fn options(&self) -> &GatewayOptions {
        &self.options
    }

    /// Gives up on a silent server.
    pub(super) fn downloads(&self) -> &Client {
        &self.downloads
    }

    /// Does not by itself: each request says how long it may take.
    pub(super) fn uploads(&self) -> &Client {
        &self.uploads
    }

    pub(super) fn url(&self, path: &str) -> Result<Url, StoreError> {
        self.base
            .join(path)
            .map_err(|error| StoreError::bad_url(self.base.as_str(), error))
    }
}

impl BlobStore for Gateway {
    fn name(&self) -> String {
        shown(&self.base)
    }

    async fn put(&self, item: &SignedItem) -> Result<(), StoreError> {
        if item.bytes().len() as u64 > self.options.parts_above {
            parts::upload(self, item).await
        } else {
            retry::with_retries(&self.options, move || upload::upload(self, item)).await
        }
    }

    fn get(
        &self,
        id: ItemId,
        range: Option<Range<u64>>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send {
        retry::with_retries(&self.options, move || {
            download::download(self, id, range.clone(), limit)
        })
    }

    fn has(&self, id: ItemId) -> impl Future<Output = Result<bool, StoreError>> + Send {
        retry::with_retries(&self.options, move || upload::has(self, id))
    }

    async fn price(&self, lengths: &[u64]) -> Result<Option<Price>, StoreError> {
        price::of_all(lengths, |length| {
            retry::with_retries(&self.options, move || price::of_upload(self, length))
        })
        .await
    }
}

/// An address as people are shown it: without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only where there is no place for a password.
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether an address is of this very machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A request that got no response.
pub(super) fn no_response(error: &reqwest::Error) -> Attempt {
    Attempt::again(StoreError::Unreachable {
        detail: innermost(error),
    })
}

/// What lies at the bottom of an error of reqwest, whose own text only repeats the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The statuses that mean the same for every request.
pub(super) async fn common_failure(response: Response) -> Attempt {
    let status = response.status();
    match status {
        StatusCode::TOO_MANY_REQUESTS => Attempt::after(StoreError::RateLimited, retry::asked_pause(&response)),
        _ if status.is_server_error() => {
            let pause = retry::asked_pause(&response);
            let failed = StoreError::ServerError {
                status: status.as_u16(),
                detail: detail(response).await,
            };
            Attempt::after(failed, pause)
        }
        _ => Attempt::over(StoreError::UnexpectedStatus {
            status: status.as_u16(),
            detail: detail(response).await,
        }),
    }
}

/// A short answer, read up to `limit` bytes and not further.
pub(super) async fn read_answer(
    mut response: Response,
    limit: usize,
    bad: impl Fn(String) -> StoreError,
) -> Result<Vec<u8>, Attempt> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(Attempt::over(bad(format!("it is longer than {limit} bytes"))));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Attempt::again(bad(innermost(&error)))),
        }
    }
}

/// Characters of a server's message that are worth showing.
const DETAIL_LEN: usize = 160;

/// What the server says about a failure: the beginning, printable.
pub(super) async fn detail(mut response: Response) -> String {
    let mut said = Vec::new();
    while said.len() < DETAIL_LEN {
        match response.chunk().await {
            Ok(Some(chunk)) => said.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&said);
    let shown: String = text.chars().filter(|c| !c.is_control()).take(DETAIL_LEN).collect();
    if shown.is_empty() {
        "it gives no reason".to_owned()
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_address_is_refused() {
        for address in ["", "gateway", "ftp://host", "file:///etc", "http://"] {
            assert!(
                matches!(
                    Gateway::new(address, GatewayOptions::default()),
                    Err(StoreError::BadUrl { .. })
                ),
                "{address}"
            );
        }
    }

    #[test]
    fn paths_are_added_to_the_address() {
        for base in ["http://localhost:1984/gate", "http://localhost:1984/gate/"] {
            let gateway = Gateway::new(base, GatewayOptions::default()).unwrap();
            assert_eq!(
                gateway.url("v1/tx/solana").unwrap().as_str(),
                "http://localhost:1984/gate/v1/tx/solana"
            );
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(loopback("http://localhost") && loopback("http://127.0.0.1:3") && loopback("http://[::1]"));
        assert!(!loopback("https://gateway.example") && !loopback("http://10.0.0.1"));
    }
}
