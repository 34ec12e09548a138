//! Grants without a name, from the invitation to the opened file: by a real key service, and by readers who have neither an
//! identity nor a wallet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod refusals;
mod scene;

use chartseal_program::{seeds::address, state::Nullifier};
use chartseal_tests::travel;
use scene::{NOTE, Relayer, Scene, field, id};
use serde_json::json;

#[test]
fn an_invitation_that_was_granted_reads_and_nobody_appears_in_the_patients_log() {
    let scene = Scene::new();
    let [reader, other] = ["reader", "other"].map(|name| scene.reader(name));
    scene.grants(&reader, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = || runtime.block_on(scene.ledger().patient_log(&id(&scene.id))).unwrap();
    let before = log().events.len();

    let (outcome, bytes) = scene.reads(&reader, &[]);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    assert_eq!(outcome.objects[0]["among"], 1);
    assert_eq!(outcome.objects[0]["signature"], json!(null));
    assert_eq!(log().events.len(), before, "reading leaves nothing on chain");
    assert!(log().broken.is_none());

    // What it left is with the key store: the nullifier, and nothing of anybody.
    let nullifier = outcome.text("nullifier").unwrap();
    let releases = scene.patient.key_store().join("releases");
    let file = std::fs::read_dir(releases).unwrap().next().unwrap().unwrap().path();
    let entry = std::fs::read_to_string(file).unwrap();
    assert!(entry.contains(&nullifier) && entry.lines().count() == 1, "{entry}");

    let (outcome, _) = scene.reads(&other, &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.error.contains("no grant on this record"), "{}", outcome.error);
    scene.grants(&other, &[]);
    let (outcome, bytes) = scene.reads(&other, &["--range", "3..12"]);
    assert_eq!(bytes.as_deref(), Some(&NOTE[3..12]), "{outcome:?}");
    assert_eq!(outcome.objects[0]["among"], 2, "one hides among both");
    scene.stack.stop().unwrap();
}

#[test]
fn a_use_that_is_counted_stands_on_chain_once_an_hour_and_another_wallet_pays() {
    let scene = Scene::new();
    let reader = scene.reader("reader");
    scene.grants(&reader, &[]);
    let (outcome, _) = scene.reads(&reader, &["--count"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.error.contains("--relayer"), "nobody pays: {}", outcome.error);

    let payer = scene.stack.person("payer");
    let wallet = payer.arrives().unwrap();
    let (identity, passphrase) = (payer.identity(), payer.passphrase());
    let paid = [
        "--count",
        "--fee-payer",
        identity.to_str().unwrap(),
        "--fee-payer-passphrase-file",
        passphrase.to_str().unwrap(),
    ];
    let (outcome, bytes) = scene.reads(&reader, &paid);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    assert!(outcome.text("signature").is_ok());

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let at = address::nullifier(&field(&outcome.text("nullifier").unwrap()));
    let counted: Option<Nullifier> = runtime.block_on(scene.ledger().try_read(&at)).unwrap();
    assert_eq!(counted.unwrap().payer.to_string(), wallet);

    let (outcome, _) = scene.reads(&reader, &paid);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.error.contains("counted already"), "{}", outcome.error);
    let (outcome, bytes) = scene.reads(&reader, &[]);
    assert_eq!(
        bytes.as_deref(),
        Some(NOTE),
        "without counting it still reads: {outcome:?}"
    );
    travel::pass(&scene.stack, 3_700).unwrap();
    let (outcome, bytes) = scene.reads(&reader, &paid);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    scene.stack.stop().unwrap();
}

#[test]
fn a_relayer_pays_for_a_use_that_is_counted_and_sees_no_wallet_of_the_readers() {
    let scene = Scene::new();
    let reader = scene.reader("reader");
    scene.grants(&reader, &[]);
    let relayer = scene.stack.person("relayer");
    let wallet = relayer.arrives().unwrap();
    let service = Relayer::of(&scene, &relayer);
    let (outcome, bytes) = scene.reads(&reader, &["--count", "--relayer", &service.url]);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let at = address::nullifier(&field(&outcome.text("nullifier").unwrap()));
    let counted: Option<Nullifier> = runtime.block_on(scene.ledger().try_read(&at)).unwrap();
    assert_eq!(counted.unwrap().payer.to_string(), wallet);
    scene.stack.stop().unwrap();
}

#[test]
fn what_is_amended_is_read_in_its_new_version_until_the_grant_is_revoked() {
    let scene = Scene::new();
    let [first, second] = ["first", "second"].map(|name| scene.reader(name));
    let (revoked, kept) = (scene.grants(&first, &[]), scene.grants(&second, &[]));
    assert_ne!(revoked, kept);
    scene.amends(b"penicillin");
    let (outcome, bytes) = scene.reads(&first, &[]);
    assert_eq!(bytes.as_deref(), Some(&b"penicillin"[..]), "{outcome:?}");
    assert_eq!(outcome.objects[0]["version"], 2);

    let outcome = scene.revokes(&revoked);
    assert_eq!(
        outcome.objects[0]["envelopes_deleted"], 2,
        "one of each version: {outcome:?}"
    );
    let outcome = scene.revokes(&revoked);
    assert_eq!(outcome.objects[0]["already_revoked"], true, "{outcome:?}");
    let (outcome, _) = scene.reads(&first, &[]);
    assert!(outcome.error.contains("revoked"), "{outcome:?}");
    let (outcome, bytes) = scene.reads(&second, &[]);
    assert_eq!(bytes.as_deref(), Some(&b"penicillin"[..]), "{outcome:?}");
    assert_eq!(outcome.objects[0]["among"], 1);

    let listed = scene
        .patient
        .does(&["anonymous", "list", &scene.id, &scene.record])
        .unwrap();
    let states: Vec<_> = listed.objects.iter().map(|grant| grant["state"].clone()).collect();
    assert_eq!(states, ["revoked", "live"]);
    scene.stack.stop().unwrap();
}

#[test]
fn an_envelope_that_is_lost_is_made_up_for_by_rewrapping() {
    let scene = Scene::new();
    let reader = scene.reader("reader");
    scene.grants(&reader, &[]);
    for envelope in chartseal_tests::clinic::envelopes(&scene.patient).unwrap() {
        if envelope.to_string_lossy().ends_with(".anonymous") {
            std::fs::remove_file(envelope).unwrap();
        }
    }
    let (outcome, _) = scene.reads(&reader, &[]);
    assert!(outcome.error.contains("key pending"), "{outcome:?}");
    let wrapped = scene.patient.does(&["rewrap", &scene.id]).unwrap();
    assert_eq!(wrapped.objects[0]["wrapped"], 1, "{wrapped:?}");
    let (outcome, bytes) = scene.reads(&reader, &[]);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    scene.stack.stop().unwrap();
}

#[test]
fn what_has_ended_or_does_not_give_reading_does_not_read() {
    let scene = Scene::new();
    let [brief, counts, erased] = ["brief", "counts", "erased"].map(|name| scene.reader(name));
    scene.grants(&brief, &["--for", "1h"]);
    scene.grants(&counts, &["--rights", "aggregate"]);
    scene.grants(&erased, &[]);
    let (outcome, _) = scene.reads(&counts, &[]);
    assert!(outcome.error.contains("ask for less"), "{outcome:?}");
    let (outcome, bytes) = scene.reads(&brief, &[]);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    assert_eq!(outcome.objects[0]["among"], 2, "who may not read has no envelope");
    travel::pass(&scene.stack, 3_601).unwrap();
    let (outcome, _) = scene.reads(&brief, &[]);
    assert!(outcome.error.contains("ended"), "{outcome:?}");

    let (outcome, bytes) = scene.reads(&erased, &[]);
    assert_eq!(bytes.as_deref(), Some(NOTE), "{outcome:?}");
    let receipt = scene.stack.folder().join("receipt.json");
    let words = ["erase", &scene.id, "--record", &scene.record, "--receipt"];
    scene
        .patient
        .does(&[&words[..], &[receipt.to_str().unwrap()]].concat())
        .unwrap();
    let (outcome, _) = scene.reads(&erased, &[]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.error.contains("record-erased"), "{outcome:?}");
    scene.stack.stop().unwrap();
}
