//! The insurer pays the hospital for access, and closes what came to nothing.

use super::{consent::REQUEST, records::SHARED, *};

pub(crate) const AGREEMENT: Id = [0xc1; 16];
const ABANDONED: Id = [0xc2; 16];
/// Beyond what a bigint holds.
const PRICE: u64 = u64::MAX - 5;

pub(super) fn tell(ledger: &mut Ledger) {
    let head = [0; 32];
    for (agreement, price) in [(AGREEMENT, PRICE), (ABANDONED, 3)] {
        let expires = ledger.now + 9_000_000;
        ledger.emit(&INSURER, |link| AgreementProposed {
            link,
            agreement,
            provider: HOSPITAL,
            classes: 0b1000,
            purpose: Purpose::Payment,
            mint: wallet(0xc5),
            token_program: wallet(0xc6),
            escrow: wallet(agreement[0] + 6),
            refund: wallet(0xc9),
            price,
            expires,
            head,
        });
    }
    for (agreement, received) in [(AGREEMENT, PRICE), (AGREEMENT, 1_000), (ABANDONED, 7)] {
        ledger.emit(&INSURER, |link| AgreementFunded {
            link,
            agreement,
            received,
            head,
        });
    }
    for agreement in [AGREEMENT, ABANDONED] {
        ledger.emit(&INSURER, |link| AgreementAccepted {
            link,
            agreement,
            payee: wallet(0xca),
            head,
        });
    }
    ledger.emit(&INSURER, |link| AgreementClosed {
        link,
        agreement: ABANDONED,
        by: wallet(0xa1),
        refund: wallet(0xcb),
        returned: 7,
        head,
    });
    ledger.emit(&HEIR, |link| AccessSettled {
        link,
        consumer: INSURER,
        agreement: AGREEMENT,
        record: SHARED,
        version: 1,
        request: REQUEST,
        wallet: clerk().wallet,
        amount: PRICE,
        head,
    });
}
