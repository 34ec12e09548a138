//! Who gave and who took, where the tables keep a wallet only: the same for whoever sees less, or said to be unknown.

use anchor_lang::prelude::Address;
use chartseal_indexer::{
    analysts::{self, PATIENCE, Sight},
    fhir::{Format, Selection},
};
use chartseal_program::{
    events::*,
    seeds::{Id, NO_ID},
    state::UNLIMITED,
    vocabulary::{Action, GranteeKind, Purpose},
};
use serde_json::Value;

use super::{consent, of_kind, r4, resources, write};
use crate::{
    cluster::Database,
    indexing::index,
    node::Node,
    story::{
        self, HEIR, INSURER, WARD,
        consent::{CHILD_GRANT, ROOT_GRANT},
        doctor, wallet,
    },
};

const BY_DELEGATE: Id = [0x61; 16];
const BY_PATIENT: Id = [0x62; 16];
const BY_STEWARD: Id = [0x63; 16];
const PASSED_ON: Id = [0x64; 16];

/// The insurer may read.
fn terms() -> Terms {
    Terms {
        record: NO_ID,
        classes: 1,
        grantee_kind: GranteeKind::Institution,
        grantee: wallet(0xe1),
        grantee_key: [0; 32],
        rights: Action::Read.bit(),
        purposes: Purpose::Payment.bit(),
        not_before: 0,
        expires: i64::MAX,
        uses: UNLIMITED,
    }
}

/// What a delegate, the heir by a wallet that it gives up, a steward and a doctor gave to the insurer; the doctor takes what it
/// passed on.
async fn given() -> Database {
    let mut ledger = story::tell();
    let head = [0; 32];
    let heirs = wallet(0xa4);
    for (patient, grant, issuer) in [
        (HEIR, BY_DELEGATE, wallet(0xa5)),
        (HEIR, BY_PATIENT, heirs),
        (WARD, BY_STEWARD, wallet(0x90)),
    ] {
        ledger.emit(&patient, |link| GrantCreated {
            link,
            grant,
            issuer,
            terms: terms(),
            head,
        });
    }
    let next: Address = wallet(0xa8);
    ledger.emit(&HEIR, |link| WalletProposed {
        link,
        proposed: next,
        by: heirs,
        head,
    });
    ledger.emit(&HEIR, |link| WalletAccepted {
        link,
        wallet: next,
        encryption_key: [0x88; 32],
        post_quantum_key_hash: [0; 32],
        key_epoch: 9,
        head,
    });
    ledger.emit(&HEIR, |link| GrantPassedOn {
        link,
        request: [0x65; 16],
        grant: PASSED_ON,
        parent: ROOT_GRANT,
        depth: 1,
        actor: doctor(),
        purpose: Purpose::Treatment,
        terms: terms(),
        head,
    });
    for grant in [PASSED_ON, CHILD_GRANT] {
        ledger.emit(&HEIR, |link| GrantRevoked {
            link,
            grant,
            by: doctor().wallet,
            head,
        });
    }
    let node = Node::start(ledger).await;
    let database = Database::new().await;
    index(&node, &database).await;
    database
}

/// What somebody is said to be, and whether it is said who.
fn said(who: &Value) -> (&str, bool) {
    (who["type"].as_str().unwrap(), who["identifier"].is_object())
}

fn giver<'a>(resources: &'a [Value], patient: &Id, grant: &Id) -> (&'a str, bool) {
    said(&consent(resources, "urn:chartseal:grant", patient, grant)["performer"][0])
}

fn taker<'a>(resources: &'a [Value], grant: &Id) -> (&'a str, bool) {
    let value = format!("{}/{}", hex::encode(HEIR), hex::encode(grant));
    let events = of_kind(resources, "AuditEvent");
    let revoked = events.into_iter().find(|event| {
        let data = &event["entity"][1]["what"]["identifier"]["value"];
        event["subtype"].to_string().contains("GrantRevoked") && *data == value.as_str()
    });
    said(&revoked.unwrap()["agent"][2]["who"])
}

#[tokio::test]
async fn whoever_gave_or_took_is_named_for_what_it_was_then() {
    let database = given().await;
    let all = resources(&database, Selection::default()).await;
    all.iter().for_each(r4::check);
    assert_eq!(giver(&all, &HEIR, &BY_DELEGATE), ("RelatedPerson", true));
    assert_eq!(giver(&all, &HEIR, &BY_PATIENT), ("Patient", true));
    assert_eq!(giver(&all, &WARD, &BY_STEWARD), ("Organization", true));
    assert_eq!(giver(&all, &HEIR, &PASSED_ON), ("PractitionerRole", true));
    // Who passed a grant on takes it too, and the patient did not.
    for grant in [PASSED_ON, CHILD_GRANT] {
        assert_eq!(taker(&all, &grant), ("PractitionerRole", true));
    }
}

#[tokio::test]
async fn an_analyst_is_told_of_nobody_in_the_place_of_whom_it_does_not_see() {
    let database = given().await;
    let sight = Sight::Institution(INSURER);
    analysts::add(&database.url, "fhir_deciders", sight, PATIENCE)
        .await
        .unwrap();
    let mut owner = database.connect().await;
    sqlx::query("ALTER ROLE fhir_deciders LOGIN")
        .execute(&mut owner)
        .await
        .unwrap();
    let url = database.url.replace("//chartseal@", "//fhir_deciders@");
    let (out, _) = write(&url, Selection::default(), Format::Ndjson).await;
    let text = String::from_utf8(out).unwrap();
    let own: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    own.iter().for_each(r4::check);
    assert_eq!(giver(&own, &HEIR, &BY_DELEGATE), ("RelatedPerson", false));
    assert_eq!(giver(&own, &HEIR, &BY_PATIENT), ("Patient", true));
    assert_eq!(giver(&own, &WARD, &BY_STEWARD), ("Organization", true));
    assert_eq!(giver(&own, &HEIR, &PASSED_ON), ("PractitionerRole", false));
    assert_eq!(taker(&own, &PASSED_ON), ("PractitionerRole", false));
}
