//! A ledger on which everything happened once: every kind of event, and every table gets rows.

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::*,
    seeds::{Id, NO_ID},
    state::UNLIMITED,
    vocabulary::*,
};

use crate::ledger::Ledger;

mod agreements;
pub(crate) mod anonymous;
pub(crate) mod consent;
pub(crate) mod emergencies;
mod people;
mod records;

pub(crate) const HOSPITAL: Id = [0x11; 16];
pub(crate) const INSURER: Id = [0x12; 16];
pub(crate) const PATIENT: Id = [0x21; 16];
/// Opened by the hospital, has no wallet.
pub(crate) const WARD: Id = [0x22; 16];
/// Opened by the hospital too, and handed over: everything else happens to this one.
pub(crate) const HEIR: Id = [0x23; 16];
pub(crate) const RECORD: Id = [0x31; 16];
pub(crate) const COUNTED_GRANT: Id = [0x41; 16];
pub(crate) const CLASS_GRANT: Id = [0x42; 16];

pub(crate) const fn wallet(n: u8) -> Address {
    Address::new_from_array([n; 32])
}

const NONE: Address = Address::new_from_array([0; 32]);
const DOCTOR: Address = wallet(0xd0);
const CLERK: Address = wallet(0xd1);

pub(crate) fn doctor() -> Actor {
    Actor {
        kind: ActorKind::Member,
        wallet: wallet(0xa0),
        credential: DOCTOR,
        institution: HOSPITAL,
    }
}

pub(crate) fn clerk() -> Actor {
    Actor {
        kind: ActorKind::Member,
        wallet: wallet(0xa1),
        credential: CLERK,
        institution: INSURER,
    }
}

pub(crate) fn patient() -> Actor {
    Actor {
        kind: ActorKind::Patient,
        wallet: wallet(0xa2),
        credential: NONE,
        institution: NO_ID,
    }
}

pub(crate) fn content(n: u8) -> Content {
    Content {
        manifest_hash: [n; 32],
        root: [n + 1; 32],
        locator: [n + 2; 32],
        padded_size: 65_536 * u64::from(n),
    }
}

fn terms(record: Id, classes: u32, grantee_kind: GranteeKind, grantee: Address, uses: u32) -> Terms {
    Terms {
        record,
        classes,
        grantee_kind,
        grantee,
        grantee_key: if grantee_kind == GranteeKind::Person {
            [6; 32]
        } else {
            [0; 32]
        },
        rights: Action::Read.bit(),
        purposes: Purpose::Payment.bit() | Purpose::Treatment.bit(),
        not_before: 0,
        expires: i64::MAX,
        uses,
    }
}

/// The whole story.
pub(crate) fn tell() -> Ledger {
    let mut ledger = Ledger::new();
    registry(&mut ledger);
    institutions(&mut ledger);
    charts(&mut ledger);
    accesses(&mut ledger);
    people::tell(&mut ledger);
    records::tell(&mut ledger);
    consent::tell(&mut ledger);
    emergencies::tell(&mut ledger);
    agreements::tell(&mut ledger);
    records::erase(&mut ledger);
    anonymous::tell(&mut ledger);
    ledger
}

fn registry(ledger: &mut Ledger) {
    let head = [0; 32];
    ledger.emit(&NO_ID, |link| RegistryCreated {
        link,
        admin: wallet(1),
        head,
    });
    ledger.emit(&NO_ID, |link| AdminProposed {
        link,
        proposed: wallet(2),
        head,
    });
    ledger.emit(&NO_ID, |link| AdminAccepted {
        link,
        admin: wallet(2),
        head,
    });
    // Two events of one transaction, in two instructions.
    let paused = ledger.event(&NO_ID, |link| PauseSet {
        link,
        paused: true,
        head,
    });
    let resumed = ledger.event(&NO_ID, |link| PauseSet {
        link,
        paused: false,
        head,
    });
    ledger.add(&[&[paused], &[resumed]]);
    ledger.emit(&NO_ID, |link| AdminProposed {
        link,
        proposed: wallet(3),
        head,
    });
}

fn institutions(ledger: &mut Ledger) {
    let head = [0; 32];
    for (id, kind, n) in [
        (HOSPITAL, InstitutionKind::Hospital, 0xe0),
        (INSURER, InstitutionKind::Insurer, 0xe1),
    ] {
        let (institution, authority) = (wallet(n), wallet(n - 0x40));
        let expires = ledger.now + 31_536_000;
        ledger.emit(&id, |link| InstitutionRegistered {
            link,
            institution,
            kind,
            authority,
            expires,
            head,
        });
        let keys = ([n; 32], [0; 32]);
        ledger.emit(&id, |link| InstitutionAccepted {
            link,
            encryption_key: keys.0,
            post_quantum_key_hash: keys.1,
            head,
        });
    }
    for (id, member, wallet, role) in [
        (HOSPITAL, DOCTOR, doctor().wallet, Role::Doctor),
        (INSURER, CLERK, clerk().wallet, Role::Insurer),
    ] {
        let expires = ledger.now + 31_536_000;
        // Two events of one instruction.
        let registered = ledger.event(&id, |link| MemberRegistered {
            link,
            member,
            member_id: [member.to_bytes()[0]; 16],
            wallet,
            role,
            expires,
            head,
        });
        let accepted = ledger.event(&id, |link| MembershipAccepted {
            link,
            member,
            encryption_key: wallet.to_bytes(),
            post_quantum_key_hash: [5; 32],
            head,
        });
        ledger.add(&[&[registered, accepted]]);
    }
    ledger.emit(&INSURER, |link| MemberStandingSet {
        link,
        member: CLERK,
        standing: Standing::Suspended,
        head,
    });
    ledger.emit(&INSURER, |link| MemberStandingSet {
        link,
        member: CLERK,
        standing: Standing::Active,
        head,
    });
    ledger.emit(&HOSPITAL, |link| InstitutionStandingSet {
        link,
        standing: Standing::Suspended,
        head,
    });
    ledger.emit(&HOSPITAL, |link| InstitutionStandingSet {
        link,
        standing: Standing::Active,
        head,
    });
}

fn charts(ledger: &mut Ledger) {
    let head = [0; 32];
    for (id, wallet, steward) in [(PATIENT, patient().wallet, NO_ID), (WARD, NONE, HOSPITAL)] {
        ledger.emit(&id, |link| PatientOpened {
            link,
            wallet,
            steward,
            encryption_key: id.repeat(2).try_into().unwrap(),
            post_quantum_key_hash: [0; 32],
            head,
        });
    }
    for (id, basis) in [(PATIENT, Basis::Consent), (WARD, Basis::Steward)] {
        ledger.emit(&id, |link| RecordCreated {
            link,
            request: [0x51; 16],
            record: RECORD,
            class: 3,
            author: doctor(),
            purpose: Purpose::Treatment,
            basis,
            under: NO_ID,
            content: content(1),
            head,
        });
    }
    for version in [2, 3] {
        ledger.emit(&PATIENT, |link| RecordAmended {
            link,
            request: [0x52; 16],
            record: RECORD,
            version,
            author: doctor(),
            purpose: Purpose::Treatment,
            basis: Basis::Consent,
            under: NO_ID,
            content: content(10 * version as u8),
            previous: [version as u8; 32],
            head,
        });
    }
}

fn accesses(ledger: &mut Ledger) {
    let head = [0; 32];
    let issuer = patient().wallet;
    ledger.emit(&PATIENT, |link| GrantCreated {
        link,
        grant: COUNTED_GRANT,
        issuer,
        terms: terms(RECORD, 0, GranteeKind::Member, CLERK, 5),
        head,
    });
    ledger.emit(&PATIENT, |link| GrantCreated {
        link,
        grant: CLASS_GRANT,
        issuer,
        terms: terms(NO_ID, 0b1001, GranteeKind::Institution, wallet(0xe0), UNLIMITED),
        head,
    });
    for (actor, basis, under) in [
        (patient(), Basis::Patient, NO_ID),
        (clerk(), Basis::Grant, COUNTED_GRANT),
        (clerk(), Basis::Grant, COUNTED_GRANT),
        (doctor(), Basis::Grant, CLASS_GRANT),
    ] {
        ledger.emit(&PATIENT, |link| AccessAllowed {
            link,
            request: [0x60 + link.seq as u8; 16],
            record: RECORD,
            version: 3,
            actor,
            purpose: Purpose::Payment,
            basis,
            under,
            head,
        });
    }
    ledger.emit(&PATIENT, |link| GrantRevoked {
        link,
        grant: COUNTED_GRANT,
        by: issuer,
        head,
    });
    for (reason, claim, under) in [
        (Reason::NoGrant, ClaimKind::Nothing, NO_ID),
        (Reason::GrantRevoked, ClaimKind::Grant, COUNTED_GRANT),
    ] {
        ledger.emit(&PATIENT, |link| ActionRefused {
            link,
            request: [0x70 + link.seq as u8; 16],
            record: RECORD,
            action: Action::Read,
            actor: clerk(),
            purpose: Purpose::Payment,
            reason,
            claim,
            under,
            head,
        });
    }
}

/// One more reading.
pub(crate) fn read_once_more(ledger: &mut Ledger) {
    ledger.emit(&PATIENT, |link| AccessAllowed {
        link,
        request: [0x80; 16],
        record: RECORD,
        version: 3,
        actor: doctor(),
        purpose: Purpose::Treatment,
        basis: Basis::Author,
        under: NO_ID,
        head: [0; 32],
    });
}
