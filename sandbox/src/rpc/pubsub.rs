//! Subscriptions over WebSocket: `logs` and `signature`, which are all that Chartseal and Solana's Rust client use.
//!
//! A transaction is told of once it is durable, and to every connection that listens at that time, in order. A connection
//! that falls too far behind is closed rather than given a stream with a hole in it: its owner reconnects and asks
//! for what it missed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde_json::{Value, json};
use solana_address::Address;
use solana_rpc_client_api::config::{RpcSignatureSubscribeConfig, RpcTransactionLogsConfig, RpcTransactionLogsFilter};
use solana_signature::Signature;
use tokio::sync::broadcast::error::RecvError;

use super::encode::with_context;
use super::error::RpcError;
use super::params::{Params, Room, parse_address, parse_signature};
use super::transactions::{error_json, logs};
use super::{Request, Shared, blocks, failure};
use crate::ledger::Executed;

/// The most subscriptions of one connection.
const MAX_SUBSCRIPTIONS: usize = 1_024;

/// The largest message that a client may send.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Ids are unique in the whole process, so that a client cannot mistake one connection's for another's.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What a subscription waits for.
#[derive(Debug)]
enum Topic {
    Logs(Option<Address>),
    Signature(Signature),
}

pub(super) async fn upgrade(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| serve(shared, socket))
}

/// Why a connection ends.
enum End {
    /// The client went, or the network.
    Gone,
    /// The client reads too slowly.
    Behind(u64),
}

impl From<axum::Error> for End {
    fn from(_: axum::Error) -> Self {
        Self::Gone
    }
}

async fn serve(shared: Shared, mut socket: WebSocket) {
    let stop = shared.stop.clone();
    // Listening begins before the first subscription is answered: nothing falls between.
    let mut connection = Connection {
        events: shared.ledger.events(),
        shared,
        topics: BTreeMap::new(),
    };
    let close = tokio::select! {
        () = stop.cancelled() => Some((close_code::AWAY, "the sandbox stops".to_owned())),
        end = connection.run(&mut socket) => match end {
            End::Gone => None,
            End::Behind(missed) => {
                tracing::warn!(missed, "a subscriber reads too slowly; its connection is closed");
                Some((close_code::AGAIN, format!("{missed} notifications behind; reconnect and ask for what you missed")))
            }
        },
    };
    if let Some((code, reason)) = close {
        // The other side may be gone already.
        let _ = socket
            .send(Message::Close(Some(CloseFrame {
                code,
                reason: reason.into(),
            })))
            .await;
    }
}

struct Connection {
    shared: Shared,
    events: tokio::sync::broadcast::Receiver<Arc<Executed>>,
    topics: BTreeMap<u64, Topic>,
}

impl Connection {
    async fn run(&mut self, socket: &mut WebSocket) -> End {
        loop {
            let done = tokio::select! {
                message = socket.recv() => match message {
                    Some(Ok(message)) => self.receive(socket, message).await,
                    _ => Err(End::Gone),
                },
                event = self.events.recv() => match event {
                    Ok(executed) => self.publish(socket, &executed).await,
                    Err(RecvError::Lagged(missed)) => Err(End::Behind(missed)),
                    Err(RecvError::Closed) => Err(End::Gone),
                },
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn receive(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(End::Gone),
            // Pings are answered by the protocol's implementation.
            _ => return Ok(()),
        };
        let request = serde_json::from_str(&text)
            .map_err(|_| RpcError::parse_error())
            .and_then(Request::read);
        let Request { id, method, params } = match request {
            Ok(request) => request,
            Err(error) => return say(socket, &failure(&Value::Null, &error)).await,
        };
        let id = id.unwrap_or(Value::Null);
        match self.call(&method, params) {
            Ok(result) => {
                say(socket, &json!({ "jsonrpc": "2.0", "result": result, "id": id })).await?;
                self.catch_up(socket, &method, &result).await
            }
            Err(error) => say(socket, &failure(&id, &error)).await,
        }
    }

    fn call(&mut self, method: &str, params: Option<Value>) -> Result<Value, RpcError> {
        let mut params = Params::new(params, &Room::new())?;
        let topic = match method {
            "logsSubscribe" => logs_topic(&mut params)?,
            "signatureSubscribe" => {
                let signature = parse_signature(&params.required::<String>("signature")?)?;
                let _: RpcSignatureSubscribeConfig = params.config()?;
                Topic::Signature(signature)
            }
            "logsUnsubscribe" | "signatureUnsubscribe" => {
                let id: u64 = params.required("subscription")?;
                params.end()?;
                return match self.topics.remove(&id) {
                    Some(_) => Ok(json!(true)),
                    None => Err(RpcError::invalid_params("Invalid subscription id.")),
                };
            }
            "getVersion" => return blocks::get_version(),
            _ => return Err(RpcError::method_not_found()),
        };
        params.end()?;
        if self.topics.len() >= MAX_SUBSCRIPTIONS {
            return Err(RpcError::internal(
                "Internal Error: Subscription refused. Node subscription limit reached",
            ));
        }
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        self.topics.insert(id, topic);
        Ok(json!(id))
    }

    /// Who subscribes to a transaction that is there already is told of it at once, and once: other subscriptions have
    /// heard of it or will.
    async fn catch_up(&mut self, socket: &mut WebSocket, method: &str, result: &Value) -> Result<(), End> {
        let Some(id) = result.as_u64().filter(|_| method == "signatureSubscribe") else {
            return Ok(());
        };
        let Some(&Topic::Signature(signature)) = self.topics.get(&id) else {
            return Ok(());
        };
        let found = self
            .shared
            .ledger
            .run(move |chain| chain.history().get(&signature).cloned())
            .await;
        match found {
            Ok(Some(executed)) => self.tell(socket, id, &executed).await,
            Ok(None) => Ok(()),
            Err(_) => Err(End::Gone),
        }
    }

    async fn publish(&mut self, socket: &mut WebSocket, executed: &Executed) -> Result<(), End> {
        let concerned = |topic: &Topic| match topic {
            Topic::Logs(mentioned) => mentioned.is_none_or(|address| executed.mentions(&address)),
            Topic::Signature(signature) => *signature == executed.signature,
        };
        let ids: Vec<u64> = self
            .topics
            .iter()
            .filter(|(_, topic)| concerned(topic))
            .map(|(&id, _)| id)
            .collect();
        for id in ids {
            self.tell(socket, id, executed).await?;
        }
        Ok(())
    }

    /// Tells one subscription of a transaction. A signature is told of once.
    async fn tell(&mut self, socket: &mut WebSocket, id: u64, executed: &Executed) -> Result<(), End> {
        let (value, notification) = match self.topics.get(&id) {
            Some(Topic::Logs(_)) => (logs(executed), "logsNotification"),
            Some(Topic::Signature(_)) => {
                self.topics.remove(&id);
                (json!({ "err": error_json(executed) }), "signatureNotification")
            }
            None => return Ok(()),
        };
        let result = with_context(executed.slot, value).map_err(|_| End::Gone)?;
        let notification = json!({
            "jsonrpc": "2.0",
            "method": notification,
            "params": { "result": result, "subscription": id },
        });
        say(socket, &notification).await
    }
}

fn logs_topic(params: &mut Params) -> Result<Topic, RpcError> {
    let filter: RpcTransactionLogsFilter = params.required("filter")?;
    let _: Option<RpcTransactionLogsConfig> = params.optional("config")?;
    match filter {
        RpcTransactionLogsFilter::All | RpcTransactionLogsFilter::AllWithVotes => Ok(Topic::Logs(None)),
        RpcTransactionLogsFilter::Mentions(addresses) => match addresses.as_slice() {
            [address] => Ok(Topic::Logs(Some(parse_address(address)?))),
            _ => Err(RpcError::invalid_params("Invalid Request: Only 1 address supported")),
        },
    }
}

async fn say(socket: &mut WebSocket, message: &Value) -> Result<(), End> {
    Ok(socket.send(Message::Text(message.to_string().into())).await?)
}
