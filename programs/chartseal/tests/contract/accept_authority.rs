//! The successor that an institution's authority named takes over.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, AuthorityAccepted},
    instructions::CreateGrantArgs,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// A successor whom the hospital's authority proposed.
fn proposed(world: &mut World) -> Keypair {
    let (hospital, next) = (world.hospital.clone(), world.chain.wallet());
    let propose = ix::propose_authority(hospital.authority.pubkey(), &hospital.id, next.pubkey());
    world.chain.must(propose, &[&hospital.authority]);
    next
}

#[test]
fn acceptance_changes_the_authority_and_no_keys() {
    let mut world = World::new();
    let (next, hospital) = (proposed(&mut world), world.hospital.clone());
    world.wait(5);
    let before = world.body_account(&hospital);
    let accept = ix::accept_authority(next.pubkey(), &hospital.id);
    let event = world.chain.must(accept.clone(), &[&next]);
    let expected = AuthorityAccepted {
        link: *event.link(),
        authority: next.pubkey(),
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::AuthorityAccepted(expected));
    world.assert_linked(&event, &hospital);
    let after = world.body_account(&hospital);
    assert_eq!(
        (after.authority, after.proposed_authority),
        (next.pubkey(), Address::default())
    );
    assert_eq!(
        (after.keys, after.key_epoch, after.standing, after.expires),
        (before.keys, before.key_epoch, before.standing, before.expires)
    );
    world.chain.refuse(accept, &[&next], ChartsealError::NotProposed);
}

#[test]
fn authority_replaced_by_one_signature_is_refused() {
    let mut world = World::new();
    let (hospital, stranger) = (world.hospital.clone(), world.chain.wallet());
    let accept = ix::accept_authority(stranger.pubkey(), &hospital.id);
    world.chain.refuse(accept, &[&stranger], ChartsealError::NotProposed);
    let next = proposed(&mut world);
    for by in [&stranger, &hospital.authority, &world.chain.admin.insecure_clone()] {
        let accept = ix::accept_authority(by.pubkey(), &hospital.id);
        world.chain.refuse(accept, &[by], ChartsealError::NotProposed);
    }
    let unsigned = unsign(ix::accept_authority(next.pubkey(), &hospital.id), next.pubkey());
    world.chain.refuse_at_the_door(
        unsigned,
        &[&hospital.authority],
        InstructionError::MissingRequiredSignature,
    );
    assert_eq!(world.body_account(&hospital).authority, hospital.authority.pubkey());
}

#[test]
fn successor_of_one_institution_accepts_no_other() {
    let mut world = World::new();
    let (next, insurance) = (proposed(&mut world), world.insurance.id);
    let accept = ix::accept_authority(next.pubkey(), &insurance);
    world.chain.refuse(accept, &[&next], ChartsealError::NotProposed);
}

#[test]
fn old_authority_deciding_after_a_handover_is_refused() {
    let mut world = World::new();
    let patient = world.steward_patient();
    let (next, hospital, doctor) = (proposed(&mut world), world.hospital.clone(), world.doctor.clone());
    world
        .chain
        .must(ix::accept_authority(next.pubkey(), &hospital.id), &[&next]);
    let old = &hospital.authority;
    for instruction in [
        ix::propose_authority(old.pubkey(), &hospital.id, old.pubkey()),
        ix::set_member_standing(old.pubkey(), &hospital.id, &doctor.id, Standing::Suspended),
        ix::renew_member(old.pubkey(), &hospital.id, &doctor.id, GENESIS + DAY),
        ix::set_emergency_credential(old.pubkey(), &hospital.id, &doctor.id, true),
    ] {
        world
            .chain
            .refuse(instruction, &[old], ChartsealError::NotInstitutionAuthority);
    }
    // Nor for the patients that it stewards; the new one does.
    let (id, terms) = (
        world.grant_id(),
        world.terms(GranteeKind::Member, world.insurer.address()),
    );
    let create = |by: &Keypair| {
        let deciding = By::steward(by.pubkey(), hospital.id);
        ix::create_grant(&deciding, by.pubkey(), &patient, CreateGrantArgs { id, terms })
    };
    world.chain.refuse(create(old), &[old], ChartsealError::NotPatient);
    world.chain.must(create(&next), &[&next]);
}

#[test]
fn withdrawn_proposal_is_not_accepted() {
    let mut world = World::new();
    let (next, hospital) = (proposed(&mut world), world.hospital.clone());
    let withdraw = ix::propose_authority(hospital.authority.pubkey(), &hospital.id, Address::default());
    world.chain.must(withdraw, &[&hospital.authority]);
    let accept = ix::accept_authority(next.pubkey(), &hospital.id);
    world.chain.refuse(accept, &[&next], ChartsealError::NotProposed);
}

#[test]
fn nothing_is_accepted_while_paused() {
    let mut world = World::new();
    let (next, hospital) = (proposed(&mut world), world.hospital.id);
    world.set_paused(true);
    let accept = ix::accept_authority(next.pubkey(), &hospital);
    world.chain.refuse(accept, &[&next], ChartsealError::Paused);
}
