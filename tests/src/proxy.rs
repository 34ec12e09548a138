//! A bad line: an HTTP proxy before the ledger's JSON-RPC or the gateway, which passes everything on but what it is told
//! to spoil. It listens on the loopback and ends when dropped.

pub mod tunnel;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::kills::Dice;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is that there is nothing (`result: null`). It is not passed on.
    Null,
    /// The answer is an empty list. It is not passed on.
    Empty,
    /// The answer is a JSON-RPC error of this code. It is not passed on.
    Error(i64),
    /// The answer is that there were too many (429), and to come back in a second. It is not passed on.
    TooMany,
    /// It is passed on, and the answer is lost: 502.
    LostAnswer,
    /// It is not passed on, and the connection breaks in the middle of an answer.
    Break,
    /// It is passed on; half of the answer comes, and then nothing more.
    Stall,
}

/// Requests are known by their method in JSON-RPC, others by that of HTTP.
#[derive(Debug)]
struct Rule {
    method: String,
    fault: Fault,
    /// Requests that pass before the fault begins.
    spared: usize,
    /// Requests that the fault befalls after that.
    left: usize,
}

/// Of the answers, one in so many is lost.
#[derive(Debug)]
struct Weather {
    one_in: u64,
    dice: Dice,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    asked: HashMap<String, usize>,
    weather: Option<Weather>,
    cut: bool,
}

impl State {
    fn fault_of(&mut self, method: &str) -> Option<Fault> {
        *self.asked.entry(method.to_owned()).or_default() += 1;
        if self.cut {
            return Some(Fault::Break);
        }
        if let Some(Weather { one_in, dice }) = &mut self.weather
            && dice.below(*one_in) == 0
        {
            return Some(Fault::LostAnswer);
        }
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.method == method && rule.left > 0)?;
        if rule.spared > 0 {
            rule.spared -= 1;
            return None;
        }
        rule.left -= 1;
        Some(rule.fault)
    }
}

/// The proxy.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

/// The largest request or answer that it passes on, in bytes.
const LIMIT: usize = 64 << 20;

impl Proxy {
    /// A proxy before a server; nothing is spoilt yet.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn before(upstream: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start a proxy")?;
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .context("cannot listen")?;
        let url = format!("http://{}", listener.local_addr().context("cannot listen")?);
        let state = Arc::new(Mutex::new(State::default()));
        let line = Line {
            upstream: upstream.to_owned(),
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .context("cannot make a client")?,
            state: Arc::clone(&state),
        };
        let app = Router::new().fallback(move |request: Request| {
            let line = line.clone();
            async move { line.pass(request).await }
        });
        // It serves until the runtime is dropped.
        runtime.spawn(async move { axum::serve(listener, app).await });
        Ok(Self {
            url,
            state,
            runtime: Some(runtime),
        })
    }

    /// The next so many requests of a method go wrong.
    pub fn spoil(&self, method: &str, fault: Fault, times: usize) {
        self.spoil_after(method, fault, 0, times);
    }

    /// So many requests of a method pass, and the next so many go wrong.
    pub fn spoil_after(&self, method: &str, fault: Fault, spared: usize, times: usize) {
        let rule = Rule {
            method: method.to_owned(),
            fault,
            spared,
            left: times,
        };
        self.lock().rules.push(rule);
    }

    /// From now on one answer in so many is lost, drawn by dice of this seed.
    pub fn lose_one_in(&self, one_in: u64, seed: u64) {
        let dice = Dice::new(seed);
        self.lock().weather = Some(Weather { one_in, dice });
    }

    /// Cuts the line: nothing is passed on, and no answer comes, until it is mended.
    pub fn cut(&self) {
        self.lock().cut = true;
    }

    /// From now on everything passes.
    pub fn mend(&self) {
        let mut state = self.lock();
        state.rules.clear();
        state.weather = None;
        state.cut = false;
    }

    /// Mends a line that was cut; what is to go wrong otherwise goes on.
    pub fn splice(&self) {
        self.lock().cut = false;
    }

    /// How many faults are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        self.lock().rules.iter().map(|rule| rule.left).sum()
    }

    /// How often a method was asked for.
    #[must_use]
    pub fn asked(&self, method: &str) -> usize {
        self.lock().asked.get(method).copied().unwrap_or(0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a request needs to go on.
#[derive(Clone, Debug)]
struct Line {
    upstream: String,
    client: reqwest::Client,
    state: Arc<Mutex<State>>,
}

impl Line {
    async fn pass(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LIMIT).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let call: Value = serde_json::from_slice(&body).unwrap_or_default();
        let method = call["method"].as_str().unwrap_or(parts.method.as_str());
        let answer = |key: &str, value: Value| {
            axum::Json(json!({ "jsonrpc": "2.0", "id": call["id"], key: value })).into_response()
        };
        let fault = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fault_of(method);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        match fault {
            None => {
                let answer = self.forward(parts.method, path, parts.headers, body).await;
                // Of what was under way when the line was cut, no answer comes either.
                if self.is_cut() { broken() } else { answer }
            }
            Some(Fault::Null) => answer("result", Value::Null),
            Some(Fault::Empty) => answer("result", json!([])),
            Some(Fault::Error(code)) => answer("error", json!({ "code": code, "message": "the proxy spoils it" })),
            Some(Fault::TooMany) => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
            Some(Fault::LostAnswer) => {
                self.forward(parts.method, path, parts.headers, body).await;
                (StatusCode::BAD_GATEWAY, "the proxy lost it").into_response()
            }
            Some(Fault::Break) => broken(),
            Some(Fault::Stall) => stalled(self.forward(parts.method, path, parts.headers, body).await).await,
        }
    }

    fn is_cut(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).cut
    }

    async fn forward(&self, method: Method, path: &str, mut headers: HeaderMap, body: Bytes) -> Response {
        // They are about this connection, not about the next.
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let request = self
            .client
            .request(method, format!("{}{path}", self.upstream))
            .headers(headers)
            .body(body);
        let passed = async {
            let answer = request.send().await?;
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            headers.remove(header::TRANSFER_ENCODING);
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?).into_response())
        };
        passed
            .await
            .unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
    }
}

/// An answer that breaks off.
fn broken() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::other("the proxy breaks it")) });
    ([(header::CONTENT_LENGTH, "100")], Body::from_stream(broken)).into_response()
}

/// An answer of which half comes.
async fn stalled(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, LIMIT).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    let chunks = stream::iter([Ok::<_, io::Error>(half)]).chain(stream::pending());
    let mut answer = Response::from_parts(parts, Body::from_stream(chunks));
    answer.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    answer
}
