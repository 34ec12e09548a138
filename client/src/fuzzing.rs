//! Doors for fuzzers into what is otherwise private: parsers that sit behind a cipher, and keys made of given bytes, so
//! that an input does the same each time. Compiled only with the feature `fuzzing`; it promises nothing to anybody.

use std::ops::Range;

use crate::CryptoError;
use crate::keys::{EncryptionKey, Identity, KeyError, Origin, Passphrase, StorageKey, file};
use crate::media::{Codec, Frame, FrameDecoder, FrameEncoder, FrameIndex, FrameSpan, MediaError, Method, Plan};
pub use crate::seal::fuzzing::*;

/// An encryption key of this seed, or of an earlier release's X25519 secret.
///
/// # Errors
/// [`CryptoError`].
pub fn encryption_key(seed: &[u8; 32], earlier_release: bool) -> Result<EncryptionKey, CryptoError> {
    let origin = if earlier_release { Origin::X25519 } else { Origin::Seed };
    EncryptionKey::new(origin, seed)
}

/// Opens the bytes of an identity file.
///
/// # Errors
/// [`KeyError`].
pub fn decode_identity(bytes: &[u8], passphrase: &Passphrase) -> Result<Identity, KeyError> {
    file::decode(bytes, passphrase)
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
    index.locate(range).map(Span::from)
}

/// Finds the least of the frames that a range can be made from, and how they stand there.
#[must_use]
pub fn locate_least(index: &FrameIndex, range: &Range<u64>) -> Option<(Span, Vec<Frame>)> {
    let span = index.locate_least(range)?;
    let frames = index.within(&span).collect();
    Some((span.into(), frames))
}

impl From<FrameSpan> for Span {
    fn from(span: FrameSpan) -> Self {
        Self {
            frames: span.frames,
            encoded: span.encoded,
            skip: span.skip,
            take: span.take,
        }
    }
}

/// Codes frames and decodes them.
pub struct Coder {
    encoder: FrameEncoder,
    decoder: FrameDecoder,
}

impl Coder {
    /// A coder.
    ///
    /// # Errors
    /// When there is too little memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            encoder: FrameEncoder::new()?,
            decoder: FrameDecoder::new()?,
        })
    }

    /// Codes a frame as a plan wants it, and says how it is kept.
    pub fn encode(&mut self, planned: &PlannedFrame, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        self.encoder.encode(&planned.method, frame, out)
    }

    /// Decodes a frame.
    ///
    /// # Errors
    /// [`MediaError`].
    pub fn decode(&mut self, codec: Codec, encoded: &[u8], original: u32) -> Result<Vec<u8>, MediaError> {
        self.decoder.decode(codec, encoded, original)
    }
}

impl std::fmt::Debug for Coder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Coder")
    }
}

/// How a file is cut.
#[derive(Debug)]
pub struct FilePlan(Plan);

/// A frame as a plan wants it.
#[derive(Debug)]
pub struct PlannedFrame {
    len: usize,
    method: Method,
}

impl FilePlan {
    /// The plan for a file that begins so.
    #[must_use]
    pub fn of(head: &[u8], compress: bool) -> Self {
        Self(Plan::of(head, compress))
    }

    /// The frame at a position.
    #[must_use]
    pub fn next(&self, position: u64) -> PlannedFrame {
        let cut = self.0.next(position);
        PlannedFrame {
            len: cut.len,
            method: cut.method,
        }
    }
}

impl PlannedFrame {
    /// Bytes of the original in it.
    #[must_use]
    pub fn original_len(&self) -> usize {
        self.len
    }
}
