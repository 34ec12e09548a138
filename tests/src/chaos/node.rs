//! A node over a ledger that forks: JSON-RPC on loopback, in the shape in which Agave answers, with slots that go on by
//! themselves and with faults. It is the one thing here that is not real, because no real one would do all this on demand.

mod answers;
mod listing;

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use solana_signature::Signature;
use tokio::{net::TcpListener, runtime::Runtime, task::JoinHandle, time::MissedTickBehavior};

use self::answers::result;
use super::{
    faults::{Fault, Faults},
    ledger::{Happened, Ledger},
    met::Met,
};

/// How long whoever asks waits for an answer. What is given up sooner was not given up for that.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);

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
    /// Time stands still before a branch dies.
    holds: bool,
}

impl Knowledge {
    /// The next slot, unless time stands still.
    fn go_on(&mut self) -> Result<()> {
        match self.holds && !self.ledger.doomed().is_empty() {
            true => Ok(()),
            false => self.ledger.advance(),
        }
    }
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
            holds: false,
        }));
        let ticks = Arc::clone(&shared);
        runtime.spawn(async move {
            let mut clock = tokio::time::interval(slot);
            // Slots that were missed on a machine that stood still do not all come at once.
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                let mut knows = lock(&ticks);
                if let Err(error) = knows.go_on() {
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

    /// That the ledger goes on.
    pub(super) fn lives(&self) -> Result<()> {
        match lock(&self.shared).failure.take() {
            Some(error) => Err(error.context("the ledger could not go on")),
            None => Ok(()),
        }
    }

    /// Whether all that there will be is final.
    pub(super) fn is_settled(&self) -> bool {
        lock(&self.shared).ledger.is_settled()
    }

    /// What happened on the ledger.
    pub(super) fn happened(&self) -> Happened {
        lock(&self.shared).ledger.happened()
    }

    /// What was wrong with answers.
    pub(super) fn met(&self) -> Met {
        lock(&self.shared).faults.met().clone()
    }

    /// From now on every fault comes as soon as it can, until each has struck once.
    pub(super) fn owe_each_fault(&self) {
        lock(&self.shared).faults.owe_each();
    }

    /// What has not struck yet of what had to.
    pub(super) fn owed(&self) -> Vec<Fault> {
        lock(&self.shared).faults.owed().to_vec()
    }

    /// From now on time stands still before a branch dies, or goes on. It changes nothing of what a seed makes.
    pub(super) fn hold(&self, holds: bool) {
        lock(&self.shared).holds = holds;
    }

    /// The blocks that the next slot drops, and in which something succeeded.
    pub(super) fn doomed(&self) -> Vec<[u8; 32]> {
        lock(&self.shared).ledger.doomed()
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
    let (number, fault) = lock(&shared).faults.roll(&method);
    if let Some(Fault::Late(milliseconds)) = fault {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
    lock(&shared).faults.answered(number);
    // Of the others it hangs on the answer whether they strike.
    if let Some(
        fault
        @ (Fault::Status(_) | Fault::Error(_) | Fault::Break | Fault::Late(_) | Fault::Behind(_) | Fault::Nothing),
    ) = fault
    {
        lock(&shared).faults.struck(fault);
    }
    if let Some(Fault::Status(status)) = fault {
        return StatusCode::from_u16(status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response();
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
    let half = || Bytes::copy_from_slice(text.as_bytes().get(..text.len() / 2).unwrap_or_default());
    match fault {
        Some(Fault::Break) => {
            let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            json_body(Body::from_stream(stream::iter([Ok(half()), Err(broken)])))
        }
        Some(Fault::Stall) => {
            let waits = Waits {
                shared: Arc::clone(&shared),
                since: Instant::now(),
            };
            let half = stream::iter([Ok::<_, Infallible>(half())]);
            // Whatever waits for the rest ends with the body.
            let rest = stream::pending().map(move |rest| {
                let _ = &waits;
                rest
            });
            json_body(Body::from_stream(half.chain(rest)))
        }
        _ => json_body(Body::from(text)),
    }
}

/// Somebody waits for the rest of an answer, until this is dropped.
struct Waits {
    shared: Shared,
    since: Instant,
}

impl Drop for Waits {
    fn drop(&mut self) {
        // The client's clock began to run a moment before.
        if self.since.elapsed() >= GIVEN_UP_AFTER * 9 / 10 {
            lock(&self.shared).faults.struck(Fault::Stall);
        }
    }
}

fn json_body(body: Body) -> Response {
    ([("content-type", "application/json")], body).into_response()
}
