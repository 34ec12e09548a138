//! Counts how far a stream has come, and tells who wants to know.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Progress, ProgressFn};

/// Counters that several stages of a pipeline move on.
pub(super) struct Meter<'a> {
    original: AtomicU64,
    sealed: AtomicU64,
    report: ProgressFn<'a>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(report: ProgressFn<'a>) -> Self {
        Self {
            original: AtomicU64::new(0),
            sealed: AtomicU64::new(0),
            report,
        }
    }

    /// So many bytes of the original were read or handed out by now.
    pub(super) fn original(&self, total: u64) {
        self.original.store(total, Ordering::Relaxed);
        self.tell();
    }

    /// So many sealed bytes more are stored, or were found right.
    pub(super) fn sealed(&self, more: u64) {
        self.sealed.fetch_add(more, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        (self.report)(Progress {
            original: self.original.load(Ordering::Relaxed),
            sealed: self.sealed.load(Ordering::Relaxed),
        });
    }
}
