//! A sandbox beside a ledger that is somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::items::{get, item, upload};
use common::{Process, folder, journal, run};

const NO_LEDGER: &[&str] = &["--no-ledger", "--no-postgres"];

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_serves_without_a_ledger() {
    let folder = folder();
    let process = Process::start(folder.path(), NO_LEDGER);
    let endpoints = process.endpoints.clone();
    assert_eq!(
        (&endpoints.rpc, &endpoints.ws, &endpoints.genesis_hash),
        (&None, &None, &None)
    );
    let (id, bytes) = item(1, b"a note");
    assert!(upload(&endpoints.gateway, bytes).await.status().is_success());
    let answer = get(&endpoints.gateway, &id, None).await;
    assert_eq!(answer.bytes().await.unwrap(), "a note");
    assert!(process.terminate());
    assert!(!journal(folder.path()).exists());
}

#[test]
fn settings_of_a_ledger_that_is_not_there_are_refused() {
    let folder = folder();
    for option in [
        ["--program", "11111111111111111111111111111111:x.so"],
        ["--upgrade-authority", "11111111111111111111111111111111"],
        ["--slot-time-ms", "50"],
    ] {
        let (succeeded, said) = run(folder.path(), &[NO_LEDGER, &option].concat());
        assert!(!succeeded && said.contains("--no-ledger"), "{option:?}: {said}");
    }
}
