//! The client's ways onto Arweave against the sandbox's gateway, which checks what a real one checks: uploads in parts,
//! and transactions of layer one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../client/tests/support/jwk.rs"]
mod jwk;

use std::process::Stdio;
use std::time::{Duration, Instant};

use chartseal::keys::StorageKey;
use chartseal::store::arweave::Wallet;
use chartseal::store::{BlobStore, Gateway, GatewayOptions, LayerOne, LayerOneOptions, SignedItem};
use chartseal_tests::programs::{Process, program};
use serde_json::Value;
use tempfile::TempDir;

/// A sandbox without Postgres.
struct Sandbox {
    folder: TempDir,
    gateway: String,
    _process: Process,
}

impl Sandbox {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready.json");
        let mut command = program("chartseal-sandbox").unwrap();
        command
            .arg("--data")
            .arg(folder.path().join("sandbox"))
            .args(["--no-postgres", "--rpc-port", "0", "--gateway-port", "0"])
            .args(options)
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Process::start("the sandbox", &mut command).unwrap();
        let since = Instant::now();
        while !ready.exists() {
            assert!(process.ended().unwrap().is_none(), "the sandbox ended");
            assert!(since.elapsed() < Duration::from_secs(120), "the sandbox is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        let endpoints: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        Self {
            folder,
            gateway: endpoints["gateway"].as_str().unwrap().to_owned(),
            _process: process,
        }
    }

    /// What the gateway has written down as having come in whole: id, how, and whether it was new.
    fn taken(&self) -> Vec<(String, String, bool)> {
        let lines = std::fs::read_to_string(self.folder.path().join("sandbox/gateway-uploads.jsonl")).unwrap();
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            (text("id"), text("by"), line["new"].as_bool().unwrap())
        };
        lines.lines().map(line).collect()
    }
}

fn item(len: usize) -> SignedItem {
    let data: Vec<u8> = (0..len).map(|n| (n * 31 % 251).to_le_bytes()[0]).collect();
    SignedItem::sign(&data, &StorageKey::generate().unwrap())
}

/// Gets the whole of an item and a part in the middle.
async fn assert_there(store: &impl BlobStore, item: &SignedItem) {
    let len = item.data().len() as u64;
    assert!(store.has(item.id()).await.unwrap());
    assert!(store.get(item.id(), None, len).await.unwrap() == item.data());
    if len > 2 {
        let part = store.get(item.id(), Some(len / 2..len / 2 + 1), len).await.unwrap();
        assert_eq!(part[0], item.data()[usize::try_from(len / 2).unwrap()]);
    }
}

#[tokio::test]
async fn an_item_of_many_parts_goes_to_the_sandbox_and_comes_back() {
    let sandbox = Sandbox::start(&[]);
    let gateway = Gateway::new(&sandbox.gateway, GatewayOptions::default()).unwrap();
    let (large, small) = (item(17_000_000), item(100));
    for item in [&large, &small] {
        assert!(!gateway.has(item.id()).await.unwrap());
        gateway.put(item).await.unwrap();
        assert_there(&gateway, item).await;
    }
    let taken = |item: &SignedItem, by: &str, new| (item.id().to_string(), by.to_owned(), new);
    let once = [taken(&large, "parts", true), taken(&small, "single", true)];
    assert_eq!(sandbox.taken(), once);
    gateway.put(&large).await.unwrap();
    assert_eq!(
        sandbox.taken().last(),
        Some(&taken(&large, "parts", false)),
        "the log tells what came again"
    );
}

#[tokio::test]
async fn small_items_go_onto_layer_one_whatever_their_length() {
    let sandbox = Sandbox::start(&[]);
    let wallet = Wallet::from_jwk(&jwk::wallet().to_string()).unwrap();
    let store = LayerOne::new(&sandbox.gateway, wallet, LayerOneOptions::default()).unwrap();
    const CHUNK: usize = 256 * 1024;
    // What a bundle and a data item take besides the data: 96 and 116 bytes.
    let besides = 96 + 116;
    for len in [
        0,
        1,
        CHUNK - besides - 1,
        CHUNK - besides,
        CHUNK - besides + 1,
        CHUNK + 40_000,
        2 * CHUNK - besides,
        3 * CHUNK - besides + 31_000,
        4_194_304,
    ] {
        let item = item(len);
        store.put(&item).await.unwrap_or_else(|error| panic!("{len}: {error}"));
        assert_there(&store, &item).await;
        let taken = sandbox.taken();
        let [.., (bundled, by, true), (_, how, true)] = taken.as_slice() else {
            panic!("{taken:?}");
        };
        assert_eq!(
            (bundled, by.as_str(), how.as_str()),
            (&item.id().to_string(), "bundle", "transaction")
        );
        store.put(&item).await.unwrap();
        assert_eq!(
            sandbox.taken().len(),
            taken.len(),
            "what is there is not paid for again"
        );
    }
    let gateway = Gateway::new(&sandbox.gateway, GatewayOptions::default()).unwrap();
    let free = gateway.price(&[4_194_304]).await.unwrap().unwrap();
    let paid = store.price(&[4_194_304, 100]).await.unwrap().unwrap();
    assert!(free.winston == 0 && paid > store.price(&[4_194_304]).await.unwrap().unwrap());
}
