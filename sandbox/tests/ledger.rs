//! Sending transactions with Solana's own client, over real HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chartseal_sandbox::{Config, Sandbox};
use common::{SOL, airdrop, client, config, folder, post, refusal, sandbox, transfer, wallet};
use serde_json::json;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_rpc_client_api::config::RpcSendTransactionConfig;
use solana_signer::Signer as _;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{TransactionConfirmationStatus, UiTransactionEncoding};

#[tokio::test(flavor = "multi_thread")]
async fn an_airdrop_and_a_transfer_are_confirmed() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    client.get_health().await.unwrap();
    assert_eq!(
        Some(client.get_genesis_hash().await.unwrap().to_string()),
        sandbox.endpoints().genesis_hash
    );

    let (alice, bob) = (wallet(&client).await, Address::new_unique());
    let sent = transfer(&client, &alice, &bob, SOL).await;
    let signature = client.send_and_confirm_transaction(&sent).await.unwrap();
    assert_eq!(signature, sent.signatures[0]);
    assert_eq!(client.get_balance(&bob).await.unwrap(), SOL);
    assert_eq!(client.get_balance(&alice.pubkey()).await.unwrap(), 9 * SOL - 5_000);

    let status = client.get_signature_statuses(&[signature]).await.unwrap().value[0]
        .clone()
        .unwrap();
    assert_eq!(
        status.confirmation_status,
        Some(TransactionConfirmationStatus::Finalized)
    );
    assert!(status.satisfies_commitment(CommitmentConfig::finalized()));
    assert_eq!(client.get_fee_for_message(&sent.message).await.unwrap(), 5_000);
    assert_eq!(client.get_account(&bob).await.unwrap().lamports, SOL);
    assert!(client.get_account(&Address::new_unique()).await.is_err());
    assert_eq!(client.get_minimum_balance_for_rent_exemption(0).await.unwrap(), 890_880);
    assert_eq!(client.get_epoch_info().await.unwrap().epoch, 0);
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_equal_airdrops_are_two() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let bob = Address::new_unique();
    assert_ne!(airdrop(&client, &bob, SOL).await, airdrop(&client, &bob, SOL).await);
    assert_eq!(client.get_balance(&bob).await.unwrap(), 2 * SOL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_transaction_is_refused_by_preflight_and_else_pays_its_fee() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let sent = transfer(&client, &alice, &Address::new_unique(), 1_000 * SOL).await;

    let error = client.send_transaction(&sent).await.unwrap_err();
    let (code, message, err) = refusal(&error);
    assert_eq!(code, -32002);
    assert!(message.starts_with("Transaction simulation failed: "), "{message}");
    assert!(matches!(err, Some(TransactionError::InstructionError(0, _))), "{err:?}");
    assert!(
        error.to_string().contains("insufficient lamports"),
        "the logs are there: {error}"
    );
    assert_eq!(client.get_balance(&alice.pubkey()).await.unwrap(), 10 * SOL);

    let skip = RpcSendTransactionConfig {
        skip_preflight: true,
        ..RpcSendTransactionConfig::default()
    };
    let signature = client.send_transaction_with_config(&sent, skip).await.unwrap();
    let told = client
        .get_transaction(&signature, UiTransactionEncoding::Json)
        .await
        .unwrap();
    assert!(told.transaction.meta.unwrap().err.is_some());
    assert!(matches!(
        client.get_signature_status(&signature).await.unwrap(),
        Some(Err(_))
    ));
    assert_eq!(client.get_balance(&alice.pubkey()).await.unwrap(), 10 * SOL - 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_changes_nothing() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let (alice, bob) = (wallet(&client).await, Address::new_unique());
    let sent = transfer(&client, &alice, &bob, SOL).await;
    let result = client.simulate_transaction(&sent).await.unwrap().value;
    assert_eq!((result.err, result.units_consumed), (None, Some(150)));
    assert_eq!(client.get_balance(&bob).await.unwrap(), 0);

    let data = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bincode::serialize(&sent).unwrap());
    let answer = post(
        &client.url(),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "simulateTransaction", "params": [data, {
        "encoding": "base64", "replaceRecentBlockhash": true, "innerInstructions": true,
        "accounts": { "encoding": "base64", "addresses": [bob.to_string()] },
    }] }),
    )
    .await;
    let value = &answer["result"]["value"];
    assert_eq!(value["accounts"][0]["lamports"], SOL);
    assert_eq!(value["innerInstructions"], json!([]));
    assert!(value["replacementBlockhash"]["blockhash"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_signature_is_refused_also_without_preflight() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let mut sent = transfer(&client, &alice, &Address::new_unique(), SOL).await;
    sent.message.instructions[0].data[5] ^= 1;
    for skip_preflight in [false, true] {
        let config = RpcSendTransactionConfig {
            skip_preflight,
            ..RpcSendTransactionConfig::default()
        };
        let error = client.send_transaction_with_config(&sent, config).await.unwrap_err();
        assert_eq!(refusal(&error).0, -32003);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_blockhash_is_refused() {
    let folder = folder();
    let quick = Config {
        slot_time_ms: Some(2),
        ..config(folder.path())
    };
    let sandbox = Sandbox::start(quick).await.unwrap();
    let client = client(sandbox.endpoints());
    let alice = Keypair::new();
    client.request_airdrop(&alice.pubkey(), SOL).await.unwrap();
    let sent = transfer(&client, &alice, &Address::new_unique(), 5_000).await;
    while client
        .is_blockhash_valid(&sent.message.recent_blockhash, CommitmentConfig::processed())
        .await
        .unwrap()
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let error = client.send_transaction(&sent).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        (
            -32002,
            "Transaction simulation failed: Blockhash not found".to_owned(),
            Some(TransactionError::BlockhashNotFound)
        )
    );
    let skip = RpcSendTransactionConfig {
        skip_preflight: true,
        ..RpcSendTransactionConfig::default()
    };
    let signature = client.send_transaction_with_config(&sent, skip).await.unwrap();
    assert_eq!(
        client.get_signature_status(&signature).await.unwrap(),
        None,
        "it is dropped, as a validator does"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_transaction_is_executed_once() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let (alice, bob) = (wallet(&client).await, Address::new_unique());
    let sent = transfer(&client, &alice, &bob, SOL).await;
    client.send_and_confirm_transaction(&sent).await.unwrap();
    let error = client.send_transaction(&sent).await.unwrap_err();
    assert_eq!(refusal(&error).2, Some(TransactionError::AlreadyProcessed));
    let skip = RpcSendTransactionConfig {
        skip_preflight: true,
        ..RpcSendTransactionConfig::default()
    };
    client.send_transaction_with_config(&sent, skip).await.unwrap();
    assert_eq!(client.get_balance(&bob).await.unwrap(), SOL);
}
