//! Doors for fuzzers into what is otherwise private: parsers that sit behind a cipher, and keys made of given bytes, so
//! that an input does the same each time. Compiled only with the feature `fuzzing`; it promises nothing to anybody.

use std::ops::Range;

use crate::CryptoError;
use crate::keys::{EncryptionKey, StorageKey};
use crate::media::{FrameIndex, MediaError};
pub use crate::seal::fuzzing::*;

/// An encryption key of this secret.
///
/// # Errors
/// [`CryptoError`].
pub fn encryption_key(secret: &[u8; 32]) -> Result<EncryptionKey, CryptoError> {
    EncryptionKey::from_secret(secret)
}

/// A storage key of this secret.
#[must_use]
pub fn storage_key(secret: &[u8; 32]) -> StorageKey {
    StorageKey::from_secret(secret)
}

/// Checks a frame index that somebody else wrote.
///
/// # Errors
/// [`MediaError`].
pub fn check_index(index: &FrameIndex) -> Result<(), MediaError> {
    index.check()
}

/// The frames that a range of the original lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Positions in the index.
    pub frames: Range<usize>,
    /// Where these frames are in the stream of frames.
    pub encoded: Range<u64>,
    /// Bytes to leave out at the beginning of the first frame.
    pub skip: u64,
    /// Bytes to take after that.
    pub take: u64,
}

/// Finds the frames of a range.
#[must_use]
pub fn locate(index: &FrameIndex, range: &Range<u64>) -> Option<Span> {
    let span = index.locate(range)?;
    Some(Span {
        frames: span.frames,
        encoded: span.encoded,
        skip: span.skip,
        take: span.take,
    })
}
