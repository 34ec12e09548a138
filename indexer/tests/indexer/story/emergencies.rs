//! A chart that is opened without asking, what is done by that, and what the reviews find. Claims that do not hold.

use super::{
    people::{DELEGATE, delegate, heir},
    records::SHARED,
    *,
};

pub(crate) const EMERGENCY: Id = [0x61; 16];
pub(crate) const UNREVIEWED: Id = [0x62; 16];
const URGENT: Id = [0x36; 16];

pub(super) fn tell(ledger: &mut Ledger) {
    let head = [0; 32];
    open(ledger, EMERGENCY);
    ledger.emit(&HEIR, |link| AccessAllowed {
        link,
        request: [link.seq as u8; 16],
        record: SHARED,
        version: 1,
        actor: doctor(),
        purpose: Purpose::Emergency,
        basis: Basis::Emergency,
        under: EMERGENCY,
        head,
    });
    ledger.emit(&HEIR, |link| RecordCreated {
        link,
        request: [link.seq as u8; 16],
        record: URGENT,
        class: 3,
        author: doctor(),
        purpose: Purpose::Emergency,
        basis: Basis::Emergency,
        under: EMERGENCY,
        content: content(70),
        head,
    });
    for (reviewer, by, verdict) in [
        (Reviewer::Patient, heir().wallet, Verdict::Unjustified),
        (Reviewer::Institution, wallet(0x90), Verdict::Justified),
    ] {
        ledger.emit(&HEIR, |link| EmergencyReviewed {
            link,
            emergency: EMERGENCY,
            reviewer,
            by,
            verdict,
            head,
        });
    }
    open(ledger, UNREVIEWED);
    refusals(ledger);
}

fn open(ledger: &mut Ledger, emergency: Id) {
    let expires = ledger.now + 3_600;
    ledger.emit(&HEIR, |link| EmergencyOpened {
        link,
        emergency,
        actor: doctor(),
        reason_hash: [emergency[0] + 1; 32],
        expires,
        head: [0; 32],
    });
}

fn refusals(ledger: &mut Ledger) {
    let (read, amend, share) = (Action::Read, Action::Amend, Action::Share);
    let over = (Reason::EmergencyOver, ClaimKind::Emergency, EMERGENCY);
    let other_class = (Reason::PolicyOtherClass, ClaimKind::Policy, INSURER);
    let not_granted = (Reason::RightNotGranted, ClaimKind::Delegation, DELEGATE);
    let beyond = (Reason::BeyondParent, ClaimKind::Grant, consent::ROOT_GRANT);
    let unreviewed = (Reason::EmergencyUnreviewed, ClaimKind::Nothing, NO_ID);
    // Of the heir, and not of this patient.
    let foreign_delegate = (Reason::DelegateForeign, ClaimKind::Delegation, DELEGATE);
    let foreign_emergency = (Reason::EmergencyForeign, ClaimKind::Emergency, EMERGENCY);
    for (patient, record, action, actor, (reason, claim, under)) in [
        (HEIR, SHARED, read, doctor(), over),
        (HEIR, SHARED, read, clerk(), other_class),
        (HEIR, SHARED, amend, delegate(), not_granted),
        (HEIR, NO_ID, share, doctor(), beyond),
        (HEIR, NO_ID, read, doctor(), unreviewed),
        (WARD, RECORD, read, delegate(), foreign_delegate),
        (WARD, RECORD, read, doctor(), foreign_emergency),
    ] {
        ledger.emit(&patient, |link| ActionRefused {
            link,
            request: [0x90 + link.seq as u8; 16],
            record,
            action,
            actor,
            purpose: Purpose::Treatment,
            reason,
            claim,
            under,
            head: [0; 32],
        });
    }
}
