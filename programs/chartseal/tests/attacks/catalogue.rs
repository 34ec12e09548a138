//! Every instruction, in each of the ways in which its accounts differ, as a story in which it succeeds. A new instruction
//! joins every attack by a line of [`CATALOGUE`].

use std::sync::{LazyLock, Mutex};

use chartseal_program::{
    builders::{self as ix, As, Reviewing},
    events::Terms,
    instructions::*,
    log::sha256_of,
    merkle::{Leaf, Tree},
    seeds::{address, Id, BATCH, NO_ID},
    state::*,
    vocabulary::*,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*, story::*, tokens::*, unnamed};

/// An instruction, one of its ways, and its story. An instruction that has several ways is named again.
type Entry = (&'static str, &'static str, fn() -> Story);

#[rustfmt::skip]
const CATALOGUE: &[Entry] = &[
    ("initialize", "", initialize),
    ("propose_admin", "", propose_admin),
    ("accept_admin", "", accept_admin),
    ("set_paused", "", set_paused),
    ("register_institution", "", register_institution),
    ("accept_institution", "", accept_institution),
    ("set_institution_standing", "", set_institution_standing),
    ("renew_institution", "", renew_institution),
    ("propose_authority", "by itself", || propose_authority(false)),
    ("propose_authority", "by the admin", || propose_authority(true)),
    ("accept_authority", "", accept_authority),
    ("register_member", "", register_member),
    ("accept_membership", "", accept_membership),
    ("set_member_standing", "", set_member_standing),
    ("renew_member", "", renew_member),
    ("set_emergency_credential", "", set_emergency_credential),
    ("open_patient", "by itself", || open_patient(false)),
    ("open_patient", "by a steward", || open_patient(true)),
    ("propose_wallet", "by the patient", || propose_wallet(false)),
    ("propose_wallet", "by a steward", || propose_wallet(true)),
    ("accept_wallet", "from the patient", || accept_wallet(false)),
    ("accept_wallet", "from a steward", || accept_wallet(true)),
    ("rotate_patient_key", "", rotate_patient_key),
    ("name_delegate", "", name_delegate),
    ("accept_delegation", "", accept_delegation),
    ("revoke_delegate", "by the patient", || revoke_delegate(false)),
    ("revoke_delegate", "by the delegate", || revoke_delegate(true)),
    ("set_guardians", "", set_guardians),
    ("set_break_glass", "", set_break_glass),
    ("vote_recovery", "", vote_recovery),
    ("object_to_recovery", "", object_to_recovery),
    ("finish_recovery", "", finish_recovery),
    ("create_grant", "by the patient", || create_grant(Decider::Patient, false)),
    ("create_grant", "on a record", || create_grant(Decider::Patient, true)),
    ("create_grant", "by a steward", || create_grant(Decider::Steward, false)),
    ("create_grant", "by a delegate", || create_grant(Decider::Delegate, false)),
    ("revoke_grant", "by the patient", || revoke_grant(Decider::Patient)),
    ("revoke_grant", "by a steward", || revoke_grant(Decider::Steward)),
    ("revoke_grant", "by a delegate", || revoke_grant(Decider::Delegate)),
    ("pass_on_grant", "that the patient gave", || pass_on_grant(0)),
    ("pass_on_grant", "that was passed on twice", || pass_on_grant(2)),
    ("set_policy", "", set_policy),
    ("request_access", "to a class", || request_access(false)),
    ("request_access", "to a record", || request_access(true)),
    ("decide_request", "by approving", || decide_request(true)),
    ("decide_request", "by denying", || decide_request(false)),
    ("open_emergency", "", open_emergency),
    ("review_emergency", "by the patient", || review_emergency(ReviewedBy::Patient)),
    ("review_emergency", "by a delegate", || review_emergency(ReviewedBy::Delegate)),
    ("review_emergency", "by the authority", || review_emergency(ReviewedBy::Authority)),
    ("review_emergency", "by an auditor", || review_emergency(ReviewedBy::Auditor)),
    ("review_emergency", "that turns the one before", turn_review),
    ("create_record", "by consent", || create_record(true)),
    ("create_record", "by grant", || create_record(false)),
    ("amend_record", "by consent", || amend_record(true)),
    ("amend_record", "by grant", || amend_record(false)),
    ("access_record", "by the patient", access_by_patient),
    ("access_record", "by a delegate", access_by_delegate),
    ("access_record", "by a person's grant", access_by_person),
    ("access_record", "by a grant that was passed on", access_by_line),
    ("access_record", "by a policy", access_by_policy),
    ("access_record", "in an emergency", access_in_emergency),
    ("access_record", "by who wrote the first version", access_to_first_version),
    ("anchor_batch", "", anchor_batch),
    ("promote_batched", "by consent", promote_batched),
    ("erase_record", "", erase_record),
    ("attest_erasure", "by the patient", || attest_erasure(false)),
    ("attest_erasure", "by a member", || attest_erasure(true)),
    ("attest_erasure", "by who wrote the first version", attest_first_version),
    ("propose_agreement", "", propose_agreement),
    ("accept_agreement", "", accept_agreement),
    ("fund_agreement", "", fund_agreement),
    ("settle_access", "", settle_access),
    ("close_agreement", "", close_agreement),
    ("open_tree", "", unnamed::open_tree),
    ("create_anonymous_grant", "by the patient", || unnamed::create(Decider::Patient, false)),
    ("create_anonymous_grant", "by a steward", || unnamed::create(Decider::Steward, false)),
    ("create_anonymous_grant", "by a delegate", || unnamed::create(Decider::Delegate, false)),
    ("create_anonymous_grant", "on a record that has one", || unnamed::create(Decider::Patient, true)),
    ("revoke_anonymous_grant", "by the patient", || unnamed::revoke(Decider::Patient)),
    ("revoke_anonymous_grant", "by a steward", || unnamed::revoke(Decider::Steward)),
    ("revoke_anonymous_grant", "by a delegate", || unnamed::revoke(Decider::Delegate)),
    ("verify_access_proof", "", unnamed::verify),
    ("close_nullifier", "", unnamed::close),
];

/// Every story, one after another. They are told once for all attacks; each attack has ledgers of its own.
pub(crate) fn stories() -> impl Iterator<Item = Story> {
    static TOLD: LazyLock<Mutex<Vec<Story>>> = LazyLock::new(|| Mutex::new(tell()));
    let stories: Vec<_> = TOLD.lock().unwrap().iter().map(Story::again).collect();
    stories.into_iter()
}

fn tell() -> Vec<Story> {
    let tell = |(instruction, way, story): &Entry| {
        let mut story = story();
        story.name = match *way {
            "" => (*instruction).into(),
            way => format!("{instruction}: {way}"),
        };
        story
    };
    CATALOGUE.iter().map(tell).collect()
}

#[test]
fn catalogue_tells_of_every_instruction() {
    let told = CATALOGUE
        .iter()
        .map(|(instruction, ..)| (*instruction).into())
        .collect();
    assert_eq!(instructions(), told);
}

#[test]
fn every_story_succeeds() {
    for mut story in stories() {
        let done = story.succeed();
        assert_ne!(done.event.name(), "ActionRefused", "{}", story.name);
    }
}

// The registry.

fn initialize() -> Story {
    let mut chain = Chain::bare();
    let (upgrade, admin, payer) = (
        chain.upgrade_authority.insecure_clone(),
        chain.admin.pubkey(),
        chain.wallet(),
    );
    let initialize = ix::initialize(upgrade.pubkey(), payer.pubkey(), program_data(), admin);
    Story::new(chain, initialize, &[&upgrade, &payer])
}

fn propose_admin() -> Story {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet());
    Story::new(chain, ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin])
}

fn accept_admin() -> Story {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet());
    chain.must(ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin]);
    Story::new(chain, ix::accept_admin(next.pubkey()), &[&next])
}

fn set_paused() -> Story {
    let chain = Chain::new();
    let admin = chain.admin.insecure_clone();
    Story::new(chain, ix::set_paused(admin.pubkey(), true), &[&admin])
}

// Institutions and members.

fn invited_institution(chain: &Chain, authority: &Keypair) -> RegisterInstitutionArgs {
    RegisterInstitutionArgs {
        id: id(90),
        kind: InstitutionKind::Hospital,
        authority: authority.pubkey(),
        expires: chain.now() + DAY,
    }
}

fn register_institution() -> Story {
    let mut chain = Chain::new();
    let (admin, authority, payer) = (chain.admin.insecure_clone(), chain.wallet(), chain.wallet());
    let args = invited_institution(&chain, &authority);
    let register = ix::register_institution(admin.pubkey(), payer.pubkey(), args);
    Story::new(chain, register, &[&admin, &payer])
}

fn accept_institution() -> Story {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet());
    let args = invited_institution(&chain, &authority);
    chain.must(
        ix::register_institution(admin.pubkey(), admin.pubkey(), args),
        &[&admin],
    );
    let accept = ix::accept_institution(authority.pubkey(), &args.id, keys(1));
    Story::new(chain, accept, &[&authority])
}

fn set_institution_standing() -> Story {
    let world = World::new();
    let admin = world.chain.admin.insecure_clone();
    let set = ix::set_institution_standing(admin.pubkey(), &world.hospital.id, Standing::Suspended);
    Story::of(world, set, &[&admin])
}

fn renew_institution() -> Story {
    let world = World::new();
    let admin = world.chain.admin.insecure_clone();
    let renew = ix::renew_institution(admin.pubkey(), &world.hospital.id, GENESIS + DAY);
    Story::of(world, renew, &[&admin])
}

fn propose_authority(suspended: bool) -> Story {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    let by = match suspended {
        true => {
            world.set_institution_standing(&hospital, Standing::Suspended);
            world.chain.admin.insecure_clone()
        }
        false => hospital.authority,
    };
    let propose = ix::propose_authority(by.pubkey(), &hospital.id, next.pubkey());
    Story::of(world, propose, &[&by])
}

fn accept_authority() -> Story {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    let propose = ix::propose_authority(hospital.authority.pubkey(), &hospital.id, next.pubkey());
    world.chain.must(propose, &[&hospital.authority]);
    Story::of(world, ix::accept_authority(next.pubkey(), &hospital.id), &[&next])
}

fn invited_member(chain: &Chain, wallet: &Keypair) -> RegisterMemberArgs {
    RegisterMemberArgs {
        id: id(91),
        wallet: wallet.pubkey(),
        role: Role::Nurse,
        expires: chain.now() + DAY,
    }
}

fn register_member() -> Story {
    let mut world = World::new();
    let (hospital, wallet, payer) = (world.hospital.clone(), world.chain.wallet(), world.chain.wallet());
    let args = invited_member(&world.chain, &wallet);
    let register = ix::register_member(hospital.authority.pubkey(), payer.pubkey(), &hospital.id, args);
    Story::of(world, register, &[&hospital.authority, &payer])
}

fn accept_membership() -> Story {
    let mut world = World::new();
    let (hospital, wallet) = (world.hospital.clone(), world.chain.wallet());
    let args = invited_member(&world.chain, &wallet);
    let authority = hospital.authority.pubkey();
    let register = ix::register_member(authority, authority, &hospital.id, args);
    world.chain.must(register, &[&hospital.authority]);
    let accept = ix::accept_membership(wallet.pubkey(), &hospital.id, &args.id, keys(2));
    Story::of(world, accept, &[&wallet])
}

fn set_member_standing() -> Story {
    let world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.id);
    let set = ix::set_member_standing(hospital.authority.pubkey(), &hospital.id, &doctor, Standing::Suspended);
    Story::of(world, set, &[&hospital.authority])
}

fn renew_member() -> Story {
    let world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.id);
    let renew = ix::renew_member(hospital.authority.pubkey(), &hospital.id, &doctor, GENESIS + DAY);
    Story::of(world, renew, &[&hospital.authority])
}

fn set_emergency_credential() -> Story {
    let world = World::new();
    let (hospital, doctor) = (world.hospital.clone(), world.doctor.id);
    let set = ix::set_emergency_credential(hospital.authority.pubkey(), &hospital.id, &doctor, true);
    Story::of(world, set, &[&hospital.authority])
}

// Patients and those who act for them.

fn open_patient(stewarded: bool) -> Story {
    let mut world = World::new();
    let (hospital, payer) = (world.hospital.clone(), world.chain.wallet());
    let (opener, steward) = match stewarded {
        true => (hospital.authority, Some(&hospital.id)),
        false => (world.chain.wallet(), None),
    };
    let args = OpenPatientArgs {
        id: id(92),
        keys: keys(3),
    };
    let open = ix::open_patient(opener.pubkey(), payer.pubkey(), steward, args);
    Story::of(world, open, &[&opener, &payer])
}

fn propose_wallet(stewarded: bool) -> Story {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    let (issuer, steward) = match stewarded {
        true => {
            world.steward_patient();
            (hospital.authority, Some(&hospital.id))
        }
        false => (world.patient.wallet.insecure_clone(), None),
    };
    let propose = ix::propose_wallet(issuer.pubkey(), steward, &world.patient.id, next.pubkey());
    Story::of(world, propose, &[&issuer])
}

fn accept_wallet(stewarded: bool) -> Story {
    let mut world = World::new();
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    let (issuer, steward) = match stewarded {
        true => {
            world.steward_patient();
            (hospital.authority, Some(&hospital.id))
        }
        false => (world.patient.wallet.insecure_clone(), None),
    };
    let patient = world.patient.id;
    let propose = ix::propose_wallet(issuer.pubkey(), steward, &patient, next.pubkey());
    world.chain.must(propose, &[&issuer]);
    let accept = ix::accept_wallet(next.pubkey(), steward, &patient, keys(7));
    Story::of(world, accept, &[&next])
}

fn rotate_patient_key() -> Story {
    let world = World::new();
    let patient = world.patient.clone();
    let rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(7));
    Story::of(world, rotate, &[&patient.wallet])
}

fn name_delegate() -> Story {
    let mut world = World::new();
    let (patient, wallet, payer) = (world.patient.clone(), world.chain.wallet(), world.chain.wallet());
    let args = world.delegation(&wallet, Action::MASK);
    let name = ix::name_delegate(patient.wallet.pubkey(), payer.pubkey(), &patient.id, args);
    Story::of(world, name, &[&patient.wallet, &payer])
}

fn accept_delegation() -> Story {
    let mut world = World::new();
    let carer = world.named_delegate(Action::MASK);
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &world.patient.id, &carer.id, keys(8));
    Story::of(world, accept, &[&carer.wallet])
}

fn revoke_delegate(by_itself: bool) -> Story {
    let mut world = World::new();
    let carer = world.delegate(Action::MASK);
    let wallet = match by_itself {
        true => carer.wallet,
        false => world.patient.wallet.insecure_clone(),
    };
    let revoke = ix::revoke_delegate(wallet.pubkey(), &world.patient.id, &carer.id);
    Story::of(world, revoke, &[&wallet])
}

fn set_guardians() -> Story {
    let mut world = World::new();
    let (patient, payer) = (world.patient.clone(), world.chain.wallet());
    let args = SetGuardiansArgs {
        guardians: named(&[world.chain.wallet(), world.chain.wallet()]),
        threshold: 2,
        delay: SHORTEST_DELAY,
    };
    let set = ix::set_guardians(patient.wallet.pubkey(), payer.pubkey(), &patient.id, args);
    Story::of(world, set, &[&patient.wallet, &payer])
}

fn set_break_glass() -> Story {
    let mut world = World::new();
    let (patient, payer) = (world.patient.clone(), world.chain.wallet());
    let holders = [world.hospital.id, world.insurance.id];
    let set = ix::set_break_glass(patient.wallet.pubkey(), payer.pubkey(), &patient.id, &holders, 2);
    Story::of(world, set, &[&patient.wallet, &payer])
}

fn vote_recovery() -> Story {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    let vote = world.vote_ix(&guardians[0], next.pubkey(), keys(6));
    Story::of(world, vote, &[&guardians[0]])
}

/// Two of two guardians voted for a wallet.
fn voted() -> (World, Keypair) {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    guardians.iter().for_each(|guardian| {
        world.vote(guardian, &next);
    });
    (world, next)
}

fn object_to_recovery() -> Story {
    let (world, _) = voted();
    let patient = world.patient.clone();
    let object = ix::object_to_recovery(patient.wallet.pubkey(), &patient.id);
    Story::of(world, object, &[&patient.wallet])
}

fn finish_recovery() -> Story {
    let (mut world, next) = voted();
    world.wait(SHORTEST_DELAY);
    let finish = ix::finish_recovery(next.pubkey(), &world.patient.id);
    Story::of(world, finish, &[&next])
}

// Consent.

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Decider {
    Patient,
    Steward,
    Delegate,
}

/// A world in which this decides for the patient, and its wallet.
pub(crate) fn deciding(decider: Decider) -> (World, ix::By, Keypair) {
    let mut world = World::new();
    match decider {
        Decider::Patient => {
            let patient = world.patient.clone();
            (world, patient.deciding(), patient.wallet)
        }
        Decider::Steward => {
            world.steward_patient();
            let hospital = world.hospital.clone();
            (world, hospital.stewards(), hospital.authority)
        }
        Decider::Delegate => {
            let carer = world.delegate(Action::MASK);
            (world, carer.deciding(), carer.wallet)
        }
    }
}

fn create_grant(decider: Decider, on_record: bool) -> Story {
    let (mut world, by, wallet) = deciding(decider);
    let payer = world.chain.wallet();
    let mut terms = world.terms(GranteeKind::Member, world.insurer.address());
    if on_record {
        (terms.record, terms.classes) = (world.record(), 0);
    }
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms,
    };
    let create = ix::create_grant(&by, payer.pubkey(), &world.patient.id, args);
    Story::of(world, create, &[&wallet, &payer])
}

fn revoke_grant(decider: Decider) -> Story {
    let (mut world, by, wallet) = deciding(decider);
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms: world.terms(GranteeKind::Member, world.insurer.address()),
    };
    let create = ix::create_grant(&by, wallet.pubkey(), &world.patient.id, args);
    world.chain.fund(&wallet.pubkey());
    world.chain.must(create, &[&wallet]);
    let revoke = ix::revoke_grant(&by, &world.patient.id, &args.id);
    Story::of(world, revoke, &[&wallet])
}

fn pass_on_grant(depth: usize) -> Story {
    let mut world = World::new();
    let line = world.passed_on(|terms| terms.uses = 9);
    let (payer, grantee) = (world.chain.wallet(), world.insurer.address());
    let acting = line.acting(depth);
    let terms = Terms {
        uses: 1,
        ..world.terms(GranteeKind::Member, grantee)
    };
    let args = world.pass_on_args(&acting, terms);
    let pass = ix::pass_on_grant(&acting, payer.pubkey(), &world.patient.id, args);
    Story::of(world, pass, &[line.wallet(depth), &payer])
}

fn set_policy() -> Story {
    let mut world = World::new();
    let (patient, payer) = (world.patient.clone(), world.chain.wallet());
    let (hospital, args) = (world.hospital.id, world.policy_args());
    let set = ix::set_policy(&patient.deciding(), payer.pubkey(), &patient.id, &hospital, args);
    Story::of(world, set, &[&patient.wallet, &payer])
}

fn request_access(to_record: bool) -> Story {
    let mut world = World::new();
    let (doctor, payer, mut args) = (world.doctor.clone(), world.chain.wallet(), world.request_args());
    if to_record {
        (args.record, args.classes) = (world.record(), 0);
    }
    let member = (&doctor.institution, &doctor.id);
    let request = ix::request_access(doctor.wallet.pubkey(), payer.pubkey(), member, &world.patient.id, args);
    Story::of(world, request, &[&doctor.wallet, &payer])
}

fn decide_request(approving: bool) -> Story {
    let mut world = World::new();
    let (doctor, patient, payer) = (world.doctor.clone(), world.patient.clone(), world.chain.wallet());
    let record = world.record();
    let request = world.request(&doctor, |args| (args.record, args.classes) = (record, 0));
    let approval = Approval {
        grant: world.grant_id(),
        rights: Action::Read.bit(),
        purposes: Purpose::Treatment.bit(),
        classes: 0,
        not_before: 0,
        expires: world.chain.now() + DAY,
        uses: 3,
    };
    let args = DecideRequestArgs {
        approval: approving.then_some(approval),
    };
    // Denying looks at no record.
    let subject = (&request, approving.then_some(&record));
    let decide = ix::decide_request(&patient.deciding(), payer.pubkey(), &patient.id, subject, args);
    Story::of(world, decide, &[&patient.wallet, &payer])
}

// Emergencies.

fn open_emergency() -> Story {
    let mut world = World::new();
    let (doctor, payer, args) = (world.emergency_doctor(), world.chain.wallet(), world.emergency_args());
    let member = (&doctor.institution, &doctor.id);
    let open = ix::open_emergency(doctor.wallet.pubkey(), payer.pubkey(), member, &world.patient.id, args);
    Story::of(world, open, &[&doctor.wallet, &payer])
}

#[derive(Clone, Copy)]
enum ReviewedBy {
    Patient,
    Delegate,
    Authority,
    Auditor,
}

fn review_emergency(by: ReviewedBy) -> Story {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    let emergency = world.open_emergency(&doctor);
    let hospital = world.hospital.clone();
    let (by, wallet, reviewer) = match by {
        ReviewedBy::Patient => {
            let wallet = world.patient.wallet.insecure_clone();
            (Reviewing::wallet(wallet.pubkey()), wallet, Reviewer::Patient)
        }
        ReviewedBy::Delegate => {
            let carer = world.delegate(Action::Share.bit());
            (carer.reviewing(), carer.wallet, Reviewer::Patient)
        }
        ReviewedBy::Authority => {
            let wallet = hospital.authority;
            (Reviewing::wallet(wallet.pubkey()), wallet, Reviewer::Institution)
        }
        ReviewedBy::Auditor => {
            let auditor = world.chain.member(&hospital, 93, Role::Auditor);
            let by = Reviewing {
                auditor: Some(auditor.id),
                ..Reviewing::wallet(auditor.wallet.pubkey())
            };
            (by, auditor.wallet, Reviewer::Institution)
        }
    };
    let review = world.review_ix(&by, &doctor, &emergency, reviewer, Verdict::Unjustified);
    Story::of(world, review, &[&wallet])
}

fn turn_review() -> Story {
    let mut world = World::new();
    let (doctor, authority) = (world.emergency_doctor(), world.hospital.authority.insecure_clone());
    let emergency = world.open_emergency(&doctor);
    world.hospital_reviews(&doctor, &emergency, Verdict::Justified);
    let by = Reviewing::wallet(authority.pubkey());
    let turn = world.review_ix(&by, &doctor, &emergency, Reviewer::Institution, Verdict::Unjustified);
    Story::of(world, turn, &[&authority])
}

// Records.

fn create_record(by_consent: bool) -> Story {
    let mut world = World::new();
    let (doctor, patient, payer) = (world.doctor.clone(), world.patient.clone(), world.chain.wallet());
    let grant = world.enrol();
    let (acting, consent) = match by_consent {
        true => (doctor.acting(), Some(patient.wallet.pubkey())),
        false => (doctor.acting().claiming(grant), None),
    };
    let args = CreateRecordArgs {
        grant: acting.claimed(),
        ..world.record_args(0)
    };
    let create = ix::create_record(&acting, payer.pubkey(), consent, &patient.id, args);
    Story::of(world, create, &[&doctor.wallet, &patient.wallet, &payer])
}

fn amend_record(by_consent: bool) -> Story {
    let mut world = World::new();
    let (doctor, patient, record, grant) = (
        world.doctor.clone(),
        world.patient.clone(),
        world.record(),
        world.enrol(),
    );
    let (acting, consent) = match by_consent {
        true => (doctor.acting(), Some(patient.wallet.pubkey())),
        false => (doctor.acting().claiming(grant), None),
    };
    let args = AmendRecordArgs {
        request: world.id(),
        expected_version: 1,
        purpose: Purpose::Treatment,
        grant: acting.claimed(),
        content: content(9),
    };
    let amend = ix::amend_record(&acting, consent, &patient.id, &record, args);
    Story::of(world, amend, &[&doctor.wallet, &patient.wallet])
}

/// A record of somebody else's, and a story in which this actor reads it.
fn access(mut world: World, record: Id, (acting, wallet): (As, &Keypair), purpose: Purpose) -> Story {
    let access = world.access_ix(&acting, record, purpose);
    Story::of(world, access, &[wallet])
}

fn access_by_patient() -> Story {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    access(world, record, (patient.acting(), &patient.wallet), Purpose::Personal)
}

fn access_by_delegate() -> Story {
    let mut world = World::new();
    let (record, carer) = (world.record(), world.delegate(Action::Read.bit()));
    access(world, record, (carer.acting(), &carer.wallet), Purpose::Personal)
}

fn access_by_person() -> Story {
    let mut world = World::new();
    let record = world.record();
    let (wallet, acting) = world.relative(|terms| terms.uses = 2);
    access(world, record, (acting, &wallet), Purpose::Personal)
}

fn access_by_line() -> Story {
    let mut world = World::new();
    let (record, line) = (world.record(), world.passed_on(|terms| terms.uses = 9));
    access(world, record, (line.acting(3), line.wallet(3)), Purpose::Treatment)
}

fn access_by_policy() -> Story {
    let mut world = World::new();
    let hospital = world.hospital.clone();
    world.set_policy(&hospital, |_| {});
    let (record, nurse) = (world.record(), world.chain.member(&hospital, 94, Role::Nurse));
    let acting = nurse.acting().by_policy(hospital.id);
    access(world, record, (acting, &nurse.wallet), Purpose::Treatment)
}

fn access_in_emergency() -> Story {
    let mut world = World::new();
    let (record, hospital) = (world.record(), world.hospital.clone());
    let nurse = world.chain.member(&hospital, 94, Role::Nurse);
    world.set_credential(&hospital, &nurse, true);
    let emergency = world.open_emergency(&nurse);
    let acting = nurse.acting().in_emergency(emergency);
    access(world, record, (acting, &nurse.wallet), Purpose::Emergency)
}

/// Another hospital's doctor wrote the second version, and the one who wrote the first reads that.
fn access_to_first_version() -> Story {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    world.amended_elsewhere(record, 71);
    let args = AccessRecordArgs {
        request: world.id(),
        version: 1,
        purpose: Purpose::Treatment,
        grant: NO_ID,
    };
    let access = ix::access_record(&doctor.acting(), &world.patient.id, &record, args);
    Story::of(world, access, &[&doctor.wallet])
}

/// A batch of one record of the world's patient, and what promotes it.
fn batch(world: &mut World) -> (AnchorBatchArgs, PromoteBatchedArgs) {
    let hospital = world.hospital.id;
    let (patient, record) = (world.patient.id, world.record_id());
    let id = address::draw(BATCH, &hospital, || world.id());
    let leaf = Leaf {
        institution: &hospital,
        batch: &id,
        index: 1,
        patient: &patient,
        record: &record,
        class: 0,
        content: &content(1),
    };
    let tree = Tree::new(vec![sha256_of(&[b"another record"]), leaf.hash()]).unwrap();
    let anchoring = AnchorBatchArgs {
        id,
        root: tree.root(),
        locator: [4; 32],
        count: tree.count(),
    };
    let promoting = PromoteBatchedArgs {
        request: world.id(),
        record,
        class: 0,
        purpose: Purpose::Treatment,
        grant: NO_ID,
        content: content(1),
        index: 1,
        proof: tree.path(1).unwrap(),
    };
    (anchoring, promoting)
}

fn anchor_batch() -> Story {
    let mut world = World::new();
    let (doctor, payer, (args, _)) = (world.doctor.clone(), world.chain.wallet(), batch(&mut world));
    let wallet = doctor.wallet.pubkey();
    let anchor = ix::anchor_batch(wallet, payer.pubkey(), &doctor.institution, &doctor.id, args);
    Story::of(world, anchor, &[&doctor.wallet, &payer])
}

fn promote_batched() -> Story {
    let mut world = World::new();
    let (doctor, patient, payer) = (world.doctor.clone(), world.patient.clone(), world.chain.wallet());
    let (args, promoting) = batch(&mut world);
    let wallet = doctor.wallet.pubkey();
    let anchor = ix::anchor_batch(wallet, wallet, &doctor.institution, &doctor.id, args);
    world.chain.must(anchor, &[&doctor.wallet]);
    let promote = ix::promote_batched(
        &doctor.acting(),
        payer.pubkey(),
        Some(patient.wallet.pubkey()),
        &patient.id,
        &doctor.institution,
        &args.id,
        promoting,
    );
    Story::of(world, promote, &[&doctor.wallet, &patient.wallet, &payer])
}

fn erase_record() -> Story {
    let mut world = World::new();
    let (record, patient) = (world.record(), world.patient.clone());
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    Story::of(world, erase, &[&patient.wallet])
}

fn attest_erasure(by_member: bool) -> Story {
    let mut world = World::new();
    let (record, patient, doctor) = (world.record(), world.patient.clone(), world.doctor.clone());
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    world.chain.must(erase, &[&patient.wallet]);
    let (wallet, institution, member) = match by_member {
        true => (doctor.wallet, Some(&doctor.institution), Some(&doctor.id)),
        false => (patient.wallet, None, None),
    };
    let args = AttestErasureArgs { receipt: [6; 32] };
    let attest = ix::attest_erasure(wallet.pubkey(), institution, member, &patient.id, &record, args);
    Story::of(world, attest, &[&wallet])
}

fn attest_first_version() -> Story {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    world.amended_elsewhere(record, 71);
    let patient = world.patient.clone();
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &record);
    world.chain.must(erase, &[&patient.wallet]);
    let args = AttestErasureArgs { receipt: [6; 32] };
    let attest = ix::attest_erasure(
        doctor.wallet.pubkey(),
        Some(&doctor.institution),
        Some(&doctor.id),
        &patient.id,
        &record,
        args,
    );
    Story::of(world, attest, &[&doctor.wallet])
}

// Agreements.

fn propose_agreement() -> Story {
    let mut deal = Deal::new(Kind::Token2022);
    deal.make_escrow();
    let (insurance, payer) = (deal.world.insurance.clone(), deal.world.chain.wallet());
    let propose = ix::propose_agreement(
        insurance.authority.pubkey(),
        payer.pubkey(),
        &insurance.id,
        &deal.world.hospital.id,
        &deal.currency,
        deal.purse,
        deal.terms,
    );
    Story::of(deal.world, propose, &[&insurance.authority, &payer])
}

fn accept_agreement() -> Story {
    let deal = Deal::proposed(Kind::Token2022);
    let (accept, hospital) = (deal.accept(), deal.hospital());
    Story::of(deal.world, accept, &[&hospital])
}

fn fund_agreement() -> Story {
    let deal = Deal::active(Kind::Token2022);
    let (fund, insurance) = (deal.fund(DEPOSIT), deal.insurance());
    Story::of(deal.world, fund, &[&insurance])
}

fn settle_access() -> Story {
    let mut deal = Deal::funded(Kind::Token2022);
    let settling = deal.approved();
    let (insurer, payer) = (deal.world.insurer.wallet.insecure_clone(), deal.world.chain.wallet());
    let settle = ix::settle_access(insurer.pubkey(), payer.pubkey(), &settling);
    Story::of(deal.world, settle, &[&insurer, &payer])
}

fn close_agreement() -> Story {
    let deal = Deal::funded(Kind::Token2022);
    let insurance = deal.insurance();
    Story::of(deal.world.clone(), deal.close(&insurance), &[&insurance])
}
