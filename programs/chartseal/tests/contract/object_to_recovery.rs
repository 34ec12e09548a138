//! The patient still has its wallet, and says so: every vote is void.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, RecoveryObjected},
    seeds::address,
    state::{NO_OUTCOME, SHORTEST_DELAY},
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

/// Three guardians, two of whom agree on a wallet.
fn agreed() -> (World, Vec<Keypair>, Keypair) {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(3, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.vote(&guardians[1], &next);
    (world, guardians, next)
}

fn object(world: &World) -> Instruction {
    ix::object_to_recovery(world.patient.wallet.pubkey(), &world.patient.id)
}

#[test]
fn objection_makes_every_vote_void() {
    let (mut world, guardians, next) = agreed();
    let patient = world.patient.clone();
    world.wait(50);
    let event = world.chain.must(object(&world), &[&patient.wallet]);
    let expected = RecoveryObjected {
        link: *event.link(),
        wallet: next.pubkey(),
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::RecoveryObjected(expected));
    world.assert_logged(&event, &patient.id, &patient.wallet.pubkey(), NO_OUTCOME);
    let account = world.safeguards();
    assert!(!account.is_pending());
    assert_eq!((account.ready_at, account.pending_keys), (0, keys(0)));
    assert!(account.guardians().iter().all(|guardian| guardian.vote == [0; 32]));
    assert_eq!(account.guardian_count, 3);
    // One guardian alone does not bring it back.
    world.vote(&guardians[2], &next);
    assert!(!world.safeguards().is_pending());
}

#[test]
fn recovery_finished_after_an_objection_is_refused() {
    let (mut world, _, next) = agreed();
    let patient = world.patient.clone();
    // Also one that was due.
    world.wait(SHORTEST_DELAY + 5);
    world.chain.must(object(&world), &[&patient.wallet]);
    let finish = ix::finish_recovery(next.pubkey(), &patient.id);
    world.chain.refuse(finish, &[&next], ChartsealError::NoRecovery);
}

#[test]
fn votes_are_objected_to_before_they_are_enough() {
    let mut world = World::new();
    let (guardians, next, patient) = (world.guardians(3, 2), world.chain.wallet(), world.patient.clone());
    world.vote(&guardians[0], &next);
    let AnyEvent::RecoveryObjected(event) = world.chain.must(object(&world), &[&patient.wallet]) else {
        panic!()
    };
    assert_eq!(event.wallet, Default::default());
    world.vote(&guardians[1], &next);
    assert!(!world.safeguards().is_pending());
}

#[test]
fn nothing_is_objected_to_where_nobody_voted() {
    let (mut world, ..) = agreed();
    let patient = world.patient.clone();
    world.chain.must(object(&world), &[&patient.wallet]);
    let again = object(&world);
    world
        .chain
        .refuse(again, &[&patient.wallet], ChartsealError::NoRecovery);
}

#[test]
fn nobody_but_the_patients_own_wallet_objects() {
    let (mut world, guardians, next) = agreed();
    let patient = world.patient.clone();
    let mut others = outsiders(&mut world);
    others.push(guardians[0].insecure_clone());
    others.push(next.insecure_clone());
    for by in &others {
        let object = ix::object_to_recovery(by.pubkey(), &patient.id);
        world.chain.refuse(object, &[by], ChartsealError::NotPatient);
    }
    let unsigned = unsign(object(&world), patient.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&next], InstructionError::MissingRequiredSignature);
}

#[test]
fn old_wallet_objecting_after_a_handover_is_refused_and_the_new_one_objects() {
    let (mut world, ..) = agreed();
    let old = world.hand_over();
    let patient = world.patient.clone();
    let by_old = ix::object_to_recovery(old.pubkey(), &patient.id);
    world.chain.refuse(by_old, &[&old], ChartsealError::NotPatient);
    // A handover by a wallet that was stolen does not end the recovery either.
    assert!(world.safeguards().is_pending());
    world.chain.must(object(&world), &[&patient.wallet]);
}

#[test]
fn objecting_is_never_paused() {
    let (mut world, ..) = agreed();
    let patient = world.patient.clone();
    world.set_paused(true);
    world.chain.must(object(&world), &[&patient.wallet]);
}

#[test]
fn patient_objects_to_no_other_patients_recovery() {
    let (mut world, ..) = agreed();
    let (theirs, other) = (world.patient.clone(), world.chain.patient(90));
    let mut object = ix::object_to_recovery(other.wallet.pubkey(), &other.id);
    substitute(
        &mut object,
        address::safeguards(&other.id),
        address::safeguards(&theirs.id),
    );
    world
        .chain
        .refuse(object, &[&other.wallet], ChartsealError::ForeignPatient);
    let mut hidden = ix::object_to_recovery(theirs.wallet.pubkey(), &theirs.id);
    substitute(
        &mut hidden,
        address::access_log(&theirs.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(hidden, &[&theirs.wallet], ChartsealError::ForeignPatient);
}
