//! How often a guardian votes within a day, so that none floods the patient's log, and what that does not hold up.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    state::{SHORTEST_DELAY, VOTES_PER_DAY},
    ChartsealError,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

impl World {
    /// A guardian votes as often as it may, each time for a wallet that it did not vote for before.
    fn guardian_reaches_its_cap(&mut self, guardian: &Keypair) {
        for _ in 0..VOTES_PER_DAY {
            let next = self.chain.wallet();
            self.vote(guardian, &next);
        }
    }

    #[track_caller]
    fn guardian_is_beyond_its_cap(&mut self, guardian: &Keypair) {
        let vote = self.vote_ix(guardian, Keypair::new().pubkey(), keys(6));
        self.chain.refuse(vote, &[guardian], ChartsealError::VoteCap);
    }

    fn taking_back(&self, guardian: &Keypair) -> Instruction {
        self.vote_ix(guardian, Address::default(), keys(0))
    }
}

#[test]
fn seventh_vote_of_a_day_fails_and_the_next_day_begins_anew() {
    let mut world = World::new();
    let guardians = world.guardians(2, 2);
    world.guardian_reaches_its_cap(&guardians[0]);
    let before = world.log().chain.seq;
    world.wait(DAY - 1);
    world.guardian_is_beyond_its_cap(&guardians[0]);
    assert_eq!(world.log().chain.seq, before);
    world.wait(1);
    world.guardian_reaches_its_cap(&guardians[0]);
    world.guardian_is_beyond_its_cap(&guardians[0]);
}

#[test]
fn day_begins_with_its_first_vote() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(1, 1), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.wait(DAY - 1);
    for _ in 1..VOTES_PER_DAY {
        world.vote(&guardians[0], &next);
    }
    world.guardian_is_beyond_its_cap(&guardians[0]);
    world.wait(1);
    world.guardian_reaches_its_cap(&guardians[0]);
}

#[test]
fn clock_that_goes_back_opens_no_new_day() {
    let mut world = World::new();
    let guardians = world.guardians(2, 2);
    world.guardian_reaches_its_cap(&guardians[0]);
    world.chain.set_time(GENESIS - 30 * DAY);
    world.guardian_is_beyond_its_cap(&guardians[0]);
}

#[test]
fn vote_is_taken_back_as_often_as_it_was_given_and_no_oftener() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    for _ in 0..VOTES_PER_DAY {
        world.vote(&guardians[0], &next);
        let back = world.taking_back(&guardians[0]);
        world.chain.must(back.clone(), &[&guardians[0]]);
        world.chain.refuse(back, &[&guardians[0]], ChartsealError::NoRecovery);
    }
    assert_eq!(world.safeguards().guardians[0].votes.count, VOTES_PER_DAY);
    world.guardian_is_beyond_its_cap(&guardians[0]);
}

#[test]
fn last_vote_of_a_day_can_be_taken_back() {
    let mut world = World::new();
    let guardians = world.guardians(1, 1);
    world.guardian_reaches_its_cap(&guardians[0]);
    world.guardian_is_beyond_its_cap(&guardians[0]);
    assert!(world.safeguards().is_pending());
    let back = world.taking_back(&guardians[0]);
    world.chain.must(back, &[&guardians[0]]);
    assert!(!world.safeguards().is_pending());
}

#[test]
fn guardian_that_has_not_voted_takes_nothing_back() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    world.vote(&guardians[1], &next);
    let back = world.taking_back(&guardians[0]);
    world.chain.refuse(back, &[&guardians[0]], ChartsealError::NoRecovery);
    // Nor one whose vote the patient has made void.
    let patient = world.patient.clone();
    let object = ix::object_to_recovery(patient.wallet.pubkey(), &patient.id);
    world.chain.must(object, &[&patient.wallet]);
    let back = world.taking_back(&guardians[1]);
    world.chain.refuse(back, &[&guardians[1]], ChartsealError::NoRecovery);
}

#[test]
fn cap_of_one_guardian_holds_up_no_other() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(3, 2), world.chain.wallet());
    world.guardian_reaches_its_cap(&guardians[0]);
    world.vote(&guardians[1], &next);
    let AnyEvent::RecoveryVoted(event) = world.vote(&guardians[2], &next) else {
        panic!()
    };
    assert_eq!((event.votes, event.ready_at), (2, GENESIS + SHORTEST_DELAY));
    world.guardian_is_beyond_its_cap(&guardians[0]);
    world.wait(SHORTEST_DELAY);
    let finish = ix::finish_recovery(next.pubkey(), &world.patient.id);
    world.chain.must(finish, &[&next]);
    assert_eq!(world.patient_account().wallet, next.pubkey());
}

#[test]
fn objection_opens_no_new_day_and_the_vote_is_void() {
    let mut world = World::new();
    let (guardians, patient) = (world.guardians(1, 1), world.patient.clone());
    for _ in 0..VOTES_PER_DAY {
        let next = world.chain.wallet();
        world.vote(&guardians[0], &next);
        let object = ix::object_to_recovery(patient.wallet.pubkey(), &patient.id);
        world.chain.must(object, &[&patient.wallet]);
    }
    world.guardian_is_beyond_its_cap(&guardians[0]);
    assert!(!world.safeguards().is_pending());
}

#[test]
fn patient_can_object_however_often_a_guardian_voted() {
    let mut world = World::new();
    let (guardians, patient) = (world.guardians(1, 1), world.patient.clone());
    world.guardian_reaches_its_cap(&guardians[0]);
    assert!(world.safeguards().is_pending());
    let object = ix::object_to_recovery(patient.wallet.pubkey(), &patient.id);
    world.chain.must(object, &[&patient.wallet]);
    assert!(!world.safeguards().is_pending());
}

#[test]
fn guardians_named_anew_have_not_voted_yet() {
    let mut world = World::new();
    let guardians = world.guardians(2, 2);
    world.guardian_reaches_its_cap(&guardians[1]);
    world.name_guardians(&guardians, 2);
    world.guardian_reaches_its_cap(&guardians[1]);
    world.guardian_is_beyond_its_cap(&guardians[1]);
}

#[test]
fn guardian_of_two_patients_is_counted_for_each() {
    let mut world = World::new();
    let guardians = world.guardians(1, 1);
    world.guardian_reaches_its_cap(&guardians[0]);
    world.patient = world.chain.patient(90);
    world.name_guardians(&guardians, 1);
    world.guardian_reaches_its_cap(&guardians[0]);
}
