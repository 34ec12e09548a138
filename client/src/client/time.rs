//! The chain's time, in seconds since 1970, and the system's.

use std::time::{Duration, SystemTime};

/// A time of the chain. One before 1970 there is none.
pub(super) fn system(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs())
}

/// Whole seconds, as the chain counts them.
pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
