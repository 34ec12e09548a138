//! Grants without a name, and proofs by them.

use chartseal_program::membership::{self, AnonymousTerms, small};

use super::{people::heir, records::SHARED, *};
use crate::ledger::Grown;

pub(crate) const TREE: Id = [0x71; 16];
/// Nothing is granted in it.
pub(crate) const EMPTY_TREE: Id = [0x72; 16];

/// Terms of an own key and commitment.
pub(crate) fn terms(n: u8, rights: u8, expires: i64) -> AnonymousTerms {
    AnonymousTerms {
        rights,
        expires,
        key: [0xe6 + n; 32],
        commitment: small(n.into()),
    }
}

pub(super) fn tell(ledger: &mut Ledger) {
    let head = [0; 32];
    for tree in [TREE, EMPTY_TREE] {
        ledger.emit(&tree, |link| TreeOpened {
            link,
            by: wallet(0xf3),
            head,
        });
        ledger.trees.insert(tree, Grown::new(&tree));
    }
    let (read, both) = (Action::Read.bit(), Action::Read.bit() | Action::Aggregate.bit());
    let soon = ledger.now + 3_600;
    grant(ledger, &WARD, RECORD, terms(1, read, soon));
    grant(ledger, &HEIR, SHARED, terms(2, both, i64::MAX));
    grant(ledger, &WARD, RECORD, terms(3, Action::Aggregate.bit(), i64::MAX));
    revoke(ledger, &WARD, RECORD, 0);
    grant(ledger, &WARD, RECORD, terms(4, read, i64::MAX));
    for (n, rights) in [(1, read), (2, both), (3, read)] {
        prove(ledger, n, rights);
    }
    ledger.emit(&TREE, |link| NullifierClosed {
        link,
        nullifier: small(102),
        payer: wallet(0xf2),
        head,
    });
}

/// Grants, by whoever decides for the patient.
pub(crate) fn grant(ledger: &mut Ledger, patient: &Id, record: Id, terms: AnonymousTerms) {
    let leaf = terms.leaf(&membership::record(patient, &record).unwrap()).unwrap();
    let grown = ledger.trees.get_mut(&TREE).unwrap();
    let index = grown.append(&leaf);
    let (number, root) = (grown.account.number, *grown.account.root());
    ledger.emit(patient, |link| AnonymousGrantCreated {
        link,
        record,
        issuer: by(patient),
        tree: TREE,
        index,
        number,
        root,
        terms,
        head: [0; 32],
    });
}

pub(crate) fn revoke(ledger: &mut Ledger, patient: &Id, record: Id, index: u32) {
    let now = ledger.now;
    let grown = ledger.trees.get_mut(&TREE).unwrap();
    grown.remove(index, now);
    let (number, root) = (grown.account.number, *grown.account.root());
    ledger.emit(patient, |link| AnonymousGrantRevoked {
        link,
        record,
        by: by(patient),
        tree: TREE,
        index,
        number,
        root,
        head: [0; 32],
    });
}

/// A proof that nobody can tell another from.
pub(crate) fn prove(ledger: &mut Ledger, n: u8, rights: u8) {
    let number = ledger.trees[&TREE].account.number;
    let now = ledger.now - 20;
    ledger.emit(&TREE, |link| AccessProven {
        link,
        exchange: [0xf0 + n; 16],
        nullifier: small(100 + u64::from(n)),
        handle: small(200 + u64::from(n)),
        verifier: wallet(0xf1),
        relayer: wallet(0xf2),
        epoch: membership::epoch(now),
        now,
        rights,
        number,
        head: [0; 32],
    });
}

fn by(patient: &Id) -> Address {
    match *patient {
        PATIENT => super::patient().wallet,
        // The steward's authority.
        WARD => wallet(0x90),
        _ => heir().wallet,
    }
}
