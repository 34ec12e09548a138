//! Every event that the contract has, emitted by the real contract, read off the ledger, and found whole in Postgres; and
//! whatever is altered there is named, of each column that the contract's accounts speak of.

#![allow(clippy::unwrap_used, clippy::panic)]

mod altering;
mod audited;
mod chapters;
mod compared;
mod reconciled;
mod unfinished;
mod unnamed;

use std::collections::BTreeSet;

use chartseal_tests::{
    clinic::{Clinic, Employee},
    people::{Outcome, Person},
    programs::{fixture, root},
};
use serde_json::Value;
use sqlx::PgPool;

/// A hospital with a doctor and a nurse, a patient with a record, and an indexer that follows them.
struct Scene {
    clinic: Clinic,
    doctor: Employee,
    nurse: Employee,
    record: String,
}

impl Scene {
    fn new() -> Self {
        let mut clinic = Clinic::open().unwrap();
        clinic.stack.start_indexer().unwrap();
        let (doctor, nurse) = (
            clinic.employs("doctor", "doctor").unwrap(),
            clinic.employs("nurse", "nurse").unwrap(),
        );
        let record = stores(&clinic.patient, &clinic.patient_id, "4").text("record").unwrap();
        Self {
            clinic,
            doctor,
            nurse,
            record,
        }
    }

    fn patient(&self, words: &[&str]) -> Outcome {
        self.clinic.patient.does(words).unwrap()
    }

    fn reads(&self, who: &Person, options: &[&str]) -> Outcome {
        let out = self.clinic.stack.folder().join("read");
        let words = ["get", &self.clinic.patient_id, &self.record, "--force", "--out"];
        who.types(&[&words[..], &[out.to_str().unwrap()], options].concat())
            .unwrap()
    }

    fn is_refused(&self, who: &Person, options: &[&str], reason: &str) {
        refused(&self.reads(who, options), reason);
    }
}

fn refused(outcome: &Outcome, reason: &str) {
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.error.contains(reason), "{outcome:?}");
}

fn put<'a>(patient: &'a str, class: &'a str, file: &'a str) -> [&'a str; 5] {
    ["put", patient, file, "--class", class]
}

fn stores(who: &Person, patient: &str, class: &str) -> Outcome {
    who.does(&put(patient, class, fixture("note.txt").to_str().unwrap()))
        .unwrap()
}

/// `WALLET:KEY` of somebody.
fn key_of(who: &Person) -> String {
    let shown = who.does(&["keys", "show"]).unwrap();
    let (wallet, key) = (shown.text("wallet").unwrap(), shown.text("encryption_key").unwrap());
    format!("{wallet}:{key}")
}

fn wallet_of(who: &Person) -> String {
    who.does(&["keys", "show"]).unwrap().text("wallet").unwrap()
}

#[tokio::test]
async fn every_event_of_the_contract_is_stored_and_whatever_is_altered_is_named() {
    let mut scene = Scene::new();
    // Two charts that have nothing to do with each other.
    let heritage = std::thread::scope(|scope| {
        let another = scope.spawn(|| chapters::inheritance(&scene));
        chapters::consent(&scene);
        chapters::emergency(&scene);
        chapters::archive(&scene);
        another.join().unwrap()
    });
    let payer = chapters::payment(&scene).await;
    chapters::takes_over(&scene, &heritage).await;
    unnamed::granted_and_used(&scene).await;
    chapters::erasure(&scene);
    chapters::standings(&scene);

    let report = scene.clinic.stack.verified().unwrap();
    assert_eq!(report["whole"], true, "{report:#}");
    let tables = report["tables"].as_array().unwrap();
    assert!(tables.iter().all(|table| table["rows"] != 0), "{report:#}");
    let analyst = scene.clinic.stack.analyst().await.unwrap();
    let stored: BTreeSet<String> = lines(&analyst, "SELECT DISTINCT name FROM chartseal.events")
        .await
        .into_iter()
        .collect();
    assert_eq!(stored, events_of_the_contract());
    says_what_was_claimed(&analyst).await;
    follows_the_guardians(&analyst, &heritage.heir).await;
    analyst.close().await;

    unfinished::leave(&scene, &heritage, &payer);
    assert_eq!(scene.clinic.stack.verified().unwrap()["whole"], true);
    audited::each_log_checks_out_by_itself(&scene).await;
    scene.clinic.stack.kill_indexer().unwrap();
    reconciled::agrees_until_something_is_altered(&scene).await;
    assert_eq!(scene.clinic.stack.verified().unwrap()["whole"], true);
    scene.clinic.stack.stop().unwrap();
}

/// The names of all events, as the IDL has them.
fn events_of_the_contract() -> BTreeSet<String> {
    let path = root().join("programs/chartseal/artifacts/chartseal.json");
    let idl: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let events = idl["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn lines(analyst: &PgPool, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(analyst).await.unwrap()
}

async fn says_what_was_claimed(analyst: &PgPool) {
    let query = "SELECT DISTINCT claim || ' ' || CASE claim
                        WHEN 'grant' THEN (SELECT count(*) FROM chartseal.grants WHERE id = claimed)
                        WHEN 'policy' THEN (SELECT count(*) FROM chartseal.policies WHERE institution = claimed)
                        WHEN 'emergency' THEN (SELECT count(*) FROM chartseal.emergencies WHERE id = claimed)
                        WHEN 'delegation' THEN (SELECT count(*) FROM chartseal.delegates WHERE id = claimed)
                        ELSE 0 END
                 FROM chartseal.refusals ORDER BY 1";
    let expected = ["delegation 1", "emergency 1", "grant 1", "nothing 0", "policy 1"];
    assert_eq!(lines(analyst, query).await, expected);
}

/// What the guardians agreed on after each step, and that nothing is pending any more.
async fn follows_the_guardians(analyst: &PgPool, heir: &str) {
    let query =
        "SELECT step || ' ' || coalesce(votes::text, '-') || ' ' || coalesce(chartseal.base58(agreed_wallet), '-')
                 FROM chartseal.recovery_steps ORDER BY seq";
    let agreed = |step: &str| format!("{step} {heir}");
    let expected = [
        "voted 1 -".to_owned(),
        agreed("voted 2"),
        agreed("voted 1"),
        "withdrew 0 -".to_owned(),
        agreed("voted 2"),
        "objected - -".to_owned(),
        "voted 1 -".to_owned(),
        agreed("voted 2"),
        "finished - -".to_owned(),
    ];
    assert_eq!(lines(analyst, query).await, expected);
    let pending = "SELECT count(*)::text FROM chartseal.safeguards WHERE agreed_wallet IS NOT NULL";
    assert_eq!(lines(analyst, pending).await, ["0"]);
}
