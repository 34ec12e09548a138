//! A stock of large buffers. A buffer of some megabytes that is allocated anew is zeroed by the kernel page by page, which
//! takes as long as decrypting it; so stores read into buffers of this stock, and they come back to it when what was
//! read is no longer needed. It keeps a few, and none that it did not give out.

use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;

/// Smaller ones are left to the allocator.
const WORTH_IT: usize = 256 << 10;
/// Larger ones are too much to keep.
const LARGEST: usize = 16 << 20;

/// Memory to write into.
pub(crate) trait Buffer: Default {
    fn with_room(capacity: usize) -> Self;
    fn room(&self) -> usize;
}

impl Buffer for Vec<u8> {
    fn with_room(capacity: usize) -> Self {
        Self::with_capacity(capacity)
    }

    fn room(&self) -> usize {
        self.capacity()
    }
}

impl Buffer for BytesMut {
    fn with_room(capacity: usize) -> Self {
        Self::with_capacity(capacity)
    }

    fn room(&self) -> usize {
        self.capacity()
    }
}

/// Buffers of one kind.
#[derive(Debug)]
pub(crate) struct Stock<B> {
    shelf: Mutex<Shelf<B>>,
    /// Never more than so many are kept.
    most: usize,
}

#[derive(Debug)]
struct Shelf<B> {
    /// Those that nobody uses at the moment, the one that came back last at the end.
    kept: Vec<B>,
    /// How many were asked for and did not come back. What comes back without having been asked for is somebody's own.
    out: usize,
}

/// What stores read into: ciphertext, and what was decrypted where it lay.
static READING: Stock<Vec<u8>> = Stock::new(8);
/// What shards are sealed in. Apart, so that nothing that was opened is ever in a buffer that goes to a store.
pub(crate) static SEALING: Stock<BytesMut> = Stock::new(12);

impl<B: Buffer> Stock<B> {
    const fn new(most: usize) -> Self {
        Self {
            shelf: Mutex::new(Shelf {
                kept: Vec::new(),
                out: 0,
            }),
            most,
        }
    }

    /// A buffer with room for so many bytes, and with anything in it.
    pub(crate) fn take(&self, capacity: usize) -> B {
        if (WORTH_IT..=LARGEST).contains(&capacity) {
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.out += 1;
            // The one that came back last: the processor may still have some of it at hand.
            if let Some(at) = shelf.kept.iter().rposition(|kept| kept.room() >= capacity) {
                return shelf.kept.remove(at);
            }
        }
        B::with_room(capacity)
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, buffer: B) {
        if (WORTH_IT..=LARGEST).contains(&buffer.room()) {
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            let ours = shelf.out > 0;
            shelf.out = shelf.out.saturating_sub(1);
            if ours && shelf.kept.len() < self.most {
                shelf.kept.push(buffer);
            }
        }
    }
}

/// An empty buffer with room for so many bytes.
#[must_use]
pub fn buffer(capacity: usize) -> Vec<u8> {
    let mut buffer = READING.take(capacity);
    buffer.clear();
    buffer
}

/// Bytes whose buffer goes back into the stock when they are dropped.
#[derive(Debug)]
pub(crate) struct Borrowed(pub(crate) Vec<u8>);

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        READING.give(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_comes_back_empty_and_a_small_one_does_not() {
        // An odd size, so that no other test takes it first.
        let size = 5_000_011;
        let mut first = buffer(size);
        first.push(7);
        let address = first.as_ptr();
        drop(Borrowed(first));
        let again = buffer(size);
        assert!(again.is_empty() && again.capacity() >= size);
        assert_eq!(again.as_ptr(), address);
        drop(Borrowed(vec![0; 10]));
        assert!(buffer(10).capacity() < WORTH_IT);
    }
}
