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
    for (record, action, actor, reason, under) in [
        (SHARED, Action::Read, doctor(), Reason::EmergencyOver, EMERGENCY),
        (SHARED, Action::Read, clerk(), Reason::PolicyOtherClass, INSURER),
        (SHARED, Action::Amend, delegate(), Reason::RightNotGranted, DELEGATE),
        (
            NO_ID,
            Action::Share,
            doctor(),
            Reason::BeyondParent,
            consent::ROOT_GRANT,
        ),
        (NO_ID, Action::Read, doctor(), Reason::EmergencyUnreviewed, NO_ID),
    ] {
        ledger.emit(&HEIR, |link| ActionRefused {
            link,
            request: [0x90 + link.seq as u8; 16],
            record,
            action,
            actor,
            purpose: Purpose::Treatment,
            reason,
            under,
            head: [0; 32],
        });
    }
}
