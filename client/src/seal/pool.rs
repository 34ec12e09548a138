//! Buffers of one shard's size, a fixed number of them at a time. A buffer goes from the source to the cipher to the signer
//! to the network and comes back when the last of these lets go of it; who needs one while all are out waits. So memory
//! is bounded, and a slow network holds back the reading of the file. Between files they lie in a stock.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{SEGMENT_LEN, SHARD_SEGMENTS};
use crate::store::{SEALING, ans104};

/// A data item's header, a full shard, and its leaves.
const BUFFER_LEN: usize = ans104::HEADER_LEN + SHARD_SEGMENTS * (SEGMENT_LEN + 32);

/// Gives out so many buffers at a time.
#[derive(Clone)]
pub(super) struct Pool(Arc<Semaphore>);

impl Pool {
    /// For so many buffers. They are made when they are first needed.
    pub(super) fn new(buffers: usize) -> Self {
        Self(Arc::new(Semaphore::new(buffers)))
    }

    /// A buffer of [`BUFFER_LEN`] bytes with anything in it: ciphertext, zeros, or a shard that was given up before it was
    /// encrypted. Waits for one.
    pub(super) async fn take(&self) -> Pooled {
        // The semaphore is never closed; without a permit the buffer would be one too many, and still a good one.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        let mut bytes = SEALING.take(BUFFER_LEN);
        bytes.resize(BUFFER_LEN, 0);
        Pooled {
            len: bytes.len(),
            bytes,
            permit,
        }
    }
}

/// A buffer that goes back when dropped.
pub(super) struct Pooled {
    pub(super) bytes: BytesMut,
    /// How much of it counts.
    pub(super) len: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pooled {
    /// Moves it out from where it cannot be moved from.
    pub(super) fn take(&mut self) -> Self {
        Self {
            bytes: std::mem::take(&mut self.bytes),
            len: self.len,
            permit: self.permit.take(),
        }
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // Back before the permit, which fields give up after this.
        SEALING.give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn nobody_gets_more_than_there_are() {
        let pool = Pool::new(1);
        let first = pool.take().await;
        assert!(pool.take().now_or_never().is_none());
        drop(first);
        assert!(pool.take().now_or_never().is_some());
    }
}
