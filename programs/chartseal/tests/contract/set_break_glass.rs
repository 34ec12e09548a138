//! The patient names the institutions that open its records together in an emergency.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AnyEvent, BreakGlassSet},
    seeds::{address, Id},
    state::{MOST_GUARDIANS, NO_OUTCOME},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{common::*, people::*};

fn set(world: &World, holders: &[Id], threshold: u8) -> Instruction {
    let wallet = world.patient.wallet.pubkey();
    ix::set_break_glass(wallet, wallet, &world.patient.id, holders, threshold)
}

#[track_caller]
fn fails(world: &mut World, holders: &[Id], threshold: u8) {
    let (set, wallet) = (set(world, holders, threshold), world.patient.wallet.insecure_clone());
    world.chain.refuse(set, &[&wallet], ChartsealError::BadHolders);
}

/// Five hospitals.
fn hospitals(world: &mut World) -> [Id; MOST_GUARDIANS] {
    [61, 62, 63, 64, 65].map(|n| world.chain.institution(n, InstitutionKind::Hospital).id)
}

#[test]
fn holders_are_written_down_replaced_and_taken_away() {
    let mut world = World::new();
    let (patient, all) = (world.patient.clone(), hospitals(&mut world));
    for (count, threshold) in [(5, 3), (2, 2), (1, 1), (0, 0)] {
        world.wait(1);
        let holders = &all[..count];
        let event = world.chain.must(set(&world, holders, threshold), &[&patient.wallet]);
        let addresses: Vec<Address> = holders.iter().map(address::institution).collect();
        let expected = BreakGlassSet {
            link: *event.link(),
            holders: addresses.clone(),
            threshold,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::BreakGlassSet(expected));
        world.assert_logged(&event, &patient.id, &patient.wallet.pubkey(), NO_OUTCOME);
        let account = world.safeguards();
        assert_eq!(account.holders(), addresses);
        assert_eq!(
            (account.patient, account.holder_threshold, account.guardian_count),
            (patient.id, threshold, 0)
        );
        assert!(account.holders[count..]
            .iter()
            .all(|holder| *holder == Address::default()));
    }
}

#[test]
fn holders_leave_guardians_and_their_votes_as_they_are() {
    let mut world = World::new();
    let (guardians, next, patient) = (world.guardians(3, 1), world.chain.wallet(), world.patient.clone());
    world.vote(&guardians[0], &next);
    let before = world.safeguards();
    let hospital = world.hospital.id;
    world.chain.must(set(&world, &[hospital], 1), &[&patient.wallet]);
    let after = world.safeguards();
    assert_eq!(after.guardians, before.guardians);
    assert_eq!(
        (after.pending_wallet, after.ready_at, after.delay),
        (before.pending_wallet, before.ready_at, before.delay)
    );
}

#[test]
fn threshold_is_reached_by_the_holders() {
    let mut world = World::new();
    let all = hospitals(&mut world);
    for (count, threshold) in [(0, 1), (1, 0), (1, 2), (5, 6), (5, u8::MAX), (5, 0)] {
        fails(&mut world, &all[..count], threshold);
    }
}

#[test]
fn each_institution_holds_one_share() {
    let mut world = World::new();
    let [a, b, ..] = hospitals(&mut world);
    fails(&mut world, &[a, a], 1);
    fails(&mut world, &[a, b, a], 2);
}

#[test]
fn holders_stand_without_gaps() {
    let mut world = World::new();
    let (all, wallet) = (hospitals(&mut world), world.patient.wallet.insecure_clone());
    for place in 0..4 {
        let mut set = set(&world, &all, 1);
        substitute(&mut set, address::institution(&all[place]), ID);
        world.chain.refuse(set, &[&wallet], ChartsealError::BadHolders);
    }
}

#[test]
fn only_institutions_hold_shares() {
    let mut world = World::new();
    let (patient, hospital) = (world.patient.clone(), world.hospital.clone());
    let mut fake = world.chain.svm.get_account(&hospital.address()).unwrap();
    fake.owner = Address::new_from_array([8; 32]);
    let look_alike = Address::new_from_array([9; 32]);
    world.chain.svm.set_account(look_alike, fake).unwrap();
    for wrong in [
        world.doctor.address(),
        address::patient(&patient.id),
        address::registry(),
        patient.wallet.pubkey(),
        Address::new_from_array([7; 32]),
        look_alike,
    ] {
        let mut set = set(&world, &[hospital.id], 1);
        substitute(&mut set, hospital.address(), wrong);
        world.chain.refuse(set, &[&patient.wallet], ChartsealError::BadHolders);
    }
}

#[test]
fn nobody_but_the_patients_own_wallet_names_holders() {
    let mut world = World::new();
    let (patient, holders) = (world.patient.id, [world.hospital.id]);
    for by in outsiders(&mut world) {
        let set = ix::set_break_glass(by.pubkey(), by.pubkey(), &patient, &holders, 1);
        world.chain.refuse(set, &[&by], ChartsealError::NotPatient);
    }
    let old = world.hand_over();
    let set = ix::set_break_glass(old.pubkey(), old.pubkey(), &patient, &holders, 1);
    world.chain.refuse(set, &[&old], ChartsealError::NotPatient);
    let (patient, authority) = (world.steward_patient(), world.hospital.authority.insecure_clone());
    let set = ix::set_break_glass(authority.pubkey(), authority.pubkey(), &patient, &holders, 1);
    world.chain.refuse(set, &[&authority], ChartsealError::NotPatient);
}

#[test]
fn naming_is_paused_and_naming_none_is_not() {
    let mut world = World::new();
    let (patient, hospital) = (world.patient.clone(), world.hospital.id);
    let named = set(&world, &[hospital], 1);
    world.chain.must(named.clone(), &[&patient.wallet]);
    world.set_paused(true);
    world.chain.refuse(named, &[&patient.wallet], ChartsealError::Paused);
    // A gap hides nobody: it names somebody, and is no way around the pause.
    let mut behind_a_gap = set(&world, &[hospital, world.insurance.id], 1);
    substitute(&mut behind_a_gap, address::institution(&hospital), ID);
    world
        .chain
        .refuse(behind_a_gap, &[&patient.wallet], ChartsealError::BadHolders);
    world.chain.must(set(&world, &[], 0), &[&patient.wallet]);
    assert_eq!(world.safeguards().holder_count, 0);
}

#[test]
fn safeguards_stand_under_their_own_patient_and_log() {
    let mut world = World::new();
    let (patient, other, hospital) = (world.patient.clone(), world.chain.patient(90), world.hospital.id);
    let mut hidden = set(&world, &[hospital], 1);
    substitute(
        &mut hidden,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(hidden, &[&patient.wallet], ChartsealError::ForeignPatient);
    let mut elsewhere = set(&world, &[hospital], 1);
    substitute(
        &mut elsewhere,
        address::safeguards(&patient.id),
        address::safeguards(&other.id),
    );
    world
        .chain
        .refuse_at_the_door(elsewhere, &[&patient.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn patient_must_sign_and_another_may_pay() {
    let mut world = World::new();
    let (patient, payer, hospital) = (world.patient.clone(), world.chain.wallet(), world.hospital.id);
    let set = ix::set_break_glass(patient.wallet.pubkey(), payer.pubkey(), &patient.id, &[hospital], 1);
    world.chain.refuse_at_the_door(
        unsign(set.clone(), patient.wallet.pubkey()),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
    let before = world.chain.svm.get_balance(&patient.wallet.pubkey());
    world.chain.must(set, &[&payer, &patient.wallet]);
    assert_eq!(world.chain.svm.get_balance(&patient.wallet.pubkey()), before);
}
