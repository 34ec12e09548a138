//! How many uploads go on at once. It begins with a few, adds one as long as that makes the whole faster, and takes half
//! away where uploads begin to take much longer than they did: a store or a line that is full answers more slowly, not
//! more. (Additive increase, multiplicative decrease, with the time of an upload as the signal: Jain's delay-based
//! congestion avoidance, 1989.)

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Uploads at once in the beginning.
const FIRST: usize = 4;
/// Never more than so many.
const MOST: usize = 16;
/// An upload that takes so many times as long as the shortest one has waited for others.
const CONGESTED: u32 = 4;

/// Lets so many go on at once as is good.
#[derive(Clone)]
pub(super) struct Pace {
    slots: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

struct State {
    limit: usize,
    /// Slots to be taken away as soon as they are given back.
    surplus: usize,
    /// Uploads that ended since the limit changed.
    ended: usize,
    shortest: Duration,
}

/// A place among those who upload.
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    pace: Pace,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(FIRST)),
            state: Arc::new(Mutex::new(State {
                limit: FIRST,
                surplus: 0,
                ended: 0,
                shortest: Duration::MAX,
            })),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self) -> Slot {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        Slot {
            permit,
            pace: self.clone(),
        }
    }

    fn learn(&self, took: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shortest = state.shortest.min(took);
        state.ended += 1;
        if took > state.shortest.saturating_mul(CONGESTED) && state.ended >= state.limit {
            let fewer = (state.limit / 2).max(1);
            state.surplus += state.limit - fewer;
            state.limit = fewer;
            state.ended = 0;
            // What was short once may never be again: the measure is renewed as the limit is.
            state.shortest = took;
        } else if state.ended >= 2 * state.limit && state.limit < MOST {
            state.limit += 1;
            state.ended = 0;
            if state.surplus > 0 {
                state.surplus -= 1;
            } else {
                self.slots.add_permits(1);
            }
        }
    }
}

impl Slot {
    /// Gives the place back after an upload that took so long.
    pub(super) fn leave(self, took: Duration) {
        self.pace.learn(took);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.pace.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.surplus > 0 {
            state.surplus -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uploads one after the other, each taking so long, and says how many could go on at once then.
    async fn after(pace: &Pace, took: Duration, uploads: usize) -> usize {
        for _ in 0..uploads {
            pace.enter().await.leave(took);
        }
        pace.slots.available_permits()
    }

    #[tokio::test]
    async fn steady_uploads_become_more_up_to_a_bound() {
        let pace = Pace::new();
        assert_eq!(pace.slots.available_permits(), FIRST);
        assert!(after(&pace, Duration::from_millis(10), 40).await > FIRST);
        assert_eq!(after(&pace, Duration::from_millis(10), 1000).await, MOST);
    }

    #[tokio::test]
    async fn uploads_that_become_slow_become_fewer_and_recover() {
        let pace = Pace::new();
        let before = after(&pace, Duration::from_millis(10), 1000).await;
        let slow = after(&pace, Duration::from_millis(100), before).await;
        assert!(slow <= before / 2, "{slow} of {before}");
        assert!(after(&pace, Duration::from_millis(100), 1000).await > slow);
    }

    #[tokio::test]
    async fn one_always_goes_on() {
        let pace = Pace::new();
        for millis in 0..16 {
            assert!(after(&pace, Duration::from_millis(1 << millis), 20).await >= 1);
        }
    }
}
