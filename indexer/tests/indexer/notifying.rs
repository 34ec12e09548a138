//! Notifications: what is queued, what a stream shows, and what a webhook gets, over real HTTP.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chartseal_indexer::{
    Scope,
    notify::{self, Audience, Secret, Worker, deliver},
    serve::{Access, Options},
    sink::outbox,
    verify,
};
use chartseal_program::{
    events::{ActionRefused, EmergencyOpened, GrantRevoked},
    seeds::NO_ID,
    vocabulary::{Action, ClaimKind, Purpose, Reason},
};
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    cluster::{Database, lines, number},
    indexing::index,
    ledger::Ledger,
    node::Node,
    serving::{Served, open},
    story::{self, CLASS_GRANT, HEIR, HOSPITAL, PATIENT, RECORD},
};

/// What happened long ago, stored; what happens from now on is news.
async fn told() -> (Node, Database) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    node.knows().ledger.now = now as i64 - 3_600;
    (node, database)
}

/// A reading, and with it one notification to the patient.
async fn read(node: &Node, database: &Database) {
    story::read_once_more(&mut node.knows().ledger);
    index(node, database).await;
}

fn refuse(ledger: &mut Ledger, reason: Reason) {
    ledger.emit(&PATIENT, |link| ActionRefused {
        link,
        request: [0x91; 16],
        record: RECORD,
        action: Action::Read,
        actor: story::clerk(),
        purpose: Purpose::Payment,
        reason,
        claim: ClaimKind::Nothing,
        under: NO_ID,
        head: [0; 32],
    });
}

async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..3_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("what was waited for did not happen");
}

const QUEUED: &str =
    "SELECT kind || ' ' || audience || ' ' || encode(substring(subject, 1, 1), 'hex') FROM outbox ORDER BY id";

#[tokio::test]
async fn news_is_queued_for_whom_it_concerns_and_old_news_is_not() {
    let (node, database) = told().await;
    let mut connection = database.connect().await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM outbox").await,
        0,
        "years at once are no news"
    );
    {
        let ledger = &mut node.knows().ledger;
        story::read_once_more(ledger);
        refuse(ledger, Reason::NoGrant);
        refuse(ledger, Reason::GrantExpired);
        let expires = ledger.now + 3_600;
        ledger.emit(&HEIR, |link| EmergencyOpened {
            link,
            emergency: [0x92; 16],
            actor: story::doctor(),
            reason_hash: [1; 32],
            expires,
            head: [0; 32],
        });
        ledger.emit(&PATIENT, |link| GrantRevoked {
            link,
            grant: CLASS_GRANT,
            by: story::patient().wallet,
            head: [0; 32],
        });
    }
    index(&node, &database).await;
    assert_eq!(
        lines(&mut connection, QUEUED).await,
        [
            "access patient 21",
            "refusal patient 21",
            "emergency-opened patient 23",
            "emergency-awaits-review institution 11",
            "grant-revoked patient 21",
        ]
    );
    let ids = "SELECT payload::text FROM outbox WHERE kind = 'grant-revoked'";
    assert_eq!(
        lines(&mut connection, ids).await,
        [format!("{{\"grant\": \"{}\"}}", hex::encode(CLASS_GRANT))]
    );
    // Nothing is queued twice, and what is queued is no matter of the ledger's.
    index(&node, &database).await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM outbox").await, 5);
    let report = verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
    assert!(report.whole, "{report}");
}

#[tokio::test]
async fn what_the_ledger_took_back_is_withdrawn() {
    let (node, database) = told().await;
    read(&node, &database).await;
    read(&node, &database).await;
    let mut connection = database.connect().await;
    let (first, signature): (i64, Vec<u8>) =
        sqlx::query_as("SELECT id, signature::bytea FROM outbox ORDER BY id LIMIT 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    let signatures = [signature.try_into().unwrap(), [9; 64]];
    for withdrawn in [1, 0] {
        let gone = outbox::withdraw(&mut connection, &signatures).await.unwrap();
        assert_eq!(gone, withdrawn, "once, however often it is said");
    }
    assert_eq!(
        lines(&mut connection, QUEUED).await,
        ["access patient 21", "withdrawn patient 21"]
    );
    let withdraws = "SELECT payload->>'withdraws' FROM outbox WHERE kind = 'withdrawn'";
    assert_eq!(lines(&mut connection, withdraws).await, [first.to_string()]);
}

/// A stream of notifications as a reader has it.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(url: &str, token: &str, last: Option<i64>) -> Self {
        let mut request = Client::new().get(format!("{url}/v1/notifications")).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next one: its number, and what it says.
    async fn next(&mut self) -> (i64, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim().to_owned())
                };
                let found = field("id:").zip(field("data:"));
                let kind = field("event:");
                self.text = rest.to_owned();
                if let Some((id, data)) = found {
                    let data: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!(data["kind"], kind.unwrap().as_str());
                    return (id.parse().unwrap(), data);
                }
                continue;
            }
            let more = tokio::time::timeout(Duration::from_secs(60), self.response.chunk());
            let more = more
                .await
                .expect("a notification")
                .unwrap()
                .expect("a stream that goes on");
            self.text.push_str(std::str::from_utf8(&more).unwrap());
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_taken_up_again_loses_and_doubles_nothing() {
    let (node, database) = told().await;
    let served = Served::start(open(&database)).await;
    let mut seen = Vec::new();
    // From now on, without having seen any.
    let mut stream = Stream::open(&served.url, "", None).await;
    read(&node, &database).await;
    read(&node, &database).await;
    for _ in 0..2 {
        seen.push(stream.next().await.0);
    }
    drop(stream);
    read(&node, &database).await;
    read(&node, &database).await;
    let mut stream = Stream::open(&served.url, "", seen.last().copied()).await;
    read(&node, &database).await;
    for _ in 0..3 {
        seen.push(stream.next().await.0);
    }
    let mut connection = database.connect().await;
    let queued: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!((seen.len(), seen), (5, queued));
}

#[tokio::test]
async fn a_stream_tells_its_own_audience_only_and_ends_with_the_service() {
    let (node, database) = told().await;
    let mut connection = database.connect().await;
    for (token, institution, patient) in [("hospital", Some(&HOSPITAL[..]), None), ("heir", None, Some(&HEIR[..]))] {
        sqlx::query(
            "INSERT INTO api_tokens (hash, label, role, institution, patient, made_at)
             VALUES (sha256($1), 'test', current_user, $2, $3, now())",
        )
        .bind(token.as_bytes())
        .bind(institution)
        .bind(patient)
        .execute(&mut connection)
        .await
        .unwrap();
    }
    let served = Served::start(Options::new(&database.url, Access::Tokens)).await;
    let (mut hospital, mut heir) = (
        Stream::open(&served.url, "hospital", Some(0)).await,
        Stream::open(&served.url, "heir", Some(0)).await,
    );
    {
        let ledger = &mut node.knows().ledger;
        story::read_once_more(ledger);
        let expires = ledger.now + 3_600;
        ledger.emit(&HEIR, |link| EmergencyOpened {
            link,
            emergency: [0x92; 16],
            actor: story::doctor(),
            reason_hash: [1; 32],
            expires,
            head: [0; 32],
        });
    }
    index(&node, &database).await;
    assert_eq!(hospital.next().await.1["kind"], "emergency-awaits-review");
    let (_, told) = heir.next().await;
    assert_eq!(
        (&told["kind"], &told["ids"]["emergency"]),
        (&"emergency-opened".into(), &"92".repeat(16).into())
    );
    drop(served.stop);
    assert!(heir.response.chunk().await.unwrap().is_none(), "the stream ends");
    served.task.await.unwrap().unwrap();
}

/// Somebody who is posted to.
struct Receiver {
    url: String,
    knows: Arc<Mutex<Posted>>,
    _server: JoinHandle<()>,
}

#[derive(Default)]
struct Posted {
    /// What it answers next; 200 where nothing is left.
    answers: VecDeque<StatusCode>,
    /// It takes nothing.
    broken: bool,
    taken: Vec<i64>,
    refused: Vec<i64>,
    /// Where the secret is that everything has to be signed with.
    secret: PathBuf,
}

impl Receiver {
    async fn start(secret: PathBuf) -> Self {
        let knows = Arc::new(Mutex::new(Posted {
            secret,
            ..Posted::default()
        }));
        let app = Router::new().route("/hook", post(take)).with_state(knows.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
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

/// A webhook of everybody's notifications, and a worker that delivers without long waits.
async fn hooked(database: &Database) -> (Receiver, i64, TempDir, DropGuard) {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let receiver = Receiver::start(secret.clone()).await;
    let (id, made) = notify::add(&database.url, &receiver.url, Audience::All, &secret, true)
        .await
        .unwrap();
    assert!(made);
    let stop = CancellationToken::new();
    let (url, token) = (database.url.clone(), stop.clone());
    let worker = Worker {
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(50),
        tries: 3,
        look: Duration::from_millis(10),
        ..Worker::default()
    };
    tokio::spawn(async move { deliver(&url, worker, &token).await.unwrap() });
    (receiver, id, folder, stop.drop_guard())
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
async fn nothing_is_posted_into_the_indexers_own_network() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    for url in ["http://127.0.0.1/", "https://10.0.0.1/", "http://example.org/"] {
        let refused = notify::add(&database.url, url, Audience::All, &secret, false).await;
        assert!(refused.is_err(), "{url}");
    }
    assert!(notify::list(&database.url).await.unwrap().is_empty());
}
