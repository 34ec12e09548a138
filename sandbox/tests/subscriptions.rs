//! Subscriptions as Solana's own client asks for them, also by the thousand, and what becomes of a client that does not
//! read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use chartseal_sandbox::{Config, Sandbox};
use common::{PATIENCE, SOL, client, config, folder, rpc, sandbox, transfer, wallet, ws};
use futures_util::{SinkExt as _, Stream, StreamExt as _, future::join_all};
use serde_json::json;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::config::{RpcSignatureSubscribeConfig, RpcTransactionLogsConfig, RpcTransactionLogsFilter};
use solana_rpc_client_api::response::{ProcessedSignatureResult, RpcSignatureResult};
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_system_interface::instruction as system;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    let next = tokio::time::timeout(PATIENCE, stream.next()).await;
    next.expect("a notification").expect("a stream that goes on")
}

fn confirmed() -> RpcSignatureSubscribeConfig {
    RpcSignatureSubscribeConfig {
        commitment: Some(CommitmentConfig::confirmed()),
        enable_received_notification: None,
    }
}

fn logs() -> RpcTransactionLogsConfig {
    RpcTransactionLogsConfig {
        commitment: Some(CommitmentConfig::confirmed()),
    }
}

fn error_of(result: &RpcSignatureResult) -> Option<TransactionError> {
    match result {
        RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err }) => err.clone().map(Into::into),
        RpcSignatureResult::ReceivedSignature(_) => panic!("nobody asked when it was received"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn solanas_own_client_hears_of_signatures_logs_and_mentions() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let rpc = client(sandbox.endpoints());
    let (alice, bob) = (wallet(&rpc).await, Address::new_unique());
    let listener = PubsubClient::new(ws(sandbox.endpoints())).await.unwrap();
    let (mut all, end_all) = listener
        .logs_subscribe(RpcTransactionLogsFilter::All, logs())
        .await
        .unwrap();
    let mentions = RpcTransactionLogsFilter::Mentions(vec![bob.to_string()]);
    let (mut of_bob, end_of_bob) = listener.logs_subscribe(mentions, logs()).await.unwrap();

    let other = transfer(&rpc, &alice, &Address::new_unique(), SOL).await;
    let pays = transfer(&rpc, &alice, &bob, SOL).await;
    for transaction in [&other, &pays] {
        let signature = transaction.signatures[0];
        let (mut told, _) = listener
            .signature_subscribe(&signature, Some(confirmed()))
            .await
            .unwrap();
        rpc.send_transaction(transaction).await.unwrap();
        let heard = next(&mut told).await;
        assert_eq!(error_of(&heard.value), None);
        let in_log = next(&mut all).await;
        assert_eq!(in_log.value.signature, signature.to_string());
        assert_eq!(in_log.context.slot, heard.context.slot);
        assert!(!in_log.value.logs.is_empty());
    }
    assert_eq!(next(&mut of_bob).await.value.signature, pays.signatures[0].to_string());

    // What is ended says nothing more, and whoever asks late is told all the same.
    end_all().await;
    end_of_bob().await;
    let (mut late, _) = listener.signature_subscribe(&pays.signatures[0], None).await.unwrap();
    assert_eq!(error_of(&next(&mut late).await.value), None);
    drop((all, of_bob, late));
    listener.shutdown().await.unwrap();
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_fails_on_chain_is_told_of_with_its_error() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let rpc = client(sandbox.endpoints());
    let alice = wallet(&rpc).await;
    let too_much = system::transfer(&alice.pubkey(), &Address::new_unique(), 1_000 * SOL);
    let blockhash = rpc.get_latest_blockhash().await.unwrap();
    let fails = Transaction::new_signed_with_payer(&[too_much], Some(&alice.pubkey()), &[&alice], blockhash);
    let listener = PubsubClient::new(ws(sandbox.endpoints())).await.unwrap();
    let signature = fails.signatures[0];
    let (mut told, _) = listener
        .signature_subscribe(&signature, Some(confirmed()))
        .await
        .unwrap();
    let unseen = solana_rpc_client_api::config::RpcSendTransactionConfig {
        skip_preflight: true,
        ..Default::default()
    };
    rpc.send_transaction_with_config(&fails, unseen).await.unwrap();
    let told = error_of(&next(&mut told).await.value);
    let status = rpc.get_signature_status(&signature).await.unwrap().unwrap();
    assert!(told.is_some());
    assert_eq!(told, status.err(), "what is told is what is answered");
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_hears_of_thousands_of_signatures() {
    const SIGNATURES: u64 = 3_000;
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let rpc = client(sandbox.endpoints());
    let alice = wallet(&rpc).await;
    let sent = transfer(&rpc, &alice, &Address::new_unique(), SOL).await;
    let listener = PubsubClient::new(ws(sandbox.endpoints())).await.unwrap();
    let never = (0..SIGNATURES).map(|number| {
        let mut bytes = [7; 64];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Signature::from(bytes)
    });
    let never: Vec<_> = never.collect();
    let (first, last) = never.split_at(never.len() / 2);
    let subscribe = |signature| listener.signature_subscribe(signature, None);
    let before = join_all(first.iter().map(subscribe)).await;
    let (mut told, _) = subscribe(&sent.signatures[0]).await.unwrap();
    let after = join_all(last.iter().map(subscribe)).await;
    assert!(before.iter().chain(&after).all(Result::is_ok));
    rpc.send_transaction(&sent).await.unwrap();
    assert_eq!(error_of(&next(&mut told).await.value), None);
    drop((before, after, told));
    listener.shutdown().await.unwrap();
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_told_of_one_after_the_other_and_a_journey_by_where_it_ends() {
    let folder = folder();
    let sandbox = Sandbox::start(Config {
        slot_time_ms: Some(20),
        ..config(folder.path())
    });
    let sandbox = sandbox.await.unwrap();
    let client = client(sandbox.endpoints());
    let listener = PubsubClient::new(ws(sandbox.endpoints())).await.unwrap();
    let (mut slots, end) = listener.slot_subscribe().await.unwrap();
    let mut last = next(&mut slots).await;
    assert!(
        last.slot
            <= client
                .get_slot_with_commitment(CommitmentConfig::processed())
                .await
                .unwrap()
    );
    for _ in 0..20 {
        let slot = next(&mut slots).await;
        assert_eq!(
            (slot.slot, slot.parent, slot.root),
            (last.slot + 1, last.slot, last.slot)
        );
        last = slot;
    }
    let far = last.slot + 1_000_000;
    let travel = json!({
        "jsonrpc": "2.0", "id": 1, "method": "surfnet_timeTravel", "params": [{ "absoluteSlot": far }],
    });
    let request = reqwest::Client::new().post(rpc(sandbox.endpoints())).json(&travel);
    request.send().await.unwrap().error_for_status().unwrap();
    let mut between = 0;
    let arrived = loop {
        let slot = next(&mut slots).await;
        if slot.slot >= far {
            break slot;
        }
        between += 1;
    };
    assert!(
        arrived.slot < far + 100_000 && between < 100_000,
        "not of every slot that was passed over"
    );
    end().await;
    drop(slots);
    listener.shutdown().await.unwrap();
    sandbox.stop().await.unwrap();
}

/// Far more is said than a connection holds between two computers, or two programs.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_dropped_and_nobody_else_notices() {
    const SUBSCRIPTIONS: usize = 4_000;
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let rpc = client(sandbox.endpoints());
    let alice = wallet(&rpc).await;
    let (mut deaf, _) = connect_async(ws(sandbox.endpoints())).await.unwrap();
    for id in 0..SUBSCRIPTIONS {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "logsSubscribe", "params": ["all"] });
        deaf.send(Message::text(request.to_string())).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, deaf.next()).await.unwrap();
        assert!(answer.unwrap().unwrap().to_text().unwrap().contains("result"));
    }
    let listener = PubsubClient::new(ws(sandbox.endpoints())).await.unwrap();
    let (mut all, _) = listener
        .logs_subscribe(RpcTransactionLogsFilter::All, logs())
        .await
        .unwrap();
    for lamports in 1..=10 {
        let sent = transfer(&rpc, &alice, &alice.pubkey(), lamports).await;
        rpc.send_transaction(&sent).await.unwrap();
        assert_eq!(next(&mut all).await.value.signature, sent.signatures[0].to_string());
    }
    // A connection that was closed by the other side cannot be written to.
    let dropped = async {
        while deaf.send(Message::Ping(Vec::new().into())).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dropped).await.expect("it is dropped");
    let sent = transfer(&rpc, &alice, &alice.pubkey(), 11).await;
    rpc.send_transaction(&sent).await.unwrap();
    assert_eq!(next(&mut all).await.value.signature, sent.signatures[0].to_string());
    drop(all);
    listener.shutdown().await.unwrap();
    sandbox.stop().await.unwrap();
}
