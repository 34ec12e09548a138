//! The wallet that enough guardians agreed on takes over, after the delay and within thirty days.

use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, RecoveryFinished},
    seeds::address,
    state::{Patient, Safeguards, NO_OUTCOME, RECOVERY_WINDOW, SHORTEST_DELAY},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

/// Three guardians, two of whom agree on a wallet; the delay has just passed.
fn due() -> (World, Vec<Keypair>, Keypair) {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(3, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.vote(&guardians[1], &next);
    world.wait(SHORTEST_DELAY);
    (world, guardians, next)
}

fn finish(world: &World, wallet: &Keypair) -> Instruction {
    ix::finish_recovery(wallet.pubkey(), &world.patient.id)
}

#[test]
fn recovered_wallet_takes_over_with_its_keys_and_every_vote_is_spent() {
    let (mut world, _, next) = due();
    let patient = world.patient.id;
    let event = world.chain.must(finish(&world, &next), &[&next]);
    let expected = RecoveryFinished {
        link: *event.link(),
        wallet: next.pubkey(),
        encryption_key: [6; 32],
        post_quantum_key_hash: [0; 32],
        key_epoch: 2,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::RecoveryFinished(expected));
    world.assert_logged(&event, &patient, &next.pubkey(), NO_OUTCOME);
    let account = world.patient_account();
    assert_eq!(
        (account.wallet, account.keys, account.key_epoch),
        (next.pubkey(), keys(6), 2)
    );
    let safeguards = world.safeguards();
    assert!(!safeguards.is_pending());
    assert_eq!(safeguards.ready_at, 0);
    assert!(safeguards.guardians().iter().all(|guardian| guardian.vote == [0; 32]));
    assert_eq!((safeguards.guardian_count, safeguards.guardian_threshold), (3, 2));
    let again = finish(&world, &next);
    world.chain.refuse(again, &[&next], ChartsealError::NoRecovery);
}

#[test]
fn recovery_finished_early_is_refused() {
    let (mut world, _, next) = due();
    world.wait(-1);
    let early = finish(&world, &next);
    world.chain.refuse(early.clone(), &[&next], ChartsealError::TooEarly);
    world.wait(1);
    world.chain.must(early, &[&next]);
}

#[test]
fn recovery_finished_late_is_refused() {
    let (mut world, _, next) = due();
    let finish = finish(&world, &next);
    for seconds in [RECOVERY_WINDOW, 1] {
        world.wait(seconds);
        world.chain.refuse(finish.clone(), &[&next], ChartsealError::TooLate);
    }
    world.wait(-2);
    world.chain.must(finish, &[&next]);
}

#[test]
fn recovery_finished_by_another_wallet_is_refused() {
    let (mut world, guardians, _) = due();
    let mut others = outsiders(&mut world);
    others.push(world.patient.wallet.insecure_clone());
    others.extend(guardians.iter().map(Keypair::insecure_clone));
    for by in &others {
        let finish = finish(&world, by);
        world.chain.refuse(finish, &[by], ChartsealError::NotProposed);
    }
}

#[test]
fn recovery_needs_the_new_wallets_signature() {
    let (mut world, guardians, next) = due();
    world.chain.fund(&guardians[0].pubkey());
    let unsigned = unsign(finish(&world, &next), next.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&guardians[0]], InstructionError::MissingRequiredSignature);
}

#[test]
fn recovery_with_one_vote_less_than_needed_is_refused() {
    for threshold in 2..=5 {
        let mut world = World::new();
        let (guardians, next) = (world.guardians(5, threshold), world.chain.wallet());
        for guardian in &guardians[..usize::from(threshold) - 1] {
            world.vote(guardian, &next);
            world.vote(guardian, &next);
        }
        world.wait(SHORTEST_DELAY);
        let finish = finish(&world, &next);
        world.chain.refuse(finish.clone(), &[&next], ChartsealError::NoRecovery);
        world.vote(&guardians[4], &next);
        world.chain.refuse(finish.clone(), &[&next], ChartsealError::TooEarly);
        world.wait(SHORTEST_DELAY);
        world.chain.must(finish, &[&next]);
    }
}

#[test]
fn recovery_finished_while_paused_is_refused() {
    let (mut world, _, next) = due();
    world.set_paused(true);
    let finish = finish(&world, &next);
    world.chain.refuse(finish, &[&next], ChartsealError::Paused);
}

#[test]
fn old_wallet_deciding_after_a_recovery_is_refused() {
    let (mut world, _, next) = due();
    let (old, patient) = (world.patient.wallet.insecure_clone(), world.patient.id);
    let grant = world.insure(|_| {});
    // A thief's proposal dies with the wallet that made it.
    let thief = world.chain.wallet();
    let propose = ix::propose_wallet(old.pubkey(), None, &patient, thief.pubkey());
    world.chain.must(propose, &[&old]);
    world.chain.must(finish(&world, &next), &[&next]);
    assert_eq!(world.patient_account().proposed_wallet, Default::default());
    let accept = ix::accept_wallet(thief.pubkey(), None, &patient, keys(9));
    world.chain.refuse(accept, &[&thief], ChartsealError::NotProposed);
    for instruction in [
        ix::revoke_grant(&By::wallet(old.pubkey()), &patient, &grant),
        ix::object_to_recovery(old.pubkey(), &patient),
        ix::propose_wallet(old.pubkey(), None, &patient, old.pubkey()),
    ] {
        world.chain.refuse(instruction, &[&old], ChartsealError::NotPatient);
    }
    world.patient.wallet = next;
    world.revoke(grant);
}

#[test]
fn recovery_outlasts_a_handover_by_a_wallet_that_was_stolen() {
    let (mut world, _, next) = due();
    world.hand_over();
    world.chain.must(finish(&world, &next), &[&next]);
    assert_eq!(world.patient_account().wallet, next.pubkey());
    assert_eq!(world.patient_account().key_epoch, 3);
}

#[test]
fn recovery_of_another_patient_takes_nothing_over() {
    let (mut world, _, next) = due();
    let (theirs, other) = (world.patient.clone(), world.chain.patient(90));
    let mut foreign = ix::finish_recovery(next.pubkey(), &other.id);
    substitute(
        &mut foreign,
        address::safeguards(&other.id),
        address::safeguards(&theirs.id),
    );
    world.chain.refuse(foreign, &[&next], ChartsealError::ForeignPatient);
    let mut hidden = ix::finish_recovery(next.pubkey(), &theirs.id);
    substitute(
        &mut hidden,
        address::access_log(&theirs.id),
        address::access_log(&other.id),
    );
    world.chain.refuse(hidden, &[&next], ChartsealError::ForeignPatient);
}

#[test]
fn guardian_may_be_the_wallet_that_takes_over_if_enough_agree() {
    let mut world = World::new();
    let guardians = world.guardians(3, 2);
    world.vote(&guardians[0], &guardians[0]);
    assert!(!world.safeguards().is_pending());
    world.vote(&guardians[1], &guardians[0]);
    world.wait(SHORTEST_DELAY);
    world.chain.must(finish(&world, &guardians[0]), &[&guardians[0]]);
    // It is the patient now, and its vote is one of three as before.
    world.patient.wallet = guardians[0].insecure_clone();
    let record = world.record();
    let patient = world.patient.clone();
    let verdict = world.verdict(&patient.wallet, patient.acting(), record, Purpose::Personal);
    assert_eq!(verdict, Ok(Basis::Patient));
}

#[test]
fn key_epoch_and_clock_do_not_overflow() {
    let (mut world, _, next) = due();
    let (at, finish) = (address::patient(&world.patient.id), finish(&world, &next));
    world
        .chain
        .edit(&at, |patient: &mut Patient| patient.key_epoch = u32::MAX);
    world.chain.refuse(finish.clone(), &[&next], ChartsealError::Overflow);
    world.chain.edit(&at, |patient: &mut Patient| patient.key_epoch = 1);
    let safeguards = address::safeguards(&world.patient.id);
    world
        .chain
        .edit(&safeguards, |account: &mut Safeguards| account.ready_at = i64::MIN);
    world.chain.refuse(finish.clone(), &[&next], ChartsealError::TooLate);
    world
        .chain
        .edit(&safeguards, |account: &mut Safeguards| account.ready_at = i64::MAX);
    world.chain.refuse(finish, &[&next], ChartsealError::TooEarly);
}
