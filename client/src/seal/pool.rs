//! Buffers of one shard's size, used again instead of allocated again. A buffer goes from the source to the cipher to
//! the network and comes back when the last of these lets go of it, so memory is bounded by the shards in flight.

use std::sync::{Arc, Mutex, PoisonError};

use super::{SEGMENT_LEN, SHARD_SEGMENTS};
use crate::store::ans104;

/// A data item's header, a full shard, and its leaves.
const BUFFER_LEN: usize = ans104::HEADER_LEN + SHARD_SEGMENTS * (SEGMENT_LEN + 32);

/// A stock of buffers.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// A buffer of [`BUFFER_LEN`] bytes with anything in it; what it held before was ciphertext or zeros.
    pub(super) fn take(&self) -> Pooled {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| vec![0; BUFFER_LEN]);
        Pooled {
            len: bytes.len(),
            bytes,
            pool: self.clone(),
        }
    }
}

/// A buffer that goes back to its pool when dropped.
pub(super) struct Pooled {
    pub(super) bytes: Vec<u8>,
    /// How much of it counts.
    pub(super) len: usize,
    pool: Pool,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let pool = Pool::default();
        let mut first = pool.take();
        first.bytes[0] = 42;
        let second = pool.take();
        drop(first);
        assert_eq!(pool.take().bytes[0], 42);
        assert_eq!(second.bytes[0], 0);
    }
}
