//! Transactions whose fate a node tells over its WebSocket, as long as it does.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use chartseal::ledger::{Ledger, LedgerOptions, Receipt, WebSocket};
use chartseal_program::seeds::Id;
use chartseal_tests::{
    memory::one_patient,
    people::Outcome,
    programs::program,
    proxy::{
        Fault, Proxy,
        tunnel::{Line, Tunnel},
    },
};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Runtime;

use crate::scene::{Scene, websocket_of};

const RECORDS: usize = 200;
const IN_FLIGHT: usize = 64;

/// A scene with a line of its own to the ledger's WebSocket.
struct Lines {
    scene: Scene,
    tunnel: Tunnel,
}

impl Lines {
    fn new() -> Self {
        let scene = Scene::new();
        let tunnel = Tunnel::to(&websocket_of(&scene.stack)).unwrap();
        Self { scene, tunnel }
    }

    fn ledger(&self) -> Ledger {
        let url = format!("ws://{}", self.tunnel.address);
        self.scene.ledger_with(WebSocket::At(url))
    }

    /// Makes so many records, and calls after each with how many there are.
    async fn make(&self, ledger: &Ledger, count: usize, after: impl Fn(usize)) -> BTreeMap<Id, Receipt> {
        let done = AtomicUsize::new(0);
        let one = async |record: Id| {
            let creates = self.scene.creates(record);
            let receipt = ledger.submit(creates, &[&self.scene.wallet]).await.unwrap();
            after(done.fetch_add(1, Ordering::Relaxed) + 1);
            (record, receipt)
        };
        let ids: Vec<Id> = (0..count).map(|_| self.scene.record_id()).collect();
        let all = stream::iter(&ids).map(|record| one(*record));
        all.buffer_unordered(IN_FLIGHT).collect().await
    }

    fn stop(self) {
        self.scene.stack.stop().unwrap();
    }
}

#[test]
fn a_node_that_answers_no_question_about_transactions_tells_of_all_over_its_websocket() {
    let lines = Lines::new();
    Runtime::new().unwrap().block_on(async {
        let refused = Fault::Error(-32_601);
        lines.scene.proxy.spoil("getSignatureStatuses", refused, usize::MAX);
        let told = lines.make(&lines.ledger(), RECORDS, |_| ()).await;
        lines.scene.assert_that_each_stands_once(&told).await;
        // A machine that stands still for seconds is taken for a node that does not keep its word.
        let begun = lines.tunnel.begun();
        assert!((1..=3).contains(&begun), "one connection is enough for all: {begun}");
    });
    lines.stop();
}

#[test]
fn a_websocket_that_is_cut_in_the_middle_costs_no_transaction() {
    let lines = Lines::new();
    Runtime::new().unwrap().block_on(async {
        let ledger = lines.ledger();
        let told = lines.make(&ledger, RECORDS, |done| match done {
            50 | 100 => lines.tunnel.turn(Line::Cut),
            75 | 150 => lines.tunnel.turn(Line::Whole),
            _ => {}
        });
        lines.scene.assert_that_each_stands_once(&told.await).await;
    });
    lines.stop();
}

#[test]
fn a_websocket_that_says_nothing_costs_no_transaction() {
    let lines = Lines::new();
    Runtime::new().unwrap().block_on(async {
        lines.tunnel.turn(Line::Silent);
        let mut told = lines.make(&lines.ledger(), RECORDS / 2, |_| ()).await;
        assert!(lines.tunnel.begun() > 0);

        // Another falls silent once it has told of some.
        lines.tunnel.turn(Line::Whole);
        let ledger = lines.ledger();
        let more = lines.make(&ledger, RECORDS, |done| {
            if done == RECORDS / 2 {
                lines.tunnel.turn(Line::Silent);
            }
        });
        told.extend(more.await);
        lines.scene.assert_that_each_stands_once(&told).await;
    });
    lines.stop();
}

#[test]
fn where_there_is_no_websocket_transactions_are_asked_for() {
    let lines = Lines::new();
    Runtime::new().unwrap().block_on(async {
        lines.tunnel.turn(Line::Cut);
        let mut told = lines.make(&lines.ledger(), RECORDS / 4, |_| ()).await;
        // What answers there may be something else.
        let gateway = lines.scene.stack.endpoints().gateway.replace("http", "ws");
        let ledger = lines.scene.ledger_with(WebSocket::At(gateway));
        told.extend(lines.make(&ledger, RECORDS / 4, |_| ()).await);
        let ledger = lines.scene.ledger_with(WebSocket::At("nonsense".into()));
        told.extend(lines.make(&ledger, RECORDS / 4, |_| ()).await);
        lines.scene.assert_that_each_stands_once(&told).await;
    });
    lines.stop();
}

#[test]
fn a_websocket_is_looked_for_on_the_port_after_that_of_the_node() {
    let scene = Scene::new();
    let (proxy, tunnel) = neighbours(&scene);
    Runtime::new().unwrap().block_on(async {
        proxy.spoil("getSignatureStatuses", Fault::Error(-32_601), usize::MAX);
        let creates = scene.creates(scene.record_id());
        let ledger = Ledger::new(&proxy.url);
        ledger.submit(creates, &[&scene.wallet]).await.unwrap();
        assert_eq!(tunnel.begun(), 1);
    });
    scene.stack.stop().unwrap();
}

#[test]
fn when_a_node_falls_silent_the_one_that_goes_on_tells() {
    let scene = Scene::new();
    let (first, beside_first) = neighbours(&scene);
    let (second, beside_second) = neighbours(&scene);
    Runtime::new().unwrap().block_on(async {
        let ledger = Ledger::with(LedgerOptions::new([&first.url, &second.url]));
        for proxy in [&first, &second] {
            proxy.spoil("getSignatureStatuses", Fault::Error(-32_601), usize::MAX);
        }
        let creates = || scene.creates(scene.record_id());
        ledger.submit(creates(), &[&scene.wallet]).await.unwrap();
        assert_eq!((beside_first.begun(), beside_second.begun()), (1, 0));
        first.cut();
        beside_first.turn(Line::Cut);
        ledger.submit(creates(), &[&scene.wallet]).await.unwrap();
        assert!(beside_second.begun() > 0);
    });
    scene.stack.stop().unwrap();
}

/// A line to the ledger's JSON-RPC, and on the next port one to its WebSocket.
fn neighbours(scene: &Scene) -> (Proxy, Tunnel) {
    let pairs = std::iter::repeat_with(|| {
        let proxy = Proxy::before(&scene.stack.endpoints().rpc).unwrap();
        let (_, port) = proxy.url.rsplit_once(':').unwrap();
        let next = port.parse::<u16>().unwrap().checked_add(1)?;
        let tunnel = Tunnel::on(next, &websocket_of(&scene.stack)).ok()?;
        Some((proxy, tunnel))
    });
    pairs.take(64).flatten().next().unwrap()
}

#[test]
fn a_command_hears_where_it_is_told_to_and_a_profile_says_where() {
    let (stack, patient, _) = one_patient().unwrap();
    let proxy = Proxy::before(&stack.endpoints().rpc).unwrap();
    let tunnel = Tunnel::to(&websocket_of(&stack)).unwrap();
    proxy.spoil("getSignatureStatuses", Fault::Error(-32_601), usize::MAX);
    let url = format!("ws://{}", tunnel.address);
    let typed = patient.through_rpc(&proxy.url);
    typed.does(&["--ws", &url, "airdrop", "1"]).unwrap();
    assert_eq!(tunnel.begun(), 1);

    let config = stack.folder().join("config.toml");
    let profile = format!(
        "default = \"p\"\n[profiles.p]\nrpc = \"{}\"\nws = \"{url}\"\n",
        proxy.url
    );
    fs::write(&config, profile).unwrap();
    let mut command = program("chartseal").unwrap();
    command.arg("--config").arg(&config);
    command.arg("--identity").arg(patient.identity());
    command.arg("--passphrase-file").arg(patient.passphrase());
    let done = Outcome::from(&command.args(["airdrop", "1"]).output().unwrap());
    assert_eq!(done.code, 0, "{}", done.error);
    assert_eq!(tunnel.begun(), 2);

    patient.does(&["--ws", "off", "airdrop", "1"]).unwrap();
    let refused = patient.types(&["--ws", "https://host", "airdrop", "1"]).unwrap();
    assert!(refused.error.contains("wss://host:port, or off"), "{}", refused.error);
    stack.stop().unwrap();
}
