//! Paying a deposit: what counts is what arrives.

use chartseal_program::{
    events::AnyEvent,
    state::{Agreement, Institution},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::{common::*, tokens::*};

/// The insurance pays, and must be refused.
#[track_caller]
fn refuse(deal: &mut Deal, amount: u64, error: ChartsealError) {
    let (fund, insurance) = (deal.fund(amount), deal.insurance());
    deal.world.chain.refuse(fund, &[&insurance], error);
}

#[test]
fn what_arrives_is_what_counts() {
    for kind in KINDS {
        let mut deal = Deal::proposed(kind);
        let mut deposited = 0;
        for amount in [1_000, 12_345] {
            let AnyEvent::AgreementFunded(event) = deal.must_fund(amount) else {
                panic!()
            };
            let received = amount - kind.fee(amount);
            deposited += received;
            assert_eq!((event.agreement, event.received), (deal.terms.id, received), "{kind:?}");
            assert_eq!(deal.agreement().deposited, deposited);
            assert_eq!(deal.balance(&deal.escrow()), deposited);
            let chain = deal
                .world
                .chain
                .read::<Institution>(&deal.world.insurance.address())
                .chain;
            assert_eq!((chain.seq, chain.head), (event.link.seq, event.head));
        }
        assert_eq!(deal.balance(&deal.purse), PURSE - 13_345);
        assert_eq!(deal.all_money(), PURSE);
    }
}

#[test]
fn nobody_else_funds() {
    let mut deal = Deal::active(Kind::Classic);
    let (insurance, hospital, stranger) = (deal.insurance(), deal.hospital(), deal.world.chain.wallet());
    for by in [&hospital, &stranger] {
        let mut fund = deal.fund(10);
        substitute(&mut fund, insurance.pubkey(), by.pubkey());
        let error = ChartsealError::NotInstitutionAuthority;
        deal.world.chain.refuse(fund, &[by], error);
    }
    let unsigned = unsign(deal.fund(10), insurance.pubkey());
    deal.world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
    // Nor with another's institution, in whose chain it would stand.
    let mut fund = deal.fund(10);
    substitute(&mut fund, deal.world.insurance.address(), deal.world.hospital.address());
    substitute(&mut fund, insurance.pubkey(), hospital.pubkey());
    deal.world.chain.refuse(fund, &[&hospital], ChartsealError::BadParty);
}

#[test]
fn money_of_others_is_not_taken() {
    for kind in KINDS {
        let mut deal = Deal::active(kind);
        let (insurance, issuer, payee) = (deal.insurance(), deal.issuer(), deal.payee);
        pour(&mut deal.world.chain, &issuer, &deal.currency.clone(), payee, 500);
        let mut fund = deal.fund(10);
        substitute(&mut fund, deal.purse, payee);
        // The token program's `OwnerMismatch`.
        let error = InstructionError::Custom(4);
        deal.world.chain.refuse_at_the_door(fund, &[&insurance], error);
        assert_eq!(deal.balance(&payee), 500);
    }
}

#[test]
fn nothing_and_more_than_there_is_are_refused() {
    for kind in KINDS {
        let mut deal = Deal::active(kind);
        let insurance = deal.insurance();
        refuse(&mut deal, 0, ChartsealError::BadPrice);
        for amount in [PURSE + 1, u64::MAX] {
            let fund = deal.fund(amount);
            // The token program's `InsufficientFunds`.
            let error = InstructionError::Custom(1);
            deal.world.chain.refuse_at_the_door(fund, &[&insurance], error);
        }
        deal.must_fund(PURSE);
    }
}

#[test]
fn deposit_that_the_fee_eats_up_is_refused() {
    let mut deal = Deal::active(Kind::WithFee);
    refuse(&mut deal, 1, ChartsealError::BadPrice);
    deal.must_fund(2);
    assert_eq!(deal.agreement().deposited, 1);
}

#[test]
fn deposits_do_not_overflow() {
    let mut deal = Deal::active(Kind::Classic);
    let address = deal.address();
    let brim = |agreement: &mut Agreement| agreement.deposited = u64::MAX - 9;
    deal.world.chain.edit(&address, brim);
    refuse(&mut deal, 10, ChartsealError::Overflow);
    deal.must_fund(9);
    assert_eq!(deal.agreement().deposited, u64::MAX);
}

#[test]
fn money_goes_to_the_agreements_own_escrow_only() {
    let mut deal = Deal::active(Kind::Classic);
    let insurance = deal.insurance();
    for other in [deal.payee, deal.purse] {
        let mut fund = deal.fund(10);
        let place = fund.accounts.iter_mut().find(|meta| meta.pubkey == deal.escrow());
        place.unwrap().pubkey = other;
        let failure = deal.world.chain.fail(&[fund], &[&insurance]);
        let ours = Failure::Ours(code(ChartsealError::BadTokenAccount));
        // The purse would stand there twice.
        assert!(
            failure == ours || other == deal.purse && failure == Failure::Runtime(DUPLICATE),
            "{failure:?}"
        );
    }
}

#[test]
fn other_money_is_not_taken() {
    let mut deal = Deal::active(Kind::Classic);
    let (insurance, issuer) = (deal.insurance(), deal.issuer());
    for program in [CLASSIC, TOKEN_2022] {
        let other = mint(&mut deal.world.chain, &issuer, program, &[]);
        let mut fund = deal.fund(10);
        substitute(&mut fund, deal.currency.mint, other.mint);
        deal.world.chain.refuse(fund, &[&insurance], ChartsealError::BadMint);
    }
}

#[test]
fn look_alike_token_program_is_not_called() {
    for kind in KINDS {
        let mut deal = Deal::active(kind);
        let (insurance, right) = (deal.insurance(), deal.currency.token_program);
        let fake = anchor_lang::prelude::Address::new_unique();
        put_program(&mut deal.world.chain, fake, right);
        let sibling = if right == CLASSIC { TOKEN_2022 } else { CLASSIC };
        for program in [fake, sibling, chartseal_program::ID] {
            let mut fund = deal.fund(10);
            substitute(&mut fund, right, program);
            deal.world.chain.refuse(fund, &[&insurance], ChartsealError::BadMint);
        }
    }
}

#[test]
fn nothing_is_funded_while_paused_suspended_expired_or_closed() {
    let mut deal = Deal::active(Kind::Classic);
    deal.world.set_paused(true);
    refuse(&mut deal, 10, ChartsealError::Paused);
    deal.world.set_paused(false);
    let insurance = deal.world.insurance.clone();
    deal.world.set_institution_standing(&insurance, Standing::Suspended);
    refuse(&mut deal, 10, ChartsealError::InstitutionNotActive);
    deal.world.set_institution_standing(&insurance, Standing::Active);
    let expires = deal.terms.expires;
    deal.world.chain.set_time(expires);
    refuse(&mut deal, 10, ChartsealError::AgreementNotActive);
    deal.world.chain.set_time(expires - 1);
    deal.must_fund(10);
    deal.must_close(&insurance.authority);
    refuse(&mut deal, 10, ChartsealError::AgreementClosed);
    // Not even where somebody makes the escrow anew.
    deal.make_escrow();
    refuse(&mut deal, 10, ChartsealError::AgreementClosed);
    assert_eq!(deal.balance(&deal.purse), PURSE);
}
