//! Records that came out of batches: what is altered of them is found, wherever the row then points.

use chartseal_indexer::{Scope, Verdict, verify};

use crate::{cluster::Database, indexing::index, node::Node, story};

#[tokio::test]
async fn a_promotion_whose_place_was_altered_is_a_finding_and_no_outage() {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let mut connection = database.connect().await;
    for tampering in [
        "UPDATE events SET slot = slot + 1 WHERE name = 'RecordPromoted'",
        "UPDATE events SET slot = slot - 1, signature = set_byte(signature, 0, 255 - get_byte(signature, 0))
         WHERE name = 'RecordPromoted'",
    ] {
        for statement in ["SET session_replication_role = replica", tampering] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        let report = verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Broken, "{report}");
        let counted = report.batches.unwrap();
        assert_eq!((counted.promoted, counted.proved), (1, 0));
    }
}
