//! Transactions as production needs them: many in flight over a line that fails, each done once, and of each it is known
//! what became of it.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use chartseal::{
    keys::{Identity, Passphrase, WalletKey},
    ledger::{Ledger, LedgerError, LedgerOptions, Receipt},
};
use chartseal_program::{
    builders::{self, As},
    events::{AnyEvent, Content},
    instructions::CreateRecordArgs,
    seeds::{Id, NO_ID, address},
    vocabulary::Purpose,
};
use chartseal_tests::{
    kills::new_seed,
    memory::one_patient,
    people::{Outcome, Person},
    programs::program,
    proxy::{Fault, Proxy},
    stack::Stack,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use tokio::runtime::Runtime;

/// Transactions of the long trial, and how many of them are in flight at once.
const RECORDS: usize = 1_000;
const IN_FLIGHT: usize = 64;

/// A patient, whose line to the ledger is the proxy.
struct Scene {
    stack: Stack,
    proxy: Proxy,
    wallet: WalletKey,
    patient: Id,
}

impl Scene {
    fn new() -> Self {
        let (stack, patient, id) = one_patient().unwrap();
        let proxy = Proxy::before(&stack.endpoints().rpc).unwrap();
        Self {
            proxy,
            wallet: wallet_of(&patient),
            patient: hex::decode(id).unwrap().try_into().unwrap(),
            stack,
        }
    }

    /// The ledger over the bad line alone.
    fn ledger(&self) -> Ledger {
        Ledger::new(&self.proxy.url)
    }

    /// The ledger itself, which tells what really happened.
    fn itself(&self) -> Ledger {
        Ledger::new(&self.stack.endpoints().rpc)
    }

    /// The instruction that makes a record whose content is as plausible as it is made up.
    fn creates(&self, record: Id) -> Instruction {
        self.creates_of_class(record, 1)
    }

    fn creates_of_class(&self, record: Id, class: u8) -> Instruction {
        let author = Address::new_from_array(self.wallet.address());
        let args = CreateRecordArgs {
            request: random(),
            record,
            class,
            purpose: Purpose::Personal,
            grant: NO_ID,
            content: Content {
                manifest_hash: random(),
                root: random(),
                locator: random(),
                padded_size: 65_536,
            },
        };
        builders::create_record(&As::wallet(author), author, None, &self.patient, args)
    }

    /// What an account really holds.
    async fn lamports(&self, address: &Address) -> u64 {
        let rpc = RpcClient::new(self.stack.endpoints().rpc.clone());
        rpc.get_balance(address).await.unwrap()
    }

    /// What a transaction's programs said.
    async fn logs(&self, signature: &str) -> Vec<String> {
        let request = json!({
            "jsonrpc": "2.0", "id": 1, "method": "getTransaction", "params": [signature, { "encoding": "base64" }],
        });
        let asked = reqwest::Client::new().post(&self.stack.endpoints().rpc).json(&request);
        let mut answer: Value = asked.send().await.unwrap().json().await.unwrap();
        serde_json::from_value(answer["result"]["meta"]["logMessages"].take()).unwrap()
    }

    fn record_id(&self) -> Id {
        address::draw_record_id(&self.patient, random)
    }
}

/// The system program's transfer.
fn transfer(from: Address, to: Address, lamports: u64) -> Instruction {
    Instruction {
        program_id: Address::new_from_array([0; 32]),
        accounts: vec![AccountMeta::new(from, true), AccountMeta::new(to, false)],
        data: [&2_u32.to_le_bytes()[..], &lamports.to_le_bytes()].concat(),
    }
}

fn wallet_of(person: &Person) -> WalletKey {
    let passphrase = fs::read(person.passphrase()).unwrap();
    let passphrase = Passphrase::new(passphrase.trim_ascii_end()).unwrap();
    Identity::load(&person.identity(), &passphrase).unwrap().wallet
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// The record that a transaction made.
fn made(event: &AnyEvent) -> Option<Id> {
    match event {
        AnyEvent::RecordCreated(event) => Some(event.record),
        _ => None,
    }
}

#[test]
fn of_a_thousand_transactions_over_a_line_that_fails_none_is_lost_and_none_is_done_twice() {
    let scene = Scene::new();
    let seed = new_seed().unwrap();
    eprintln!("seed of the lost answers: {seed}");
    let done = AtomicUsize::new(0);
    Runtime::new().unwrap().block_on(async {
        let ledger = scene.ledger();
        scene.proxy.lose_one_in(10, seed);
        let one = async |record: Id| -> (Id, Receipt) {
            let receipt = ledger.submit(scene.creates(record), &[&scene.wallet]).await.unwrap();
            done.fetch_add(1, Ordering::Relaxed);
            (record, receipt)
        };
        let ids: Vec<Id> = (0..RECORDS).map(|_| scene.record_id()).collect();
        let all = stream::iter(&ids)
            .map(|record| one(*record))
            .buffer_unordered(IN_FLIGHT);
        let cut = async {
            while done.load(Ordering::Relaxed) < RECORDS / 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            scene.proxy.cut();
            tokio::time::sleep(Duration::from_secs(5)).await;
            scene.proxy.splice();
        };
        let (told, ()) = tokio::join!(all.collect::<BTreeMap<_, _>>(), cut);

        let itself = scene.itself();
        let records = itself.records(&scene.patient).await.unwrap();
        let mut on_chain: Vec<Id> = records.iter().map(|found| found.account.id).collect();
        on_chain.sort_unstable();
        assert!(on_chain.iter().eq(told.keys()), "what stands on chain is what was told");
        assert_eq!(on_chain.len(), RECORDS);

        let log = itself.patient_log(&scene.patient).await.unwrap();
        assert_eq!(log.broken, None);
        let mut logged: Vec<_> = log
            .events
            .iter()
            .filter_map(|logged| Some((made(&logged.event)?, logged.signature)))
            .collect();
        logged.sort_unstable();
        let told = told.iter().map(|(record, receipt)| (*record, receipt.signature));
        assert!(told.eq(logged), "each has one event, in the transaction that was told");
    });
    scene.stack.stop().unwrap();
}

#[test]
fn a_transaction_may_use_what_its_simulation_used_and_a_fifth_more() {
    let scene = Scene::new();
    Runtime::new().unwrap().block_on(async {
        let creates = scene.creates(scene.record_id());
        let done = scene.ledger().submit(creates, &[&scene.wallet]).await.unwrap();
        assert_eq!(scene.proxy.asked("simulateTransaction"), 1);
        let logs = scene.logs(&done.signature.to_string()).await;
        let own = format!("Program {} consumed ", chartseal_program::ID);
        let of_all = logs
            .iter()
            .filter_map(|line| line.strip_prefix(&own))
            .next_back()
            .unwrap();
        let mut numbers = of_all.split(' ').filter_map(|word| word.parse::<u64>().ok());
        let (used, allowed) = (numbers.next().unwrap(), numbers.next().unwrap());
        assert!(
            used * 11 / 10 < allowed && allowed < used * 13 / 10,
            "{used} units of {allowed}"
        );
    });
    scene.stack.stop().unwrap();
}

#[test]
fn what_would_fail_is_told_in_the_contracts_words_and_not_sent() {
    let scene = Scene::new();
    Runtime::new().unwrap().block_on(async {
        let ledger = scene.ledger();
        let wrong = || scene.creates_of_class(scene.record_id(), 32);
        let refused = ledger.submit(wrong(), &[&scene.wallet]).await.unwrap_err();
        assert!(
            matches!(refused, LedgerError::Contract { name: "BadClass", .. }),
            "{refused}"
        );
        assert_eq!(scene.proxy.asked("sendTransaction"), 0);

        // A node that cannot simulate looks at it itself before it sends.
        scene.proxy.spoil("simulateTransaction", Fault::Error(-32_601), 2);
        let refused = ledger.submit(wrong(), &[&scene.wallet]).await.unwrap_err();
        assert!(
            matches!(refused, LedgerError::Contract { name: "BadClass", .. }),
            "{refused}"
        );
        let creates = scene.creates(scene.record_id());
        ledger.submit(creates, &[&scene.wallet]).await.unwrap();
        assert_eq!(scene.proxy.left(), 0);

        let record = scene.record_id();
        ledger.submit(scene.creates(record), &[&scene.wallet]).await.unwrap();
        let refused = ledger
            .submit(scene.creates(record), &[&scene.wallet])
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("already in use"), "{refused}");
    });
    scene.stack.stop().unwrap();
}

#[test]
fn when_a_node_falls_silent_another_goes_on_and_nothing_is_lost_or_done_twice() {
    let scene = Scene::new();
    let second = Proxy::before(&scene.stack.endpoints().rpc).unwrap();
    Runtime::new().unwrap().block_on(async {
        let ledger = Ledger::with(LedgerOptions::new([&scene.proxy.url, &second.url]));
        // Of what it took last no answer comes.
        scene.proxy.spoil_after("sendTransaction", Fault::LostAnswer, 50, 10);
        let done = AtomicUsize::new(0);
        let one = async |record: Id| {
            ledger.submit(scene.creates(record), &[&scene.wallet]).await.unwrap();
            if done.fetch_add(1, Ordering::Relaxed) == 50 {
                scene.proxy.cut();
            }
        };
        let mut ids: Vec<Id> = (0..100).map(|_| scene.record_id()).collect();
        let all = stream::iter(&ids).map(|record| one(*record)).buffer_unordered(16);
        all.collect::<()>().await;
        assert!(second.asked("sendTransaction") > 0);

        let records = scene.itself().records(&scene.patient).await.unwrap();
        let mut on_chain: Vec<Id> = records.iter().map(|found| found.account.id).collect();
        on_chain.sort_unstable();
        ids.sort_unstable();
        assert_eq!(on_chain, ids);
    });
    scene.stack.stop().unwrap();
}

#[test]
fn a_command_takes_several_addresses_and_the_first_need_not_answer() {
    let (stack, patient, id) = one_patient().unwrap();
    let both = format!("http://127.0.0.1:9,{}", stack.endpoints().rpc);
    patient.through_rpc(&both).does(&["list", &id]).unwrap();
    stack.stop().unwrap();
}

#[test]
fn a_command_believes_what_is_final_where_it_is_told_to() {
    let (stack, patient, id) = one_patient().unwrap();
    patient.does(&["--commitment", "finalized", "list", &id]).unwrap();
    let unknown = patient.types(&["--commitment", "processed", "list", &id]).unwrap();
    assert!(
        unknown.error.contains("type confirmed or finalized"),
        "{}",
        unknown.error
    );
    stack.stop().unwrap();
}

#[test]
fn a_profile_whose_address_leads_to_another_cluster_is_not_worked_with() {
    let (stack, patient, id) = one_patient().unwrap();
    let config = stack.folder().join("config.toml");
    let list = |cluster: &str| {
        let rpc = &stack.endpoints().rpc;
        let profile = format!("default = \"p\"\n[profiles.p]\nrpc = \"{rpc}\"\ncluster = \"{cluster}\"\n");
        fs::write(&config, profile).unwrap();
        let mut command = program("chartseal").unwrap();
        command.arg("--json").arg("--config").arg(&config);
        command.arg("--identity").arg(patient.identity());
        command.arg("--passphrase-file").arg(patient.passphrase());
        command.arg("--key-store").arg(patient.key_store()).args(["list", &id]);
        Outcome::from(&command.output().unwrap())
    };
    let other = list("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d");
    assert_eq!(other.code, 1);
    assert!(other.error.contains("of another cluster"), "{}", other.error);

    let ledger = Ledger::new(&stack.endpoints().rpc);
    let own = Runtime::new().unwrap().block_on(ledger.cluster()).unwrap();
    let known = list(&Address::new_from_array(own).to_string());
    assert_eq!(known.code, 0, "{}", known.error);
    stack.stop().unwrap();
}

#[test]
fn a_node_of_another_cluster_is_not_used_whatever_becomes_of_the_others() {
    let (scene, elsewhere) = (Scene::new(), Scene::new());
    Runtime::new().unwrap().block_on(async {
        let ledger = Ledger::with(LedgerOptions::new([&scene.proxy.url, &elsewhere.proxy.url]));
        ledger.now().await.unwrap();
        scene.proxy.cut();
        let refused = ledger.now().await.unwrap_err();
        assert!(refused.to_string().contains("of another cluster"), "{refused}");
        assert_eq!(elsewhere.proxy.asked("getAccountInfo"), 0);

        let cluster = scene.itself().cluster().await.unwrap();
        let options = LedgerOptions {
            cluster: Some(cluster),
            ..LedgerOptions::new([&elsewhere.proxy.url])
        };
        let refused = Ledger::with(options).now().await.unwrap_err();
        assert!(refused.to_string().contains("of another cluster"), "{refused}");
        assert_eq!(elsewhere.proxy.asked("getAccountInfo"), 0);
    });
    scene.stack.stop().unwrap();
    elsewhere.stack.stop().unwrap();
}

#[test]
fn a_node_that_asks_for_peace_is_asked_again_when_it_says_and_another_meanwhile() {
    let scene = Scene::new();
    let second = Proxy::before(&scene.stack.endpoints().rpc).unwrap();
    Runtime::new().unwrap().block_on(async {
        scene.proxy.spoil("getAccountInfo", Fault::TooMany, 2);
        scene.ledger().now().await.unwrap();
        assert_eq!(scene.proxy.asked("getAccountInfo"), 3);

        scene.proxy.spoil("getAccountInfo", Fault::TooMany, 1);
        let both = Ledger::with(LedgerOptions::new([&scene.proxy.url, &second.url]));
        both.now().await.unwrap();
        assert_eq!(second.asked("getAccountInfo"), 1);
    });
    scene.stack.stop().unwrap();
}

/// The chain takes two transactions that are equal to the byte for one.
#[test]
fn what_is_asked_for_twice_is_done_twice() {
    let scene = Scene::new();
    Runtime::new().unwrap().block_on(async {
        let ledger = scene.itself();
        let to = Address::new_from_array(random());
        let from = Address::new_from_array(scene.wallet.address());
        let pays = transfer(from, to, 1_000_000);
        let instructions = std::slice::from_ref(&pays);
        let signers = [&scene.wallet];
        let twice = (0..5).map(|_| ledger.submit_all(instructions, &signers));
        for paid in futures_util::future::join_all(twice).await {
            paid.unwrap();
        }
        assert_eq!(scene.lamports(&to).await, 5_000_000);
    });
    scene.stack.stop().unwrap();
}
