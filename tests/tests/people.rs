//! Whose a patient is and who acts for it: handovers that both sides sign, delegates, and ends that come by themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chartseal_tests::{
    clinic::{Clinic, envelopes, opens},
    people::{Outcome, Person},
    travel,
};
use serde_json::Value;

const DAY: i64 = 86_400;

/// Stores a text for a patient; the record's id.
fn stores(clinic: &Clinic, who: &Person, patient: &str, text: &str) -> String {
    let file = clinic.stack.folder().join("note.txt");
    std::fs::write(&file, text).unwrap();
    let stored = who.does(&["put", patient, file.to_str().unwrap()]).unwrap();
    stored.text("record").unwrap()
}

fn reads(clinic: &Clinic, who: &Person, patient: &str, record: &str) -> (Outcome, Option<Vec<u8>>) {
    opens(&clinic.stack, who, patient, record).unwrap()
}

fn number(outcome: &Outcome, key: &str) -> u64 {
    outcome.objects[0][key]
        .as_u64()
        .unwrap_or_else(|| panic!("{key}: {outcome:?}"))
}

#[test]
fn a_patient_without_a_wallet_is_handed_over_and_gets_its_history() {
    let clinic = Clinic::open().unwrap();
    let doctor = clinic.employs("doctor", "doctor").unwrap().person;
    let opened = clinic
        .hospital
        .does(&["patient", "open", "--steward", &clinic.id])
        .unwrap();
    let patient = opened.text("patient").unwrap();
    let record = stores(&clinic, &doctor, &patient, "before the handover");

    let grown = clinic.stack.person("grown");
    let wallet = grown.arrives().unwrap();
    let early = grown.types(&["patient", "accept", &patient]).unwrap();
    assert_eq!(early.code, 1, "nobody proposed it: {early:?}");
    let own = clinic.hospital.does(&["keys", "show"]).unwrap().text("wallet").unwrap();
    let to_itself = clinic
        .hospital
        .types(&["patient", "hand-over", &patient, "--to", &own])
        .unwrap();
    assert!(
        to_itself.code == 1 && to_itself.error.contains("OwnHandover"),
        "{to_itself:?}"
    );
    clinic
        .hospital
        .does(&["patient", "hand-over", &patient, "--to", &wallet])
        .unwrap();
    let admin = clinic.stack.person("admin");
    admin.does(&["institution", "suspend", &clinic.id]).unwrap();
    let suspended = grown.types(&["patient", "accept", &patient]).unwrap();
    assert!(
        suspended.code == 1 && suspended.error.contains("InstitutionNotActive"),
        "a suspended steward hands nobody over: {suspended:?}"
    );
    admin.does(&["institution", "reinstate", &clinic.id]).unwrap();
    clinic
        .hospital
        .does(&["patient", "hand-over", &patient, "--withdraw"])
        .unwrap();
    let withdrawn = grown.types(&["patient", "accept", &patient]).unwrap();
    assert_eq!(withdrawn.code, 1, "{withdrawn:?}");
    clinic
        .hospital
        .does(&["patient", "hand-over", &patient, "--to", &wallet])
        .unwrap();
    grown.does(&["patient", "accept", &patient]).unwrap();

    let (outcome, bytes) = reads(&clinic, &grown, &patient, &record);
    assert_eq!((outcome.code, bytes), (1, None), "the key is wrapped for the steward");
    assert!(outcome.error.contains("have the key wrapped again"), "{outcome:?}");
    let wrapped = doctor.does(&["rewrap", &patient]).unwrap();
    assert_eq!((number(&wrapped, "wrapped"), number(&wrapped, "pending")), (1, 0));
    let (_, bytes) = reads(&clinic, &grown, &patient, &record);
    assert_eq!(bytes.unwrap(), b"before the handover");

    let steward = clinic
        .hospital
        .types(&["patient", "hand-over", &patient, "--to", &wallet])
        .unwrap();
    assert_eq!(steward.code, 1, "the steward has no say any more: {steward:?}");
    clinic.stack.stop().unwrap();
}

#[test]
fn a_delegate_reads_decides_and_ends() {
    let clinic = Clinic::open().unwrap();
    let (patient, id) = (&clinic.patient, &clinic.patient_id);
    let record = stores(&clinic, patient, id, "mine");
    let carer = clinic.stack.person("carer");
    let wallet = carer.arrives().unwrap();
    let named = patient
        .does(&[
            "delegate",
            "name",
            id,
            "--wallet",
            &wallet,
            "--rights",
            "read,share",
            "--for",
            "10d",
        ])
        .unwrap();
    let delegation = named.text("delegate").unwrap();
    let (outcome, _) = reads(&clinic, &carer, id, &record);
    assert_ne!(outcome.code, 0, "it has not accepted: {outcome:?}");
    carer.does(&["delegate", "accept", id, &delegation]).unwrap();
    let (outcome, _) = reads(&clinic, &carer, id, &record);
    assert_eq!(outcome.code, 1, "the key is pending: {outcome:?}");
    assert_eq!(number(&patient.does(&["rewrap", id]).unwrap(), "wrapped"), 1);
    let (outcome, bytes) = reads(&clinic, &carer, id, &record);
    assert_eq!(bytes.unwrap(), b"mine");
    assert_eq!(outcome.text("basis").unwrap(), "delegate");

    let later = stores(&clinic, patient, id, "after it was named");
    let (_, bytes) = reads(&clinic, &carer, id, &later);
    assert_eq!(
        bytes.unwrap(),
        b"after it was named",
        "new records are wrapped for delegates at once"
    );

    let nurse = clinic.employs("nurse", "nurse").unwrap();
    let to = format!("member:{}", nurse.member);
    let words = [
        "grant",
        id,
        "--to",
        &to,
        "--record",
        &record,
        "--purposes",
        "treatment",
        "--for",
        "5d",
    ];
    let grant = carer.does(&words).unwrap();
    assert_eq!(number(&grant, "pending"), 0, "{grant:?}");
    let (_, bytes) = reads(&clinic, &nurse.person, id, &record);
    assert_eq!(bytes.unwrap(), b"mine", "a delegate that may share gives rights");

    travel::pass(&clinic.stack, 11 * DAY).unwrap();
    let (outcome, _) = reads(&clinic, &carer, id, &record);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.error.contains("delegation-expired"), "{outcome:?}");
    let state = patient.does(&["delegate", "list", id]).unwrap();
    assert_eq!(state.text("state").unwrap(), "delegation-expired");
    assert_eq!(carer.types(&words).unwrap().code, 1, "and decides nothing any more");

    let before = envelopes(patient).unwrap().len();
    let ended = patient.does(&["delegate", "revoke", id, &delegation]).unwrap();
    assert_eq!(number(&ended, "envelopes_deleted"), 2);
    assert_eq!(envelopes(patient).unwrap().len(), before - 2);
    clinic.stack.stop().unwrap();
}

#[test]
fn memberships_and_approvals_end_and_are_renewed() {
    let clinic = Clinic::open().unwrap();
    let admin = clinic.stack.person("admin");
    let doctor = clinic.employs("doctor", "doctor").unwrap();
    let id = &clinic.patient_id;
    let institution = format!("institution:{}", clinic.id);
    let terms = [
        "--classes",
        "0",
        "--rights",
        "read,append",
        "--purposes",
        "treatment",
        "--for",
        "3000d",
    ];
    clinic.grants(&institution, &terms).unwrap();
    let record = stores(&clinic, &doctor.person, id, "in time");

    clinic
        .hospital
        .does(&["member", "renew", &doctor.member, "--for", "10d"])
        .unwrap();
    admin
        .does(&["institution", "renew", &clinic.id, "--for", "20d"])
        .unwrap();
    travel::pass(&clinic.stack, 11 * DAY).unwrap();
    let (outcome, _) = reads(&clinic, &doctor.person, id, &record);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.error.contains("member-expired"), "{outcome:?}");
    clinic
        .hospital
        .does(&["member", "renew", &doctor.member, "--for", "100d"])
        .unwrap();
    let (outcome, _) = reads(&clinic, &doctor.person, id, &record);
    assert_eq!(outcome.code, 0, "{outcome:?}");

    travel::pass(&clinic.stack, 10 * DAY).unwrap();
    let (outcome, _) = reads(&clinic, &doctor.person, id, &record);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.error.contains("institution-not-active"), "{outcome:?}");
    admin.does(&["institution", "renew", &clinic.id]).unwrap();
    let (outcome, _) = reads(&clinic, &doctor.person, id, &record);
    assert_eq!(outcome.code, 0, "{outcome:?}");

    let successor = clinic.stack.person("successor");
    let wallet = successor.arrives().unwrap();
    clinic
        .hospital
        .does(&["institution", "propose-authority", &clinic.id, &wallet])
        .unwrap();
    successor
        .does(&["institution", "accept-authority", &clinic.id])
        .unwrap();
    let credential = ["member", "emergency-credential", "on", &doctor.member];
    assert_eq!(clinic.hospital.types(&credential).unwrap().code, 1, "it handed over");
    successor.does(&credential).unwrap();
    successor
        .does(&["member", "emergency-credential", "off", &doctor.member])
        .unwrap();
    clinic.stack.stop().unwrap();
}

#[test]
fn the_admin_gives_a_suspended_institution_another_authority() {
    let clinic = Clinic::open().unwrap();
    let admin = clinic.stack.person("admin");
    let [thief, successor] = ["thief", "successor"].map(|name| clinic.stack.person(name));
    let [thiefs, successors] = [&thief, &successor].map(|person| person.arrives().unwrap());
    let proposes = |who: &Person, wallet: &str| {
        who.types(&["institution", "propose-authority", &clinic.id, wallet])
            .unwrap()
    };
    let early = proposes(&admin, &successors);
    assert!(
        early.code == 1 && early.error.contains("NotInstitutionAuthority"),
        "as long as it is approved it speaks for itself: {early:?}"
    );
    admin.does(&["institution", "suspend", &clinic.id]).unwrap();
    let stolen = proposes(&clinic.hospital, &thiefs);
    assert!(stolen.code == 1 && stolen.error.contains("NotAdmin"), "{stolen:?}");
    assert_eq!(proposes(&admin, &successors).code, 0);
    let accept = ["institution", "accept-authority", &clinic.id];
    assert_eq!(thief.types(&accept).unwrap().code, 1);
    successor.does(&accept).unwrap();
    admin.does(&["institution", "reinstate", &clinic.id]).unwrap();
    assert_eq!(proposes(&clinic.hospital, &thiefs).code, 1, "it has no say any more");
    assert_eq!(proposes(&successor, &thiefs).code, 0);
    clinic.stack.stop().unwrap();
}

#[test]
fn grants_show_whose_keys_are_pending_until_somebody_wraps_them() {
    let clinic = Clinic::open().unwrap();
    let (patient, id) = (&clinic.patient, &clinic.patient_id);
    let record = stores(&clinic, patient, id, "mine");
    let institution = format!("institution:{}", clinic.id);
    let grant = clinic
        .grants(&institution, &["--classes", "0", "--purposes", "treatment"])
        .unwrap();
    let pending = || {
        let listed = patient.does(&["grants", id]).unwrap();
        assert_eq!(listed.text("grant").unwrap(), grant);
        listed.objects[0]["key_pending"].clone()
    };
    assert_eq!(pending(), Value::Array(vec![]));
    clinic.employs("doctor", "doctor").unwrap();
    assert_eq!(pending(), Value::Array(vec![record.into()]), "somebody joined since");
    patient.does(&["rewrap", id]).unwrap();
    assert_eq!(pending(), Value::Array(vec![]));
    clinic.stack.stop().unwrap();
}
