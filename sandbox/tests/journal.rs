//! What the ledger has answered survives everything; what it cannot trust it does not start from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chartseal_sandbox::{Config, Error, LedgerError, Sandbox};
use common::{Process, SOL, client, config, folder, journal, rpc, run, sandbox, transfer, wallet};
use solana_address::Address;
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_transaction_status_client_types::UiTransactionEncoding;

const NO_POSTGRES: &[&str] = &["--no-postgres", "--slot-time-ms", "50"];

/// A little generator of its own, so that a printed seed gives the same moments again.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let seed = std::env::var("CHARTSEAL_TEST_SEED").ok().map_or_else(
            || u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15,
            |seed| seed.parse().unwrap(),
        );
        println!("CHARTSEAL_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A transaction that was answered: its signature, to whom it went, how much, and the slot if that was told.
#[derive(Debug, Clone)]
struct Confirmed {
    signature: Signature,
    to: Address,
    lamports: u64,
    slot: u64,
}

async fn send_until_it_breaks(url: String, from: Arc<Keypair>, stop: Arc<AtomicBool>) -> Vec<Confirmed> {
    let client = RpcClient::new(url);
    let mut confirmed = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let (to, lamports) = (Keypair::new().pubkey(), SOL / 1_000 + confirmed.len() as u64);
        let Ok(blockhash) = client.get_latest_blockhash().await else {
            break;
        };
        let instruction = solana_system_interface::instruction::transfer(&from.pubkey(), &to, lamports);
        let payer = Some(from.pubkey());
        let transaction = solana_transaction::Transaction::new_signed_with_payer(
            &[instruction],
            payer.as_ref(),
            &[&*from],
            blockhash,
        );
        let Ok(signature) = client.send_transaction(&transaction).await else {
            break;
        };
        let Ok(status) = client.get_signature_statuses(&[signature]).await else {
            break;
        };
        let slot = status.value[0].as_ref().expect("it was answered").slot;
        confirmed.push(Confirmed {
            signature,
            to,
            lamports,
            slot,
        });
    }
    confirmed
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_confirmed_is_lost_when_the_process_is_killed() {
    let folder = folder();
    let mut random = Random::seeded();
    let mut all: Vec<Confirmed> = Vec::new();
    let mut genesis = None;
    let (mut alice, mut spent_before) = (None, None);
    for kill in 0..5 {
        let process = Process::start(folder.path(), NO_POSTGRES);
        let client = client(&process.endpoints);
        let hash = genesis.get_or_insert_with(|| process.endpoints.genesis_hash.clone());
        assert_eq!(*hash, process.endpoints.genesis_hash);
        if alice.is_none() {
            alice = Some(Arc::new(wallet(&client).await));
        }
        let alice = alice.clone().unwrap();
        check(&client, &all).await;
        if let Some(before) = spent_before {
            assert!(client.get_balance(&alice.pubkey()).await.unwrap() <= before);
        }

        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..4)
            .map(|_| {
                tokio::spawn(send_until_it_breaks(
                    rpc(&process.endpoints).to_owned(),
                    alice.clone(),
                    stop.clone(),
                ))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + random.below(1_500))).await;
        process.kill();
        stop.store(true, Ordering::Relaxed);
        let already = all.len();
        for sender in senders {
            all.extend(sender.await.unwrap());
        }
        spent_before = Some(10 * SOL - all.iter().map(|c| c.lamports + 5_000).sum::<u64>());
        println!("kill {kill}: {} confirmed before it", all.len() - already);
    }
    assert!(!all.is_empty());
    let process = Process::start(folder.path(), NO_POSTGRES);
    check(&client(&process.endpoints), &all).await;
    assert!(process.terminate());
}

/// Everything is still there, once, in the slot where it was.
async fn check(client: &RpcClient, all: &[Confirmed]) {
    for chunk in all.chunks(200) {
        let signatures: Vec<_> = chunk.iter().map(|c| c.signature).collect();
        let statuses = client.get_signature_statuses(&signatures).await.unwrap().value;
        for (confirmed, status) in chunk.iter().zip(statuses) {
            let status = status.unwrap_or_else(|| panic!("{confirmed:?} is lost"));
            assert_eq!(status.slot, confirmed.slot);
        }
    }
    for confirmed in all.iter().rev().take(20) {
        assert_eq!(
            client.get_balance(&confirmed.to).await.unwrap(),
            confirmed.lamports,
            "executed once"
        );
    }
}

/// All that can be asked about some transactions and accounts, to be compared.
async fn state(client: &RpcClient, signatures: &[Signature], accounts: &[Address]) -> Vec<String> {
    let mut state = vec![client.get_genesis_hash().await.unwrap().to_string()];
    for signature in signatures {
        let told = client
            .get_transaction(signature, UiTransactionEncoding::Json)
            .await
            .unwrap();
        let block = client.get_block(told.slot).await.unwrap();
        state.push(serde_json::to_string(&told).unwrap());
        state.push(format!("{} {}", block.blockhash, block.transactions.len()));
    }
    for account in accounts {
        state.push(format!("{:?}", client.get_account(account).await.unwrap()));
        state.push(format!(
            "{:?}",
            client.get_signatures_for_address(account).await.unwrap()
        ));
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_ledger_tells_the_same() {
    let folder = folder();
    let first = sandbox(folder.path()).await;
    let client_of_first = client(first.endpoints());
    let (alice, bob) = (wallet(&client_of_first).await, Keypair::new().pubkey());
    let mut signatures = Vec::new();
    for lamports in 0..5 {
        let sent = transfer(&client_of_first, &alice, &bob, SOL + lamports).await;
        signatures.push(client_of_first.send_and_confirm_transaction(&sent).await.unwrap());
    }
    // One that fails and pays.
    let failing = transfer(&client_of_first, &alice, &bob, 1_000 * SOL).await;
    let skip = solana_rpc_client_api::config::RpcSendTransactionConfig {
        skip_preflight: true,
        ..Default::default()
    };
    signatures.push(
        client_of_first
            .send_transaction_with_config(&failing, skip)
            .await
            .unwrap(),
    );
    let unsent = transfer(&client_of_first, &alice, &bob, 7).await;
    let slot = client_of_first
        .get_transaction(&signatures[5], UiTransactionEncoding::Json)
        .await
        .unwrap()
        .slot;
    while client_of_first.get_slot().await.unwrap() < slot {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = state(&client_of_first, &signatures, &[alice.pubkey(), bob]).await;
    first.stop().await.unwrap();

    let second = sandbox(folder.path()).await;
    let client = client(second.endpoints());
    assert_eq!(state(&client, &signatures, &[alice.pubkey(), bob]).await, before);
    assert!(client.get_slot().await.unwrap() >= slot);
    let error = client.send_transaction(&failing).await.unwrap_err();
    assert!(error.to_string().contains("already been processed"), "{error}");
    client
        .send_and_confirm_transaction(&unsent)
        .await
        .expect("its block hash is as good as before");
    second.stop().await.unwrap();
}

fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut_and_a_damaged_journal_is_refused() {
    let folder = folder();
    let first = sandbox(folder.path()).await;
    let alice = wallet(&client(first.endpoints())).await;
    first.stop().await.unwrap();
    let path = journal(folder.path());
    let whole = std::fs::read(&path).unwrap();

    append(&path, &whole[whole.len() - 100..whole.len() - 93]);
    let process = Process::start(folder.path(), &["--no-postgres"]);
    assert_eq!(
        client(&process.endpoints).get_balance(&alice.pubkey()).await.unwrap(),
        10 * SOL
    );
    assert!(process.terminate());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), whole.len() as u64);
    let whole = std::fs::read(&path).unwrap();

    let mut damaged = whole.clone();
    let middle = whole.len() - 40;
    damaged[middle] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let (succeeded, log) = run(folder.path(), &["--no-postgres"]);
    assert!(!succeeded);
    assert!(log.contains("is damaged at byte"), "{log}");
    assert_eq!(std::fs::read(&path).unwrap(), damaged, "it is left as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_settings_than_those_of_the_genesis_are_refused() {
    let folder = folder();
    sandbox(folder.path()).await.stop().await.unwrap();
    let other = Config {
        slot_time_ms: Some(123),
        ..config(folder.path())
    };
    let error = Sandbox::start(other).await.unwrap_err();
    assert!(matches!(error, Error::Ledger(LedgerError::OtherGenesis(_))), "{error}");
    let other = Config {
        upgrade_authority: Some(Address::new_unique()),
        ..config(folder.path())
    };
    let error = Sandbox::start(other).await.unwrap_err();
    assert!(error.to_string().contains("its upgrade authority is nobody"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_sandbox() {
    let folder = folder();
    let first = sandbox(folder.path()).await;
    let error = Sandbox::start(config(folder.path())).await.unwrap_err();
    let us = std::process::id().to_string();
    assert!(
        matches!(&error, Error::Locked { pid: Some(pid), .. } if *pid == us),
        "{error}"
    );
    first.stop().await.unwrap();
    sandbox(folder.path()).await.stop().await.unwrap();
}
