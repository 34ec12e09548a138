//! Buffers of one shard's size, a fixed number of them, used again and again. A buffer goes from the source to the cipher
//! to the signer to the network and comes back when the last of these lets go of it; who needs one while all are out
//! waits. So memory is bounded, and a slow network holds back the reading of the file.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{SEGMENT_LEN, SHARD_SEGMENTS};
use crate::store::ans104;

/// A data item's header, a full shard, and its leaves.
const BUFFER_LEN: usize = ans104::HEADER_LEN + SHARD_SEGMENTS * (SEGMENT_LEN + 32);

/// A stock of buffers.
#[derive(Clone)]
pub(super) struct Pool {
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    out: Arc<Semaphore>,
}

impl Pool {
    /// A stock of so many buffers. They are made when they are first needed.
    pub(super) fn new(buffers: usize) -> Self {
        Self {
            kept: Arc::default(),
            out: Arc::new(Semaphore::new(buffers)),
        }
    }

    /// A buffer of [`BUFFER_LEN`] bytes with anything in it: what it held before was ciphertext or zeros. Waits for one.
    pub(super) async fn take(&self) -> Pooled {
        // The semaphore is never closed; without a permit the buffer would be one too many, and still a good one.
        let permit = Arc::clone(&self.out).acquire_owned().await.ok();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| vec![0; BUFFER_LEN]);
        Pooled {
            len: bytes.len(),
            bytes,
            kept: Arc::clone(&self.kept),
            _permit: permit,
        }
    }
}

/// A buffer that goes back to its pool when dropped.
pub(super) struct Pooled {
    pub(super) bytes: Vec<u8>,
    /// How much of it counts.
    pub(super) len: usize,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // Back before the permit, which fields give up after this.
        let bytes = std::mem::take(&mut self.bytes);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn a_buffer_is_used_again() {
        let pool = Pool::new(2);
        let mut first = pool.take().await;
        first.bytes[0] = 42;
        let second = pool.take().await;
        drop(first);
        assert_eq!(pool.take().await.bytes[0], 42);
        assert_eq!(second.bytes[0], 0);
    }

    #[tokio::test]
    async fn nobody_gets_more_than_there_are() {
        let pool = Pool::new(1);
        let first = pool.take().await;
        assert!(pool.take().now_or_never().is_none());
        drop(first);
        assert!(pool.take().now_or_never().is_some());
    }
}
