//! A node over a ledger that forks: JSON-RPC on loopback, in the shape in which Agave answers, with slots that go on by
//! themselves and with faults. It is the one thing here that is not real, because no real one would do all this on demand.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;
use tokio::{net::TcpListener, runtime::Runtime, task::JoinHandle};

use super::{
    faults::{Fault, Faults},
    ledger::{Block, Happened, Ledger},
    wire,
};

/// A node that runs. It ends when dropped.
pub(super) struct Node {
    shared: Shared,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
    runtime: Runtime,
}

type Shared = Arc<Mutex<Knowledge>>;

struct Knowledge {
    ledger: Ledger,
    faults: Faults,
    failure: Option<anyhow::Error>,
}

impl Node {
    /// Starts one whose slots are so long.
    pub(super) fn start(ledger: Ledger, faults: Faults, slot: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start a runtime for the node")?;
        let shared = Arc::new(Mutex::new(Knowledge {
            ledger,
            faults,
            failure: None,
        }));
        let ticks = Arc::clone(&shared);
        runtime.spawn(async move {
            let mut clock = tokio::time::interval(slot);
            loop {
                clock.tick().await;
                let mut knows = lock(&ticks);
                if let Err(error) = knows.ledger.advance() {
                    knows.failure = Some(error);
                    return;
                }
            }
        });
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.context("cannot listen on the loopback")?;
        let address = listener.local_addr().context("the node has no address")?;
        let mut node = Self {
            shared,
            address,
            server: None,
            runtime,
        };
        node.serve(listener);
        Ok(node)
    }

    fn serve(&mut self, listener: TcpListener) {
        let app = Router::new()
            .route("/", post(answer))
            .with_state(Arc::clone(&self.shared));
        self.server = Some(self.runtime.spawn(async move {
            // It ends when it is told to.
            let _ = axum::serve(listener, app).await;
        }));
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Goes away: nobody listens.
    pub(super) fn leave(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = self.runtime.block_on(server);
        }
    }

    /// Is there again, at the same address.
    pub(super) fn come_back(&mut self) -> Result<()> {
        let listener = self.runtime.block_on(TcpListener::bind(self.address));
        self.serve(listener.context("the node's port was taken")?);
        Ok(())
    }

    /// From now on nothing is wrong and nothing new comes.
    pub(super) fn calm_down(&self) {
        let mut knows = lock(&self.shared);
        knows.faults.end();
        knows.ledger.close();
    }

    /// Whether all that there will be is final.
    pub(super) fn is_settled(&self) -> Result<bool> {
        let mut knows = lock(&self.shared);
        match knows.failure.take() {
            Some(error) => Err(error.context("the ledger could not go on")),
            None => Ok(knows.ledger.is_settled()),
        }
    }

    pub(super) fn happened(&self) -> (Happened, u64) {
        let knows = lock(&self.shared);
        (knows.ledger.happened(), knows.faults.befallen())
    }

    /// The last transaction of the ledger.
    pub(super) fn last(&self) -> Option<Signature> {
        let knows = lock(&self.shared);
        let blocks = knows.ledger.blocks().iter().rev();
        let last = blocks.flat_map(|block| block.transactions.last()).next()?;
        last.transaction.signatures.first().copied()
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Knowledge> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Shared>, Json(question): Json<Value>) -> Response {
    let method = question["method"].as_str().unwrap_or_default().to_owned();
    let fault = lock(&shared).faults.roll(&method);
    match fault {
        Some(Fault::Status(status)) => {
            return StatusCode::from_u16(status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
                .into_response();
        }
        Some(Fault::Late(milliseconds)) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        _ => {}
    }
    let outcome = match fault {
        Some(Fault::Error(code)) => Err((code, "Node is unhealthy".to_owned())),
        Some(Fault::Nothing) if method == "getBlock" => Err((-32004, "Block not available for slot".to_owned())),
        Some(Fault::Nothing) => Ok(Value::Null),
        _ => result(&mut lock(&shared), &method, &question["params"], fault),
    };
    let mut response = json!({ "jsonrpc": "2.0", "id": question["id"] });
    match outcome {
        Ok(result) => response["result"] = result,
        Err((code, message)) => response["error"] = json!({ "code": code, "message": message }),
    }
    let text = response.to_string();
    match fault {
        Some(Fault::Break) => {
            let half = Bytes::copy_from_slice(text.as_bytes().get(..text.len() / 2).unwrap_or_default());
            let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            json_body(Body::from_stream(stream::iter([Ok(half), Err(broken)])))
        }
        Some(Fault::Stall) => {
            let half = Bytes::copy_from_slice(text.as_bytes().get(..text.len() / 2).unwrap_or_default());
            let half = stream::iter([Ok::<_, Infallible>(half)]);
            json_body(Body::from_stream(half.chain(stream::pending())))
        }
        _ => json_body(Body::from(text)),
    }
}

fn json_body(body: Body) -> Response {
    ([("content-type", "application/json")], body).into_response()
}

/// The part of the ledger that an answer is about.
struct View<'a> {
    blocks: &'a [Block],
    final_slot: u64,
    slot: u64,
}

impl View<'_> {
    fn status(&self, slot: u64) -> &'static str {
        if slot <= self.final_slot {
            "finalized"
        } else {
            "confirmed"
        }
    }
}

type Answer = Result<Value, (i64, String)>;

fn result(knows: &mut Knowledge, method: &str, params: &Value, fault: Option<Fault>) -> Answer {
    let commitment = commitment(params);
    let Knowledge { ledger, faults, .. } = knows;
    let mut blocks = ledger.blocks();
    let (mut slot, final_slot) = (ledger.slot(), ledger.final_slot());
    if let Some(Fault::Behind(by)) = fault {
        blocks = blocks.get(..blocks.len().saturating_sub(by)).unwrap_or_default();
        slot = blocks.last().map_or(0, |block| block.slot);
    }
    let final_slot = final_slot.min(slot);
    if commitment == "finalized" {
        let settled = blocks.iter().take_while(|block| block.slot <= final_slot).count();
        blocks = blocks.get(..settled).unwrap_or_default();
        slot = final_slot;
    }
    let view = View {
        blocks,
        final_slot,
        slot,
    };
    let config = params
        .as_array()
        .and_then(|params| params.iter().rev().find(|part| part.is_object()));
    let least = config.and_then(|config| config["minContextSlot"].as_u64());
    if least.is_some_and(|least| view.slot < least) {
        return Err((-32016, "Minimum context slot has not been reached".to_owned()));
    }
    match method {
        "getSlot" | "getBlockHeight" => Ok(json!(view.slot)),
        "getHealth" => Ok(json!("ok")),
        "getVersion" => Ok(json!({ "solana-core": "3.1.0", "feature-set": null })),
        "getGenesisHash" => Ok(json!(bs58::encode([5_u8; 32]).into_string())),
        "getFirstAvailableBlock" | "minimumLedgerSlot" => Ok(json!(0)),
        "getSignaturesForAddress" => Ok(listing(&view, &params[1], fault, faults)),
        "getSignatureStatuses" => Ok(statuses(&view, &params[0])),
        "getTransaction" => Ok(transaction(&view, params[0].as_str().unwrap_or_default())),
        "getBlock" => block(&view, &params[0], config.unwrap_or(&Value::Null)),
        "getBlocks" => Ok(slots(&view, &params[0], &params[1])),
        "getBlockTime" => block(&view, &params[0], &Value::Null).map(|block| block["blockTime"].clone()),
        "getProgramAccounts" => Ok(accounts(ledger.accounts(), &params[1], view.slot)),
        _ => Err((-32601, "Method not found".to_owned())),
    }
}

fn commitment(params: &Value) -> String {
    let parts = params.as_array().into_iter().flatten();
    let mut stated = parts.rev().filter_map(|part| part.get("commitment")?.as_str());
    match stated.next() {
        // Statuses come with how settled each is.
        Some(stated) => stated.to_owned(),
        None if params[0].is_array() => "confirmed".to_owned(),
        None => "finalized".to_owned(),
    }
}

fn listing(view: &View<'_>, config: &Value, fault: Option<Fault>, faults: &mut Faults) -> Value {
    let limit = config["limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1_000);
    let newest_first = view.blocks.iter().rev().flat_map(|block| {
        let transactions = block.transactions.iter().rev();
        transactions.map(move |executed| (block, executed))
    });
    let mut entries: Vec<Value> = Vec::new();
    let (before, until) = (config["before"].as_str(), config["until"].as_str());
    let mut begun = before.is_none();
    for (block, executed) in newest_first {
        let signature = wire::signature(executed);
        if !begun {
            begun = before == Some(&signature);
            continue;
        }
        if until == Some(&signature) || entries.len() >= limit {
            break;
        }
        entries.push(json!({
            "signature": signature, "slot": block.slot, "err": wire::error(executed), "memo": null,
            "blockTime": block.time, "confirmationStatus": view.status(block.slot),
        }));
    }
    // Only what is new is in disorder: an index is complete sooner or later.
    let new = entries
        .iter()
        .take_while(|entry| entry["confirmationStatus"] == "confirmed")
        .count();
    if new > 1 {
        let at = faults.place(new - 1);
        match fault {
            Some(Fault::Twice) => entries.insert(at, entries.get(at).cloned().unwrap_or_default()),
            Some(Fault::Swapped) => entries.swap(at, at + 1),
            Some(Fault::Gap) => {
                entries.remove(at);
            }
            _ => {}
        }
    }
    Value::Array(entries)
}

fn statuses(view: &View<'_>, signatures: &Value) -> Value {
    let status = |signature: &Value| {
        let (block, executed) = find(view, signature.as_str()?)?;
        let error = wire::error(executed);
        let settled = block.slot <= view.final_slot;
        Some(json!({
            "slot": block.slot,
            "confirmations": if settled { Value::Null } else { json!(view.slot.saturating_sub(block.slot)) },
            "status": if error.is_null() { json!({ "Ok": null }) } else { json!({ "Err": error }) },
            "err": error,
            "confirmationStatus": view.status(block.slot),
        }))
    };
    let values: Vec<_> = signatures.as_array().into_iter().flatten().map(status).collect();
    json!({ "context": { "slot": view.slot }, "value": values })
}

fn find<'a>(view: &View<'a>, signature: &str) -> Option<(&'a Block, &'a super::world::Executed)> {
    let wanted: Signature = signature.parse().ok()?;
    view.blocks.iter().rev().find_map(|block| {
        let mut transactions = block.transactions.iter();
        let found = transactions.find(|executed| executed.transaction.signatures.first() == Some(&wanted))?;
        Some((block, found))
    })
}

fn transaction(view: &View<'_>, signature: &str) -> Value {
    let Some((block, executed)) = find(view, signature) else {
        return Value::Null;
    };
    let mut answer = wire::transaction(executed);
    answer["slot"] = json!(block.slot);
    answer["blockTime"] = json!(block.time);
    answer
}

fn block(view: &View<'_>, slot: &Value, config: &Value) -> Answer {
    let slot = slot.as_u64().unwrap_or(u64::MAX);
    if slot > view.slot {
        return Err((-32004, format!("Block not available for slot {slot}")));
    }
    let Some(block) = view.blocks.iter().rev().find(|block| block.slot == slot) else {
        return Err((
            -32007,
            format!("Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"),
        ));
    };
    let mut answer = json!({
        "previousBlockhash": bs58::encode(block.parent.1).into_string(),
        "blockhash": bs58::encode(block.hash).into_string(),
        "parentSlot": block.parent.0, "blockTime": block.time, "blockHeight": block.slot,
    });
    let signatures = || block.transactions.iter().map(wire::signature).collect::<Vec<_>>();
    match config["transactionDetails"].as_str().unwrap_or("full") {
        "none" => {}
        "signatures" => answer["signatures"] = json!(signatures()),
        _ => answer["transactions"] = block.transactions.iter().map(wire::transaction).collect(),
    }
    Ok(answer)
}

fn slots(view: &View<'_>, from: &Value, to: &Value) -> Value {
    let from = from.as_u64().unwrap_or(0);
    let to = to.as_u64().unwrap_or(u64::MAX);
    let slots = view.blocks.iter().map(|block| block.slot);
    slots.filter(|slot| (from..=to).contains(slot)).collect()
}

/// The program's accounts, with the filters and the slice that are asked for.
fn accounts(all: Vec<(Address, Vec<u8>)>, config: &Value, slot: u64) -> Value {
    let filters: Vec<(usize, Vec<u8>)> = config["filters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|filter| {
            let compared = &filter["memcmp"];
            let offset = usize::try_from(compared["offset"].as_u64()?).ok()?;
            Some((offset, bs58::decode(compared["bytes"].as_str()?).into_vec().ok()?))
        })
        .collect();
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let (offset, length) = (
        number(&config["dataSlice"]["offset"]),
        number(&config["dataSlice"]["length"]),
    );
    let fits = |data: &[u8]| {
        let mut filters = filters.iter();
        filters.all(|(offset, bytes)| data.get(*offset..).is_some_and(|rest| rest.starts_with(bytes)))
    };
    let accounts = all.into_iter().filter(|(_, data)| fits(data)).map(|(address, data)| {
        let from = offset.unwrap_or(0).min(data.len());
        let to = length.map_or(data.len(), |length| from.saturating_add(length).min(data.len()));
        json!({
            "pubkey": address.to_string(),
            "account": {
                "lamports": 1, "owner": chartseal_program::ID.to_string(), "executable": false, "rentEpoch": 0,
                "space": data.len(), "data": [BASE64_STANDARD.encode(data.get(from..to).unwrap_or_default()), "base64"],
            },
        })
    });
    let accounts: Vec<Value> = accounts.collect();
    match config["withContext"].as_bool() {
        Some(true) => json!({ "context": { "slot": slot }, "value": accounts }),
        _ => json!(accounts),
    }
}
