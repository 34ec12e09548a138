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

/// How often all nodes are asked where all of them ask for peace.
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
        }
    }

    /// Which of the nodes answered last, as it changes.
    pub(super) fn current(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.current)
    }

    async fn ask(&self, request: RpcRequest, params: Value) -> ClientResult<Value> {
        // Another node that was asked to look before it sends might refuse what the first has sent on.
        let ends_here = request == RpcRequest::SendTransaction && params[1]["skipPreflight"] != json!(true);
        let mut failed = None;
        for round in 0..ROUNDS {
            let first = self.current.load(Ordering::Relaxed);
            for index in (0..self.nodes.len()).map(|step| (first + step) % self.nodes.len()) {
                let Some(node) = self.nodes.get(index).filter(|node| !node.is_resting()) else {
                    continue;
                };
                match self.ask_one(node, request, &params).await {
                    Ok(answer) => {
                        self.current.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(Failure::Limited(pause)) => node.rest(pause.unwrap_or_else(|| PAUSES.pause(round))),
                    Err(Failure::Other(error)) if goes_on(&error) && !ends_here => failed = Some(error),
                    Err(Failure::Other(error)) => return Err(error),
                }
            }
            // Those that failed were asked; those that ask for peace get it, and are asked again.
            let Some(pause) = self.shortest_rest().filter(|_| failed.is_none()) else {
                break;
            };
            // Not all at the same moment.
            tokio::time::sleep(pause + PAUSES.pause(0)).await;
        }
        Err(failed.unwrap_or_else(|| {
            custom("it takes no more requests for now (429); try again later, or name another (--rpc)")
        }))
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
        let answer = sent.error_for_status().map_err(http)?;
        let mut answer: Value = answer.json().await.map_err(http)?;
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(Failure::Other(told(error))),
        }
    }

    /// How long until the first of the nodes that ask for peace may be asked again.
    fn shortest_rest(&self) -> Option<Duration> {
        let rests = self.nodes.iter().filter_map(|node| *node.resting());
        rests.map(|until| until.saturating_duration_since(Instant::now())).min()
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
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_a_key() {
        assert_eq!(shown("http://127.0.0.1:8899"), "http://127.0.0.1:8899");
        assert_eq!(shown("http://127.0.0.1:8899/"), "http://127.0.0.1:8899");
        assert_eq!(
            shown("https://me:secret@node.example/?api-key=1"),
            "https://node.example"
        );
        assert_eq!(shown("https://node.example/v2/secret"), "https://node.example/…");
        assert_eq!(shown("nonsense"), "nonsense");
    }
}
