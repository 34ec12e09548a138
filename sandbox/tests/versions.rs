//! Versioned transactions, with an address lookup table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SOL, client, folder, refusal, sandbox, wallet};
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_rpc_client_api::config::RpcTransactionConfig;
use solana_sdk_ids::{address_lookup_table, system_program};
use solana_signer::Signer as _;
use solana_transaction::Transaction;
use solana_transaction::versioned::{TransactionVersion, VersionedTransaction};
use solana_transaction_status_client_types::{UiLoadedAddresses, UiTransactionEncoding};

/// The instructions that make a table and put one address into it, and the table's address.
fn make_table(owner: &Address, recent_slot: u64, entry: &Address) -> (Address, [Instruction; 2]) {
    let slot = recent_slot.to_le_bytes();
    let (table, bump) = Address::find_program_address(&[owner.as_ref(), &slot], &address_lookup_table::ID);
    let instruction = |data: Vec<u8>| Instruction {
        program_id: address_lookup_table::ID,
        accounts: vec![
            AccountMeta::new(table, false),
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(*owner, true),
            AccountMeta::new_readonly(system_program::ID, false),
        ],
        data,
    };
    let create = [&0u32.to_le_bytes()[..], &slot, &[bump]].concat();
    let extend = [&2u32.to_le_bytes()[..], &1u64.to_le_bytes(), entry.as_ref()].concat();
    (table, [instruction(create), instruction(extend)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_0_transaction_finds_its_accounts_in_a_lookup_table() {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let (alice, bob) = (wallet(&client).await, Address::new_unique());
    let payer = alice.pubkey();

    let recent = client.get_slot().await.unwrap();
    let (table, instructions) = make_table(&payer, recent, &bob);
    let blockhash = client.get_latest_blockhash().await.unwrap();
    let sent = Transaction::new_signed_with_payer(&instructions, Some(&payer), &[&alice], blockhash);
    client.send_and_confirm_transaction(&sent).await.unwrap();
    // An entry can be used from the slot after it was made.
    let made = client
        .get_slot_with_commitment(CommitmentConfig::processed())
        .await
        .unwrap();
    while client
        .get_slot_with_commitment(CommitmentConfig::processed())
        .await
        .unwrap()
        == made
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    let transfer = solana_system_interface::instruction::transfer(&payer, &bob, SOL);
    let tables = [AddressLookupTableAccount {
        key: table,
        addresses: vec![bob],
    }];
    let blockhash = client.get_latest_blockhash().await.unwrap();
    let message = v0::Message::try_compile(&payer, &[transfer], &tables, blockhash).unwrap();
    let sent = VersionedTransaction::try_new(VersionedMessage::V0(message), &[&alice]).unwrap();
    let signature = client.send_and_confirm_transaction(&sent).await.unwrap();
    assert_eq!(client.get_balance(&bob).await.unwrap(), SOL);

    let config = |version| RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        commitment: Some(CommitmentConfig::confirmed()),
        max_supported_transaction_version: version,
    };
    let told = client
        .get_transaction_with_config(&signature, config(Some(0)))
        .await
        .unwrap()
        .transaction;
    assert_eq!(told.version, Some(TransactionVersion::Number(0)));
    assert_eq!(told.transaction.decode().unwrap(), sent);
    let meta = told.meta.unwrap();
    let loaded = Option::<UiLoadedAddresses>::from(meta.loaded_addresses).unwrap();
    assert_eq!((loaded.writable, loaded.readonly), (vec![bob.to_string()], vec![]));
    assert_eq!(
        meta.post_balances.last(),
        Some(&SOL),
        "balances go on with the loaded accounts"
    );
    let of_bob = client.get_signatures_for_address(&bob).await.unwrap();
    assert_eq!(
        of_bob.len(),
        1,
        "it is found by an account that only the table names: {of_bob:?}"
    );

    let error = client
        .get_transaction_with_config(&signature, config(None))
        .await
        .unwrap_err();
    assert_eq!(refusal(&error).0, -32015);
}
