//! Waiting for what is away: says so once, waits longer each time up to a cap, and says once that it is back.

use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long something has been away.
#[derive(Debug)]
pub(crate) struct Outage {
    /// What may be away, as the log names it.
    what: &'static str,
    wait: Option<Duration>,
}

impl Outage {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, wait: None }
    }

    /// It failed again: how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &impl std::fmt::Display) -> Duration {
        let wait = match self.wait {
            None => {
                tracing::warn!("{} is away, trying until it is back: {error}", self.what);
                FIRST_WAIT
            }
            Some(wait) => {
                tracing::debug!("{} is still away: {error}", self.what);
                (wait * 2).min(LONGEST_WAIT)
            }
        };
        self.wait = Some(wait);
        wait
    }

    /// It answered.
    pub(crate) fn over(&mut self) {
        if self.wait.take().is_some() {
            tracing::info!("{} is back", self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_cap_and_begin_anew() {
        let mut outage = Outage::new("it");
        let waits: Vec<Duration> = (0..10).map(|_| outage.failed(&"gone")).collect();
        assert_eq!(waits[..3], [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4]);
        assert_eq!(waits[9], LONGEST_WAIT);
        outage.over();
        assert_eq!(outage.failed(&"gone"), FIRST_WAIT);
    }
}
