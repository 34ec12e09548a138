//! The program itself: its exit codes, its output, its end by a signal.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use crate::{
    cluster::{Database, number},
    node::Node,
    story,
    webhooks::until,
};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal-indexer"));
    command
        .args(arguments)
        .env_remove("CHARTSEAL_DATABASE_URL")
        .env("DATABASE_URL", "postgres://nobody@nowhere/none");
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

/// Whether a command about this database succeeds, and what it says.
pub(crate) fn asks(database: &Database, arguments: &[&str]) -> (bool, String) {
    let mut command = program(arguments);
    let output = command.env("CHARTSEAL_DATABASE_URL", &database.url).output().unwrap();
    (output.status.success(), said(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_exits_with_0_when_whole_4_when_behind_and_3_when_broken() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    let (rpc, url) = (node.url.as_str(), database.url.as_str());
    let migrated = run(program(&["migrate", "--database", url])).await;
    assert!(migrated.status.success(), "{}", said(&migrated));
    let indexed = run(program(&["run", "--once", "--rpc", rpc, "--database", url])).await;
    assert!(indexed.status.success(), "{}", said(&indexed));

    let mut verify = program(&["verify", "--rpc", rpc]);
    verify.env("CHARTSEAL_DATABASE_URL", url);
    let whole = run(verify).await;
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    assert!(said(&whole).starts_with("whole"));

    story::read_once_more(&mut node.knows().ledger);
    let verify = ["verify", "--rpc", rpc, "--database", url];
    let behind = run(program(&verify)).await;
    assert_eq!(behind.status.code(), Some(4), "{}", said(&behind));
    let headline = "behind: 1 events of 1 chains are not in the database; run the indexer and verify again";
    assert!(said(&behind).starts_with(headline), "{}", said(&behind));
    let behind = run(program(&[&verify[..], &["--json"]].concat())).await;
    let report: serde_json::Value = serde_json::from_slice(&behind.stdout).unwrap();
    let unread = serde_json::json!([{ "chain": "log", "subject": "21".repeat(16), "first": 12, "last": 12 }]);
    assert_eq!(
        (report["whole"].clone(), &report["behind"]["missing"]),
        (false.into(), &unread)
    );

    let mut connection = database.connect().await;
    sqlx::query("DELETE FROM accesses WHERE seq = 9")
        .execute(&mut connection)
        .await
        .unwrap();
    let broken = run(program(&["verify", "--rpc", rpc, "--database", url])).await;
    assert_eq!(broken.status.code(), Some(3), "{}", said(&broken));
    assert!(said(&broken).contains(&format!(
        "chain log of {}, event 9: missing in table accesses",
        "21".repeat(16)
    )));
    let broken = run(program(&[
        "verify",
        "--rpc",
        rpc,
        "--database",
        url,
        "--json",
        "--quick",
    ]))
    .await;
    let report: serde_json::Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!(
        (report["whole"].clone(), report["findings"][0]["seq"].clone()),
        (false.into(), 9.into())
    );
    assert_eq!(report["findings"][0]["table"], "accesses");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_exit_with_1_and_say_what_to_do() {
    let database = Database::new().await;
    let unmigrated = run(program(&[
        "verify",
        "--rpc",
        "http://127.0.0.1:1",
        "--database",
        &database.url,
    ]))
    .await;
    assert_eq!(unmigrated.status.code(), Some(1));
    assert!(
        said(&unmigrated).contains("chartseal-indexer migrate"),
        "{}",
        said(&unmigrated)
    );
    let away = run(program(&[
        "run",
        "--once",
        "--rpc",
        "http://127.0.0.1:1",
        "--database",
        &database.url,
    ]))
    .await;
    assert_eq!(away.status.code(), Some(1), "{}", said(&away));
    // A database that DATABASE_URL names is nobody's business.
    let unnamed = run(program(&["run", "--once", "--rpc", "http://127.0.0.1:1"])).await;
    assert!(!unnamed.status.success());
    assert!(said(&unnamed).contains("--database"), "{}", said(&unnamed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_cleanly_and_an_outage_does_not() {
    let mut node = Node::start(story::tell()).await;
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    for signal in ["-INT", "-TERM"] {
        story::read_once_more(&mut node.knows().ledger);
        let events = node.knows().ledger.events() as i64;
        let mut command = program(&[
            "run",
            "--rpc",
            &node.url,
            "--database",
            &database.url,
            "--poll-ms",
            "20",
        ]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let said = log.clone();
        let reading = std::thread::spawn(move || {
            for line in stderr.lines() {
                *said.lock().unwrap() += &(line.unwrap() + "\n");
            }
        });
        let stored = async || {
            let mut connection = database.connect().await;
            number(&mut connection, "SELECT count(*) FROM events").await == events
        };
        until(stored).await;
        let says = async |word: &str| until(async || log.lock().unwrap().contains(word)).await;
        node.stop().await;
        says("the RPC node is away").await;
        node.come_back().await;
        says("the RPC node is back").await;
        Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
            .await
            .unwrap();
        reading.join().unwrap();
        let log = log.lock().unwrap().clone();
        assert_eq!(status.code(), Some(0), "{log}");
        for word in ["away", "back"] {
            assert_eq!(log.matches(&format!("the RPC node is {word}")).count(), 1, "{log}");
        }
        assert!(stored().await, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_of_a_websocket_is_not_repeated() {
    let arguments = [
        "run",
        "--rpc",
        "http://127.0.0.1:1",
        "--database",
        "postgres://nobody@nowhere/none",
    ];
    let wrong = "https://node.example/?api-key=hush";
    let mut by_variable = program(&arguments);
    by_variable.env("CHARTSEAL_WS", wrong);
    let by_option = program(&[&arguments[..], &["--ws", wrong]].concat());
    for command in [by_variable, by_option] {
        let refused = run(command).await;
        let words = said(&refused);
        assert_eq!(refused.status.code(), Some(2), "{words}");
        assert!(words.contains("--ws") && !words.contains("hush"), "{words}");
    }
}
