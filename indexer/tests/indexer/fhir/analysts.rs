//! What an analyst exports: the rows that it sees, and nothing that others' rows would have said.

use chartseal_indexer::{
    analysts::{self, PATIENCE, Sight},
    fhir::{Format, Selection},
};
use serde_json::Value;

use super::{of_kind, r4, resources, told, write};
use crate::{
    cluster::{connect, number},
    story::INSURER,
};

#[tokio::test]
async fn an_analyst_exports_what_it_sees() {
    let database = told().await;
    analysts::add(&database.url, "exporter", Sight::Institution(INSURER), PATIENCE)
        .await
        .unwrap();
    let mut owner = database.connect().await;
    sqlx::query("ALTER ROLE exporter LOGIN")
        .execute(&mut owner)
        .await
        .unwrap();
    let url = database.url.replace("//chartseal@", "//exporter@");
    let (out, done) = write(&url, Selection::default(), Format::Ndjson).await;
    let own: Vec<Value> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    own.iter().for_each(r4::check);

    let mut reader = connect(&url).await;
    let audited = "SELECT (SELECT count(*) FROM accesses) + (SELECT count(*) FROM refusals)
                          + (SELECT count(*) FROM record_versions) + (SELECT count(*) FROM grants_passed_on)
                          + (SELECT count(*) + count(revoked_at) FROM grants WHERE parent IS NULL)
                          + (SELECT count(*) FROM policy_changes) + (SELECT count(*) FROM erasures)";
    assert_eq!(done.audit_events as i64, number(&mut reader, audited).await);
    let consents = "SELECT (SELECT count(*) FROM grants) + (SELECT count(*) FROM policies)";
    assert_eq!(done.consents as i64, number(&mut reader, consents).await);

    // Readings and refusals are its members' own, and there are others.
    let decided = |event: &&&Value| {
        let words = event["subtype"].to_string();
        words.contains("AccessAllowed") || words.contains("ActionRefused")
    };
    let events = of_kind(&own, "AuditEvent");
    let decisions: Vec<_> = events.iter().filter(decided).collect();
    assert!(!decisions.is_empty());
    let insurer = hex::encode(INSURER);
    for decision in &decisions {
        assert_eq!(
            decision["agent"][3]["who"]["identifier"]["value"],
            insurer.as_str(),
            "{decision:#}"
        );
    }
    let all = resources(&database, Selection::default()).await;
    assert!(of_kind(&all, "AuditEvent").iter().filter(decided).count() > decisions.len());

    // Nothing is in it that is not in the whole, and no transaction, which the ledger would tell the rest of.
    for resource in &own {
        let same = |other: &&Value| other["resourceType"] == resource["resourceType"] && other["id"] == resource["id"];
        assert!(all.iter().any(|other| same(&other)), "{resource:#}");
        assert!(
            !resource.to_string().contains("urn:chartseal:transaction"),
            "{resource:#}"
        );
    }
}
