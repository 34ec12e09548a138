//! Records that come by a policy, by a delegate and out of a batch, and one that is erased.

use std::sync::LazyLock;

use anchor_lang::InstructionData;
use chartseal_program::{
    instruction,
    instructions::PromoteBatchedArgs,
    merkle::{Leaf, Tree},
};

use super::{
    people::{DELEGATE, delegate, heir},
    *,
};

pub(super) const BATCH: Id = [0x91; 16];
pub(crate) const BY_DELEGATE: Id = [0x33; 16];
pub(super) const SHARED: Id = [0x34; 16];
pub(super) const PROMOTED: Id = [0x35; 16];

/// Where the promoted record stands in its batch.
const PLACE_IN_BATCH: u32 = 77;

/// The batch's tree. Only the leaf that is promoted is of a record.
static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut leaves: Vec<[u8; 32]> = (0..10_000u32).map(|n| [n as u8; 32]).collect();
    leaves[PLACE_IN_BATCH as usize] = Leaf {
        institution: &HOSPITAL,
        batch: &BATCH,
        index: PLACE_IN_BATCH,
        patient: &HEIR,
        record: &PROMOTED,
        class: 5,
        content: &content(60),
    }
    .hash();
    Tree::new(leaves).unwrap()
});

pub(super) fn tell(ledger: &mut Ledger) {
    policies(ledger);
    let head = [0; 32];
    ledger.emit(&HOSPITAL, |link| BatchAnchored {
        link,
        batch: BATCH,
        author: DOCTOR,
        wallet: doctor().wallet,
        root: TREE.root(),
        locator: [0x93; 32],
        count: TREE.count(),
        head,
    });
    for (record, author, basis, under, n) in [
        (SHARED, doctor(), Basis::Policy, HOSPITAL, 40),
        (BY_DELEGATE, delegate(), Basis::Delegate, DELEGATE, 50),
    ] {
        ledger.emit(&HEIR, |link| RecordCreated {
            link,
            request: [n; 16],
            record,
            class: 3,
            author,
            purpose: Purpose::Treatment,
            basis,
            under,
            content: content(n),
            head,
        });
    }
    let promoted = ledger.event(&HEIR, |link| RecordPromoted {
        link,
        request: [60; 16],
        record: PROMOTED,
        class: 5,
        institution: HOSPITAL,
        batch: BATCH,
        index: PLACE_IN_BATCH,
        author: DOCTOR,
        actor: heir(),
        purpose: Purpose::Personal,
        basis: Basis::Patient,
        under: NO_ID,
        content: content(60),
        head,
    });
    // Whoever promotes a record shows the path from its leaf.
    let shown = PromoteBatchedArgs {
        request: [60; 16],
        record: PROMOTED,
        class: 5,
        purpose: Purpose::Personal,
        grant: NO_ID,
        content: content(60),
        index: PLACE_IN_BATCH,
        proof: TREE.path(PLACE_IN_BATCH).unwrap(),
    };
    ledger.add(&[&[promoted]]).calls[0].data = instruction::PromoteBatched { args: shown }.data();
    for (record, actor, basis, under) in [
        (SHARED, doctor(), Basis::Policy, HOSPITAL),
        (SHARED, delegate(), Basis::Delegate, DELEGATE),
    ] {
        ledger.emit(&HEIR, |link| AccessAllowed {
            link,
            request: [link.seq as u8; 16],
            record,
            version: 1,
            actor,
            purpose: Purpose::Treatment,
            basis,
            under,
            head,
        });
    }
}

/// A class that stays keeps its time, one that goes gets an end, and one that comes back, or whose policy had expired,
/// begins anew.
fn policies(ledger: &mut Ledger) {
    let (soon, expires) = (ledger.now + 15, ledger.now + 1_000_000);
    for (institution, classes, purposes, expires) in [
        (HOSPITAL, 0b1010, Purpose::Treatment.bit(), expires),
        (INSURER, 0b1000, Purpose::Payment.bit(), soon),
        (HOSPITAL, 0b10_1000, Purpose::Treatment.bit(), expires),
        (HOSPITAL, 0b10_1010, Purpose::Treatment.bit(), expires),
        (INSURER, 0b1000, Purpose::Payment.bit(), i64::MAX),
        (INSURER, 0, 0, 0),
    ] {
        ledger.emit(&HEIR, |link| PolicySet {
            link,
            institution,
            classes,
            purposes,
            enrols: institution == HOSPITAL,
            expires,
            by: heir().wallet,
            head: [0; 32],
        });
    }
}

pub(super) fn erase(ledger: &mut Ledger) {
    let head = [0; 32];
    ledger.emit(&HEIR, |link| RecordErased {
        link,
        record: PROMOTED,
        version: 1,
        by: heir().wallet,
        head,
    });
    for actor in [heir(), doctor()] {
        ledger.emit(&HEIR, |link| ErasureAttested {
            link,
            record: PROMOTED,
            actor,
            receipt: [actor.wallet.to_bytes()[0]; 32],
            head,
        });
    }
}
