//! Every event that the contract has, emitted by the real contract, read off the ledger, and found whole in Postgres.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use chartseal_tests::{
    clinic::{Clinic, Employee},
    money::{CLASSIC, Money},
    people::{Outcome, Person},
    programs::{fixture, root},
    travel,
};
use serde_json::{Value, json};
use sqlx::PgPool;

const DAY: i64 = 86_400;

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
async fn every_event_of_the_contract_is_stored_and_the_database_is_whole() {
    let mut scene = Scene::new();
    consent(&scene);
    emergency(&scene);
    archive(&scene);
    payment(&scene).await;
    let heir = inheritance(&scene).await;
    erasure(&scene);
    standings(&scene);

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
    follows_the_guardians(&analyst, &heir).await;
    analyst.close().await;
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

/// Policies, requests, grants that are passed on, and refusals of each.
fn consent(scene: &Scene) {
    let (id, record) = (scene.clinic.patient_id.as_str(), scene.record.as_str());
    let (doctor, nurse) = (&scene.doctor.person, &scene.nurse.person);
    let policy = ["policy", "set", id, &scene.clinic.id, "--classes", "5"];
    scene.patient(&[&policy[..], &["--purposes", "treatment"]].concat());
    scene.is_refused(doctor, &[], "policy-for-other-records");
    scene.patient(&["policy", "clear", id, &scene.clinic.id]);

    let asks = |who: &Person, rights: &str| {
        let words = ["request", id, "--record", record, "--purposes", "treatment", "--rights"];
        let asked = who.does(&[&words[..], &[rights]].concat()).unwrap();
        asked.text("request").unwrap()
    };
    scene.patient(&["decide", "deny", id, &asks(nurse, "read")]);
    let approve = ["decide", "approve", id, &asks(doctor, "read,amend,share")];
    let grant = scene.patient(&approve).text("grant").unwrap();
    assert_eq!(scene.reads(doctor, &[]).code, 0);
    let note = fixture("note.txt");
    scene.patient(&["amend", id, record, note.to_str().unwrap()]);
    let to_nurse = format!("member:{}", scene.nurse.member);
    doctor
        .does(&["share", id, "--to", &to_nurse, "--record", record])
        .unwrap();
    scene.patient(&["revoke", id, &grant]);
    scene.is_refused(doctor, &["--grant", &grant], "grant-revoked");
    let to_doctor = format!("member:{}", scene.doctor.member);
    let terms = [
        "--classes",
        "4",
        "--rights",
        "append",
        "--purposes",
        "treatment,operations",
    ];
    scene.clinic.grants(&to_doctor, &terms).unwrap();
}

/// An emergency that both review, and attempts that have no right.
fn emergency(scene: &Scene) {
    let (id, books) = (&scene.clinic.patient_id, scene.clinic.stack.folder().join("books"));
    let holders = ["break-glass", "set", id, "--holders", &scene.clinic.id];
    scene.patient(&[&holders[..], &["--threshold", "1"]].concat());
    let words = [
        "emergency",
        "open",
        "--patient",
        id,
        "--reason",
        "unconscious",
        "--books",
    ];
    let open = [&words[..], &[books.to_str().unwrap()]].concat();
    refused(&scene.nurse.person.types(&open).unwrap(), "no-emergency-credential");
    let credential = ["member", "emergency-credential", "on", &scene.doctor.member];
    scene.clinic.hospital.does(&credential).unwrap();
    let opened = scene.doctor.person.does(&open).unwrap().text("emergency").unwrap();
    let review = ["emergency", "review", id, &opened, "--verdict"];
    scene
        .clinic
        .hospital
        .does(&[&review[..], &["justified"]].concat())
        .unwrap();
    scene.patient(&[&review[..], &["unjustified"]].concat());
    scene.is_refused(&scene.doctor.person, &["--emergency"], "emergency-over");
}

/// A batch, of which one record becomes part of the chart.
fn archive(scene: &Scene) {
    let (doctor, folder) = (&scene.doctor.person, scene.clinic.stack.folder());
    let line = json!({ "patient": scene.clinic.patient_id, "file": fixture("note.txt"), "class": 4 });
    let (manifest, proof) = (folder.join("archive.jsonl"), folder.join("proof.json"));
    std::fs::write(&manifest, line.to_string()).unwrap();
    let anchored = doctor.does(&["batch", "anchor", manifest.to_str().unwrap()]).unwrap();
    let batch = format!(
        "{}:{}",
        anchored.text("institution").unwrap(),
        anchored.text("batch").unwrap()
    );
    let record = doctor.does(&["batch", "show", &batch]).unwrap().text("record").unwrap();
    let proof = proof.to_str().unwrap();
    doctor
        .does(&["batch", "prove", &batch, &record, "--out", proof])
        .unwrap();
    doctor.does(&["batch", "promote", proof]).unwrap();
}

/// An agreement from its offer to its end, and one version that is paid for.
async fn payment(scene: &Scene) {
    let id = &scene.clinic.patient_id;
    let (insurance, consumer) = scene.clinic.institution("insurance", "insurer").unwrap();
    let clerk = scene.clinic.stack.person("clerk");
    let wallet = clerk.arrives().unwrap();
    let words = [
        "member", "register", &consumer, "--wallet", &wallet, "--role", "insurer",
    ];
    let member = insurance.does(&words).unwrap().text("member").unwrap();
    clerk
        .does(&["member", "accept", &format!("{consumer}:{member}")])
        .unwrap();
    // The insurance pays for what the hospital wrote.
    let record = stores(&scene.doctor.person, id, "4").text("record").unwrap();
    let asked = ["request", id, "--record", &record, "--purposes", "payment"];
    let request = clerk.does(&asked).unwrap().text("request").unwrap();
    scene.patient(&["decide", "approve", id, &request]);

    let rpc = &scene.clinic.stack.endpoints().rpc;
    let money = Money::mint(&insurance, rpc, CLASSIC, None).await.unwrap();
    money.pour(&wallet_of(&insurance), 1_000).await.unwrap();
    let mint = money.address();
    let terms = [
        "--classes",
        "4",
        "--purpose",
        "payment",
        "--price",
        "250",
        "--mint",
        &mint,
    ];
    let propose = ["agreement", "propose", "--provider", &scene.clinic.id];
    let proposed = insurance.does(&[&propose[..], &terms].concat()).unwrap();
    let agreement = proposed.text("agreement").unwrap();
    let named = format!("{consumer}:{agreement}");
    scene.clinic.hospital.does(&["agreement", "accept", &named]).unwrap();
    insurance
        .does(&["agreement", "fund", &named, "--amount", "1000"])
        .unwrap();
    let settle = [
        "agreement",
        "settle",
        &agreement,
        "--patient",
        id,
        "--request",
        &request,
    ];
    clerk.does(&settle).unwrap();
    insurance.does(&["agreement", "close", &named]).unwrap();
}

/// A chart that is handed over, has a delegate, and is recovered: the wallet that takes over.
async fn inheritance(scene: &Scene) -> String {
    let hospital = &scene.clinic.hospital;
    let opened = hospital
        .does(&["patient", "open", "--steward", &scene.clinic.id])
        .unwrap();
    let id = opened.text("patient").unwrap();
    let [grown, carer, next, ada, ben, cem] =
        ["grown", "carer", "next", "ada", "ben", "cem"].map(|name| scene.clinic.stack.person(name));
    let wallets = [&grown, &carer, &next, &ada, &ben, &cem].map(|person| person.arrives().unwrap());
    hospital
        .does(&["patient", "hand-over", &id, "--to", &wallets[0]])
        .unwrap();
    grown.does(&["patient", "accept", &id]).unwrap();
    grown.does(&["keys", "rotate", &id]).unwrap();

    let name = ["delegate", "name", &id, "--wallet", &wallets[1], "--rights", "read"];
    let delegation = grown.does(&name).unwrap().text("delegate").unwrap();
    carer.does(&["delegate", "accept", &id, &delegation]).unwrap();
    let note = fixture("note.txt");
    let writes = carer.types(&put(&id, "0", note.to_str().unwrap())).unwrap();
    refused(&writes, "right-not-granted");
    grown.does(&["delegate", "revoke", &id, &delegation]).unwrap();

    let guardians = [&ada, &ben, &cem].map(key_of);
    let set = ["guardian", "set", &id, "--threshold", "2", "--delay", "1d"];
    let named = guardians.iter().flat_map(|guardian| ["--guardian", guardian]);
    grown.does(&set.into_iter().chain(named).collect::<Vec<_>>()).unwrap();
    let votes = |who: &Person, choice: &str| who.does(&["guardian", "vote", &id, choice]).unwrap();
    let next_key = key_of(&next);
    votes(&ada, &next_key);
    votes(&ben, &next_key);
    // The third for another: the two agree all the same, until one withdraws.
    votes(&cem, &key_of(&carer));
    votes(&ben, "--withdraw");
    votes(&cem, &next_key);
    grown.does(&["guardian", "object", &id]).unwrap();
    votes(&ada, &next_key);
    votes(&ben, &next_key);
    travel::let_pass(&scene.clinic.stack, DAY).await.unwrap();
    next.does(&["guardian", "finish", &id]).unwrap();
    wallets[2].clone()
}

fn erasure(scene: &Scene) {
    let receipt = scene.clinic.stack.folder().join("receipt.json");
    let erase = [
        "erase",
        &scene.clinic.patient_id,
        "--record",
        &scene.record,
        "--receipt",
    ];
    scene.patient(&[&erase[..], &[receipt.to_str().unwrap()]].concat());
}

/// Everything that changes who may act: suspensions, renewals, successors, the pause.
fn standings(scene: &Scene) {
    let (hospital, admin, id) = (
        &scene.clinic.hospital,
        scene.clinic.stack.person("admin"),
        &scene.clinic.id,
    );
    for word in ["suspend", "reinstate"] {
        hospital.does(&["member", word, &scene.nurse.member]).unwrap();
        admin.does(&["institution", word, id]).unwrap();
    }
    hospital.does(&["member", "renew", &scene.nurse.member]).unwrap();
    admin.does(&["institution", "renew", id, "--for", "100d"]).unwrap();
    admin.does(&["registry", "pause"]).unwrap();
    admin.does(&["registry", "resume"]).unwrap();
    let successor = scene.clinic.stack.person("successor");
    let wallet = successor.arrives().unwrap();
    hospital
        .does(&["institution", "propose-authority", id, &wallet])
        .unwrap();
    successor.does(&["institution", "accept-authority", id]).unwrap();
    admin.does(&["registry", "propose-admin", &wallet]).unwrap();
    successor.does(&["registry", "accept-admin"]).unwrap();
}
