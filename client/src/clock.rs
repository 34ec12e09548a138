//! The machine's own clock. What stands on chain was decided by the chain's.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; zero on a machine whose clock stands before that.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
