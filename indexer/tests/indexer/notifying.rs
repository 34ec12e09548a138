//! Notifications: what is queued, and what a stream shows, over real HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chartseal_indexer::{
    Scope,
    serve::{Access, Options},
    sink::outbox,
    verify,
};
use chartseal_program::{
    events::{
        ActionRefused, BreakGlassSet, DelegateNamed, DelegateRevoked, DelegationAccepted, EmergencyOpened,
        GrantRevoked, GuardianNamed, GuardiansSet, PatientKeyRotated, RecordErased, RecoveryFinished, RecoveryObjected,
        RecoveryVoted, WalletAccepted, WalletProposed,
    },
    seeds::NO_ID,
    vocabulary::{Action, ClaimKind, Purpose, Reason},
};
use reqwest::{Client, Response};
use serde_json::Value;

use crate::{
    cluster::{Database, lines, number},
    indexing::index,
    ledger::Ledger,
    node::Node,
    serving::{self, Served, open},
    story::{self, CLASS_GRANT, HEIR, HOSPITAL, PATIENT, RECORD, anonymous},
};

/// What happened long ago, stored; what happens from now on is news.
pub(crate) async fn told() -> (Node, Database) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    node.knows().ledger.now = now as i64 - 3_600;
    (node, database)
}

/// A reading, and with it one notification to the patient.
pub(crate) async fn read(node: &Node, database: &Database) {
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
async fn the_patient_is_told_of_grants_without_a_name_and_nobody_of_a_proof() {
    let (node, database) = told().await;
    {
        let ledger = &mut node.knows().ledger;
        let terms = anonymous::terms(9, Action::Read.bit(), i64::MAX);
        anonymous::grant(ledger, &PATIENT, RECORD, terms);
        anonymous::prove(ledger, 9, Action::Read.bit());
        anonymous::revoke(ledger, &PATIENT, RECORD, 4);
    }
    index(&node, &database).await;
    let mut connection = database.connect().await;
    assert_eq!(
        lines(&mut connection, QUEUED).await,
        ["anonymous-grant-given patient 21", "anonymous-grant-revoked patient 21"]
    );
    let ids = "SELECT DISTINCT payload::text FROM outbox";
    let (record, tree) = (hex::encode(RECORD), hex::encode(anonymous::TREE));
    let expected = format!("{{\"tree\": \"{tree}\", \"record\": \"{record}\", \"leaf_index\": \"4\"}}");
    assert_eq!(lines(&mut connection, ids).await, [expected]);
}

#[tokio::test]
async fn the_patient_is_told_of_whoever_takes_its_place() {
    let (node, database) = told().await;
    let (delegate, head) = ([0x93; 16], [0; 32]);
    let (next, key) = (story::doctor().wallet, [0x94; 32]);
    {
        let ledger = &mut node.knows().ledger;
        let later = ledger.now + 3_600;
        ledger.emit(&HEIR, |link| GuardiansSet {
            link,
            guardians: vec![GuardianNamed {
                wallet: next,
                encryption_key: key,
            }],
            threshold: 1,
            delay: 3_600,
            head,
        });
        ledger.emit(&HEIR, |link| RecoveryVoted {
            link,
            guardian: next,
            wallet: next,
            encryption_key: key,
            votes: 1,
            agreed: next,
            ready_at: later,
            head,
        });
        ledger.emit(&HEIR, |link| RecoveryObjected {
            link,
            wallet: next,
            head,
        });
        ledger.emit(&HEIR, |link| RecoveryFinished {
            link,
            wallet: next,
            encryption_key: key,
            post_quantum_key_hash: head,
            key_epoch: 8,
            head,
        });
        ledger.emit(&HEIR, |link| WalletProposed {
            link,
            proposed: next,
            by: next,
            head,
        });
        ledger.emit(&HEIR, |link| WalletAccepted {
            link,
            wallet: next,
            encryption_key: key,
            post_quantum_key_hash: head,
            key_epoch: 9,
            head,
        });
        ledger.emit(&HEIR, |link| PatientKeyRotated {
            link,
            encryption_key: key,
            post_quantum_key_hash: head,
            key_epoch: 10,
            head,
        });
        ledger.emit(&HEIR, |link| BreakGlassSet {
            link,
            holders: Vec::new(),
            threshold: 0,
            head,
        });
        ledger.emit(&HEIR, |link| DelegateNamed {
            link,
            delegate,
            account: next,
            wallet: next,
            rights: Action::Read.bit(),
            expires: later,
            head,
        });
        ledger.emit(&HEIR, |link| DelegationAccepted {
            link,
            delegate,
            encryption_key: key,
            post_quantum_key_hash: head,
            head,
        });
        ledger.emit(&HEIR, |link| DelegateRevoked {
            link,
            delegate,
            by: next,
            head,
        });
        ledger.emit(&PATIENT, |link| RecordErased {
            link,
            record: RECORD,
            version: 1,
            by: story::patient().wallet,
            head,
        });
    }
    index(&node, &database).await;
    let mut connection = database.connect().await;
    let told = "SELECT kind || ' ' || encode(substring(subject, 1, 1), 'hex') || ' '
                       || coalesce((SELECT string_agg(key, ' ') FROM jsonb_each(payload)), '') FROM outbox ORDER BY id";
    assert_eq!(
        lines(&mut connection, told).await,
        [
            "guardians-set 23 ",
            "recovery-voted 23 ",
            "recovery-objected 23 ",
            "recovery-finished 23 ",
            "wallet-proposed 23 ",
            "wallet-accepted 23 ",
            "keys-changed 23 ",
            "break-glass-set 23 ",
            "delegate-named 23 delegate",
            "delegation-accepted 23 delegate",
            "delegate-revoked 23 delegate",
            "record-erased 21 record",
        ]
    );
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
pub(crate) struct Stream {
    pub(crate) response: Response,
    text: String,
}

impl Stream {
    pub(crate) async fn open(url: &str, token: &str, last: Option<i64>) -> Self {
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
    pub(crate) async fn next(&mut self) -> (i64, Value) {
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
    sqlx::query(serving::READS).execute(&mut connection).await.unwrap();
    for (token, institution, patient) in [("hospital", Some(&HOSPITAL[..]), None), ("heir", None, Some(&HEIR[..]))] {
        sqlx::query(
            "INSERT INTO api_tokens (hash, label, role, institution, patient, made_at)
             VALUES (sha256($1), 'test', current_user, $2, $3, now())",
        )
        .bind(serving::token(token).as_bytes())
        .bind(institution)
        .bind(patient)
        .execute(&mut connection)
        .await
        .unwrap();
    }
    let served = Served::start(Options::new(&database.url, Access::Tokens)).await;
    let (mut hospital, mut heir) = (
        Stream::open(&served.url, &serving::token("hospital"), Some(0)).await,
        Stream::open(&served.url, &serving::token("heir"), Some(0)).await,
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
    // A token that is revoked is shown nothing more.
    sqlx::query("UPDATE api_tokens SET revoked_at = now() WHERE patient IS NULL")
        .execute(&mut connection)
        .await
        .unwrap();
    {
        let ledger = &mut node.knows().ledger;
        let expires = ledger.now + 3_600;
        ledger.emit(&HEIR, |link| EmergencyOpened {
            link,
            emergency: [0x95; 16],
            actor: story::doctor(),
            reason_hash: [1; 32],
            expires,
            head: [0; 32],
        });
    }
    index(&node, &database).await;
    while let Some(more) = hospital.response.chunk().await.unwrap() {
        assert!(
            more.starts_with(b":"),
            "nothing but signs of life before the stream ends"
        );
    }
    heir.next().await;
    drop(served.stop);
    assert!(heir.response.chunk().await.unwrap().is_none(), "the stream ends");
    served.task.await.unwrap().unwrap();
}
