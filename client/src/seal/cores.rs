//! Computing on all cores, for one file: as many threads as there are cores take one job after the other from a queue, and
//! stop when it is empty. While there is something to do none of them sleeps, which a job for each thread of the runtime
//! would make it do: to be woken takes long beside a shard's millisecond.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::workers;

type Job = Box<dyn FnOnce() + Send>;

/// A queue of jobs. What is in it when it is dropped is done nevertheless.
#[derive(Clone, Default)]
pub(super) struct Cores(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Threads at work.
    busy: usize,
}

impl Cores {
    /// Has something computed. The runtime must be there.
    pub(super) fn add(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.push_back(Box::new(job));
        if queue.busy < workers() {
            queue.busy += 1;
            let cores = self.clone();
            tokio::task::spawn_blocking(move || cores.work());
        }
    }

    /// Has something computed, and gives the result; `None` where it panicked. For as long as the runtime is there.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, result) = oneshot::channel();
        self.add(move || {
            // Nobody may wait for it any more.
            let _ = sender.send(work());
        });
        result.await.ok()
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // It was reported, and whoever waits for a result will see that none comes; the thread goes on.
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
            // Whoever hands out jobs and takes results may wait for this core, and others would soon wait for it.
            thread::yield_now();
        }
    }

    /// The next job; without one, a thread is no longer at work.
    fn next(&self) -> Option<Job> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let job = queue.waiting.pop_front();
        if job.is_none() {
            queue.busy -= 1;
        }
        job
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::future::join_all;

    #[tokio::test]
    async fn more_jobs_than_cores_are_all_done() {
        let cores = Cores::default();
        let jobs = (0..10 * workers()).map(|number| cores.run(move || 2 * number));
        let done = join_all(jobs).await;
        assert_eq!(
            done,
            (0..10 * workers()).map(|number| Some(2 * number)).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn a_job_that_panics_gives_nothing_and_stops_no_other() {
        let cores = Cores::default();
        for _ in 0..2 * workers() {
            assert_eq!(cores.run(|| assert_eq!(1, 2, "this is meant to panic")).await, None);
        }
        assert_eq!(cores.run(|| 3).await, Some(3));
    }
}
