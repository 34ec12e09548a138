//! The wallet that a patient named accepts, and publishes its keys.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, DelegationAccepted},
    seeds::address,
    state::{Keys, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

#[test]
fn acceptance_begins_the_delegation() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.id);
    world.wait(3);
    let keys = Keys {
        encryption: [8; 32],
        post_quantum_hash: [9; 32],
    };
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys);
    let event = world.chain.must(accept, &[&carer.wallet]);
    let expected = DelegationAccepted {
        link: *event.link(),
        delegate: carer.id,
        encryption_key: [8; 32],
        post_quantum_key_hash: [9; 32],
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::DelegationAccepted(expected));
    world.assert_logged(&event, &carer.id, &carer.wallet.pubkey(), NO_OUTCOME);
    let account = world.delegation_account(&carer.id);
    assert_eq!((account.keys, account.key_epoch), (keys, 1));
    assert_eq!(account.rights, Action::Read.bit());
    assert_eq!(account.fault(world.chain.now()), None);
}

#[test]
fn nobody_is_made_a_delegate_by_another() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.clone());
    let (stranger, other) = (world.chain.wallet(), world.delegate(Action::MASK));
    for by in [&patient.wallet, &stranger, &other.wallet] {
        let accept = ix::accept_delegation(by.pubkey(), &patient.id, &carer.id, keys(8));
        world.chain.refuse(accept, &[by], ChartsealError::NotDelegate);
    }
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &patient.id, &carer.id, keys(8));
    world.chain.refuse_at_the_door(
        unsign(accept, carer.wallet.pubkey()),
        &[&stranger],
        InstructionError::MissingRequiredSignature,
    );
}

#[test]
fn acceptance_counts_once_and_changes_no_keys() {
    let mut world = World::new();
    let (carer, patient) = (world.delegate(Action::Read.bit()), world.patient.id);
    let again = ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys(9));
    world
        .chain
        .refuse(again, &[&carer.wallet], ChartsealError::AlreadyAccepted);
    assert_eq!(world.delegation_account(&carer.id).keys, keys(8));
}

#[test]
fn revoked_delegation_is_not_accepted() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.id);
    world.revoke_delegate(&carer);
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys(8));
    world
        .chain
        .refuse(accept, &[&carer.wallet], ChartsealError::NotDelegate);
}

#[test]
fn delegation_is_accepted_until_just_before_its_end() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.id);
    let (expires, accept) = (
        world.delegation_account(&carer.id).expires,
        ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys(8)),
    );
    for at in [expires, expires + 1] {
        world.chain.set_time(at);
        world
            .chain
            .refuse(accept.clone(), &[&carer.wallet], ChartsealError::NotDelegate);
    }
    world.chain.set_time(expires - 1);
    world.chain.must(accept, &[&carer.wallet]);
}

#[test]
fn nothing_is_accepted_while_paused() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.id);
    world.set_paused(true);
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys(8));
    world.chain.refuse(accept, &[&carer.wallet], ChartsealError::Paused);
}

#[test]
fn key_of_zeros_is_none() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.id);
    let accept = ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys(0));
    world.chain.refuse(accept, &[&carer.wallet], ChartsealError::ZeroId);
}

#[test]
fn acceptance_is_written_into_the_patients_own_log() {
    let mut world = World::new();
    let (carer, patient) = (world.named_delegate(Action::Read.bit()), world.patient.id);
    let other = world.chain.patient(90).id;
    let mut accept = ix::accept_delegation(carer.wallet.pubkey(), &patient, &carer.id, keys(8));
    substitute(&mut accept, address::access_log(&patient), address::access_log(&other));
    world
        .chain
        .refuse(accept, &[&carer.wallet], ChartsealError::ForeignPatient);
}
