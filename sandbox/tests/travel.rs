//! Setting the clock forward, and what there is for tokens.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{SOL, airdrop, client, folder, post, sandbox, transfer, wallet};
use serde_json::{Value, json};
use solana_address::Address;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signer::Signer as _;

const DAY: i64 = 86_400;

async fn travel(client: &RpcClient, target: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "surfnet_timeTravel", "params": [target] });
    post(&client.url(), request).await
}

/// What the Clock sysvar says: its slot and its time.
async fn clock(client: &RpcClient) -> (u64, i64) {
    let data = client
        .get_account_data(&solana_sdk_ids::sysvar::clock::ID)
        .await
        .unwrap();
    let number = |at: usize| i64::from_le_bytes(*data[at..].first_chunk().unwrap());
    (u64::try_from(number(0)).unwrap(), number(32))
}

#[tokio::test(flavor = "multi_thread")]
async fn time_goes_forward_for_every_sysvar_block_and_blockhash() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let stale = transfer(&client, &alice, &Address::new_unique(), SOL).await;
    let (_, before) = clock(&client).await;

    let answer = travel(&client, json!({ "absoluteTimestamp": (before + 30 * DAY) * 1_000 })).await;
    let (slot, now) = clock(&client).await;
    assert!(now >= before + 30 * DAY, "{answer}");
    assert!(now < before + 31 * DAY);
    let arrived = answer["result"]["absoluteSlot"].as_u64().unwrap();
    assert!(arrived <= slot, "{answer}");
    assert!(answer["result"]["epoch"].as_u64().unwrap() >= 14);

    assert!(
        client.send_transaction(&stale).await.is_err(),
        "its block hash is of another month"
    );
    let signature = airdrop(&client, &alice.pubkey(), SOL).await;
    let told = client
        .get_transaction(
            &signature,
            solana_transaction_status_client_types::UiTransactionEncoding::Json,
        )
        .await
        .unwrap();
    assert!(told.block_time.unwrap() >= before + 30 * DAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_back_and_none_beyond_the_end_of_time() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    travel(&client, json!({ "absoluteSlot": 1_000_000 })).await;
    let (slot, now) = clock(&client).await;
    assert!(slot >= 1_000_000);
    for past in [
        json!({ "absoluteTimestamp": 0 }),
        json!({ "absoluteSlot": 5 }),
        json!({ "absoluteEpoch": 1 }),
    ] {
        let answer = travel(&client, past).await;
        assert!(answer["result"]["absoluteSlot"].as_u64().unwrap() >= slot, "{answer}");
        assert!(clock(&client).await.1 >= now);
    }
    for wrong in [
        json!({ "absoluteTimestamp": u64::MAX }),
        json!({ "absoluteSlot": u64::MAX }),
        json!({ "absoluteEpoch": u64::MAX }),
        json!({ "absoluteTimestamp": -1 }),
        json!({ "relative": 1 }),
        json!(null),
    ] {
        let answer = travel(&client, wrong).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert!(clock(&client).await.1 < now + DAY, "what was refused moved nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_is_replayed_and_time_goes_on_from_there() {
    let folder = folder();
    let first = sandbox(folder.path()).await;
    let client_of = |sandbox: &chartseal_sandbox::Sandbox| client(sandbox.endpoints());
    let client = client_of(&first);
    let alice = wallet(&client).await;
    let (_, begun) = clock(&client).await;
    travel(&client, json!({ "absoluteTimestamp": (begun + DAY) * 1_000 })).await;
    airdrop(&client, &alice.pubkey(), SOL).await;
    travel(&client, json!({ "absoluteTimestamp": (begun + 40 * DAY) * 1_000 })).await;
    airdrop(&client, &alice.pubkey(), SOL).await;
    let (slot, now) = clock(&client).await;
    first.stop().await.unwrap();

    let second = sandbox(folder.path()).await;
    let client = client_of(&second);
    let (slot_again, now_again) = clock(&client).await;
    assert!(slot_again >= slot && now_again >= now && now_again < now + DAY);
    assert_eq!(client.get_balance(&alice.pubkey()).await.unwrap(), 12 * SOL);
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_token_programs_are_there() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    for program in [
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    ] {
        let account = client.get_account(&program.parse().unwrap()).await.unwrap();
        assert!(account.executable, "{program}");
    }
}
