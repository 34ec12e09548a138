//! The patient names somebody who acts for it. Only its own wallet does.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, DelegateNamed},
    instructions::NameDelegateArgs,
    seeds::{address, DELEGATE, NO_ID},
    state::{Delegate, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A delegation that the patient would give to a new wallet.
fn sound(world: &mut World) -> NameDelegateArgs {
    let wallet = world.chain.wallet();
    world.delegation(&wallet, Action::Read.bit())
}

fn name(world: &World, args: NameDelegateArgs) -> Instruction {
    let wallet = world.patient.wallet.pubkey();
    ix::name_delegate(wallet, wallet, &world.patient.id, args)
}

#[track_caller]
fn fails(world: &mut World, args: NameDelegateArgs, error: ChartsealError) {
    let (name, wallet) = (name(world, args), world.patient.wallet.insecure_clone());
    world.chain.refuse(name, &[&wallet], error);
}

#[test]
fn delegation_says_who_what_and_until_when_and_gives_no_right_yet() {
    let mut world = World::new();
    let (patient, args) = (world.patient.clone(), sound(&mut world));
    world.wait(6);
    let args = NameDelegateArgs {
        rights: Action::MASK,
        expires: GENESIS + 7,
        ..args
    };
    let event = world.chain.must(name(&world, args), &[&patient.wallet]);
    let expected = DelegateNamed {
        link: *event.link(),
        delegate: args.id,
        account: address::delegate(&patient.id, &args.id),
        wallet: args.wallet,
        rights: Action::MASK,
        expires: GENESIS + 7,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::DelegateNamed(expected));
    world.assert_logged(&event, &args.id, &patient.wallet.pubkey(), NO_OUTCOME);
    let account = world.delegation_account(&args.id);
    assert_eq!(
        (account.id, account.patient, account.wallet),
        (args.id, patient.id, args.wallet)
    );
    assert_eq!(
        (account.rights, account.expires, account.created_at),
        (Action::MASK, GENESIS + 7, GENESIS + 6)
    );
    assert_eq!(
        (account.keys, account.key_epoch, account.revoked, account.revoked_at),
        (keys(0), 0, 0, 0)
    );
    assert_eq!(account.fault(GENESIS + 6), Some(Reason::DelegateNotAccepted));
}

#[test]
fn delegate_or_steward_or_anybody_naming_delegates_is_refused() {
    let mut world = World::new();
    let (patient, args) = (world.patient.id, sound(&mut world));
    for by in outsiders(&mut world) {
        let name = ix::name_delegate(by.pubkey(), by.pubkey(), &patient, args);
        world.chain.refuse(name, &[&by], ChartsealError::NotPatient);
    }
    let old = world.hand_over();
    let name = ix::name_delegate(old.pubkey(), old.pubkey(), &patient, args);
    world.chain.refuse(name, &[&old], ChartsealError::NotPatient);
    let patient = world.steward_patient();
    let (authority, args) = (world.hospital.authority.insecure_clone(), sound(&mut world));
    let name = ix::name_delegate(authority.pubkey(), authority.pubkey(), &patient, args);
    world.chain.refuse(name, &[&authority], ChartsealError::NotPatient);
}

#[test]
fn rights_exist_and_are_at_least_one() {
    let mut world = World::new();
    let args = sound(&mut world);
    for rights in [0, Action::MASK + 1, u8::MAX] {
        fails(
            &mut world,
            NameDelegateArgs { rights, ..args },
            ChartsealError::BadRights,
        );
    }
}

#[test]
fn delegation_ends_in_the_future() {
    let mut world = World::new();
    let args = sound(&mut world);
    for expires in [GENESIS, GENESIS - 1, i64::MIN] {
        fails(
            &mut world,
            NameDelegateArgs { expires, ..args },
            ChartsealError::ExpiryInPast,
        );
    }
    let wallet = world.patient.wallet.insecure_clone();
    let brief = NameDelegateArgs {
        expires: GENESIS + 1,
        ..args
    };
    world.chain.must(name(&world, brief), &[&wallet]);
}

#[test]
fn wallet_of_zeros_is_nobody() {
    let mut world = World::new();
    let args = NameDelegateArgs {
        wallet: Default::default(),
        ..sound(&mut world)
    };
    fails(&mut world, args, ChartsealError::ZeroId);
}

#[test]
fn nobody_is_named_while_paused() {
    let mut world = World::new();
    let args = sound(&mut world);
    world.set_paused(true);
    fails(&mut world, args, ChartsealError::Paused);
}

#[test]
fn id_of_another_bump_or_taken_is_refused() {
    let mut world = World::new();
    let (args, patient) = (sound(&mut world), world.patient.clone());
    let id = world.misfit(DELEGATE);
    fails(&mut world, NameDelegateArgs { id, ..args }, ChartsealError::BumpNot255);
    world.chain.must(name(&world, args), &[&patient.wallet]);
    let revoke = ix::revoke_delegate(patient.wallet.pubkey(), &patient.id, &args.id);
    world.chain.must(revoke, &[&patient.wallet]);
    // A delegation that was revoked is not made anew.
    let again = name(&world, args);
    world.chain.refuse_at_the_door(again, &[&patient.wallet], EXISTS);
}

#[test]
fn id_of_zeros_is_refused() {
    let mut world = World::new();
    world.patient_where_zeros_fit(DELEGATE);
    let args = NameDelegateArgs {
        id: NO_ID,
        ..sound(&mut world)
    };
    fails(&mut world, args, ChartsealError::ZeroId);
}

#[test]
fn delegation_stands_under_its_own_patient_and_in_its_own_log() {
    let mut world = World::new();
    let (args, patient, other) = (sound(&mut world), world.patient.clone(), world.chain.patient(90));
    let mut hidden = name(&world, args);
    substitute(
        &mut hidden,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(hidden, &[&patient.wallet], ChartsealError::ForeignPatient);
    let mut elsewhere = name(&world, args);
    substitute(
        &mut elsewhere,
        address::delegate(&patient.id, &args.id),
        address::delegate(&other.id, &args.id),
    );
    world
        .chain
        .refuse_at_the_door(elsewhere, &[&patient.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn patient_must_sign_and_another_may_pay() {
    let mut world = World::new();
    let (args, patient, payer) = (sound(&mut world), world.patient.clone(), world.chain.wallet());
    let name = ix::name_delegate(patient.wallet.pubkey(), payer.pubkey(), &patient.id, args);
    world.chain.refuse_at_the_door(
        unsign(name.clone(), patient.wallet.pubkey()),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
    let before = world.chain.svm.get_balance(&patient.wallet.pubkey());
    world.chain.must(name, &[&payer, &patient.wallet]);
    assert_eq!(world.chain.svm.get_balance(&patient.wallet.pubkey()), before);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (args, patient) = (sound(&mut world), world.patient.clone());
    let at = address::delegate(&patient.id, &args.id);
    world.chain.svm.airdrop(&at, 1_000_000).unwrap();
    world.chain.must(name(&world, args), &[&patient.wallet]);
    assert_eq!(world.chain.read::<Delegate>(&at).id, args.id);
}
