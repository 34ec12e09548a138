//! The rows' chains against the heads on the ledger.

use chartseal_indexer::{Report, Scope, Verdict, verify};
use chartseal_program::log::ChainKind;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    cluster::{Database, number},
    indexing::index,
    ledger::Ledger,
    node::Node,
    story::{self, PATIENT},
};

async fn indexed(ledger: Ledger) -> (Node, Database) {
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    index(&node, &database).await;
    (node, database)
}

fn names(report: &Report, subject: &[u8; 16], seq: u64) -> bool {
    let subject = hex::encode(subject);
    report
        .findings
        .iter()
        .any(|finding| finding.subject.as_ref() == Some(&subject) && finding.seq == Some(seq))
}

async fn both(node: &Node, database: &Database) -> [Report; 2] {
    [
        verify(&node.url, &database.url, Scope::Ledger).await.unwrap(),
        verify(&node.url, &database.url, Scope::Rows).await.unwrap(),
    ]
}

#[tokio::test]
async fn whole_data_is_whole() {
    let ledger = story::tell();
    let events = ledger.events() as u64;
    let (node, database) = indexed(ledger).await;
    for report in both(&node, &database).await {
        assert!(report.whole, "{report}");
        assert_eq!((report.events, report.behind.events), (events, 0));
        assert_eq!(
            report.chains.iter().map(|count| count.chains).collect::<Vec<_>>(),
            [1, 2, 3, 3, 2]
        );
        assert!(
            report.tables.iter().all(|count| count.rows > 0),
            "the story fills every table: {report}"
        );
    }
    // It left nothing behind and changed nothing.
    let mut connection = database.connect().await;
    assert_eq!(
        number(&mut connection, "SELECT count(*) FROM events").await,
        events as i64
    );
}

#[tokio::test]
async fn an_empty_database_is_behind_and_not_broken() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    for report in both(&node, &database).await {
        assert_eq!(report.verdict(), Verdict::Behind, "{report}");
        assert_eq!(
            (report.behind.events, report.behind.chains),
            (node.knows().ledger.events() as u64, 11)
        );
    }
}

#[tokio::test]
async fn events_that_were_not_read_yet_are_lag_and_not_loss() {
    let (node, database) = indexed(story::tell()).await;
    story::read_once_more(&mut node.knows().ledger);
    story::read_once_more(&mut node.knows().ledger);
    for report in both(&node, &database).await {
        assert_eq!(report.verdict(), Verdict::Behind, "{report}");
        assert!(!report.whole && report.findings.is_empty());
        assert_eq!((report.behind.events, report.behind.chains), (2, 1));
        let said = format!("not read: chain log of {}, events 12 to 13", hex::encode(PATIENT));
        assert!(report.to_string().contains(&said), "{report}");
    }
}

/// The indexer is down, and somebody puts back events, tables and checkpoint as they were before the last access.
#[tokio::test]
async fn a_database_that_was_set_back_is_not_called_whole() {
    let (node, database) = indexed(story::tell()).await;
    let mut connection = database.connect().await;
    let before: Vec<String> = [
        "events",
        "accesses",
        "access_hours",
        "access_days",
        "chains",
        "checkpoint",
    ]
    .map(|table| format!("CREATE TABLE public.{table} AS TABLE chartseal.{table}"))
    .into();
    run(&mut connection, &before).await;
    story::read_once_more(&mut node.knows().ledger);
    index(&node, &database).await;
    for report in both(&node, &database).await {
        assert_eq!(report.verdict(), Verdict::Whole, "{report}");
    }
    let back: Vec<String> = [
        "accesses",
        "access_hours",
        "access_days",
        "chains",
        "checkpoint",
        "events",
    ]
    .into_iter()
    .flat_map(|table| {
        [
            format!("DELETE FROM chartseal.{table}"),
            format!("INSERT INTO chartseal.{table} SELECT * FROM public.{table}"),
        ]
    })
    .collect();
    run(&mut connection, &back).await;
    for report in both(&node, &database).await {
        assert_eq!(report.verdict(), Verdict::Behind, "{report}");
        let unread = report.behind.missing.first().unwrap();
        assert_eq!(
            (unread.chain, &unread.subject, unread.first, unread.last),
            ("log", &hex::encode(PATIENT), 12, 12)
        );
    }
}

async fn run(connection: &mut PgConnection, statements: &[String]) {
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone()))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_head_that_no_transaction_explains_is_a_missing_event() {
    let mut ledger = story::tell();
    // The program's account says one more than the ledger's transactions, as if the checkpoint had skipped one.
    let mut further = ledger.clone();
    story::read_once_more(&mut further);
    ledger.heads = further.heads.clone();
    let (node, database) = indexed(ledger).await;
    for report in both(&node, &database).await {
        assert!(!report.whole);
        assert!(names(&report, &PATIENT, 12), "{report}");
    }
}

#[tokio::test]
async fn a_head_that_differs_is_reported() {
    let (node, database) = indexed(story::tell()).await;
    node.knows()
        .ledger
        .heads
        .get_mut(&(ChainKind::Refusals, PATIENT))
        .unwrap()
        .head[0] ^= 1;
    for report in both(&node, &database).await {
        assert!(!report.whole && names(&report, &PATIENT, 2), "{report}");
    }
}

#[tokio::test]
async fn a_chain_that_the_ledger_does_not_have_is_reported() {
    let (node, database) = indexed(story::tell()).await;
    node.knows().ledger.heads.remove(&(ChainKind::Refusals, PATIENT));
    for report in both(&node, &database).await {
        assert!(!report.whole && names(&report, &PATIENT, 1), "{report}");
    }
}

/// Removes the last event of the patient's log with everything that says it was there.
pub(crate) async fn forget_last_access(connection: &mut PgConnection) {
    for statement in [
        "DELETE FROM events WHERE chain = 'log' AND subject = decode(repeat('21', 16), 'hex') AND seq = 12",
        "DELETE FROM accesses WHERE seq = 12",
        "UPDATE chains c SET seq = 11, head = e.head, at = e.at FROM events e
         WHERE c.chain = 'log' AND (e.chain, e.subject, e.seq) = (c.chain, c.subject, 11)
               AND c.subject = decode(repeat('21', 16), 'hex')",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_event_of_a_chain_cannot_be_forgotten() {
    let mut ledger = story::tell();
    story::read_once_more(&mut ledger);
    let (node, database) = indexed(ledger).await;
    forget_last_access(&mut database.connect().await).await;
    for report in both(&node, &database).await {
        assert!(!report.whole && names(&report, &PATIENT, 12), "{report}");
    }
}

#[tokio::test]
async fn a_chain_that_was_written_anew_from_end_to_end_is_found() {
    // Everything consistent, hashes included, but one access was by somebody else.
    let mut truth = story::tell();
    let mut lie = truth.clone();
    story::read_once_more(&mut truth);
    lie.emit(&PATIENT, |link| chartseal_program::events::AccessAllowed {
        link,
        request: [0x80; 16],
        record: story::RECORD,
        version: 3,
        actor: story::clerk(),
        purpose: chartseal_program::vocabulary::Purpose::Payment,
        basis: chartseal_program::vocabulary::Basis::Grant,
        under: story::COUNTED_GRANT,
        head: [0; 32],
    });
    let (node, database) = indexed(lie).await;
    node.knows().ledger = truth;
    for report in both(&node, &database).await {
        assert!(!report.whole && names(&report, &PATIENT, 12), "{report}");
    }
}
