#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::ws::{Message, WebSocket as Accepted, WebSocketUpgrade},
    routing::get,
};
use chartseal_websocket::{builder, over_http};
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_instruction::error::InstructionError;
use solana_transaction_error::TransactionError;
use tokio::sync::mpsc;

use super::{
    super::{WebSocket, mock_node::node},
    *,
};

const LONG: Duration = Duration::from_secs(60);

/// The node's side of a connection.
struct Peer(Accepted);

impl Peer {
    /// The next question: its number, its method and what it is about. `None` where the connection ended.
    async fn next(&mut self) -> Option<(u64, String, Value)> {
        loop {
            match self.0.recv().await? {
                Ok(Message::Text(text)) => {
                    let question: Value = serde_json::from_str(&text).unwrap();
                    let method = question["method"].as_str().unwrap().to_owned();
                    return Some((question["id"].as_u64().unwrap(), method, question["params"][0].clone()));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn say(&mut self, what: Value) {
        // The other side may be gone.
        let _ = self.0.send(Message::text(what.to_string())).await;
    }

    async fn answer(&mut self, question: u64, subscription: u64) {
        self.say(json!({ "jsonrpc": "2.0", "result": subscription, "id": question }))
            .await;
    }

    async fn tell(&mut self, subscription: u64, error: Value) {
        let result = json!({ "context": { "slot": 5 }, "value": { "err": error } });
        let params = json!({ "result": result, "subscription": subscription });
        self.say(json!({ "jsonrpc": "2.0", "method": "signatureNotification", "params": params }))
            .await;
    }

    /// Answers all, and tells of all that they stand on chain.
    async fn tells_of_all(mut self) {
        while let Some((question, _, _)) = self.next().await {
            self.answer(question, question + 1_000).await;
            self.tell(question + 1_000, Value::Null).await;
        }
    }
}

/// A node that does this with its connections, which are numbered from 0 on.
fn app<F: Future<Output = ()> + Send>(does: impl Fn(usize, Peer) -> F + Clone + Send + Sync + 'static) -> Router {
    let begun = Arc::new(AtomicUsize::new(0));
    let upgrade = move |upgrade: WebSocketUpgrade| {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        std::future::ready(upgrade.on_upgrade(async move |socket| does(number, Peer(socket)).await))
    };
    Router::new().route("/", get(upgrade))
}

/// Such a node at work. Returns its address.
async fn serves<F: Future<Output = ()> + Send>(
    does: impl Fn(usize, Peer) -> F + Clone + Send + Sync + 'static,
) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(does);
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("ws://{address}")
}

/// What is asked of a node that says of each transaction whether it stands on chain, and told by one at an address.
fn fates(address: &str, stands: impl Fn(&str) -> bool + Send + Sync + 'static) -> Arc<Fates> {
    let status = json!({
        "slot": 7, "confirmations": 5, "status": { "Ok": null }, "err": null, "confirmationStatus": "confirmed",
    });
    let rpc = node(CommitmentConfig::confirmed(), move |_, params| {
        let of = |signature: &Value| stands(signature.as_str()?).then(|| status.clone());
        let asked = params[0].as_array().map(Vec::as_slice).unwrap_or_default();
        json!({ "context": { "slot": 1_000 }, "value": asked.iter().map(of).collect::<Vec<_>>() })
    });
    let place = Place::new(Vec::new(), Arc::default(), WebSocket::At(address.to_owned()));
    Fates::new(Arc::new(rpc), Some(place), LONG)
}

fn signature(number: u16) -> Signature {
    let mut bytes = [0; 64];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

async fn told(fates: &Arc<Fates>, numbers: std::ops::Range<u16>) -> Vec<Fate> {
    let mut followed: Vec<_> = numbers.map(|number| fates.follow(signature(number), None)).collect();
    let news = join_all(followed.iter_mut().map(|one| one.within(LONG))).await;
    news.into_iter().map(|news| news.fate).collect()
}

#[tokio::test]
async fn thousands_are_told_of_over_one_connection() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let address = serves(move |_, peer| {
        count.fetch_add(1, Ordering::Relaxed);
        peer.tells_of_all()
    });
    let fates = fates(&address.await, |_| false);
    let told = told(&fates, 0..3_000).await;
    assert!(told.iter().all(|fate| *fate == Fate::Confirmed));
    // A machine that stands still for seconds is taken for a node that does not keep its word.
    assert!(begun.load(Ordering::Relaxed) <= 3);
}

#[tokio::test]
async fn a_notice_is_understood_though_it_comes_before_its_subscription_and_tells_why_a_transaction_failed() {
    let address = serves(async |_, mut peer| {
        while let Some((question, _, _)) = peer.next().await {
            peer.tell(7, json!({ "InstructionError": [0, { "Custom": 6_001 }] }))
                .await;
            peer.answer(question, 7).await;
        }
    });
    let fates = fates(&address.await, |_| false);
    let failed = TransactionError::InstructionError(0, InstructionError::Custom(6_001));
    assert_eq!(told(&fates, 0..1).await, [Fate::Failed(failed)]);
}

#[tokio::test]
async fn what_a_node_will_not_tell_of_is_asked_for() {
    let refused = Arc::new(AtomicBool::new(false));
    let does = Arc::clone(&refused);
    let address = serves(move |_, mut peer| {
        let does = Arc::clone(&does);
        async move {
            while let Some((question, _, _)) = peer.next().await {
                peer.say(json!({ "id": question, "error": { "code": -32_603, "message": "limit" } }))
                    .await;
                peer.say(json!("rubbish")).await;
                does.store(true, Ordering::Relaxed);
            }
        }
    });
    let fates = fates(&address.await, move |_| refused.load(Ordering::Relaxed));
    assert_eq!(told(&fates, 0..1).await, [Fate::Confirmed]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_begun_anew_and_tells_of_what_the_other_did_not() {
    let address = serves(async |number, mut peer: Peer| match number {
        0 => {
            let (question, _, _) = peer.next().await.expect("a question");
            peer.answer(question, 1).await;
        }
        _ => peer.tells_of_all().await,
    });
    let fates = fates(&address.await, |_| false);
    let told = told(&fates, 0..300).await;
    assert!(told.iter().all(|fate| *fate == Fate::Confirmed));
}

#[tokio::test]
async fn a_node_that_promises_to_tell_and_does_not_is_left() {
    let (begun, mut connections) = mpsc::unbounded_channel();
    let promised = Arc::new(AtomicBool::new(false));
    let first = signature(0).to_string();
    let (does, about) = (Arc::clone(&promised), first.clone());
    let address = serves(move |number, mut peer| {
        let _ = begun.send(number);
        let (does, first) = (Arc::clone(&does), about.clone());
        async move {
            while let Some((question, _, about)) = peer.next().await {
                peer.answer(question, question).await;
                does.fetch_or(about == json!(first), Ordering::Relaxed);
            }
        }
    });
    let fates = fates(&address.await, move |asked| {
        asked == first && promised.load(Ordering::Relaxed)
    });
    let mut open = fates.follow(signature(1), None);
    let waits = async {
        assert_eq!(told(&fates, 0..1).await, [Fate::Confirmed]);
        assert_eq!(connections.recv().await, Some(0));
        assert_eq!(connections.recv().await, Some(1));
    };
    tokio::select! {
        news = open.within(LONG) => unreachable!("{news:?}"),
        () = waits => {}
    }
}

#[tokio::test]
async fn who_gives_up_is_told_nothing_more_and_with_the_ledger_the_connection_ends() {
    let (tell, mut heard) = mpsc::unbounded_channel();
    let numbers = Arc::new(Mutex::new(std::collections::HashMap::new()));
    let address = serves(move |_, mut peer| {
        let (tell, numbers) = (tell.clone(), Arc::clone(&numbers));
        async move {
            while let Some((question, method, about)) = peer.next().await {
                peer.answer(question, question).await;
                let told = match about.as_str() {
                    Some(signature) => {
                        numbers.lock().unwrap().insert(question, signature.to_owned());
                        signature.to_owned()
                    }
                    None => numbers.lock().unwrap()[&about.as_u64().unwrap()].clone(),
                };
                let _ = tell.send(format!("{method} {told}"));
            }
            let _ = tell.send("end".to_owned());
        }
    });
    let fates = fates(&address.await, |_| false);
    let mut next = async || tokio::time::timeout(LONG, heard.recv()).await.unwrap().unwrap();
    let (one, other) = (signature(1), signature(2));
    let mut stays = fates.follow(one, None);
    let mut goes = fates.follow(other, None);
    tokio::join!(
        stays.within(Duration::from_millis(1)),
        goes.within(Duration::from_millis(1))
    );
    let mut begun = [next().await, next().await];
    begun.sort();
    let mut expected = [one, other].map(|signature| format!("signatureSubscribe {signature}"));
    expected.sort();
    assert_eq!(begun, expected);
    drop(goes);
    assert_eq!(next().await, format!("signatureUnsubscribe {other}"));
    drop(stays);
    drop(fates);
    let mut last = next().await;
    if last != "end" {
        assert_eq!(last, format!("signatureUnsubscribe {one}"));
        last = next().await;
    }
    assert_eq!(last, "end");
}

#[tokio::test]
async fn a_connection_is_begun_over_tls_with_a_node_that_somebody_vouches_for() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = axum_server::tls_rustls::RustlsConfig::from_pem(certificate.clone().into(), key.into());
    let handle = axum_server::Handle::<std::net::SocketAddr>::new();
    let app = app(|_, peer| peer.tells_of_all());
    let server = axum_server::bind_rustls("127.0.0.1:0".parse().unwrap(), tls.await.unwrap());
    tokio::spawn(server.handle(handle.clone()).serve(app.into_make_service()));
    let port = handle.listening().await.unwrap().port();
    let url = over_http(&format!("wss://127.0.0.1:{port}")).unwrap();

    let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let knows = builder().add_root_certificate(root).build().unwrap();
    let mut socket = Socket::begin(&knows, url.clone()).await.ok().unwrap();
    let at = CommitmentConfig::confirmed();
    let question = socket.subscribe(&signature(1), at).await.unwrap();
    let number = Some(question + 1_000);
    assert_eq!(socket.hear().await, Ok(Said::Answer { question, number }));
    assert!(Socket::begin(&client().unwrap(), url).await.is_err());
}
