//! A node's JSON-RPC over a [`Ledger`], with faults on demand.

mod answers;

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use chartseal_indexer::source::Transaction;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::ledger::Ledger;
pub(crate) use answers::GENESIS;
use answers::result;

/// What a node knows, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) ledger: Ledger,
    /// Only so many transactions are confirmed; nothing is held back where it is none.
    pub(crate) confirmed: Option<usize>,
    /// Only so many transactions are final; all that are confirmed where it is none.
    pub(crate) settled: Option<usize>,
    /// It lists so many of the newest transactions although they are not confirmed, and gives no blocks of them.
    pub(crate) early: usize,
    /// Transactions that it does not list, though there are later ones: its index lags.
    pub(crate) unlisted: Vec<[u8; 64]>,
    /// It lists each transaction twice.
    pub(crate) stutters: bool,
    /// Transactions that it lists and does not give.
    pub(crate) withheld: Vec<[u8; 64]>,
    /// It does not have a transaction yet when it is asked for it first.
    pub(crate) hesitates: bool,
    hesitated: HashSet<String>,
    /// Every so many answers, one is an error.
    pub(crate) fails_every: Option<u64>,
    /// It answers every question by this HTTP status.
    pub(crate) refuses: Option<StatusCode>,
    /// It answers every question by a JSON-RPC error of this code.
    pub(crate) error: Option<i64>,
    /// It gives no block, and says so by a JSON-RPC error of this code.
    pub(crate) block_error: Option<i64>,
    /// Of a block it never tells the transactions.
    pub(crate) hides_transactions: bool,
    /// The version of all its transactions.
    pub(crate) version: u64,
    /// It keeps no inner instructions.
    pub(crate) forgets_inner: bool,
    /// Methods that were asked for at less than confirmed.
    pub(crate) unsettled: Vec<String>,
    /// What it was asked for.
    pub(crate) asked: Vec<String>,
    /// Methods that were asked for at less than finalized.
    pub(crate) unfinal: Vec<String>,
    answers: u64,
}

impl Knowledge {
    fn confirmed(&self) -> usize {
        self.confirmed.unwrap_or(self.ledger.transactions.len())
    }

    fn transactions(&self) -> &[Transaction] {
        &self.ledger.transactions[..self.confirmed()]
    }

    /// How settled a transaction is, in a node's words: its whole block is.
    fn status(&self, index: usize) -> &'static str {
        let slot = self.transactions()[index].slot;
        let settled = self.settled.and_then(|settled| self.transactions().get(settled));
        match slot {
            slot if self.early_from().is_some_and(|early| slot >= early) => "processed",
            slot if settled.is_some_and(|settled| slot >= settled.slot) => "confirmed",
            _ => "finalized",
        }
    }

    /// The slot of the first transaction that is not confirmed.
    fn early_from(&self) -> Option<u64> {
        let confirmed = self.transactions().len() - self.early;
        self.transactions().get(confirmed).map(|transaction| transaction.slot)
    }

    fn tip(&self) -> u64 {
        self.transactions().last().map_or(0, |transaction| transaction.slot) + 1
    }

    /// The newest final slot: that of the last final transaction, or the tip where all are.
    fn final_tip(&self) -> u64 {
        let last = (0..self.transactions().len())
            .rev()
            .find(|index| self.status(*index) == "finalized");
        match last {
            Some(last) if last + 1 == self.transactions().len() => self.tip(),
            last => last.map_or(0, |last| self.transactions()[last].slot),
        }
    }
}

/// A node on loopback, at the same address each time it is started.
pub(crate) struct Node {
    pub(crate) url: String,
    address: SocketAddr,
    knowledge: Arc<Mutex<Knowledge>>,
    server: Option<JoinHandle<()>>,
}

impl Node {
    pub(crate) async fn start(ledger: Ledger) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let knowledge = Arc::new(Mutex::new(Knowledge {
            ledger,
            ..Knowledge::default()
        }));
        let mut node = Self {
            url: format!("http://{address}"),
            address,
            knowledge,
            server: None,
        };
        node.serve(listener);
        node
    }

    fn serve(&mut self, listener: TcpListener) {
        let app = Router::new()
            .route("/", post(answer))
            .with_state(Arc::clone(&self.knowledge));
        self.server = Some(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }));
    }

    /// Goes away: nobody listens.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    pub(crate) async fn come_back(&mut self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    pub(crate) fn knows(&self) -> MutexGuard<'_, Knowledge> {
        self.knowledge.lock().unwrap()
    }
}

async fn answer(
    State(knowledge): State<Arc<Mutex<Knowledge>>>,
    Json(question): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut knowledge = knowledge.lock().unwrap();
    knowledge.answers += 1;
    if let Some(status) = knowledge.refuses {
        return Err(status);
    }
    let method = question["method"].as_str().unwrap();
    knowledge.asked.push(method.to_owned());
    let stated: Vec<&str> = question["params"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part.get("commitment")?.as_str())
        .collect();
    // A status comes with how settled it is.
    if method != "getSignatureStatuses" && stated != ["finalized"] {
        knowledge.unfinal.push(method.to_owned());
        if stated != ["confirmed"] {
            knowledge.unsettled.push(method.to_owned());
        }
    }
    let fails = knowledge
        .fails_every
        .is_some_and(|every| knowledge.answers.is_multiple_of(every));
    let hesitates = knowledge.hesitates
        && method == "getTransaction"
        && knowledge.hesitated.insert(question["params"][0].to_string());
    let error = |code: i64, message: &str| json!({ "code": code, "message": message });
    let outcome = match fails {
        _ if knowledge.error.is_some() => Err(error(knowledge.error.unwrap(), "No")),
        true => Err(error(-32005, "Node is unhealthy")),
        false if method == "getBlock" && knowledge.block_error.is_some() => {
            Err(error(knowledge.block_error.unwrap(), "No block"))
        }
        false if asks_for_less(&question["params"], knowledge.version) => Err(error(-32015, "Transaction version")),
        false if lags(&knowledge, &question["params"]) => {
            Err(error(-32016, "Minimum context slot has not been reached"))
        }
        false if hesitates => Ok(Value::Null),
        false => result(&knowledge, method, &question["params"]).ok_or_else(|| error(-32601, "Method not found")),
    };
    let mut response = json!({ "jsonrpc": "2.0", "id": question["id"] });
    match outcome {
        Ok(result) => response["result"] = result,
        Err(error) => response["error"] = error,
    }
    Ok(Json(response))
}

/// Whether it is asked for transactions, and only for such of an older version.
fn asks_for_less(params: &Value, version: u64) -> bool {
    let newest = params[1]["maxSupportedTransactionVersion"].as_u64();
    newest.is_some_and(|newest| newest < version)
}

/// Whether it has not come as far as it is asked to have.
fn lags(knowledge: &Knowledge, params: &Value) -> bool {
    let config = &params[1];
    let tip = match config["commitment"] == "finalized" {
        true => knowledge.final_tip(),
        false => knowledge.tip(),
    };
    config["minContextSlot"].as_u64().is_some_and(|least| tip < least)
}
