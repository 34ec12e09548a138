//! From a transaction's confirmation to its row: when the node says on its WebSocket that it is confirmed, and when
//! another connection to Postgres can see it. A patient reads its own record, so many times a second.

use std::{
    collections::HashMap,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chartseal_program::{
    ID,
    builders::{self as ix, As},
    events::Content,
    instructions::{AccessRecordArgs, CreateRecordArgs, OpenPatientArgs},
    seeds::{Id, NO_ID, RECORD, address},
    state::Keys,
    vocabulary::Purpose,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer as _;
use solana_transaction::Transaction;
use sqlx::Row as _;
use tokio_tungstenite::tungstenite;

use super::{Line, Plan, progress};
use crate::{
    bench::stats::rounded,
    cluster::connect,
    ground::Ground,
    programs::{Process, kept, work_folder},
    stack::Stack,
};

/// How often Postgres is asked what can be seen. What is measured is at most so much too long.
const POLL: Duration = Duration::from_millis(2);

/// How long the last row may take, and any confirmation.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a blockhash is used for.
const BLOCKHASH: Duration = Duration::from_secs(5);

/// Events of the patient's log before it is read.
const BEFORE: i64 = 2;

/// Measures on a stack of its own.
pub(super) fn measure(plan: &Plan, ground: &Ground, runtime: &tokio::runtime::Runtime) -> Result<Line> {
    let wallet = Keypair::new();
    progress(&format!("starting a stack ({})", ground.name()));
    let stack = Stack::start_on(ground, work_folder()?, &wallet.pubkey().to_string(), &[])?;
    let (rpc, database) = (stack.endpoints().rpc.clone(), stack.endpoints().database.clone());
    // So that there are tables to look at, whenever the indexer begins.
    runtime.block_on(chartseal_indexer::migrate(&database))?;
    let mut command = kept(stack.folder(), "chartseal-indexer")?;
    let log = std::fs::File::create(stack.folder().join("indexer.log")).context("cannot write the indexer's log")?;
    command
        .args(["run", "--rpc", &rpc])
        .env("CHARTSEAL_DATABASE_URL", &database)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let indexer = Process::start("the indexer", &mut command)?;
    let patient = Patient::new(&rpc, wallet)?;
    let line = runtime
        .block_on(lag(plan, patient, &rpc, &database))
        .with_context(|| format!("the indexer said:\n{}", stack.tail("indexer.log")))?;
    indexer.stop()?;
    stack.stop()?;
    Ok(Line {
        case: format!("lag-{}", ground.name()),
        ..line
    })
}

async fn lag(plan: &Plan, patient: Patient, rpc: &str, database: &str) -> Result<Line> {
    patient.prepare().await?;
    let seen = tokio::spawn(watch(
        database.to_owned(),
        patient.id,
        BEFORE + i64::try_from(plan.transactions)?,
    ));
    let (mut socket, _) = tokio_tungstenite::connect_async(websocket(rpc)?).await?;
    let (mut requests, mut confirmed) = (Vec::new(), HashMap::new());
    let (mut subscriptions, mut early) = (HashMap::new(), HashMap::new());
    let mut sent = 0;
    let mut clock = tokio::time::interval(Duration::from_secs(1) / plan.rate.max(1));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    progress(&format!("{} readings, {} a second", plan.transactions, plan.rate));
    let mut blockhash = (patient.rpc.blockhash().await?, Instant::now());
    let began = Instant::now();
    let mut last_news = Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    while confirmed.len() < plan.transactions {
        ensure!(
            last_news.elapsed() < PATIENCE,
            "{} of {} transactions were confirmed",
            confirmed.len(),
            plan.transactions
        );
        tokio::select! {
            _ = clock.tick(), if sent < plan.transactions => {
                if blockhash.1.elapsed() > BLOCKHASH {
                    blockhash = (patient.rpc.blockhash().await?, Instant::now());
                }
                let request: Id = random()?;
                let transaction = patient.reads(request, blockhash.0);
                let signature = transaction.signatures.first().context("it is signed")?.to_string();
                let subscribe = json!({
                    "jsonrpc": "2.0", "id": sent, "method": "signatureSubscribe",
                    "params": [signature, { "commitment": "confirmed" }],
                });
                socket.send(tungstenite::Message::text(subscribe.to_string())).await?;
                let rpc = patient.rpc.clone();
                sending.spawn(async move { rpc.send(&transaction).await });
                requests.push(request);
                sent += 1;
                last_news = Instant::now();
            }
            Some(done) = sending.join_next() => {
                done??;
            }
            message = socket.next() => {
                let now = Instant::now();
                let message = message.context("the WebSocket ended")??;
                let tungstenite::Message::Text(text) = message else { continue };
                let said: Value = serde_json::from_str(&text)?;
                if let (Some(id), Some(subscription)) = (said["id"].as_u64(), said["result"].as_u64()) {
                    let which = usize::try_from(id)?;
                    subscriptions.insert(subscription, which);
                    confirmed.extend(early.remove(&subscription).map(|at| (which, at)));
                } else if let Some(subscription) = said["params"]["subscription"].as_u64() {
                    ensure!(said["params"]["result"]["value"]["err"].is_null(), "a reading failed: {said}");
                    match subscriptions.get(&subscription) {
                        Some(which) => drop(confirmed.insert(*which, now)),
                        // The news may overtake the answer that says what it is about.
                        None => drop(early.insert(subscription, now)),
                    }
                    last_news = now;
                }
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let seen = tokio::time::timeout(PATIENCE, seen)
        .await
        .context("rows are missing")???;
    let places = places(database, patient.id).await?;
    let mut lags = Vec::new();
    for (which, request) in requests.iter().enumerate() {
        let place = places.get(request).context("a reading has no row")?;
        let visible = seen
            .iter()
            .find(|(until, _)| until >= place)
            .context("a row was never seen")?
            .1;
        let confirmed = confirmed.get(&which).context("a reading was not confirmed")?;
        lags.push(visible.saturating_duration_since(*confirmed).as_secs_f64() * 1_000.0);
    }
    lags.sort_by(f64::total_cmp);
    let percentile = |of: usize| {
        lags.get((lags.len() * of / 100).min(lags.len() - 1))
            .map(|ms| rounded(*ms, 3))
    };
    Ok(Line {
        events_per_s: Some(rounded(f64::from(u32::try_from(plan.transactions)?) / took, 3)),
        lag_p50_ms: percentile(50),
        lag_p99_ms: percentile(99),
        size: Some(plan.transactions as u64),
        ..Line::default()
    })
}

/// Until which place of the patient's log rows can be seen, and since when; until the last one can.
async fn watch(database: String, patient: Id, last: i64) -> Result<Vec<(i64, Instant)>> {
    let mut connection = connect(&database).await?;
    let mut seen: Vec<(i64, Instant)> = Vec::new();
    loop {
        let place: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM accesses WHERE patient = $1")
            .bind(patient)
            .fetch_one(&mut connection)
            .await?;
        let place = place.unwrap_or(0);
        if seen.last().is_none_or(|(before, _)| *before < place) {
            seen.push((place, Instant::now()));
        }
        if place >= last {
            return Ok(seen);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn places(database: &str, patient: Id) -> Result<HashMap<Id, i64>> {
    let mut connection = connect(database).await?;
    let rows = sqlx::query("SELECT request, seq FROM accesses WHERE patient = $1")
        .bind(patient)
        .fetch_all(&mut connection)
        .await?;
    rows.iter()
        .map(|row| {
            let request: Vec<u8> = row.try_get(0)?;
            let request = request.try_into().map_err(|_| anyhow!("a request's id is too long"))?;
            Ok((request, row.try_get(1)?))
        })
        .collect()
}

/// The one who reads: patient, author, admin and upgrade authority, for there is nobody else.
struct Patient {
    rpc: Rpc,
    wallet: Keypair,
    id: Id,
    record: Id,
}

impl Patient {
    fn new(rpc: &str, wallet: Keypair) -> Result<Self> {
        let id = random()?;
        let record = loop {
            let record: Id = random()?;
            if address::fits(RECORD, &id, &record) {
                break record;
            }
        };
        let rpc = Rpc {
            client: reqwest::Client::new(),
            url: rpc.to_owned(),
        };
        Ok(Self {
            rpc,
            wallet,
            id,
            record,
        })
    }

    async fn prepare(&self) -> Result<()> {
        let wallet = self.wallet.pubkey();
        let airdrop = self
            .rpc
            .ask("requestAirdrop", json!([wallet.to_string(), 100_000_000_000_u64]))
            .await?;
        self.rpc
            .confirmed(airdrop.as_str().context("an airdrop without a signature")?)
            .await?;
        let loader = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
        let program_data = Address::find_program_address(&[ID.as_ref()], &loader).0;
        let keys = Keys {
            encryption: [3; 32],
            post_quantum_hash: [0; 32],
        };
        let record = CreateRecordArgs {
            request: random()?,
            record: self.record,
            class: 0,
            purpose: Purpose::Personal,
            grant: NO_ID,
            content: Content {
                manifest_hash: [1; 32],
                root: [2; 32],
                locator: [3; 32],
                padded_size: 65_536,
            },
        };
        for instruction in [
            ix::initialize(wallet, wallet, program_data, wallet),
            ix::open_patient(wallet, wallet, None, OpenPatientArgs { id: self.id, keys }),
            ix::create_record(&As::wallet(wallet), wallet, None, &self.id, record),
        ] {
            let transaction = self.signed(&instruction, self.rpc.blockhash().await?);
            let signature = self.rpc.send(&transaction).await?;
            self.rpc.confirmed(&signature).await?;
        }
        Ok(())
    }

    fn reads(&self, request: Id, blockhash: Hash) -> Transaction {
        let args = AccessRecordArgs {
            request,
            version: 1,
            purpose: Purpose::Personal,
            grant: NO_ID,
        };
        let read = ix::access_record(&As::wallet(self.wallet.pubkey()), &self.id, &self.record, args);
        self.signed(&read, blockhash)
    }

    fn signed(&self, instruction: &Instruction, blockhash: Hash) -> Transaction {
        let message = Message::new(std::slice::from_ref(instruction), Some(&self.wallet.pubkey()));
        Transaction::new(&[&self.wallet], message, blockhash)
    }
}

#[derive(Clone)]
struct Rpc {
    client: reqwest::Client,
    url: String,
}

impl Rpc {
    async fn ask(&self, method: &str, params: Value) -> Result<Value> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.client.post(&self.url).json(&question).send().await?;
        let mut answer: Value = answer.json().await?;
        ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        Ok(answer["result"].take())
    }

    async fn blockhash(&self) -> Result<Hash> {
        let answer = self
            .ask("getLatestBlockhash", json!([{ "commitment": "confirmed" }]))
            .await?;
        let text = answer["value"]["blockhash"].as_str().context("no blockhash")?;
        text.parse().context("a blockhash that is none")
    }

    async fn send(&self, transaction: &Transaction) -> Result<String> {
        let bytes = BASE64_STANDARD.encode(bincode::serialize(transaction)?);
        let config = json!({ "encoding": "base64", "skipPreflight": true });
        let signature = self.ask("sendTransaction", json!([bytes, config])).await?;
        Ok(signature.as_str().context("no signature")?.to_owned())
    }

    async fn confirmed(&self, signature: &str) -> Result<()> {
        let since = Instant::now();
        loop {
            let answer = self.ask("getSignatureStatuses", json!([[signature]])).await?;
            let status = &answer["value"][0];
            ensure!(status["err"].is_null(), "a transaction failed: {status}");
            if status["confirmationStatus"]
                .as_str()
                .is_some_and(|status| status != "processed")
            {
                return Ok(());
            }
            ensure!(since.elapsed() < PATIENCE, "a transaction is not confirmed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Where subscriptions are: the port after that of JSON-RPC.
fn websocket(rpc: &str) -> Result<String> {
    let (host, port) = rpc
        .strip_prefix("http://")
        .and_then(|rest| rest.trim_end_matches('/').rsplit_once(':'))
        .context("the node's URL has no port")?;
    let port: u16 = port.parse().context("the node's port is none")?;
    Ok(format!("ws://{host}:{}", port + 1))
}

fn random() -> Result<Id> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system gives no random bytes")?;
    Ok(id)
}
