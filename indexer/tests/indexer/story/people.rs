//! Approvals and memberships change, a chart is handed over, delegates and guardians come and go.

use super::*;

pub(crate) const DELEGATE: Id = [0x71; 16];
const GIVEN_BACK: Id = [0x72; 16];
const DAY: i64 = 86_400;

/// Acts for the heir.
pub(super) fn delegate() -> Actor {
    Actor {
        kind: ActorKind::Delegate,
        wallet: wallet(0xa5),
        credential: wallet(0xf1),
        institution: NO_ID,
    }
}

/// The heir, once it has its wallet.
pub(super) fn heir() -> Actor {
    Actor {
        wallet: wallet(0xa4),
        ..patient()
    }
}

pub(super) fn tell(ledger: &mut Ledger) {
    institutions(ledger);
    hand_over(ledger);
    delegates(ledger);
    guardians(ledger);
    recovery(ledger);
}

fn institutions(ledger: &mut Ledger) {
    let head = [0; 32];
    let expires = ledger.now + 2 * 31_536_000;
    ledger.emit(&HOSPITAL, |link| InstitutionRenewed { link, expires, head });
    for (proposed, accepts) in [(wallet(0x90), true), (wallet(0x91), false)] {
        ledger.emit(&HOSPITAL, |link| AuthorityProposed { link, proposed, head });
        if accepts {
            ledger.emit(&HOSPITAL, |link| AuthorityAccepted {
                link,
                authority: proposed,
                head,
            });
        }
    }
    ledger.emit(&HOSPITAL, |link| MemberRenewed {
        link,
        member: DOCTOR,
        expires,
        head,
    });
    for (member, holds) in [(DOCTOR, true), (DOCTOR, false), (DOCTOR, true)] {
        ledger.emit(&HOSPITAL, |link| EmergencyCredentialSet {
            link,
            member,
            holds,
            head,
        });
    }
}

fn hand_over(ledger: &mut Ledger) {
    let head = [0; 32];
    ledger.emit(&HEIR, |link| PatientOpened {
        link,
        wallet: NONE,
        steward: HOSPITAL,
        encryption_key: [0x81; 32],
        post_quantum_key_hash: [0x82; 32],
        head,
    });
    ledger.emit(&HEIR, |link| WalletProposed {
        link,
        proposed: wallet(0xa3),
        by: wallet(0x90),
        head,
    });
    ledger.emit(&HEIR, |link| WalletAccepted {
        link,
        wallet: wallet(0xa3),
        encryption_key: [0x83; 32],
        post_quantum_key_hash: [0; 32],
        key_epoch: 2,
        head,
    });
    ledger.emit(&HEIR, |link| PatientKeyRotated {
        link,
        encryption_key: [0x84; 32],
        post_quantum_key_hash: [0x85; 32],
        key_epoch: 3,
        head,
    });
}

fn delegates(ledger: &mut Ledger) {
    let head = [0; 32];
    let expires = ledger.now + 100 * DAY;
    for (id, account, wallet) in [
        (DELEGATE, delegate().credential, delegate().wallet),
        (GIVEN_BACK, wallet(0xf2), wallet(0xa6)),
    ] {
        ledger.emit(&HEIR, |link| DelegateNamed {
            link,
            delegate: id,
            account,
            wallet,
            rights: Action::Read.bit() | Action::Append.bit(),
            expires,
            head,
        });
    }
    for id in [DELEGATE, GIVEN_BACK] {
        ledger.emit(&HEIR, |link| DelegationAccepted {
            link,
            delegate: id,
            encryption_key: [id[0]; 32],
            post_quantum_key_hash: [0; 32],
            head,
        });
    }
    ledger.emit(&HEIR, |link| DelegateRevoked {
        link,
        delegate: GIVEN_BACK,
        by: wallet(0xa6),
        head,
    });
}

fn guardian(n: u8) -> GuardianNamed {
    GuardianNamed {
        wallet: wallet(n),
        encryption_key: [n + 1; 32],
    }
}

fn guardians(ledger: &mut Ledger) {
    let head = [0; 32];
    ledger.emit(&HEIR, |link| BreakGlassSet {
        link,
        holders: vec![wallet(0xe0), wallet(0xe1)],
        threshold: 2,
        head,
    });
    for named in [&[0xb0, 0xb2][..], &[0xb0, 0xb2, 0xb4]] {
        ledger.emit(&HEIR, |link| GuardiansSet {
            link,
            guardians: named.iter().copied().map(guardian).collect(),
            threshold: 2,
            delay: DAY,
            head,
        });
    }
    ledger.emit(&HEIR, |link| BreakGlassSet {
        link,
        holders: vec![wallet(0xe0)],
        threshold: 1,
        head,
    });
}

/// Two guardians agree and the patient objects; they agree again and one withdraws, so a third has to; then the wallet
/// takes over. Two agree on yet another, which the third's vote for one more does not change, and one of them withdraws.
fn recovery(ledger: &mut Ledger) {
    let head = [0; 32];
    let next = heir().wallet;
    let vote = |ledger: &mut Ledger, guardian: u8, wallet: Address, votes: u8, agreed: Address| {
        let ready_at = if agreed == NONE { 0 } else { ledger.now + DAY };
        ledger.emit(&HEIR, |link| RecoveryVoted {
            link,
            guardian: super::wallet(guardian),
            wallet,
            encryption_key: [0x86; 32],
            votes,
            agreed,
            ready_at,
            head,
        });
    };
    vote(ledger, 0xb0, wallet(0xee), 1, NONE);
    vote(ledger, 0xb2, wallet(0xee), 2, wallet(0xee));
    ledger.emit(&HEIR, |link| RecoveryObjected {
        link,
        wallet: wallet(0xee),
        head,
    });
    vote(ledger, 0xb0, next, 1, NONE);
    vote(ledger, 0xb2, next, 2, next);
    vote(ledger, 0xb0, NONE, 0, NONE);
    vote(ledger, 0xb4, next, 2, next);
    ledger.now += DAY;
    ledger.emit(&HEIR, |link| RecoveryFinished {
        link,
        wallet: next,
        encryption_key: [0x86; 32],
        post_quantum_key_hash: [0; 32],
        key_epoch: 4,
        head,
    });
    vote(ledger, 0xb2, wallet(0xef), 1, NONE);
    vote(ledger, 0xb4, wallet(0xef), 2, wallet(0xef));
    vote(ledger, 0xb0, wallet(0xee), 1, wallet(0xef));
    vote(ledger, 0xb4, NONE, 0, NONE);
    ledger.emit(&HEIR, |link| WalletProposed {
        link,
        proposed: wallet(0xed),
        by: next,
        head,
    });
}
