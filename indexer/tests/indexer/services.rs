//! The role of a service: it answers every question, tells of notifications and delivers them, and does nothing else.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use chartseal_indexer::{
    analysts::{self, AnalystError, PATIENCE, Sight},
    notify::{Audience, Worker},
    serve::{Access, Options, tokens},
    services::{self, ServiceError},
};
use reqwest::StatusCode;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::{
    analysts::{execute, login, role, rows},
    cluster::{Database, connect, lines, number},
    notifying::{Stream, read, told},
    program::asks,
    serving::{Served, examples},
    story::HOSPITAL,
    webhooks::{add, until, work},
};

#[tokio::test]
async fn a_service_answers_every_question_and_delivers_under_a_role_of_its_own() {
    let (node, database) = told().await;
    let name = role(&database, "service");
    // Of the tokens that there are, and of those to come.
    let of_all = tokens::add(&database.url, "", Audience::All).await.unwrap();
    assert!(
        !services::add(&database.url, &name).await.unwrap(),
        "it cannot log in yet"
    );
    let of_hospital = tokens::add(&database.url, "", Audience::Institution(HOSPITAL))
        .await
        .unwrap();
    let url = login(&database, &name).await;

    let served = Served::start(Options::new(&url, Access::Tokens)).await;
    let api = served.json("/openapi.json").await;
    for made in [&of_all, &of_hospital] {
        for asked in examples(&api) {
            let answer = served.get_with(&made.token, &asked).await;
            assert_eq!(answer.status(), StatusCode::OK, "{asked}");
        }
    }
    let decisions = async |token: &str| {
        let path = "/v1/decisions?from=2020-01-01T00:00:00Z&limit=500";
        let text = served.get_with(token, path).await.text().await.unwrap();
        let page: serde_json::Value = serde_json::from_str(&text).unwrap();
        page["items"].as_array().unwrap().len()
    };
    let (all, own) = (decisions(&of_all.token).await, decisions(&of_hospital.token).await);
    assert!(0 < own && own < all, "{own} of {all}");
    assert_eq!(served.json("/readyz").await["ready"], true);

    let (receiver, _, _folder) = add(&database).await;
    read(&node, &database).await;
    let mut owner = database.connect().await;
    let queued = number(&mut owner, "SELECT max(id) FROM outbox").await;
    let mut stream = Stream::open(&served.url, &of_all.token, Some(0)).await;
    assert_eq!(stream.next().await.0, queued);
    drop(stream);
    // What is old is forgotten, and what a webhook does not take is noted.
    execute(&mut owner, "UPDATE outbox SET queued_at = now() - interval '31 days'").await;
    read(&node, &database).await;
    receiver.knows.lock().unwrap().answers = [StatusCode::IM_A_TEAPOT].into();
    let _worker = work(&url, Worker::default());
    until(async || receiver.knows.lock().unwrap().taken == [queued + 1]).await;
    assert_eq!(receiver.knows.lock().unwrap().refused, [queued + 1]);
    assert_eq!(lines(&mut owner, "SELECT id::text FROM outbox").await.len(), 1);
}

#[tokio::test]
async fn a_service_by_itself_reads_of_what_was_indexed_notifications_alone_and_writes_none_of_it() {
    let (_node, database) = told().await;
    let name = role(&database, "least");
    let made = tokens::add(&database.url, "", Audience::All).await.unwrap();
    services::add(&database.url, &name).await.unwrap();
    let url = login(&database, &name).await;
    let mut service = connect(&url).await;
    let rights = "SELECT c.relname || ' ' || string_agg(lower(p), ' ' ORDER BY p)
                  FROM pg_class c, unnest(ARRAY['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE']) p
                  WHERE c.relnamespace = 'chartseal'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                        AND has_table_privilege(c.oid, p)
                  GROUP BY c.relname ORDER BY 1";
    let expected = [
        "analysts select",
        "api_tokens select",
        "checkpoint select",
        "deliveries delete insert select update",
        "outbox delete select",
        "webhooks select",
    ];
    assert_eq!(lines(&mut service, rights).await, expected);
    let columns = "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                   WHERE c.relnamespace = 'chartseal'::regnamespace AND a.attnum > 0 AND c.relname <> 'deliveries'
                         AND has_column_privilege(c.oid, a.attnum, 'UPDATE')";
    assert_eq!(lines(&mut service, columns).await, ["webhooks.after_id"]);
    assert_eq!(rows(&mut service, "checkpoint").await, 0);
    let becomes = format!("SET ROLE \"{}\"", made.role);
    for by_itself in [true, false] {
        if !by_itself {
            execute(&mut service, &becomes).await;
            execute(&mut service, "SET default_transaction_read_only = off").await;
            assert!(rows(&mut service, "accesses").await > 0);
        }
        for statement in [
            "INSERT INTO events SELECT * FROM events",
            "UPDATE accesses SET purpose = 'research'",
            "DELETE FROM records",
            "TRUNCATE accesses",
            "UPDATE api_tokens SET patient = NULL",
            "INSERT INTO analysts (role) SELECT oid FROM pg_roles WHERE rolname = current_user",
            "CREATE TABLE chartseal.mine ()",
        ] {
            let refused = sqlx::query(statement).execute(&mut service).await.unwrap_err();
            assert!(
                refused.to_string().contains("permission denied"),
                "{statement}: {refused}"
            );
        }
    }
    service.close().await.unwrap();
}

#[tokio::test]
async fn an_analyst_of_all_is_shown_nothing_of_what_the_service_keeps() {
    let (node, database) = told().await;
    let name = role(&database, "curious");
    analysts::add(&database.url, &name, Sight::All, PATIENCE).await.unwrap();
    tokens::add(&database.url, "", Audience::All).await.unwrap();
    let (_receiver, _, _folder) = add(&database).await;
    read(&node, &database).await;
    let mut owner = database.connect().await;
    let grant = format!("GRANT SELECT ON ALL TABLES IN SCHEMA chartseal TO \"{name}\"");
    execute(&mut owner, &grant).await;
    let mut analyst = connect(&login(&database, &name).await).await;
    for table in ["api_tokens", "outbox", "webhooks"] {
        assert!(rows(&mut owner, table).await > 0, "{table}");
        assert_eq!(rows(&mut analyst, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_service_that_may_not_serve_says_that_it_is_not_the_callers_fault() {
    let (_node, database) = told().await;
    let name = role(&database, "poor");
    let made = tokens::add(&database.url, "", Audience::All).await.unwrap();
    services::add(&database.url, &name).await.unwrap();
    let url = login(&database, &name).await;
    let served = Served::start(Options::new(&url, Access::Tokens)).await;
    assert_eq!(
        served.get_with(&made.token, "/v1/grants").await.status(),
        StatusCode::OK
    );
    let mut owner = database.connect().await;
    // It may not act as the token's role any more.
    execute(&mut owner, &format!("REVOKE \"{}\" FROM \"{name}\"", made.role)).await;
    let response = served.get_with(&made.token, "/v1/grants").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.text().await.unwrap().contains("lacks a right"));
    // It may not look tokens up.
    services::remove(&database.url, &name).await.unwrap();
    let response = served.get_with(&made.token, "/v1/grants").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.text().await.unwrap().contains("lacks a right"));
    let response = served.get("/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.text().await.unwrap().contains("services add"));
    services::add(&database.url, &name).await.unwrap();
    assert_eq!(
        served.get_with(&made.token, "/v1/grants").await.status(),
        StatusCode::OK
    );
    // A token whose role is no analyst any more counts no more, and neither does one that names a role of somebody else's.
    analysts::remove(&database.url, &made.role).await.unwrap();
    let refused = served.get_with(&made.token, "/v1/grants").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    execute(&mut owner, "UPDATE api_tokens SET role = current_user").await;
    let refused = served.get_with(&made.token, "/v1/grants").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_service_can_be_an_analyst_too_and_stays_one_or_the_other() {
    let (node, database) = told().await;
    let name = role(&database, "both");
    services::add(&database.url, &name).await.unwrap();
    analysts::add(&database.url, &name, Sight::All, PATIENCE).await.unwrap();
    let url = login(&database, &name).await;
    let served = Served::start(Options::new(&url, Access::Open)).await;
    assert_eq!(served.get("/v1/grants").await.status(), StatusCode::OK);
    let (receiver, _, _folder) = add(&database).await;
    read(&node, &database).await;
    let worker = work(&url, Worker::default());
    until(async || receiver.knows.lock().unwrap().taken.len() == 1).await;
    drop(worker);
    let made = tokens::add(&database.url, "", Audience::All).await.unwrap();
    services::remove(&database.url, &name).await.unwrap();
    assert!(services::list(&database.url).await.unwrap().is_empty());
    let becomes = format!("SET ROLE \"{}\"", made.role);
    let refused = sqlx::query(AssertSqlSafe(becomes))
        .execute(&mut connect(&url).await)
        .await;
    assert!(refused.unwrap_err().to_string().contains("permission denied"));
    assert_eq!(served.get("/v1/grants").await.status(), StatusCode::OK);
    services::add(&database.url, &name).await.unwrap();
    analysts::remove(&database.url, &name).await.unwrap();
    let listed = services::list(&database.url).await.unwrap();
    assert!(listed.len() == 1 && listed[0].role == name && listed[0].logs_in);
    assert_eq!(served.get("/v1/grants").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_may_do_more_does_not_become_a_service() {
    let (_node, database) = told().await;
    let mut owner = database.connect().await;
    let [writer, heir] = ["writing", "inheriting"].map(|name| role(&database, name));
    for statement in [
        format!("CREATE ROLE \"{writer}\" NOINHERIT"),
        format!("GRANT INSERT ON ALL TABLES IN SCHEMA chartseal TO \"{writer}\""),
        format!("CREATE ROLE \"{heir}\""),
    ] {
        execute(&mut owner, &statement).await;
    }
    for refused in [writer.as_str(), "chartseal"] {
        let refused = services::add(&database.url, refused).await;
        assert!(
            matches!(refused, Err(ServiceError::Role(AnalystError::Unheld { .. }))),
            "{refused:?}"
        );
    }
    let refused = services::add(&database.url, &heir).await;
    assert!(matches!(refused, Err(ServiceError::Inherits(_))), "{refused:?}");
    assert_eq!(services::list(&database.url).await.unwrap(), []);
}

#[tokio::test]
async fn whoever_sees_one_institution_alone_does_not_serve_too() {
    let (_node, database) = told().await;
    let [analyst, service] = ["analysing", "serving"].map(|name| role(&database, name));
    let sight = Sight::Institution(HOSPITAL);
    analysts::add(&database.url, &analyst, sight, PATIENCE).await.unwrap();
    let mut owner = database.connect().await;
    execute(&mut owner, &format!("ALTER ROLE \"{analyst}\" NOINHERIT")).await;
    let refused = services::add(&database.url, &analyst).await;
    assert!(matches!(refused, Err(ServiceError::SeesOne(_))), "{refused:?}");
    services::add(&database.url, &service).await.unwrap();
    let refused = analysts::add(&database.url, &service, sight, PATIENCE).await;
    assert!(matches!(refused, Err(AnalystError::Serves(_))), "{refused:?}");
    let listed = analysts::list(&database.url).await.unwrap();
    assert!(listed.len() == 1 && listed[0].role == analyst, "{listed:?}");
    let listed = services::list(&database.url).await.unwrap();
    assert!(listed.len() == 1 && listed[0].role == service, "{listed:?}");
}

#[tokio::test]
async fn an_owner_who_makes_no_roles_gives_at_each_start_what_an_earlier_one_did_not() {
    let database = Database::new().await;
    let [owner, service, reader] = ["owning", "renewed", "reading"].map(|name| role(&database, name));
    let mut administrator = database.connect().await;
    execute(&mut administrator, &format!("CREATE ROLE \"{owner}\"")).await;
    let lets =
        format!("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO \"{owner}\"', current_database()); END $$");
    execute(&mut administrator, &lets).await;
    let by_owner = login(&database, &owner).await;
    chartseal_indexer::migrate(&by_owner).await.unwrap();
    tokens::add(&database.url, "", Audience::All).await.unwrap();
    services::add(&database.url, &service).await.unwrap();
    analysts::add(&database.url, &reader, Sight::All, PATIENCE)
        .await
        .unwrap();
    for (table, role) in [("outbox", &service), ("accesses", &reader)] {
        execute(
            &mut administrator,
            &format!("REVOKE ALL ON chartseal.{table} FROM \"{role}\""),
        )
        .await;
    }
    let reads = "SELECT r.rolname::text FROM pg_class c, aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee
                 WHERE x.privilege_type = 'SELECT'
                       AND (c.relname = 'outbox' AND r.rolname LIKE 'renewed of %'
                            OR c.relname = 'accesses' AND r.rolname LIKE 'reading of %')
                 ORDER BY 1";
    assert_eq!(lines(&mut administrator, reads).await, [""; 0]);
    chartseal_indexer::migrate(&by_owner).await.unwrap();
    assert_eq!(lines(&mut administrator, reads).await, [reader, service]);
}

/// A process that ends with its test.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_reach_of_a_running_indexer_runs_under_the_services_role() {
    let (node, database) = told().await;
    let name = role(&database, "beside");
    services::add(&database.url, &name).await.unwrap();
    let url = login(&database, &name).await;
    let running = Command::new(env!("CARGO_BIN_EXE_chartseal-indexer"))
        .args([
            "run",
            "--ws",
            "off",
            "--verify-every",
            "0",
            "--listen",
            "127.0.0.1:0",
            "--open",
        ])
        .args([
            "--rpc",
            &node.url,
            "--database",
            &database.url,
            "--service-database",
            &url,
        ])
        .envs([("NO_COLOR", "1"), ("RUST_LOG", "info")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Process(running);
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let reached = log
        .find_map(|line| Some(line.unwrap().split_once("url=\"")?.1.replace('"', "")))
        .unwrap();
    let ready = format!("{}/readyz", reached.trim());
    until(async || {
        reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    let roles = "SELECT DISTINCT application_name || ': ' || usename FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                       AND application_name LIKE 'chartseal%'";
    let expected = BTreeSet::from([
        format!("chartseal-indexer serve: {name}"),
        format!("chartseal-indexer webhooks: {name}"),
        "chartseal-indexer: chartseal".to_owned(),
    ]);
    let connected = async || BTreeSet::from_iter(lines(&mut database.connect().await, roles).await);
    // Who delivers connects when it comes to that.
    until(async || connected().await.len() >= expected.len()).await;
    assert_eq!(connected().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_who_serves() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let name = role(&database, "served by command");
    let run = |arguments: &[&str]| asks(&database, &[&["services"], arguments].concat());
    for (arguments, done, words) in [
        (&["list"][..], true, "no role serves"),
        (&["add", ""], false, "1 to 63 bytes"),
        (&["add", &name], true, "cannot log in yet"),
        (&["list"], true, &format!("{name}  (cannot log in)")),
        (&["remove", &name], true, "serves nothing"),
        (&["remove", &name], false, "services list"),
    ] {
        let (succeeded, said) = run(arguments);
        assert!(succeeded == done && said.contains(words), "{arguments:?}: {said}");
    }
}
