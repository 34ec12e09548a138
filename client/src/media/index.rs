//! The frame index: for every frame how it is kept and how long it is before and after. It stands in the encrypted part
//! of the manifest and maps ranges of the original to ranges of the stream of frames that is sealed. An index that was
//! checked has sums that fit 64 bits and frames that a decoder can hold.

use std::ops::Range;

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Codec, MAX_FRAME_LEN, MediaError};

/// One frame: 9 bytes in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Frame {
    codec: u8,
    /// Bytes of the original.
    pub original: u32,
    /// Bytes as they are kept; never more.
    pub encoded: u32,
}

impl Frame {
    /// A frame of these lengths.
    #[must_use]
    pub fn new(codec: Codec, original: u32, encoded: u32) -> Self {
        Self {
            codec: codec.to_byte(),
            original,
            encoded,
        }
    }

    /// How it is kept; `None` for a codec of a newer release, which a checked index does not hold.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        Codec::from_byte(self.codec)
    }
}

/// All frames of a file, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct FrameIndex {
    frames: Vec<Frame>,
}

/// The frames that a range of the original lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameSpan {
    /// Positions in the index.
    pub(crate) frames: Range<usize>,
    /// Where these frames are in the stream of frames.
    pub(crate) encoded: Range<u64>,
    /// Bytes to leave out at the beginning of the first frame.
    pub(crate) skip: u64,
    /// Bytes to take after that.
    pub(crate) take: u64,
}

impl FrameIndex {
    pub(crate) fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    /// The frames.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Bytes of the original.
    #[must_use]
    pub fn original_len(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.original)).sum()
    }

    /// Bytes of the stream of frames, without padding.
    #[must_use]
    pub fn encoded_len(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.encoded)).sum()
    }

    /// Checks what somebody else wrote. Sums need no check: they are of 32-bit numbers, and no list is 2^32 long.
    pub(crate) fn check(&self) -> Result<(), MediaError> {
        for (position, frame) in self.frames.iter().enumerate() {
            let Frame {
                codec,
                original,
                encoded,
            } = *frame;
            let Some(known) = frame.codec() else {
                return Err(MediaError::UnknownCodec { frame: position, codec });
            };
            let kept = if known == Codec::Raw {
                encoded == original
            } else {
                encoded > 0 && encoded < original
            };
            if original == 0 || original > MAX_FRAME_LEN || !kept {
                return Err(MediaError::BadLengths {
                    frame: position,
                    original,
                    encoded,
                });
            }
        }
        Ok(())
    }

    /// The frames that hold a range of the original, or `None` if the range is not within it.
    pub(crate) fn locate(&self, range: &Range<u64>) -> Option<FrameSpan> {
        if range.start > range.end || range.end > self.original_len() {
            return None;
        }
        let take = range.end - range.start;
        let (mut original, mut encoded) = (0_u64, 0_u64);
        let mut span = FrameSpan {
            frames: 0..0,
            encoded: 0..0,
            skip: 0,
            take,
        };
        if take == 0 {
            return Some(span);
        }
        for (position, frame) in self.frames.iter().enumerate() {
            let next = original + u64::from(frame.original);
            if original <= range.start && range.start < next {
                span.frames.start = position;
                span.encoded.start = encoded;
                span.skip = range.start - original;
            }
            encoded += u64::from(frame.encoded);
            original = next;
            if range.end <= next {
                span.frames.end = position + 1;
                span.encoded.end = encoded;
                break;
            }
        }
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn index() -> FrameIndex {
        let frames = vec![
            Frame::new(Codec::Zstd, 100, 10),
            Frame::new(Codec::Raw, 100, 100),
            Frame::new(Codec::Zstd, 50, 5),
        ];
        FrameIndex { frames }
    }

    #[test]
    fn a_range_is_found_in_the_frames_that_hold_it() {
        let index = index();
        let span = |range: Range<u64>| index.locate(&range).unwrap();
        assert_eq!(
            span(0..250),
            FrameSpan {
                frames: 0..3,
                encoded: 0..115,
                skip: 0,
                take: 250
            }
        );
        assert_eq!(
            span(0..100),
            FrameSpan {
                frames: 0..1,
                encoded: 0..10,
                skip: 0,
                take: 100
            }
        );
        assert_eq!(
            span(100..101),
            FrameSpan {
                frames: 1..2,
                encoded: 10..110,
                skip: 0,
                take: 1
            }
        );
        assert_eq!(
            span(99..201),
            FrameSpan {
                frames: 0..3,
                encoded: 0..115,
                skip: 99,
                take: 102
            }
        );
        assert_eq!(
            span(249..250),
            FrameSpan {
                frames: 2..3,
                encoded: 110..115,
                skip: 49,
                take: 1
            }
        );
        assert_eq!(span(250..250).take, 0);
    }

    #[test]
    fn a_range_outside_the_file_is_not_found() {
        assert_eq!(index().locate(&(0..251)), None);
        assert_eq!(index().locate(&(251..251)), None);
        assert_eq!(index().locate(&Range { start: 5, end: 4 }), None);
        assert!(FrameIndex::default().locate(&(0..0)).is_some());
    }

    #[test]
    fn frames_that_lie_are_refused() {
        let check = |frame: Frame| FrameIndex { frames: vec![frame] }.check();
        assert!(index().check().is_ok());
        assert!(matches!(
            check(Frame {
                codec: 9,
                original: 1,
                encoded: 1
            }),
            Err(MediaError::UnknownCodec { .. })
        ));
        for (codec, original, encoded) in [
            (Codec::Raw, 10, 9),
            (Codec::Raw, 0, 0),
            (Codec::Zstd, 10, 10),
            (Codec::Zstd, 10, 0),
            (Codec::Zstd, MAX_FRAME_LEN + 1, 10),
            (Codec::Zstd, u32::MAX, u32::MAX),
        ] {
            assert!(matches!(
                check(Frame::new(codec, original, encoded)),
                Err(MediaError::BadLengths { .. })
            ));
        }
    }
}
