//! Paying for an access: for a version once, from the agreement's own escrow to the provider's own account, and only
//! where the patient approved. An agreement pays, it never overrides consent.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, As, Settling},
    events::AnyEvent,
    instructions::*,
    seeds::{address, Id, AGREEMENT, NO_ID},
    state::*,
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::{common::*, tokens::*};

fn settlement(deal: &Deal, settling: &Settling) -> Address {
    let record = address::record(&settling.patient, &settling.record);
    address::settlement(&deal.address(), &record, settling.version)
}

#[test]
fn settlement_is_paid_and_written_down() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let settling = deal.approved();
        let escrow = deal.escrow();
        let before = deal.balance(&escrow);
        deal.world.wait(60);
        let AnyEvent::AccessSettled(event) = deal.must_settle(&settling) else {
            panic!()
        };
        let insurer = deal.world.insurer.wallet.pubkey();
        assert_eq!((event.consumer, event.agreement), (settling.consumer, deal.terms.id));
        assert_eq!((event.record, event.version), (settling.record, 1));
        assert_eq!((event.request, event.wallet), (settling.request, insurer));
        assert_eq!((event.amount, event.link.at), (PRICE, GENESIS + 60));
        assert_eq!(event.link.subject, deal.world.patient.id);
        let log = deal.world.log();
        assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));

        assert_eq!(deal.balance(&escrow), before - PRICE, "{kind:?}");
        assert_eq!(deal.balance(&deal.payee), PRICE - kind.fee(PRICE));
        assert_eq!(deal.all_money(), PURSE);
        let agreement = deal.agreement();
        assert_eq!((agreement.paid, agreement.settled), (PRICE, 1));
        let account: Settlement = deal.world.chain.read(&settlement(&deal, &settling));
        assert_eq!(account.agreement, deal.address());
        assert_eq!(account.record, address::record(&settling.patient, &settling.record));
        assert_eq!((account.request, account.version), (settling.request, 1));
        assert_eq!((account.amount, account.at), (PRICE, GENESIS + 60));
    }
}

#[test]
fn money_is_conserved_over_the_whole_story() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let received = DEPOSIT - kind.fee(DEPOSIT);
        let (escrow, insurance) = (deal.escrow(), deal.insurance());
        for n in 1..=3 {
            let settling = deal.approved();
            deal.must_settle(&settling);
            assert_eq!(deal.balance(&escrow), received - n * PRICE);
            assert_eq!(deal.all_money(), PURSE);
        }
        let AnyEvent::AgreementClosed(event) = deal.must_close(&insurance) else {
            panic!()
        };
        let agreement = deal.agreement();
        assert_eq!(event.returned, received - 3 * PRICE);
        assert_eq!(agreement.deposited, agreement.paid + event.returned, "{kind:?}");
        assert_eq!(deal.all_money(), PURSE);
        let back = event.returned - kind.fee(event.returned);
        assert_eq!(deal.balance(&deal.purse), PURSE - DEPOSIT + back);
        assert_eq!(deal.balance(&deal.payee), 3 * (PRICE - kind.fee(PRICE)));
    }
}

#[test]
fn version_is_settled_once() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let settling = deal.approved();
        deal.must_settle(&settling);
        let insurer = deal.world.insurer.wallet.insecure_clone();
        let again = deal.settle(&settling);
        deal.world.chain.refuse_at_the_door(again, &[&insurer], EXISTS);
        // Nor on another request for the same record.
        let second = deal.approve(settling.record, |_| {});
        let again = deal.settle(&second);
        deal.world.chain.refuse_at_the_door(again, &[&insurer], EXISTS);
        assert_eq!(deal.balance(&deal.payee), PRICE - kind.fee(PRICE));
    }
}

#[test]
fn settlement_stands_at_its_own_address_only() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    deal.must_settle(&settling);
    // Another version's and another record's address would let it be paid again.
    let insurer = deal.world.insurer.wallet.insecure_clone();
    let here = settlement(&deal, &settling);
    let other = Settling { version: 2, ..settling };
    for elsewhere in [settlement(&deal, &other), Address::new_unique()] {
        let mut settle = deal.settle(&settling);
        substitute(&mut settle, here, elsewhere);
        let failure = deal.world.chain.fail(&[settle], &[&insurer]);
        assert!(matches!(failure, Failure::Runtime(_)), "{failure:?}");
    }
}

/// The doctor puts a new version in the record's place.
fn amend(deal: &mut Deal, settling: &Settling) {
    let (doctor, patient) = (deal.world.doctor.clone(), deal.world.patient.clone());
    let wallet = patient.wallet.pubkey();
    let args = AmendRecordArgs {
        request: deal.world.id(),
        purpose: Purpose::Treatment,
        grant: NO_ID,
        expected_version: settling.version,
        content: content(9),
    };
    let amend = ix::amend_record(&doctor.acting(), Some(wallet), &patient.id, &settling.record, args);
    deal.world.chain.must(amend, &[&doctor.wallet, &patient.wallet]);
}

#[test]
fn every_version_is_settled_for_itself_while_it_is_the_newest() {
    let mut deal = Deal::funded(Kind::Classic);
    let first = deal.approved();
    let second = Settling { version: 2, ..first };
    deal.refuse_to_settle(&second, ChartsealError::StaleVersion);
    deal.must_settle(&first);
    amend(&mut deal, &first);
    deal.must_settle(&second);
    assert_eq!((deal.agreement().settled, deal.agreement().paid), (2, 2 * PRICE));
    // One that was never settled is not the newest any more.
    let mut deal = Deal::funded(Kind::Classic);
    let first = deal.approved();
    amend(&mut deal, &first);
    deal.refuse_to_settle(&first, ChartsealError::StaleVersion);
}

#[test]
fn lamports_at_the_address_do_not_keep_a_settlement_from_being_made() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    let address = settlement(&deal, &settling);
    deal.world.chain.svm.airdrop(&address, 1_000_000).unwrap();
    deal.must_settle(&settling);
}

#[test]
fn nothing_is_settled_without_the_patients_approval() {
    let mut deal = Deal::funded(Kind::Classic);
    let record = deal.world.record();
    // Open, with any grant there is beside it.
    let mut settling = deal.ask(record);
    settling.grant = deal.world.insure(|_| {});
    deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
    // Denied.
    deal.decide(&settling, None);
    deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
    // Approved, but it is another grant that is shown.
    let approved = deal.approve(record, |_| {});
    let other = Settling {
        grant: settling.grant,
        ..approved
    };
    deal.refuse_to_settle(&other, ChartsealError::NotApproved);
    deal.must_settle(&approved);
}

#[test]
fn state_of_a_request_that_no_word_stands_for_approves_nothing() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    let request = address::request(&settling.patient, &settling.request);
    for state in [RequestState::Open.byte(), RequestState::Denied.byte(), 3, u8::MAX] {
        deal.world
            .chain
            .edit(&request, |request: &mut Request| request.state = state);
        deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
    }
}

#[test]
fn patients_terms_count_and_not_what_was_asked_for() {
    // Asked for classes 0 and 1, given class 1 alone.
    let mut deal = Deal::funded(Kind::Classic);
    let record = deal.world.record();
    let settling = ask_for_classes(&mut deal, 0b11, record);
    approve_classes(&mut deal, &settling, 0b10);
    deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
    let settling = ask_for_classes(&mut deal, 0b11, record);
    approve_classes(&mut deal, &settling, 0b01);
    deal.must_settle(&settling);
}

fn ask_for_classes(deal: &mut Deal, classes: u32, record: Id) -> Settling {
    let (insurer, patient) = (deal.world.insurer.clone(), deal.world.patient.id);
    let request = address::draw(chartseal_program::seeds::REQUEST, &patient, || deal.world.id());
    let args = RequestAccessArgs {
        id: request,
        record: NO_ID,
        classes,
        rights: Action::Read.bit() | Action::Aggregate.bit(),
        purposes: Purpose::Payment.bit(),
        until: deal.world.chain.now() + 30 * DAY,
    };
    let wallet = insurer.wallet.pubkey();
    let ask = ix::request_access(wallet, wallet, (&insurer.institution, &insurer.id), &patient, args);
    deal.world.chain.must(ask, &[&insurer.wallet]);
    Settling {
        consumer: insurer.institution,
        member: insurer.id,
        agreement: deal.terms.id,
        patient,
        request,
        grant: deal.world.grant_id(),
        record,
        version: 1,
        currency: deal.currency,
        payee: deal.payee,
    }
}

fn approve_classes(deal: &mut Deal, settling: &Settling, classes: u32) {
    give(deal, settling, classes, Action::Read.bit());
}

fn give(deal: &mut Deal, settling: &Settling, classes: u32, rights: u8) {
    let approval = Approval {
        grant: settling.grant,
        rights,
        purposes: Purpose::Payment.bit(),
        classes,
        not_before: 0,
        expires: deal.world.chain.now() + 7 * DAY,
        uses: UNLIMITED,
    };
    let whole = Settling {
        record: NO_ID,
        ..*settling
    };
    deal.decide(&whole, Some(approval));
}

#[test]
fn right_to_count_is_no_right_to_read() {
    let mut deal = Deal::funded(Kind::Classic);
    let record = deal.world.record();
    let settling = ask_for_classes(&mut deal, 1, record);
    give(&mut deal, &settling, 1, Action::Aggregate.bit());
    deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
}

#[test]
fn approval_is_for_the_record_that_was_asked_for() {
    let mut deal = Deal::funded(Kind::Classic);
    let (settling, other) = (deal.approved(), deal.world.record());
    let swapped = Settling {
        record: other,
        ..settling
    };
    deal.refuse_to_settle(&swapped, ChartsealError::NotApproved);
}

#[test]
fn approval_for_another_purpose_pays_nothing() {
    let mut deal = Deal::new(Kind::Classic);
    deal.terms.purpose = Purpose::Research;
    deal.must_propose();
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
    deal.must_fund(DEPOSIT);
    let settling = deal.approved();
    deal.refuse_to_settle(&settling, ChartsealError::NotAgreed);
}

#[test]
fn purpose_that_no_word_stands_for_pays_nothing() {
    let mut deal = Deal::funded(Kind::Classic);
    let (settling, address) = (deal.approved(), deal.address());
    for purpose in [7, 8, 200, u8::MAX] {
        deal.world
            .chain
            .edit(&address, |agreement: &mut Agreement| agreement.purpose = purpose);
        deal.refuse_to_settle(&settling, ChartsealError::NotAgreed);
    }
}

#[test]
fn revoked_approval_pays_nothing() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    deal.world.revoke(settling.grant);
    deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
}

#[test]
fn approval_pays_from_its_first_second_until_just_before_its_last() {
    let mut deal = Deal::funded(Kind::Classic);
    let (record, now) = (deal.world.record(), deal.world.chain.now());
    let settling = deal.approve(record, |approval| {
        approval.not_before = now + 100;
        approval.expires = now + 200;
    });
    for (at, pays) in [(now + 99, false), (now + 200, false), (now + 199, true)] {
        deal.world.chain.set_time(at);
        if pays {
            deal.must_settle(&settling);
        } else {
            deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
        }
    }
}

#[test]
fn approval_for_a_single_use_is_settled_after_it() {
    let mut deal = Deal::funded(Kind::Classic);
    let record = deal.world.record();
    let settling = deal.approve(record, |approval| approval.uses = 1);
    let insurer = deal.world.insurer.clone();
    let granted = Some(settling.grant);
    let basis = deal.world.asks(&insurer, granted, record, Purpose::Payment);
    assert_eq!(basis, Ok(Basis::Grant));
    let basis = deal.world.asks(&insurer, granted, record, Purpose::Payment);
    assert_eq!(basis, Err(Reason::GrantExhausted));
    deal.must_settle(&settling);
    // Used up and then revoked, it pays nothing.
    let record = deal.world.record();
    let settling = deal.approve(record, |approval| approval.uses = 1);
    let granted = Some(settling.grant);
    let basis = deal.world.asks(&insurer, granted, record, Purpose::Payment);
    assert_eq!(basis, Ok(Basis::Grant));
    deal.world.revoke(settling.grant);
    deal.refuse_to_settle(&settling, ChartsealError::NotApproved);
}

#[test]
fn payment_gives_no_right() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    deal.must_settle(&settling);
    deal.world.revoke(settling.grant);
    let insurer = deal.world.insurer.clone();
    let basis = deal
        .world
        .asks(&insurer, Some(settling.grant), settling.record, Purpose::Payment);
    assert_eq!(basis, Err(Reason::GrantRevoked));
    let basis = deal.world.asks(&insurer, None, settling.record, Purpose::Payment);
    assert_eq!(basis, Err(Reason::NoGrant));
}

#[test]
fn another_member_does_not_settle_on_the_request() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    let insurance = deal.world.insurance.clone();
    let colleague = deal.world.chain.member(&insurance, 60, Role::Insurer);
    let wallet = colleague.wallet.pubkey();
    let theirs = Settling {
        member: colleague.id,
        ..settling
    };
    let settle = ix::settle_access(wallet, wallet, &theirs);
    deal.world
        .chain
        .refuse(settle, &[&colleague.wallet], ChartsealError::NotApproved);
    // Nor with the insurer's membership, nor anybody else with it.
    let (stranger, hospital) = (deal.world.chain.wallet(), deal.hospital());
    for by in [&colleague.wallet, &stranger, &hospital, &insurance.authority] {
        let settle = ix::settle_access(by.pubkey(), by.pubkey(), &settling);
        deal.world.chain.refuse(settle, &[by], ChartsealError::Stranger);
    }
}

#[test]
fn member_must_sign() {
    let mut deal = Deal::funded(Kind::Classic);
    let (settling, stranger) = (deal.approved(), deal.world.chain.wallet());
    let wallet = deal.world.insurer.wallet.pubkey();
    let settle = unsign(ix::settle_access(wallet, stranger.pubkey(), &settling), wallet);
    deal.world
        .chain
        .refuse_at_the_door(settle, &[&stranger], InstructionError::MissingRequiredSignature);
}

#[test]
fn other_institutions_deposit_does_not_pay() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    // The insurer shows its own institution, with which the hospital agreed on nothing.
    let other = deal.world.chain.institution(71, InstitutionKind::Insurer);
    let spy = deal.world.chain.member(&other, 72, Role::Insurer);
    let wallet = spy.wallet.pubkey();
    let mut settle = ix::settle_access(wallet, wallet, &settling);
    substitute(&mut settle, deal.world.insurer.address(), spy.address());
    let foreign = settle.clone();
    deal.world
        .chain
        .refuse(foreign, &[&spy.wallet], ChartsealError::ForeignMember);
    substitute(&mut settle, deal.world.insurance.address(), other.address());
    deal.world
        .chain
        .refuse(settle, &[&spy.wallet], ChartsealError::BadParty);
}

#[test]
fn suspended_or_expired_do_not_settle() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    let (insurance, insurer) = (deal.world.insurance.clone(), deal.world.insurer.clone());
    deal.world
        .set_member_standing(&insurance, &insurer, Standing::Suspended);
    deal.refuse_to_settle(&settling, ChartsealError::MemberNotActive);
    deal.world.set_member_standing(&insurance, &insurer, Standing::Active);
    deal.world.set_institution_standing(&insurance, Standing::Suspended);
    deal.refuse_to_settle(&settling, ChartsealError::InstitutionNotActive);
    deal.world.set_institution_standing(&insurance, Standing::Active);
    let now = deal.world.chain.now();
    let expires = |member: &mut Member| member.expires = now;
    deal.world.chain.edit(&insurer.address(), expires);
    deal.refuse_to_settle(&settling, ChartsealError::MemberNotActive);
    let expires = |member: &mut Member| member.expires = now + 1;
    deal.world.chain.edit(&insurer.address(), expires);
    deal.world.set_paused(true);
    deal.refuse_to_settle(&settling, ChartsealError::Paused);
    deal.world.set_paused(false);
    deal.must_settle(&settling);
}

#[test]
fn record_of_another_institution_is_not_paid_for() {
    let mut deal = Deal::funded(Kind::Classic);
    let other = deal.world.chain.institution(73, InstitutionKind::Hospital);
    deal.world.doctor = deal.world.chain.member(&other, 74, Role::Doctor);
    let settling = deal.approved();
    deal.refuse_to_settle(&settling, ChartsealError::NotAgreed);
}

#[test]
fn record_that_the_patient_wrote_is_not_paid_for() {
    let mut deal = Deal::funded(Kind::Classic);
    let patient = deal.world.patient.clone();
    let (wallet, args) = (patient.wallet.pubkey(), deal.world.record_args(0));
    let create = ix::create_record(&As::wallet(wallet), wallet, None, &patient.id, args);
    deal.world.chain.must(create, &[&patient.wallet]);
    let settling = deal.approve(args.record, |_| {});
    deal.refuse_to_settle(&settling, ChartsealError::NotAgreed);
}

#[test]
fn record_of_another_class_is_not_paid_for() {
    let mut deal = Deal::funded(Kind::Classic);
    for class in [1, 31] {
        let record = deal.world.record_of_class(class);
        let settling = deal.approve(record, |_| {});
        deal.refuse_to_settle(&settling, ChartsealError::NotAgreed);
    }
}

#[test]
fn erased_record_is_not_paid_for() {
    let mut deal = Deal::funded(Kind::Classic);
    let (settling, patient) = (deal.approved(), deal.world.patient.clone());
    let erase = ix::erase_record(&patient.deciding(), &patient.id, &settling.record);
    deal.world.chain.must(erase, &[&patient.wallet]);
    deal.refuse_to_settle(&settling, ChartsealError::RecordErased);
}

#[test]
fn nothing_of_another_patient_is_taken_for_this_ones() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    let mine = deal.world.patient.clone();
    // Another patient, who approves everything.
    deal.world.patient = deal.world.chain.patient(75);
    let theirs = deal.approved();
    let (me, them) = (mine.id, deal.world.patient.id);
    let swaps = [
        (address::access_log(&them), address::access_log(&me)),
        (
            address::request(&them, &theirs.request),
            address::request(&me, &settling.request),
        ),
        (
            address::grant(&them, &theirs.grant),
            address::grant(&me, &settling.grant),
        ),
        (address::patient(&them), address::patient(&me)),
    ];
    for (from, to) in swaps {
        let mut settle = deal.settle(&theirs);
        substitute(&mut settle, from, to);
        deal.refuse_as_insurer(settle, ChartsealError::ForeignPatient);
    }
}

#[test]
fn grant_of_the_same_id_of_another_patient_approves_nothing() {
    let mut deal = Deal::funded(Kind::Classic);
    let settling = deal.approved();
    deal.world.revoke(settling.grant);
    // A patient can be opened at an id at which this grant's id fits too, and give such a grant.
    let grant = settling.grant;
    let n = (80..).find(|n| address::fits_grant(&id(*n), &grant)).unwrap();
    let accomplice = deal.world.chain.patient(n);
    let wallet = accomplice.wallet.pubkey();
    let terms = deal.world.terms(GranteeKind::Member, deal.world.insurer.address());
    let args = CreateGrantArgs { id: grant, terms };
    let create = ix::create_grant(&accomplice.deciding(), wallet, &accomplice.id, args);
    deal.world.chain.must(create, &[&accomplice.wallet]);
    let mut settle = deal.settle(&settling);
    substitute(
        &mut settle,
        address::grant(&settling.patient, &grant),
        address::grant(&accomplice.id, &grant),
    );
    deal.refuse_as_insurer(settle, ChartsealError::ForeignPatient);
}

#[test]
fn record_of_another_patient_is_not_paid_for() {
    let mut deal = Deal::funded(Kind::Classic);
    let mine = deal.world.patient.clone();
    let other = deal.world.record();
    deal.world.patient = deal.world.chain.patient(75);
    // The other patient approves a class, and it is this one's record that is shown.
    let settling = ask_for_classes(&mut deal, 1, other);
    approve_classes(&mut deal, &settling, 1);
    let mut settle = deal.settle(&settling);
    let here = address::record(&settling.patient, &other);
    let there = address::record(&mine.id, &other);
    let to = address::settlement(&deal.address(), &there, 1);
    substitute(&mut settle, address::settlement(&deal.address(), &here, 1), to);
    substitute(&mut settle, here, there);
    deal.refuse_as_insurer(settle, ChartsealError::ForeignPatient);
}

#[test]
fn only_an_active_agreement_pays() {
    let mut deal = Deal::proposed(Kind::Classic);
    deal.must_fund(DEPOSIT);
    let settling = deal.approved();
    let insurer = deal.world.insurer.wallet.insecure_clone();
    // There is no payee before the provider has accepted.
    deal.refuse_to_settle(&settling, ChartsealError::AgreementNotActive);
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
    let mut ended = deal.clone();
    deal.must_settle(&settling);
    let insurance = ended.insurance();
    ended.must_close(&insurance);
    ended.refuse_to_settle(&settling, ChartsealError::AgreementClosed);
    // Not even where somebody fills the escrow anew.
    ended.make_escrow();
    let (issuer, currency, escrow) = (ended.issuer(), ended.currency, ended.escrow());
    pour(&mut ended.world.chain, &issuer, &currency, escrow, DEPOSIT);
    let settle = ended.settle(&settling);
    ended
        .world
        .chain
        .refuse(settle, &[&insurer], ChartsealError::AgreementClosed);
}

#[test]
fn agreement_pays_until_just_before_it_expires() {
    let mut deal = Deal::new(Kind::Classic);
    deal.terms.expires = deal.world.chain.now() + DAY;
    deal.must_propose();
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
    deal.must_fund(DEPOSIT);
    let (settling, expires) = (deal.approved(), deal.terms.expires);
    deal.world.chain.set_time(expires);
    deal.refuse_to_settle(&settling, ChartsealError::AgreementNotActive);
    deal.world.chain.set_time(expires - 1);
    deal.must_settle(&settling);
}

#[test]
fn empty_escrow_pays_nothing() {
    for kind in KINDS {
        let mut deal = Deal::active(kind);
        let settling = deal.approved();
        let (settle, insurer) = (deal.settle(&settling), deal.world.insurer.wallet.insecure_clone());
        // The token program's `InsufficientFunds`.
        let error = InstructionError::Custom(1);
        deal.world.chain.refuse_at_the_door(settle, &[&insurer], error);
        deal.must_fund(2 * PRICE);
        deal.must_settle(&settling);
    }
}

/// A second agreement of the same two, with money of its own.
fn second_agreement(deal: &Deal) -> Deal {
    let mut second = deal.clone();
    let consumer = second.world.insurance.id;
    second.terms.id = address::draw(AGREEMENT, &consumer, || second.world.id());
    second.must_propose();
    let (accept, hospital) = (second.accept(), second.hospital());
    second.world.chain.must(accept, &[&hospital]);
    second.must_fund(DEPOSIT);
    second
}

#[test]
fn other_agreements_escrow_is_not_drained() {
    let deal = Deal::active(Kind::Classic);
    let mut second = second_agreement(&deal);
    let theirs = second.escrow();
    let mut settling = second.approved();
    settling.agreement = deal.terms.id;
    let mut settle = second.settle(&settling);
    substitute(&mut settle, deal.escrow(), theirs);
    second.refuse_as_insurer(settle, ChartsealError::BadTokenAccount);
    assert_eq!(second.balance(&theirs), DEPOSIT);
}

#[test]
fn nobody_but_the_payee_is_paid() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let settling = deal.approved();
        let (issuer, currency) = (deal.issuer(), deal.currency);
        let insurer = deal.world.insurer.wallet.pubkey();
        let thief = create_associated(&mut deal.world.chain, &issuer, &currency, insurer);
        for to in [thief, deal.purse] {
            let settle = deal.settle(&Settling { payee: to, ..settling });
            deal.refuse_as_insurer(settle, ChartsealError::BadTokenAccount);
        }
        assert_eq!(deal.balance(&thief), 0);
        // Nor is the escrow paid to itself.
        let itself = deal.settle(&Settling {
            payee: deal.escrow(),
            ..settling
        });
        let wallet = deal.world.insurer.wallet.insecure_clone();
        deal.world.chain.refuse_at_the_door(itself, &[&wallet], DUPLICATE);
    }
}

#[test]
fn other_money_does_not_pay() {
    let mut deal = Deal::funded(Kind::Token2022);
    let (settling, issuer) = (deal.approved(), deal.issuer());
    for program in [CLASSIC, TOKEN_2022] {
        let other = mint(&mut deal.world.chain, &issuer, program, &[]);
        let mut settle = deal.settle(&settling);
        substitute(&mut settle, deal.currency.mint, other.mint);
        deal.refuse_as_insurer(settle, ChartsealError::BadMint);
    }
}

#[test]
fn look_alike_token_program_is_not_called() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind);
        let (settling, right) = (deal.approved(), deal.currency.token_program);
        let fake = Address::new_unique();
        put_program(&mut deal.world.chain, fake, right);
        let sibling = if right == CLASSIC { TOKEN_2022 } else { CLASSIC };
        for program in [fake, sibling, chartseal_program::ID] {
            let mut settle = deal.settle(&settling);
            substitute(&mut settle, right, program);
            deal.refuse_as_insurer(settle, ChartsealError::BadMint);
        }
    }
}

#[test]
fn token_program_that_moves_nothing_is_found_out() {
    // The first memo program takes any text for an instruction, does nothing, and reports success.
    let memo = Address::from_str_const("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");
    let mut deal = Deal::new(Kind::Classic);
    // As bytes, this price is text.
    deal.terms.price = 100;
    deal.must_propose();
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
    deal.must_fund(DEPOSIT);
    let settling = deal.approved();
    let mut honest = deal.clone();
    put_program(&mut deal.world.chain, CLASSIC, memo);
    deal.refuse_to_settle(&settling, ChartsealError::UnexpectedBalance);
    honest.must_settle(&settling);
}

#[test]
fn counters_do_not_overflow() {
    let mut deal = Deal::funded(Kind::Classic);
    let (settling, address) = (deal.approved(), deal.address());
    let brim = |agreement: &mut Agreement| agreement.paid = u64::MAX - PRICE + 1;
    deal.world.chain.edit(&address, brim);
    deal.refuse_to_settle(&settling, ChartsealError::Overflow);
    let brim = |agreement: &mut Agreement| {
        agreement.paid = u64::MAX - PRICE;
        agreement.settled = u32::MAX;
    };
    deal.world.chain.edit(&address, brim);
    deal.refuse_to_settle(&settling, ChartsealError::Overflow);
    let brim = |agreement: &mut Agreement| agreement.settled = u32::MAX - 1;
    deal.world.chain.edit(&address, brim);
    deal.must_settle(&settling);
    assert_eq!((deal.agreement().paid, deal.agreement().settled), (u64::MAX, u32::MAX));
}

#[test]
fn price_beyond_all_money_pays_nothing() {
    let mut deal = Deal::new(Kind::Classic);
    deal.terms.price = u64::MAX;
    deal.must_propose();
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
    deal.must_fund(PURSE);
    let settling = deal.approved();
    let (settle, insurer) = (deal.settle(&settling), deal.world.insurer.wallet.insecure_clone());
    let error = InstructionError::Custom(1);
    deal.world.chain.refuse_at_the_door(settle, &[&insurer], error);
}
