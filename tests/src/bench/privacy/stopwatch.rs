//! Times things on one core, or on all.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::bench::host;
use crate::bench::stats::Runs;

/// How long the runs of one case may take together; there are three of them at least.
const PATIENCE: Duration = Duration::from_secs(20);
/// What takes longer is not done once unmeasured first.
const LONG: Duration = Duration::from_secs(1);
/// The fewest runs of what takes long.
const FEWEST: usize = 3;

/// A number of runs, and threads that stay where they are told to.
pub(super) struct Stopwatch {
    runs: usize,
    one: ThreadPool,
    all: ThreadPool,
}

impl Stopwatch {
    /// For so many runs, three at least.
    ///
    /// # Errors
    /// Where the system does not say which cores there are, or lets nobody stay on them.
    pub(super) fn new(runs: usize) -> Result<Self> {
        let cores = host::cores()?;
        // What else the system does is mostly done on the first.
        let last = cores.split_last().context("there is no core to measure on")?.0;
        Ok(Self {
            runs: runs.max(FEWEST),
            one: pool(&[*last])?,
            all: pool(&cores)?,
        })
    }

    /// How many cores all are.
    pub(super) fn cores(&self) -> usize {
        self.all.current_num_threads()
    }

    /// Does something on all cores, without timing it.
    pub(super) fn on_all<T: Send>(&self, make: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.all.install(make)
    }

    /// Milliseconds of each run on one core.
    pub(super) fn one<T>(&self, make: impl Fn() -> Result<T> + Sync) -> Result<Runs> {
        self.one.install(|| self.several(1, &make))
    }

    /// Milliseconds of each run of something that is too short for a clock, which is done so many times in a run.
    pub(super) fn one_of(&self, times: u32, make: impl Fn() -> Result<()> + Sync) -> Result<Runs> {
        self.one.install(|| self.several(times, &make))
    }

    /// Milliseconds of each run on all cores.
    pub(super) fn all<T>(&self, make: impl Fn() -> Result<T> + Sync) -> Result<Runs> {
        self.all.install(|| self.several(1, &make))
    }

    fn several<T>(&self, times: u32, make: &impl Fn() -> Result<T>) -> Result<Runs> {
        let begun = Instant::now();
        let first = once(times, make)?;
        let mut runs = Vec::new();
        if begun.elapsed() > LONG {
            runs.push(first);
        }
        while runs.len() < FEWEST || (runs.len() < self.runs && begun.elapsed() < PATIENCE) {
            runs.push(once(times, make)?);
        }
        Runs::of(runs).context("the clock gave no number")
    }
}

fn once<T>(times: u32, make: &impl Fn() -> Result<T>) -> Result<f64> {
    ensure!(times > 0, "nothing is done no times");
    let begun = Instant::now();
    for _ in 0..times {
        black_box(make()?);
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3 / f64::from(times))
}

/// As many threads as cores, and none of them leaves these.
fn pool(cores: &[usize]) -> Result<ThreadPool> {
    let own = cores.to_vec();
    let pool = ThreadPoolBuilder::new()
        .num_threads(cores.len())
        .start_handler(move |_| {
            if let Err(error) = host::stay_on(&own) {
                eprintln!("{error:#}");
            }
        })
        .build()
        .context("cannot start threads to measure on")?;
    let seen = pool.install(host::cores)?;
    ensure!(
        seen == cores,
        "the threads run on cores {seen:?}, and were to stay on {cores:?}"
    );
    Ok(pool)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_on_one_core_stays_there() {
        let stopwatch = Stopwatch::new(3).unwrap();
        let last = *host::cores().unwrap().last().unwrap();
        let runs = stopwatch.one(|| {
            ensure!(rayon::current_num_threads() == 1 && host::cores()? == [last]);
            Ok(())
        });
        assert_eq!(runs.unwrap().n, 3);
        let cores = stopwatch.on_all(|| Ok(rayon::current_num_threads())).unwrap();
        assert_eq!(cores, stopwatch.cores());
    }

    #[test]
    fn a_run_of_many_takes_as_long_as_one_of_them() {
        let stopwatch = Stopwatch::new(3).unwrap();
        let pause = || {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        };
        let runs = stopwatch.one_of(5, pause).unwrap();
        assert!((2.0..10.0).contains(&runs.min), "{runs:?}");
    }

    #[test]
    fn what_fails_is_not_timed() {
        let stopwatch = Stopwatch::new(3).unwrap();
        let failed = stopwatch.all(|| -> Result<()> { anyhow::bail!("no") });
        assert!(failed.is_err());
    }
}
