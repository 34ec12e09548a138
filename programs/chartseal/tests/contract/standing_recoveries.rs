//! How long a vote counts, and what the wallet that enough guardians agree on gives way to: to their own change of mind,
//! or to its time running out, and to nothing else.

use chartseal_program::{
    builders as ix,
    instructions::SetGuardiansArgs,
    state::{LONGEST_DELAY, RECOVERY_WINDOW, SHORTEST_DELAY, VOTES_PER_DAY},
    ChartsealError,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    common::*,
    people::*,
    vote_recovery::{counted, withdraw},
};

/// Seconds for which a vote counts, from the beginning of the day in which it was given.
const VOTE: i64 = 60 * DAY;

/// Five guardians, of whom two have to agree; the first two do, on a wallet. When that can be finished.
struct Agreed {
    world: World,
    guardians: Vec<Keypair>,
    next: Keypair,
    other: Keypair,
    due: i64,
}

impl Agreed {
    fn new() -> Self {
        let mut world = World::new();
        let (guardians, next, other) = (world.guardians(5, 2), world.chain.wallet(), world.chain.wallet());
        world.vote(&guardians[0], &next);
        let (votes, due) = counted(&world.vote(&guardians[1], &next));
        assert_eq!((votes, due), (2, GENESIS + SHORTEST_DELAY));
        Self {
            world,
            guardians,
            next,
            other,
            due,
        }
    }

    /// A guardian votes for the other wallet: how many do now, and what is due.
    fn for_other(&mut self, n: usize) -> (u8, i64) {
        counted(&self.world.vote(&self.guardians[n], &self.other))
    }

    #[track_caller]
    fn stands(&self) {
        let account = self.world.safeguards();
        assert_eq!(
            (account.pending_wallet, account.pending_keys, account.ready_at),
            (self.next.pubkey(), keys(6), self.due)
        );
    }
}

#[test]
fn vote_counts_for_sixty_days() {
    for (age, votes) in [(VOTE - 1, 2), (VOTE, 1), (VOTE + 1, 1)] {
        let mut world = World::new();
        let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
        world.vote(&guardians[0], &next);
        world.wait(age);
        let due = if votes == 2 {
            world.chain.now() + SHORTEST_DELAY
        } else {
            0
        };
        assert_eq!(counted(&world.vote(&guardians[1], &next)), (votes, due));
        assert_eq!(world.safeguards().is_pending(), votes == 2);
    }
}

#[test]
fn vote_of_long_ago_counts_again_once_it_is_given_again() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.wait(VOTE);
    assert_eq!(counted(&world.vote(&guardians[1], &next)), (1, 0));
    let due = world.chain.now() + SHORTEST_DELAY;
    assert_eq!(counted(&world.vote(&guardians[0], &next)), (2, due));
}

#[test]
fn vote_is_as_old_as_the_day_in_which_it_was_given() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.wait(DAY - 1);
    for _ in 1..VOTES_PER_DAY {
        world.vote(&guardians[0], &next);
    }
    world.chain.set_time(GENESIS + VOTE);
    assert_eq!(counted(&world.vote(&guardians[1], &next)), (1, 0));
    // One of the next day lasts a day longer.
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.wait(DAY);
    world.vote(&guardians[0], &next);
    world.chain.set_time(GENESIS + DAY + VOTE - 1);
    assert_eq!(counted(&world.vote(&guardians[1], &next)).0, 2);
}

#[test]
fn vote_of_long_ago_can_be_taken_back_and_objected_to() {
    let mut world = World::new();
    let (guardians, next, patient) = (world.guardians(2, 2), world.chain.wallet(), world.patient.clone());
    for guardian in &guardians {
        world.vote(guardian, &next);
        world.wait(VOTE);
    }
    withdraw(&mut world, &guardians[0]);
    let object = ix::object_to_recovery(patient.wallet.pubkey(), &patient.id);
    world.chain.must(object.clone(), &[&patient.wallet]);
    world
        .chain
        .refuse(object, &[&patient.wallet], ChartsealError::NoRecovery);
}

#[test]
fn what_is_agreed_on_is_not_displaced_by_more_votes_for_another() {
    let mut case = Agreed::new();
    case.world.wait(10);
    for (n, votes) in [(2, 1), (3, 2), (4, 3)] {
        assert_eq!(case.for_other(n), (votes, case.due));
        case.stands();
    }
    case.world.chain.set_time(case.due);
    let finish = ix::finish_recovery(case.other.pubkey(), &case.world.patient.id);
    case.world
        .chain
        .refuse(finish, &[&case.other], ChartsealError::NotProposed);
    let finish = ix::finish_recovery(case.next.pubkey(), &case.world.patient.id);
    case.world.chain.must(finish, &[&case.next]);
}

#[test]
fn what_is_agreed_on_outlasts_the_withdrawal_of_votes_for_another() {
    let mut case = Agreed::new();
    for n in [2, 3] {
        case.for_other(n);
    }
    for n in [2, 3] {
        assert_eq!(counted(&withdraw(&mut case.world, &case.guardians[n])), (0, case.due));
        case.stands();
    }
}

#[test]
fn what_is_agreed_on_ends_when_its_own_votes_are_too_few_and_another_needs_a_vote_to_follow() {
    let mut case = Agreed::new();
    for n in [2, 3] {
        case.for_other(n);
    }
    case.world.wait(10);
    assert_eq!(counted(&withdraw(&mut case.world, &case.guardians[1])), (0, 0));
    assert!(!case.world.safeguards().is_pending());
    // Two vote for the other; one of them says so again, and the whole delay begins then.
    let due = case.world.chain.now() + SHORTEST_DELAY;
    assert_eq!(case.for_other(2), (2, due));
    assert_eq!(case.world.safeguards().pending_wallet, case.other.pubkey());
}

#[test]
fn guardian_that_moves_its_vote_begins_the_others_delay_where_that_has_enough() {
    let mut case = Agreed::new();
    case.for_other(2);
    case.world.wait(10);
    let due = case.world.chain.now() + SHORTEST_DELAY;
    assert_eq!(case.for_other(1), (2, due));
    assert_eq!(case.world.safeguards().pending_wallet, case.other.pubkey());
}

#[test]
fn what_nobody_finished_in_its_time_gives_way() {
    let mut case = Agreed::new();
    case.for_other(2);
    case.world.chain.set_time(case.due + RECOVERY_WINDOW - 1);
    assert_eq!(case.for_other(3), (2, case.due));
    case.stands();
    case.world.chain.set_time(case.due + RECOVERY_WINDOW);
    // A vote for what has not enough leaves it where it is, lapsed.
    let third = case.world.chain.wallet();
    let event = case.world.vote(&case.guardians[4], &third);
    assert_eq!(counted(&event), (1, case.due));
    case.stands();
    let finish = ix::finish_recovery(case.next.pubkey(), &case.world.patient.id);
    case.world.chain.refuse(finish, &[&case.next], ChartsealError::TooLate);
    let anew = case.world.chain.now() + SHORTEST_DELAY;
    assert_eq!(case.for_other(4), (3, anew));
    assert_eq!(case.world.safeguards().pending_wallet, case.other.pubkey());
}

#[test]
fn what_is_agreed_on_ends_with_the_next_vote_once_its_own_are_old() {
    let mut world = World::new();
    let (guardians, next, other) = (world.guardians(3, 2), world.chain.wallet(), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.wait(VOTE - 1);
    let due = world.chain.now() + SHORTEST_DELAY;
    assert_eq!(counted(&world.vote(&guardians[1], &next)), (2, due));
    world.wait(SHORTEST_DELAY);
    // Nobody has said anything since: it can be finished as it was agreed.
    let mut finished = world.clone();
    let finish = ix::finish_recovery(next.pubkey(), &world.patient.id);
    finished.chain.must(finish.clone(), &[&next]);
    // Somebody has: then one of the two votes is too old.
    assert_eq!(counted(&world.vote(&guardians[2], &other)), (1, 0));
    world.chain.refuse(finish, &[&next], ChartsealError::NoRecovery);
}

#[test]
fn recovery_with_the_longest_delay_has_its_whole_time_and_lapses_with_its_votes() {
    let mut world = World::new();
    let (patient, wallets, next) = (
        world.patient.clone(),
        [world.chain.wallet(), world.chain.wallet()],
        world.chain.wallet(),
    );
    let args = SetGuardiansArgs {
        guardians: named(&wallets),
        threshold: 2,
        delay: LONGEST_DELAY,
    };
    let set = ix::set_guardians(patient.wallet.pubkey(), patient.wallet.pubkey(), &patient.id, args);
    world.chain.must(set, &[&patient.wallet]);
    world.vote(&wallets[0], &next);
    let due = GENESIS + LONGEST_DELAY;
    assert_eq!(counted(&world.vote(&wallets[1], &next)), (2, due));
    let mut last = world.clone();
    last.chain.set_time(due + RECOVERY_WINDOW - 1);
    assert_eq!(counted(&last.vote(&wallets[0], &next)), (2, due));
    last.chain
        .must(ix::finish_recovery(next.pubkey(), &patient.id), &[&next]);
    world.chain.set_time(due + RECOVERY_WINDOW);
    assert_eq!(counted(&world.vote(&wallets[0], &next)), (1, 0));
    let anew = world.chain.now() + LONGEST_DELAY;
    assert_eq!(counted(&world.vote(&wallets[1], &next)), (2, anew));
}
