//! What people do so that the contract emits each of its events.

use chartseal_tests::{
    money::{CLASSIC, Money},
    people::Person,
    programs::fixture,
    travel,
};
use serde_json::json;

use crate::{Scene, key_of, put, refused, stores, wallet_of};

const DAY: i64 = 86_400;

/// Policies, requests, grants that are passed on, and refusals of each.
pub(crate) fn consent(scene: &Scene) {
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
pub(crate) fn emergency(scene: &Scene) {
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
pub(crate) fn archive(scene: &Scene) {
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

/// Who pays.
pub(crate) struct Payer {
    pub(crate) institution: String,
    /// Of the tokens it pays with.
    pub(crate) mint: String,
}

/// An agreement from its offer to its end, and one version that is paid for.
pub(crate) async fn payment(scene: &Scene) -> Payer {
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
    Payer {
        institution: consumer,
        mint,
    }
}

/// A chart that somebody takes over.
pub(crate) struct Heritage {
    pub(crate) patient: String,
    /// The wallet that takes over.
    pub(crate) heir: String,
}

/// A chart that is handed over, has a delegate, and whose guardians agree on another wallet.
pub(crate) fn inheritance(scene: &Scene) -> Heritage {
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
    Heritage {
        patient: id,
        heir: wallets[2].clone(),
    }
}

/// The wallet takes the chart over, after a day in which nobody objects.
pub(crate) async fn takes_over(scene: &Scene, heritage: &Heritage) {
    travel::let_pass(&scene.clinic.stack, DAY).await.unwrap();
    let finish = ["guardian", "finish", &heritage.patient];
    scene.clinic.stack.person("next").does(&finish).unwrap();
}

pub(crate) fn erasure(scene: &Scene) {
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
pub(crate) fn standings(scene: &Scene) {
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
