//! Guardians vote for the patient's next wallet; enough of them begin the delay in which the patient can object.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AnyEvent, RecoveryVoted},
    instructions::{SetGuardiansArgs, VoteRecoveryArgs},
    seeds::address,
    state::{NO_OUTCOME, RECOVERY_WINDOW, SHORTEST_DELAY, VOTES_PER_DAY},
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

/// What a vote's event says: how many agree, and when it is due.
pub(crate) fn counted(event: &AnyEvent) -> (u8, i64) {
    let AnyEvent::RecoveryVoted(event) = event else {
        panic!("{event:?}")
    };
    (event.votes, event.ready_at)
}

pub(crate) fn withdraw(world: &mut World, guardian: &Keypair) -> AnyEvent {
    let vote = world.vote_ix(guardian, Address::default(), keys(0));
    world.chain.must(vote, &[guardian])
}

#[test]
fn vote_is_written_down_and_enough_begin_the_delay() {
    let mut world = World::new();
    let (guardians, next, patient) = (world.guardians(3, 2), world.chain.wallet(), world.patient.clone());
    for (n, ready_at) in [(0, 0), (1, GENESIS + 20 + SHORTEST_DELAY)] {
        world.wait(10);
        let event = world.vote(&guardians[n], &next);
        let expected = RecoveryVoted {
            link: *event.link(),
            guardian: guardians[n].pubkey(),
            wallet: next.pubkey(),
            encryption_key: [6; 32],
            votes: n as u8 + 1,
            agreed: if n == 1 { next.pubkey() } else { Address::default() },
            ready_at,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::RecoveryVoted(expected));
        world.assert_logged(&event, &patient.id, &guardians[n].pubkey(), NO_OUTCOME);
        let account = world.safeguards();
        assert_eq!(account.guardians[n].vote, account.ballot(&next.pubkey(), &keys(6)));
        assert_eq!((account.is_pending(), account.ready_at), (n == 1, ready_at));
    }
    let account = world.safeguards();
    assert_eq!((account.pending_wallet, account.pending_keys), (next.pubkey(), keys(6)));
    // Nothing else has changed.
    assert_eq!(world.patient_account().wallet, patient.wallet.pubkey());
}

#[test]
fn guardian_voting_twice_counts_once_and_moves_no_end() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(3, 2), world.chain.wallet());
    for _ in 0..3 {
        assert_eq!(counted(&world.vote(&guardians[0], &next)), (1, 0));
    }
    let due = GENESIS + SHORTEST_DELAY;
    assert_eq!(counted(&world.vote(&guardians[1], &next)), (2, due));
    world.wait(100);
    // Neither again nor by one more is the delay begun anew.
    assert_eq!(counted(&world.vote(&guardians[0], &next)), (2, due));
    assert_eq!(counted(&world.vote(&guardians[2], &next)), (3, due));
    assert_eq!(world.safeguards().ready_at, due);
}

#[test]
fn votes_for_different_wallets_or_keys_are_not_added_up() {
    let mut world = World::new();
    let (guardians, next, other) = (world.guardians(3, 2), world.chain.wallet(), world.chain.wallet());
    world.vote(&guardians[0], &next);
    assert_eq!(counted(&world.vote(&guardians[1], &other)), (1, 0));
    let same_wallet = world.vote_ix(&guardians[1], next.pubkey(), keys(9));
    let event = world.chain.must(same_wallet, &[&guardians[1]]);
    assert_eq!(counted(&event), (1, 0));
    let post_quantum = chartseal_program::state::Keys {
        post_quantum_hash: [1; 32],
        ..keys(6)
    };
    let vote = world.vote_ix(&guardians[1], next.pubkey(), post_quantum);
    let event = world.chain.must(vote, &[&guardians[1]]);
    assert_eq!(counted(&event), (1, 0));
    assert!(!world.safeguards().is_pending());
}

#[test]
fn vote_moved_away_during_the_delay_ends_it() {
    let mut world = World::new();
    let (guardians, next, other) = (world.guardians(3, 2), world.chain.wallet(), world.chain.wallet());
    for take_back in [true, false] {
        world.vote(&guardians[0], &next);
        world.vote(&guardians[1], &next);
        assert!(world.safeguards().is_pending());
        if take_back {
            assert_eq!(counted(&withdraw(&mut world, &guardians[1])), (0, 0));
        } else {
            assert_eq!(counted(&world.vote(&guardians[1], &other)), (1, 0));
        }
        let account = world.safeguards();
        assert!(!account.is_pending());
        assert_eq!((account.ready_at, account.pending_keys), (0, keys(0)));
        world.wait(SHORTEST_DELAY);
        let finish = ix::finish_recovery(next.pubkey(), &world.patient.id);
        world.chain.refuse(finish, &[&next], ChartsealError::NoRecovery);
        // Voting again begins the whole delay again.
        let due = world.chain.now() + SHORTEST_DELAY;
        assert_eq!(counted(&world.vote(&guardians[1], &next)), (2, due));
        withdraw(&mut world, &guardians[0]);
        withdraw(&mut world, &guardians[1]);
    }
}

#[test]
fn vote_that_is_not_needed_can_be_moved() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(3, 2), world.chain.wallet());
    for guardian in &guardians {
        world.vote(guardian, &next);
    }
    let due = world.safeguards().ready_at;
    world.wait(7);
    // The event says what the others still agree on.
    let AnyEvent::RecoveryVoted(event) = withdraw(&mut world, &guardians[2]) else {
        panic!()
    };
    assert_eq!((event.votes, event.agreed, event.ready_at), (0, next.pubkey(), due));
    let account = world.safeguards();
    assert!(account.is_pending());
    assert_eq!(account.ready_at, due);
}

#[test]
fn majority_for_another_wallet_begins_its_own_delay() {
    let mut world = World::new();
    let (guardians, next, other) = (world.guardians(3, 2), world.chain.wallet(), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.vote(&guardians[1], &next);
    world.wait(SHORTEST_DELAY);
    world.vote(&guardians[0], &other);
    let due = world.chain.now() + SHORTEST_DELAY;
    assert_eq!(counted(&world.vote(&guardians[1], &other)), (2, due));
    assert_eq!(world.safeguards().pending_wallet, other.pubkey());
    let finish = ix::finish_recovery(other.pubkey(), &world.patient.id);
    world.chain.refuse(finish, &[&other], ChartsealError::TooEarly);
}

#[test]
fn recovery_that_lapsed_begins_anew_by_a_vote_with_its_whole_delay() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.vote(&guardians[1], &next);
    let due = world.safeguards().ready_at;
    world.chain.set_time(due + RECOVERY_WINDOW - 1);
    assert_eq!(counted(&world.vote(&guardians[0], &next)), (2, due));
    world.chain.set_time(due + RECOVERY_WINDOW);
    let anew = due + RECOVERY_WINDOW + SHORTEST_DELAY;
    assert_eq!(counted(&world.vote(&guardians[0], &next)), (2, anew));
    let finish = ix::finish_recovery(next.pubkey(), &world.patient.id);
    world.chain.refuse(finish.clone(), &[&next], ChartsealError::TooEarly);
    world.chain.set_time(anew);
    world.chain.must(finish, &[&next]);
}

#[test]
fn nobody_but_a_guardian_votes() {
    let mut world = World::new();
    let (guardians, patient) = (world.guardians(2, 1), world.patient.clone());
    let mut others = outsiders(&mut world);
    others.push(patient.wallet.insecure_clone());
    for by in &others {
        for wallet in [by.pubkey(), Address::default()] {
            let vote = world.vote_ix(by, wallet, keys(6));
            world.chain.refuse(vote, &[by], ChartsealError::NotGuardian);
        }
    }
    let stranger = &others[0];
    let vote = world.vote_ix(&guardians[0], stranger.pubkey(), keys(6));
    world.chain.refuse_at_the_door(
        unsign(vote, guardians[0].pubkey()),
        &[stranger],
        InstructionError::MissingRequiredSignature,
    );
}

#[test]
fn guardian_of_another_patient_has_no_vote_here() {
    let mut world = World::new();
    let guardians = world.guardians(2, 1);
    let theirs = world.patient.id;
    world.patient = world.chain.patient(90);
    world.guardians(2, 1);
    let here = world.patient.id;
    let vote = world.vote_ix(&guardians[0], guardians[0].pubkey(), keys(6));
    world
        .chain
        .refuse(vote.clone(), &[&guardians[0]], ChartsealError::NotGuardian);
    // Nor is a vote there hidden in this log.
    let mut hidden = vote;
    substitute(&mut hidden, address::safeguards(&here), address::safeguards(&theirs));
    world
        .chain
        .refuse(hidden, &[&guardians[0]], ChartsealError::ForeignPatient);
}

#[test]
fn patient_without_guardians_is_recovered_by_nobody() {
    let mut world = World::new();
    let (patient, hospital, stranger) = (world.patient.clone(), world.hospital.id, world.chain.wallet());
    let vote = world.vote_ix(&stranger, stranger.pubkey(), keys(6));
    let failure = world.chain.fail(std::slice::from_ref(&vote), &[&stranger]);
    assert!(matches!(failure, Failure::Runtime(_)), "{failure:?}");
    // Nor where there are safeguards without any: a threshold of zero is reached by no one.
    let set = ix::set_break_glass(
        patient.wallet.pubkey(),
        patient.wallet.pubkey(),
        &patient.id,
        &[hospital],
        1,
    );
    world.chain.must(set, &[&patient.wallet]);
    world.chain.refuse(vote, &[&stranger], ChartsealError::NotGuardian);
    let finish = ix::finish_recovery(stranger.pubkey(), &patient.id);
    world.chain.refuse(finish, &[&stranger], ChartsealError::NoRecovery);
}

#[test]
fn voting_is_paused_and_taking_a_vote_back_is_not() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.vote(&guardians[1], &next);
    world.set_paused(true);
    let vote = world.vote_ix(&guardians[0], next.pubkey(), keys(6));
    world.chain.refuse(vote, &[&guardians[0]], ChartsealError::Paused);
    withdraw(&mut world, &guardians[0]);
    assert!(!world.safeguards().is_pending());
}

#[test]
fn vote_for_keys_of_zeros_is_refused() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 1), world.chain.wallet());
    let vote = world.vote_ix(&guardians[0], next.pubkey(), keys(0));
    world.chain.refuse(vote, &[&guardians[0]], ChartsealError::ZeroId);
}

#[test]
fn vote_taken_back_says_nothing_of_keys() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 1), world.chain.wallet());
    world.vote(&guardians[0], &next);
    let args = VoteRecoveryArgs {
        wallet: Address::default(),
        keys: keys(6),
    };
    let vote = ix::vote_recovery(guardians[0].pubkey(), &world.patient.id, args);
    let event = world.chain.must(vote, &[&guardians[0]]);
    assert_eq!(counted(&event), (0, 0));
    assert!(!world.safeguards().is_pending());
    assert_eq!(world.safeguards().guardians[0].vote, [0; 32]);
}

#[test]
fn delay_is_the_one_that_the_patient_chose() {
    let mut world = World::new();
    let (patient, guardian, next) = (world.patient.clone(), world.chain.wallet(), world.chain.wallet());
    let args = SetGuardiansArgs {
        guardians: named(&[guardian.insecure_clone()]),
        threshold: 1,
        delay: 9 * DAY,
    };
    let set = ix::set_guardians(patient.wallet.pubkey(), patient.wallet.pubkey(), &patient.id, args);
    world.chain.must(set, &[&patient.wallet]);
    assert_eq!(counted(&world.vote(&guardian, &next)), (1, GENESIS + 9 * DAY));
}

#[test]
fn guardian_who_floods_the_patients_log_with_votes_is_stopped_for_the_day() {
    let mut world = World::new();
    let (guardians, next, other) = (world.guardians(2, 2), world.chain.wallet(), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.wait(DAY - 1);
    for n in 1..VOTES_PER_DAY {
        match n % 3 {
            0 => withdraw(&mut world, &guardians[0]),
            1 => world.vote(&guardians[0], &other),
            _ => world.vote(&guardians[0], &next),
        };
    }
    // What was taken back is not counted.
    world.vote(&guardians[0], &other);
    let vote = world.vote_ix(&guardians[0], next.pubkey(), keys(6));
    world.chain.refuse(vote, &[&guardians[0]], ChartsealError::VoteCap);
    // The other has votes of its own, and the day began with the first.
    world.vote(&guardians[1], &next);
    world.wait(1);
    world.vote(&guardians[0], &next);
    assert_eq!(world.safeguards().guardians[0].votes.count, 1);
}
