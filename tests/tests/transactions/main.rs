//! Transactions as production needs them: many in flight over a line that fails, each done once, and of each it is known
//! what became of it.

#![allow(clippy::unwrap_used)]

mod scene;
mod websocket;

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use chartseal::ledger::{Ledger, LedgerError, LedgerOptions, Receipt};
use chartseal_program::seeds::Id;
use chartseal_tests::{
    kills::new_seed,
    memory::one_patient,
    people::Outcome,
    programs::program,
    proxy::{Fault, Proxy},
};
use futures_util::{StreamExt as _, stream};
use scene::{Scene, random, transfer};
use solana_address::Address;
use tokio::runtime::Runtime;

/// Transactions of the long trial, and how many of them are in flight at once.
const RECORDS: usize = 1_000;
const IN_FLIGHT: usize = 64;

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

        assert_eq!(told.len(), RECORDS);
        scene.assert_that_each_stands_once(&told).await;
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

#[test]
fn what_is_read_is_asked_for_again_where_an_answer_is_lost() {
    let scene = Scene::new();
    Runtime::new().unwrap().block_on(async {
        let ledger = scene.ledger();
        scene.proxy.spoil("getAccountInfo", Fault::LostAnswer, 2);
        ledger.now().await.unwrap();
        scene.proxy.spoil("getAccountInfo", Fault::LostAnswer, 2);
        ledger.patient(&scene.patient).await.unwrap();
        scene.proxy.spoil("getProgramAccounts", Fault::LostAnswer, 2);
        ledger.records(&scene.patient).await.unwrap();
        assert_eq!(scene.proxy.left(), 0);
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
