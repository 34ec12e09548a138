//! The admin names a successor. Nothing changes hands by that.

use chartseal_program::{builders as ix, events::AnyEvent, seeds::address, state::Registry, ChartsealError};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::common::*;

#[test]
fn proposing_changes_no_hands() {
    let mut chain = Chain::new();
    let (admin, next) = (chain.admin.insecure_clone(), chain.wallet().pubkey());
    let AnyEvent::AdminProposed(event) = chain.must(ix::propose_admin(admin.pubkey(), next), &[&admin]) else {
        panic!()
    };
    let registry: Registry = chain.read(&address::registry());
    assert_eq!(event.proposed, next);
    assert_eq!((registry.admin, registry.proposed_admin), (admin.pubkey(), next));
    assert_eq!((registry.chain.seq, registry.chain.head), (2, event.head));
}

#[test]
fn only_the_admin_proposes() {
    let mut chain = Chain::new();
    let stranger = chain.wallet();
    let propose = ix::propose_admin(stranger.pubkey(), stranger.pubkey());
    chain.refuse(propose, &[&stranger], ChartsealError::NotAdmin);
}

#[test]
fn admin_must_sign() {
    let mut chain = Chain::new();
    let (stranger, admin) = (chain.wallet(), chain.admin.pubkey());
    let propose = unsign(ix::propose_admin(admin, stranger.pubkey()), admin);
    chain.refuse_at_the_door(propose, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn last_proposal_counts() {
    let mut chain = Chain::new();
    let (admin, first, second) = (chain.admin.insecure_clone(), chain.wallet(), chain.wallet());
    chain.must(ix::propose_admin(admin.pubkey(), first.pubkey()), &[&admin]);
    chain.must(ix::propose_admin(admin.pubkey(), second.pubkey()), &[&admin]);
    chain.refuse(
        ix::accept_admin(first.pubkey()),
        &[&first],
        ChartsealError::NotProposedAdmin,
    );
    chain.must(ix::accept_admin(second.pubkey()), &[&second]);
}
