//! The nodes that a ledger is reached over. What one does not answer is asked of the next; one that asks for peace (429)
//! is left in peace for as long as it says. All must be of one cluster: none is used before its genesis was compared.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use solana_rpc_client::rpc_sender::{RpcSender, RpcTransportStats};
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind, Result as ClientResult},
    custom_error::{JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY, JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE},
    error_object::RpcErrorObject,
    request::{RpcError, RpcRequest, RpcResponseErrorData},
};
use tokio::sync::OnceCell;

use super::error::may_pass;
use crate::backoff::Backoff;

/// How long a single call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer that is read: what is listed of the contract's accounts is far shorter.
const LONGEST_ANSWER: usize = 64 << 20;

/// How often those that ask for peace are asked, where no other node answers.
const ROUNDS: u32 = 6;

/// The longest that a node is left in peace, whatever it says.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long one is left in peace that does not say how long.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), LONGEST_PAUSE);

/// Several nodes that answer as one.
pub(super) struct Nodes {
    client: Result<Client, String>,
    nodes: Vec<Node>,
    /// Which node answered last.
    current: Arc<AtomicUsize>,
    /// The genesis hash of the cluster: what was given, or that of the first node that told its own.
    cluster: OnceCell<String>,
    requests: AtomicU64,
    longest_answer: usize,
}

struct Node {
    url: String,
    /// Its genesis hash, once it told.
    genesis: OnceCell<String>,
    /// Until when it is left in peace.
    rests: Mutex<Option<Instant>>,
}

/// Why a node gave no answer.
enum Failure {
    /// It asks for peace.
    Limited(Option<Duration>),
    /// Something else.
    Other(ClientError),
}

impl Nodes {
    /// Nodes at these addresses, of a cluster with this genesis hash where one is given.
    pub(super) fn new(urls: &[String], cluster: Option<String>) -> Self {
        let client = Client::builder().timeout(CALL_TIMEOUT).build();
        let node = |url: &String| Node {
            url: url.clone(),
            genesis: OnceCell::new(),
            rests: Mutex::default(),
        };
        Self {
            client: client.map_err(|error| error.to_string()),
            nodes: urls.iter().map(node).collect(),
            current: Arc::default(),
            cluster: OnceCell::new_with(cluster),
            requests: AtomicU64::new(0),
            longest_answer: LONGEST_ANSWER,
        }
    }

    /// Which of the nodes answered last, as it changes.
    pub(super) fn current(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.current)
    }

    async fn ask(&self, request: RpcRequest, params: Value) -> ClientResult<Value> {
        // Another node that was asked to look before it sends might refuse what the first has sent on.
        let ends_here = request == RpcRequest::SendTransaction && params[1]["skipPreflight"] != json!(true);
        if self.nodes.is_empty() {
            return Err(custom("no address of a node is named"));
        }
        let mut failed: Vec<(usize, ClientError)> = Vec::new();
        for round in 0..ROUNDS {
            let mut has_resting = false;
            let first = self.current.load(Ordering::Relaxed);
            for index in (0..self.nodes.len()).map(|step| (first + step) % self.nodes.len()) {
                let Some(node) = self.nodes.get(index) else { continue };
                // It was asked, and may have been silent for long.
                if failed.iter().any(|(which, _)| *which == index) {
                    continue;
                }
                if node.is_resting() {
                    has_resting = true;
                    continue;
                }
                match self.ask_one(node, request, &params).await {
                    Ok(answer) => {
                        self.current.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(Failure::Limited(pause)) => {
                        has_resting = true;
                        node.rest(pause.unwrap_or_else(|| PAUSES.pause(round)));
                    }
                    Err(Failure::Other(error)) if goes_on(&error) && !ends_here => failed.push((index, error)),
                    Err(Failure::Other(error)) => return Err(error),
                }
            }
            // Those that failed were asked; those that ask for peace get it, and are asked again.
            if !has_resting {
                break;
            }
            // Not all at the same moment.
            tokio::time::sleep(self.shortest_rest() + PAUSES.pause(0)).await;
        }
        Err(failed.pop().map_or_else(
            || custom("it takes no more requests for now (429); try again later, or name another (--rpc)"),
            |(_, error)| error,
        ))
    }

    async fn ask_one(&self, node: &Node, request: RpcRequest, params: &Value) -> Result<Value, Failure> {
        if self.nodes.len() > 1 || self.cluster.initialized() {
            self.check_cluster(node).await?;
        }
        self.post(node, request, params).await
    }

    /// Refuses a node that is of another cluster.
    async fn check_cluster(&self, node: &Node) -> Result<(), Failure> {
        let ask = || async {
            let answer = self.post(node, RpcRequest::GetGenesisHash, &Value::Null).await?;
            let hash = answer.as_str().map(str::to_owned);
            hash.ok_or_else(|| Failure::Other(custom("it does not tell its genesis hash")))
        };
        let genesis = node.genesis.get_or_try_init(ask).await?;
        let cluster = self.cluster.get_or_init(|| async { genesis.clone() }).await;
        if genesis == cluster {
            return Ok(());
        }
        Err(Failure::Other(custom(&format!(
            "{} is of another cluster: its genesis is {genesis}, not {cluster}",
            shown(&node.url)
        ))))
    }

    async fn post(&self, node: &Node, request: RpcRequest, params: &Value) -> Result<Value, Failure> {
        let client = self.client.as_ref().map_err(|error| Failure::Other(custom(error)))?;
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let body = request.build_request_json(id, params.clone());
        let sent = client.post(&node.url).json(&body).send().await.map_err(http)?;
        if sent.status() == StatusCode::TOO_MANY_REQUESTS {
            let asked = sent.headers().get(header::RETRY_AFTER);
            let seconds = asked.and_then(|text| text.to_str().ok()?.trim().parse().ok());
            return Err(Failure::Limited(seconds.map(Duration::from_secs)));
        }
        let mut sent = sent.error_for_status().map_err(http)?;
        let mut body = Vec::new();
        while let Some(chunk) = sent.chunk().await.map_err(http)? {
            if body.len().saturating_add(chunk.len()) > self.longest_answer {
                return Err(Failure::Other(custom("its answer has no end")));
            }
            body.extend_from_slice(&chunk);
        }
        let parsed = serde_json::from_slice(&body);
        let mut answer: Value = parsed.map_err(|error| Failure::Other(ErrorKind::SerdeJson(error).into()))?;
        // Looked for and not indexed: what answers may be no object at all.
        match (answer.get("error").cloned(), answer.get_mut("result").map(Value::take)) {
            (Some(error), _) if !error.is_null() => Err(Failure::Other(told(error))),
            (_, Some(result)) => Ok(result),
            _ => Err(Failure::Other(custom("it answered, but not in JSON-RPC"))),
        }
    }

    /// How long until the first of the nodes that ask for peace may be asked again; nothing where one may be already.
    fn shortest_rest(&self) -> Duration {
        let now = Instant::now();
        let rests = self.nodes.iter().filter_map(|node| *node.resting());
        let ahead = rests.filter_map(|until| until.checked_duration_since(now));
        ahead.min().unwrap_or_default()
    }
}

impl Node {
    fn rest(&self, pause: Duration) {
        *self.resting() = Some(Instant::now() + pause.min(LONGEST_PAUSE));
    }

    fn is_resting(&self) -> bool {
        self.resting().is_some_and(|until| until > Instant::now())
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RpcSender for Nodes {
    fn send<'a, 'b>(
        &'a self,
        request: RpcRequest,
        params: Value,
    ) -> Pin<Box<dyn Future<Output = ClientResult<Value>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.ask(request, params))
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        self.nodes
            .iter()
            .map(|node| shown(&node.url))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// An address as it may be shown: keys that providers put into it are left out.
pub(super) fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
            let host = host.rsplit('@').next().unwrap_or_default();
            let slash = if path.is_empty() { "" } else { "/…" };
            format!("{scheme}://{host}{slash}")
        }
        None => plain.to_owned(),
    }
}

/// Whether the next node is asked after this: the line failed, or the node says itself that it is behind.
fn goes_on(error: &ClientError) -> bool {
    match &*error.kind {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => *code == JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY,
        _ => may_pass(error),
    }
}

/// The error that a node told.
fn told(error: Value) -> ClientError {
    let data = error["data"].clone();
    let Ok(RpcErrorObject { code, message }) = serde_json::from_value(error) else {
        return custom("it answered with an error that is none");
    };
    let data = match code {
        JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE => serde_json::from_value(data).map_or(
            RpcResponseErrorData::Empty,
            RpcResponseErrorData::SendTransactionPreflightFailure,
        ),
        _ => RpcResponseErrorData::Empty,
    };
    ErrorKind::RpcError(RpcError::RpcResponseError { code, message, data }).into()
}

fn http(error: reqwest::Error) -> Failure {
    Failure::Other(ErrorKind::Reqwest(error.without_url()).into())
}

fn custom(what: &str) -> ClientError {
    ErrorKind::Custom(what.to_owned()).into()
}

#[cfg(test)]
mod tests;
