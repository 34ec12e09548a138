//! What may be spent: on one transaction, for one wallet in a day, and on a day altogether. Wallets cost nothing to make, so
//! it is the last that bounds what strangers can take. The same transaction, asked for again, is paid once.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use solana_address::Address;

use crate::Refusal;

/// What may be spent, in lamports.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// On one transaction, rent included.
    pub each: u64,
    /// For one wallet in a day.
    pub signer: u64,
    /// In a day.
    pub day: u64,
}

/// What was spent today. A restart forgets it.
#[derive(Debug)]
pub(crate) struct Purse {
    limits: Limits,
    today: Mutex<Day>,
}

#[derive(Debug, Default)]
struct Day {
    number: u64,
    spent: u64,
    by: HashMap<Address, u64>,
    paid: HashSet<[u8; 32]>,
}

impl Purse {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            today: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether a message was paid for on this day.
    pub(crate) fn has_paid(&self, day: u64, message: &[u8; 32]) -> bool {
        self.of_day(day).paid.contains(message)
    }

    fn of_day(&self, day: u64) -> MutexGuard<'_, Day> {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back opens no new purse.
        if day > today.number {
            *today = Day {
                number: day,
                ..Day::default()
            };
        }
        today
    }

    /// Takes out what a message costs that this wallet signed, on a day since 1970. Nothing, where it was paid before.
    pub(crate) fn take(&self, day: u64, signer: Address, message: [u8; 32], cost: u64) -> Result<(), Refusal> {
        let Limits {
            each,
            signer: of_signer,
            day: of_day,
        } = self.limits;
        if cost > each {
            return Err(Refusal::TooDear { cost, most: each });
        }
        let mut today = self.of_day(day);
        if today.paid.contains(&message) {
            return Ok(());
        }
        let spent = today.spent.saturating_add(cost);
        if spent > of_day {
            return Err(Refusal::DaySpent(of_day));
        }
        let by = today.by.get(&signer).copied().unwrap_or(0).saturating_add(cost);
        if by > of_signer {
            return Err(Refusal::SignerSpent {
                signer,
                most: of_signer,
            });
        }
        today.spent = spent;
        today.by.insert(signer, by);
        today.paid.insert(message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ADA: Address = Address::new_from_array([1; 32]);
    const BEN: Address = Address::new_from_array([2; 32]);

    fn purse() -> Purse {
        Purse::new(Limits {
            each: 10,
            signer: 15,
            day: 20,
        })
    }

    #[test]
    fn a_transaction_that_costs_too_much_is_not_paid_and_takes_nothing() {
        let purse = purse();
        assert_eq!(
            purse.take(1, ADA, [0; 32], 11),
            Err(Refusal::TooDear { cost: 11, most: 10 })
        );
        assert_eq!(purse.take(1, ADA, [0; 32], 10), Ok(()));
    }

    #[test]
    fn a_wallet_and_a_day_have_their_shares_and_another_day_has_its_own() {
        let purse = purse();
        purse.take(1, ADA, [0; 32], 10).unwrap();
        assert_eq!(
            purse.take(1, ADA, [1; 32], 6),
            Err(Refusal::SignerSpent { signer: ADA, most: 15 })
        );
        purse.take(1, ADA, [1; 32], 5).unwrap();
        assert_eq!(purse.take(1, BEN, [2; 32], 6), Err(Refusal::DaySpent(20)));
        purse.take(1, BEN, [2; 32], 5).unwrap();
        purse.take(2, ADA, [3; 32], 10).unwrap();
        assert!(
            purse.take(1, BEN, [4; 32], 10).is_ok(),
            "a clock that was set back stays in its day"
        );
        assert_eq!(purse.take(1, BEN, [5; 32], 1), Err(Refusal::DaySpent(20)));
    }

    #[test]
    fn the_same_message_is_paid_once() {
        let purse = purse();
        for times in 0..10 {
            assert_eq!(purse.has_paid(1, &[0; 32]), times > 0);
            purse.take(1, ADA, [0; 32], 10).unwrap();
        }
        purse.take(1, ADA, [1; 32], 5).unwrap();
    }
}
