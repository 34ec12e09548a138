//! The authority accepts and publishes the institution's keys.

use chartseal_program::{
    builders as ix, events::AnyEvent, instructions::RegisterInstitutionArgs, seeds::address, state::Institution,
    state::Keys, vocabulary::*, ChartsealError,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// An institution that was registered and did not accept yet, and its authority.
fn invited(chain: &mut Chain) -> Keypair {
    let (admin, authority) = (chain.admin.insecure_clone(), chain.wallet());
    let args = RegisterInstitutionArgs {
        id: id(9),
        kind: InstitutionKind::Hospital,
        authority: authority.pubkey(),
        expires: i64::MAX,
    };
    chain.must(
        ix::register_institution(admin.pubkey(), admin.pubkey(), args),
        &[&admin],
    );
    authority
}

#[test]
fn acceptance_makes_it_active_and_publishes_its_keys() {
    let mut chain = Chain::new();
    let authority = invited(&mut chain);
    let keys = Keys {
        encryption: [7; 32],
        post_quantum_hash: [8; 32],
    };
    let accept = ix::accept_institution(authority.pubkey(), &id(9), keys);
    let AnyEvent::InstitutionAccepted(event) = chain.must(accept, &[&authority]) else {
        panic!()
    };
    let institution: Institution = chain.read(&address::institution(&id(9)));
    assert!(institution.is_active(GENESIS));
    assert_eq!((institution.keys, institution.key_epoch), (keys, 1));
    assert_eq!((event.encryption_key, event.post_quantum_key_hash), ([7; 32], [8; 32]));
    assert_eq!((institution.chain.seq, institution.chain.head), (2, event.head));
}

#[test]
fn nobody_else_accepts() {
    let mut chain = Chain::new();
    invited(&mut chain);
    let (admin, stranger) = (chain.admin.insecure_clone(), chain.wallet());
    for by in [&admin, &stranger] {
        let accept = ix::accept_institution(by.pubkey(), &id(9), keys(1));
        chain.refuse(accept, &[by], ChartsealError::NotInvited);
    }
}

#[test]
fn acceptance_cannot_be_repeated_to_change_keys() {
    let mut chain = Chain::new();
    let authority = invited(&mut chain);
    chain.must(
        ix::accept_institution(authority.pubkey(), &id(9), keys(1)),
        &[&authority],
    );
    let again = ix::accept_institution(authority.pubkey(), &id(9), keys(2));
    chain.refuse(again, &[&authority], ChartsealError::AlreadyAccepted);
}

#[test]
fn suspended_invitation_is_not_accepted_until_it_stands_again() {
    let mut chain = Chain::new();
    let (authority, admin) = (invited(&mut chain), chain.admin.insecure_clone());
    chain.must(
        ix::set_institution_standing(admin.pubkey(), &id(9), Standing::Suspended),
        &[&admin],
    );
    let accept = ix::accept_institution(authority.pubkey(), &id(9), keys(1));
    chain.refuse(accept.clone(), &[&authority], ChartsealError::NotInvited);
    chain.must(
        ix::set_institution_standing(admin.pubkey(), &id(9), Standing::Invited),
        &[&admin],
    );
    chain.must(accept, &[&authority]);
}

#[test]
fn key_of_zeros_is_none() {
    let mut chain = Chain::new();
    let authority = invited(&mut chain);
    let accept = ix::accept_institution(authority.pubkey(), &id(9), keys(0));
    chain.refuse(accept, &[&authority], ChartsealError::ZeroId);
}
