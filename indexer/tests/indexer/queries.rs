//! The queries of docs/queries.md, as they stand there: each is asked by an analyst of all and by one of an institution,
//! under row security, of a database with rows enough that indexes are worth it, and goes the way that the document says.

use chartseal_indexer::analysts::{self, PATIENCE, Sight};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::cluster::Database;

const DOCUMENT: &str = include_str!("../../../docs/queries.md");
const FILL: &str = include_str!("queries/fill.sql");
const INSTITUTION: [u8; 16] = [0x11; 16];

/// A query of the document, and what of its plan matters.
struct Asked {
    title: &'static str,
    sql: &'static str,
    plan: Vec<&'static str>,
}

fn asked() -> Vec<Asked> {
    let parts = DOCUMENT.split("\n## ").skip(1);
    let block = |part: &'static str, kind: &str| {
        let (_, rest) = part.split_once(&format!("```{kind}\n"))?;
        Some(rest.split_once("\n```")?.0)
    };
    parts
        .map(|part| Asked {
            title: part.lines().next().unwrap(),
            sql: block(part, "sql").unwrap_or_else(|| panic!("{part}: no query")),
            plan: block(part, "text")
                .unwrap_or_else(|| panic!("{part}: no plan"))
                .lines()
                .map(str::trim)
                .collect(),
        })
        .collect()
}

async fn filled() -> (Database, PgConnection) {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    // VACUUM has to stand alone.
    for part in FILL.split_inclusive("SET session_replication_role TO origin;") {
        sqlx::raw_sql(AssertSqlSafe(part))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    (database, connection)
}

/// What a role is told, row by row.
async fn ask(connection: &mut PgConnection, role: &str, sql: &str) -> Vec<String> {
    let mut transaction = sqlx::Connection::begin(connection).await.unwrap();
    for setting in [
        &format!("SET LOCAL ROLE \"{role}\""),
        "SET LOCAL timezone TO 'UTC'",
        "SET LOCAL jit TO off",
        "SET LOCAL max_parallel_workers_per_gather TO 0",
    ] {
        sqlx::query(AssertSqlSafe(setting.to_owned()))
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    let rows = match sql.starts_with("EXPLAIN") {
        true => {
            sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
                .fetch_all(&mut *transaction)
                .await
        }
        false => {
            let sql = sql.trim_end_matches(';');
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT answer::text FROM ({sql}) answer")))
                .fetch_all(&mut *transaction)
                .await
        }
    };
    rows.unwrap_or_else(|error| panic!("{role}: {sql}: {error}"))
}

/// The months of accesses that a plan opens.
fn months(plan: &[String]) -> Vec<&str> {
    let mut months: Vec<&str> = plan
        .iter()
        .filter_map(|line| line.split_once(" on accesses_2")?.1.get(..6))
        .collect();
    months.sort_unstable();
    months.dedup();
    months
}

#[tokio::test]
async fn each_query_is_answered_and_goes_the_way_that_is_shown() {
    let (database, mut connection) = filled().await;
    let (all, own) = ("analyst of all filled", "analyst of one filled");
    analysts::add(&database.url, all, Sight::All, PATIENCE).await.unwrap();
    analysts::add(&database.url, own, Sight::Institution(INSTITUTION), PATIENCE)
        .await
        .unwrap();
    let queries = asked();
    assert!(queries.len() >= 12);
    for Asked { title, sql, plan } in queries {
        let answer = ask(&mut connection, all, sql).await;
        assert!(!answer.is_empty(), "{title}: no rows");
        let of_own = ask(&mut connection, own, sql).await;
        assert!(of_own.len() <= answer.len() || title.contains("attested"), "{title}");
        let went = ask(&mut connection, all, &format!("EXPLAIN (COSTS OFF) {sql}")).await;
        for step in plan.iter().filter(|step| **step != "…") {
            let is_there = went
                .iter()
                .any(|line| line.trim().trim_start_matches("->").trim() == *step);
            assert!(is_there, "{title}: {step} is not in the plan:\n{}", went.join("\n"));
        }
        // What the document leaves out, it says so.
        if !plan.contains(&"…") {
            let shown: Vec<String> = plan.iter().map(|step| (*step).to_owned()).collect();
            assert_eq!(months(&went), months(&shown), "{title}: {}", went.join("\n"));
        }
        let reads_all = went.iter().any(|line| line.contains("Seq Scan on accesses_2025"));
        assert!(!reads_all, "{title}: a month is read as a whole:\n{}", went.join("\n"));
    }
}

#[tokio::test]
async fn a_page_begins_where_the_one_before_ended() {
    let (_database, mut connection) = filled().await;
    let page = asked()
        .into_iter()
        .find(|asked| asked.title.starts_with("A page"))
        .unwrap();
    let whole: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM accesses WHERE institution = decode(repeat('11', 16), 'hex')
         AND (at, patient, seq) > ('2026-03-10 12:00:00+00', decode(repeat('21', 16), 'hex'), 17)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let (mut sql, mut seen) = (page.sql.to_owned(), Vec::new());
    loop {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT at::text, patient::text, seq FROM ({}) page ORDER BY page.at, page.patient, page.seq",
            sql.trim_end_matches(';')
        )))
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let Some((at, patient, seq)) = rows.last().cloned() else {
            break;
        };
        let (before, rest) = page.sql.split_once("AND at >= ").unwrap();
        let limit = rest.split_once("ORDER BY").unwrap().1;
        sql =
            format!("{before} AND at >= '{at}' AND (at, patient, seq) > ('{at}', '{patient}', {seq}) ORDER BY {limit}");
        seen.extend(rows);
    }
    let found = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len() as i64, found as i64), (whole, whole));
}

#[tokio::test]
async fn the_schemas_document_names_every_table_and_view() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    let document = include_str!("../../../docs/schema.md");
    let relations: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'chartseal'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    for relation in relations {
        assert!(
            document.contains(&format!("`{relation}`")),
            "{relation} is not in docs/schema.md"
        );
    }
}
