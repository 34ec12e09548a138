//! Sharing on and emergencies by way of the service: those who do not work at its hospital store what the chain lets them
//! give, and nothing else.

use std::fs;

use chartseal::store::{KeyStore as _, KeyStoreError, keystore::EnvelopeSlot};
use chartseal_program::seeds::address;
use chartseal_tests::{
    clinic::Employee,
    keyservice::Machine,
    people::{Outcome, Person},
};

use super::scene::{NOTE, Scene, account, id, keys_of, member, own_slot};

/// Another institution, which employs somebody.
fn employs_elsewhere(scene: &Scene, at: &(Person, String), name: &'static str) -> Employee {
    let (authority, institution) = at;
    let person = scene.clinic.stack.person(name);
    let wallet = person.arrives().unwrap();
    let words = [
        "member",
        "register",
        institution,
        "--wallet",
        &wallet,
        "--role",
        "doctor",
    ];
    let member = format!(
        "{institution}:{}",
        authority.does(&words).unwrap().text("member").unwrap()
    );
    person.does(&["member", "accept", &member]).unwrap();
    Employee { person, member }
}

/// What somebody opens at a machine of their own by the service alone.
fn opens(scene: &Scene, machine: &Machine, words: &[&str]) -> (Outcome, Option<Vec<u8>>) {
    let words = [&["get", &scene.clinic.patient_id][..], words, &["--out", "opened"]].concat();
    let outcome = machine.types(&scene.service.url, &words).unwrap();
    let opened = fs::read(machine.file("opened")).ok();
    if opened.is_some() {
        fs::remove_file(machine.file("opened")).unwrap();
    }
    (outcome, opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_share_stores_the_envelopes_of_those_it_shared_with_and_no_others() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let practice = scene.clinic.institution("practice", "hospital").unwrap();
    let [general, locum, other] = ["general", "locum", "other"].map(|name| employs_elsewhere(&scene, &practice, name));
    let terms = ["--classes", "0", "--rights", "read,share", "--purposes", "treatment"];
    let grant = scene
        .clinic
        .grants(&format!("member:{}", general.member), &terms)
        .unwrap();
    // The patient's own envelopes are whoever's who wrote: this one is wrapped for the grantee by the patient.
    let machine = Machine::of(&scene.clinic.stack, &general.person).unwrap();
    let record_id = hex::encode(record);
    let (outcome, opened) = opens(&scene, &machine, &[&record_id]);
    assert_eq!(opened.as_deref(), Some(NOTE), "{outcome:?}");

    // Before it shared, it stores nothing for anybody.
    let keys = scene.keys(&keys_of(&general.person), Some(member(&general)));
    let of_patient = own_slot(&scene, &scene.session(&scene.clinic.patient, None), record).await;
    let slot = |recipient| EnvelopeSlot {
        recipient,
        ..of_patient
    };
    let envelope = {
        let (access, _) = scene.opens(&scene.doctors(), record).await;
        scene.releases(scene.doctors().keys(), &access).await.unwrap()
    };
    let refused = |outcome: Result<(), KeyStoreError>| match outcome {
        Err(KeyStoreError::NotAllowed { .. }) => {}
        other => panic!("{other:?}"),
    };
    refused(keys.put(slot(account(&locum)), &envelope).await);

    let to = format!("member:{}", locum.member);
    let words = [
        "share",
        &scene.clinic.patient_id,
        "--to",
        &to,
        "--record",
        &record_id,
        "--for",
        "1d",
    ];
    let shared = machine.types(&scene.service.url, &words).unwrap();
    assert_eq!(
        (shared.code, &shared.objects[0]["wrapped"]),
        (0, &1.into()),
        "{shared:?}"
    );
    let locums = Machine::of(&scene.clinic.stack, &locum.person).unwrap();
    let (outcome, opened) = opens(&scene, &locums, &[&record_id]);
    assert_eq!(opened.as_deref(), Some(NOTE), "{outcome:?}");

    // What its reader can open it does not replace; nor does it store for others, nor of other versions, nor shares.
    refused(keys.put(slot(account(&locum)), &envelope).await);
    refused(keys.put(slot(account(&other)), &envelope).await);
    refused(
        keys.put(slot(address::institution(&id(&practice.1)).to_bytes()), &envelope)
            .await,
    );
    refused(keys.put(of_patient, &envelope).await);
    let older = EnvelopeSlot {
        version: of_patient.version + 1,
        ..slot(account(&locum))
    };
    refused(keys.put(older, &envelope).await);
    refused(keys.discard(slot(account(&locum))).await.map(|_| ()));

    // Once the patient takes it back, it shares no more: not even what is missing.
    scene
        .clinic
        .patient
        .does(&["revoke", &scene.clinic.patient_id, &grant])
        .unwrap();
    let patients = scene.keys(&keys_of(&scene.clinic.patient), None);
    patients.discard(slot(account(&locum))).await.unwrap();
    refused(keys.put(slot(account(&locum)), &envelope).await);
    scene.clinic.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_emergency_holders_release_their_shares_by_the_service_and_the_reader_opens_them() {
    let scene = Scene::new();
    let holders = ["university", "county"].map(|name| scene.clinic.institution(name, "hospital").unwrap());
    let [first, second] = &holders;
    let url = &scene.service.url;
    let patient = Machine::of(&scene.clinic.stack, &scene.clinic.patient).unwrap();
    let named = format!("{},{}", first.1, second.1);
    let of = scene.clinic.patient_id.as_str();
    let words = ["break-glass", "set", of, "--holders", &named, "--threshold", "2"];
    let set = patient.types(url, &words).unwrap();
    assert_eq!(set.code, 0, "{set:?}");
    fs::write(patient.file("note.txt"), NOTE).unwrap();
    let put = patient.types(url, &["put", of, "note.txt", "--class", "3"]).unwrap();
    let record = put.text("record").unwrap();

    let reader = scene.clinic.employs("surgeon", "doctor").unwrap();
    let credential = ["member", "emergency-credential", "on", &reader.member];
    scene.clinic.hospital.does(&credential).unwrap();
    let machine = Machine::of(&scene.clinic.stack, &reader.person).unwrap();
    let words = [
        "emergency",
        "open",
        "--patient",
        of,
        "--reason",
        "unconscious",
        "--books",
        "books",
    ];
    let opened = machine.types(url, &words).unwrap();
    assert_eq!(opened.code, 0, "{opened:?}");

    let (outcome, nothing) = opens(&scene, &machine, &[&record, "--emergency"]);
    assert_eq!((outcome.code, nothing), (1, None), "{outcome:?}");
    assert!(outcome.error.contains("0 of the 2"), "{}", outcome.error);
    let after = outcome.error.split("transaction ").nth(1).unwrap();
    let transaction = after.split_whitespace().next().unwrap();
    for (n, (authority, _)) in holders.iter().enumerate() {
        let words = ["break-glass", "release", "--transaction", transaction];
        let released = Machine::of(&scene.clinic.stack, authority)
            .unwrap()
            .types(url, &words)
            .unwrap();
        assert_eq!(released.code, 0, "{released:?}");
        let (outcome, opened) = opens(&scene, &machine, &[&record, "--emergency"]);
        match n {
            0 => assert!(outcome.error.contains("1 of the 2"), "{outcome:?}"),
            _ => assert_eq!(opened.as_deref(), Some(NOTE), "{outcome:?}"),
        }
    }
    // They are of use to the reader only.
    let nurse = scene.clinic.employs("nurse", "nurse").unwrap();
    let nurses = Machine::of(&scene.clinic.stack, &nurse.person).unwrap();
    let (outcome, nothing) = opens(&scene, &nurses, &[&record, "--emergency"]);
    assert_eq!((outcome.code, nothing), (2, None), "{outcome:?}");
    scene.clinic.stack.stop().unwrap();
}
