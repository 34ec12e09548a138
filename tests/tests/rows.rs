//! What the comparison of two runs finds, and what it does not take for a difference. Another ledger under the same story is
//! what `cargo xtask test --localnet` compares.

#![allow(clippy::unwrap_used)]

use chartseal_tests::{
    ground::Ground,
    report::Report,
    rows::{Rows, differences},
    story::{self, rows, tell_and},
};
use sqlx::AssertSqlSafe;

/// What somebody does to a database, the table in which that is found, and what is said of it.
const ALTERATIONS: [(&str, &str, &str); 10] = [
    (
        "UPDATE chartseal.refusals SET reason = 'grant-expired' WHERE reason = 'no-grant'",
        "refusals",
        "reason is no-grant in the first run, grant-expired in the second",
    ),
    (
        "UPDATE chartseal.accesses SET basis = 'steward' WHERE basis = 'policy'",
        "accesses",
        "basis is policy in the first run, steward in the second",
    ),
    (
        "UPDATE chartseal.members SET role = 'researcher' WHERE role = 'insurer'",
        "members",
        "role is insurer in the first run, researcher in the second",
    ),
    (
        "UPDATE chartseal.records SET class = 5 WHERE status = 'erased'",
        "records",
        "class is 3 in the first run, 5 in the second",
    ),
    (
        "UPDATE chartseal.batches SET count = count + 1",
        "batches",
        "count is 4 in the first run, 5 in the second",
    ),
    (
        "UPDATE chartseal.emergencies SET expires_at = expires_at + interval '1 hour'",
        "emergencies",
        "expires_at is",
    ),
    (
        "UPDATE chartseal.agreements SET payee = refund",
        "agreements",
        "payee is address#",
    ),
    (
        "UPDATE chartseal.requests SET decided_by = sha256('nobody') WHERE state = 'denied'",
        "requests",
        "address of no event in the second",
    ),
    ("DELETE FROM chartseal.erasures", "erasures", "only the first run has"),
    (
        "UPDATE chartseal.events SET name = 'RecordErased' WHERE name = 'ErasureAttested'",
        "events",
        "name is ErasureAttested in the first run, RecordErased in the second",
    ),
];

/// Tells the story, and reads its rows, then again after each alteration.
fn altered() -> Vec<Rows> {
    let report = Report::silent();
    let read = tell_and(&Ground::Embedded, &report, async |cast| {
        let database = cast.stack.analyst().await?;
        let mut owner = database.acquire().await?.detach();
        // As a database's owner can: without asking its constraints.
        sqlx::raw_sql("SET session_replication_role = replica")
            .execute(&mut owner)
            .await?;
        let mut read = vec![rows(cast).await?];
        for (statement, _, _) in ALTERATIONS {
            let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut owner).await?;
            assert_eq!(done.rows_affected(), 1, "{statement}");
            read.push(rows(cast).await?);
        }
        Ok(read)
    });
    read.unwrap()
}

#[test]
fn two_runs_have_the_same_rows_and_whatever_is_altered_is_named() {
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| tell_and(&Ground::Embedded, &Report::silent(), async |cast| rows(cast).await));
        (altered(), other.join().unwrap().unwrap())
    });
    assert_eq!(differences(("first", &one[0]), ("second", &other)), [""; 0]);
    assert!(one[0].rows() > 200, "{} rows", one[0].rows());

    for (before, (statement, table, says)) in ALTERATIONS.iter().enumerate() {
        let found = differences(("first", &one[before]), ("second", &one[before + 1]));
        assert!(
            matches!(&found[..], [found] if found.starts_with(table) && found.contains(says)),
            "{statement}: {found:#?}"
        );
    }
}

#[test]
fn a_validator_that_is_not_there_is_said_before_anything_runs() {
    let nowhere = Ground::Validator("/nowhere/chartseal-localnet".into());
    let error = story::tell(&nowhere, &Report::silent()).unwrap_err();
    assert!(error.to_string().contains("cargo xtask test --localnet"), "{error}");
}
