//! Accepting: the provider signs for itself, once, what was proposed to it.

use chartseal_program::{
    builders as ix,
    events::AnyEvent,
    state::{Agreement, Institution},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::{common::*, tokens::*};

/// The hospital accepts, and must be refused.
#[track_caller]
fn refuse(deal: &mut Deal, error: ChartsealError) {
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.refuse(accept, &[&hospital], error);
}

#[test]
fn acceptance_is_written_down() {
    for kind in KINDS {
        let mut deal = Deal::proposed(kind);
        let before = deal.agreement();
        let (accept, hospital) = (deal.accept(), deal.hospital());
        let AnyEvent::AgreementAccepted(event) = deal.world.chain.must(accept, &[&hospital]) else {
            panic!()
        };
        assert_eq!((event.agreement, event.payee), (deal.terms.id, deal.payee));
        assert_eq!(event.link.subject, deal.world.insurance.id);
        let accepted = Agreement {
            payee: deal.payee,
            state: AgreementState::Active.byte(),
            ..before
        };
        assert_eq!(bytemuck::bytes_of(&deal.agreement()), bytemuck::bytes_of(&accepted));
        let chain = deal
            .world
            .chain
            .read::<Institution>(&deal.world.insurance.address())
            .chain;
        assert_eq!((chain.seq, chain.head), (event.link.seq, event.head));
    }
}

#[test]
fn consumer_does_not_forge_the_providers_acceptance() {
    let mut deal = Deal::proposed(Kind::Classic);
    let (hospital, stranger) = (deal.hospital(), deal.world.chain.wallet());
    let (insurance, doctor) = (deal.insurance(), deal.world.doctor.wallet.insecure_clone());
    for by in [&insurance, &doctor, &stranger] {
        let mut accept = deal.accept();
        substitute(&mut accept, hospital.pubkey(), by.pubkey());
        let error = ChartsealError::NotInstitutionAuthority;
        deal.world.chain.refuse(accept, &[by], error);
    }
    let unsigned = unsign(deal.accept(), hospital.pubkey());
    deal.world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn other_institutions_do_not_accept() {
    let mut deal = Deal::proposed(Kind::Classic);
    let other = deal.world.chain.institution(70, InstitutionKind::Hospital);
    let (insurance, agreement) = (deal.world.insurance.clone(), deal.terms.id);
    let authority = other.authority.pubkey();
    let accept = ix::accept_agreement(authority, &other.id, &insurance.id, &agreement, deal.payee);
    deal.world
        .chain
        .refuse(accept, &[&other.authority], ChartsealError::BadParty);
    // Nor is the acceptance written into another's chain.
    let (hospital, mut accept) = (deal.hospital(), deal.accept());
    substitute(&mut accept, insurance.address(), other.address());
    deal.world.chain.refuse(accept, &[&hospital], ChartsealError::BadParty);
}

#[test]
fn agreement_is_accepted_once_and_not_after_its_end() {
    let mut deal = Deal::active(Kind::Classic);
    refuse(&mut deal, ChartsealError::AlreadyAccepted);
    let insurance = deal.insurance();
    deal.must_close(&insurance);
    refuse(&mut deal, ChartsealError::AgreementClosed);
    let mut deal = Deal::proposed(Kind::Classic);
    deal.must_close(&insurance);
    refuse(&mut deal, ChartsealError::AgreementClosed);
}

#[test]
fn agreement_is_accepted_until_just_before_it_expires() {
    let mut deal = Deal::proposed(Kind::Classic);
    let (expires, hospital, accept) = (deal.terms.expires, deal.hospital(), deal.accept());
    deal.world.chain.set_time(expires);
    refuse(&mut deal, ChartsealError::AgreementNotActive);
    deal.world.chain.set_time(expires - 1);
    deal.world.chain.must(accept, &[&hospital]);
}

#[test]
fn state_that_no_word_stands_for_is_closed() {
    let mut deal = Deal::proposed(Kind::Classic);
    let address = deal.address();
    deal.world
        .chain
        .edit(&address, |agreement: &mut Agreement| agreement.state = 3);
    refuse(&mut deal, ChartsealError::AgreementClosed);
}

#[test]
fn nothing_is_accepted_while_paused_or_by_or_from_the_suspended() {
    let mut deal = Deal::proposed(Kind::Classic);
    deal.world.set_paused(true);
    refuse(&mut deal, ChartsealError::Paused);
    deal.world.set_paused(false);
    for body in [deal.world.hospital.clone(), deal.world.insurance.clone()] {
        deal.world.set_institution_standing(&body, Standing::Suspended);
        refuse(&mut deal, ChartsealError::InstitutionNotActive);
        deal.world.set_institution_standing(&body, Standing::Active);
    }
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
}

#[test]
fn payee_must_be_of_the_mint_and_not_the_agreements_own() {
    for kind in KINDS {
        let mut deal = Deal::proposed(kind);
        let (issuer, hospital) = (deal.issuer(), deal.hospital());
        for program in [CLASSIC, TOKEN_2022] {
            let other = mint(&mut deal.world.chain, &issuer, program, &[]);
            deal.payee = create_associated(&mut deal.world.chain, &issuer, &other, hospital.pubkey());
            refuse(&mut deal, ChartsealError::BadTokenAccount);
        }
        deal.payee = deal.escrow();
        refuse(&mut deal, ChartsealError::BadTokenAccount);
        let forged = copy_account(&mut deal.world.chain, deal.purse, chartseal_program::ID);
        deal.payee = forged;
        let accept = deal.accept();
        let error = InstructionError::IllegalOwner;
        deal.world.chain.refuse_at_the_door(accept, &[&hospital], error);
    }
}
