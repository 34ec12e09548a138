//! Lets in calls that are signed, on time, for this service, for the first time, and not too many. Nothing else has been
//! looked at by then but the signature, so a call that is turned away costs next to nothing.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use chartseal::store::keystore::remote::signature::{self, Headers, Message, Signed};
use chartseal::store::keystore::remote::wire::Failure;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// How far a caller's clock may be from ours, in seconds, either way.
const WINDOW: i64 = 60;
/// A nonce is remembered for as long as its call could be made again.
const REMEMBERED: i64 = 2 * WINDOW;
/// Nonces that are remembered at most, of 48 bytes each.
const MOST_NONCES: usize = 500_000;

/// How many calls a wallet may make.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// In a second, in the long run.
    pub per_second: NonZeroU32,
    /// At once, after a rest: sharing a record with a ward takes a call for each envelope.
    pub burst: NonZeroU32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            per_second: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
            burst: NonZeroU32::new(400).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// Stands at the door of one service.
#[derive(Debug)]
pub struct Doorman {
    /// The names that callers know us by, as host[:port] in small letters.
    authorities: Vec<String>,
    /// What was signed before, in seconds since 1970, may have been seen by who was here before us.
    since: i64,
    nonces: Mutex<Nonces>,
    pace: DefaultKeyedRateLimiter<[u8; 32]>,
}

/// Nonces of two spans, each as long as any must be remembered: when one is over, those of the one before are forgotten.
#[derive(Debug)]
struct Nonces {
    began: i64,
    young: HashSet<([u8; 32], [u8; 16])>,
    old: HashSet<([u8; 32], [u8; 16])>,
}

impl Doorman {
    /// For a service of these names that starts now, in seconds since 1970.
    #[must_use]
    pub fn new(authorities: &[String], pace: Pace, now: i64) -> Self {
        Self {
            authorities: authorities.iter().map(|name| name.to_ascii_lowercase()).collect(),
            since: now,
            nonces: Mutex::new(Nonces {
                began: now,
                young: HashSet::new(),
                old: HashSet::new(),
            }),
            pace: RateLimiter::keyed(Quota::per_second(pace.per_second).allow_burst(pace.burst)),
        }
    }

    /// The wallet that makes a call at this time, in seconds since 1970.
    ///
    /// # Errors
    /// [`Failure::NotSigned`] or [`Failure::Later`].
    pub fn admit(&self, message: &Message<'_>, headers: &Headers, now: i64) -> Result<[u8; 32], Failure> {
        let refused = |detail: String| Failure::NotSigned { detail, now };
        if !self.authorities.iter().any(|name| name == message.authority) {
            let names = self.authorities.join(", ");
            return Err(refused(format!(
                "this service is called {names}; name it so in its address"
            )));
        }
        let signed = signature::verify(message, headers).map_err(|error| refused(error.to_string()))?;
        let Signed { wallet, created, nonce } = signed;
        let off = created.saturating_sub(now);
        if off.unsigned_abs() > WINDOW.unsigned_abs() {
            let detail = format!("the call was signed {off} s from now by our clock; set yours, or sign it anew");
            return Err(refused(detail));
        }
        if created < self.since {
            return Err(Failure::Later {
                detail: "the service has just been started, and takes nothing that was signed before".to_owned(),
                seconds: self.since.abs_diff(created),
            });
        }
        if let Err(not_until) = self.pace.check_key(&wallet) {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            return Err(Failure::Later {
                detail: "too many calls of this wallet".to_owned(),
                seconds: wait.as_secs() + 1,
            });
        }
        self.remember((wallet, nonce), now)?;
        Ok(wallet)
    }

    fn remember(&self, nonce: ([u8; 32], [u8; 16]), now: i64) -> Result<(), Failure> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(nonces.began) >= REMEMBERED {
            nonces.began = now;
            nonces.old = std::mem::take(&mut nonces.young);
            self.pace.retain_recent();
        }
        if nonces.young.len() >= MOST_NONCES {
            return Err(Failure::Later {
                detail: "too many calls altogether".to_owned(),
                seconds: REMEMBERED.unsigned_abs(),
            });
        }
        if nonces.old.contains(&nonce) || !nonces.young.insert(nonce) {
            return Err(Failure::NotSigned {
                detail: "this very call was made before; sign a new one".to_owned(),
                now,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chartseal::keys::WalletKey;

    const NOW: i64 = 1_700_000_000;
    const MESSAGE: Message<'_> = Message {
        method: "POST",
        authority: "keys.example",
        path: "/v1/calls",
        body: b"{}",
    };

    fn doorman() -> Doorman {
        Doorman::new(&["Keys.Example".to_owned()], Pace::default(), NOW)
    }

    fn not_signed(outcome: Result<[u8; 32], Failure>, word: &str) {
        match outcome {
            Err(Failure::NotSigned { detail, .. }) => assert!(detail.contains(word), "{detail}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_that_is_signed_is_let_in_once() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        let headers = signature::sign(&MESSAGE, &wallet, NOW, [1; 16]);
        assert_eq!(doorman.admit(&MESSAGE, &headers, NOW), Ok(wallet.address()));
        // To the last moment in which it would be on time.
        for later in [0, 1, WINDOW] {
            not_signed(doorman.admit(&MESSAGE, &headers, NOW + later), "before");
        }
    }

    #[test]
    fn a_call_from_the_future_is_remembered_until_it_is_late() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        let headers = signature::sign(&MESSAGE, &wallet, NOW + WINDOW, [1; 16]);
        assert!(doorman.admit(&MESSAGE, &headers, NOW).is_ok());
        for later in 1..=2 * WINDOW {
            // Others come too, so that spans begin and end.
            let nonce = [u8::try_from(later).unwrap(); 16];
            let other = signature::sign(&MESSAGE, &wallet, NOW + later, nonce);
            assert!(doorman.admit(&MESSAGE, &other, NOW + later).is_ok() || nonce == [1; 16]);
            not_signed(doorman.admit(&MESSAGE, &headers, NOW + later), "before");
        }
        not_signed(doorman.admit(&MESSAGE, &headers, NOW + 2 * WINDOW + 1), "clock");
    }

    #[test]
    fn stale_and_early_clocks_are_refused() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        for (created, now) in [
            (NOW, NOW + WINDOW + 1),
            (NOW + WINDOW + 1, NOW),
            (i64::MAX, NOW),
            (i64::MIN, NOW),
        ] {
            let headers = signature::sign(&MESSAGE, &wallet, created, [1; 16]);
            not_signed(doorman.admit(&MESSAGE, &headers, now), "clock");
        }
    }

    #[test]
    fn what_was_signed_before_the_service_started_is_not_taken() {
        let wallet = WalletKey::generate().unwrap();
        let headers = signature::sign(&MESSAGE, &wallet, NOW - 1, [1; 16]);
        let outcome = doorman().admit(&MESSAGE, &headers, NOW);
        assert!(matches!(outcome, Err(Failure::Later { seconds: 1, .. })), "{outcome:?}");
    }

    #[test]
    fn a_call_for_another_service_is_refused() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        let elsewhere = Message {
            authority: "keys.evil",
            ..MESSAGE
        };
        let headers = signature::sign(&elsewhere, &wallet, NOW, [1; 16]);
        not_signed(doorman.admit(&elsewhere, &headers, NOW), "keys.example");
        not_signed(doorman.admit(&MESSAGE, &headers, NOW), "match");
    }

    #[test]
    fn a_wallet_that_calls_too_often_waits_and_others_do_not() {
        let pace = Pace {
            per_second: NonZeroU32::MIN,
            burst: NonZeroU32::new(3).unwrap(),
        };
        let doorman = Doorman::new(&["keys.example".to_owned()], pace, NOW);
        let [hasty, other] = [(), ()].map(|()| WalletKey::generate().unwrap());
        let admit = |wallet: &WalletKey, nonce: u8| {
            let headers = signature::sign(&MESSAGE, wallet, NOW, [nonce; 16]);
            doorman.admit(&MESSAGE, &headers, NOW)
        };
        let outcomes: Vec<_> = (0..20).map(|nonce| admit(&hasty, nonce)).collect();
        assert!(outcomes[..3].iter().all(Result::is_ok), "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .any(|outcome| matches!(outcome, Err(Failure::Later { .. })))
        );
        assert!(admit(&other, 0).is_ok());
    }
}
