//! A relayer that says no and sends all the same, under its own signature: what was made for the transaction stays, so that
//! what stands on chain can be read and explained. One that has the caller pay is found out.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_tests::memory::one_patient;
use chartseal_tests::people::{Outcome, Person};
use chartseal_tests::stack::Stack;
use serde_json::{Value, json};

use crate::liar::{Lie, liar, sign};
use crate::scene::{Look, address_of, poor, types, wallet_of};

/// Says no, and lets the transaction land before it does.
fn denies_and_sends(stack: &Stack) -> Lie {
    let rpc = stack.endpoints().rpc.clone();
    Arc::new(move |wallet, mut transaction| {
        sign(wallet, &mut transaction);
        let params = json!([STANDARD.encode(&transaction), { "encoding": "base64", "skipPreflight": true }]);
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": params });
        let sent = reqwest::Client::new().post(&rpc).json(&call).send();
        let sent = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(sent));
        assert!(sent.unwrap().status().is_success());
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -1, "message": "not for you" } })
    })
}

async fn is_told_no(who: &Person, url: &str, words: &[&str]) -> Outcome {
    let (who, url) = (who.clone(), url.to_owned());
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let typed = move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        types(&who, &url, &words)
    };
    let outcome = tokio::task::spawn_blocking(typed).await.unwrap();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome.error.contains("does not pay for this: not for you"),
        "{outcome:?}"
    );
    assert!(outcome.error.contains("nothing was sent from here"), "{outcome:?}");
    outcome
}

/// What a list holds once there is something in it.
async fn listed(who: &Person, words: &[&str]) -> Value {
    loop {
        if let [found, ..] = who.does(words).unwrap().objects.as_slice() {
            return found.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_relayer_denies_and_lands_opens() {
    let (stack, payer, _) = one_patient().unwrap();
    let ada = poor(&stack, "ada");
    let passphrase = payer.passphrase();
    let identity = payer.identity();
    let paid = [
        "--fee-payer",
        identity.to_str().unwrap(),
        "--fee-payer-passphrase-file",
        passphrase.to_str().unwrap(),
    ];
    let chart = ada.does(&[&paid[..], &["patient", "open"]].concat()).unwrap();
    let chart = chart.text("patient").unwrap();
    let url = liar(wallet_of(&payer), denies_and_sends(&stack)).await;
    let file = stack.folder().join("note.txt");
    std::fs::write(&file, "what was said").unwrap();
    let put = ["put", &chart, file.to_str().unwrap(), "--class", "1", "--no-journal"];
    is_told_no(&ada, &url, &put).await;

    let record = listed(&ada, &["list", &chart]).await;
    let record = record["record"].as_str().unwrap().to_owned();
    let out = stack.folder().join("out.txt");
    let get = ["get", &chart, &record, "--out", out.to_str().unwrap()];
    ada.does(&[&paid[..], &get].concat()).unwrap();
    assert_eq!(std::fs::read_to_string(out).unwrap(), "what was said");
    stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayer_that_names_the_callers_wallet_as_the_one_that_pays_is_found_out() {
    let (stack, rich, _) = one_patient().unwrap();
    let look = Look::at(&stack);
    let wallet = address_of(&wallet_of(&rich));
    let before = look.lamports(&wallet).await;
    let gives_back: Lie = Arc::new(
        |_, transaction| json!({ "jsonrpc": "2.0", "id": 1, "result": { "signed_transaction": STANDARD.encode(transaction) } }),
    );
    let url = liar(wallet_of(&rich), gives_back).await;
    let typed = move || types(&rich, &url, &["patient", "open"]);
    let outcome = tokio::task::spawn_blocking(typed).await.unwrap();
    assert!(
        outcome.code == 1 && outcome.error.contains("names your own wallet as the one that pays"),
        "{outcome:?}"
    );
    assert_eq!(look.lamports(&wallet).await, before);
    stack.stop().unwrap();
}
