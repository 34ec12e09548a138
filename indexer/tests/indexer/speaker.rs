//! A node's WebSocket that says what a test wants.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket as Accepted, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use chartseal_indexer::source::WebSocket;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
    task::JoinHandle,
};

/// How it takes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It begins no WebSocket.
    Refuses,
    /// It does, and says that it knows no subscriptions.
    Declines,
    /// It takes the subscription and says nothing to it.
    Silent,
    /// It does what it is asked for.
    Tells,
}

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// That there was a transaction.
    Notice,
    /// Something that is no message of Solana's.
    Nonsense,
    /// Nothing more: the connection breaks.
    Cut,
}

#[derive(Clone)]
struct Shared {
    manner: watch::Receiver<Manner>,
    says: broadcast::Sender<Say>,
    asked: Arc<AtomicUsize>,
    commitment: Arc<watch::Sender<String>>,
}

pub(crate) struct Speaker {
    pub(crate) address: WebSocket,
    pub(crate) manner: watch::Sender<Manner>,
    says: broadcast::Sender<Say>,
    asked: Arc<AtomicUsize>,
    commitment: watch::Receiver<String>,
    server: JoinHandle<()>,
}

impl Speaker {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (manner, now) = watch::channel(manner);
        let (says, _) = broadcast::channel(16);
        let asked = Arc::new(AtomicUsize::new(0));
        let (stated, commitment) = watch::channel(String::new());
        let app = Router::new().route("/", get(upgrade)).with_state(Shared {
            manner: now,
            says: says.clone(),
            asked: Arc::clone(&asked),
            commitment: Arc::new(stated),
        });
        Self {
            address: WebSocket::At(format!("ws://{address}")),
            manner,
            says,
            asked,
            commitment,
            server: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
        }
    }

    /// How many subscriptions it was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// At which commitment it was last asked for one.
    pub(crate) fn commitment(&self) -> String {
        self.commitment.borrow().clone()
    }

    pub(crate) fn say(&self, what: Say) {
        // Nobody may be connected.
        let _ = self.says.send(what);
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn upgrade(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let manner = *shared.manner.borrow();
    match manner {
        Manner::Refuses => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        _ => upgrade.on_upgrade(|socket| speak(shared, socket)),
    }
}

async fn speak(mut shared: Shared, mut socket: Accepted) {
    let mut says = shared.says.subscribe();
    let Some(Ok(Message::Text(text))) = socket.recv().await else {
        return;
    };
    let question: Value = serde_json::from_str(&text).unwrap();
    let mentions = json!({ "mentions": [chartseal_program::ID.to_string()] });
    assert_eq!(
        (&question["method"], &question["params"][0]),
        (&json!("logsSubscribe"), &mentions)
    );
    let commitment = question["params"][1]["commitment"].as_str().unwrap();
    shared.commitment.send_replace(commitment.to_owned());
    shared.asked.fetch_add(1, Ordering::SeqCst);
    // Until then it listens to nothing and says nothing, except that the connection is there.
    let manner = *shared
        .manner
        .wait_for(|manner| *manner != Manner::Silent)
        .await
        .unwrap();
    let answer = match manner {
        Manner::Declines => {
            json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -32601, "message": "No" } })
        }
        _ => json!({ "jsonrpc": "2.0", "id": question["id"], "result": 7 }),
    };
    if socket.send(Message::text(answer.to_string())).await.is_err() {
        return;
    }
    let notice = json!({
        "jsonrpc": "2.0", "method": "logsNotification",
        "params": { "subscription": 7, "result": { "context": { "slot": 1 }, "value": { "logs": [], "err": null } } },
    });
    while let Ok(what) = says.recv().await {
        let text = match what {
            Say::Notice => notice.to_string(),
            Say::Nonsense => "[".to_owned(),
            Say::Cut => return,
        };
        if socket.send(Message::text(text)).await.is_err() {
            return;
        }
    }
}
