//! Asking the ledger with Solana's own client, over real HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SOL, client, folder, post, refusal, rpc, sandbox, transfer, wallet};
use serde_json::{Value, json};
use solana_account_decoder_client_types::{UiAccountEncoding, UiDataSliceConfig};
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_rpc_client_api::config::{
    RpcAccountInfoConfig, RpcBlockConfig, RpcProgramAccountsConfig, RpcTransactionConfig,
};
use solana_rpc_client_api::filter::{Memcmp, MemcmpEncodedBytes, RpcFilterType};
use solana_signer::Signer as _;
use solana_system_interface::instruction as system;
use solana_transaction::Transaction;
use solana_transaction_status_client_types::{EncodedTransaction, UiInstruction, UiMessage, UiTransactionEncoding};

const MEMO: &str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
const TOKEN: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const ASSOCIATED: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";

/// Creating an associated token account calls three programs, some of them from within another.
fn create_associated(payer: &Address, mint: &Address) -> Instruction {
    use solana_instruction::AccountMeta;
    let (token, program): (Address, Address) = (TOKEN.parse().unwrap(), ASSOCIATED.parse().unwrap());
    let (account, _) = Address::find_program_address(&[payer.as_ref(), token.as_ref(), mint.as_ref()], &program);
    Instruction {
        program_id: program,
        accounts: vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(account, false),
            AccountMeta::new_readonly(*payer, false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(Address::default(), false),
            AccountMeta::new_readonly(token, false),
        ],
        data: vec![0],
    }
}

/// Makes a mint, which is an account of the token program.
fn create_mint(payer: &Address, mint: &Address, rent: u64) -> [Instruction; 2] {
    use solana_instruction::AccountMeta;
    let token = TOKEN.parse().unwrap();
    // InitializeMint2: six decimals, an authority, nobody who may freeze.
    let mut data = vec![20, 6];
    data.extend_from_slice(payer.as_ref());
    data.push(0);
    let initialize = Instruction {
        program_id: token,
        accounts: vec![AccountMeta::new(*mint, false)],
        data,
    };
    [system::create_account(payer, mint, rent, 82, &token), initialize]
}

async fn send(client: &RpcClient, instructions: &[Instruction], signers: &[&Keypair]) -> Transaction {
    let blockhash = client.get_latest_blockhash().await.unwrap();
    let payer = signers[0].pubkey();
    let sent = Transaction::new_signed_with_payer(instructions, Some(&payer), &signers.to_vec(), blockhash);
    client.send_and_confirm_transaction(&sent).await.unwrap();
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_told_with_what_it_called() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let (alice, mint) = (wallet(&client).await, Keypair::new());
    let rent = client.get_minimum_balance_for_rent_exemption(82).await.unwrap();
    send(
        &client,
        &create_mint(&alice.pubkey(), &mint.pubkey(), rent),
        &[&alice, &mint],
    )
    .await;
    let memo = Instruction {
        program_id: MEMO.parse().unwrap(),
        accounts: vec![],
        data: b"hello".to_vec(),
    };
    let sent = send(
        &client,
        &[memo, create_associated(&alice.pubkey(), &mint.pubkey())],
        &[&alice],
    )
    .await;

    let config = |encoding, version| RpcTransactionConfig {
        encoding: Some(encoding),
        commitment: Some(CommitmentConfig::confirmed()),
        max_supported_transaction_version: version,
    };
    let told = client
        .get_transaction_with_config(&sent.signatures[0], config(UiTransactionEncoding::Json, Some(0)))
        .await
        .unwrap();
    let EncodedTransaction::Json(transaction) = &told.transaction.transaction else {
        panic!("not json")
    };
    let UiMessage::Raw(message) = &transaction.message else {
        panic!("not raw")
    };
    assert_eq!(message.account_keys[0], alice.pubkey().to_string());
    assert_eq!(message.instructions.len(), 2);

    let meta = told.transaction.meta.clone().unwrap();
    assert!(meta.err.is_none());
    assert_eq!(meta.fee, 5_000);
    assert_eq!(meta.pre_balances.len(), message.account_keys.len());
    assert_eq!(
        meta.pre_balances.iter().sum::<u64>() - meta.fee,
        meta.post_balances.iter().sum::<u64>()
    );
    assert!(
        Option::<Vec<String>>::from(meta.log_messages)
            .unwrap()
            .iter()
            .any(|line| line.contains("hello"))
    );
    assert!(Option::<u64>::from(meta.compute_units_consumed).unwrap() > 1_000);
    let inner = Option::<Vec<_>>::from(meta.inner_instructions).unwrap();
    assert_eq!(inner.len(), 1, "the memo calls nothing and is left out");
    assert_eq!(inner[0].index, 1);
    assert!(inner[0].instructions.len() >= 4);
    assert!(inner[0].instructions.iter().all(|call| matches!(
        call,
        UiInstruction::Compiled(call) if call.stack_height == Some(2) && !call.data.is_empty()
    )));

    let told = client
        .get_transaction_with_config(&sent.signatures[0], config(UiTransactionEncoding::Base64, None))
        .await
        .unwrap();
    assert_eq!(told.transaction.version, None);
    assert_eq!(told.transaction.transaction.decode().unwrap(), sent.clone().into());
    assert!(told.block_time.is_some());

    let parsed = client
        .get_transaction(&sent.signatures[0], UiTransactionEncoding::JsonParsed)
        .await
        .unwrap_err();
    assert_eq!(refusal(&parsed).0, -32602);
    let unknown = post(
        rpc(sandbox.endpoints()),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "getTransaction",
        "params": [solana_signature::Signature::from([7; 64]).to_string(), "json"] }),
    );
    assert_eq!(unknown.await["result"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_history_in_pages() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let (alice, bob) = (wallet(&client).await, Address::new_unique());
    let mut sent = Vec::new();
    for lamports in 1..=7 {
        let transaction = transfer(&client, &alice, &bob, SOL + lamports).await;
        sent.push(
            client
                .send_and_confirm_transaction(&transaction)
                .await
                .unwrap()
                .to_string(),
        );
    }
    sent.reverse();

    let page = async |before: Option<&String>, until: Option<&String>, limit| {
        let config = GetConfirmedSignaturesForAddress2Config {
            before: before.map(|s| s.parse().unwrap()),
            until: until.map(|s| s.parse().unwrap()),
            limit,
            commitment: Some(CommitmentConfig::confirmed()),
        };
        let page = client
            .get_signatures_for_address_with_config(&bob, config)
            .await
            .unwrap();
        assert!(
            page.iter()
                .all(|entry| entry.err.is_none() && entry.block_time.is_some())
        );
        page.into_iter().map(|entry| entry.signature).collect::<Vec<_>>()
    };
    assert_eq!(page(None, None, None).await, sent);
    assert_eq!(page(None, None, Some(3)).await, sent[..3]);
    assert_eq!(page(Some(&sent[2]), None, Some(3)).await, sent[3..6]);
    assert_eq!(page(Some(&sent[5]), None, Some(3)).await, sent[6..]);
    assert_eq!(page(None, Some(&sent[2]), None).await, sent[..2]);
    assert_eq!(
        client.get_signatures_for_address(&Address::new_unique()).await.unwrap(),
        []
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_its_accounts_by_filters() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let rent = client.get_minimum_balance_for_rent_exemption(82).await.unwrap();
    let mints = [Keypair::new(), Keypair::new()];
    for mint in &mints {
        send(
            &client,
            &create_mint(&alice.pubkey(), &mint.pubkey(), rent),
            &[&alice, mint],
        )
        .await;
    }
    send(
        &client,
        &[create_associated(&alice.pubkey(), &mints[0].pubkey())],
        &[&alice],
    )
    .await;

    let token = TOKEN.parse().unwrap();
    let find = async |filters, slice| {
        let config = RpcProgramAccountsConfig {
            filters: Some(filters),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                data_slice: slice,
                ..RpcAccountInfoConfig::default()
            },
            with_context: Some(true),
            sort_results: None,
        };
        client
            .get_program_ui_accounts_with_config(&token, config)
            .await
            .unwrap()
    };
    let mut expected = mints.each_ref().map(Keypair::pubkey);
    expected.sort();
    let found = find(vec![RpcFilterType::DataSize(82)], None).await;
    assert_eq!(found.iter().map(|(address, _)| *address).collect::<Vec<_>>(), expected);
    assert_eq!(find(vec![], None).await.len(), 3);

    // A token account begins with its mint; the owner follows.
    let mint = mints[0].pubkey();
    for bytes in [
        MemcmpEncodedBytes::Base58(mint.to_string()),
        MemcmpEncodedBytes::Base64(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, mint.as_ref())),
        MemcmpEncodedBytes::Bytes(mint.to_bytes().to_vec()),
    ] {
        let by_mint = RpcFilterType::Memcmp(Memcmp::new(0, bytes));
        let by_owner = RpcFilterType::Memcmp(Memcmp::new_base58_encoded(32, alice.pubkey().as_ref()));
        let found = find(
            vec![by_mint, by_owner],
            Some(UiDataSliceConfig { offset: 32, length: 32 }),
        )
        .await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.data.decode().unwrap(), alice.pubkey().as_ref());
        assert_eq!(found[0].1.space, Some(165));
    }
    let beyond = RpcFilterType::Memcmp(Memcmp::new_raw_bytes(usize::MAX, vec![1]));
    assert_eq!(find(vec![beyond], None).await.len(), 0);

    let several = client
        .get_multiple_accounts(&[mint, Address::new_unique()])
        .await
        .unwrap();
    assert_eq!(several[0].as_ref().unwrap().data.len(), 82);
    assert!(several[1].is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_holds_the_transactions_of_its_slot() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let alice = wallet(&client).await;
    let sent = transfer(&client, &alice, &Address::new_unique(), SOL).await;
    client.send_and_confirm_transaction(&sent).await.unwrap();
    let slot = client
        .get_transaction(&sent.signatures[0], UiTransactionEncoding::Json)
        .await
        .unwrap()
        .slot;

    // While its slot lasts, a block is not there yet.
    while client.get_slot().await.unwrap() < slot {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let config = RpcBlockConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        max_supported_transaction_version: Some(0),
        ..RpcBlockConfig::default()
    };
    let block = client.get_block_with_config(slot, config).await.unwrap();
    let inside: Vec<_> = block
        .transactions
        .unwrap()
        .iter()
        .map(|t| t.transaction.decode().unwrap())
        .collect();
    assert!(inside.contains(&sent.into()));
    let before = client.get_block_with_config(slot - 1, config).await.unwrap();
    assert_eq!(block.previous_blockhash, before.blockhash);
    assert_eq!((block.parent_slot, block.block_height), (slot - 1, Some(slot)));
    let error = client.get_block_with_config(slot + 1_000, config).await.unwrap_err();
    assert_eq!(refusal(&error).0, -32004);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_programs_is_the_walls() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let read = async || {
        let clock: Address = "SysvarC1ock11111111111111111111111111111111".parse().unwrap();
        let data = client.get_account(&clock).await.unwrap().data;
        let word = |at: usize| i64::from_le_bytes(data[at..at + 8].try_into().unwrap());
        (word(0), word(32))
    };
    let (slot, time) = read().await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(time.abs_diff(i64::try_from(now).unwrap()) < 60);
    while read().await.0 == slot {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(read().await.1 >= time);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_or_unknown_gets_an_error_and_nothing_breaks() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let url = rpc(sandbox.endpoints());
    let call = async |method: &str, params: Value| {
        post(
            url,
            json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }),
        )
        .await
    };
    let key = Address::new_unique().to_string();
    for (method, params, code) in [
        ("getNothing", json!([]), -32601),
        ("getTokenSupply", json!([key]), -32601),
        ("getBalance", json!([]), -32602),
        ("getBalance", json!([7]), -32602),
        ("getBalance", json!(["not base58!"]), -32602),
        ("getBalance", json!({ "pubkey": key }), -32602),
        ("getBalance", json!([key, {}, 1]), -32602),
        ("getBalance", json!([key, { "minContextSlot": u64::MAX }]), -32016),
        ("getMultipleAccounts", json!([vec![key.clone(); 101]]), -32602),
        (
            "getProgramAccounts",
            json!([key, { "filters": [{ "memcmp": { "offset": 0, "bytes": "0OIl" } }] }]),
            -32602,
        ),
        (
            "getProgramAccounts",
            json!([key, { "filters": [{ "dataSize": -1 }] }]),
            -32602,
        ),
        ("getSignaturesForAddress", json!([key, { "limit": 0 }]), -32602),
        ("getSignaturesForAddress", json!([key, { "limit": 1001 }]), -32602),
        ("getSignatureStatuses", json!([["short"]]), -32602),
        ("getTransaction", json!(["short"]), -32602),
        ("getMinimumBalanceForRentExemption", json!([u64::MAX]), -32602),
        ("getBlock", json!([u64::MAX]), -32004),
        ("getBlocks", json!([1]), -32601),
        ("isBlockhashValid", json!(["x"]), -32602),
        ("sendTransaction", json!(["AAAA", { "encoding": "base64" }]), -32602),
        ("sendTransaction", json!(["????", { "encoding": "base64" }]), -32602),
        (
            "sendTransaction",
            json!(["A".repeat(4_000), { "encoding": "base64" }]),
            -32602,
        ),
        ("sendTransaction", json!(["AAAA", { "encoding": "json" }]), -32602),
        (
            "sendTransaction",
            json!(["/".repeat(1_600), { "encoding": "base64" }]),
            -32602,
        ),
        ("requestAirdrop", json!([key, u64::MAX]), -32600),
        ("getFeeForMessage", json!(["AAAA"]), -32602),
        ("getAccountInfo", json!([MEMO, { "encoding": "base58" }]), -32600),
    ] {
        let answer = call(method, params.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer}");
        assert_eq!(answer["id"], 7);
    }

    let raw = async |body: &'static str| {
        reqwest::Client::new()
            .post(url)
            .body(body)
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()
    };
    assert_eq!(raw("{").await["error"]["code"], -32700);
    assert_eq!(raw("[]").await["error"]["code"], -32600);
    assert_eq!(raw("7").await["error"]["code"], -32600);
    assert_eq!(raw(r#"{"id":1}"#).await["error"]["code"], -32600);
    let batch = raw(r#"[{"id":1,"method":"getHealth"},{"id":"b","method":"no"},8,{"method":"getHealth"}]"#).await;
    assert_eq!(batch.as_array().unwrap().len(), 3, "{batch}");
    assert_eq!(batch[0], json!({ "jsonrpc": "2.0", "id": 1, "result": "ok" }));
    assert_eq!(batch[1]["error"]["code"], -32601);
    assert_eq!(batch[2]["error"]["code"], -32600);
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_than_fits() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let url = rpc(sandbox.endpoints());
    let health = json!({ "jsonrpc": "2.0", "id": 1, "method": "getHealth" });
    let answers = post(url, json!(vec![health.clone(); 256])).await;
    assert!(
        answers
            .as_array()
            .unwrap()
            .iter()
            .all(|answer| answer["result"] == "ok")
    );
    let answer = post(url, json!(vec![health; 257])).await;
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("max 256"),
        "{answer}"
    );

    // The program's file is some tens of kilobytes long.
    let much = json!({
        "jsonrpc": "2.0", "id": 1, "method": "getMultipleAccounts",
        "params": [vec![MEMO; 100], { "encoding": "base64" }],
    });
    assert!(post(url, much.clone()).await["result"].is_object());
    let answers = post(url, json!(vec![much; 100])).await;
    let answers = answers.as_array().unwrap();
    let refused = |answer: &&Value| {
        answer["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("32 MiB"))
    };
    assert!(answers.iter().any(|answer| answer["result"].is_object()));
    assert!(answers.iter().filter(refused).count() > 50);
    sandbox.stop().await.unwrap();
}
