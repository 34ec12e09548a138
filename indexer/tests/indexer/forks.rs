//! Blocks that are confirmed and then dropped: nothing of them stays, and what comes instead is there once.

use chartseal_indexer::{Error, Indexer, Options, Scope, sink::SinkError, verify};
use chartseal_program::log::ChainKind;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Database, lines, number},
    indexing::{index, options},
    ledger::Ledger,
    node::Node,
    story,
};

/// A ledger whose last slot is full, so that what comes next stands in another block.
pub(crate) fn common() -> Ledger {
    let mut ledger = story::tell();
    fill_the_slot(&mut ledger);
    ledger
}

fn fill_the_slot(ledger: &mut Ledger) {
    while !ledger.transactions.len().is_multiple_of(3) {
        ledger.add_failed();
    }
}

/// The ledger with so many readings more, in blocks of this branch.
pub(crate) fn branch(common: &Ledger, name: u8, readings: usize) -> Ledger {
    let mut ledger = common.clone();
    // One second more or less makes other events of them.
    ledger.now += i64::from(name);
    for _ in 0..readings {
        story::read_once_more(&mut ledger);
    }
    for transaction in &mut ledger.transactions[common.transactions.len()..] {
        transaction.signature[63] = name;
        transaction.blockhash[31] = name;
    }
    ledger
}

/// An indexer that has read the common part as final, and a branch that is not.
pub(crate) async fn on_a_branch(common: &Ledger, branch: &Ledger) -> (Node, Database, Indexer) {
    let node = Node::start(branch.clone()).await;
    node.knows().settled = Some(common.transactions.len());
    let database = Database::new().await;
    let indexer = index(&node, &database).await;
    (node, database, indexer)
}

async fn tail(connection: &mut PgConnection) -> i64 {
    number(connection, "SELECT count(*) FROM tail").await
}

/// That the database holds what the node has, and no transaction is left that is not final.
async fn is_whole(node: &Node, database: &Database) {
    let report = verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
    assert!(report.whole, "{report}");
    let events = node.knows().ledger.events() as i64;
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM events").await, events);
}

pub(crate) async fn go_on(indexer: &mut Indexer) {
    indexer.catch_up(&CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn what_is_confirmed_is_there_at_once_and_settles_when_it_is_final() {
    let common = common();
    let (node, database, mut indexer) = on_a_branch(&common, &branch(&common, 1, 6)).await;
    is_whole(&node, &database).await;
    let mut connection = database.connect().await;
    assert_eq!(tail(&mut connection).await, 6);
    for settled in [3, 6] {
        node.knows().settled = Some(common.transactions.len() + settled);
        indexer = again(indexer, &node, &database).await;
        is_whole(&node, &database).await;
        assert_eq!(
            (indexer.stats().taken_back, tail(&mut connection).await),
            (0, 6 - settled as i64)
        );
    }
    let progress = indexer.progress().borrow().clone();
    assert_eq!(progress.settled, progress.frontier);
}

/// An indexer that was started anew, and went on.
async fn again(before: Indexer, node: &Node, database: &Database) -> Indexer {
    drop(before);
    index(node, database).await
}

#[tokio::test]
async fn nothing_stays_of_blocks_that_were_dropped() {
    let common = common();
    let (first, second) = (branch(&common, 1, 5), branch(&common, 2, 7));
    for restarted in [false, true] {
        let (node, database, mut indexer) = on_a_branch(&common, &first).await;
        node.knows().ledger = second.clone();
        if restarted {
            indexer = again(indexer, &node, &database).await;
        } else {
            go_on(&mut indexer).await;
        }
        is_whole(&node, &database).await;
        let taken_back = indexer.stats().taken_back;
        assert_eq!(taken_back, 5);
        // It becomes final like that.
        node.knows().settled = None;
        drop(again(indexer, &node, &database).await);
        is_whole(&node, &database).await;
        assert_eq!(tail(&mut database.connect().await).await, 0);
    }
}

#[tokio::test]
async fn a_branch_that_is_shorter_or_empty_takes_back_all_the_same() {
    let common = common();
    for readings in [0, 1] {
        let (node, database, indexer) = on_a_branch(&common, &branch(&common, 1, 6)).await;
        node.knows().ledger = branch(&common, 2, readings);
        {
            // Blocks without transactions of ours came after it.
            let mut knowledge = node.knows();
            for _ in 0..9 {
                knowledge.ledger.add_failed();
            }
        }
        drop(again(indexer, &node, &database).await);
        is_whole(&node, &database).await;
    }
}

#[tokio::test]
async fn a_transaction_that_comes_again_in_another_block_is_stored_once_and_there() {
    let common = common();
    let first = branch(&common, 1, 6);
    let mut second = first.clone();
    for transaction in &mut second.transactions[common.transactions.len()..] {
        transaction.slot += 2;
        transaction.blockhash[31] = 2;
    }
    // And one that stays in its slot, in another block of that slot.
    let mut third = first.clone();
    for transaction in &mut third.transactions[common.transactions.len() + 3..] {
        transaction.blockhash[31] = 3;
    }
    for other in [second, third] {
        let (node, database, indexer) = on_a_branch(&common, &first).await;
        {
            let mut knowledge = node.knows();
            knowledge.ledger = other;
            knowledge.settled = None;
        }
        let indexer = again(indexer, &node, &database).await;
        is_whole(&node, &database).await;
        assert!(indexer.stats().taken_back >= 3);
        assert_eq!(tail(&mut database.connect().await).await, 0);
    }
}

#[tokio::test]
async fn an_index_that_lags_costs_no_event() {
    let common = common();
    let ledger = branch(&common, 1, 4);
    let hidden = ledger.transactions[common.transactions.len()].signature;
    let node = Node::start(ledger.clone()).await;
    {
        let mut knowledge = node.knows();
        knowledge.settled = Some(common.transactions.len());
        knowledge.unlisted.push(hidden);
    }
    let database = Database::new().await;
    let mut indexer = Indexer::new(options(&node, &database));
    // The next link of its chain is there and does not fit: what is not final stops nobody, but nothing is left out either.
    let error = indexer.catch_up(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::Unsettled(_)), "{error}");
    node.knows().unlisted.clear();
    go_on(&mut indexer).await;
    is_whole(&node, &database).await;
}

#[tokio::test]
async fn an_index_that_lagged_costs_no_event_when_all_is_final_at_the_next_look() {
    let common = common();
    let mut ledger = branch(&common, 1, 3);
    let hidden = ledger.transactions.last().unwrap().signature;
    for _ in 0..3 {
        ledger.add_failed();
    }
    for from_start in [false, true] {
        let node = Node::start(ledger.clone()).await;
        {
            let mut knowledge = node.knows();
            knowledge.settled = Some(common.transactions.len());
            knowledge.unlisted.push(hidden);
        }
        let database = Database::new().await;
        drop(index(&node, &database).await);
        {
            let mut knowledge = node.knows();
            knowledge.unlisted.clear();
            knowledge.settled = None;
            story::read_once_more(&mut knowledge.ledger);
        }
        let mut again = Indexer::new(Options {
            from_start,
            ..options(&node, &database)
        });
        go_on(&mut again).await;
        is_whole(&node, &database).await;
        assert_eq!(tail(&mut database.connect().await).await, 0);
    }
}

#[tokio::test]
async fn reading_from_the_start_leaves_nothing_of_a_branch_behind() {
    let common = common();
    let mut first = branch(&common, 1, 3);
    let hidden = first.transactions.last().unwrap().signature;
    for _ in 0..3 {
        first.add_failed();
    }
    let node = Node::start(first).await;
    {
        let mut knowledge = node.knows();
        knowledge.settled = Some(common.transactions.len());
        knowledge.unlisted.push(hidden);
    }
    let database = Database::new().await;
    drop(index(&node, &database).await);
    node.knows().unlisted.clear();
    let mut again = Indexer::new(Options {
        from_start: true,
        ..options(&node, &database)
    });
    go_on(&mut again).await;
    is_whole(&node, &database).await;
    node.knows().ledger = branch(&common, 2, 8);
    go_on(&mut again).await;
    is_whole(&node, &database).await;
}

#[tokio::test]
async fn a_tail_that_somebody_altered_is_found() {
    let common = common();
    let (node, database, indexer) = on_a_branch(&common, &branch(&common, 1, 6)).await;
    drop(indexer);
    let mut connection = database.connect().await;
    sqlx::query("DELETE FROM tail WHERE place = (SELECT min(place) + 1 FROM tail)")
        .execute(&mut connection)
        .await
        .unwrap();
    let report = verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
    assert!(
        report.findings.iter().any(|finding| finding.table == "checkpoint"),
        "{report}"
    );
}

#[tokio::test]
async fn a_transaction_that_was_listed_too_late_is_read_when_it_is_final() {
    let common = common();
    let mut ledger = common.clone();
    // Nothing of ours came of them, so no chain tells that one is not there.
    for _ in 0..3 {
        ledger.add_failed();
    }
    let hidden = ledger.transactions[common.transactions.len() + 1].signature;
    let node = Node::start(ledger).await;
    {
        let mut knowledge = node.knows();
        knowledge.settled = Some(common.transactions.len());
        knowledge.unlisted.push(hidden);
    }
    let database = Database::new().await;
    let indexer = index(&node, &database).await;
    assert_eq!(tail(&mut database.connect().await).await, 2);
    {
        let mut knowledge = node.knows();
        knowledge.unlisted.clear();
        knowledge.settled = None;
    }
    let indexer = again(indexer, &node, &database).await;
    // They came again, with the one between them.
    assert_eq!(indexer.stats().failed, 2);
    assert_eq!(tail(&mut database.connect().await).await, 0);
}

#[tokio::test]
async fn a_transaction_that_is_listed_twice_is_read_once() {
    let common = common();
    let node = Node::start(branch(&common, 1, 4)).await;
    {
        let mut knowledge = node.knows();
        (knowledge.settled, knowledge.stutters) = (Some(common.transactions.len()), true);
    }
    let database = Database::new().await;
    let indexer = index(&node, &database).await;
    is_whole(&node, &database).await;
    assert_eq!(indexer.stats().known, 0);
    assert_eq!(tail(&mut database.connect().await).await, 4);
}

#[tokio::test]
async fn a_gap_in_what_is_final_stops_the_indexer() {
    let common = common();
    let ledger = branch(&common, 1, 4);
    let hidden = ledger.transactions[common.transactions.len()].signature;
    let node = Node::start(ledger).await;
    node.knows().unlisted.push(hidden);
    let database = Database::new().await;
    let mut indexer = Indexer::new(options(&node, &database));
    let error = indexer.run(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::Sink(SinkError::Gap { .. })), "{error}");
}

#[tokio::test]
async fn rows_of_other_chains_are_left_alone() {
    let common = common();
    let (node, database, indexer) = on_a_branch(&common, &branch(&common, 1, 3)).await;
    let mut connection = database.connect().await;
    // Where a row stands in its file, which writing it again would change.
    let others = "SELECT ctid::text FROM patients WHERE id <> decode(repeat('21', 16), 'hex') ORDER BY id";
    let before = lines(&mut connection, others).await;
    let changed = node
        .knows()
        .ledger
        .heads
        .keys()
        .filter(|(kind, _)| *kind == ChainKind::Log)
        .count();
    assert!(changed > 1 && !before.is_empty());
    node.knows().ledger = branch(&common, 2, 3);
    drop(again(indexer, &node, &database).await);
    is_whole(&node, &database).await;
    assert_eq!(lines(&mut connection, others).await, before);
}

#[tokio::test]
async fn a_fork_while_it_runs_is_followed() {
    let common = common();
    let (node, database, indexer) = on_a_branch(&common, &branch(&common, 1, 5)).await;
    drop(indexer);
    let stop = CancellationToken::new();
    let mut running = Indexer::new(Options {
        lock: chartseal_indexer::sink::Lock::Wait,
        ..options(&node, &database)
    });
    let token = stop.clone();
    let task = tokio::spawn(async move { running.run(&token).await });
    let mut connection = database.connect().await;
    let wanted = "SELECT count(*) FROM events WHERE get_byte(signature, 63) = 9";
    for name in [2u8, 3, 9] {
        node.knows().ledger = branch(&common, name, 4 + usize::from(name));
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    let waiting = async {
        while number(&mut connection, wanted).await != 13 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting)
        .await
        .expect("it follows");
    stop.cancel();
    task.await.unwrap().unwrap();
    is_whole(&node, &database).await;
}
