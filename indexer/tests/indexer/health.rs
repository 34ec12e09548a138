//! What `/readyz` says of the service's parts, and what `/metrics` measured.

use chartseal_indexer::{
    Health, Indexer, Progress,
    serve::{Access, Options},
    sink::Lock,
    verify::VerificationState,
};
use reqwest::StatusCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    indexing::index,
    serving::{Served, open, told},
};

#[tokio::test]
async fn health_says_what_is_away_and_metrics_say_what_they_mean() {
    let (_node, database) = told().await;
    let served = Served::start(open(&database)).await;
    assert_eq!(served.get("/healthz").await.text().await.unwrap(), "ok\n");
    assert_eq!(served.json("/readyz").await["ready"], true);
    served.json("/v1/grants").await;
    let metrics = served.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("# HELP chartseal_events_total"), "{metrics}");
    assert!(
        metrics.contains("chartseal_query_seconds_count{route=\"/v1/grants\",status=\"200\"}"),
        "{metrics}"
    );

    let nowhere = database.url.replace("/test_", "/nowhere_");
    let lost = Served::start(Options::new(&nowhere, Access::Open)).await;
    assert_eq!(lost.get("/healthz").await.status(), StatusCode::OK);
    let response = lost.get("/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(
        (&body["ready"], &body["database"]["ready"]),
        (&false.into(), &false.into())
    );
    assert_eq!(lost.get("/v1/grants").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_service_whose_indexer_does_not_get_on_is_not_ready() {
    let (_node, database) = told().await;
    let (says, progress) = tokio::sync::watch::channel(Progress::default());
    let served = Served::start(Options {
        progress: Some(progress),
        ..open(&database)
    })
    .await;
    let caught_up = Some(std::time::Instant::now());
    for (health, caught_up, ready) in [
        (Health::Starting, None, false),
        (Health::Connecting, None, false),
        (Health::Connecting, caught_up, false),
        (Health::StandingBy, None, true),
        (Health::Well, None, false),
        (Health::Well, caught_up, true),
        (Health::Waiting("at http://somewhere".to_owned()), caught_up, false),
        (Health::Ended("why".to_owned()), caught_up, false),
    ] {
        let shown = format!("{health:?}");
        says.send_modify(|progress| (progress.health, progress.caught_up) = (health, caught_up));
        let response = served.get("/readyz").await;
        assert_eq!(response.status() == StatusCode::OK, ready, "{shown}");
        let text = response.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&body["indexer"]["ready"], &body["database"]["ready"]),
            (&ready.into(), &true.into())
        );
        assert!(!text.contains("somewhere"), "addresses are for the log: {text}");
    }
}

#[tokio::test]
async fn a_service_beside_a_database_that_is_broken_is_not_ready() {
    let (_node, database) = told().await;
    let (says, verification) = tokio::sync::watch::channel(VerificationState::default());
    let served = Served::start(Options {
        verification: Some(verification),
        ..open(&database)
    })
    .await;
    let broken = VerificationState::Broken {
        findings: 2,
        first: "events: patient 21".to_owned(),
    };
    for (state, ready) in [
        (VerificationState::Unknown, true),
        (VerificationState::Whole { slot: Some(7) }, true),
        (VerificationState::Behind { events: 3 }, true),
        (broken, false),
    ] {
        let shown = format!("{state:?}");
        says.send_replace(state);
        let response = served.get("/readyz").await;
        assert_eq!(response.status() == StatusCode::OK, ready, "{shown}");
        let text = response.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["verification"]["ready"], ready, "{shown}");
        assert!(!text.contains("patient"), "what is broken is for the log: {text}");
    }
}

#[tokio::test]
async fn an_indexer_that_has_not_connected_yet_is_not_called_one_that_stands_by() {
    let (node, database) = told().await;
    // Who takes calls and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("postgres://nobody@{}/nothing", silent.local_addr().unwrap());
    let first = index(&node, &database).await;
    let readiness = async |url: &str, health: Health| {
        let options = chartseal_indexer::Options {
            lock: Lock::Wait,
            ..chartseal_indexer::Options::new(&node.url, url)
        };
        let mut indexer = Indexer::new(options);
        let progress = indexer.progress();
        let served = Served::start(Options {
            progress: Some(progress.clone()),
            ..open(&database)
        })
        .await;
        let stop = CancellationToken::new();
        let seen = async {
            let mut progress = progress;
            progress.wait_for(|progress| progress.health == health).await.unwrap();
            let response = served.get("/readyz").await;
            stop.cancel();
            (response.status(), response.text().await.unwrap())
        };
        let (ended, (status, text)) = tokio::join!(indexer.run(&stop), seen);
        ended.unwrap();
        (status, serde_json::from_str::<Value>(&text).unwrap()["indexer"].take())
    };
    let (status, said) = readiness(&nowhere, Health::Connecting).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
    assert_eq!(said["detail"], "connects to the database: nothing is stored yet");
    let (status, said) = readiness(&database.url, Health::StandingBy).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(said["detail"], "stands by: another indexer writes");
    drop(first);
}
