//! What is under way when the story ends: offers that nobody has answered, terms that still run, and people who have yet to
//! accept. So rows and accounts have something in each of their columns, and nothing in those that may be empty.

use chartseal_tests::people::Person;

use crate::{
    Scene,
    chapters::{Heritage, Payer},
    key_of, put, refused, stores, wallet_of,
};

pub(crate) fn leave(scene: &Scene, heritage: &Heritage, payer: &Payer) {
    let stack = &scene.clinic.stack;
    // It speaks for registry and hospital since they changed hands.
    let speaker = stack.person("successor");
    let somebody = wallet_of(&stack.person("cem"));
    // None of it has to do with the rest.
    std::thread::scope(|scope| {
        scope.spawn(|| offices(scene, &speaker, &somebody));
        scope.spawn(|| agreements(scene, &speaker, payer));
        scope.spawn(|| recovery(scene, &heritage.patient, &somebody));
        consent(scene);
    });
    scene.patient(&["patient", "hand-over", &scene.clinic.patient_id, "--to", &somebody]);
}

/// A delegate who has not accepted, and a wallet that guardians agree on once more.
fn recovery(scene: &Scene, id: &str, somebody: &str) {
    let stack = &scene.clinic.stack;
    let name = ["delegate", "name", id, "--wallet", somebody, "--rights", "read"];
    stack.person("next").does(&name).unwrap();
    let choice = key_of(&stack.person("carer"));
    for guardian in ["ada", "ben"] {
        let votes = ["guardian", "vote", id, &choice];
        stack.person(guardian).does(&votes).unwrap();
    }
}

fn offices(scene: &Scene, speaker: &Person, somebody: &str) {
    let id = &scene.clinic.id;
    for words in [
        &["registry", "propose-admin", somebody][..],
        &["institution", "propose-authority", id, somebody],
        &[
            "institution",
            "register",
            "--kind",
            "laboratory",
            "--authority",
            somebody,
        ],
        &["member", "register", id, "--wallet", somebody, "--role", "technician"],
        &["patient", "open", "--steward", id],
    ] {
        speaker.does(words).unwrap();
    }
}

fn consent(scene: &Scene) {
    let (id, doctor) = (scene.clinic.patient_id.as_str(), &scene.doctor.person);
    let own = stores(&scene.clinic.patient, id, "6").text("record").unwrap();
    let note = chartseal_tests::programs::fixture("note.txt");
    scene.patient(&["amend", id, &own, note.to_str().unwrap()]);
    scene.patient(&put(id, "6", note.to_str().unwrap()));
    let policy = ["policy", "set", id, &scene.clinic.id, "--classes", "5,7"];
    scene.patient(&[&policy[..], &["--purposes", "treatment"]].concat());
    let to_nurse = format!("member:{}", scene.nurse.member);
    let grants = |uses: &str| {
        let terms = ["--record", &own, "--purposes", "treatment", "--uses", uses];
        scene.clinic.grants(&to_nurse, &terms).unwrap()
    };
    grants("2");
    let once = grants("1");
    let out = scene.clinic.stack.folder().join("once");
    let reads = || {
        let get = ["get", id, &own, "--force", "--grant", &once, "--out"];
        let typed = [&get[..], &[out.to_str().unwrap()]].concat();
        scene.nurse.person.types(&typed).unwrap()
    };
    assert_eq!(reads().code, 0);
    refused(&reads(), "grant-exhausted");
    let asks = ["request", id, "--record", &own, "--purposes", "treatment"];
    doctor.does(&asks).unwrap();
    let books = scene.clinic.stack.folder().join("books");
    let opens = ["emergency", "open", "--patient", id, "--reason", "asleep", "--books"];
    doctor.does(&[&opens[..], &[books.to_str().unwrap()]].concat()).unwrap();
}

/// One that is accepted, and one that is not.
fn agreements(scene: &Scene, speaker: &Person, payer: &Payer) {
    let insurance = scene.clinic.stack.person("insurance");
    let propose = ["agreement", "propose", "--provider", &scene.clinic.id, "--classes", "4"];
    let terms = ["--purpose", "payment", "--price", "10", "--mint", &payer.mint];
    let proposes = || {
        let proposed = insurance.does(&[&propose[..], &terms].concat()).unwrap();
        format!("{}:{}", payer.institution, proposed.text("agreement").unwrap())
    };
    proposes();
    speaker.does(&["agreement", "accept", &proposes()]).unwrap();
}
