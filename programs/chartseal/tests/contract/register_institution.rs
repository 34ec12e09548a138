//! The admin approves an institution and names its authority.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::RegisterInstitutionArgs, seeds::address, seeds::NO_ID,
    state::Institution, vocabulary::*, ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

fn args(authority: Address) -> RegisterInstitutionArgs {
    RegisterInstitutionArgs {
        id: id(9),
        kind: InstitutionKind::Laboratory,
        authority,
        expires: GENESIS + DAY,
    }
}

#[test]
fn registered_institution_is_invited_and_not_active() {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    let register = ix::register_institution(admin.pubkey(), admin.pubkey(), args(authority));
    let AnyEvent::InstitutionRegistered(event) = chain.must(register, &[&admin]) else {
        panic!()
    };
    let institution: Institution = chain.read(&address::institution(&id(9)));
    assert_eq!(event.institution, address::institution(&id(9)));
    assert_eq!((event.kind, event.authority), (InstitutionKind::Laboratory, authority));
    assert_eq!((institution.id, institution.authority), (id(9), authority));
    assert_eq!(institution.kind(), Some(InstitutionKind::Laboratory));
    assert_eq!(institution.standing, Standing::Invited.byte());
    assert!(!institution.is_active(GENESIS));
    assert_eq!((institution.expires, event.expires), (GENESIS + DAY, GENESIS + DAY));
    assert_eq!((institution.chain.seq, institution.chain.head), (1, event.head));
    assert_eq!(event.link.subject, id(9));
}

#[test]
fn only_the_admin_registers() {
    let mut chain = Chain::new();
    let stranger = chain.wallet();
    let register = ix::register_institution(stranger.pubkey(), stranger.pubkey(), args(stranger.pubkey()));
    chain.refuse(register, &[&stranger], ChartsealError::NotAdmin);
}

#[test]
fn payer_is_not_taken_for_the_admin() {
    let mut chain = Chain::new();
    let (admin, payer) = (chain.admin.pubkey(), chain.wallet());
    let register = ix::register_institution(admin, payer.pubkey(), args(payer.pubkey()));
    chain.refuse_at_the_door(
        unsign(register, admin),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
}

#[test]
fn zeros_are_neither_an_id_nor_an_authority() {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    for args in [
        args(Address::default()),
        RegisterInstitutionArgs {
            id: NO_ID,
            ..args(authority)
        },
    ] {
        let register = ix::register_institution(admin.pubkey(), admin.pubkey(), args);
        chain.refuse(register, &[&admin], ChartsealError::ZeroId);
    }
}

#[test]
fn id_is_taken_once() {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    let register = ix::register_institution(admin.pubkey(), admin.pubkey(), args(authority));
    chain.must(register.clone(), &[&admin]);
    chain.refuse_at_the_door(register, &[&admin], EXISTS);
}

#[test]
fn address_of_another_id_is_refused() {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    let mut register = ix::register_institution(admin.pubkey(), admin.pubkey(), args(authority));
    substitute(
        &mut register,
        address::institution(&id(9)),
        address::institution(&id(10)),
    );
    chain.refuse_at_the_door(register, &[&admin], InstructionError::InvalidSeeds);
}

#[test]
fn kind_that_does_not_exist_is_no_instruction() {
    let mut chain = Chain::new();
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    let mut register = ix::register_institution(admin.pubkey(), admin.pubkey(), args(authority));
    register.data[8 + 16] = 5;
    chain.refuse_at_the_door(register, &[&admin], InstructionError::InvalidInstructionData);
}
