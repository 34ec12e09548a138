//! Lets in calls that are signed, on time, for this service, for the first time, and not too many. Nothing else has been
//! looked at by then but the signature, so a call that is turned away costs next to nothing.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chartseal::store::keystore::remote::signature::{self, Headers, Message, Signed};
use chartseal::store::keystore::remote::wire::Failure;
use chartseal_serving::Pace;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// How late a call may be, in seconds: by its caller's clock, and on its way.
const LATE: i64 = 60;
/// How early: a clock that is ahead. Short, for what comes after a restart has to be later than anything before it.
const EARLY: i64 = 5;
/// Nonces are kept in spans of this length, of which the last two are remembered.
const SPAN: Duration = Duration::from_secs(120);
/// Nonces that are remembered at most, of 48 bytes each.
const MOST_NONCES: usize = 500_000;

/// Stands at the door of one service.
#[derive(Debug)]
pub struct Doorman {
    /// The names that callers know us by, as host[:port] in small letters.
    authorities: Vec<String>,
    nonces: Mutex<Nonces>,
    pace: DefaultKeyedRateLimiter<[u8; 32]>,
}

/// Nonces of two spans. Whatever the clock does, none is forgotten that could come again: with a span goes everything that
/// was signed up to its latest call.
#[derive(Debug)]
struct Nonces {
    began: Instant,
    /// What was signed before this, in seconds since 1970, is not taken.
    floor: i64,
    young: Span,
    old: Span,
}

#[derive(Debug)]
struct Span {
    nonces: HashSet<([u8; 32], [u8; 16])>,
    /// The latest time of signing.
    latest: i64,
}

impl Span {
    fn new() -> Self {
        Self {
            nonces: HashSet::new(),
            latest: i64::MIN,
        }
    }
}

impl Doorman {
    /// For a service of these names that starts now, in seconds since 1970.
    #[must_use]
    pub fn new(authorities: &[String], pace: Pace, now: i64) -> Self {
        Self {
            authorities: authorities.iter().map(|name| name.to_ascii_lowercase()).collect(),
            nonces: Mutex::new(Nonces {
                began: Instant::now(),
                // Who was here before us may have taken what was signed up to then.
                floor: now.saturating_add(EARLY).saturating_add(1),
                young: Span::new(),
                old: Span::new(),
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
        if !(-LATE..=EARLY).contains(&off) {
            let detail = format!("the call was signed {off} s from now by our clock; set yours, or sign it anew");
            return Err(refused(detail));
        }
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.has((wallet, nonce)) {
            return Err(refused("this very call was made before; sign a new one".to_owned()));
        }
        if created < nonces.floor {
            return Err(Failure::Later {
                detail: "the service was started a moment ago, and takes nothing that was signed before".to_owned(),
                seconds: nonces.floor.abs_diff(created),
            });
        }
        if nonces.began.elapsed() >= SPAN {
            nonces.turn_over();
            self.pace.retain_recent();
        }
        // Before anything is remembered of a wallet: a flood may come from any number of them.
        if nonces.is_full() {
            return Err(Failure::Later {
                detail: "too many calls altogether".to_owned(),
                seconds: SPAN.as_secs(),
            });
        }
        if let Err(not_until) = self.pace.check_key(&wallet) {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            return Err(Failure::Later {
                detail: "too many calls of this wallet".to_owned(),
                seconds: wait.as_secs() + 1,
            });
        }
        nonces.remember((wallet, nonce), created);
        Ok(wallet)
    }
}

impl Nonces {
    fn has(&self, nonce: ([u8; 32], [u8; 16])) -> bool {
        self.young.nonces.contains(&nonce) || self.old.nonces.contains(&nonce)
    }

    fn is_full(&self) -> bool {
        self.young.nonces.len() >= MOST_NONCES
    }

    fn remember(&mut self, nonce: ([u8; 32], [u8; 16]), created: i64) {
        self.young.latest = self.young.latest.max(created);
        self.young.nonces.insert(nonce);
    }

    fn turn_over(&mut self) {
        self.began = Instant::now();
        let young = std::mem::replace(&mut self.young, Span::new());
        let forgotten = std::mem::replace(&mut self.old, young);
        self.floor = self.floor.max(forgotten.latest.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::num::NonZeroU32;

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

    /// A time at which the doorman has been there for a while.
    const LATER: i64 = NOW + 1000;

    #[test]
    fn a_call_that_is_signed_is_let_in_once() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        let headers = signature::sign(&MESSAGE, &wallet, LATER, [1; 16]);
        assert_eq!(doorman.admit(&MESSAGE, &headers, LATER), Ok(wallet.address()));
        // From the first to the last moment in which it would be on time.
        for now in [LATER - EARLY, LATER, LATER + 1, LATER + LATE] {
            not_signed(doorman.admit(&MESSAGE, &headers, now), "before");
        }
    }

    #[test]
    fn what_is_forgotten_is_not_taken_again_whatever_the_clock_does() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        let headers = signature::sign(&MESSAGE, &wallet, LATER + EARLY, [1; 16]);
        assert!(doorman.admit(&MESSAGE, &headers, LATER).is_ok());
        let turn_over = || doorman.nonces.lock().unwrap().turn_over();
        turn_over();
        not_signed(doorman.admit(&MESSAGE, &headers, LATER), "before");
        turn_over();
        // It is forgotten, and the clock stands still or was set back.
        for now in [LATER, LATER + 1] {
            let outcome = doorman.admit(&MESSAGE, &headers, now);
            assert!(matches!(outcome, Err(Failure::Later { seconds: 1, .. })), "{outcome:?}");
        }
        let next = signature::sign(&MESSAGE, &wallet, LATER + EARLY + 1, [1; 16]);
        assert!(doorman.admit(&MESSAGE, &next, LATER + 1).is_ok());
    }

    #[test]
    fn stale_and_early_clocks_are_refused() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        for (created, now) in [
            (LATER, LATER + LATE + 1),
            (LATER + EARLY + 1, LATER),
            (i64::MAX, LATER),
            (i64::MIN, LATER),
        ] {
            let headers = signature::sign(&MESSAGE, &wallet, created, [1; 16]);
            not_signed(doorman.admit(&MESSAGE, &headers, now), "clock");
        }
    }

    #[test]
    fn nothing_that_a_service_took_is_taken_by_the_one_that_is_started_after_it() {
        let wallet = WalletKey::generate().unwrap();
        for created in NOW - LATE..=NOW + EARLY {
            let headers = signature::sign(&MESSAGE, &wallet, created, [1; 16]);
            let before = Doorman::new(&["keys.example".to_owned()], Pace::default(), NOW - LATER);
            assert!(before.admit(&MESSAGE, &headers, NOW).is_ok(), "{created}");
            // Started in the same second, and asked at any moment after that.
            let after = doorman();
            for now in NOW..=NOW + LATE + EARLY + 1 {
                let taken = after.admit(&MESSAGE, &headers, now);
                assert!(taken.is_err(), "{created} at {now}");
            }
        }
    }

    #[test]
    fn a_call_for_another_service_is_refused() {
        let (wallet, doorman) = (WalletKey::generate().unwrap(), doorman());
        let elsewhere = Message {
            authority: "keys.evil",
            ..MESSAGE
        };
        let headers = signature::sign(&elsewhere, &wallet, LATER, [1; 16]);
        not_signed(doorman.admit(&elsewhere, &headers, LATER), "keys.example");
        not_signed(doorman.admit(&MESSAGE, &headers, LATER), "match");
    }

    #[test]
    fn a_flood_of_wallets_is_not_remembered() {
        let doorman = doorman();
        {
            let mut nonces = doorman.nonces.lock().unwrap();
            for n in 0..u32::try_from(MOST_NONCES).unwrap() {
                let mut nonce = [0; 16];
                nonce[..4].copy_from_slice(&n.to_le_bytes());
                nonces.remember(([0; 32], nonce), LATER);
            }
        }
        let headers = signature::sign(&MESSAGE, &WalletKey::generate().unwrap(), LATER, [1; 16]);
        let outcome = doorman.admit(&MESSAGE, &headers, LATER);
        assert!(
            matches!(&outcome, Err(Failure::Later { detail, .. }) if detail.contains("altogether")),
            "{outcome:?}"
        );
        assert!(doorman.pace.is_empty());
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
            let headers = signature::sign(&MESSAGE, wallet, LATER, [nonce; 16]);
            doorman.admit(&MESSAGE, &headers, LATER)
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
