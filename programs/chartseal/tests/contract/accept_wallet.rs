//! The wallet that was proposed takes over, with keys of its own. From here on it alone decides.

use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, WalletAccepted},
    seeds::address,
    state::{Institution, Keys, Patient, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// A wallet that the patient proposed.
fn proposed(world: &mut World) -> Keypair {
    let (patient, next) = (world.patient.clone(), world.chain.wallet());
    let propose = ix::propose_wallet(patient.wallet.pubkey(), None, &patient.id, next.pubkey());
    world.chain.must(propose, &[&patient.wallet]);
    next
}

/// A wallet that the steward of a patient without one proposed, and what accepts that.
fn handed_over(world: &mut World) -> (Keypair, Instruction) {
    let (patient, hospital, next) = (world.steward_patient(), world.hospital.clone(), world.chain.wallet());
    let propose = ix::propose_wallet(hospital.authority.pubkey(), Some(&hospital.id), &patient, next.pubkey());
    world.chain.must(propose, &[&hospital.authority]);
    let accept = ix::accept_wallet(next.pubkey(), Some(&hospital.id), &patient, keys(7));
    (next, accept)
}

#[test]
fn acceptance_changes_wallet_and_keys() {
    let mut world = World::new();
    let (next, patient) = (proposed(&mut world), world.patient.id);
    world.wait(5);
    let keys = Keys {
        encryption: [7; 32],
        post_quantum_hash: [8; 32],
    };
    let event = world
        .chain
        .must(ix::accept_wallet(next.pubkey(), None, &patient, keys), &[&next]);
    let expected = WalletAccepted {
        link: *event.link(),
        wallet: next.pubkey(),
        encryption_key: [7; 32],
        post_quantum_key_hash: [8; 32],
        key_epoch: 2,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::WalletAccepted(expected));
    world.assert_logged(&event, &patient, &next.pubkey(), NO_OUTCOME);
    let account = world.patient_account();
    assert_eq!(
        (account.wallet, account.keys, account.key_epoch),
        (next.pubkey(), keys, 2)
    );
    assert_eq!(account.proposed_wallet, Default::default());
}

#[test]
fn patients_wallet_replaced_by_one_signature_is_refused() {
    let mut world = World::new();
    let (patient, stranger) = (world.patient.clone(), world.chain.wallet());
    // The next wallet's alone, without a proposal.
    let accept = ix::accept_wallet(stranger.pubkey(), None, &patient.id, keys(7));
    world.chain.refuse(accept, &[&stranger], ChartsealError::NotProposed);
    // The patient's alone, for a wallet that never signs.
    let next = proposed(&mut world);
    let accept = ix::accept_wallet(next.pubkey(), None, &patient.id, keys(7));
    world.chain.refuse_at_the_door(
        unsign(accept, next.pubkey()),
        &[&patient.wallet],
        InstructionError::MissingRequiredSignature,
    );
    for by in [&patient.wallet, &stranger] {
        let accept = ix::accept_wallet(by.pubkey(), None, &patient.id, keys(7));
        world.chain.refuse(accept, &[by], ChartsealError::NotProposed);
    }
    assert_eq!(world.patient_account().wallet, patient.wallet.pubkey());
}

#[test]
fn acceptance_counts_once() {
    let mut world = World::new();
    let (next, patient) = (proposed(&mut world), world.patient.id);
    let accept = ix::accept_wallet(next.pubkey(), None, &patient, keys(7));
    world.chain.must(accept.clone(), &[&next]);
    world.chain.refuse(accept, &[&next], ChartsealError::NotProposed);
}

#[test]
fn withdrawn_proposal_is_not_accepted() {
    let mut world = World::new();
    let (next, patient) = (proposed(&mut world), world.patient.clone());
    let withdraw = ix::propose_wallet(patient.wallet.pubkey(), None, &patient.id, Default::default());
    world.chain.must(withdraw, &[&patient.wallet]);
    let accept = ix::accept_wallet(next.pubkey(), None, &patient.id, keys(7));
    world.chain.refuse(accept, &[&next], ChartsealError::NotProposed);
}

#[test]
fn old_wallet_deciding_after_a_handover_is_refused() {
    let mut world = World::new();
    let (grant, record, patient) = (world.enrol(), world.record(), world.patient.id);
    let old = world.hand_over();
    let by = By::wallet(old.pubkey());
    let (terms, id) = (world.terms(GranteeKind::Person, old.pubkey()), world.grant_id());
    let args = chartseal_program::instructions::CreateGrantArgs { id, terms };
    for instruction in [
        ix::create_grant(&by, old.pubkey(), &patient, args),
        ix::revoke_grant(&by, &patient, &grant),
        ix::erase_record(&by, &patient, &record),
        ix::propose_wallet(old.pubkey(), None, &patient, old.pubkey()),
        ix::rotate_patient_key(old.pubkey(), &patient, keys(9)),
    ] {
        world.chain.refuse(instruction, &[&old], ChartsealError::NotPatient);
    }
    // To read, it is a stranger now.
    let access = world.access_ix(&ix::As::wallet(old.pubkey()), record, Purpose::Personal);
    world.chain.refuse(access, &[&old], ChartsealError::Stranger);
    let new = world.patient.clone();
    let verdict = world.verdict(&new.wallet, new.acting(), record, Purpose::Personal);
    assert_eq!(verdict, Ok(Basis::Patient));
    world.revoke(grant);
}

#[test]
fn steward_deciding_after_a_handover_is_refused() {
    let mut world = World::new();
    let (patient, hospital) = (world.steward_patient(), world.hospital.clone());
    let (terms, id) = (
        world.terms(GranteeKind::Institution, hospital.address()),
        world.grant_id(),
    );
    let args = chartseal_program::instructions::CreateGrantArgs { id, terms };
    let authority = &hospital.authority;
    let create = ix::create_grant(&hospital.stewards(), authority.pubkey(), &patient, args);
    world.chain.must(create.clone(), &[authority]);
    world.take_out();
    let args = chartseal_program::instructions::CreateGrantArgs {
        id: world.grant_id(),
        terms,
    };
    for instruction in [
        ix::create_grant(&hospital.stewards(), authority.pubkey(), &patient, args),
        ix::revoke_grant(&hospital.stewards(), &patient, &id),
        ix::propose_wallet(authority.pubkey(), Some(&hospital.id), &patient, authority.pubkey()),
    ] {
        world
            .chain
            .refuse(instruction, &[authority], ChartsealError::NotPatient);
    }
    // Nor do its people write without a grant any more.
    let (_, done) = world.create(0, None);
    assert_eq!(crate::people::judged(&done.event), Err(Reason::NoGrant));
    // What it granted before stands until the patient revokes it.
    world.revoke(id);
}

#[test]
fn suspended_stewards_proposal_is_not_accepted() {
    let mut world = World::new();
    let ((next, accept), hospital) = (handed_over(&mut world), world.hospital.clone());
    world.set_institution_standing(&hospital, Standing::Suspended);
    world
        .chain
        .refuse(accept.clone(), &[&next], ChartsealError::InstitutionNotActive);
    assert!(!world.patient_account().has_wallet());
    // It stands, and counts again once the suspension is lifted.
    world.set_institution_standing(&hospital, Standing::Active);
    world.chain.must(accept, &[&next]);
    assert_eq!(world.patient_account().wallet, next.pubkey());
}

#[test]
fn expired_stewards_proposal_is_not_accepted() {
    let mut world = World::new();
    let ((next, accept), hospital) = (handed_over(&mut world), world.hospital.address());
    let until = |world: &mut World, expires| {
        world
            .chain
            .edit(&hospital, |hospital: &mut Institution| hospital.expires = expires)
    };
    until(&mut world, GENESIS);
    world
        .chain
        .refuse(accept.clone(), &[&next], ChartsealError::InstitutionNotActive);
    until(&mut world, GENESIS + 1);
    world.chain.must(accept, &[&next]);
}

#[test]
fn steward_left_out_or_replaced_to_hide_its_suspension_is_refused() {
    let mut world = World::new();
    let ((next, accept), hospital) = (handed_over(&mut world), world.hospital.clone());
    let clinic = world.chain.institution(61, InstitutionKind::Hospital);
    for standing in [Standing::Suspended, Standing::Active] {
        world.set_institution_standing(&hospital, standing);
        let without = ix::accept_wallet(next.pubkey(), None, &world.patient.id, keys(7));
        world
            .chain
            .refuse(without, &[&next], ChartsealError::InstitutionMissing);
        let mut replaced = accept.clone();
        substitute(&mut replaced, hospital.address(), clinic.address());
        world.chain.refuse(replaced, &[&next], ChartsealError::NotPatient);
    }
}

#[test]
fn institution_has_no_say_where_the_patient_has_a_wallet() {
    let mut world = World::new();
    let (first, accept) = handed_over(&mut world);
    world.take_out();
    // What the steward proposed before counts no more, and its standing holds nothing up.
    let hospital = world.hospital.clone();
    let next = proposed(&mut world);
    world.set_institution_standing(&hospital, Standing::Suspended);
    world.chain.refuse(accept, &[&first], ChartsealError::NotProposed);
    let accept = ix::accept_wallet(next.pubkey(), Some(&hospital.id), &world.patient.id, keys(7));
    world.chain.must(accept, &[&next]);
    assert_eq!(world.patient_account().wallet, next.pubkey());
}

#[test]
fn proposal_for_another_patient_is_not_accepted() {
    let mut world = World::new();
    let (next, own, other) = (proposed(&mut world), world.patient.clone(), world.chain.patient(90));
    let accept = ix::accept_wallet(next.pubkey(), None, &other.id, keys(7));
    world.chain.refuse(accept, &[&next], ChartsealError::NotProposed);
    let mut hidden = ix::accept_wallet(next.pubkey(), None, &own.id, keys(7));
    substitute(
        &mut hidden,
        address::access_log(&own.id),
        address::access_log(&other.id),
    );
    world.chain.refuse(hidden, &[&next], ChartsealError::ForeignPatient);
}

#[test]
fn nothing_is_accepted_while_paused() {
    let mut world = World::new();
    let (next, patient) = (proposed(&mut world), world.patient.id);
    world.set_paused(true);
    let accept = ix::accept_wallet(next.pubkey(), None, &patient, keys(7));
    world.chain.refuse(accept, &[&next], ChartsealError::Paused);
}

#[test]
fn key_of_zeros_is_none() {
    let mut world = World::new();
    let (next, patient) = (proposed(&mut world), world.patient.id);
    let accept = ix::accept_wallet(next.pubkey(), None, &patient, keys(0));
    world.chain.refuse(accept, &[&next], ChartsealError::ZeroId);
}

#[test]
fn key_epoch_does_not_overflow() {
    let mut world = World::new();
    let (next, patient) = (proposed(&mut world), world.patient.id);
    let at = address::patient(&patient);
    let accept = ix::accept_wallet(next.pubkey(), None, &patient, keys(7));
    world
        .chain
        .edit(&at, |patient: &mut Patient| patient.key_epoch = u32::MAX);
    world.chain.refuse(accept.clone(), &[&next], ChartsealError::Overflow);
    world
        .chain
        .edit(&at, |patient: &mut Patient| patient.key_epoch = u32::MAX - 1);
    world.chain.must(accept, &[&next]);
    assert_eq!(world.patient_account().key_epoch, u32::MAX);
}
