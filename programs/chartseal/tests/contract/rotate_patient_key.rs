//! The patient publishes other encryption keys.

use chartseal_program::{
    builders as ix,
    events::{AnyEvent, PatientKeyRotated},
    seeds::address,
    state::{Keys, Patient, NO_OUTCOME},
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::{common::*, people::*};

#[test]
fn rotation_is_written_down_and_counted() {
    let mut world = World::new();
    let patient = world.patient.clone();
    world.wait(2);
    for epoch in [2, 3] {
        let keys = Keys {
            encryption: [epoch as u8; 32],
            post_quantum_hash: [epoch as u8 + 1; 32],
        };
        let rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys);
        let event = world.chain.must(rotate, &[&patient.wallet]);
        let expected = PatientKeyRotated {
            link: *event.link(),
            encryption_key: keys.encryption,
            post_quantum_key_hash: keys.post_quantum_hash,
            key_epoch: epoch,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::PatientKeyRotated(expected));
        world.assert_logged(&event, &patient.id, &patient.wallet.pubkey(), NO_OUTCOME);
        let account = world.patient_account();
        assert_eq!((account.keys, account.key_epoch), (keys, epoch));
        assert_eq!(account.wallet, patient.wallet.pubkey());
    }
}

#[test]
fn rotation_leaves_a_proposed_wallet_as_it_is() {
    let mut world = World::new();
    let (patient, next) = (world.patient.clone(), world.chain.wallet());
    let propose = ix::propose_wallet(patient.wallet.pubkey(), None, &patient.id, next.pubkey());
    world.chain.must(propose, &[&patient.wallet]);
    let rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(9));
    world.chain.must(rotate, &[&patient.wallet]);
    assert_eq!(world.patient_account().proposed_wallet, next.pubkey());
}

#[test]
fn nobody_else_changes_the_keys() {
    let mut world = World::new();
    let patient = world.patient.id;
    for by in outsiders(&mut world) {
        let rotate = ix::rotate_patient_key(by.pubkey(), &patient, keys(9));
        world.chain.refuse(rotate, &[&by], ChartsealError::NotPatient);
    }
    let old = world.hand_over();
    let rotate = ix::rotate_patient_key(old.pubkey(), &patient, keys(9));
    world.chain.refuse(rotate, &[&old], ChartsealError::NotPatient);
}

#[test]
fn steward_changes_no_keys() {
    let mut world = World::new();
    let (patient, authority) = (world.steward_patient(), world.hospital.authority.insecure_clone());
    let rotate = ix::rotate_patient_key(authority.pubkey(), &patient, keys(9));
    world.chain.refuse(rotate, &[&authority], ChartsealError::NotPatient);
}

#[test]
fn rotation_is_written_into_the_patients_own_log() {
    let mut world = World::new();
    let (patient, other) = (world.patient.clone(), world.chain.patient(90));
    let mut rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(9));
    substitute(
        &mut rotate,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(rotate, &[&patient.wallet], ChartsealError::ForeignPatient);
}

#[test]
fn paused_program_key_of_zeros_and_missing_signature_are_refused() {
    let mut world = World::new();
    let (patient, payer) = (world.patient.clone(), world.chain.wallet());
    let rotate = |n| ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(n));
    world
        .chain
        .refuse(rotate(0), &[&patient.wallet], ChartsealError::ZeroId);
    world.chain.refuse_at_the_door(
        unsign(rotate(9), patient.wallet.pubkey()),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
    world.set_paused(true);
    world
        .chain
        .refuse(rotate(9), &[&patient.wallet], ChartsealError::Paused);
}

#[test]
fn key_epoch_does_not_overflow() {
    let mut world = World::new();
    let patient = world.patient.clone();
    let at = address::patient(&patient.id);
    let rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(9));
    world
        .chain
        .edit(&at, |patient: &mut Patient| patient.key_epoch = u32::MAX - 1);
    world.chain.must(rotate.clone(), &[&patient.wallet]);
    world.chain.refuse(rotate, &[&patient.wallet], ChartsealError::Overflow);
}
