//! Subscriptions over WebSocket: `logs` and `signature`, which are all that Chartseal and Solana's Rust client use, and
//! `slot`, by which a developer's tools keep time.
//!
//! A transaction is told of once it is durable, and to every connection that listens at that time, in order. A connection
//! that falls too far behind, or takes nothing any more, is closed rather than given a stream with a hole in it: its owner
//! reconnects and asks for what it missed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde_json::{Value, json};
use solana_address::Address;
use solana_rpc_client_api::config::{RpcSignatureSubscribeConfig, RpcTransactionLogsConfig, RpcTransactionLogsFilter};
use solana_signature::Signature;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, timeout};

use super::encode::with_context;
use super::error::RpcError;
use super::params::{Params, Room, parse_address, parse_signature};
use super::transactions::{error_json, logs};
use super::{Request, Shared, blocks, failure};
use crate::ledger::{Chain, Executed};

/// The most subscriptions of one connection: a client may have thousands of transactions under way.
const MAX_SUBSCRIPTIONS: usize = 16_384;

/// How long a client may take nothing of what it is told.
const MAX_STALL: Duration = Duration::from_secs(10);

/// The most slots that are told of one after the other. Of a journey's, only the last is.
const MAX_SLOTS: u64 = 64;

/// How often it is looked for new slots at most, in milliseconds. Short ones are told of several at a time.
const MIN_SLOT_MS: u64 = 10;

/// The largest message that a client may send.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Ids are unique in the whole process, so that a client cannot mistake one connection's for another's.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// What a subscription waits for.
#[derive(Debug)]
enum Topic {
    Logs(Option<Address>),
    Signature(Signature),
    Slot,
}

/// When to look for new slots, and the last that was told of.
struct Slots {
    look: Interval,
    last: u64,
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
        slots: None,
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
        let reason = reason.into();
        let close = socket.send(Message::Close(Some(CloseFrame { code, reason })));
        // The other side may be gone already.
        let _ = timeout(MAX_STALL, close).await;
    }
}

struct Connection {
    shared: Shared,
    events: tokio::sync::broadcast::Receiver<Arc<Executed>>,
    topics: BTreeMap<u64, Topic>,
    /// Where anybody wants to hear of slots.
    slots: Option<Slots>,
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
                () = next_look(&mut self.slots) => self.publish_slots(socket).await,
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
                if method.starts_with("slot") {
                    // Before it is answered, so that the next slot is told of, whenever that is.
                    self.begin_or_end_slots().await?;
                }
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
            "slotSubscribe" => Topic::Slot,
            "logsUnsubscribe" | "signatureUnsubscribe" | "slotUnsubscribe" => {
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

    /// Looks for new slots for as long as anybody wants to hear of them.
    async fn begin_or_end_slots(&mut self) -> Result<(), End> {
        let wanted = self.topics.values().any(|topic| matches!(topic, Topic::Slot));
        if !wanted {
            self.slots = None;
        } else if self.slots.is_none() {
            let clock = |chain: &mut Chain| (chain.clock().slot(), chain.clock().slot_ms());
            let (last, slot_ms) = self.shared.ledger.run(clock).await.map_err(|_| End::Gone)?;
            let mut look = tokio::time::interval(Duration::from_millis(slot_ms.max(MIN_SLOT_MS)));
            look.set_missed_tick_behavior(MissedTickBehavior::Skip);
            self.slots = Some(Slots { look, last });
        }
        Ok(())
    }

    /// Tells of the slots that began since the last look. All before the one that is being filled are final.
    async fn publish_slots(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let newest = self.shared.ledger.run(|chain| chain.clock().slot());
        let newest = newest.await.map_err(|_| End::Gone)?;
        let Some(slots) = &mut self.slots else { return Ok(()) };
        let first = match newest.saturating_sub(slots.last) > MAX_SLOTS {
            true => newest,
            false => slots.last + 1,
        };
        slots.last = slots.last.max(newest);
        let topics = self.topics.iter().filter(|(_, topic)| matches!(topic, Topic::Slot));
        let ids: Vec<u64> = topics.map(|(&id, _)| id).collect();
        for slot in first..=newest {
            let result = json!({ "slot": slot, "parent": slot.saturating_sub(1), "root": slot.saturating_sub(1) });
            for &id in &ids {
                notify(socket, "slotNotification", id, &result).await?;
            }
        }
        Ok(())
    }

    async fn publish(&mut self, socket: &mut WebSocket, executed: &Executed) -> Result<(), End> {
        let concerned = |topic: &Topic| match topic {
            Topic::Logs(mentioned) => mentioned.is_none_or(|address| executed.mentions(&address)),
            Topic::Signature(signature) => *signature == executed.signature,
            Topic::Slot => false,
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
            Some(Topic::Slot) | None => return Ok(()),
        };
        let result = with_context(executed.slot, value).map_err(|_| End::Gone)?;
        notify(socket, notification, id, &result).await
    }
}

/// When to look for new slots next. Never, where nobody wants to hear of them.
async fn next_look(slots: &mut Option<Slots>) {
    match slots {
        Some(slots) => drop(slots.look.tick().await),
        None => std::future::pending().await,
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

async fn notify(socket: &mut WebSocket, method: &str, id: u64, result: &Value) -> Result<(), End> {
    let params = json!({ "result": result, "subscription": id });
    say(socket, &json!({ "jsonrpc": "2.0", "method": method, "params": params })).await
}

async fn say(socket: &mut WebSocket, message: &Value) -> Result<(), End> {
    match timeout(MAX_STALL, socket.send(Message::Text(message.to_string().into()))).await {
        Ok(sent) => Ok(sent?),
        Err(_) => {
            tracing::warn!("a subscriber takes nothing; its connection is closed");
            Err(End::Gone)
        }
    }
}
