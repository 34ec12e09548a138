//! Ending an agreement: by either side, always, and the rest goes back to whoever deposited it.

use chartseal_program::{events::AnyEvent, seeds::AGREEMENT, state::Institution, vocabulary::*, ChartsealError};
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, tokens::*};

fn both(deal: &Deal) -> [Keypair; 2] {
    [deal.insurance(), deal.hospital()]
}

fn lamports(deal: &Deal, of: &Keypair) -> u64 {
    deal.world.chain.svm.get_balance(&of.pubkey()).unwrap()
}

#[test]
fn either_side_closes_and_the_rest_goes_back() {
    for kind in KINDS {
        for n in [0, 1] {
            let mut deal = Deal::funded(kind);
            let by = both(&deal)[n].insecure_clone();
            let rest = DEPOSIT - kind.fee(DEPOSIT);
            let before = deal.balance(&deal.purse);
            let AnyEvent::AgreementClosed(event) = deal.must_close(&by) else {
                panic!()
            };
            assert_eq!((event.agreement, event.by), (deal.terms.id, by.pubkey()));
            assert_eq!((event.returned, event.refund), (rest, deal.purse));
            assert_eq!(event.link.subject, deal.world.insurance.id);
            assert_eq!(deal.agreement().state, AgreementState::Closed.byte());
            assert_eq!(deal.balance(&deal.purse), before + rest - kind.fee(rest), "{kind:?}");
            assert_eq!(deal.all_money(), PURSE);
            let chain = deal
                .world
                .chain
                .read::<Institution>(&deal.world.insurance.address())
                .chain;
            assert_eq!((chain.seq, chain.head), (event.link.seq, event.head));
        }
    }
}

#[test]
fn rent_of_the_escrow_goes_to_the_consumer_whoever_closes() {
    for kind in [Kind::Classic, Kind::Token2022] {
        for n in [0, 1] {
            let mut deal = Deal::funded(kind);
            let (by, escrow, stranger) = (
                both(&deal)[n].insecure_clone(),
                deal.escrow(),
                deal.world.chain.wallet(),
            );
            let rent = deal.world.chain.svm.get_balance(&escrow).unwrap();
            let [insurance, hospital] = both(&deal);
            let before = (lamports(&deal, &insurance), lamports(&deal, &hospital));
            // Somebody else pays the transaction's fee.
            let close = deal.close(&by);
            deal.world.chain.send(&[close], &[&stranger, &by]).unwrap();
            let after = (lamports(&deal, &insurance), lamports(&deal, &hospital));
            assert_eq!(after, (before.0 + rent, before.1));
            let left = deal.world.chain.svm.get_account(&escrow);
            assert!(left.is_none_or(|account| account.lamports == 0));
        }
    }
}

#[test]
fn provider_does_not_take_the_rent() {
    let mut deal = Deal::funded(Kind::Classic);
    let [insurance, hospital] = both(&deal);
    let mut close = deal.close(&hospital);
    substitute(&mut close, insurance.pubkey(), hospital.pubkey());
    deal.world.chain.refuse(close, &[&hospital], ChartsealError::BadParty);
}

#[test]
fn withheld_fees_keep_the_escrow_and_not_the_money() {
    let mut deal = Deal::funded(Kind::WithFee);
    let (escrow, insurance) = (deal.escrow(), deal.insurance());
    assert_eq!(withheld(&deal.world.chain, &escrow), Kind::WithFee.fee(DEPOSIT));
    let mut harvested = deal.clone();
    deal.must_close(&insurance);
    assert_eq!(deal.balance(&escrow), 0);
    assert_eq!(withheld(&deal.world.chain, &escrow), Kind::WithFee.fee(DEPOSIT));
    // Who harvests before, in the same transaction, gets the rent as well.
    let (consumer, id) = (harvested.world.insurance.id, harvested.terms.id);
    let harvest = harvested.currency.harvest_escrow(&consumer, &id);
    let close = harvested.close(&insurance);
    harvested.world.chain.send(&[harvest, close], &[&insurance]).unwrap();
    let left = harvested.world.chain.svm.get_account(&escrow);
    assert!(left.is_none_or(|account| account.lamports == 0));
    assert_eq!(harvested.all_money(), PURSE);
}

#[test]
fn proposal_that_nobody_accepted_can_be_closed() {
    for kind in KINDS {
        for n in [0, 1] {
            let mut deal = Deal::proposed(kind);
            let by = both(&deal)[n].insecure_clone();
            if n == 0 {
                deal.must_fund(500);
            }
            deal.must_close(&by);
            assert_eq!(deal.agreement().state, AgreementState::Closed.byte());
            assert_eq!(deal.all_money(), PURSE);
        }
    }
}

#[test]
fn nobody_else_closes() {
    let mut deal = Deal::funded(Kind::Classic);
    let (stranger, admin) = (deal.world.chain.wallet(), deal.world.chain.admin.insecure_clone());
    let (insurer, doctor) = (
        deal.world.insurer.wallet.insecure_clone(),
        deal.world.doctor.wallet.insecure_clone(),
    );
    for by in [&stranger, &admin, &insurer, &doctor] {
        let close = deal.close(by);
        deal.world.chain.refuse(close, &[by], ChartsealError::BadParty);
    }
    for by in both(&deal) {
        let mut close = deal.close(&by);
        close.accounts[0].is_signer = false;
        deal.world
            .chain
            .refuse_at_the_door(close, &[&stranger], InstructionError::MissingRequiredSignature);
    }
}

#[test]
fn other_institutions_do_not_close() {
    let mut deal = Deal::funded(Kind::Classic);
    let other = deal.world.chain.institution(70, InstitutionKind::Hospital);
    let mut close = deal.close(&other.authority);
    substitute(&mut close, deal.world.hospital.address(), other.address());
    deal.world
        .chain
        .refuse(close, &[&other.authority], ChartsealError::BadParty);
    // In the consumer's place it would even choose where the rest goes.
    let (issuer, currency, thief) = (deal.issuer(), deal.currency, other.authority.pubkey());
    let loot = create_associated(&mut deal.world.chain, &issuer, &currency, thief);
    let mut close = deal.close(&other.authority);
    substitute(&mut close, deal.world.insurance.address(), other.address());
    substitute(&mut close, deal.insurance().pubkey(), thief);
    substitute(&mut close, deal.purse, loot);
    deal.world
        .chain
        .refuse(close, &[&other.authority], ChartsealError::BadParty);
    assert_eq!((deal.balance(&loot), deal.balance(&deal.escrow())), (0, DEPOSIT));
}

#[test]
fn agreement_is_closed_once() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        for by in both(&deal) {
            let mut deal = deal.clone();
            deal.must_close(&by);
            for again in both(&deal) {
                let close = deal.close(&again);
                deal.world
                    .chain
                    .refuse(close, &[&again], ChartsealError::AgreementClosed);
            }
        }
        // Money that comes after the end stays where it is, and gives nobody a second end.
        let [insurance, hospital] = both(&deal);
        deal.must_close(&insurance);
        let (issuer, currency, escrow) = (deal.issuer(), deal.currency, deal.escrow());
        deal.make_escrow();
        pour(&mut deal.world.chain, &issuer, &currency, escrow, 100);
        let close = deal.close(&hospital);
        deal.world
            .chain
            .refuse(close, &[&hospital], ChartsealError::AgreementClosed);
    }
}

#[test]
fn pause_suspension_and_expiry_keep_nobodys_money() {
    let mut deal = Deal::funded(Kind::Classic);
    let expires = deal.terms.expires;
    for body in [deal.world.insurance.clone(), deal.world.hospital.clone()] {
        deal.world.set_institution_standing(&body, Standing::Suspended);
    }
    deal.world.set_paused(true);
    deal.world.chain.set_time(expires + 400 * DAY);
    for by in both(&deal) {
        let mut deal = deal.clone();
        deal.must_close(&by);
        assert_eq!(deal.balance(&deal.purse), PURSE);
    }
}

#[test]
fn provider_returns_the_rest_nowhere_else() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let hospital = deal.hospital();
        let mut close = deal.close(&hospital);
        substitute(&mut close, deal.purse, deal.payee);
        deal.world
            .chain
            .refuse(close, &[&hospital], ChartsealError::BadTokenAccount);
    }
}

#[test]
fn consumer_names_another_account_where_the_first_is_gone() {
    let mut deal = Deal::new(Kind::Classic);
    let (issuer, currency, insurance) = (deal.issuer(), deal.currency, deal.insurance());
    let purse = deal.purse;
    deal.purse = loose_account(&mut deal.world.chain, &insurance, &currency, &insurance.pubkey(), 0);
    let gone = deal.purse;
    deal.must_propose();
    deal.purse = purse;
    deal.must_fund(DEPOSIT);
    let close_account = solana_instruction::Instruction {
        program_id: currency.token_program,
        accounts: vec![
            solana_instruction::AccountMeta::new(gone, false),
            solana_instruction::AccountMeta::new(insurance.pubkey(), false),
            solana_instruction::AccountMeta::new_readonly(insurance.pubkey(), true),
        ],
        data: vec![9],
    };
    deal.world.chain.transact(&[close_account], &[&insurance]).unwrap();
    deal.purse = gone;
    let close = deal.close(&insurance);
    deal.world
        .chain
        .refuse(close, &[&insurance], ChartsealError::BadTokenAccount);
    // One of other money, or the agreement's own, is none.
    let other = mint(&mut deal.world.chain, &issuer, CLASSIC, &[]);
    let agreement = deal.address();
    let foreign = create_associated(&mut deal.world.chain, &issuer, &other, insurance.pubkey());
    let trap = loose_account(&mut deal.world.chain, &insurance, &currency, &agreement, 0);
    for refund in [foreign, trap] {
        deal.purse = refund;
        let close = deal.close(&insurance);
        deal.world
            .chain
            .refuse(close, &[&insurance], ChartsealError::BadTokenAccount);
    }
    deal.purse = purse;
    let AnyEvent::AgreementClosed(event) = deal.must_close(&insurance) else {
        panic!()
    };
    assert_eq!((event.refund, event.returned), (purse, DEPOSIT));
    assert_eq!(deal.balance(&purse), PURSE);
}

#[test]
fn other_agreements_escrow_is_not_returned() {
    let mut deal = Deal::funded(Kind::Classic);
    let mut second = deal.clone();
    let consumer = second.world.insurance.id;
    second.terms.id = chartseal_program::seeds::address::draw(AGREEMENT, &consumer, || second.world.id());
    second.must_propose();
    let insurance = deal.insurance();
    let theirs = deal.escrow();
    deal.world = second.world.clone();
    let mut close = second.close(&insurance);
    substitute(&mut close, second.escrow(), theirs);
    deal.world
        .chain
        .refuse(close, &[&insurance], ChartsealError::BadTokenAccount);
    assert_eq!(deal.balance(&theirs), DEPOSIT);
}

#[test]
fn other_mint_and_look_alike_token_program_are_refused() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let (insurance, issuer, right) = (deal.insurance(), deal.issuer(), deal.currency.token_program);
        let other = mint(&mut deal.world.chain, &issuer, right, &[]);
        let mut close = deal.close(&insurance);
        substitute(&mut close, deal.currency.mint, other.mint);
        deal.world.chain.refuse(close, &[&insurance], ChartsealError::BadMint);
        let fake = anchor_lang::prelude::Address::new_unique();
        put_program(&mut deal.world.chain, fake, right);
        let mut close = deal.close(&insurance);
        substitute(&mut close, right, fake);
        deal.world.chain.refuse(close, &[&insurance], ChartsealError::BadMint);
    }
}

#[test]
fn money_that_others_gave_goes_back_too() {
    let mut deal = Deal::funded(Kind::Classic);
    let (issuer, currency, escrow, insurance) = (deal.issuer(), deal.currency, deal.escrow(), deal.insurance());
    pour(&mut deal.world.chain, &issuer, &currency, escrow, 77);
    let AnyEvent::AgreementClosed(event) = deal.must_close(&insurance) else {
        panic!()
    };
    assert_eq!(event.returned, DEPOSIT + 77);
}
