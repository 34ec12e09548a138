//! What is derived beside the rows of events: sums by the hour and by size, what held when, and the months of accesses.

use chartseal_indexer::{Scope, verify};
use chartseal_program::{
    events::{AccessAllowed, InstitutionRenewed, InstitutionStandingSet},
    vocabulary::{Basis, Purpose, Standing},
};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    cluster::{Database, lines, number},
    indexing::index,
    ledger::Ledger,
    node::Node,
    story,
};

const DAY: i64 = 86_400;

async fn indexed(ledger: Ledger) -> (Node, Database, PgConnection) {
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let connection = database.connect().await;
    (node, database, connection)
}

async fn execute(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// Reads by a grant that counts: grant 44 has one use left after the story.
fn read_by_counted_grant(ledger: &mut Ledger) {
    ledger.emit(&[0x23; 16], |link| AccessAllowed {
        link,
        request: [0x99; 16],
        record: [0x34; 16],
        version: 1,
        actor: story::doctor(),
        purpose: Purpose::Treatment,
        basis: Basis::Grant,
        under: [0x44; 16],
        head: [0; 32],
    });
}

#[tokio::test]
async fn sums_are_what_the_rows_add_up_to() {
    let mut ledger = story::tell();
    ledger.now += 5 * 3_600;
    story::read_once_more(&mut ledger);
    let (_node, _database, mut c) = indexed(ledger).await;
    for (sums, rows) in [
        (
            "SELECT hour, institution, role, actor_kind, purpose, basis, accesses FROM access_hours",
            "SELECT date_trunc('hour', at, 'UTC'), a.institution, role, actor_kind, purpose, basis, count(*)
             FROM accesses a LEFT JOIN members m ON m.address = a.member GROUP BY 1, 2, 3, 4, 5, 6",
        ),
        (
            "SELECT hour, institution, role, action, purpose, reason, refusals FROM refusal_hours",
            "SELECT date_trunc('hour', at, 'UTC'), r.institution, role, action, purpose, reason, count(*)
             FROM refusals r LEFT JOIN members m ON m.address = r.member GROUP BY 1, 2, 3, 4, 5, 6",
        ),
        (
            "SELECT day, institution, role, actor_kind, purpose, basis, accesses FROM access_days",
            "SELECT date_trunc('day', at, 'UTC'), a.institution, role, actor_kind, purpose, basis, count(*)
             FROM accesses a LEFT JOIN members m ON m.address = a.member GROUP BY 1, 2, 3, 4, 5, 6",
        ),
        (
            "SELECT day, institution, role, action, purpose, reason, refusals FROM refusal_days",
            "SELECT date_trunc('day', at, 'UTC'), r.institution, role, action, purpose, reason, count(*)
             FROM refusals r LEFT JOIN members m ON m.address = r.member GROUP BY 1, 2, 3, 4, 5, 6",
        ),
        (
            "SELECT institution, class, status, step, versions, bytes FROM record_sizes",
            "SELECT coalesce(batch_institution, institution), class, status,
                    (SELECT min(step) FROM generate_series(0, 63) AS step WHERE padded_size < 2::numeric ^ step),
                    count(*), sum(padded_size)
             FROM record_versions v JOIN records r ON r.patient = v.patient AND r.id = v.record GROUP BY 1, 2, 3, 4",
        ),
    ] {
        let differences = format!(
            "SELECT count(*) FROM (({sums} EXCEPT ALL {rows}) UNION ALL ({rows} EXCEPT ALL {sums})) AS difference"
        );
        let differences: i64 = sqlx::query_scalar(AssertSqlSafe(differences))
            .fetch_one(&mut c)
            .await
            .unwrap();
        assert_eq!(differences, 0, "{sums}");
    }
    let hours = "SELECT count(DISTINCT hour) FROM access_hours";
    assert!(number(&mut c, hours).await > 1);
    let erased = "SELECT versions FROM record_sizes WHERE status = 'erased'";
    assert_eq!(number(&mut c, erased).await, 1);
}

#[tokio::test]
async fn a_sum_that_was_deleted_altered_or_added_is_found() {
    let (node, database, mut c) = indexed(story::tell()).await;
    execute(&mut c, "CREATE TABLE public.kept AS TABLE access_hours").await;
    for (tampering, said) in [
        (
            "DELETE FROM access_hours WHERE basis = 'policy'",
            "missing in table access_hours: hour, institution, role, actor_kind, purpose, basis [",
        ),
        (
            "UPDATE access_hours SET accesses = accesses + 1 WHERE basis = 'policy'",
            "accesses not what the rows add up to",
        ),
        (
            "INSERT INTO access_hours SELECT hour - interval '1 hour', institution, role, actor_kind, purpose, basis, 1
             FROM access_hours",
            "added in table access_hours",
        ),
    ] {
        execute(&mut c, tampering).await;
        for scope in [Scope::Ledger, Scope::Rows] {
            let report = verify(&node.url, &database.url, scope).await.unwrap();
            assert!(
                !report.whole && report.to_string().contains(said),
                "{tampering}: {report}"
            );
        }
        execute(
            &mut c,
            "DELETE FROM access_hours; INSERT INTO access_hours SELECT * FROM public.kept",
        )
        .await;
    }
    // Rows of one table are told apart, though no chain names them.
    let several = number(&mut c, "SELECT count(*) FROM access_hours").await;
    execute(&mut c, "DELETE FROM access_hours").await;
    let report = verify(&node.url, &database.url, Scope::Rows).await.unwrap();
    assert!(several > 1 && report.findings.len() == several as usize, "{report}");
}

#[tokio::test]
async fn what_held_when_is_kept_from_change_to_change() {
    let mut ledger = story::tell();
    let expires = ledger.now + 40 * 31_536_000;
    ledger.emit(&story::HOSPITAL, |link| InstitutionStandingSet {
        link,
        standing: Standing::Suspended,
        head: [0; 32],
    });
    ledger.emit(&story::HOSPITAL, |link| InstitutionRenewed {
        link,
        expires,
        head: [0; 32],
    });
    let (node, database, mut c) = indexed(ledger).await;
    let institutions = "SELECT standing || ' ' || made_seq || '-' || changed_seq || ' ' || (ended_at IS NULL) || ' '
                               || round(extract(epoch FROM expires_at - since) / 31536000)
                        FROM institution_standings WHERE institution = decode(repeat('11', 16), 'hex') ORDER BY made_seq";
    assert_eq!(
        lines(&mut c, institutions).await,
        [
            "invited 1-2 false 1",
            "active 2-5 false 1",
            "suspended 5-6 false 1",
            "active 6-7 false 1",
            "active 7-16 false 2",
            "suspended 16-17 false 2",
            "suspended 17-17 true 40"
        ]
    );
    let members =
        "SELECT m.role || ' ' || s.standing || ' ' || s.emergency_credential || ' ' || s.made_seq || '-' || s.changed_seq
                || ' ' || (s.ended_at IS NULL) || ' ' || round(extract(epoch FROM s.expires_at - s.since) / 31536000)
         FROM member_standings s JOIN members m ON m.address = s.member ORDER BY m.address, s.made_seq";
    assert_eq!(
        lines(&mut c, members).await,
        [
            "doctor invited false 3-4 false 1",
            "doctor active false 4-11 false 1",
            "doctor active false 11-12 false 2",
            "doctor active true 12-13 false 2",
            "doctor active false 13-14 false 2",
            "doctor active true 14-14 true 2",
            "insurer invited false 3-4 false 1",
            "insurer active false 4-5 false 1",
            "insurer suspended false 5-6 false 1",
            "insurer active false 6-6 true 1"
        ]
    );
    let wallets =
        "SELECT encode(substring(patient, 1, 1), 'hex') || ' ' || encode(substring(wallet, 1, 1), 'hex') || ' '
                          || made_seq || '-' || changed_seq || ' ' || (ended_at IS NULL)
                   FROM patient_wallets ORDER BY patient, made_seq";
    assert_eq!(
        lines(&mut c, wallets).await,
        ["21 a2 1-1 true", "23 a3 3-21 false", "23 a4 21-21 true"]
    );
    // What is open is what the table of the present says, and every end is a beginning.
    for query in [
        "SELECT count(*) FROM institutions i JOIN institution_standings s ON s.institution = i.id AND s.ended_at IS NULL
         WHERE (s.standing, s.expires_at) IS DISTINCT FROM (i.standing, i.expires_at)",
        "SELECT count(*) FROM members m JOIN member_standings s ON s.member = m.address AND s.ended_at IS NULL
         WHERE (s.standing, s.expires_at, s.emergency_credential)
               IS DISTINCT FROM (m.standing, m.expires_at, m.emergency_credential)",
        "SELECT count(*) FROM patients p LEFT JOIN patient_wallets w ON w.patient = p.id AND w.ended_at IS NULL
         WHERE w.wallet IS DISTINCT FROM p.wallet",
        "SELECT count(*) FROM member_standings s WHERE ended_at IS NOT NULL AND NOT EXISTS (
             SELECT FROM member_standings n
             WHERE n.member = s.member AND n.since = s.ended_at AND n.made_seq = s.changed_seq)",
    ] {
        assert_eq!(number(&mut c, query).await, 0, "{query}");
    }
    let report = verify(&node.url, &database.url, Scope::Ledger).await.unwrap();
    assert!(report.whole, "{report}");
}

#[tokio::test]
async fn a_grant_is_exhausted_when_its_last_use_is_taken() {
    let exhausted = "SELECT encode(substring(g.id, 1, 1), 'hex') || ' ' || g.uses_left || ' '
                            || coalesce((SELECT string_agg(e.seq::text, ',') FROM events e
                                         WHERE e.chain = 'log' AND e.subject = g.patient AND e.at = g.exhausted_at), '-')
                     FROM grants g WHERE g.uses IS NOT NULL AND g.patient = decode(repeat('23', 16), 'hex') ORDER BY g.id";
    let mut ledger = story::tell();
    let (.., mut c) = indexed(ledger.clone()).await;
    assert_eq!(lines(&mut c, exhausted).await, ["43 6 -", "44 1 -", "45 2 -"]);
    read_by_counted_grant(&mut ledger);
    let last = ledger.heads.values().map(|chain| chain.seq).max().unwrap();
    let (.., mut c) = indexed(ledger).await;
    assert_eq!(
        lines(&mut c, exhausted).await,
        ["43 5 -", &format!("44 0 {last}"), "45 2 -"]
    );
}

#[tokio::test]
async fn accesses_go_into_the_partition_of_their_month() {
    let mut ledger = story::tell();
    for now in [
        // The last second of a year and the first of the next, then months later, after 2100, beyond any calendar, and long ago.
        1_767_225_599 - 7,
        1_767_225_600 - 7,
        1_800_000_000,
        4_102_444_800,
        i64::MAX - 7,
        -DAY * 365 * 1_000,
    ] {
        ledger.now = now;
        story::read_once_more(&mut ledger);
    }
    let (node, database, mut c) = indexed(ledger).await;
    let parts = "SELECT tableoid::regclass || ' ' || count(*) FROM accesses GROUP BY tableoid ORDER BY 1";
    assert_eq!(
        lines(&mut c, parts).await,
        [
            "accesses_2025_06 9",
            "accesses_2025_12 1",
            "accesses_2026_01 1",
            "accesses_2027_01 1",
            "accesses_before_2020 1",
            "accesses_from_2100 2"
        ]
    );
    for scope in [Scope::Ledger, Scope::Rows] {
        let report = verify(&node.url, &database.url, scope).await.unwrap();
        assert!(report.whole, "{report}");
    }
}

#[tokio::test]
async fn a_partition_that_was_taken_off_or_put_on_is_found() {
    let (node, database, mut c) = indexed(story::tell()).await;
    for (tampering, said, undoing) in [
        (
            "ALTER TABLE accesses DETACH PARTITION accesses_2025_06",
            "chartseal.accesses_2025_06",
            "ALTER TABLE accesses ATTACH PARTITION accesses_2025_06 FOR VALUES FROM ('2025-06-01 00:00:00+00') TO ('2025-07-01 00:00:00+00')",
        ),
        (
            "CREATE TABLE public.aside PARTITION OF accesses FOR VALUES FROM ('2050-01-01 00:00:00+00') TO ('2050-02-01 00:00:00+00')",
            "public.aside",
            "DROP TABLE public.aside",
        ),
        (
            "CREATE TABLE inner_part PARTITION OF accesses FOR VALUES FROM ('2050-01-01 00:00:00+00') TO ('2050-02-01 00:00:00+00')
             PARTITION BY HASH (patient)",
            "chartseal.inner_part",
            "DROP TABLE inner_part",
        ),
    ] {
        execute(&mut c, tampering).await;
        let error = verify(&node.url, &database.url, Scope::Rows).await.unwrap_err();
        assert!(error.to_string().contains(said), "{tampering}: {error}");
        execute(&mut c, undoing).await;
    }
    let readings = number(&mut c, "SELECT count(*) FROM accesses").await;
    execute(&mut c, "DROP TABLE accesses_2025_06").await;
    for scope in [Scope::Ledger, Scope::Rows] {
        let report = verify(&node.url, &database.url, scope).await.unwrap();
        let missing = report.findings.iter().filter(|finding| finding.table == "accesses");
        assert_eq!(missing.count() as i64, readings, "{report}");
    }
}

#[tokio::test]
async fn who_may_not_write_accesses_makes_no_partitions() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut c = database.connect().await;
    execute(
        &mut c,
        "CREATE ROLE curious LOGIN; GRANT USAGE ON SCHEMA chartseal TO curious;
         GRANT SELECT ON ALL TABLES IN SCHEMA chartseal TO curious",
    )
    .await;
    let mut curious = crate::cluster::connect(&database.url.replace("//chartseal@", "//curious@")).await;
    let make = "SELECT make_access_partitions(array[now()])";
    let error = sqlx::query(make).execute(&mut curious).await.unwrap_err();
    assert!(error.to_string().contains("may insert"), "{error}");
    for _ in 0..2 {
        sqlx::query(make).execute(&mut c).await.unwrap();
    }
    let parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'accesses'::regclass";
    assert_eq!(number(&mut c, parts).await, 3);
}

/// A database of an earlier schema has the events, and gets what follows from them when it is migrated.
#[tokio::test]
async fn what_the_migration_derives_is_what_the_indexer_would() {
    let mut ledger = story::tell();
    read_by_counted_grant(&mut ledger);
    ledger.emit(&story::HOSPITAL, |link| InstitutionRenewed {
        link,
        expires: i64::MAX,
        head: [0; 32],
    });
    ledger.emit(&story::HOSPITAL, |link| InstitutionRenewed {
        link,
        expires: -DAY - 1,
        head: [0; 32],
    });
    let (node, database, mut c) = indexed(ledger).await;
    execute(
        &mut c,
        "DELETE FROM access_hours; DELETE FROM refusal_hours; DELETE FROM access_days; DELETE FROM refusal_days;
         DELETE FROM record_sizes;
         DELETE FROM institution_standings; DELETE FROM member_standings; DELETE FROM patient_wallets;
         UPDATE grants SET exhausted_at = NULL",
    )
    .await;
    let migration = include_str!("../../../migrations/0005_accesses_by_time.sql");
    let (_, deriving) = migration
        .split_once("-- What follows from what is there already")
        .unwrap();
    execute(&mut c, &format!("--{deriving}")).await;
    for scope in [Scope::Ledger, Scope::Rows] {
        let report = verify(&node.url, &database.url, scope).await.unwrap();
        assert!(report.whole, "{report}");
    }
}
