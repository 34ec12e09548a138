//! How much those may store here who are no staff. Anybody can open a chart, and a relayer may even pay for it, so being a
//! patient is no reason to be given a disk: what is new is counted for each patient and for all of them together. What
//! takes the place of something that lies here is not.

use std::num::NonZeroU32;

use chartseal::store::keystore::remote::wire::Failure;
use chartseal_program::seeds::Id;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

/// How many public keys all who are no staff may publish at once. Whoever opens a chart or accepts an invitation is a
/// stranger up to that moment, and its key has to lie here by then.
const KEYS: u32 = 200;
/// And in an hour, in the long run: half a gigabyte a year.
const KEYS_AN_HOUR: u32 = 50;

/// One patient's part of what all of them may have stored.
const PATIENTS_PART: u32 = 4;
/// What may come at once, in hours of it: sharing a history with a new doctor takes an envelope for each record.
const HOURS_AT_ONCE: u32 = 4;

/// Patients who are remembered before those are forgotten who have their whole quota again.
const REMEMBERED: usize = 10_000;

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Quotas {
    keys: DefaultDirectRateLimiter,
    of_patient: DefaultKeyedRateLimiter<Id>,
    of_all: DefaultDirectRateLimiter,
}

impl Quotas {
    /// So many envelopes and shares in an hour of all patients together.
    pub(crate) fn new(an_hour: NonZeroU32) -> Self {
        let of_all = an_hour.get();
        Self {
            keys: RateLimiter::direct(quota(KEYS_AN_HOUR, KEYS)),
            of_patient: RateLimiter::keyed(hourly(of_all / PATIENTS_PART)),
            of_all: RateLimiter::direct(hourly(of_all)),
        }
    }

    /// Counts a public key.
    pub(crate) fn key(&self) -> Result<(), Failure> {
        let what = "too many public keys were published by wallets that are no staff";
        self.keys.check().map_err(|until| later(what, &until))
    }

    /// Counts an envelope or a share of a patient.
    pub(crate) fn place(&self, patient: &Id) -> Result<(), Failure> {
        if self.of_patient.len() > REMEMBERED {
            self.of_patient.retain_recent();
        }
        let what = "too much was stored of this patient by others than staff";
        self.of_patient
            .check_key(patient)
            .map_err(|until| later(what, &until))?;
        let what = "too much was stored of all patients by others than staff";
        self.of_all.check().map_err(|until| later(what, &until))
    }
}

fn hourly(count: u32) -> Quota {
    quota(count, count.saturating_mul(HOURS_AT_ONCE))
}

fn quota(an_hour: u32, at_once: u32) -> Quota {
    let some = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Quota::per_hour(some(an_hour)).allow_burst(some(at_once))
}

fn later(what: &str, until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> Failure {
    Failure::Later {
        detail: what.to_owned(),
        seconds: until.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_patient_who_fills_the_disk_takes_no_other_patients_room() {
        let quotas = Quotas::new(NonZeroU32::new(8).unwrap());
        let stored = |patient| (0..100).filter(|_| quotas.place(&patient).is_ok()).count();
        assert_eq!(stored([1; 16]), 8);
        assert_eq!(stored([2; 16]), 8);
        let rest: usize = (3..100).map(|n| stored([n; 16])).sum();
        assert_eq!(rest, 16, "all together are counted too");
        let outcome = quotas.place(&[1; 16]);
        assert!(
            matches!(&outcome, Err(Failure::Later { detail, seconds }) if detail.contains("this patient") && *seconds > 60),
            "{outcome:?}"
        );
    }

    #[test]
    fn public_keys_are_counted_apart() {
        let quotas = Quotas::new(NonZeroU32::MIN);
        assert!((0..KEYS).all(|_| quotas.key().is_ok()) && quotas.key().is_err());
        assert!(quotas.place(&[1; 16]).is_ok());
    }
}
