//! Relayers that lie: nothing is sent, and it is said whose fault it is. One that sends by itself and says that it did not
//! has the transaction applied once.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing::post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal::keys::WalletKey;
use chartseal_tests::memory::{one_patient, one_patient_with};
use serde_json::{Value, json};

use crate::scene::{Look, address_of, poor, types, wallet_of};

/// What a lying relayer gives back for a transaction that it was asked to sign: its answer.
pub(crate) type Lie = Arc<dyn Fn(&WalletKey, Vec<u8>) -> Value + Send + Sync>;

/// Serves a lie, and gives its address.
pub(crate) async fn liar(wallet: WalletKey, lie: Lie) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let wallet = Arc::new(wallet);
    let app = Router::new().route(
        "/",
        post(move |Json(call): Json<Value>| {
            let (wallet, lie) = (Arc::clone(&wallet), Arc::clone(&lie));
            async move {
                let payer = address_of(&wallet).to_string();
                if call["method"] == "getPayerSigner" {
                    let told = json!({ "signer_address": payer, "payment_address": payer });
                    return Json(json!({ "jsonrpc": "2.0", "id": 1, "result": told }));
                }
                let asked = call["params"]["transaction"].as_str().unwrap();
                Json(lie(&wallet, STANDARD.decode(asked).unwrap()))
            }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Where the message begins.
fn message(transaction: &[u8]) -> usize {
    1 + 64 * usize::from(transaction[0])
}

/// Puts a wallet's signature in the first place.
pub(crate) fn sign(wallet: &WalletKey, transaction: &mut [u8]) {
    let signature = wallet.sign(&transaction[message(transaction)..]);
    transaction[1..65].copy_from_slice(&signature);
}

fn gives(transaction: &[u8]) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": { "signed_transaction": STANDARD.encode(transaction) } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayer_that_gives_back_something_else_is_noticed_and_nothing_is_sent() {
    let (stack, payer, _) = one_patient().unwrap();
    let look = Look::at(&stack);
    let ada = poor(&stack, "ada");
    let wallet = wallet_of(&payer);
    let before = look.lamports(&address_of(&wallet)).await;
    let lies: [(&str, &str, Lie); 8] = [
        (
            "another message",
            "gave back another transaction",
            Arc::new(|wallet, mut transaction| {
                *transaction.last_mut().unwrap() ^= 1;
                sign(wallet, &mut transaction);
                gives(&transaction)
            }),
        ),
        (
            "without our signature",
            "gave back another transaction",
            Arc::new(|wallet, mut transaction| {
                sign(wallet, &mut transaction);
                transaction[65..129].fill(0);
                gives(&transaction)
            }),
        ),
        (
            "more than was asked",
            "gave back another transaction",
            Arc::new(|wallet, mut transaction| {
                sign(wallet, &mut transaction);
                transaction.push(0);
                gives(&transaction)
            }),
        ),
        (
            "another's signature",
            "without a valid signature",
            Arc::new(|_, mut transaction| {
                sign(&WalletKey::generate().unwrap(), &mut transaction);
                gives(&transaction)
            }),
        ),
        (
            "unsigned",
            "without a valid signature",
            Arc::new(|_, transaction| gives(&transaction)),
        ),
        (
            "rubbish",
            "gave back no transaction",
            Arc::new(|_, _| json!({ "jsonrpc": "2.0", "id": 1, "result": { "signed_transaction": "%%%" } })),
        ),
        (
            "no answer",
            "gave no answer in JSON-RPC",
            Arc::new(|_, _| json!(["rubbish"])),
        ),
        (
            "a refusal",
            "does not pay for this: not for you",
            Arc::new(
                |_, _| json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -1, "message": "not\u{1b}[31m for you" } }),
            ),
        ),
    ];
    for (what, words, lie) in lies {
        let url = liar(wallet.clone(), lie).await;
        let outcome = {
            let ada = ada.clone();
            tokio::task::spawn_blocking(move || types(&ada, &url, &["patient", "open"]))
                .await
                .unwrap()
        };
        let error = outcome.error.replace("[31m", "");
        assert_eq!(outcome.code, 1, "{what}: {error}");
        assert!(
            error.contains(words) && error.contains("nothing was sent"),
            "{what}: {error}"
        );
        assert!(!error.contains('\u{1b}'), "{what}: {error}");
    }
    assert_eq!(look.lamports(&address_of(&wallet)).await, before);
    stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relayer_sends_and_denies_is_applied_once_and_told() {
    // The life of a blockhash is 150 slots: three seconds.
    let (stack, payer, _) = one_patient_with(&["--slot-time-ms", "20"]).unwrap();
    let look = Look::at(&stack);
    let ada = poor(&stack, "ada");
    let rpc = stack.endpoints().rpc.clone();
    let wallet = wallet_of(&payer);
    let address = address_of(&wallet);
    let (transactions, _) = look.fees(&address).await;
    let sent = Arc::new(Mutex::new(None::<Vec<u8>>));
    let (tell, posted) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let lie: Lie = {
        let sent = Arc::clone(&sent);
        Arc::new(move |wallet, mut transaction| {
            sign(wallet, &mut transaction);
            let first = sent.lock().unwrap().get_or_insert_with(|| transaction.clone()).clone();
            assert_eq!(
                first, transaction,
                "nothing else is signed as long as it may be applied"
            );
            tell.send(transaction).unwrap();
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -1, "message": "Blockhash not found" } })
        })
    };
    let url = liar(wallet, lie).await;
    let sender = tokio::spawn(async move {
        let mut posted = posted;
        while let Some(transaction) = posted.recv().await {
            let params = json!([STANDARD.encode(&transaction), { "encoding": "base64", "skipPreflight": true }]);
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": params });
            reqwest::Client::new().post(&rpc).json(&call).send().await.unwrap();
        }
    });
    let outcome = tokio::task::spawn_blocking(move || types(&ada, &url, &["patient", "open"]))
        .await
        .unwrap();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(look.fees(&address).await.0, transactions + 1);
    sender.abort();
    stack.stop().unwrap();
}
