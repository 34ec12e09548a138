//! Node or Postgres gone and back, and writes that break off: nothing is lost, nothing is there twice, and the
//! checkpoint never says more than the rows.

use std::time::Duration;

use axum::http::StatusCode;
use chartseal_indexer::{
    Indexer, Options, Stats,
    sink::{Lock, Sink},
    source::Limits,
};
use chartseal_sandbox::{Postgres, PostgresConfig};
use sqlx::PgConnection;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Database, connect, number},
    indexing::options,
    ledger::Ledger,
    node::{Knowledge, Node},
    story,
};

const EVENTS: &str = "SELECT count(*) FROM events";
const DEADLINE: Duration = Duration::from_secs(30);

/// An indexer that runs until the test has seen enough.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Stats>,
}

impl Running {
    pub(crate) fn start(options: Options) -> Self {
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move {
            let mut indexer = Indexer::new(options);
            indexer.run(&token).await.unwrap();
            *indexer.stats()
        });
        Self { stop, task }
    }

    pub(crate) async fn stop(self) -> Stats {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(8), self.task)
            .await
            .expect("it stops when it is told to")
            .unwrap()
    }
}

/// Waits until so many events are stored.
pub(crate) async fn wait_for(connection: &mut PgConnection, events: usize) {
    let waiting = async {
        loop {
            let there = sqlx::query_scalar::<_, i64>(EVENTS).fetch_one(&mut *connection).await;
            // The schema comes with the indexer.
            if there.is_ok_and(|there| there >= events as i64) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the events come");
}

#[tokio::test]
async fn a_node_that_goes_away_and_comes_back_costs_no_event() {
    let mut ledger = story::tell();
    let total = ledger.transactions.len();
    story::read_once_more(&mut ledger);
    let (before, events) = (ledger.events_in(total / 2), ledger.events());
    let mut node = Node::start(ledger).await;
    node.knows().confirmed = Some(total / 2);
    let database = Database::new().await;
    let running = Running::start(options(&node, &database));
    let mut connection = database.connect().await;
    wait_for(&mut connection, before).await;
    for confirmed in [total, total + 1] {
        node.stop().await;
        node.knows().confirmed = Some(confirmed);
        tokio::time::sleep(Duration::from_millis(300)).await;
        node.come_back().await;
        let there = node.knows().ledger.events_in(confirmed);
        wait_for(&mut connection, there).await;
    }
    running.stop().await;
    assert_eq!(number(&mut connection, EVENTS).await, events as i64);
}

#[tokio::test]
async fn answers_that_fail_now_and_then_cost_no_event() {
    let ledger = story::tell();
    let events = ledger.events();
    let node = Node::start(ledger).await;
    node.knows().fails_every = Some(7);
    let database = Database::new().await;
    let running = Running::start(options(&node, &database));
    let mut connection = database.connect().await;
    wait_for(&mut connection, events).await;
    assert_eq!(running.stop().await.events, events as u64);
}

type Fault = fn(&mut Knowledge);

#[tokio::test]
async fn a_node_that_will_never_do_stops_the_indexer() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    let faults: [(Fault, &str); 8] = [
        (|node| node.error = Some(-32601), "refuses"),
        (|node| node.error = Some(-32602), "refuses"),
        (|node| node.refuses = Some(StatusCode::UNAUTHORIZED), "refuses"),
        (|node| node.refuses = Some(StatusCode::FORBIDDEN), "refuses"),
        (|node| node.error = Some(-32_011), "refuses"),
        (|node| node.block_error = Some(-32_001), "has thrown away the block"),
        (|node| node.version = 2, "upgrade it"),
        (|node| node.forgets_inner = true, "keeps no inner instructions"),
    ];
    for (break_it, said) in faults {
        {
            let mut node = node.knows();
            (node.error, node.refuses, node.block_error, node.version) = (None, None, None, 0);
            break_it(&mut node);
        }
        let mut indexer = Indexer::new(options(&node, &database));
        let stop = CancellationToken::new();
        let ended = tokio::time::timeout(DEADLINE, indexer.run(&stop))
            .await
            .expect("it stops");
        let error = ended.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_listed_and_not_there_yet_is_waited_for() {
    let ledger = story::tell();
    let (events, place) = (ledger.events(), 10);
    let before = ledger.events_in(place);
    let withheld = ledger.transactions[place].signature;
    let node = Node::start(ledger).await;
    node.knows().withheld.push(withheld);
    let database = Database::new().await;
    let running = Running::start(options(&node, &database));
    let mut connection = database.connect().await;
    wait_for(&mut connection, before).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        number(&mut connection, EVENTS).await,
        before as i64,
        "nothing overtakes it"
    );
    node.knows().withheld.clear();
    wait_for(&mut connection, events).await;
    running.stop().await;
}

#[tokio::test]
async fn a_postgres_that_goes_away_and_comes_back_costs_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let config = PostgresConfig {
        folder: folder.path().join("postgres"),
    };
    let postgres = Postgres::start(config.clone()).await.unwrap();
    let url = postgres.url().to_owned();

    let mut ledger = story::tell();
    let total = ledger.transactions.len();
    story::read_once_more(&mut ledger);
    let (before, events) = (ledger.events_in(total / 2), ledger.events());
    let node = Node::start(ledger).await;
    node.knows().confirmed = Some(total / 2);
    let running = Running::start(Options {
        poll: Duration::from_millis(20),
        batch: 4,
        ..Options::new(&node.url, &url)
    });
    let mut connection = connect(&url).await;
    wait_for(&mut connection, before).await;

    drop(connection);
    postgres.stop().await.unwrap();
    node.knows().confirmed = None;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let postgres = Postgres::start(config).await.unwrap();
    let mut connection = connect(postgres.url()).await;
    wait_for(&mut connection, events).await;
    assert_eq!(running.stop().await.events, events as u64);
    assert_eq!(number(&mut connection, EVENTS).await, events as i64);
    drop(connection);
    postgres.stop().await.unwrap();
}

/// How far the ledger was read by the checkpoint: how many transactions.
async fn frontier(connection: &mut PgConnection, ledger: &Ledger) -> usize {
    let signature: Option<Vec<u8>> = sqlx::query_scalar("SELECT signature FROM checkpoint")
        .fetch_optional(connection)
        .await
        .unwrap();
    signature.map_or(0, |signature| {
        ledger
            .transactions
            .iter()
            .position(|transaction| transaction.signature == signature[..])
            .unwrap()
            + 1
    })
}

#[tokio::test]
async fn the_checkpoint_is_never_ahead_of_the_rows_nor_behind_them() {
    let mut ledger = story::tell();
    for _ in 0..300 {
        story::read_once_more(&mut ledger);
    }
    let events = ledger.events();
    let node = Node::start(ledger.clone()).await;
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let running = Running::start(Options {
        batch: 25,
        limits: Limits::default(),
        ..options(&node, &database)
    });
    let mut connection = database.connect().await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name = 'chartseal-indexer' AND datname = current_database()";
    let (mut cuts, mut cut_at) = (0, 0);
    let watching = async {
        loop {
            let mut snapshot = sqlx::Connection::begin(&mut connection).await.unwrap();
            sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                .execute(&mut *snapshot)
                .await
                .unwrap();
            let read = frontier(&mut snapshot, &ledger).await;
            let stored = number(&mut snapshot, EVENTS).await;
            snapshot.rollback().await.unwrap();
            assert_eq!(stored, ledger.events_in(read) as i64);
            if stored == events as i64 {
                return;
            }
            // In the middle of whatever it does, each time that it has come further.
            if read > cut_at {
                cuts += number(&mut connection, cut).await;
                cut_at = read;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::time::timeout(DEADLINE, watching).await.expect("the events come");
    running.stop().await;
    assert!(cuts > 1, "it was cut off {cuts} times");
    let report = chartseal_indexer::verify(&node.url, &database.url, chartseal_indexer::Scope::Ledger)
        .await
        .unwrap();
    assert!(report.whole, "{report}");
}

#[tokio::test]
async fn a_row_that_cannot_be_written_takes_its_batch_and_the_checkpoint_with_it() {
    let ledger = story::tell();
    let node = Node::start(ledger.clone()).await;
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    sqlx::query("ALTER TABLE refusals ADD CONSTRAINT nothing CHECK (false)")
        .execute(&mut connection)
        .await
        .unwrap();
    let mut indexer = Indexer::new(options(&node, &database));
    indexer.run(&CancellationToken::new()).await.unwrap_err();
    let read = frontier(&mut connection, &ledger).await;
    assert!(read > 0 && read < ledger.transactions.len());
    assert_eq!(number(&mut connection, EVENTS).await, ledger.events_in(read) as i64);
}

/// Whether the indexer waits where a server ends each connection with this SQLSTATE before it answers anything.
async fn waits_for_a_server_that_ends_with(state: &str) -> bool {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fields = format!("SFATAL\0VFATAL\0C{state}\0Mcould not write init file\0\0");
    let length = u32::try_from(4 + fields.len()).unwrap();
    let message = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
    let server = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_u8().await.unwrap();
        client.write_all(&message).await.unwrap();
    });
    let url = format!("postgres://nobody@{address}/nothing?sslmode=disable");
    let error = Sink::open(&url, Lock::Refuse).await.unwrap_err();
    server.await.unwrap();
    error.is_passing()
}

#[tokio::test]
async fn a_server_whose_disk_is_too_full_to_let_anybody_in_is_waited_for() {
    assert!(waits_for_a_server_that_ends_with("XX000").await);
    // It will not know the role later either, nor mend what is corrupted.
    assert!(!waits_for_a_server_that_ends_with("28000").await);
    assert!(!waits_for_a_server_that_ends_with("XX001").await);
}
