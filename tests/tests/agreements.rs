//! Agreements: an insurance pays a hospital for records that the patient lets it read, once for each version, and gets back
//! what is left. Paying gives no right.

#![allow(clippy::unwrap_used)]

use std::fs;

use chartseal_tests::{
    clinic::{Clinic, Employee},
    money::{CLASSIC, Money, TOKEN_2022},
    people::{Outcome, Person},
    programs::fixture,
};
use tokio::runtime::Runtime;

const PRICE: u64 = 250;
const DEPOSIT: u64 = 1_000;
const PURSE: u64 = 10_000;

struct Scene {
    runtime: Runtime,
    clinic: Clinic,
    insurance: Person,
    insurance_id: String,
    clerk: Employee,
    money: Money,
    record: String,
    request: String,
    grant: String,
    /// `CONSUMER:AGREEMENT`.
    agreement: String,
}

impl Scene {
    /// A hospital's record that its patient lets an insurance read, and an agreement that both signed.
    fn new(token_program: &str, fee: Option<u16>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let clinic = Clinic::open().unwrap();
        let doctor = clinic.employs("doctor", "doctor").unwrap();
        let (insurance, insurance_id) = clinic.institution("insurance", "insurer").unwrap();
        let clerk = employ(&clinic, &insurance, &insurance_id);
        let to = format!("member:{}", doctor.member);
        clinic
            .grants(
                &to,
                &["--classes", "4", "--rights", "append,amend", "--purposes", "treatment"],
            )
            .unwrap();
        let note = fixture("note.txt");
        let put = ["put", &clinic.patient_id, note.to_str().unwrap(), "--class", "4"];
        let record = doctor.person.does(&put).unwrap().text("record").unwrap();
        let asked = [
            "request",
            &clinic.patient_id,
            "--record",
            &record,
            "--purposes",
            "payment",
        ];
        let request = clerk.person.does(&asked).unwrap().text("request").unwrap();
        let approve = ["decide", "approve", &clinic.patient_id, &request];
        let grant = clinic.patient.does(&approve).unwrap().text("grant").unwrap();

        let (rpc, program) = (clinic.stack.endpoints().rpc.clone(), token_program.parse().unwrap());
        let money = runtime.block_on(Money::mint(&insurance, &rpc, program, fee)).unwrap();
        runtime.block_on(money.pour(&wallet(&insurance), PURSE)).unwrap();
        let mint = money.address();
        let proposed = insurance
            .does(&[
                "agreement",
                "propose",
                "--provider",
                &clinic.id,
                "--mint",
                &mint,
                "--classes",
                "4",
                "--purpose",
                "payment",
                "--price",
                &PRICE.to_string(),
            ])
            .unwrap();
        assert_eq!(proposed.text("consumer").unwrap(), insurance_id);
        let agreement = format!("{insurance_id}:{}", proposed.text("agreement").unwrap());
        clinic.hospital.does(&["agreement", "accept", &agreement]).unwrap();
        let deposit = DEPOSIT.to_string();
        insurance
            .does(&["agreement", "fund", &agreement, "--amount", &deposit])
            .unwrap();
        Self {
            runtime,
            clinic,
            insurance,
            insurance_id,
            clerk,
            money,
            record,
            request,
            grant,
            agreement,
        }
    }

    /// The clerk reads and pays: what came of it. Where it worked, the file is whole.
    fn reads_and_pays(&self) -> Outcome {
        let out = self.clinic.stack.folder().join("paid");
        let agreement = self.agreement.split(':').nth(1).unwrap();
        let words = [
            "get",
            &self.clinic.patient_id,
            &self.record,
            "--pay",
            agreement,
            "--request",
            &self.request,
            "--out",
            out.to_str().unwrap(),
        ];
        let outcome = self.clerk.person.types(&words).unwrap();
        assert_eq!(out.exists(), outcome.code == 0, "{outcome:?}");
        if outcome.code == 0 {
            assert_eq!(fs::read(&out).unwrap(), fs::read(fixture("note.txt")).unwrap());
            fs::remove_file(out).unwrap();
        }
        outcome
    }

    fn listed(&self) -> Outcome {
        let listed = self.insurance.does(&["agreement", "list", &self.insurance_id]).unwrap();
        assert_eq!(listed.objects.len(), 1);
        listed
    }

    /// What the agreement says that it paid.
    fn paid(&self) -> u64 {
        self.listed().objects[0]["paid"].as_u64().unwrap()
    }

    fn escrow(&self) -> Option<u64> {
        let escrow = self.listed().text("escrow").unwrap();
        self.runtime.block_on(self.money.balance_at(&escrow)).unwrap()
    }

    fn has(&self, who: &Person) -> u64 {
        self.runtime
            .block_on(self.money.balance(&wallet(who)))
            .unwrap()
            .unwrap()
    }

    fn ends(self) {
        self.clinic.stack.stop().unwrap();
    }
}

fn wallet(who: &Person) -> String {
    who.does(&["keys", "show"]).unwrap().text("wallet").unwrap()
}

fn employ(clinic: &Clinic, insurance: &Person, id: &str) -> Employee {
    let person = clinic.stack.person("clerk");
    let wallet = person.arrives().unwrap();
    let words = ["member", "register", id, "--wallet", &wallet, "--role", "insurer"];
    let member = format!("{id}:{}", insurance.does(&words).unwrap().text("member").unwrap());
    person.does(&["member", "accept", &member]).unwrap();
    Employee { person, member }
}

#[test]
fn each_version_is_paid_for_once_and_the_rest_goes_back() {
    let scene = Scene::new(&CLASSIC.to_string(), None);
    assert_eq!(scene.reads_and_pays().code, 0);
    assert_eq!((scene.paid(), scene.escrow()), (PRICE, Some(DEPOSIT - PRICE)));
    assert_eq!(scene.has(&scene.clinic.hospital), PRICE);
    // Read again, paid once.
    assert_eq!(scene.reads_and_pays().code, 0);
    assert_eq!((scene.paid(), scene.escrow()), (PRICE, Some(DEPOSIT - PRICE)));

    let agreement = scene.agreement.split(':').nth(1).unwrap();
    let patient = &scene.clinic.patient_id;
    let settle = [
        "agreement",
        "settle",
        agreement,
        "--patient",
        patient,
        "--request",
        &scene.request,
    ];
    let twice = scene.clerk.person.types(&settle).unwrap();
    assert_eq!(twice.code, 1, "{twice:?}");
    assert!(twice.error.contains("paid for before"), "{}", twice.error);
    // A new version costs again.
    let note = fixture("note.txt");
    let doctor = scene.clinic.stack.person("doctor");
    doctor
        .does(&["amend", patient, &scene.record, note.to_str().unwrap()])
        .unwrap();
    scene.clerk.person.does(&settle).unwrap();
    assert_eq!(scene.paid(), 2 * PRICE);

    let closed = scene
        .clinic
        .hospital
        .does(&["agreement", "close", &scene.agreement])
        .unwrap();
    assert_eq!(closed.text("event").unwrap(), "AgreementClosed");
    assert_eq!(scene.escrow(), None, "the escrow is closed too");
    assert_eq!(scene.has(&scene.insurance), PURSE - 2 * PRICE);
    assert_eq!(scene.has(&scene.clinic.hospital), 2 * PRICE);
    assert_eq!(scene.listed().text("state").unwrap(), "closed");
    // It read and paid; now it reads by its grant alone.
    let (outcome, bytes) = opens_for_payment(&scene);
    assert!(bytes, "{outcome:?}");
    scene.ends();
}

/// The clerk reads without paying, by the grant.
fn opens_for_payment(scene: &Scene) -> (Outcome, bool) {
    let out = scene.clinic.stack.folder().join("unpaid");
    let words = [
        "get",
        &scene.clinic.patient_id,
        &scene.record,
        "--purpose",
        "payment",
        "--out",
    ];
    let words = [&words[..], &[out.to_str().unwrap()]].concat();
    let outcome = scene.clerk.person.types(&words).unwrap();
    let opened = out.exists();
    (outcome, opened)
}

#[test]
fn whoever_is_refused_does_not_pay() {
    let scene = Scene::new(&CLASSIC.to_string(), None);
    let revoke = ["revoke", &scene.clinic.patient_id, &scene.grant];
    scene.clinic.patient.does(&revoke).unwrap();
    let refused = scene.reads_and_pays();
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.error.contains("grant-revoked"), "{}", refused.error);
    assert_eq!((scene.paid(), scene.escrow()), (0, Some(DEPOSIT)));
    // The money alone buys nothing either.
    let agreement = scene.agreement.split(':').nth(1).unwrap();
    let patient = &scene.clinic.patient_id;
    let settle = [
        "agreement",
        "settle",
        agreement,
        "--patient",
        patient,
        "--request",
        &scene.request,
    ];
    let outcome = scene.clerk.person.types(&settle).unwrap();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!((scene.paid(), scene.escrow()), (0, Some(DEPOSIT)));
    // Nor does a stranger close it.
    let closed = scene
        .clinic
        .patient
        .types(&["agreement", "close", &scene.agreement])
        .unwrap();
    assert_eq!(closed.code, 1, "{closed:?}");
    assert_eq!(scene.listed().text("state").unwrap(), "active");
    scene.ends();
}

#[test]
fn a_mint_that_takes_a_fee_pays_too_and_its_escrow_is_closed_all_the_same() {
    // One percent.
    let scene = Scene::new(&TOKEN_2022.to_string(), Some(100));
    let received = DEPOSIT - DEPOSIT / 100;
    assert_eq!(scene.listed().objects[0]["deposited"], received, "what arrived counts");
    assert_eq!(scene.reads_and_pays().code, 0);
    assert_eq!(scene.escrow(), Some(received - PRICE));
    assert_eq!(scene.has(&scene.clinic.hospital), PRICE - PRICE.div_ceil(100));
    scene.insurance.does(&["agreement", "close", &scene.agreement]).unwrap();
    assert_eq!(scene.escrow(), None);
    let rest = received - PRICE;
    assert_eq!(scene.has(&scene.insurance), PURSE - DEPOSIT + rest - rest.div_ceil(100));
    scene.ends();
}
