//! Who could read what at a moment in the past: it agrees with what was decided then.

use std::collections::BTreeSet;

use chartseal_indexer::analysts::{self, PATIENCE, Sight};
use chartseal_program::{policy, vocabulary::*};
use sqlx::{PgConnection, Row};

use crate::{cluster::Database, indexing::index, node::Node, story};

async fn told() -> (Database, PgConnection) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let connection = database.connect().await;
    (database, connection)
}

/// Bases of those who could read, for each row of a query that names patient, record, moment and reader.
async fn bases(connection: &mut PgConnection, of: &'static str) -> Vec<(String, String, BTreeSet<String>)> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT d.what, d.why, ARRAY(SELECT r.basis || coalesce(' ' || encode(r.under, 'hex'), '')
                                     FROM readers_at(d.patient, d.record, d.at) r WHERE r.reader = d.reader)
         FROM ({of}) d ORDER BY d.at"
    )))
    .fetch_all(connection)
    .await
    .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.get(0),
                row.get(1),
                row.get::<Vec<String>, _>(2).into_iter().collect(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_reading_that_was_allowed_could_be_read_by_what_allowed_it() {
    let (_database, mut connection) = told().await;
    let readings = bases(
        &mut connection,
        "SELECT at, patient, record, patient::text || ' ' || seq AS what, coalesce(member, delegate, wallet)::bytea AS reader,
                basis || coalesce(' ' || encode(coalesce(grant_id, policy, emergency,
                    (SELECT x.id FROM delegates x WHERE x.address = delegate))::bytea, 'hex'), '') AS why
         FROM accesses WHERE basis <> 'consent'",
    )
    .await;
    assert!(readings.len() >= 9, "{readings:?}");
    for (what, why, bases) in readings {
        assert!(bases.contains(&why), "{what}: {why} is not among {bases:?}");
    }
}

#[tokio::test]
async fn what_was_refused_for_want_of_a_standing_right_could_not_be_read_by_it() {
    let (_database, mut connection) = told().await;
    let refused = bases(
        &mut connection,
        "SELECT at, patient, record, reason::text AS what, coalesce(member, delegate, wallet)::bytea AS reader,
                claim || coalesce(' ' || encode(claimed, 'hex'), '') AS why
         FROM refusals WHERE action = 'read' AND record IS NOT NULL",
    )
    .await;
    assert!(refused.len() >= 5, "{refused:?}");
    let mut seen = BTreeSet::new();
    for (reason, claim, bases) in refused {
        let under = claim.split(' ').next_back().unwrap();
        assert!(
            !bases.iter().any(|basis| basis.ends_with(under)),
            "{reason}: {claim} is among {bases:?}"
        );
        seen.insert(reason);
    }
    for reason in [
        "grant-revoked",
        "emergency-over",
        "policy-for-other-records",
        "delegation-for-another-patient",
    ] {
        assert!(seen.contains(reason), "{reason} was not told: {seen:?}");
    }
}

/// Moves one thing out of its place at a time: the right that rests on it is gone, and comes back with it.
#[tokio::test]
async fn a_right_ends_with_anything_that_it_rests_on() {
    let (_database, mut connection) = told().await;
    let doctor = "decode(repeat('d0', 32), 'hex')";
    let shared = "decode(repeat('23', 16), 'hex'), decode(repeat('34', 16), 'hex')";
    let grandchild = "SELECT count(*) FROM readers_at($shared, (SELECT at FROM accesses WHERE grant_id = decode(repeat('45', 16), 'hex')))
                      WHERE reader = $doctor AND basis = 'grant' AND under = decode(repeat('45', 16), 'hex')";
    let policy = "SELECT count(*) FROM readers_at($shared, (SELECT at FROM accesses WHERE policy IS NOT NULL))
                  WHERE reader = $doctor AND basis = 'policy'";
    let emergency = "SELECT count(*) FROM readers_at($shared, (SELECT at FROM accesses WHERE emergency IS NOT NULL))
                     WHERE reader = $doctor AND basis = 'emergency' AND purposes = '{emergency}'";
    let delegate = "SELECT count(*) FROM readers_at($shared, (SELECT at FROM accesses WHERE basis = 'delegate'))
                    WHERE actor_kind = 'delegate' AND purposes = '{personal}'";
    let patient = "SELECT count(*) FROM readers_at($shared, (SELECT at FROM accesses WHERE basis = 'delegate'))
                   WHERE actor_kind = 'patient'";
    let long_ago = "'2001-01-01'";
    for (right, changes) in [
        (
            grandchild,
            vec![
            "UPDATE grants SET revoked_at = $ago WHERE id = decode(repeat('43', 16), 'hex')",
            "UPDATE grants SET expires_at = $ago WHERE id = decode(repeat('44', 16), 'hex')",
            "UPDATE grants SET not_before = 'infinity' WHERE id = decode(repeat('45', 16), 'hex')",
            "UPDATE grants SET exhausted_at = $ago WHERE id = decode(repeat('43', 16), 'hex')",
            "UPDATE grants SET created_at = 'infinity' WHERE id = decode(repeat('45', 16), 'hex')",
            "UPDATE grants SET rights = '{append}' WHERE id = decode(repeat('45', 16), 'hex')",
            "UPDATE grants SET classes = '{7}' WHERE id = decode(repeat('45', 16), 'hex')",
            "UPDATE grants SET purposes = '{payment}' WHERE id = decode(repeat('45', 16), 'hex')",
            "UPDATE member_standings SET standing = 'suspended'",
            "UPDATE member_standings SET expires_at = $ago",
            "UPDATE member_standings SET ended_at = $ago",
            "UPDATE institution_standings SET standing = 'suspended'",
            "UPDATE institution_standings SET expires_at = $ago",
            "UPDATE members SET role = 'auditor'",
            "INSERT INTO erasures SELECT patient, id, version, 1, $ago, decode(repeat('00', 32), 'hex') FROM records
             WHERE id = decode(repeat('34', 16), 'hex')",
            "UPDATE records SET created_at = 'infinity'",
        ],
        ),
        (
            policy,
            vec![
                "UPDATE policy_classes SET ended_at = $ago",
                "UPDATE policy_classes SET since = 'infinity'",
                "UPDATE policy_changes SET expires_at = $ago",
                "UPDATE policy_changes SET purposes = '{payment}'",
                "UPDATE records SET created_at = $ago",
                "UPDATE records SET class = 9",
            ],
        ),
        (
            emergency,
            vec![
                "UPDATE emergencies SET expires_at = $ago",
                "UPDATE emergencies SET opened_at = 'infinity'",
                "UPDATE member_standings SET emergency_credential = false",
                "UPDATE members SET role = 'technician'",
            ],
        ),
        (
            delegate,
            vec![
                "UPDATE delegates SET revoked_at = $ago",
                "UPDATE delegates SET accepted_at = NULL",
                "UPDATE delegates SET expires_at = $ago",
                "UPDATE delegates SET rights = '{append}'",
            ],
        ),
        (
            patient,
            vec![
                "UPDATE patient_wallets SET ended_at = $ago",
                "UPDATE patient_wallets SET since = 'infinity'",
            ],
        ),
    ] {
        let right = right.replace("$shared", shared).replace("$doctor", doctor);
        for change in changes {
            let change = change.replace("$ago", long_ago);
            for (changed, expected) in [(None, true), (Some(&change), false)] {
                let mut transaction = sqlx::Connection::begin(&mut connection).await.unwrap();
                if let Some(change) = changed {
                    sqlx::query(sqlx::AssertSqlSafe(change.clone()))
                        .execute(&mut *transaction)
                        .await
                        .unwrap_or_else(|error| panic!("{change}: {error}"));
                }
                let ways: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(right.clone()))
                    .fetch_one(&mut *transaction)
                    .await
                    .unwrap();
                assert_eq!(ways > 0, expected, "{right} after {changed:?}");
                transaction.rollback().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn nobody_can_read_while_the_program_is_paused() {
    let (database, mut connection) = told().await;
    let role = "analyst of a pause";
    analysts::add(&database.url, role, Sight::Institution(story::HOSPITAL), PATIENCE)
        .await
        .unwrap();
    let readers = "SELECT count(*) FROM readers_at(decode(repeat('23', 16), 'hex'), decode(repeat('34', 16), 'hex'),
                       (SELECT max(at) FROM accesses WHERE emergency IS NOT NULL) + $1 * interval '1 minute')";
    // A minute after the last emergency's reading it is paused, and two minutes later it goes on.
    sqlx::query(
        "INSERT INTO registry_changes
         SELECT (SELECT max(seq) FROM registry_changes) + minute,
                (SELECT max(at) FROM accesses WHERE emergency IS NOT NULL) + minute * interval '1 minute',
                CASE minute WHEN 1 THEN 'paused' ELSE 'resumed' END
         FROM UNNEST('{1,3}'::integer[]) minute",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    for who in ["the owner", "an institution's analyst"] {
        let mut found = Vec::new();
        for minute in [0, 1, 2, 3] {
            let count: i64 = sqlx::query_scalar(readers)
                .bind(minute)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            found.push(count > 0);
        }
        assert_eq!(found, [true, false, false, true], "{who}");
        sqlx::query("SET ROLE \"analyst of a pause\"")
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

/// An institution's analyst is shown its own members and the patient, by the same rules.
#[tokio::test]
async fn an_institutions_analyst_is_shown_its_own_readers() {
    let (database, mut connection) = told().await;
    let role = "analyst of readers";
    analysts::add(&database.url, role, Sight::Institution(story::HOSPITAL), PATIENCE)
        .await
        .unwrap();
    let readers = "SELECT actor_kind || ' ' || coalesce(role, '-') || ' ' || basis || ' ' || coalesce(left(encode(under, 'hex'), 2), '-')
                   FROM readers_at(decode(repeat('23', 16), 'hex'), decode(repeat('34', 16), 'hex'),
                                   (SELECT max(at) FROM accesses WHERE emergency IS NOT NULL)) ORDER BY 1";
    let all: Vec<String> = sqlx::query_scalar(readers).fetch_all(&mut connection).await.unwrap();
    sqlx::query("SET ROLE \"analyst of readers\"")
        .execute(&mut connection)
        .await
        .unwrap();
    let own: Vec<String> = sqlx::query_scalar(readers).fetch_all(&mut connection).await.unwrap();
    let of_others: Vec<&String> = all.iter().filter(|reader| !own.contains(reader)).collect();
    assert_eq!(
        own,
        [
            "member doctor author -",
            "member doctor emergency 61",
            "member doctor grant 43",
            "member doctor grant 44",
            "member doctor grant 45",
            "member doctor policy 11",
            "patient - patient -",
        ]
    );
    assert_eq!(of_others, ["delegate - delegate 71", "member insurer grant 47"]);
}

#[tokio::test]
async fn a_role_may_read_for_what_the_program_says() {
    let (_database, mut connection) = told().await;
    let of_author =
        "SELECT unnest(purposes) FROM readers_at(decode(repeat('23', 16), 'hex'), decode(repeat('34', 16), 'hex'),
                         (SELECT at FROM accesses WHERE policy IS NOT NULL))
                     WHERE basis = 'author' AND reader = decode(repeat('d0', 32), 'hex')";
    let could = "SELECT could_read(decode(repeat('23', 16), 'hex'), decode(repeat('34', 16), 'hex'),
                     (SELECT at FROM accesses WHERE policy IS NOT NULL), decode(repeat('d0', 32), 'hex'), $1)";
    for role in Role::ALL {
        let mut transaction = sqlx::Connection::begin(&mut connection).await.unwrap();
        sqlx::query("UPDATE members SET role = $1")
            .bind(role.word())
            .execute(&mut *transaction)
            .await
            .unwrap();
        let found: Vec<String> = sqlx::query_scalar(of_author)
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        for purpose in Purpose::ALL {
            let may = policy::may_request(Some(*role), Action::Read.bit(), purpose.bit());
            assert_eq!(
                found.iter().any(|word| word == purpose.word()),
                may,
                "{role:?} {purpose:?}"
            );
            let could: bool = sqlx::query_scalar(could)
                .bind(purpose.word())
                .fetch_one(&mut *transaction)
                .await
                .unwrap();
            assert_eq!(could, may, "{role:?} {purpose:?}");
        }
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn what_the_ledger_could_still_drop_is_told_apart() {
    let (database, mut connection) = told().await;
    let role = "analyst of what is final";
    analysts::add(&database.url, role, Sight::Institution(story::HOSPITAL), PATIENCE)
        .await
        .unwrap();
    let final_accesses = "SELECT count(*) FROM accesses WHERE at < settled_before()";
    sqlx::query("DELETE FROM tail").execute(&mut connection).await.unwrap();
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM accesses")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let settled: i64 = sqlx::query_scalar(final_accesses)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(settled, all);

    // The reading by the delegate and all that came after it.
    let unsettled = sqlx::query(
        "INSERT INTO tail (place, signature, slot, blockhash)
         SELECT row_number() OVER (ORDER BY at), signature, slot, blockhash FROM events
         WHERE at >= (SELECT at FROM accesses WHERE basis = 'delegate')",
    )
    .execute(&mut connection)
    .await
    .unwrap()
    .rows_affected();
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM unsettled_events")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(told as u64, unsettled);
    let before = "SELECT count(*) FROM accesses WHERE at < (SELECT at FROM accesses WHERE basis = 'delegate')";
    let expected: i64 = sqlx::query_scalar(before).fetch_one(&mut connection).await.unwrap();
    let settled: i64 = sqlx::query_scalar(final_accesses)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(settled, expected);
    assert!(expected > 0 && expected < all);

    // An institution does not see the events of patients, and is told the same time.
    let moment = "SELECT settled_before()::text";
    let of_owner: String = sqlx::query_scalar(moment).fetch_one(&mut connection).await.unwrap();
    sqlx::query("SET ROLE \"analyst of what is final\"")
        .execute(&mut connection)
        .await
        .unwrap();
    let of_institution: String = sqlx::query_scalar(moment).fetch_one(&mut connection).await.unwrap();
    assert_eq!(of_institution, of_owner);
}
