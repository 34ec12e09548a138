//! What analysts ask, under row security, of tables with millions of accesses. The rows are made in Postgres, as long a
//! time ago as a year, and the sums are computed from them; they stand under no chain, which no question here looks at.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chartseal_indexer::analysts::{self, Sight};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use super::{Line, Plan, progress};
use crate::{
    bench::stats::{Runs, rounded},
    cluster::{Cluster, connect},
};

const DATABASE: &str = "queries";
const ROLES: [(&str, &str); 2] = [("bench_all", "all"), ("bench_one", "one institution")];

/// How long an analyst's role may ask; so long that a slow answer shows in the figures.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Accesses for each patient, and for each refusal.
const PER_PATIENT: u64 = 250;
const PER_REFUSAL: u64 = 20;

/// Institutions, their members, patients with two records and two grants each: as many as $1.
const PEOPLE: [&str; 7] = [
    "INSERT INTO institutions (id, address, kind, standing, authority, registered_at, changed_at, made_seq, changed_seq,
                               expires_at)
     SELECT pg_temp.id('i', i), pg_temp.address('i', i), 'hospital', 'active', pg_temp.address('a', i), pg_temp.at(0),
            pg_temp.at(0), 1, 1, 'infinity'
     FROM generate_series(0, 19) i WHERE $1 > 0",
    "INSERT INTO members (address, institution, member_id, wallet, role, standing, expires_at, registered_at, changed_at,
                          made_seq, changed_seq, emergency_credential)
     SELECT pg_temp.address('m', m), pg_temp.id('i', m % 20), pg_temp.id('m', m), pg_temp.address('w', m),
            (ARRAY['doctor', 'nurse', 'technician'])[1 + m % 3], 'active', 'infinity', pg_temp.at(0), pg_temp.at(0), m + 2,
            m + 2, false
     FROM generate_series(0, 499) m WHERE $1 > 0",
    "INSERT INTO patients (id, wallet, encryption_key, opened_at, changed_at, made_seq, changed_seq, key_epoch)
     SELECT pg_temp.id('p', p), pg_temp.address('p', p), pg_temp.address('k', p), pg_temp.at(0), pg_temp.at(0), 1, 1, 1
     FROM generate_series(0, $1 - 1) p",
    "INSERT INTO records (patient, id, class, status, version, created_at, changed_at, made_seq, changed_seq)
     SELECT pg_temp.id('p', p), pg_temp.id('r', 2 * p + r), p % 8, 'active', 1, pg_temp.at(0), pg_temp.at(0), 2 + r, 2 + r
     FROM generate_series(0, $1 - 1) p, generate_series(0, 1) r",
    "INSERT INTO record_versions (patient, record, version, seq, at, request, actor_kind, wallet, member, institution,
                                  purpose, basis, manifest_hash, content_root, locator, padded_size)
     SELECT pg_temp.id('p', p), pg_temp.id('r', 2 * p + r), 1, 2 + r, pg_temp.at(0), pg_temp.id('q', 2 * p + r), 'member',
            pg_temp.address('w', p % 500), pg_temp.address('m', p % 500), pg_temp.id('i', p % 20), 'treatment', 'consent',
            pg_temp.address('h', p), pg_temp.address('c', p), pg_temp.address('l', p), 65536 * (1 + p % 500)
     FROM generate_series(0, $1 - 1) p, generate_series(0, 1) r",
    "INSERT INTO grants (patient, id, issuer, classes, grantee_kind, grantee, rights, purposes, not_before, expires_at,
                         created_at, changed_at, made_seq, changed_seq, depth)
     SELECT pg_temp.id('p', p), pg_temp.id('g', 2 * p + g), pg_temp.address('p', p), '{0,1,2,3}',
            CASE g WHEN 0 THEN 'member' ELSE 'institution' END,
            CASE g WHEN 0 THEN pg_temp.address('m', p % 500) ELSE pg_temp.address('i', p % 20) END, '{read}',
            '{treatment}', '-infinity', now() + make_interval(days => (p % 365)::integer), pg_temp.at(0), pg_temp.at(0),
            4 + g, 4 + g, 0
     FROM generate_series(0, $1 - 1) p, generate_series(0, 1) g",
    "INSERT INTO record_sizes (institution, class, status, step, versions, bytes)
     SELECT v.institution, r.class, r.status, length(ltrim(v.padded_size::bit(64)::text, '0')), count(*), sum(v.padded_size)
     FROM record_versions v JOIN records r ON r.patient = v.patient AND r.id = v.record WHERE $1 > 0
     GROUP BY 1, 2, 3, 4",
];

/// $1 accesses in the year, of about $2 patients, in the order of time.
const ACCESSES: &str = "
    INSERT INTO accesses (patient, seq, at, request, record, version, actor_kind, wallet, member, institution, purpose,
                          basis, grant_id)
    SELECT p.id, 6 + n, pg_temp.at(n::float8 / $1), pg_temp.id('x', n), CASE n % 2 WHEN 0 THEN p.one ELSE p.two END, 1,
           'member', m.wallet, m.address, m.institution, CASE n % 4 WHEN 0 THEN 'payment' ELSE 'treatment' END,
           CASE n % 3 WHEN 0 THEN 'author' ELSE 'grant' END, CASE WHEN n % 3 > 0 THEN p.grant_id END
    FROM generate_series(0, $1 - 1) n
    JOIN pg_temp.people p ON p.place = (n * 7919) % $2
    JOIN pg_temp.staff m ON m.place = (n * 104729 + n / 500) % 500";

const REFUSALS: &str = "
    INSERT INTO refusals (patient, seq, at, request, record, action, actor_kind, wallet, member, institution, purpose, reason,
                          claim)
    SELECT p.id, 1 + n, pg_temp.at(n::float8 / $1), pg_temp.id('y', n), p.one, 'read', 'member', m.wallet, m.address,
           m.institution, 'payment', (ARRAY['no-grant', 'purpose-not-granted', 'role-forbids-purpose'])[1 + n % 3], 'nothing'
    FROM generate_series(0, $1 - 1) n
    JOIN pg_temp.people p ON p.place = (n * 7919) % $2
    JOIN pg_temp.staff m ON m.place = (n * 104729 + n / 500) % 500";

/// The sums, from what is there.
const SUMS: [&str; 5] = [
    "TRUNCATE access_hours, access_days, refusal_hours, refusal_days",
    "INSERT INTO access_hours (hour, institution, role, actor_kind, purpose, basis, accesses)
     SELECT date_bin('1 hour', a.at, '2000-01-01 00:00:00+00'), a.institution, m.role, a.actor_kind, a.purpose, a.basis,
            count(*)
     FROM accesses a LEFT JOIN members m ON m.address = a.member GROUP BY 1, 2, 3, 4, 5, 6",
    "INSERT INTO refusal_hours (hour, institution, role, action, purpose, reason, refusals)
     SELECT date_bin('1 hour', r.at, '2000-01-01 00:00:00+00'), r.institution, m.role, r.action, r.purpose, r.reason,
            count(*)
     FROM refusals r LEFT JOIN members m ON m.address = r.member GROUP BY 1, 2, 3, 4, 5, 6",
    "INSERT INTO access_days (day, institution, role, actor_kind, purpose, basis, accesses)
     SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, actor_kind, purpose, basis, sum(accesses)
     FROM access_hours GROUP BY 1, 2, 3, 4, 5, 6",
    "INSERT INTO refusal_days (day, institution, role, action, purpose, reason, refusals)
     SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, action, purpose, reason, sum(refusals)
     FROM refusal_hours GROUP BY 1, 2, 3, 4, 5, 6",
];

/// What is asked. Each is a question of docs/queries.md, of a patient, record and institution that are there.
const QUESTIONS: [(&str, &str); 13] = [
    (
        "who read this record",
        "SELECT a.at, m.role, a.institution, a.purpose, a.basis, a.grant_id, g.expires_at FROM accesses a
         LEFT JOIN members m ON m.address = a.member
         LEFT JOIN grants g ON g.patient = a.patient AND g.id = a.grant_id
         WHERE a.patient = decode(md5('p' || 17), 'hex') AND a.record = decode(md5('r' || 34), 'hex') ORDER BY a.at",
    ),
    (
        "all decisions about a patient, a page",
        "SELECT at, action, outcome, why, role, purpose, record FROM decisions
         WHERE patient_id = decode(md5('p' || 17), 'hex') ORDER BY at DESC LIMIT 50",
    ),
    (
        "sums by role, a year, by the day",
        "SELECT role, purpose, sum(accesses) FROM accesses_by_day GROUP BY role, purpose",
    ),
    (
        "sums by role, a year, by the hour",
        "SELECT role, purpose, sum(accesses) FROM accesses_by_hour GROUP BY role, purpose",
    ),
    (
        "sums by role, 30 days, by the day",
        "SELECT role, purpose, sum(accesses) FROM accesses_by_day WHERE day > now() - interval '30 days'
         GROUP BY role, purpose",
    ),
    (
        "an institution's doctors by the hour, 30 days",
        "SELECT hour, purpose, basis, sum(accesses) AS accesses FROM accesses_by_hour
         WHERE institution_id = decode(md5('i' || 0), 'hex') AND role = 'doctor' AND hour >= now() - interval '30 days'
         GROUP BY hour, purpose, basis ORDER BY hour",
    ),
    (
        "an institution by month",
        "SELECT date_trunc('month', day, 'UTC') AS month, purpose, sum(accesses) FROM accesses_by_day
         WHERE institution_id = decode(md5('i' || 0), 'hex') GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "an institution's readings, a page",
        "SELECT at, patient, seq, record, wallet, purpose, basis FROM accesses
         WHERE institution = decode(md5('i' || 0), 'hex') AND at >= now() - interval '20 days'
         ORDER BY at, patient, seq LIMIT 50",
    ),
    (
        "an institution's readings, 24 hours",
        "SELECT at, patient, record, wallet, purpose FROM accesses
         WHERE institution = decode(md5('i' || 0), 'hex') AND at > now() - interval '24 hours' ORDER BY at DESC",
    ),
    (
        "readings of 24 hours, by basis",
        "SELECT basis, purpose, count(*) FROM recent_accesses GROUP BY basis, purpose",
    ),
    ("refusals by reason", "SELECT * FROM refusals_by_reason"),
    (
        "an institution's refusals, 3 days",
        "SELECT r.at, m.role, r.action, r.purpose, r.reason FROM refusals r JOIN members m ON m.address = r.member
         WHERE r.institution = decode(md5('i' || 0), 'hex') AND r.at > now() - interval '3 days' ORDER BY r.at DESC",
    ),
    (
        "grants that end, a page",
        "SELECT expires_at, patient, grant_id, grantee_kind, institution, role FROM expiring_grants
         ORDER BY expires_at LIMIT 50",
    ),
];

/// All questions, at each size, by both analysts.
pub(super) async fn measure(plan: &Plan, cluster: &Cluster) -> Result<Vec<Line>> {
    let url = cluster.database(DATABASE).await?;
    chartseal_indexer::migrate(&url).await?;
    let mut connection = connect(&url).await?;
    let most = plan.accesses.iter().copied().max().context("no size was asked for")?;
    people(&mut connection, most).await?;
    for (role, sight) in [
        (ROLES[0].0, Sight::All),
        (ROLES[1].0, Sight::Institution(institution(&mut connection).await?)),
    ] {
        analysts::add(&url, role, sight, TIMEOUT).await?;
    }
    let mut lines = Vec::new();
    for &size in &plan.accesses {
        progress(&format!("{size} accesses"));
        fill(&mut connection, size, most).await?;
        for (role, whose) in ROLES {
            for (name, question) in QUESTIONS {
                let ms = ask(&mut connection, role, question, plan.runs).await?;
                lines.push(Line {
                    case: "query".to_owned(),
                    query: Some(format!("{name} ({whose})")),
                    ms: Some(rounded(ms.median, 3)),
                    size: Some(size),
                    runs: Some(ms.n),
                    ..Line::default()
                });
            }
        }
    }
    Ok(lines)
}

/// Everybody whom accesses are of and about.
async fn people(connection: &mut PgConnection, accesses: u64) -> Result<()> {
    connection
        .execute(
            "CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE
                 AS $$ SELECT decode(md5(kind || n), 'hex') $$;
             CREATE FUNCTION pg_temp.address(kind text, n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE
                 AS $$ SELECT decode(md5(kind || n) || md5(n || kind), 'hex') $$;
             CREATE FUNCTION pg_temp.at(part float8) RETURNS timestamptz LANGUAGE sql STABLE
                 AS $$ SELECT now() - interval '364 days' * (1 - part) $$;
             SELECT chartseal.make_access_partitions(array_agg(at))
             FROM generate_series(now() - interval '365 days', now() + interval '31 days', '10 days') at",
        )
        .await?;
    let patients = i64::try_from((accesses / PER_PATIENT).max(100))?;
    for words in PEOPLE {
        sqlx::query(words).bind(patients).execute(&mut *connection).await?;
    }
    let tables =
        "CREATE TEMP TABLE people AS SELECT p AS place, pg_temp.id('p', p) AS id, pg_temp.id('r', 2 * p) AS one,
                      pg_temp.id('r', 2 * p + 1) AS two, pg_temp.id('g', 2 * p) AS grant_id
                  FROM generate_series(0, $1 - 1) p";
    sqlx::query(AssertSqlSafe(tables.replace("$1", &patients.to_string())))
        .execute(&mut *connection)
        .await?;
    connection
        .execute(
            "CREATE TEMP TABLE staff AS SELECT m AS place, pg_temp.address('m', m) AS address,
                 pg_temp.address('w', m) AS wallet, pg_temp.id('i', m % 20) AS institution
             FROM generate_series(0, 499) m;
             ANALYZE pg_temp.people; ANALYZE pg_temp.staff",
        )
        .await?;
    Ok(())
}

/// Fills the tables with so many accesses, and a share of refusals.
async fn fill(connection: &mut PgConnection, size: u64, most: u64) -> Result<()> {
    connection.execute("TRUNCATE accesses, refusals").await?;
    let patients = i64::try_from((most / PER_PATIENT).max(100))?;
    for (words, rows) in [(ACCESSES, size), (REFUSALS, size / PER_REFUSAL)] {
        let rows = i64::try_from(rows)?;
        sqlx::query(words)
            .bind(rows)
            .bind(patients)
            .execute(&mut *connection)
            .await?;
    }
    for words in SUMS {
        connection.execute(words).await?;
    }
    connection.execute("VACUUM ANALYZE").await?;
    Ok(())
}

async fn institution(connection: &mut PgConnection) -> Result<[u8; 16]> {
    let id: Vec<u8> = sqlx::query_scalar("SELECT pg_temp.id('i', 0)")
        .fetch_one(connection)
        .await?;
    id.try_into().ok().context("an id has 16 bytes")
}

/// Milliseconds that an answer takes once it was given before.
async fn ask(connection: &mut PgConnection, role: &'static str, question: &'static str, runs: usize) -> Result<Runs> {
    connection.execute(AssertSqlSafe(format!("SET ROLE {role}"))).await?;
    let mut times = Vec::new();
    for run in 0..=runs.max(3) {
        let since = Instant::now();
        sqlx::query(question).fetch_all(&mut *connection).await?;
        // The first one warms what is cached.
        if run > 0 {
            times.push(since.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    connection.execute("RESET ROLE").await?;
    Runs::of(times).context("nothing was measured")
}
