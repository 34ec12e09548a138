//! A gateway on 127.0.0.1 that does what a test tells it to, over real HTTP, and remembers what it was asked.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chartseal::store::ans104::ParsedItem;
use chartseal::store::{Gateway, GatewayOptions};
use futures_util::{StreamExt as _, stream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn range(&self) -> Option<&str> {
        self.headers.get(header::RANGE).map(|value| value.to_str().unwrap())
    }
}

/// The server; it stops when dropped.
pub struct TestGateway {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TestGateway {
    /// A server that answers with `answer`, given the request and how many came before it.
    pub async fn answering(answer: impl Fn(&Asked, usize) -> Response + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        let app = Router::new()
            .fallback(move |request: Request| {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                async move {
                    let (parts, body) = request.into_parts();
                    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
                    let path = parts.uri.path().to_owned();
                    let now = Asked {
                        method: parts.method,
                        path,
                        headers: parts.headers,
                        body,
                    };
                    let before = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(now.clone());
                        seen.len() - 1
                    };
                    answer(&now, before)
                }
            })
            .layer(DefaultBodyLimit::disable());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, asked, server }
    }

    /// A server that keeps what it is sent and serves it, with ranges, as a gateway does.
    pub async fn honest() -> Self {
        let items: Mutex<HashMap<String, Vec<u8>>> = Mutex::default();
        Self::answering(move |asked, _| match asked.method {
            Method::POST => {
                let item = ParsedItem::parse(&asked.body).unwrap();
                item.verify().unwrap();
                items
                    .lock()
                    .unwrap()
                    .insert(format!("/{}", item.id()), item.data.to_vec());
                receipt(&item.id().to_string())
            }
            _ => match items.lock().unwrap().get(&asked.path) {
                Some(data) => serve(data, asked.range()),
                None => StatusCode::NOT_FOUND.into_response(),
            },
        })
        .await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// A client that tries three times without waiting long.
    pub fn client(&self) -> Gateway {
        Gateway::new(&self.url, patient()).unwrap()
    }
}

/// Three tries, pauses of milliseconds.
pub fn patient() -> GatewayOptions {
    GatewayOptions {
        attempts: 3,
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(20),
        ..GatewayOptions::default()
    }
}

/// Turbo's receipt for an item.
pub fn receipt(id: &str) -> Response {
    let body = format!(
        r#"{{"id":"{id}","timestamp":1700000000000,"winc":"0","version":"0.2.0","deadlineHeight":1500000,
        "dataCaches":["127.0.0.1"],"fastFinalityIndexes":[],"public":"pub","signature":"sig","owner":"owner"}}"#
    );
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Serves bytes, or of the range that was asked for as much as there is (RFC 9110, section 14).
pub fn serve(data: &[u8], range: Option<&str>) -> Response {
    let Some(range) = range else {
        return data.to_vec().into_response();
    };
    let (start, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (start, last): (usize, usize) = (start.parse().unwrap(), last.parse().unwrap());
    if start >= data.len() {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    }
    let last = last.min(data.len() - 1);
    let content_range = format!("bytes {start}-{last}/{}", data.len());
    let part = data[start..=last].to_vec();
    (
        StatusCode::PARTIAL_CONTENT,
        [(header::CONTENT_RANGE, content_range)],
        part,
    )
        .into_response()
}

/// Announces `announced` bytes, sends fewer, and hangs up.
pub fn half_of(data: &[u8], announced: usize) -> Response {
    let sent = Bytes::copy_from_slice(&data[..announced / 2]);
    let hang_up = async {
        // Only once what was sent is on the wire.
        tokio::time::sleep(Duration::from_millis(30)).await;
        Err(std::io::Error::other("the test hangs up"))
    };
    let chunks = stream::iter([Ok(sent)]).chain(stream::once(hang_up));
    Response::builder()
        .header(header::CONTENT_LENGTH, announced)
        .body(Body::from_stream(chunks))
        .unwrap()
}
