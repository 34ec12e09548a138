//! What a webhook gets, posted over real HTTP.

use std::{
    collections::VecDeque,
    fs::{Permissions, set_permissions, write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chartseal_indexer::notify::{self, Audience, Secret, Worker, deliver};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    cluster::{Database, lines},
    notifying::{read, told},
    program::asks,
};

pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..3_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("what was waited for did not happen");
}

/// Somebody who is posted to.
pub(crate) struct Receiver {
    url: String,
    pub(crate) knows: Arc<Mutex<Posted>>,
    _server: JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct Posted {
    /// What it answers next; 200 where nothing is left.
    pub(crate) answers: VecDeque<StatusCode>,
    /// It takes nothing.
    broken: bool,
    pub(crate) taken: Vec<i64>,
    pub(crate) refused: Vec<i64>,
    /// Where the secret is that everything has to be signed with.
    secret: PathBuf,
}

impl Receiver {
    async fn start(secret: PathBuf) -> Self {
        let knows = Arc::new(Mutex::new(Posted {
            secret,
            ..Posted::default()
        }));
        let app = Router::new()
            .route("/hook/s3cret", post(take))
            .with_state(knows.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/s3cret?token=s3cret", listener.local_addr().unwrap());
        Self {
            url,
            knows,
            _server: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
        }
    }
}

async fn take(State(knows): State<Arc<Mutex<Posted>>>, headers: HeaderMap, body: String) -> StatusCode {
    let mut knows = knows.lock().unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, seconds) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
    let expected = Secret::read(&knows.secret).unwrap().sign(&id, seconds, &body);
    assert_eq!(header("webhook-signature"), expected);
    let said: Value = serde_json::from_str(&body).unwrap();
    let number = said["id"].as_i64().unwrap();
    assert_eq!(id, format!("notification_{number}"));
    let answer = match knows.broken {
        true => StatusCode::INTERNAL_SERVER_ERROR,
        false => knows.answers.pop_front().unwrap_or(StatusCode::OK),
    };
    match answer.is_success() {
        true => knows.taken.push(number),
        false => knows.refused.push(number),
    }
    answer
}

/// A file that only its owner can read.
fn private(path: &Path, text: &str) {
    write(path, text).unwrap();
    set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// A webhook of everybody's notifications.
pub(crate) async fn add(database: &Database) -> (Receiver, i64, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (url, secret) = (folder.path().join("url"), folder.path().join("secret"));
    let receiver = Receiver::start(secret.clone()).await;
    private(&url, &receiver.url);
    let (id, made) = notify::add(&database.url, &url, Audience::All, &secret, true)
        .await
        .unwrap();
    assert!(made);
    (receiver, id, folder)
}

/// Delivers without long waits.
pub(crate) fn work(database: &str, worker: Worker) -> DropGuard {
    let stop = CancellationToken::new();
    let (url, token) = (database.to_owned(), stop.clone());
    let worker = Worker {
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(50),
        tries: 3,
        look: Duration::from_millis(10),
        ..worker
    };
    tokio::spawn(async move { deliver(&url, worker, &token).await.unwrap() });
    stop.drop_guard()
}

/// A webhook, and a worker that delivers to it.
async fn hooked(database: &Database) -> (Receiver, i64, TempDir, DropGuard) {
    let (receiver, id, folder) = add(database).await;
    (receiver, id, folder, work(&database.url, Worker::default()))
}

#[tokio::test]
async fn a_webhook_that_fails_is_tried_again_and_gets_all_in_order_and_signed() {
    let (node, database) = told().await;
    read(&node, &database).await;
    let (receiver, _, _folder, _worker) = hooked(&database).await;
    receiver.knows.lock().unwrap().answers = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::OK,
        StatusCode::FOUND,
        StatusCode::OK,
    ]
    .into();
    for _ in 0..3 {
        read(&node, &database).await;
    }
    until(async || receiver.knows.lock().unwrap().taken.len() >= 3).await;
    let mut connection = database.connect().await;
    // What was there before the webhook is not for it.
    let queued: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id OFFSET 1")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let knows = receiver.knows.lock().unwrap();
    assert_eq!((&knows.taken, &knows.refused), (&queued, &queued[..2].to_vec()));
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_and_can_be_tried_again() {
    let (node, database) = told().await;
    let (receiver, id, _folder, _worker) = hooked(&database).await;
    receiver.knows.lock().unwrap().broken = true;
    read(&node, &database).await;
    let listed = async || notify::list(&database.url).await.unwrap().remove(0);
    until(async || listed().await.dead == 1).await;
    assert_eq!(
        receiver.knows.lock().unwrap().refused.len(),
        3,
        "three tries, under one number"
    );
    assert_eq!(listed().await.problem.unwrap(), "it answered 500 Internal Server Error");
    // It holds nothing up any more.
    receiver.knows.lock().unwrap().broken = false;
    read(&node, &database).await;
    until(async || receiver.knows.lock().unwrap().taken.len() == 1).await;
    assert_eq!(notify::retry(&database.url, id).await.unwrap(), 1);
    until(async || receiver.knows.lock().unwrap().taken.len() == 2).await;
    let (first, taken) = {
        let knows = receiver.knows.lock().unwrap();
        (knows.refused[0], knows.taken.clone())
    };
    assert_eq!(taken, [first + 1, first]);
    until(async || listed().await.dead == 0).await;
    notify::remove(&database.url, id).await.unwrap();
    assert!(notify::remove(&database.url, id).await.is_err());
}

#[tokio::test]
async fn what_waits_for_a_notification_that_is_gone_is_delivered_all_the_same() {
    let (node, database) = told().await;
    let (receiver, id, _folder) = add(&database).await;
    for _ in 0..3 {
        read(&node, &database).await;
    }
    let mut connection = database.connect().await;
    let queued: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    // As a worker sees it that found the first one waiting just before it was withdrawn.
    sqlx::query("INSERT INTO deliveries VALUES ($1, $2, 'waiting', 1, now(), 'test')")
        .bind(id)
        .bind(queued[0])
        .execute(&mut connection)
        .await
        .unwrap();
    for change in [
        "SET session_replication_role = replica",
        "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox)",
    ] {
        sqlx::query(change).execute(&mut connection).await.unwrap();
    }
    let _worker = work(&database.url, Worker::default());
    until(async || receiver.knows.lock().unwrap().taken == queued[1..]).await;
}

#[tokio::test]
async fn webhooks_take_turns() {
    let (node, database) = told().await;
    let (receiver, _, folder) = add(&database).await;
    let (url, secret) = (folder.path().join("url"), folder.path().join("secret"));
    notify::add(&database.url, &url, Audience::All, &secret, true)
        .await
        .unwrap();
    for _ in 0..3 {
        read(&node, &database).await;
    }
    let _worker = work(
        &database.url,
        Worker {
            parallel: 1,
            turn: Duration::ZERO,
            ..Worker::default()
        },
    );
    until(async || receiver.knows.lock().unwrap().taken.len() == 6).await;
    let taken = receiver.knows.lock().unwrap().taken.clone();
    let mut sorted = taken.clone();
    sorted.sort_unstable();
    assert_eq!(
        taken, sorted,
        "one of each in turn, and not all of the first webhook's before the other's"
    );
}

#[tokio::test]
async fn what_is_old_is_forgotten_whatever_a_webhook_took() {
    let (node, database) = told().await;
    let (receiver, id, _folder) = add(&database).await;
    for _ in 0..3 {
        read(&node, &database).await;
    }
    let mut connection = database.connect().await;
    sqlx::query("INSERT INTO deliveries SELECT $1, min(id), 'dead', 16, now(), 'test' FROM outbox")
        .bind(id)
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("UPDATE outbox SET queued_at = now() - interval '31 days' WHERE id < (SELECT max(id) FROM outbox)")
        .execute(&mut connection)
        .await
        .unwrap();
    let _worker = work(&database.url, Worker::default());
    until(async || receiver.knows.lock().unwrap().taken.len() == 1).await;
    let kept: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(receiver.knows.lock().unwrap().taken, kept);
}

#[tokio::test]
async fn nothing_is_posted_into_the_indexers_own_network() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (folder.path().join("url"), folder.path().join("secret"));
    for url in ["http://127.0.0.1/", "https://10.0.0.1/", "http://example.org/"] {
        private(&file, url);
        let refused = notify::add(&database.url, &file, Audience::All, &secret, false).await;
        assert!(refused.is_err(), "{url}");
    }
    assert!(notify::list(&database.url).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_posted_while_others_can_read_the_address_or_the_secret_or_the_address_is_another() {
    let (node, database) = told().await;
    let (receiver, id, folder) = add(&database).await;
    let (url, secret) = (folder.path().join("url"), folder.path().join("secret"));
    read(&node, &database).await;
    let listed = async || notify::list(&database.url).await.unwrap().remove(0);
    let _worker = work(&database.url, Worker::default());
    until(async || receiver.knows.lock().unwrap().taken.len() == 1).await;
    for (file, mode, address, said) in [
        (&url, 0o644, receiver.url.as_str(), "chmod 600"),
        (&secret, 0o640, &receiver.url, "chmod 600"),
        (
            &url,
            0o600,
            "http://127.0.0.1:1/s3cret",
            "another place than http://127.0.0.1:",
        ),
    ] {
        write(&url, address).unwrap();
        set_permissions(file, Permissions::from_mode(mode)).unwrap();
        read(&node, &database).await;
        until(async || listed().await.dead == 1).await;
        let problem = listed().await.problem.unwrap();
        assert!(problem.contains(said) && !problem.contains("s3cret"), "{problem}");
        private(&url, &receiver.url);
        set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        notify::retry(&database.url, id).await.unwrap();
        until(async || listed().await.dead + listed().await.waiting == 0).await;
    }
    assert_eq!(receiver.knows.lock().unwrap().taken.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_secret_of_an_address_is_neither_stored_nor_shown() {
    let (node, database) = told().await;
    let (receiver, _, _folder, _worker) = hooked(&database).await;
    receiver.knows.lock().unwrap().broken = true;
    read(&node, &database).await;
    until(async || notify::list(&database.url).await.unwrap()[0].dead == 1).await;
    let (_, shown) = asks(&database, &["webhooks", "list"]);
    let origin = receiver.url.split_once("/hook").unwrap().0;
    assert!(
        shown.contains(&format!("  {origin}  all  ")) && shown.contains("500"),
        "{shown}"
    );
    let mut connection = database.connect().await;
    let stored = "SELECT webhooks::text FROM webhooks UNION ALL SELECT deliveries::text FROM deliveries";
    let stored = lines(&mut connection, stored).await;
    assert_eq!(stored.len(), 2);
    for text in [shown, stored.concat()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
