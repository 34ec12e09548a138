//! Subscriptions over WebSocket, on the port where Solana's clients look for them and on that of HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{PATIENCE, SOL, client, folder, rpc, sandbox, transfer, wallet, ws};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use solana_address::Address;
use solana_signer::Signer as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(url: &str) -> Self {
        Self(connect_async(url).await.unwrap().0)
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("a message")
                .unwrap()
                .unwrap();
            match message {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(reason) => panic!("closed: {reason:?}"),
                _ => {}
            }
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params });
        self.0.send(Message::text(request.to_string())).await.unwrap();
        let answer = self.next().await;
        assert_eq!(answer["id"], method);
        answer
    }

    async fn subscribe(&mut self, method: &str, params: Value) -> u64 {
        self.call(method, params).await["result"].as_u64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_what_it_asked_for_and_of_nothing_else() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let (alice, bob, carol) = (wallet(&client).await, Address::new_unique(), Address::new_unique());

    // The same on both ports.
    let urls = [
        ws(sandbox.endpoints()).to_owned(),
        rpc(sandbox.endpoints()).replace("http", "ws"),
    ];
    for (amount, url) in [SOL / 4, SOL / 5].into_iter().zip(urls) {
        let mut socket = Socket::open(&url).await;
        let logs = socket
            .subscribe("logsSubscribe", json!([{ "mentions": [bob.to_string()] }]))
            .await;
        let other = transfer(&client, &alice, &carol, amount).await;
        client.send_and_confirm_transaction(&other).await.unwrap();
        let sent = transfer(&client, &alice, &bob, amount).await;
        let signature = socket
            .subscribe("signatureSubscribe", json!([sent.signatures[0].to_string()]))
            .await;
        client.send_and_confirm_transaction(&sent).await.unwrap();

        let heard = [socket.next().await, socket.next().await];
        let of = |id: u64| heard.iter().find(|told| told["params"]["subscription"] == id).unwrap();
        let value = |id: u64| &of(id)["params"]["result"]["value"];
        assert_eq!(of(logs)["method"], "logsNotification");
        assert_eq!(value(logs)["signature"], sent.signatures[0].to_string());
        assert!(value(logs)["logs"].as_array().unwrap().len() >= 2);
        assert_eq!(of(signature)["method"], "signatureNotification");
        assert_eq!(value(signature), &json!({ "err": null }));
        assert!(of(logs)["params"]["result"]["context"]["slot"].as_u64().unwrap() > 0);

        assert_eq!(socket.call("logsUnsubscribe", json!([logs])).await["result"], true);
        let gone = socket.call("signatureUnsubscribe", json!([signature])).await;
        assert_eq!(gone["error"]["code"], -32602, "a signature is told of once");
        let sent = transfer(&client, &alice, &bob, amount + 1).await;
        client.send_and_confirm_transaction(&sent).await.unwrap();
        assert_eq!(
            socket.call("nothing", json!([])).await["error"]["code"],
            -32601,
            "and nothing before it"
        );
    }
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_is_there_already_is_told_of_at_once_and_to_nobody_else() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let sent = transfer(&client, &alice, &Address::new_unique(), SOL).await;
    client.send_and_confirm_transaction(&sent).await.unwrap();
    let mut socket = Socket::open(ws(sandbox.endpoints())).await;
    let logs = socket.subscribe("logsSubscribe", json!(["all"])).await;
    for _ in 0..2 {
        let id = socket
            .subscribe("signatureSubscribe", json!([sent.signatures[0].to_string()]))
            .await;
        assert_eq!(socket.next().await["params"]["subscription"], id);
    }
    // What the log's subscriber hears next is new: what it was too late for is not told to it because others asked.
    let next = transfer(&client, &alice, &Address::new_unique(), SOL).await;
    client.send_and_confirm_transaction(&next).await.unwrap();
    let heard = socket.next().await;
    assert_eq!(heard["params"]["subscription"], logs);
    assert_eq!(
        heard["params"]["result"]["value"]["signature"],
        next.signatures[0].to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hears_of_all_misses_none() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let mut socket = Socket::open(ws(sandbox.endpoints())).await;
    socket
        .subscribe("logsSubscribe", json!(["all", { "commitment": "finalized" }]))
        .await;
    let mut sent = Vec::new();
    for lamports in 0..50 {
        let transaction = transfer(&client, &alice, &alice.pubkey(), lamports).await;
        sent.push(client.send_transaction(&transaction).await.unwrap().to_string());
    }
    for signature in sent {
        assert_eq!(socket.next().await["params"]["result"]["value"]["signature"], signature);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_subscription_is_refused_and_the_connection_stays() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let mut socket = Socket::open(ws(sandbox.endpoints())).await;
    let key = Address::new_unique().to_string();
    for (method, params) in [
        ("logsSubscribe", json!([])),
        ("logsSubscribe", json!(["some"])),
        ("logsSubscribe", json!([{ "mentions": [key, key] }])),
        ("logsSubscribe", json!([{ "mentions": ["?"] }])),
        ("signatureSubscribe", json!(["short"])),
        ("logsUnsubscribe", json!([1_000_000])),
    ] {
        assert_eq!(
            socket.call(method, params.clone()).await["error"]["code"],
            -32602,
            "{method} {params}"
        );
    }
    socket.0.send(Message::text("{")).await.unwrap();
    assert_eq!(socket.next().await["error"]["code"], -32700);
    assert!(socket.call("getVersion", json!([])).await["result"]["solana-core"].is_string());
}
