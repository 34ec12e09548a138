//! Grants that are passed on, and requests that are answered.

use super::{people::heir, records::SHARED, *};

pub(crate) const ROOT_GRANT: Id = [0x43; 16];
pub(crate) const CHILD_GRANT: Id = [0x44; 16];
pub(crate) const GRANDCHILD_GRANT: Id = [0x45; 16];
/// Without a limit, passed on by a grant without one.
pub(super) const ANSWER: Id = [0x47; 16];
pub(crate) const REQUEST: Id = [0x56; 16];
const DENIED: Id = [0x57; 16];
const OPEN: Id = [0x58; 16];

pub(super) fn tell(ledger: &mut Ledger) {
    pass_on(ledger);
    ask(ledger);
}

fn pass_on(ledger: &mut Ledger) {
    let head = [0; 32];
    let hospital = |uses| terms(NO_ID, 0b1000, GranteeKind::Institution, wallet(0xe0), uses);
    ledger.emit(&HEIR, |link| GrantCreated {
        link,
        grant: ROOT_GRANT,
        issuer: heir().wallet,
        terms: hospital(10),
        head,
    });
    for (grant, parent, depth, uses) in [(CHILD_GRANT, ROOT_GRANT, 1, 4), (GRANDCHILD_GRANT, CHILD_GRANT, 2, 3)] {
        ledger.emit(&HEIR, |link| GrantPassedOn {
            link,
            request: [0x50 + depth; 16],
            grant,
            parent,
            depth,
            actor: doctor(),
            purpose: Purpose::Treatment,
            terms: hospital(uses),
            head,
        });
    }
    for under in [GRANDCHILD_GRANT, CHILD_GRANT] {
        ledger.emit(&HEIR, |link| AccessAllowed {
            link,
            request: [link.seq as u8; 16],
            record: SHARED,
            version: 1,
            actor: doctor(),
            purpose: Purpose::Treatment,
            basis: Basis::Grant,
            under,
            head,
        });
    }
}

fn ask(ledger: &mut Ledger) {
    let head = [0; 32];
    let until = ledger.now + 500_000;
    for (request, record, classes) in [(REQUEST, SHARED, 0), (DENIED, NO_ID, 0b11), (OPEN, NO_ID, 1)] {
        ledger.emit(&HEIR, |link| AccessRequested {
            link,
            request,
            actor: clerk(),
            record,
            classes,
            rights: Action::Read.bit(),
            purposes: Purpose::Payment.bit(),
            until,
            head,
        });
    }
    let nothing = Terms {
        grantee: NONE,
        grantee_kind: GranteeKind::Member,
        rights: 0,
        purposes: 0,
        not_before: 0,
        expires: 0,
        ..terms(NO_ID, 0, GranteeKind::Member, NONE, 0)
    };
    let given = terms(SHARED, 0, GranteeKind::Member, CLERK, UNLIMITED);
    for (request, grant, terms) in [(REQUEST, ANSWER, given), (DENIED, NO_ID, nothing)] {
        ledger.emit(&HEIR, |link| RequestDecided {
            link,
            request,
            approved: grant != NO_ID,
            by: heir().wallet,
            grant,
            terms,
            head,
        });
    }
}
