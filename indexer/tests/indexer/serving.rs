//! The HTTP service on a real database, asked over real HTTP.

mod callers;

use std::{collections::BTreeSet, time::Duration};

use chartseal_indexer::{
    metrics::Exporter,
    serve::{Access, Options, Service},
};
use chartseal_serving::{Certificate, Door};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use sqlx::Connection as _;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    cluster::Database,
    indexing::index,
    node::Node,
    story::{self, HOSPITAL, PATIENT},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A service that ends with its test.
pub(crate) struct Served {
    pub(crate) url: String,
    pub(crate) stop: DropGuard,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
    client: Client,
}

impl Served {
    pub(crate) async fn start(options: Options) -> Self {
        let stop = options.stop.clone();
        let service = Service::new(options, Exporter::install().unwrap()).unwrap();
        let here = "127.0.0.1:0".parse().unwrap();
        let door = Door::at(here, &Certificate::default()).await.unwrap();
        let url = door.url();
        let task = tokio::spawn(door.serve_until(service.router(), PATIENCE, stop.clone().cancelled_owned()));
        Self {
            url,
            stop: stop.drop_guard(),
            task,
            client: Client::new(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub(crate) async fn get_with(&self, token: &str, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(token);
        request.send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(
            response.status(),
            StatusCode::OK,
            "{path}: {}",
            response.text().await.unwrap()
        );
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    /// Everything that a route lists, page by page.
    async fn all(&self, path: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.json(&format!("{path}&limit=3{cursor}")).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 3);
            all.extend_from_slice(items);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}

pub(crate) fn open(database: &Database) -> Options {
    Options::new(&database.url, Access::Open)
}

/// Makes whoever says it an analyst, which the role of a token has to be.
pub(crate) const READS: &str =
    "INSERT INTO analysts (role) SELECT oid FROM pg_roles WHERE rolname = current_user RETURNING role::text";

/// A token that is easily told from others.
pub(crate) fn token(name: &str) -> String {
    format!("chartseal_{name:_<43}")
}

pub(crate) async fn told() -> (Node, Database) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    (node, database)
}

async fn problem(response: Response) -> (StatusCode, String) {
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["status"], status.as_u16());
    (status, body["detail"].as_str().unwrap().to_owned())
}

/// Every documented route, asked with the examples of its parameters.
pub(crate) fn examples(api: &Value) -> Vec<String> {
    let mut examples = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        let get = &item["get"];
        assert!(
            get["summary"].is_string() || get["description"].is_string(),
            "{path} says nothing"
        );
        let (mut asked, mut query) = (path.clone(), Vec::new());
        for parameter in get["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let example = match &parameter["example"] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match parameter["in"].as_str().unwrap() {
                "path" => asked = asked.replace(&format!("{{{name}}}"), &example),
                "query" => query.push(format!("{name}={example}")),
                other => assert_eq!(other, "header"),
            }
        }
        examples.push(format!("{asked}?{}", query.join("&")));
    }
    examples
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_example_answers() {
    let (_node, database) = told().await;
    let served = Served::start(open(&database)).await;
    let api = served.json("/openapi.json").await;
    let paths = api["paths"].as_object().unwrap();
    let documented: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    for route in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/v1/accesses",
        "/v1/refusals",
        "/v1/decisions",
        "/v1/grants",
        "/v1/records",
        "/v1/emergencies",
        "/v1/anonymous-grants",
        "/v1/access-proofs",
        "/v1/institutions/{institution}/members",
        "/v1/aggregates/accesses",
        "/v1/aggregates/refusals",
        "/v1/notifications",
    ] {
        assert!(documented.contains(route), "{route} is not documented");
    }
    for asked in examples(&api) {
        let answer = served.get(&asked).await;
        assert_eq!(answer.status(), StatusCode::OK, "{asked}");
    }
    let (status, _) = problem(served.get("/v1/nothing").await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn answers_say_what_the_tables_do() {
    let (_node, database) = told().await;
    let served = Served::start(open(&database)).await;
    let mut connection = database.connect().await;
    let patient = hex::encode(PATIENT);
    let count = async |query: &'static str, connection: &mut sqlx::PgConnection| -> usize {
        let count: i64 = sqlx::query_scalar(query)
            .bind(&PATIENT[..])
            .fetch_one(connection)
            .await
            .unwrap();
        count.try_into().unwrap()
    };
    for (route, query) in [
        ("/v1/accesses", "SELECT count(*) FROM accesses WHERE patient = $1"),
        ("/v1/refusals", "SELECT count(*) FROM refusals WHERE patient = $1"),
        (
            "/v1/decisions",
            "SELECT count(*) FROM decisions WHERE patient = encode($1, 'hex')",
        ),
        ("/v1/grants", "SELECT count(*) FROM grants WHERE patient = $1"),
        ("/v1/records", "SELECT count(*) FROM records WHERE patient = $1"),
    ] {
        let expected = count(query, &mut connection).await;
        let listed = served.all(&format!("{route}?patient={patient}")).await;
        assert!(
            expected > 0 && listed.len() == expected,
            "{route}: {} of {expected}",
            listed.len()
        );
        assert!(listed.iter().all(|row| row["patient"] == patient.as_str()));
    }
    // As the ledger has them, newest first.
    let reading = &served.json(&format!("/v1/accesses?patient={patient}&limit=1")).await["items"][0];
    assert_eq!(
        (&reading["action"], &reading["outcome"]),
        (&"read".into(), &"allowed".into())
    );
    assert_eq!(reading["role"], "doctor");
    let members = served
        .json(&format!("/v1/institutions/{}/members", hex::encode(HOSPITAL)))
        .await;
    assert!(
        members["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|member| member["role"] == "doctor")
    );
    let emergencies = served.json("/v1/emergencies").await;
    assert!(!emergencies["items"].as_array().unwrap().is_empty());
    // A grant without end has none.
    let grants = served.json(&format!("/v1/grants?patient={patient}")).await;
    assert_eq!(grants["items"][0]["expires_at"], Value::Null);
}

#[tokio::test]
async fn grants_without_a_name_and_proofs_are_listed_apart_from_each_other() {
    let (_node, database) = told().await;
    let served = Served::start(open(&database)).await;
    let patient = hex::encode(story::WARD);
    let of_patient = served.all(&format!("/v1/anonymous-grants?patient={patient}")).await;
    let places: Vec<_> = of_patient
        .iter()
        .map(|grant| grant["leaf_index"].as_i64().unwrap())
        .collect();
    assert_eq!(places, [3, 2, 0]);
    let live = served
        .all(&format!("/v1/anonymous-grants?patient={patient}&live=true"))
        .await;
    assert_eq!(live, of_patient[..2]);
    assert_eq!(live[0]["rights"], serde_json::json!(["read"]));
    // Page by page as all at once.
    let one = served.json("/v1/access-proofs?limit=1").await;
    let next = one["next"].as_str().unwrap();
    let rest = served.json(&format!("/v1/access-proofs?cursor={next}")).await;
    let proofs = served.all("/v1/access-proofs?from=2020-01-01T00:00:00Z").await;
    assert_eq!(
        (&one["items"][0], rest["items"].as_array().unwrap().len()),
        (&proofs[0], 2)
    );
    let returned: Vec<_> = proofs
        .iter()
        .map(|proof| proof["rent_returned_at"].is_string())
        .collect();
    assert_eq!(returned, [false, true, false]);
    let exchange = served
        .all(&format!("/v1/access-proofs?exchange={}", "f2".repeat(16)))
        .await;
    assert_eq!(exchange, [proofs[1].clone()]);
    assert!(
        proofs
            .iter()
            .all(|proof| proof["patient"].is_null() && proof["record"].is_null())
    );
}

#[tokio::test]
async fn sums_are_those_of_the_rows() {
    let (_node, database) = told().await;
    let served = Served::start(open(&database)).await;
    let mut connection = database.connect().await;
    for (route, what, count) in [
        ("accesses", "accesses", "SELECT count(*) FROM accesses"),
        ("refusals", "refusals", "SELECT count(*) FROM refusals"),
    ] {
        let rows = crate::cluster::number(&mut connection, count).await;
        for asked in [
            "step=month",
            "step=hour&by=institution,role,purpose",
            "from=2025-01-01T00:00:00Z&by=purpose",
        ] {
            let sums = served.json(&format!("/v1/aggregates/{route}?{asked}")).await;
            let total = total(&sums, what);
            assert!(total > 0 && total == rows, "{route}?{asked}: {total} of {rows}");
        }
        // The last hour, the last day until that hour, and the last day.
        for (from, until) in [("hour", "hour + '1 hour'"), ("day", "hour"), ("day", "day + '1 day'")] {
            let window = format!(
                "SELECT to_char({from}, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), to_char({until}, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                        (SELECT count(*) FROM {what} WHERE at >= {from} AT TIME ZONE 'UTC' AND at < ({until}) AT TIME ZONE 'UTC')
                 FROM (SELECT date_trunc('hour', max(at) AT TIME ZONE 'UTC') AS hour,
                              date_trunc('day', max(at) AT TIME ZONE 'UTC') AS day FROM {what}) last"
            );
            let (from, until, rows): (String, String, i64) = sqlx::query_as(sqlx::AssertSqlSafe(window))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            for step in ["hour", "day", "month"] {
                let asked = format!("/v1/aggregates/{route}?step={step}&from={from}&until={until}");
                assert_eq!(total(&served.json(&asked).await, what), rows, "{asked}");
            }
        }
    }
    let (status, detail) = problem(served.get("/v1/aggregates/accesses?by=patient").await).await;
    assert!(
        status == StatusCode::BAD_REQUEST && detail.contains("institution, role"),
        "{detail}"
    );
}

fn total(sums: &serde_json::Value, what: &str) -> i64 {
    let items = sums["items"].as_array().unwrap();
    items.iter().map(|sum| sum[what].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn pages_neither_lose_nor_repeat_a_row_while_others_are_added() {
    let (node, database) = told().await;
    let served = Served::start(open(&database)).await;
    let path = format!("/v1/decisions?patient={}", hex::encode(PATIENT));
    let before = served.all(&path).await;
    assert!(before.len() > 6);
    let first = served.json(&format!("{path}&limit=3")).await;
    story::read_once_more(&mut node.knows().ledger);
    index(&node, &database).await;
    let mut paged = first["items"].as_array().unwrap().clone();
    let mut cursor = first["next"].as_str().map(str::to_owned);
    while let Some(next) = cursor {
        let page = served.json(&format!("{path}&limit=3&cursor={next}")).await;
        paged.extend_from_slice(page["items"].as_array().unwrap());
        cursor = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(paged, before);
    assert_eq!(served.all(&path).await.len(), before.len() + 1);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_told_why() {
    let (_node, database) = told().await;
    let served = Served::start(open(&database)).await;
    for (path, hint) in [
        ("/v1/decisions", "patient"),
        ("/v1/decisions?patient=21", "32 hexadecimal digits"),
        ("/v1/grants?limit=0", "limit"),
        ("/v1/grants?limit=501", "limit"),
        ("/v1/grants?cursor=AAAA", "cursor"),
        ("/v1/accesses?from=yesterday", "2026-03-01T00:00:00Z"),
        ("/v1/institutions/11/members", "32 hexadecimal digits"),
    ] {
        let (status, detail) = problem(served.get(path).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(detail.contains(hint), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_question_that_takes_too_long_ends_and_one_too_many_is_refused() {
    let (_node, database) = told().await;
    let mut holder = database.connect().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE members IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *held)
        .await
        .unwrap();
    let served = Served::start(Options {
        patience: Duration::from_millis(100),
        ..open(&database)
    })
    .await;
    let path = format!("/v1/institutions/{}/members", hex::encode(HOSPITAL));
    let (status, detail) = problem(served.get(&path).await).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{detail}");

    let crowded = Served::start(Options {
        patience: Duration::from_secs(3600),
        connections: 1,
        ..open(&database)
    })
    .await;
    // One has the connection, three wait for it, and there is no room for more.
    let mut asked: Vec<_> = (0..6).map(|_| Box::pin(crowded.get(&path))).collect();
    let first = futures_util::future::select_all(&mut asked).await.0;
    let (status, _) = problem(first).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    drop(asked);
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let database = Database::new().await;
    let stop = CancellationToken::new();
    let served = Served::start(Options {
        stop: stop.clone(),
        ..open(&database)
    })
    .await;
    stop.cancel();
    served.task.await.unwrap().unwrap();
}
