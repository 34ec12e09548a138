//! A review of an emergency that is still open cannot know what comes: one that found it justified can be turned, once
//! and against the opener.

use chartseal_program::{
    builders::Reviewing,
    events::{AnyEvent, EmergencyReviewed},
    state::NO_OUTCOME,
    vocabulary::*,
    ChartsealError,
};
use solana_signer::Signer;

use crate::{common::*, review_emergency::Opened};

use Reviewer::{Institution as Hospital, Patient as Theirs};
use Verdict::{Justified, Unjustified};

#[test]
fn turned_review_is_written_down_and_ends_the_emergency() {
    for reviewer in [Theirs, Hospital] {
        let mut case = Opened::new();
        let by = match reviewer {
            Theirs => case.patient(),
            Hospital => case.authority(),
        };
        case.world.wait(60);
        case.must(&by, reviewer, Justified);
        assert_eq!(case.account().expires, GENESIS + 12 * 3600);
        case.world.wait(60);
        let event = case.must(&by, reviewer, Unjustified);
        let expected = EmergencyReviewed {
            link: *event.link(),
            emergency: case.emergency,
            reviewer,
            by: by.pubkey(),
            verdict: Unjustified,
            head: *event.head(),
        };
        assert_eq!(event, AnyEvent::EmergencyReviewed(expected));
        case.world
            .assert_logged(&event, &case.emergency, &by.pubkey(), NO_OUTCOME);
        let account = case.account();
        assert_eq!(account.expires, GENESIS + 120);
        assert_eq!(
            (account.reviewed_at(reviewer), account.verdict_of(reviewer)),
            (GENESIS + 120, Some(Unjustified))
        );
        let other = if reviewer == Theirs { Hospital } else { Theirs };
        assert_eq!((account.reviewed_at(other), account.verdict_of(other)), (0, None));
    }
}

#[test]
fn turned_emergency_opens_nothing_any_more() {
    let mut case = Opened::new();
    let (patient, doctor, emergency) = (case.patient(), case.doctor.clone(), case.emergency);
    let own = case.world.patient.clone();
    let (record, written) = case.world.write(&patient, &own.acting(), 0, Purpose::Personal);
    assert_eq!(written, Ok(Basis::Patient));
    case.must(&patient, Theirs, Justified);
    let acting = doctor.acting().in_emergency(emergency);
    let verdict = case.world.verdict(&doctor.wallet, acting, record, Purpose::Emergency);
    assert_eq!(verdict, Ok(Basis::Emergency));
    case.must(&patient, Theirs, Unjustified);
    let verdict = case.world.verdict(&doctor.wallet, acting, record, Purpose::Emergency);
    assert_eq!(verdict, Err(Reason::EmergencyOver));
}

#[test]
fn turned_review_takes_no_second_time_from_the_counters() {
    let mut case = Opened::new();
    let (doctor, hospital, authority) = (case.doctor.clone(), case.world.hospital.clone(), case.authority());
    let unreviewed = |case: &Opened| {
        (
            case.world.member_account(&doctor).unreviewed_emergencies,
            case.world.body_account(&hospital).unreviewed_emergencies,
        )
    };
    case.must(&authority, Hospital, Justified);
    assert_eq!(unreviewed(&case), (0, 0));
    // The next one, which this review lets be opened, still awaits its own.
    case.world.open_emergency(&doctor);
    assert_eq!(unreviewed(&case), (1, 1));
    case.must(&authority, Hospital, Unjustified);
    assert_eq!(unreviewed(&case), (1, 1));
    assert_eq!(case.world.try_emergency(&doctor), Err(Reason::EmergencyUnreviewed));
}

#[test]
fn review_is_turned_once_and_not_in_favour_of_the_opener() {
    for reviewer in [Theirs, Hospital] {
        for verdicts in [&[Unjustified][..], &[Justified, Unjustified]] {
            let mut case = Opened::new();
            let wallet = match reviewer {
                Theirs => case.patient(),
                Hospital => case.authority(),
            };
            for verdict in verdicts {
                case.must(&wallet, reviewer, *verdict);
            }
            let by = Reviewing::wallet(wallet.pubkey());
            case.fails(&by, &wallet, reviewer, ChartsealError::AlreadyReviewed);
        }
    }
}

#[test]
fn justified_is_not_said_twice() {
    let mut case = Opened::new();
    let (patient, authority) = (case.patient(), case.authority());
    for (wallet, reviewer) in [(&patient, Theirs), (&authority, Hospital)] {
        case.must(wallet, reviewer, Justified);
        let again = case.review(&Reviewing::wallet(wallet.pubkey()), reviewer, Justified);
        case.world
            .chain
            .refuse(again, &[wallet], ChartsealError::AlreadyReviewed);
    }
}

#[test]
fn whoever_reviews_for_the_same_side_turns_it() {
    let mut case = Opened::new();
    let (patient, authority, (auditor, by)) = (case.patient(), case.authority(), case.auditor());
    let carer = case.world.delegate(Action::Share.bit());
    case.must(&patient, Theirs, Justified);
    case.must(&authority, Hospital, Justified);
    let turn = case.review(&carer.reviewing(), Theirs, Unjustified);
    case.world.chain.must(turn, &[&carer.wallet]);
    let turn = case.review(&by, Hospital, Unjustified);
    case.world.chain.must(turn, &[&auditor.wallet]);
    let account = case.account();
    assert_eq!(
        [Theirs, Hospital].map(|side| account.verdict_of(side)),
        [Some(Unjustified); 2]
    );
}

#[test]
fn neither_the_opener_nor_the_other_side_turns_it() {
    let mut case = Opened::new();
    let (patient, authority, opener) = (case.patient(), case.authority(), case.doctor.wallet.insecure_clone());
    case.must(&patient, Theirs, Justified);
    case.must(&authority, Hospital, Justified);
    for (wallet, reviewer, error) in [
        (&authority, Theirs, ChartsealError::NotPatient),
        (&patient, Hospital, ChartsealError::NotReviewer),
        (&opener, Theirs, ChartsealError::OwnReview),
        (&opener, Hospital, ChartsealError::OwnReview),
    ] {
        case.fails(&Reviewing::wallet(wallet.pubkey()), wallet, reviewer, error);
    }
}

#[test]
fn review_is_turned_after_the_end_and_while_paused_and_lengthens_nothing() {
    let mut case = Opened::new();
    let (patient, expires) = (case.patient(), case.account().expires);
    case.must(&patient, Theirs, Justified);
    case.world.set_paused(true);
    case.world.chain.set_time(expires + DAY);
    case.must(&patient, Theirs, Unjustified);
    let account = case.account();
    assert_eq!(
        (account.expires, account.verdict_of(Theirs)),
        (expires, Some(Unjustified))
    );
}
