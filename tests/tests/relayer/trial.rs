//! What a relayer's node gets to see: nothing that it could send in place of the relayer, and no more questions than are needed.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing::post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal::keys::WalletKey;
use chartseal_tests::memory::one_patient;
use serde_json::{Value, json};

use crate::scene::{Look, Relayer, address_of, asks, asks_to_sign, opens, signed, wallet_of};

/// A node that is asked in place of another, and all that it was asked.
async fn watched(rpc: String) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let forward = move |Json(call): Json<Value>| {
        kept.lock().unwrap().push(call.clone());
        let sent = reqwest::Client::new().post(&rpc).json(&call).send();
        async move { Json(sent.await.unwrap().json::<Value>().await.unwrap()) }
    };
    let app = Router::new().route("/", post(forward));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayers_node_sees_no_signature_before_it_is_counted_and_few_questions_about_its_health() {
    let (stack, payer, _) = one_patient().unwrap();
    let look = Look::at(&stack);
    let (rpc, seen) = watched(stack.endpoints().rpc.clone()).await;
    let relayer = Relayer::over(rpc, &payer, &[]);
    let payer = address_of(&wallet_of(&payer));
    let ada = WalletKey::generate().unwrap();
    let opening = opens(address_of(&ada), payer, [1; 16]);
    let transaction = signed(&[opening], payer, look.blockhash().await, &[&ada]);
    let first = asks_to_sign(&relayer.url, &transaction).await;
    assert!(first["result"]["signature"].is_string(), "{first}");
    assert_eq!(asks_to_sign(&relayer.url, &transaction).await, first);

    let asked = |method: &str| -> Vec<Value> {
        let seen = seen.lock().unwrap();
        seen.iter().filter(|call| call["method"] == method).cloned().collect()
    };
    let tried = asked("simulateTransaction");
    assert!(!tried.is_empty());
    for call in tried {
        let tried = STANDARD.decode(call["params"][0].as_str().unwrap()).unwrap();
        assert_eq!(tried, transaction, "tried out as it came");
    }

    let before = asked("getBalance").len();
    for _ in 0..100 {
        let health = reqwest::get(format!("{}/healthz", relayer.url)).await.unwrap();
        assert!(health.status().is_success());
    }
    assert!(asked("getBalance").len() < before + 100);

    // What is logged is an address, and no line that anybody wrote.
    let forged = json!({ "transaction": STANDARD.encode(&transaction), "signer_key": "x\nINFO signed" });
    let answer = asks(&relayer.url, "signTransaction", forged).await;
    assert_eq!(answer["error"]["message"], "wrong parameters: signer_key is no address");
    drop(relayer);
    stack.stop().unwrap();
}
