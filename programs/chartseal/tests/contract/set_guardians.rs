//! The patient names its guardians, and how many of them change its wallet after which delay.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, GuardianNamed, GuardiansSet},
    instructions::SetGuardiansArgs,
    seeds::address,
    state::{Guardian, LONGEST_DELAY, MOST_GUARDIANS, NO_OUTCOME, SHORTEST_DELAY},
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, people::*};

fn set(world: &World, args: SetGuardiansArgs) -> Instruction {
    let wallet = world.patient.wallet.pubkey();
    ix::set_guardians(wallet, wallet, &world.patient.id, args)
}

/// Three guardians, of whom two have to agree, and two days.
fn sound() -> SetGuardiansArgs {
    let wallets: Vec<Keypair> = (0..3).map(|_| Keypair::new()).collect();
    SetGuardiansArgs {
        guardians: named(&wallets),
        threshold: 2,
        delay: 2 * DAY,
    }
}

#[track_caller]
fn fails(world: &mut World, args: SetGuardiansArgs, error: ChartsealError) {
    let (set, wallet) = (set(world, args), world.patient.wallet.insecure_clone());
    world.chain.refuse(set, &[&wallet], error);
}

#[track_caller]
fn sets(world: &mut World, args: SetGuardiansArgs) -> AnyEvent {
    let (set, wallet) = (set(world, args), world.patient.wallet.insecure_clone());
    world.chain.must(set, &[&wallet])
}

#[test]
fn guardians_are_written_down() {
    let mut world = World::new();
    let (args, patient) = (sound(), world.patient.clone());
    world.wait(3);
    let event = sets(&mut world, args.clone());
    let expected = GuardiansSet {
        link: *event.link(),
        guardians: args.guardians.clone(),
        threshold: 2,
        delay: 2 * DAY,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::GuardiansSet(expected));
    world.assert_logged(&event, &patient.id, &patient.wallet.pubkey(), NO_OUTCOME);
    let account = world.safeguards();
    let guardian = |named: &GuardianNamed| Guardian {
        wallet: named.wallet,
        encryption: named.encryption_key,
        vote: [0; 32],
        votes: bytemuck::Zeroable::zeroed(),
    };
    let expected: Vec<Guardian> = args.guardians.iter().map(guardian).collect();
    assert_eq!(account.guardians(), expected);
    assert_eq!(
        (account.patient, account.guardian_threshold, account.delay),
        (patient.id, 2, 2 * DAY)
    );
    assert!(!account.is_pending());
    assert_eq!(account.holder_count, 0);
}

#[test]
fn guardians_are_replaced_as_a_whole() {
    let mut world = World::new();
    world.guardians(5, 3);
    let args = sound();
    sets(&mut world, args.clone());
    let account = world.safeguards();
    assert_eq!((account.guardian_count, account.guardian_threshold), (3, 2));
    assert_eq!(account.guardians[3].wallet, Default::default());
    assert_eq!(account.guardians[0].wallet, args.guardians[0].wallet);
}

#[test]
fn naming_none_takes_the_recovery_away() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 1), world.chain.wallet());
    world.vote(&guardians[0], &next);
    assert!(world.safeguards().is_pending());
    let none = SetGuardiansArgs {
        guardians: Vec::new(),
        threshold: 0,
        delay: 0,
    };
    for (threshold, delay) in [(1, 0), (0, SHORTEST_DELAY), (0, -1)] {
        let args = SetGuardiansArgs {
            threshold,
            delay,
            ..none.clone()
        };
        fails(&mut world, args, ChartsealError::BadGuardians);
    }
    sets(&mut world, none);
    let account = world.safeguards();
    assert_eq!(
        (account.guardian_count, account.guardian_threshold, account.delay),
        (0, 0, 0)
    );
    assert!(!account.is_pending());
    let vote = world.vote_ix(&guardians[0], next.pubkey(), keys(6));
    world.chain.refuse(vote, &[&guardians[0]], ChartsealError::NotGuardian);
    world.wait(SHORTEST_DELAY);
    let finish = ix::finish_recovery(next.pubkey(), &world.patient.id);
    world.chain.refuse(finish, &[&next], ChartsealError::NoRecovery);
}

#[test]
fn votes_are_void_once_guardians_are_named_again() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(3, 2), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.name_guardians(&guardians, 2);
    world.vote(&guardians[1], &next);
    let account = world.safeguards();
    assert!(!account.is_pending());
    assert_eq!(account.guardians[0].vote, [0; 32]);
    world.vote(&guardians[0], &next);
    assert!(world.safeguards().is_pending());
    // Also those that had led to a recovery.
    world.name_guardians(&guardians, 2);
    let account = world.safeguards();
    assert!(!account.is_pending());
    assert_eq!((account.ready_at, account.pending_keys), (0, keys(0)));
}

#[test]
fn there_are_five_guardians_at_most_and_the_threshold_is_reached_by_them() {
    let mut world = World::new();
    let of = |count: usize, threshold: u8| {
        let wallets: Vec<Keypair> = (0..count).map(|_| Keypair::new()).collect();
        SetGuardiansArgs {
            guardians: named(&wallets),
            threshold,
            delay: DAY,
        }
    };
    for (count, threshold) in [(1, 0), (1, 2), (3, 4), (5, 6), (5, u8::MAX), (6, 1), (6, 6)] {
        fails(&mut world, of(count, threshold), ChartsealError::BadGuardians);
    }
    for (count, threshold) in [(1, 1), (3, 3), (MOST_GUARDIANS, 1), (MOST_GUARDIANS, 5)] {
        sets(&mut world, of(count, threshold));
    }
}

#[test]
fn guardians_differ_have_keys_and_are_not_the_patient() {
    let mut world = World::new();
    let sound = sound();
    let wallet = world.patient.wallet.pubkey();
    let with = |place: usize, change: &dyn Fn(&mut GuardianNamed)| {
        let mut args = sound.clone();
        change(&mut args.guardians[place]);
        args
    };
    let first = sound.guardians[0].wallet;
    for args in [
        with(0, &|guardian| guardian.wallet = wallet),
        with(2, &|guardian| guardian.wallet = wallet),
        with(1, &|guardian| guardian.wallet = Default::default()),
        with(2, &|guardian| guardian.encryption_key = [0; 32]),
        with(1, &|guardian| guardian.wallet = first),
        with(2, &|guardian| guardian.wallet = first),
    ] {
        fails(&mut world, args, ChartsealError::BadGuardians);
    }
}

#[test]
fn delay_is_between_a_day_and_thirty() {
    let mut world = World::new();
    for delay in [
        0,
        SHORTEST_DELAY - 1,
        LONGEST_DELAY + 1,
        -SHORTEST_DELAY,
        i64::MIN,
        i64::MAX,
    ] {
        fails(
            &mut world,
            SetGuardiansArgs { delay, ..sound() },
            ChartsealError::BadDelay,
        );
    }
    for delay in [SHORTEST_DELAY, LONGEST_DELAY] {
        sets(&mut world, SetGuardiansArgs { delay, ..sound() });
        assert_eq!(world.safeguards().delay, delay);
    }
}

#[test]
fn nobody_but_the_patients_own_wallet_names_guardians() {
    let mut world = World::new();
    let patient = world.patient.id;
    for by in outsiders(&mut world) {
        let set = ix::set_guardians(by.pubkey(), by.pubkey(), &patient, sound());
        world.chain.refuse(set, &[&by], ChartsealError::NotPatient);
    }
    let old = world.hand_over();
    let set = ix::set_guardians(old.pubkey(), old.pubkey(), &patient, sound());
    world.chain.refuse(set, &[&old], ChartsealError::NotPatient);
    let (patient, authority) = (world.steward_patient(), world.hospital.authority.insecure_clone());
    let set = ix::set_guardians(authority.pubkey(), authority.pubkey(), &patient, sound());
    world.chain.refuse(set, &[&authority], ChartsealError::NotPatient);
}

#[test]
fn guardians_leave_the_break_glass_holders_as_they_are() {
    let mut world = World::new();
    let (patient, holders) = (world.patient.clone(), [world.hospital.id, world.insurance.id]);
    let set = ix::set_break_glass(
        patient.wallet.pubkey(),
        patient.wallet.pubkey(),
        &patient.id,
        &holders,
        2,
    );
    world.chain.must(set, &[&patient.wallet]);
    sets(&mut world, sound());
    let account = world.safeguards();
    assert_eq!(account.holders(), holders.map(|id| address::institution(&id)));
    assert_eq!((account.holder_threshold, account.guardian_count), (2, 3));
}

#[test]
fn naming_is_paused_and_naming_none_is_not() {
    let mut world = World::new();
    let (guardians, next) = (world.guardians(2, 1), world.chain.wallet());
    world.vote(&guardians[0], &next);
    world.set_paused(true);
    fails(&mut world, sound(), ChartsealError::Paused);
    assert!(world.safeguards().is_pending());
    let none = SetGuardiansArgs {
        guardians: Vec::new(),
        threshold: 0,
        delay: 0,
    };
    sets(&mut world, none);
    let account = world.safeguards();
    assert_eq!((account.guardian_count, account.is_pending()), (0, false));
}

#[test]
fn safeguards_stand_under_their_own_patient_and_log() {
    let mut world = World::new();
    let (patient, other) = (world.patient.clone(), world.chain.patient(90));
    let mut hidden = set(&world, sound());
    substitute(
        &mut hidden,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(hidden, &[&patient.wallet], ChartsealError::ForeignPatient);
    let mut elsewhere = set(&world, sound());
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
fn patient_must_sign_another_may_pay_and_lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (patient, payer) = (world.patient.clone(), world.chain.wallet());
    let set = ix::set_guardians(patient.wallet.pubkey(), payer.pubkey(), &patient.id, sound());
    world.chain.refuse_at_the_door(
        unsign(set.clone(), patient.wallet.pubkey()),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
    let at = address::safeguards(&patient.id);
    world.chain.svm.airdrop(&at, 1_000_000).unwrap();
    let before = world.chain.svm.get_balance(&patient.wallet.pubkey());
    world.chain.must(set, &[&payer, &patient.wallet]);
    assert_eq!(world.chain.svm.get_balance(&patient.wallet.pubkey()), before);
    assert_eq!(world.safeguards().patient, patient.id);
}
