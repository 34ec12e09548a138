//! A program of our own on the ledger: its accounts as the upgradeable loader lays them out, its execution, its identity.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use chartseal_sandbox::{Config, Endpoints, Error, LedgerError, ProgramSpec, Sandbox};
use common::{client, config, folder, sandbox, wallet};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signer::Signer as _;
use solana_transaction::Transaction;
use solana_transaction_status_client_types::UiTransactionEncoding;

/// The memo programs that LiteSVM brings along: they stand for a program of ours.
const MEMO_3: &str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
const MEMO_1: &str = "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo";

/// Writes the two memo programs' files into a folder.
async fn files(into: &Path) -> (PathBuf, PathBuf) {
    let folder = folder();
    let sandbox = sandbox(folder.path()).await;
    let client = client(sandbox.endpoints());
    let paths = (into.join("memo3.so"), into.join("memo1.so"));
    for (address, path) in [(MEMO_3, &paths.0), (MEMO_1, &paths.1)] {
        let elf = client.get_account(&address.parse().unwrap()).await.unwrap().data;
        assert!(elf.starts_with(b"\x7fELF"));
        std::fs::write(path, elf).unwrap();
    }
    sandbox.stop().await.unwrap();
    paths
}

async fn say(endpoints: &Endpoints, program: Address, payer: &Keypair, text: &str) -> Vec<String> {
    let client = client(endpoints);
    let accounts = vec![AccountMeta::new_readonly(payer.pubkey(), true)];
    let instruction = Instruction {
        program_id: program,
        accounts,
        data: text.as_bytes().to_vec(),
    };
    let blockhash = client.get_latest_blockhash().await.unwrap();
    let key = payer.pubkey();
    let sent = Transaction::new_signed_with_payer(&[instruction], Some(&key), &[payer], blockhash);
    let signature = client.send_and_confirm_transaction(&sent).await.unwrap();
    logs(&client, &signature).await
}

async fn logs(client: &RpcClient, signature: &solana_signature::Signature) -> Vec<String> {
    let told = client
        .get_transaction(signature, UiTransactionEncoding::Json)
        .await
        .unwrap();
    Option::<Vec<String>>::from(told.transaction.meta.unwrap().log_messages).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_deployed_under_its_upgrade_authority_and_runs() {
    let folder = folder();
    let (elf, other_elf) = files(folder.path()).await;
    let (program, authority) = (Address::new_unique(), Address::new_unique());
    let config = |path: &Path| Config {
        programs: vec![ProgramSpec {
            address: program,
            path: path.to_owned(),
        }],
        upgrade_authority: Some(authority),
        ..config(folder.path())
    };
    let first = Sandbox::start(config(&elf)).await.unwrap();
    let genesis_hash = first.endpoints().genesis_hash.clone();
    let client_of_first = client(first.endpoints());

    let loader = bpf_loader_upgradeable::ID;
    let (programdata, _) = Address::find_program_address(&[program.as_ref()], &loader);
    let account = client_of_first.get_account(&program).await.unwrap();
    assert!(account.executable);
    assert_eq!(account.owner, loader);
    assert_eq!(account.data, [&2u32.to_le_bytes()[..], programdata.as_ref()].concat());
    let account = client_of_first.get_account(&programdata).await.unwrap();
    assert!(!account.executable);
    assert_eq!(account.owner, loader);
    let metadata = [&3u32.to_le_bytes()[..], &0u64.to_le_bytes(), &[1], authority.as_ref()].concat();
    assert_eq!(account.data, [metadata, std::fs::read(&elf).unwrap()].concat());

    let alice = wallet(&client_of_first).await;
    let logged = say(first.endpoints(), program, &alice, "before the restart").await;
    assert!(
        logged.iter().any(|line| line.contains("before the restart")),
        "{logged:?}"
    );
    assert!(logged[0].contains(&program.to_string()));
    let history = client_of_first.get_signatures_for_address(&program).await.unwrap();
    assert_eq!(history.len(), 1);
    first.stop().await.unwrap();

    let error = Sandbox::start(config(&other_elf)).await.unwrap_err();
    assert!(
        matches!(error, Error::Ledger(LedgerError::OtherProgram { .. })),
        "{error}"
    );
    let none = Config {
        programs: Vec::new(),
        ..config(&elf)
    };
    let error = Sandbox::start(none).await.unwrap_err();
    assert!(error.to_string().contains("give it with --program"), "{error}");

    let second = Sandbox::start(Config {
        upgrade_authority: None,
        ..config(&elf)
    })
    .await
    .unwrap();
    assert_eq!(second.endpoints().genesis_hash, genesis_hash);
    let client = client(second.endpoints());
    assert_eq!(client.get_signatures_for_address(&program).await.unwrap(), history);
    assert_eq!(logs(&client, &history[0].signature.parse().unwrap()).await, logged);
    say(second.endpoints(), program, &alice, "after the restart").await;
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_program_is_refused_before_a_ledger_comes_to_be() {
    let folder = folder();
    let path = folder.path().join("not-a-program.so");
    let config = || Config {
        programs: vec![ProgramSpec {
            address: Address::new_unique(),
            path: path.clone(),
        }],
        ..config(folder.path())
    };
    let error = Sandbox::start(config()).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    std::fs::write(&path, b"not a program").unwrap();
    let error = Sandbox::start(config()).await.unwrap_err();
    assert!(
        matches!(error, Error::Ledger(LedgerError::ProgramFile { .. })),
        "{error}"
    );
    assert!(!common::journal(folder.path()).exists());
}
