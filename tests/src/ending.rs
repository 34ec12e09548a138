//! How the demo and the trials end when they are told to: every process that they started ends, their folder goes, and
//! the exit code says which signal it was. Whoever kills them outright ends their processes too, because the system tells
//! these when the thread that started them is gone.

#![allow(unsafe_code)]

use std::{
    collections::HashSet,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::report::Report;

/// Whether we were told to end. From then on nothing new is started.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How long our processes may take to end before they are killed.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often it is looked for processes that were started meanwhile.
const POLL: Duration = Duration::from_millis(50);

/// Runs `story` on a thread of its own, and reports how it failed or that a signal ended it. Either way it has come to
/// its own end before this returns, and has put away what it made.
pub fn run(report: &Report, story: impl FnOnce(&Report) -> Result<()> + Send) -> ExitCode {
    match run_until_told(report, story) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(signal)) => {
            report.failed(&anyhow::anyhow!("ended by {signal:?}; nothing was left running"));
            ExitCode::from(u8::try_from(128 + signal.as_raw()).unwrap_or(1))
        }
        Err(error) => {
            report.failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn run_until_told(report: &Report, story: impl FnOnce(&Report) -> Result<()> + Send) -> Result<Option<Signal>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot prepare for signals")?;
    let _inside = runtime.enter();
    // Before the story begins, so that no signal finds us unprepared.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    std::thread::scope(|scope| {
        let (done, mut ended) = oneshot::channel::<()>();
        let story = scope.spawn(move || {
            // Dropped when the thread ends, also by a panic.
            let _done = done;
            story(report)
        });
        let told = runtime.block_on(async {
            let told = tokio::select! {
                _ = &mut ended => return None,
                _ = interrupt.recv() => Signal::INT,
                _ = terminate.recv() => Signal::TERM,
                _ = hangup.recv() => Signal::HUP,
            };
            end_children(&mut ended).await;
            Some(told)
        });
        let outcome = story.join().ok().context("the story panicked")?;
        match told {
            // What it says about what was taken away from it is of no interest.
            Some(signal) => Ok(Some(signal)),
            None => outcome.map(|()| None),
        }
    })
}

/// Asks every process that we started to end, also those that are started meanwhile, until the story has ended.
async fn end_children(ended: &mut oneshot::Receiver<()>) {
    ENDING.store(true, Ordering::SeqCst);
    let since = Instant::now();
    let mut asked = HashSet::new();
    while tokio::time::timeout(POLL, &mut *ended).await.is_err() {
        for child in children() {
            // It may have ended just now.
            if since.elapsed() > PATIENCE {
                let _ = kill_process(child, Signal::KILL);
            } else if asked.insert(child) {
                let _ = kill_process(child, Signal::TERM);
            }
        }
    }
}

/// The processes that this one started and has not yet waited for.
fn children() -> Vec<Pid> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let mut all = Vec::new();
    for list in lists {
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        all.extend(pids.filter_map(Pid::from_raw));
    }
    all
}

/// Lets a command end with us, and refuses it where we were told to end.
///
/// # Errors
/// Where we were told to end.
pub fn tie(mut command: Command) -> Result<Command> {
    ensure!(!ENDING.load(Ordering::SeqCst), "told to end");
    let us = Pid::from_raw(i32::try_from(std::process::id()).unwrap_or(0));
    let tie = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // We may have died before the line above.
        if rustix::process::getppid() == us {
            Ok(())
        } else {
            Err(std::io::Error::from(rustix::io::Errno::SRCH))
        }
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called. `tie` makes two system calls, by way of
    // rustix, which neither allocates nor locks, and makes an error from a number without allocating.
    unsafe { command.pre_exec(tie) };
    Ok(command)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn what_a_thread_started_ends_with_it() {
        let start = || {
            let child = tie(Command::new("sleep")).unwrap().arg("600").spawn().unwrap();
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            assert!(children().contains(&pid));
            child
        };
        let mut child = std::thread::spawn(start).join().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn a_story_that_ends_by_itself_tells_how() {
        let report = Report::silent();
        assert_eq!(run_until_told(&report, |_| Ok(())).unwrap(), None);
        assert!(run_until_told(&report, |_| anyhow::bail!("no")).is_err());
    }
}
