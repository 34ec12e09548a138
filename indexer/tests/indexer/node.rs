//! A node's JSON-RPC over a [`Ledger`], with faults on demand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use anchor_lang::{Discriminator, prelude::Address};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD};
use chartseal_audit::ExportedChain;
use chartseal_indexer::source::{Call, Transaction, show};
use chartseal_program::{
    log::{Chain, ChainKind},
    seeds::Id,
    state::{AccessLog, Institution, RefusalLog, Registry},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::ledger::{Ledger, blockhash};

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

fn result(knowledge: &Knowledge, method: &str, params: &Value) -> Option<Value> {
    Some(match method {
        "getSlot" if params[0]["commitment"] == "finalized" => json!(knowledge.final_tip()),
        "getSlot" => json!(knowledge.tip()),
        "getSignaturesForAddress" => signatures(knowledge, &params[1]),
        "getSignatureStatuses" => statuses(knowledge, &params[0]),
        "getTransaction" => transaction(knowledge, params[0].as_str()?),
        "getBlock"
            if knowledge
                .early_from()
                .is_some_and(|slot| params[0].as_u64() >= Some(slot)) =>
        {
            Value::Null
        }
        "getBlock" => block(knowledge, params[0].as_u64()?, &params[1]),
        "getMultipleAccounts" => several(knowledge, &params[0]),
        "getGenesisHash" => json!(bs58::encode(GENESIS).into_string()),
        "getProgramAccounts" => accounts(knowledge, &params[1]),
        _ => return None,
    })
}

fn signatures(knowledge: &Knowledge, config: &Value) -> Value {
    let before = config["before"].as_str();
    let limit = config["limit"].as_u64().unwrap() as usize;
    let newest_first = knowledge.transactions().iter().enumerate().rev();
    let wanted = |index: &usize| match config["commitment"] == "finalized" {
        true => knowledge.status(*index) == "finalized",
        false => true,
    };
    let newest_first = newest_first.filter(|(index, _)| wanted(index));
    let listed = newest_first.filter(|(_, transaction)| !knowledge.unlisted.contains(&transaction.signature));
    let after_before =
        listed.skip_while(|(_, transaction)| before.is_some_and(|before| show(&transaction.signature) != before));
    let entries = after_before
        .skip(usize::from(before.is_some()))
        .flat_map(|entry| std::iter::repeat_n(entry, 1 + usize::from(knowledge.stutters)))
        .take(limit)
        .map(|(index, transaction)| {
            let error = knowledge
                .ledger
                .is_failed(index)
                .then(|| json!({ "InstructionError": [0, { "Custom": 1 }] }));
            json!({
                "signature": show(&transaction.signature), "slot": transaction.slot, "err": error, "memo": null,
                "blockTime": transaction.block_time, "confirmationStatus": knowledge.status(index),
            })
        });
    entries.collect()
}

fn statuses(knowledge: &Knowledge, signatures: &Value) -> Value {
    let status = |signature: &Value| {
        let found = knowledge
            .transactions()
            .iter()
            .position(|t| Some(show(&t.signature).as_str()) == signature.as_str());
        found.map(|index| {
            json!({
                "slot": knowledge.transactions()[index].slot, "confirmations": null, "status": { "Ok": null }, "err": null,
                "confirmationStatus": knowledge.status(index),
            })
        })
    };
    let values: Vec<_> = signatures.as_array().unwrap().iter().map(status).collect();
    json!({ "context": { "slot": knowledge.tip() }, "value": values })
}

fn block(knowledge: &Knowledge, slot: u64, config: &Value) -> Value {
    let of = |slot| {
        let mut transactions = knowledge.transactions().iter();
        let hash = transactions
            .find(|transaction| transaction.slot == slot)
            .map(|transaction| transaction.blockhash);
        bs58::encode(hash.unwrap_or_else(|| blockhash(slot))).into_string()
    };
    let mut block = json!({
        "previousBlockhash": of(slot - 1),
        "blockhash": of(slot),
        "parentSlot": slot - 1, "blockTime": 1_750_000_000 + slot, "blockHeight": slot,
    });
    if config["transactionDetails"] == "full" && !knowledge.hides_transactions {
        let here = knowledge.transactions().iter().filter(|one| one.slot == slot);
        let given = here.filter(|one| !knowledge.withheld.contains(&one.signature));
        block["transactions"] = given.map(|one| encode(one, knowledge.version)).collect();
        // Somebody else's, of a kind that this version does not know.
        let stranger = json!({ "transaction": { "signatures": ["?"] }, "meta": { "err": "Unheard" }, "version": 1 });
        block["transactions"].as_array_mut().unwrap().insert(0, stranger);
    }
    block
}

fn transaction(knowledge: &Knowledge, signature: &str) -> Value {
    let found = knowledge
        .transactions()
        .iter()
        .find(|transaction| show(&transaction.signature) == signature);
    match found {
        Some(transaction) if !knowledge.withheld.contains(&transaction.signature) => {
            let mut answer = encode(transaction, knowledge.version);
            if knowledge.forgets_inner {
                answer["meta"]["innerInstructions"] = Value::Null;
            }
            answer
        }
        _ => Value::Null,
    }
}

/// As `getTransaction` answers. The last key comes from a lookup table, where the version has them.
fn encode(transaction: &Transaction, version: u64) -> Value {
    let mut keys: Vec<Address> = Vec::new();
    for key in transaction
        .calls
        .iter()
        .flat_map(|call| call.accounts.iter().chain([&call.program]))
    {
        if !keys.contains(key) {
            keys.push(*key);
        }
    }
    let instruction = |call: &Call| {
        let index = |key: &Address| keys.iter().position(|known| known == key).unwrap();
        json!({
            "programIdIndex": index(&call.program),
            "accounts": call.accounts.iter().map(index).collect::<Vec<_>>(),
            "data": bs58::encode(&call.data).into_string(),
            "stackHeight": call.depth,
        })
    };
    let outer: Vec<&Call> = transaction.calls.iter().filter(|call| call.inner.is_none()).collect();
    let groups: Vec<Value> = outer
        .iter()
        .map(|outer| {
            let inner = transaction
                .calls
                .iter()
                .filter(|call| call.inner.is_some() && call.outer == outer.outer);
            json!({ "index": outer.outer, "instructions": inner.map(instruction).collect::<Vec<_>>() })
        })
        .collect();
    let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let (stated, loaded) = texts.split_at(texts.len() - usize::from(version == 0));
    let mut message = json!({
        "header": { "numRequiredSignatures": 1, "numReadonlySignedAccounts": 0, "numReadonlyUnsignedAccounts": 0 },
        "accountKeys": stated,
        "recentBlockhash": bs58::encode([3u8; 32]).into_string(),
        "instructions": outer.into_iter().map(instruction).collect::<Vec<_>>(),
    });
    match version {
        0 => message["addressTableLookups"] = json!([]),
        _ => {
            message["transactionConfig"] = json!({
                "priorityFee": 1, "computeUnitLimit": 200_000, "loadedAccountsDataSizeLimit": null, "heapSize": null,
            });
        }
    }
    json!({
        "slot": transaction.slot,
        "blockTime": transaction.block_time,
        "version": version,
        "transaction": { "signatures": [show(&transaction.signature)], "message": message },
        "meta": {
            "err": null, "status": { "Ok": null }, "fee": 5_000, "preBalances": [], "postBalances": [],
            "innerInstructions": groups, "logMessages": [], "preTokenBalances": [], "postTokenBalances": [],
            "rewards": [], "loadedAddresses": { "writable": [], "readonly": loaded }, "computeUnitsConsumed": 1,
        },
    })
}

/// Accounts by discriminator, cut as asked.
fn accounts(knowledge: &Knowledge, config: &Value) -> Value {
    let wanted = bs58::decode(config["filters"][0]["memcmp"]["bytes"].as_str().unwrap())
        .into_vec()
        .unwrap();
    let length = config["dataSlice"]["length"].as_u64().unwrap() as usize;
    let fitting = knowledge
        .ledger
        .heads
        .iter()
        .map(|((kind, subject), chain)| account(*kind, subject, *chain));
    fitting
        .filter(|data| data.starts_with(&wanted))
        .enumerate()
        .map(|(index, data)| {
            json!({
                "pubkey": bs58::encode([index as u8 + 1; 32]).into_string(),
                "account": {
                    "lamports": 1, "owner": chartseal_program::ID.to_string(), "executable": false, "rentEpoch": 0,
                    "space": data.len(), "data": [BASE64_STANDARD.encode(&data[..length]), "base64"],
                },
            })
        })
        .collect()
}

/// What names this node's cluster.
pub(crate) const GENESIS: [u8; 32] = [0x6e; 32];

/// The accounts that keep chains, by address. A patient's two logs are made together.
fn several(knowledge: &Knowledge, addresses: &Value) -> Value {
    let heads = &knowledge.ledger.heads;
    let mut there: Vec<(ChainKind, Id, Chain)> = heads.iter().map(|((kind, id), chain)| (*kind, *id, *chain)).collect();
    for (kind, id) in heads.keys() {
        if *kind == ChainKind::Log && !heads.contains_key(&(ChainKind::Refusals, *id)) {
            there.push((ChainKind::Refusals, *id, Chain::begin(ChainKind::Refusals, id)));
        }
    }
    let find = |wanted: &Value| {
        let found = there.iter().find(|(kind, id, _)| {
            Address::new_from_array(ExportedChain::account_of(*kind, id)).to_string() == wanted.as_str().unwrap()
        });
        found.map(|(kind, id, chain)| {
            let data = account(*kind, id, *chain);
            json!({
                "lamports": 1, "owner": chartseal_program::ID.to_string(), "executable": false, "rentEpoch": 0,
                "space": data.len(), "data": [BASE64_STANDARD.encode(&data), "base64"],
            })
        })
    };
    let values: Vec<_> = addresses.as_array().unwrap().iter().map(find).collect();
    json!({ "context": { "slot": knowledge.tip() }, "value": values })
}

fn account(kind: ChainKind, subject: &Id, chain: Chain) -> Vec<u8> {
    fn bytes<T: bytemuck::Pod + Discriminator>(account: &T) -> Vec<u8> {
        [T::DISCRIMINATOR, bytemuck::bytes_of(account)].concat()
    }
    match kind {
        ChainKind::Registry => bytes(&Registry {
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Institution => bytes(&Institution {
            id: *subject,
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Log => bytes(&AccessLog {
            patient: *subject,
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
        ChainKind::Refusals => bytes(&RefusalLog {
            patient: *subject,
            chain,
            ..bytemuck::Zeroable::zeroed()
        }),
    }
}
