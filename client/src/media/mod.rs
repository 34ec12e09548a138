//! What a file is, and how it becomes small. A file is cut into independent frames; each is compressed on its own, or
//! kept as it is where that is not smaller, so that any range of it can be opened without what comes before. What a
//! file is, is told from its bytes: names lie, and people rename.

mod codec;
mod delta;
mod dicom;
mod encoder;
mod guess;
mod image;
mod index;
mod nifti;
mod plan;
mod sniff;
#[cfg(test)]
mod tests;
mod wav;

use thiserror::Error;

pub use codec::Codec;
pub(crate) use codec::FrameDecoder;
pub(crate) use encoder::{FrameEncoder, Method};
pub(crate) use index::FrameSpan;
pub use index::{Frame, FrameIndex};
pub(crate) use plan::{HEAD_LEN, Plan, START_LEN};
pub use sniff::{Sniffed, sniff};

/// Bytes of the original in a frame that we make; the last one has what is left.
pub const FRAME_LEN: usize = 1 << 20;
/// Bytes of the original in a frame that we accept as it is: it needs no room of its own.
pub const MAX_FRAME_LEN: u32 = 16 << 20;
/// The same in a coded frame, which takes up to ten times as much memory to decode. Ours, the stripes of an image that
/// has the longest rows, are of half this at most.
pub const MAX_CODED_LEN: u32 = 4 << 20;
/// Bytes of the original in a frame, on average, in the file that is cut finest: planes of a small image. Beside these
/// there may be [`SPARE_FRAMES`].
const MIN_MEAN_LEN: u64 = 4 << 10;
/// Frames that may be shorter than that: where parts of a file begin and end.
const SPARE_FRAMES: u64 = 64;

/// A frame, or a list of frames, that is not what it should be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MediaError {
    /// A codec of a newer release.
    #[error("frame {frame} has codec {codec}, which this release does not know; use a newer release")]
    UnknownCodec {
        /// Which frame.
        frame: usize,
        /// The codec's number.
        codec: u8,
    },
    /// Lengths that no frame of ours has.
    #[error(
        "frame {frame} has impossible lengths ({original} bytes kept in {encoded}); the record is damaged at its source"
    )]
    BadLengths {
        /// Which frame.
        frame: usize,
        /// Bytes of the original.
        original: u32,
        /// Bytes as they are kept.
        encoded: u32,
    },
    /// More frames than a file is ever cut into.
    #[error("{frames} frames are more than {original} bytes are cut into; the record is damaged at its source")]
    TooManyFrames {
        /// How many.
        frames: usize,
        /// Bytes of the original.
        original: u64,
    },
    /// The codec refuses the bytes, or they decode to another length.
    #[error("a frame does not decode ({0}); the record is damaged at its source, the store is not to blame")]
    Undecodable(&'static str),
}
