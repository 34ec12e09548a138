//! Offering to pay: by the consumer's authority, in money that does what it says, into an escrow that only the agreement
//! can take from.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::Currency,
    events::AnyEvent,
    seeds::{address, AGREEMENT, NO_ID},
    state::Institution,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{common::*, tokens::*};

/// The insurance proposes, and must be refused.
#[track_caller]
fn refuse(deal: &mut Deal, error: ChartsealError) {
    let (propose, insurance) = (deal.propose(), deal.insurance());
    deal.world.chain.refuse(propose, &[&insurance], error);
}

/// A deal whose escrow stands ready, and whose proposal any test can spoil.
fn prepared(kind: Kind) -> Deal {
    let mut deal = Deal::new(kind);
    deal.make_escrow();
    deal
}

#[test]
fn proposal_is_written_down() {
    for kind in KINDS {
        let mut deal = Deal::new(kind);
        let AnyEvent::AgreementProposed(event) = deal.must_propose() else {
            panic!()
        };
        let (hospital, insurance) = (deal.world.hospital.id, deal.world.insurance.id);
        assert_eq!((event.link.subject, event.agreement), (insurance, deal.terms.id));
        assert_eq!((event.provider, event.mint), (hospital, deal.currency.mint));
        assert_eq!(event.token_program, deal.currency.token_program);
        assert_eq!((event.escrow, event.refund), (deal.escrow(), deal.purse));
        assert_eq!((event.classes, event.purpose), (1, Purpose::Payment));
        assert_eq!((event.price, event.expires), (PRICE, deal.terms.expires));

        let agreement = deal.agreement();
        assert_eq!((agreement.provider, agreement.consumer), (hospital, insurance));
        assert_eq!(agreement.id, deal.terms.id);
        assert_eq!((agreement.escrow, agreement.refund), (deal.escrow(), deal.purse));
        assert_eq!(agreement.mint, deal.currency.mint);
        assert_eq!(agreement.token_program, deal.currency.token_program);
        assert_eq!((agreement.price, agreement.expires), (PRICE, deal.terms.expires));
        assert_eq!((agreement.classes, agreement.purpose), (1, Purpose::Payment.byte()));
        assert_eq!(agreement.state, AgreementState::Proposed.byte());
        assert_eq!((agreement.deposited, agreement.paid, agreement.settled), (0, 0, 0));
        assert_eq!((agreement.payee, agreement.created_at), (Address::default(), GENESIS));
        let chain = deal
            .world
            .chain
            .read::<Institution>(&deal.world.insurance.address())
            .chain;
        assert_eq!((chain.seq, chain.head), (event.link.seq, event.head));
    }
}

#[test]
fn nobody_but_the_consumers_authority_proposes() {
    let mut deal = prepared(Kind::Classic);
    let (hospital, stranger) = (deal.hospital(), deal.world.chain.wallet());
    let (insurer, admin) = (
        deal.world.insurer.wallet.insecure_clone(),
        deal.world.chain.admin.insecure_clone(),
    );
    let insurance = deal.insurance().pubkey();
    for by in [&hospital, &stranger, &insurer, &admin] {
        let mut propose = deal.propose();
        substitute(&mut propose, insurance, by.pubkey());
        substitute(&mut propose, insurance, by.pubkey());
        let error = ChartsealError::NotInstitutionAuthority;
        deal.world.chain.refuse(propose, &[by], error);
    }
    let mut unsigned = deal.propose();
    unsigned.accounts[0].is_signer = false;
    unsigned.accounts[1].pubkey = stranger.pubkey();
    deal.world
        .chain
        .refuse_at_the_door(unsigned, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn institution_makes_no_agreement_with_itself() {
    let mut deal = prepared(Kind::Classic);
    let (insurance, mut propose) = (deal.insurance(), deal.propose());
    let (itself, other) = (deal.world.insurance.address(), deal.world.hospital.address());
    substitute(&mut propose, other, itself);
    deal.world.chain.refuse_at_the_door(propose, &[&insurance], DUPLICATE);
    // Nor where its account stood at a second address, as no instruction makes one.
    let again = deal.world.chain.svm.get_account(&itself).unwrap();
    let elsewhere = Address::new_from_array([9; 32]);
    deal.world.chain.svm.set_account(elsewhere, again).unwrap();
    let mut propose = deal.propose();
    substitute(&mut propose, other, elsewhere);
    deal.world
        .chain
        .refuse(propose, &[&insurance], ChartsealError::BadParty);
}

#[test]
fn both_institutions_must_be_active() {
    for provider in [false, true] {
        let mut deal = prepared(Kind::Classic);
        let body = if provider {
            &deal.world.hospital
        } else {
            &deal.world.insurance
        }
        .clone();
        deal.world.set_institution_standing(&body, Standing::Suspended);
        refuse(&mut deal, ChartsealError::InstitutionNotActive);
        deal.world.set_institution_standing(&body, Standing::Active);
        let now = deal.world.chain.now();
        let expire = |deal: &mut Deal, at| {
            let change = |institution: &mut Institution| institution.expires = at;
            deal.world.chain.edit(&body.address(), change);
        };
        expire(&mut deal, now);
        refuse(&mut deal, ChartsealError::InstitutionNotActive);
        expire(&mut deal, now + 1);
        deal.must_propose();
    }
}

#[test]
fn nothing_is_proposed_while_paused() {
    let mut deal = prepared(Kind::Classic);
    deal.world.set_paused(true);
    refuse(&mut deal, ChartsealError::Paused);
}

#[test]
fn terms_that_say_nothing_are_refused() {
    let mut deal = prepared(Kind::Classic);
    let (good, now) = (deal.terms, deal.world.chain.now());
    deal.terms.price = 0;
    refuse(&mut deal, ChartsealError::BadPrice);
    deal.terms = good;
    deal.terms.classes = 0;
    refuse(&mut deal, ChartsealError::BadAgreement);
    deal.terms = good;
    deal.terms.purpose = Purpose::Personal;
    refuse(&mut deal, ChartsealError::BadAgreement);
    deal.terms = good;
    for expires in [i64::MIN, 0, now] {
        deal.terms.expires = expires;
        refuse(&mut deal, ChartsealError::ExpiryInPast);
    }
    deal.terms.expires = now + 1;
    deal.must_propose();
}

#[test]
fn id_of_zeros_and_ids_of_another_bump_are_refused() {
    let mut deal = Deal::new(Kind::Classic);
    // An insurance among whose addresses the id of zeros has the right bump.
    let n = (90..).find(|n| {
        let seeds: &[&[u8]] = &[AGREEMENT, &id(*n), &NO_ID];
        Address::find_program_address(seeds, &chartseal_program::ID).1 == u8::MAX
    });
    deal.world.insurance = deal.world.chain.institution(n.unwrap(), InstitutionKind::Insurer);
    deal.terms.id = NO_ID;
    deal.make_escrow();
    refuse(&mut deal, ChartsealError::ZeroId);

    let consumer = deal.world.insurance.id;
    let unfit = (1..).map(id).find(|id| !address::fits(AGREEMENT, &consumer, id));
    deal.terms.id = unfit.unwrap();
    deal.make_escrow();
    refuse(&mut deal, ChartsealError::BumpNot255);
}

#[test]
fn agreement_is_proposed_once() {
    let mut deal = Deal::active(Kind::Classic);
    let (propose, insurance) = (deal.propose(), deal.insurance());
    deal.world.chain.refuse_at_the_door(propose, &[&insurance], EXISTS);
    // Nor can it be made anew after its end.
    deal.must_close(&insurance);
    deal.make_escrow();
    let propose = deal.propose();
    deal.world.chain.refuse_at_the_door(propose, &[&insurance], EXISTS);
}

#[test]
fn lamports_at_the_address_do_not_keep_it_from_being_made() {
    let mut deal = Deal::new(Kind::Classic);
    let address = deal.address();
    deal.world.chain.svm.airdrop(&address, 1_000_000).unwrap();
    deal.must_propose();
    assert_eq!(deal.agreement().state, AgreementState::Proposed.byte());
}

/// Every extension of a mint that would make the money do something else than the agreement says.
fn dangerous(key: &Address) -> Vec<Extension> {
    let key = key.as_ref();
    let scale = 1.0_f64.to_le_bytes();
    let new = Extension::new;
    vec![
        new("MintCloseAuthority", 32, &[&[25, 1], key]),
        new("ConfidentialTransferMint", 65, &[&[27, 0], key, &[1], &[0; 32]]),
        new("DefaultAccountState", 1, &[&[28, 0, 1]]),
        new("NonTransferable", 0, &[&[32]]),
        new("InterestBearingConfig", 52, &[&[33, 0], key, &[100, 0]]),
        new("PermanentDelegate", 32, &[&[35], key]),
        new("TransferHook", 64, &[&[36, 0], key, key]),
        new("GroupPointer", 64, &[&[40, 0], key, key]),
        new("GroupMemberPointer", 64, &[&[41, 0], key, key]),
        new("ScaledUiAmount", 56, &[&[43, 0], key, &scale]),
        new("Pausable", 33, &[&[44, 0], key]),
    ]
}

/// Puts other money in the deal's place, with an escrow and a purse of it.
fn pay_in(deal: &mut Deal, currency: Currency) {
    let insurance = deal.insurance();
    deal.currency = currency;
    deal.purse = create_associated(&mut deal.world.chain, &insurance, &currency, insurance.pubkey());
    deal.make_escrow();
}

#[test]
fn mint_with_a_dangerous_extension_is_refused() {
    let mut deal = Deal::new(Kind::Token2022);
    let issuer = deal.issuer();
    for extension in dangerous(&issuer.pubkey()) {
        for companion in [None, Some(Extension::metadata_pointer(&issuer.pubkey()))] {
            // It is found first and last in the list.
            let name = extension.name;
            let copy = Extension::new(name, extension.length, &[&extension.instruction]);
            let extensions: Vec<_> = companion.into_iter().chain([copy]).collect();
            let currency = mint(&mut deal.world.chain, &issuer, TOKEN_2022, &extensions);
            pay_in(&mut deal, currency);
            let (propose, insurance) = (deal.propose(), deal.insurance());
            let failure = deal.world.chain.fail(&[propose], &[&insurance]);
            assert_eq!(failure, Failure::Ours(code(ChartsealError::BadMint)), "{name}");
        }
    }
}

#[test]
fn mint_with_a_fee_and_metadata_is_taken() {
    let mut deal = Deal::new(Kind::Token2022);
    let issuer = deal.issuer();
    let extensions = [
        Extension::transfer_fee(&issuer.pubkey()),
        Extension::metadata_pointer(&issuer.pubkey()),
    ];
    let currency = mint(&mut deal.world.chain, &issuer, TOKEN_2022, &extensions);
    pay_in(&mut deal, currency);
    deal.must_propose();
    assert_eq!(deal.agreement().mint, currency.mint);
}

#[test]
fn mint_of_a_look_alike_token_program_is_refused() {
    for owner in [chartseal_program::ID, Address::new_unique()] {
        let mut deal = prepared(Kind::Classic);
        let (insurance, mut propose) = (deal.insurance(), deal.propose());
        let forged = copy_account(&mut deal.world.chain, deal.currency.mint, owner);
        substitute(&mut propose, deal.currency.mint, forged);
        let error = InstructionError::IllegalOwner;
        deal.world.chain.refuse_at_the_door(propose, &[&insurance], error);
    }
}

#[test]
fn account_that_is_no_mint_is_refused() {
    for kind in KINDS {
        let mut deal = prepared(kind);
        let (insurance, mut propose) = (deal.insurance(), deal.propose());
        substitute(&mut propose, deal.currency.mint, deal.payee);
        let error = InstructionError::InvalidAccountData;
        deal.world.chain.refuse_at_the_door(propose, &[&insurance], error);
    }
}

/// Proposes with another account in the escrow's or the refund's place.
#[track_caller]
fn refuse_account(deal: &mut Deal, place: Address, account: Address) {
    let (insurance, mut propose) = (deal.insurance(), deal.propose());
    substitute(&mut propose, place, account);
    let error = ChartsealError::BadTokenAccount;
    deal.world.chain.refuse(propose, &[&insurance], error);
}

#[test]
fn escrow_must_be_the_agreements_own() {
    for kind in KINDS {
        let mut deal = prepared(kind);
        let escrow = deal.escrow();
        // The consumer's, the provider's, another agreement's.
        for other in [deal.purse, deal.payee] {
            refuse_account(&mut deal, escrow, other);
        }
        let insurance = deal.insurance();
        let elsewhere = address::agreement(&deal.world.insurance.id, &id(77));
        let theirs = create_associated(&mut deal.world.chain, &insurance, &deal.currency.clone(), elsewhere);
        refuse_account(&mut deal, escrow, theirs);
    }
}

#[test]
fn escrow_must_be_of_the_mint_and_its_program() {
    let mut deal = prepared(Kind::Classic);
    let (issuer, agreement, escrow) = (deal.issuer(), deal.address(), deal.escrow());
    for program in [CLASSIC, TOKEN_2022] {
        let other = mint(&mut deal.world.chain, &issuer, program, &[]);
        let account = create_associated(&mut deal.world.chain, &issuer, &other, agreement);
        refuse_account(&mut deal, escrow, account);
    }
    // A copy of the right one that another token program owns.
    let copy = copy_account(&mut deal.world.chain, escrow, TOKEN_2022);
    refuse_account(&mut deal, escrow, copy);
}

#[test]
fn escrow_that_somebody_else_can_close_is_refused() {
    for kind in KINDS {
        let mut deal = prepared(kind);
        let (insurance, agreement, currency) = (deal.insurance(), deal.address(), deal.currency);
        let room = if kind == Kind::WithFee { 1 + 4 + 8 } else { 0 };
        let trap = loose_account(&mut deal.world.chain, &insurance, &currency, &insurance.pubkey(), room);
        let thief = deal.world.chain.wallet().pubkey();
        set_authority(&mut deal.world.chain, &insurance, &currency, trap, 3, &thief);
        set_authority(&mut deal.world.chain, &insurance, &currency, trap, 2, &agreement);
        let escrow = deal.escrow();
        refuse_account(&mut deal, escrow, trap);
    }
}

#[test]
fn escrow_with_a_delegate_is_refused() {
    let mut deal = prepared(Kind::Classic);
    let escrow = deal.escrow();
    // The token program takes the delegate away when an account changes hands: this cannot be made by it today.
    let mut account = deal.world.chain.svm.get_account(&escrow).unwrap();
    account.data[72] = 1;
    deal.world.chain.svm.set_account(escrow, account).unwrap();
    refuse(&mut deal, ChartsealError::BadTokenAccount);
}

#[test]
fn accounts_that_want_a_memo_are_refused() {
    let mut deal = prepared(Kind::Token2022);
    let (insurance, agreement, currency) = (deal.insurance(), deal.address(), deal.currency);
    for owner in [agreement, insurance.pubkey()] {
        let account = loose_account(
            &mut deal.world.chain,
            &insurance,
            &currency,
            &insurance.pubkey(),
            1 + 4 + 1,
        );
        as_owner(&mut deal.world.chain, &insurance, &currency, account, &[&[30, 0]]);
        set_authority(&mut deal.world.chain, &insurance, &currency, account, 2, &owner);
        let place = if owner == agreement { deal.escrow() } else { deal.purse };
        refuse_account(&mut deal, place, account);
    }
}

#[test]
fn refund_must_be_of_the_mint_and_not_the_agreements_own() {
    let mut deal = prepared(Kind::Token2022);
    let (issuer, purse, escrow) = (deal.issuer(), deal.purse, deal.escrow());
    let insurance = deal.insurance().pubkey();
    let other = mint(&mut deal.world.chain, &issuer, TOKEN_2022, &[]);
    let account = create_associated(&mut deal.world.chain, &issuer, &other, insurance);
    refuse_account(&mut deal, purse, account);
    // What went back there would never leave it.
    refuse_account(&mut deal, purse, escrow);
    let (currency, agreement) = (deal.currency, deal.address());
    let second = loose_account(&mut deal.world.chain, &issuer, &currency, &agreement, 0);
    refuse_account(&mut deal, purse, second);
}

#[test]
fn address_without_an_account_is_no_escrow() {
    let mut deal = Deal::new(Kind::Classic);
    let (propose, insurance) = (deal.propose(), deal.insurance());
    let failure = deal.world.chain.fail(&[propose], &[&insurance]);
    assert!(matches!(failure, Failure::Runtime(_)), "{failure:?}");
    // The purse of somebody else is fine: the consumer chooses where the rest goes.
    let (issuer, wallet) = (deal.issuer(), Keypair::new().pubkey());
    deal.purse = create_associated(&mut deal.world.chain, &issuer, &deal.currency.clone(), wallet);
    deal.must_propose();
}
