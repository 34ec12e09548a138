//! Pauses between tries. Their bound doubles from try to try up to the longest, and each is drawn at random between nothing
//! and its bound ("full jitter"), so that many clients that failed together do not come back together.

use std::time::Duration;

/// How long to pause between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// The bound of the first pause.
    pub(crate) first: Duration,
    /// What no bound exceeds.
    pub(crate) longest: Duration,
}

impl Backoff {
    /// Pauses of up to `first` at the beginning, and of up to `longest` in the end.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after so many others.
    pub(crate) fn pause(&self, others: u32) -> Duration {
        let mut byte = [u8::MAX];
        // Without randomness the pause is its bound: later than needed, never wrong.
        let _ = getrandom::fill(&mut byte);
        self.bound(others).saturating_mul(u32::from(byte[0])) / u32::from(u8::MAX)
    }

    fn bound(&self, others: u32) -> Duration {
        self.first.saturating_mul(1 << others.min(16)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn bounds_double_up_to_the_longest() {
        let backoff = Backoff::new(SECOND, SECOND * 5);
        let bounds = [0, 1, 2, 3, 40, u32::MAX].map(|others| backoff.bound(others).as_secs());
        assert_eq!(bounds, [1, 2, 4, 5, 5, 5]);
    }

    #[test]
    fn pauses_differ_and_stay_within_their_bounds() {
        let backoff = Backoff::new(SECOND, SECOND * 60);
        let pauses: Vec<_> = (0..64).map(|_| backoff.pause(2)).collect();
        assert!(pauses.iter().all(|pause| *pause <= SECOND * 4));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    #[test]
    fn a_bound_that_no_clock_could_hold_is_the_longest() {
        let backoff = Backoff::new(Duration::MAX / 2, Duration::MAX);
        assert_eq!(backoff.bound(9), Duration::MAX);
    }
}
