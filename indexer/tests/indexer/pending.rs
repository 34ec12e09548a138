//! A local validator shows and lists what is not confirmed yet. That is not read, and not taken for loss.

use chartseal_indexer::{Scope, Verdict, verify};

use crate::{
    chain_end::forget_last_access, cluster::Database, forks, indexing::index, ledger::Ledger, node::Node, story,
};

async fn indexed(ledger: Ledger) -> (Node, Database) {
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    index(&node, &database).await;
    (node, database)
}

/// Reads on until a slot is full, so that what comes after it is confirmed later.
fn fill_the_slot(ledger: &mut Ledger) {
    while !ledger.transactions.len().is_multiple_of(3) {
        story::read_once_more(ledger);
    }
}

#[tokio::test]
async fn what_is_unsettled_yet_is_lag_and_said_to_be() {
    let mut ledger = story::tell();
    fill_the_slot(&mut ledger);
    let (node, database) = indexed(ledger).await;
    for _ in 0..4 {
        story::read_once_more(&mut node.knows().ledger);
    }
    for (early, said) in [(4, ", which are not settled yet"), (1, ", 1 of them not settled yet")] {
        node.knows().early = early;
        for scope in [Scope::Ledger, Scope::Rows] {
            let report = verify(&node.url, &database.url, scope).await.unwrap();
            assert_eq!(report.verdict(), Verdict::Behind, "{report}");
            assert!(!report.whole && report.findings.is_empty());
            assert_eq!((report.behind.events, report.behind.unsettled), (4, early as u64));
            assert!(report.to_string().contains(said), "{report}");
        }
    }
}

#[tokio::test]
async fn what_was_forgotten_is_missing_also_where_something_else_is_unsettled_yet() {
    let mut ledger = story::tell();
    story::read_once_more(&mut ledger);
    let (node, database) = indexed(ledger).await;
    forget_last_access(&mut database.connect().await).await;
    fill_the_slot(&mut node.knows().ledger);
    story::read_once_more(&mut node.knows().ledger);
    node.knows().early = 1;
    for scope in [Scope::Ledger, Scope::Rows] {
        let report = verify(&node.url, &database.url, scope).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Broken, "{report}");
        assert!(report.to_string().contains("event 12: missing"), "{report}");
    }
}

#[tokio::test]
async fn what_was_dropped_is_not_taken_for_added_before_the_indexer_takes_it_back() {
    let common = forks::common();
    for readings in [2, 4] {
        let first = forks::branch(&common, 1, 4);
        let (node, database, mut indexer) = forks::on_a_branch(&common, &first).await;
        {
            let mut knowledge = node.knows();
            knowledge.ledger = forks::branch(&common, 2, readings);
            knowledge.asked.clear();
        }
        let verified = verify(&node.url, &database.url, Scope::Rows);
        let taken_back = async {
            // Once it asks the node, it has seen rows that the ledger does not have any more.
            while node.knows().asked.is_empty() {
                tokio::task::yield_now().await;
            }
            forks::go_on(&mut indexer).await;
        };
        let (report, ()) = tokio::join!(verified, taken_back);
        let report = report.unwrap();
        assert!(report.whole, "{report}");
    }
}
