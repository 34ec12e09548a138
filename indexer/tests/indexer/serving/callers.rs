//! Who is answered, and what of.

use chartseal_indexer::{
    notify::Audience,
    serve::{Access, Options, tokens},
};
use reqwest::StatusCode;
use serde_json::Value;

use super::{READS, Served, open, problem, token, told};
use crate::{
    cluster::Database,
    story::{self, HOSPITAL, PATIENT},
};

#[tokio::test]
async fn tokens_are_asked_for_and_a_patients_sees_that_patient_only() {
    let (_node, database) = told().await;
    let mut connection = database.connect().await;
    let role: String = sqlx::query_scalar(READS).fetch_one(&mut connection).await.unwrap();
    for (token, patient) in [("of-all", None), ("of-patient", Some(&PATIENT[..]))] {
        sqlx::query("INSERT INTO api_tokens (hash, label, role, patient, made_at) VALUES (sha256($1), 'test', $2::name, $3, now())")
            .bind(super::token(token).as_bytes())
            .bind(&role)
            .bind(patient)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let served = Served::start(Options::new(&database.url, Access::Tokens)).await;
    let (own, other) = (hex::encode(PATIENT), hex::encode(story::HEIR));
    for response in [
        served.get("/v1/grants").await,
        served.get_with("of-nobody", "/v1/grants").await,
        served.get_with(&super::token("of-nobody"), "/v1/grants").await,
    ] {
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(problem(response).await.0, StatusCode::UNAUTHORIZED);
    }
    let (of_all, of_patient) = (token("of-all"), token("of-patient"));
    assert_eq!(served.get_with(&of_all, "/v1/grants").await.status(), StatusCode::OK);
    let listed: Value = {
        let text = served
            .get_with(&of_patient, "/v1/decisions")
            .await
            .text()
            .await
            .unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let rows = listed["items"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["patient"] == own.as_str()));
    let foreign = format!("/v1/grants?patient={other}");
    assert_eq!(
        problem(served.get_with(&of_patient, &foreign).await).await.0,
        StatusCode::FORBIDDEN
    );
    let members = format!("/v1/institutions/{}/members", hex::encode(HOSPITAL));
    assert_eq!(
        problem(served.get_with(&of_patient, &members).await).await.0,
        StatusCode::FORBIDDEN
    );

    sqlx::query("UPDATE api_tokens SET revoked_at = now()")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(
        problem(served.get_with(&of_all, "/v1/grants").await).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_token_that_was_made_sees_what_row_security_shows_its_role() {
    let (_node, database) = told().await;
    let hospital = hex::encode(HOSPITAL);
    let made = tokens::add(&database.url, "the hospital's portal", Audience::Institution(HOSPITAL))
        .await
        .unwrap();
    let of_all = tokens::add(&database.url, "", Audience::All).await.unwrap();
    let of_patient = tokens::add(&database.url, "", Audience::Patient(PATIENT))
        .await
        .unwrap();
    let stranger = tokens::add(&database.url, "", Audience::Institution([0x99; 16])).await;
    assert!(stranger.is_err(), "an institution that nobody knows");
    let served = Served::start(Options::new(&database.url, Access::Tokens)).await;
    let rows = async |token: &str, path: &str| -> Vec<Value> {
        let response = served.get_with(token, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let page: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        page["items"].as_array().unwrap().clone()
    };
    let everything = rows(&of_all.token, "/v1/decisions?from=2020-01-01T00:00:00Z&limit=500").await;
    let own = rows(&made.token, "/v1/decisions?from=2020-01-01T00:00:00Z&limit=500").await;
    let by_hospital = |row: &&Value| row["institution"] == hospital.as_str();
    assert!(!own.is_empty() && own.iter().all(|row| by_hospital(&row)));
    assert!(everything.len() > own.len());
    let readings = |rows: &[Value]| {
        rows.iter()
            .filter(by_hospital)
            .filter(|row| row["action"] == "read")
            .count()
    };
    assert_eq!(readings(&own), readings(&everything));
    let foreign = format!("/v1/accesses?institution={}", hex::encode(story::INSURER));
    assert!(rows(&made.token, &foreign).await.is_empty());
    assert!(!rows(&of_all.token, &foreign).await.is_empty());
    let members = format!("/v1/institutions/{}/members", hex::encode(story::INSURER));
    assert!(rows(&made.token, &members).await.is_empty());
    assert!(!rows(&made.token, "/v1/aggregates/accesses").await.is_empty());
    let patients = rows(&of_patient.token, "/v1/accesses").await;
    assert!(
        !patients.is_empty()
            && patients
                .iter()
                .all(|row| row["patient"] == hex::encode(PATIENT).as_str())
    );

    let listed = tokens::list(&database.url).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(
        (listed[0].label.as_str(), listed[0].audience),
        ("the hospital's portal", Audience::Institution(HOSPITAL))
    );
    tokens::revoke(&database.url, made.id).await.unwrap();
    assert!(tokens::revoke(&database.url, made.id).await.is_err());
    let refused = served.get_with(&made.token, "/v1/grants").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_can_be_no_token_costs_the_database_nothing_and_other_hosts_are_not_answered_for() {
    let database = Database::new().await;
    let nowhere = database.url.replace("/test_", "/nowhere_");
    let lost = Served::start(Options::new(&nowhere, Access::Tokens)).await;
    for path in ["/v1/grants", "/v1/notifications"] {
        for (shown, status) in [
            ("hello", StatusCode::UNAUTHORIZED),
            ("chartseal_short", StatusCode::UNAUTHORIZED),
            (token("whose").as_str(), StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            assert_eq!(lost.get_with(shown, path).await.status(), status, "{shown}");
        }
    }
    let open = Served::start(open(&database)).await;
    for (host, status) in [
        ("127.0.0.1:8905", StatusCode::OK),
        ("[::1]", StatusCode::OK),
        ("localhost:1", StatusCode::OK),
        ("evil.example:8905", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1.evil.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = open.client.get(format!("{}/healthz", open.url)).header("host", host);
        assert_eq!(request.send().await.unwrap().status(), status, "{host}");
    }
}
