//! The successor takes over, by its own signature.

use chartseal_program::{builders as ix, events::AnyEvent, seeds::address, state::Registry, ChartsealError};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

#[test]
fn successor_takes_over_and_the_old_admin_is_out() {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet());
    chain.must(ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin]);
    let AnyEvent::AdminAccepted(event) = chain.must(ix::accept_admin(next.pubkey()), &[&next]) else {
        panic!()
    };
    let registry: Registry = chain.read(&address::registry());
    assert_eq!((event.admin, registry.admin), (next.pubkey(), next.pubkey()));
    assert_eq!(registry.proposed_admin.to_bytes(), [0; 32]);
    chain.refuse(
        ix::set_paused(admin.pubkey(), true),
        &[&admin],
        ChartsealError::NotAdmin,
    );
    chain.must(ix::set_paused(next.pubkey(), true), &[&next]);
}

#[test]
fn nobody_takes_over_unnamed() {
    let mut chain = Chain::new();
    let stranger = chain.wallet();
    chain.refuse(
        ix::accept_admin(stranger.pubkey()),
        &[&stranger],
        ChartsealError::NotProposedAdmin,
    );
}

#[test]
fn one_signature_does_not_replace_the_admin() {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    chain.must(ix::propose_admin(admin.pubkey(), next), &[&admin]);
    let accept = unsign(ix::accept_admin(next), next);
    chain.refuse_at_the_door(accept, &[&admin], InstructionError::MissingRequiredSignature);
}

#[test]
fn withdrawn_proposal_cannot_be_accepted() {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet());
    chain.must(ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin]);
    chain.must(ix::propose_admin(admin.pubkey(), Default::default()), &[&admin]);
    chain.refuse(
        ix::accept_admin(next.pubkey()),
        &[&next],
        ChartsealError::NotProposedAdmin,
    );
}

#[test]
fn acceptance_counts_once() {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet());
    chain.must(ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin]);
    chain.must(ix::accept_admin(next.pubkey()), &[&next]);
    chain.refuse(
        ix::accept_admin(next.pubkey()),
        &[&next],
        ChartsealError::NotProposedAdmin,
    );
}

#[test]
fn handover_works_while_paused() {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet());
    chain.must(ix::set_paused(admin.pubkey(), true), &[&admin]);
    chain.must(ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin]);
    chain.must(ix::accept_admin(next.pubkey()), &[&next]);
}
