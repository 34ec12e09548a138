//! The trees of grants without a name, made anew from rows and held against the ledger's accounts.

use chartseal_indexer::{Report, Scope, Verdict, reconcile::reconcile, source::Commitment, verify, verify::TreeCount};
use chartseal_program::vocabulary::Action;
use sqlx::PgConnection;

use crate::{
    cluster::Database,
    indexing::index,
    node::Node,
    story::{
        self, PATIENT, RECORD,
        anonymous::{TREE, grant, revoke, terms},
    },
};

async fn told() -> (Node, Database) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    (node, database)
}

async fn look(node: &Node, database: &Database) -> Report {
    verify(&node.url, &database.url, Scope::Rows).await.unwrap()
}

/// What is said of rows of grants without a name.
fn said(report: &Report) -> Vec<String> {
    let about = report
        .findings
        .iter()
        .filter(|finding| finding.table == "anonymous_grants");
    about
        .map(|finding| format!("{} {}", finding.problem, finding.detail))
        .collect()
}

/// Keeps the grants aside, as long as this connection lasts.
async fn keep(owner: &mut PgConnection) {
    sqlx::query("CREATE TEMPORARY TABLE kept AS TABLE anonymous_grants")
        .execute(owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_change_of_every_tree_is_made_anew() {
    let (node, database) = told().await;
    let whole = |trees, leaves, proved| TreeCount { trees, leaves, proved };
    let report = look(&node, &database).await;
    assert!(report.whole, "{report}");
    // One of the two has no leaf.
    assert_eq!(report.trees, whole(2, 4, 5));
    {
        let ledger = &mut node.knows().ledger;
        for n in 5..8 {
            grant(ledger, &PATIENT, RECORD, terms(n, Action::Read.bit(), i64::MAX));
        }
        // The last, one in between, and the first that there still is.
        for leaf in [6, 5, 1] {
            let patient = if leaf == 1 { story::HEIR } else { PATIENT };
            revoke(ledger, &patient, RECORD, leaf);
        }
    }
    // The ledger has gone on: that is no finding.
    let report = look(&node, &database).await;
    assert_eq!(
        (report.verdict(), report.trees),
        (Verdict::Behind, whole(2, 4, 5)),
        "{report}"
    );
    index(&node, &database).await;
    let report = look(&node, &database).await;
    assert!(report.whole, "{report}");
    assert_eq!(report.trees, whole(2, 7, 11));
    assert!(report.to_string().contains("11 changes of 2 trees"), "{report}");
}

#[tokio::test]
async fn a_leaf_that_is_missing_added_or_another_shows_by_the_root() {
    let (node, database) = told().await;
    let mut owner = database.connect().await;
    keep(&mut owner).await;
    let (other, missing) = (
        "altered the tree that the rows make has another root after it",
        "missing no row has this change of the tree",
    );
    let another = "INSERT INTO anonymous_grants SELECT tree, 4, patient, record, issuer, rights, expires_at, expires,
                          envelope_key, commitment, 6, root, created_at, NULL, NULL, NULL, NULL, changed_at, 99, 99
                   FROM anonymous_grants WHERE leaf_index = 3";
    for (tampering, expected) in [
        ("UPDATE anonymous_grants SET expires = expires - 1 WHERE leaf_index = 1", other),
        ("UPDATE anonymous_grants SET rights = '{read}' WHERE leaf_index = 2", other),
        ("UPDATE anonymous_grants SET envelope_key = commitment WHERE leaf_index = 3", other),
        ("UPDATE anonymous_grants SET commitment = set_byte(commitment, 31, 9) WHERE leaf_index = 3", other),
        ("UPDATE anonymous_grants SET commitment = decode(repeat('ff', 32), 'hex') WHERE leaf_index = 3", other),
        (
            "UPDATE anonymous_grants SET expires = -1 WHERE leaf_index = 3",
            other,
        ),
        (
            "UPDATE anonymous_grants SET revoked_at = NULL, revoked_by = NULL, revoked_number = NULL, revoked_root = NULL
             WHERE leaf_index = 0",
            missing,
        ),
        (
            "UPDATE anonymous_grants SET leaf_index = 9 WHERE leaf_index = 3",
            "altered its leaf does not stand behind those that were there",
        ),
        ("DELETE FROM anonymous_grants WHERE leaf_index = 1", missing),
        ("DELETE FROM anonymous_grants WHERE leaf_index = 3", missing),
        (another, "altered the tree that the rows make has another root after it"),
    ] {
        let done = sqlx::query(tampering).execute(&mut owner).await;
        assert_eq!(done.unwrap().rows_affected(), 1, "{tampering}");
        let report = look(&node, &database).await;
        assert!(said(&report).iter().any(|said| said == expected), "{tampering}: {report}");
        for statement in ["DELETE FROM anonymous_grants", "INSERT INTO anonymous_grants SELECT * FROM kept"] {
            sqlx::query(statement).execute(&mut owner).await.unwrap();
        }
    }
    assert!(look(&node, &database).await.whole);
}

#[tokio::test]
async fn a_tree_that_the_ledger_has_otherwise_is_named() {
    let (node, database) = told().await;
    let kept = node.knows().ledger.trees[&TREE].account;
    let alter = |change: fn(&mut chartseal_program::state::GrantTree)| {
        let mut account = kept;
        change(&mut account);
        node.knows().ledger.trees.get_mut(&TREE).unwrap().account = account;
    };
    for (change, expected) in [
        (
            (|tree| tree.roots[5][31] ^= 1) as fn(&mut chartseal_program::state::GrantTree),
            "altered the ledger's tree has another root after it",
        ),
        (
            |tree| tree.number = 4,
            "added the ledger's tree was not changed so often",
        ),
        (|tree| tree.id = [9; 16], "added the ledger has no such tree"),
    ] {
        alter(change);
        let report = look(&node, &database).await;
        assert_eq!(
            (said(&report), report.whole),
            (vec![expected.to_owned()], false),
            "{report}"
        );
    }
    alter(|_| ());
    assert!(look(&node, &database).await.whole);
}

#[tokio::test]
async fn trees_are_compared_with_their_accounts_cell_by_cell() {
    let (node, database) = told().await;
    let tables = ["grant_trees", "anonymous_grants (trees)", "anonymous_grants (roots)"];
    let differences = async || {
        let report = reconcile(&node.url, &database.url, Commitment::Confirmed)
            .await
            .unwrap();
        let compared = report
            .tables
            .iter()
            .filter(|table| tables.contains(&table.table.as_str()));
        let columns: Vec<String> = compared.map(|table| table.columns.join(" ")).collect();
        assert_eq!(columns, ["address", "floor leaves number", "leaf_index root"]);
        let about = report.differences.into_iter();
        let about = about.filter(|difference| tables.contains(&difference.table.as_str()));
        about
            .map(|difference| format!("{} {}", difference.table, difference.column.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    assert_eq!(differences().await, [""; 0]);
    let mut owner = database.connect().await;
    keep(&mut owner).await;
    for (tampering, back, expected) in [
        (
            "UPDATE anonymous_grants SET root = set_byte(root, 0, 1) WHERE number = 5",
            "UPDATE anonymous_grants SET root = e.root FROM kept e WHERE anonymous_grants.leaf_index = e.leaf_index",
            vec!["anonymous_grants (roots) root"],
        ),
        (
            "UPDATE anonymous_grants SET leaf_index = 9 WHERE number = 5",
            "UPDATE anonymous_grants SET leaf_index = 3 WHERE number = 5",
            vec!["anonymous_grants (roots) leaf_index"],
        ),
        (
            "UPDATE anonymous_grants SET revoked_number = 7 WHERE revoked_number = 4",
            "UPDATE anonymous_grants SET revoked_number = 4 WHERE revoked_number = 7",
            vec!["anonymous_grants (trees) floor", "anonymous_grants (roots) "],
        ),
        (
            "DELETE FROM anonymous_grants WHERE number = 3",
            "INSERT INTO anonymous_grants SELECT * FROM kept WHERE number = 3",
            vec![
                "anonymous_grants (trees) leaves",
                "anonymous_grants (trees) number",
                "anonymous_grants (roots) ",
            ],
        ),
    ] {
        sqlx::query(tampering).execute(&mut owner).await.unwrap();
        assert_eq!(differences().await, expected, "{tampering}");
        sqlx::query(back).execute(&mut owner).await.unwrap();
    }
    assert_eq!(differences().await, [""; 0]);
}
