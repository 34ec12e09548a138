//! What a source delivers, and what it says where it cannot.

use chartseal_indexer::source::{Commitment, Limits, RpcSource, SourceError, Transaction};
use futures_util::TryStreamExt;

use crate::{node::Node, story};

/// All that a node has, or why not.
async fn delivered(node: &Node) -> Result<Vec<Transaction>, SourceError> {
    delivered_with(node, Limits::default()).await
}

async fn delivered_with(node: &Node, limits: Limits) -> Result<Vec<Transaction>, SourceError> {
    let source = RpcSource::new(&node.url, limits, Commitment::Finalized);
    let listed = source.list_after(None).await?;
    let delivered: Vec<_> = source.deliver(&listed).try_collect().await?;
    Ok(delivered.into_iter().filter_map(|one| one.transaction).collect())
}

fn succeeded(node: &Node) -> Vec<Transaction> {
    let knows = node.knows();
    let transactions = knows.ledger.transactions.iter().enumerate();
    let succeeded = transactions.filter(|(index, _)| !knows.ledger.is_failed(*index));
    succeeded.map(|(_, transaction)| transaction.clone()).collect()
}

#[tokio::test]
async fn a_transaction_of_version_1_is_read_and_a_newer_one_is_refused() {
    let node = Node::start(story::tell()).await;
    for version in [0, 1] {
        node.knows().version = version;
        assert_eq!(delivered(&node).await.unwrap(), succeeded(&node));
    }
    node.knows().version = 2;
    let error = delivered(&node).await.unwrap_err();
    assert!(matches!(error, SourceError::UnsupportedVersion(_)) && !error.is_passing());
    assert!(error.to_string().contains("upgrade it, nothing was skipped"), "{error}");
}

#[tokio::test]
async fn a_slot_without_a_block_is_told_apart_from_a_block_that_is_not_there_yet() {
    let node = Node::start(story::tell()).await;
    let mut said = Vec::new();
    for code in [-32_007, -32_009, -32_001, -32_004, -32_014, -32_005, -32_016, -32_019] {
        node.knows().block_error = Some(code);
        let error = delivered(&node).await.unwrap_err();
        let kind = match error {
            SourceError::Skipped { slot: 100 } => "skipped",
            SourceError::ThrownAway { slot: 100 } => "thrown away",
            SourceError::Rpc(_) => "later",
            _ => "else",
        };
        said.push((code, kind, error.is_passing()));
    }
    assert_eq!(
        said,
        [
            (-32_007, "skipped", true),
            (-32_009, "skipped", true),
            (-32_001, "thrown away", false),
            (-32_004, "later", true),
            (-32_014, "later", true),
            (-32_005, "later", true),
            (-32_016, "later", true),
            (-32_019, "later", true),
        ]
    );
}

#[tokio::test]
async fn a_whole_block_gives_what_its_transactions_give_one_by_one() {
    let node = Node::start(story::tell()).await;
    let expected = succeeded(&node);
    let count = |method: &str| node.knows().asked.iter().filter(|asked| *asked == method).count();
    let singly = |most| Limits {
        singly: most,
        parallel: 4,
        ..Limits::default()
    };
    // Of three in a slot, more than three are never there.
    assert_eq!(delivered_with(&node, singly(3)).await.unwrap(), expected);
    let (blocks, alone) = (count("getBlock"), count("getTransaction"));
    assert_eq!(alone, expected.len());
    node.knows().asked.clear();
    assert_eq!(delivered_with(&node, singly(0)).await.unwrap(), expected);
    assert_eq!((count("getBlock"), count("getTransaction")), (blocks, 0));

    // Where a block is refused, or lacks one, they are asked for alone.
    node.knows().asked.clear();
    node.knows().hides_transactions = true;
    assert_eq!(delivered_with(&node, singly(0)).await.unwrap(), expected);
    assert_eq!(count("getTransaction"), expected.len());
    node.knows().hides_transactions = false;
    node.knows().withheld.push(expected[5].signature);
    let error = delivered_with(&node, singly(0)).await.unwrap_err();
    assert!(matches!(error, SourceError::NotThereYet { .. }), "{error}");
}

#[tokio::test]
async fn a_transaction_that_is_not_there_when_it_is_asked_for_first_is_asked_for_again() {
    let node = Node::start(story::tell()).await;
    let expected = succeeded(&node);
    node.knows().hesitates = true;
    assert_eq!(delivered(&node).await.unwrap(), expected);
    let asked = node.knows().asked.clone();
    let times = asked.iter().filter(|asked| *asked == "getTransaction").count();
    assert_eq!(times, 2 * expected.len());
}
