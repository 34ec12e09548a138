//! A delegation ends: the patient takes it back, or the delegate gives it back. Always.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, DelegateRevoked},
    seeds::address,
    state::NO_OUTCOME,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

#[test]
fn patient_takes_it_back_and_delegate_gives_it_back() {
    let mut world = World::new();
    let patient = world.patient.clone();
    for by_patient in [true, false] {
        let carer = world.delegate(Action::MASK);
        world.wait(4);
        let by = if by_patient { &patient.wallet } else { &carer.wallet };
        let revoke = ix::revoke_delegate(by.pubkey(), &patient.id, &carer.id);
        let event = world.chain.must(revoke.clone(), &[by]);
        let expected = DelegateRevoked {
            link: *event.link(),
            delegate: carer.id,
            by: by.pubkey(),
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::DelegateRevoked(expected));
        world.assert_logged(&event, &carer.id, &by.pubkey(), NO_OUTCOME);
        let account = world.delegation_account(&carer.id);
        assert_eq!((account.revoked, account.revoked_at), (1, world.chain.now()));
        world.chain.refuse(revoke, &[by], ChartsealError::AlreadyRevoked);
    }
}

#[test]
fn invitation_or_expired_delegation_is_revoked_too() {
    let mut world = World::new();
    let patient = world.patient.clone();
    for by_patient in [true, false] {
        let carer = world.named_delegate(Action::MASK);
        let by = if by_patient { &patient.wallet } else { &carer.wallet };
        world
            .chain
            .must(ix::revoke_delegate(by.pubkey(), &patient.id, &carer.id), &[by]);
    }
    let carer = world.delegate(Action::MASK);
    world.wait(366 * DAY);
    world.revoke_delegate(&carer);
}

#[test]
fn nobody_else_revokes_it() {
    let mut world = World::new();
    let (carer, patient) = (world.delegate(Action::MASK), world.patient.id);
    for by in crate::people::outsiders(&mut world) {
        let revoke = ix::revoke_delegate(by.pubkey(), &patient, &carer.id);
        world.chain.refuse(revoke, &[&by], ChartsealError::NotPatient);
    }
    let old = world.hand_over();
    let revoke = ix::revoke_delegate(old.pubkey(), &patient, &carer.id);
    world.chain.refuse(revoke, &[&old], ChartsealError::NotPatient);
    world.revoke_delegate(&carer);
}

#[test]
fn revoking_is_never_paused() {
    let mut world = World::new();
    let (carer, patient) = (world.delegate(Action::MASK), world.patient.id);
    world.set_paused(true);
    let revoke = ix::revoke_delegate(carer.wallet.pubkey(), &patient, &carer.id);
    world.chain.must(revoke, &[&carer.wallet]);
}

#[test]
fn delegation_of_another_patient_is_not_revoked() {
    let mut world = World::new();
    let (carer, theirs, other) = (
        world.delegate(Action::MASK),
        world.patient.clone(),
        world.chain.patient(90),
    );
    let mut revoke = ix::revoke_delegate(other.wallet.pubkey(), &other.id, &carer.id);
    substitute(
        &mut revoke,
        address::delegate(&other.id, &carer.id),
        address::delegate(&theirs.id, &carer.id),
    );
    world
        .chain
        .refuse(revoke, &[&other.wallet], ChartsealError::ForeignPatient);
    let mut hidden = ix::revoke_delegate(theirs.wallet.pubkey(), &theirs.id, &carer.id);
    substitute(
        &mut hidden,
        address::access_log(&theirs.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(hidden, &[&theirs.wallet], ChartsealError::ForeignPatient);
}

#[test]
fn who_revokes_must_sign() {
    let mut world = World::new();
    let (carer, patient, stranger) = (
        world.delegate(Action::MASK),
        world.patient.clone(),
        world.chain.wallet(),
    );
    let revoke = ix::revoke_delegate(patient.wallet.pubkey(), &patient.id, &carer.id);
    world.chain.refuse_at_the_door(
        unsign(revoke, patient.wallet.pubkey()),
        &[&stranger],
        InstructionError::MissingRequiredSignature,
    );
}
