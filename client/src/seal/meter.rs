//! Counts how far a stream has come, and tells who wants to know.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Progress, ProgressFn};

/// Counters that several stages of a pipeline move on.
pub(super) struct Meter<'a> {
    original: AtomicU64,
    sealed: AtomicU64,
    stored: AtomicU64,
    /// Shards under way, and the bytes of the original that each brought.
    under_way: Mutex<BTreeMap<u32, u64>>,
    expected: Option<u64>,
    report: ProgressFn<'a>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(report: ProgressFn<'a>) -> Self {
        Self {
            original: AtomicU64::new(0),
            sealed: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            under_way: Mutex::default(),
            expected: None,
            report,
        }
    }

    /// One that knows how many bytes of the original there will be.
    pub(super) fn expecting(expected: u64, report: ProgressFn<'a>) -> Self {
        Self {
            expected: Some(expected),
            ..Self::new(report)
        }
    }

    /// So many bytes of the original were read or handed out by now.
    pub(super) fn original(&self, total: u64) {
        self.original.store(total, Ordering::Relaxed);
        self.tell();
    }

    /// A shard was filled, and by now so many bytes of the original were read.
    pub(super) fn filled(&self, shard: u32, total: u64) {
        let brought = total.saturating_sub(self.original.swap(total, Ordering::Relaxed));
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(shard, brought);
        drop(under_way);
        self.tell();
    }

    /// A shard, of so many sealed bytes, is stored.
    pub(super) fn stored(&self, shard: u32, sealed: u64) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let brought = under_way.remove(&shard).unwrap_or(0);
        drop(under_way);
        self.stored.fetch_add(brought, Ordering::Relaxed);
        self.sealed(sealed);
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
            stored: self.stored.load(Ordering::Relaxed),
            expected: self.expected,
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_stored_counts_for_what_was_read_for_it() {
        let told = Mutex::new(Progress::default());
        let report = |progress| *told.lock().unwrap() = progress;
        let meter = Meter::new(&report);
        meter.filled(0, 10);
        meter.filled(1, 25);
        meter.filled(2, 25);
        meter.stored(1, 7);
        let progress = *told.lock().unwrap();
        assert_eq!((progress.original, progress.stored, progress.sealed), (25, 15, 7));
        meter.stored(0, 7);
        meter.stored(2, 7);
        let progress = *told.lock().unwrap();
        assert_eq!((progress.stored, progress.sealed, progress.expected), (25, 21, None));
    }
}
