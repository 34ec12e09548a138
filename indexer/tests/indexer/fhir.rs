//! The log and the grants as FHIR R4: all of them, nothing but them, and nobody's wallet.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chartseal_indexer::fhir::{Exported, Format, Selection, export};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Database, lines, number},
    indexing::index,
    node::Node,
    story::{
        self, CLASS_GRANT, COUNTED_GRANT, HEIR, PATIENT,
        consent::{CHILD_GRANT, ROOT_GRANT},
        emergencies::EMERGENCY,
    },
};

mod analysts;
mod balp;
mod deciders;
mod files;
mod r4;

/// A database in which everything happened once, to every kind of thing.
async fn told() -> Database {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    database
}

async fn write(url: &str, selection: Selection, format: Format) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let stop = CancellationToken::new();
    let done = export(url, &selection, format, &mut out, |_| {}, &stop).await.unwrap();
    (out, done)
}

async fn resources(database: &Database, selection: Selection) -> Vec<Value> {
    let (out, done) = write(&database.url, selection, Format::Ndjson).await;
    let text = String::from_utf8(out).unwrap();
    let resources: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(resources.len() as u64, done.total());
    resources
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources
        .iter()
        .filter(|resource| resource["resourceType"] == kind)
        .collect()
}

/// The event's name in the program.
fn name(event: &Value) -> &str {
    let codings = event["subtype"].as_array().unwrap();
    let ours = codings
        .iter()
        .find(|coding| coding["system"] == "urn:chartseal:code:event");
    ours.unwrap()["code"].as_str().unwrap()
}

/// The consent of a grant or policy.
fn consent<'a>(resources: &'a [Value], system: &str, whose: &[u8], id: &[u8]) -> &'a Value {
    let value = format!("{}/{}", hex::encode(whose), hex::encode(id));
    let found = of_kind(resources, "Consent").into_iter().find(|consent| {
        consent["identifier"][0]["system"] == system && consent["identifier"][0]["value"] == value.as_str()
    });
    found.unwrap_or_else(|| panic!("no Consent {system} {value}"))
}

#[tokio::test]
async fn every_resource_is_fhir_r4() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    assert!(resources.len() > 60, "{}", resources.len());
    resources.iter().for_each(r4::check);
    let mut ids: Vec<_> = resources
        .iter()
        .map(|resource| (&resource["resourceType"], &resource["id"]))
        .collect();
    ids.sort_by_key(|(kind, id)| (kind.as_str(), id.as_str()));
    ids.dedup();
    assert_eq!(ids.len(), resources.len(), "two resources have one id");
}

#[tokio::test]
async fn a_bundle_holds_the_same_resources_and_is_fhir_r4() {
    let database = told().await;
    let lines = resources(&database, Selection::default()).await;
    let (out, _) = write(&database.url, Selection::default(), Format::Bundle).await;
    let bundle: Value = serde_json::from_slice(&out).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    assert!(entries.iter().map(|entry| &entry["resource"]).eq(&lines));
    r4::check(&bundle);
}

#[tokio::test]
async fn what_succeeded_follows_the_basic_audit_log_patterns() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let mut claimed: BTreeMap<_, u32> = BTreeMap::new();
    for event in of_kind(&resources, "AuditEvent") {
        let profile = balp::check(event);
        // Emergencies are alerts, and refusals no successes.
        assert_eq!(
            profile.is_none(),
            matches!(name(event), "ActionRefused" | "EmergencyOpened" | "EmergencyReviewed"),
            "{event:#}"
        );
        *claimed.entry(profile).or_default() += 1;
    }
    assert_eq!(claimed.len(), 5, "{claimed:?}");
}

/// Events of the two chains of a patient that give an AuditEvent.
const AUDITED: [&str; 15] = [
    "AccessAllowed",
    "ActionRefused",
    "AnonymousGrantCreated",
    "AnonymousGrantRevoked",
    "EmergencyOpened",
    "EmergencyReviewed",
    "GrantCreated",
    "GrantPassedOn",
    "GrantRevoked",
    "PolicySet",
    "RecordAmended",
    "RecordCreated",
    "RecordErased",
    "RecordPromoted",
    "RequestDecided",
];

#[tokio::test]
async fn every_event_gives_its_resource_and_no_other_does() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let mut told: BTreeMap<&str, i64> = BTreeMap::new();
    for event in of_kind(&resources, "AuditEvent") {
        *told.entry(name(event)).or_default() += 1;
    }
    let mut connection = database.connect().await;
    let events = "SELECT name || ' ' || count(*) FROM events WHERE chain IN ('log', 'refusals') GROUP BY name";
    let mut stored = BTreeMap::new();
    for line in lines(&mut connection, events).await {
        let (name, count) = line.split_once(' ').unwrap();
        if AUDITED.contains(&name) {
            stored.insert(name.to_owned(), count.parse::<i64>().unwrap());
        }
    }
    // A request that was denied gives no right, and no Consent: it is told by no resource.
    let denied = number(&mut connection, "SELECT count(*) FROM requests WHERE state = 'denied'").await;
    *stored.get_mut("RequestDecided").unwrap() -= denied;
    let stored: BTreeMap<&str, i64> = stored.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(told, stored);
    assert_eq!(told.len(), AUDITED.len());

    for (kind, rows) in [
        (
            "Consent",
            "SELECT (SELECT count(*) FROM grants) + (SELECT count(*) FROM policies)",
        ),
        ("DocumentReference", "SELECT count(*) FROM record_versions"),
        ("Provenance", "SELECT count(*) FROM record_versions"),
    ] {
        let rows = number(&mut connection, rows).await;
        assert_eq!(of_kind(&resources, kind).len() as i64, rows, "{kind}");
    }
}

#[tokio::test]
async fn a_refusal_says_its_reason_and_never_success() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let mut reasons = Vec::new();
    for event in of_kind(&resources, "AuditEvent") {
        let refused = name(event) == "ActionRefused";
        assert_eq!(event["outcome"], if refused { "4" } else { "0" }, "{event:#}");
        if refused {
            assert!(
                event["meta"].is_null() && event["agent"][2]["policy"].is_null(),
                "{event:#}"
            );
            reasons.push(event["outcomeDesc"].as_str().unwrap().to_owned());
        }
    }
    reasons.sort();
    let mut connection = database.connect().await;
    let stored = lines(&mut connection, "SELECT reason::text FROM refusals ORDER BY 1").await;
    assert_eq!(reasons, stored);
}

#[tokio::test]
async fn every_event_names_its_place_and_its_transaction() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let mut connection = database.connect().await;
    let places = "SELECT chain || ' ' || seq || ' ' || encode(head, 'hex') || ' ' || base58(signature) || ' ' || slot
                  FROM events WHERE chain IN ('log', 'refusals')";
    let places = lines(&mut connection, places).await;
    for event in of_kind(&resources, "AuditEvent") {
        let parts = event["extension"][0]["extension"].as_array().unwrap();
        let entities = event["entity"].as_array().unwrap();
        let transaction = entities.last().unwrap();
        let place = format!(
            "{} {} {} {} {}",
            parts[0]["valueCode"].as_str().unwrap(),
            parts[1]["valueString"].as_str().unwrap(),
            parts[2]["valueString"].as_str().unwrap(),
            transaction["what"]["identifier"]["value"].as_str().unwrap(),
            transaction["detail"][0]["valueString"].as_str().unwrap(),
        );
        assert!(places.contains(&place), "{place}\n{event:#}");
    }
}

#[tokio::test]
async fn a_grant_that_ended_is_an_inactive_consent() {
    let mut ledger = story::tell();
    ledger.emit(&HEIR, |link| chartseal_program::events::GrantRevoked {
        link,
        grant: ROOT_GRANT,
        by: story::wallet(0xa4),
        head: [0; 32],
    });
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let resources = resources(&database, Selection::default()).await;
    let grant = |whose, id| consent(&resources, "urn:chartseal:grant", whose, id);

    let counted = grant(&PATIENT, &COUNTED_GRANT);
    assert_eq!(counted["status"], "inactive");
    assert!(counted["provision"]["period"]["end"].is_string());
    assert_eq!(counted["provision"]["data"][0]["meaning"], "instance");
    let classes = grant(&PATIENT, &CLASS_GRANT);
    assert_eq!(classes["status"], "active");
    assert!(classes["provision"]["period"]["end"].is_null(), "it never expires");
    assert_eq!(classes["provision"]["class"][1]["code"], "3");
    // Whatever descends from a grant ends with it.
    let child = grant(&HEIR, &CHILD_GRANT);
    assert_eq!(child["status"], "inactive");
    let end = child["provision"]["period"]["end"].as_str().unwrap();
    let revoked = "SELECT to_char(revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM grants
                   WHERE id = decode(repeat('43', 16), 'hex')";
    assert_eq!(lines(&mut database.connect().await, revoked).await, [end]);
    let parent = format!("{}/{}", hex::encode(HEIR), hex::encode(ROOT_GRANT));
    assert_eq!(child["sourceReference"]["identifier"]["value"], parent.as_str());
    resources.iter().for_each(r4::check);
}

#[tokio::test]
async fn policies_say_since_when_they_share_and_withdrawn_ones_are_inactive() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let policy = |institution: &[u8]| consent(&resources, "urn:chartseal:policy", &HEIR, institution);
    let hospital = policy(&story::HOSPITAL);
    assert_eq!(hospital["status"], "active");
    let classes = hospital["provision"]["class"].as_array().unwrap();
    let codes: Vec<_> = classes.iter().map(|class| class["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["1", "3", "5"]);
    let since = |class: &Value| class["extension"][0]["valueDateTime"].as_str().unwrap().to_owned();
    assert!(since(&classes[1]) < since(&classes[2]) && since(&classes[2]) < since(&classes[0]));
    assert_eq!(
        hospital["provision"]["dataPeriod"]["start"],
        since(&classes[1]).as_str()
    );
    assert_eq!(hospital["performer"][0]["type"], "Patient");
    assert_eq!(policy(&story::INSURER)["status"], "inactive");
}

#[tokio::test]
async fn versions_replace_each_other_and_erased_ones_point_nowhere() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let documents = of_kind(&resources, "DocumentReference");
    let with = |status: &str| documents.iter().filter(|document| document["status"] == status).count() as i64;
    let mut connection = database.connect().await;
    let c = &mut connection;
    let erased = "SELECT count(*) FROM record_versions v JOIN erasures USING (patient, record)";
    assert_eq!(with("entered-in-error"), number(c, erased).await);
    let superseded =
        "SELECT count(*) FROM record_versions v JOIN records r ON (r.patient, r.id) = (v.patient, v.record)
                      WHERE v.version < r.version AND r.status = 'active'";
    assert_eq!(with("superseded"), number(c, superseded).await);
    for document in documents {
        let attachment = &document["content"][0]["attachment"];
        assert_eq!(attachment["url"].is_null(), document["status"] == "entered-in-error");
        if let Some(replaced) = document["relatesTo"][0]["target"]["identifier"]["value"].as_str() {
            assert!(replaced < document["masterIdentifier"]["value"].as_str().unwrap());
        }
    }
    let item = BASE64_URL_SAFE_NO_PAD.encode(story::content(30).locator);
    assert!(
        resources
            .iter()
            .any(|resource| { resource["content"][0]["attachment"]["url"] == format!("ar://{item}").as_str() })
    );
}

#[tokio::test]
async fn who_decided_is_the_patient_its_delegate_or_its_steward() {
    let database = told().await;
    let resources = resources(&database, Selection::default()).await;
    let user = |event: &&Value| event["agent"][2]["who"]["type"].as_str().unwrap().to_owned();
    let events = of_kind(&resources, "AuditEvent");
    let of = |wanted: &str| -> Vec<String> {
        let mut kinds: Vec<_> = events.iter().filter(|event| name(event) == wanted).map(user).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(of("PolicySet"), ["Patient"]);
    assert_eq!(of("AnonymousGrantCreated"), ["Organization", "Patient"]);
    assert_eq!(of("AnonymousGrantRevoked"), ["Organization"]);
    assert_eq!(of("GrantPassedOn"), ["PractitionerRole"]);
    assert_eq!(of("EmergencyReviewed"), ["Organization", "Patient"]);
    assert_eq!(of("AccessAllowed"), ["Patient", "PractitionerRole", "RelatedPerson"]);
    let emergency = format!("{}/{}", hex::encode(HEIR), hex::encode(EMERGENCY));
    let by_emergency =
        |event: &&&Value| event["agent"][2]["policy"][0] == format!("urn:chartseal:emergency:{emergency}").as_str();
    // The opening itself, a reading and a record that was written.
    assert_eq!(events.iter().filter(by_emergency).count(), 3);
}

#[tokio::test]
async fn no_wallet_and_no_key_goes_out() {
    let database = told().await;
    let (out, _) = write(&database.url, Selection::default(), Format::Ndjson).await;
    let export = String::from_utf8(out).unwrap();
    let mut connection = database.connect().await;
    let columns = "SELECT format('SELECT %I::bytea FROM %I WHERE %I IS NOT NULL', c.column_name, c.table_name, c.column_name)
                   FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
                   WHERE c.table_schema = 'chartseal' AND t.table_type = 'BASE TABLE'
                         AND (c.domain_name = 'address' AND c.table_name NOT IN ('checkpoint', 'registry', 'registry_changes')
                              OR c.domain_name = 'hash' AND c.column_name IN
                                 ('encryption_key', 'post_quantum_key_hash', 'grantee_key', 'reason_hash', 'receipt', 'envelope_key',
                                  'commitment'))";
    let queries = lines(&mut connection, columns).await;
    assert!(queries.len() > 40, "{}", queries.len());
    let mut secrets = 0;
    for query in queries {
        let values: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(query.clone()))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        for bytes in values {
            secrets += 1;
            for text in [hex::encode(&bytes), bs58::encode(&bytes).into_string()] {
                assert!(!export.contains(&text), "{text} of {query}");
            }
        }
    }
    assert!(secrets > 100, "{secrets}");
}

#[tokio::test]
async fn everything_that_is_named_stands_in_the_documentation() {
    let database = told().await;
    let (out, _) = write(&database.url, Selection::default(), Format::Ndjson).await;
    let export = String::from_utf8(out).unwrap();
    let documentation = include_str!("../../../docs/fhir.md");
    let mut names = 0;
    for key in ["\"system\":\"", "\"url\":\"", "\"profile\":[\""] {
        for rest in export.split(key).skip(1) {
            let name = rest.split('"').next().unwrap();
            if name.starts_with("ar://") {
                continue;
            }
            names += 1;
            assert!(
                documentation.contains(&format!("`{name}`")),
                "docs/fhir.md does not explain {name}"
            );
        }
    }
    assert!(names > 500, "{names}");
}
