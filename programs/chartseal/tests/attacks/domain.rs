//! Attacks on what the contract means, each on a guard that stands alone: nothing else in the story is wrong.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, Reviewing},
    events::AnyEvent,
    instructions::{OpenEmergencyArgs, RegisterInstitutionArgs, RegisterMemberArgs},
    seeds::address,
    state::{Institution, Member, SHORTEST_DELAY},
    vocabulary::*,
    ChartsealError,
};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_signer::Signer;

use crate::common::*;

/// Registers a nurse of the hospital with this wallet.
fn registration(world: &World, wallet: Address) -> Instruction {
    let authority = world.hospital.authority.pubkey();
    let args = RegisterMemberArgs {
        id: id(70),
        wallet,
        role: Role::Nurse,
        expires: world.chain.now() + DAY,
    };
    ix::register_member(authority, authority, &world.hospital.id, args)
}

/// By doctors whom nobody asked: of a clinic that is nothing to the patient, and of a hospital that is none of its steward.
#[test]
fn record_planted_on_a_strangers_patient() {
    let mut world = World::new();
    let clinic = world.chain.institution(61, InstitutionKind::Hospital);
    let stranger = world.chain.member(&clinic, 62, Role::Doctor);
    let before = world.log();
    for doctor in [stranger, world.doctor.clone()] {
        let args = world.record_args(0);
        let wallet = doctor.wallet.pubkey();
        let plant = ix::create_record(&doctor.acting(), wallet, None, &world.patient.id, args);
        let AnyEvent::ActionRefused(refused) = world.chain.must(plant, &[&doctor.wallet]) else {
            panic!("this went through")
        };
        assert_eq!((refused.reason, refused.action), (Reason::NoGrant, Action::Append));
        let planted = address::record(&world.patient.id, &args.record);
        assert!(world.chain.svm.get_account(&planted).is_none());
    }
    assert_eq!(world.log().chain, before.chain);
}

#[test]
fn grant_to_another_institution() {
    let mut world = World::new();
    let (hospital, record) = (world.hospital.address(), world.record());
    let grant = world.grant(world.terms(GranteeKind::Institution, hospital));
    let clinic = world.chain.institution(61, InstitutionKind::Hospital);
    let stranger = world.chain.member(&clinic, 62, Role::Doctor);
    let asked = world.asks(&stranger, Some(grant), record, Purpose::Treatment);
    assert_eq!(asked, Err(Reason::GrantNotYours));
    let nurse = world.chain.member(&world.hospital.clone(), 63, Role::Nurse);
    let asked = world.asks(&nurse, Some(grant), record, Purpose::Treatment);
    assert_eq!(asked, Ok(Basis::Grant));
}

/// As a program could leave it that had the key to the address: neither a grant, nor the proof that there is none.
#[test]
fn grants_address_filled_by_another_program() {
    let mut world = World::new();
    let (grant, record, insurer) = (world.grant_id(), world.record(), world.insurer.clone());
    let slot = address::grant_slot(&world.patient.id, &grant);
    let access = world.access_ix(&insurer.acting().claiming(grant), record, Purpose::Payment);
    for (owner, data) in [
        (Address::new_from_array([8; 32]), vec![]),
        (Address::new_from_array([8; 32]), vec![1; 300]),
        (Address::default(), vec![1; 300]),
    ] {
        let account = Account {
            lamports: 10_000_000,
            data,
            owner,
            ..Account::default()
        };
        world.chain.svm.set_account(slot, account).unwrap();
        world
            .chain
            .refuse(access.clone(), &[&insurer.wallet], ChartsealError::NotAGrantSlot);
    }
}

#[test]
fn stranger_reviews_in_an_auditors_name() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    let emergency = world.open_emergency(&doctor);
    let hospital = world.hospital.clone();
    let auditor = world.chain.member(&hospital, 80, Role::Auditor);
    let stranger = world.chain.wallet();
    let review = |world: &World, wallet| {
        let by = Reviewing {
            auditor: Some(auditor.id),
            ..Reviewing::wallet(wallet)
        };
        world.review_ix(&by, &doctor, &emergency, Reviewer::Institution, Verdict::Justified)
    };
    let forged = review(&world, stranger.pubkey());
    world.chain.refuse(forged, &[&stranger], ChartsealError::NotReviewer);
    let genuine = review(&world, auditor.wallet.pubkey());
    world.chain.must(genuine, &[&auditor.wallet]);
}

#[test]
fn invitation_accepted_after_it_was_suspended() {
    let mut world = World::new();
    let (hospital, wallet) = (world.hospital.clone(), world.chain.wallet());
    let register = registration(&world, wallet.pubkey());
    world.chain.must(register, &[&hospital.authority]);
    let authority = hospital.authority.pubkey();
    let stand = |standing| ix::set_member_standing(authority, &hospital.id, &id(70), standing);
    world.chain.must(stand(Standing::Suspended), &[&hospital.authority]);
    let accept = ix::accept_membership(wallet.pubkey(), &hospital.id, &id(70), keys(9));
    world
        .chain
        .refuse(accept.clone(), &[&wallet], ChartsealError::NotInvited);
    world.chain.must(stand(Standing::Invited), &[&hospital.authority]);
    world.chain.must(accept, &[&wallet]);
}

#[test]
fn institution_registered_for_a_time_that_is_over() {
    let mut chain = Chain::new();
    let (admin, wallet) = (chain.admin.insecure_clone(), chain.wallet());
    let now = chain.now();
    let register = |expires| {
        let args = RegisterInstitutionArgs {
            id: id(71),
            kind: InstitutionKind::Hospital,
            authority: wallet.pubkey(),
            expires,
        };
        ix::register_institution(admin.pubkey(), admin.pubkey(), args)
    };
    for expires in [i64::MIN, 0, now - 1, now] {
        chain.refuse(register(expires), &[&admin], ChartsealError::ExpiryInPast);
    }
    chain.must(register(now + 1), &[&admin]);
}

#[test]
fn overflow_of_the_count_of_members() {
    let mut world = World::new();
    let (hospital, wallet) = (world.hospital.clone(), world.chain.wallet());
    let register = registration(&world, wallet.pubkey());
    let fill = |members| move |hospital: &mut Institution| hospital.members = members;
    world.chain.edit(&hospital.address(), fill(u32::MAX));
    world
        .chain
        .refuse(register.clone(), &[&hospital.authority], ChartsealError::Overflow);
    world.chain.edit(&hospital.address(), fill(u32::MAX - 1));
    world.chain.must(register, &[&hospital.authority]);
}

#[test]
fn overflow_of_an_emergencys_end() {
    let mut world = World::new();
    let doctor = world.emergency_doctor();
    let hospital = world.hospital.address();
    world
        .chain
        .edit(&doctor.address(), |member: &mut Member| member.expires = i64::MAX);
    world
        .chain
        .edit(&hospital, |hospital: &mut Institution| hospital.expires = i64::MAX);
    world.chain.set_time(i64::MAX - 60);
    let args = world.emergency_args();
    let open = |world: &World, duration| world.open_ix(&doctor, OpenEmergencyArgs { duration, ..args });
    let beyond = open(&world, 61);
    world.chain.refuse(beyond, &[&doctor.wallet], ChartsealError::Overflow);
    let last = open(&world, 60);
    world.chain.must(last, &[&doctor.wallet]);
}

#[test]
fn overflow_of_a_recoverys_end() {
    let mut world = World::new();
    let guardians = world.guardians(2, 1);
    let next = world.chain.wallet();
    let vote = world.vote_ix(&guardians[0], next.pubkey(), keys(6));
    world.chain.set_time(i64::MAX - SHORTEST_DELAY + 1);
    world
        .chain
        .refuse(vote.clone(), &[&guardians[0]], ChartsealError::Overflow);
    world.chain.set_time(i64::MAX - SHORTEST_DELAY);
    world.chain.must(vote, &[&guardians[0]]);
}

/// The loader keeps buffers too, and whoever uploads one is named in it.
#[test]
fn first_caller_with_an_account_of_another_kind() {
    for kind in [0u8, 1, 2, 4] {
        let mut chain = Chain::bare();
        let by = chain.upgrade_authority.insecure_clone();
        let mut account = chain.svm.get_account(&program_data()).unwrap();
        account.data[0] = kind;
        chain.svm.set_account(program_data(), account).unwrap();
        let wallet = by.pubkey();
        let initialize = ix::initialize(wallet, wallet, program_data(), wallet);
        chain.refuse(initialize, &[&by], ChartsealError::NotUpgradeAuthority);
    }
}
