//! Being asked to end: Ctrl-C, `kill`, a terminal that is closed. What a command does is dropped wherever it is: files in
//! the making go with it, and the terminal is given back as it was. Only what was sent to the ledger cannot be taken back.

use std::{future::poll_fn, io, task::Poll};

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a command, and their numbers.
const ENDING: [(SignalKind, u32); 3] = [
    (SignalKind::interrupt(), 2),
    (SignalKind::terminate(), 15),
    (SignalKind::hangup(), 1),
];

/// A command that was asked to end before it was done.
#[derive(Debug, Error)]
#[error("interrupted{}{}", if *.may_have_sent {
    "; if a transaction had been sent it may still be applied: look at `chartseal log`"
} else {
    ""
}, if *.goes_on {
    "; the same command goes on where this one was"
} else {
    ""
})]
pub(super) struct Interrupted {
    /// Whether it was of a kind that sends transactions.
    pub(super) may_have_sent: bool,
    /// Whether it left something to go on with.
    pub(super) goes_on: bool,
}

/// The signals that this process listens for.
pub(super) struct Signals(Vec<Signal>);

impl Signals {
    /// Begins to listen; within a runtime. A signal that the process was started to ignore stays ignored: that is what
    /// `nohup` is for.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let heard = ENDING
            .into_iter()
            .filter(|(_, number)| ignored & (1 << (number - 1)) == 0);
        heard.map(|(kind, _)| signal(kind)).collect::<io::Result<_>>().map(Self)
    }

    /// Waits for any of them.
    pub(super) async fn any(&mut self) {
        poll_fn(|context| {
            let heard = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if heard { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The signals that were ignored when the process began, one bit each (proc_pid_status(5)); none where nobody tells.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok())
        .unwrap_or(0)
}
