//! Waiting for what is away: says so at once and every minute, waits longer each time up to a cap, and says
//! once that it is back.

use std::time::{Duration, Instant};

use crate::metrics::{self, Peer};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often to say that it is still away.
const REMINDER: Duration = Duration::from_secs(60);

/// How long something has been away.
#[derive(Debug)]
pub(crate) struct Outage {
    /// What may be away, as the log names it.
    what: &'static str,
    peer: Peer,
    wait: Option<Duration>,
    /// When the log last said so.
    said: Option<Instant>,
}

impl Outage {
    pub(crate) fn new(what: &'static str, peer: Peer) -> Self {
        Self {
            what,
            peer,
            wait: None,
            said: None,
        }
    }

    /// It failed again: how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &impl std::fmt::Display) -> Duration {
        match self.remind(Instant::now()) {
            true => tracing::warn!("{} is away, trying until it is back: {error}", self.what),
            false => tracing::debug!("{} is still away: {error}", self.what),
        }
        let wait = self.wait.map_or(FIRST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT));
        self.wait = Some(wait);
        wait
    }

    /// Whether it is time to say that it is away: at first, and then every minute.
    fn remind(&mut self, now: Instant) -> bool {
        let due = self.said.is_none_or(|said| now.duration_since(said) >= REMINDER);
        if due {
            self.said = Some(now);
        }
        due
    }

    /// Something got through: it is not over, and yet no reason to wait for longer each time.
    pub(crate) fn got_on(&mut self) {
        self.wait = None;
    }

    /// It answered.
    pub(crate) fn over(&mut self) {
        self.wait = None;
        if self.said.take().is_some() {
            tracing::info!("{} is back", self.what);
            metrics::reconnected(self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_and_every_minute() {
        let (mut outage, start) = (Outage::new("it", Peer::Node), Instant::now());
        let said = [0, 1, 59, 60, 61, 120].map(|second| outage.remind(start + Duration::from_secs(second)));
        assert_eq!(said, [true, false, false, true, false, true]);
        outage.over();
        assert!(outage.remind(start + Duration::from_secs(121)));
    }

    #[test]
    fn waits_grow_to_a_cap_and_begin_anew() {
        let mut outage = Outage::new("it", Peer::Node);
        let waits: Vec<Duration> = (0..10).map(|_| outage.failed(&"gone")).collect();
        assert_eq!(waits[..3], [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4]);
        assert_eq!(waits[9], LONGEST_WAIT);
        outage.over();
        assert_eq!(outage.failed(&"gone"), FIRST_WAIT);
    }

    #[test]
    fn where_something_gets_through_the_wait_begins_anew_and_the_outage_goes_on() {
        let mut outage = Outage::new("it", Peer::Node);
        assert_eq!([(); 2].map(|()| outage.failed(&"gone")), [FIRST_WAIT, FIRST_WAIT * 2]);
        outage.got_on();
        assert_eq!([(); 2].map(|()| outage.failed(&"gone")), [FIRST_WAIT, FIRST_WAIT * 2]);
        assert!(!outage.remind(Instant::now()), "it was said before");
    }
}
