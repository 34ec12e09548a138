//! The frame index: for every frame how it is kept and how long it is before and after. It stands in the encrypted part
//! of the manifest and maps ranges of the original to ranges of the stream of frames that is sealed. An index that was
//! checked has sums that fit 64 bits, frames that a decoder can hold, and no more of them than its file is cut into.

use std::ops::Range;

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Codec, MIN_MEAN_LEN, MediaError, SPARE_FRAMES};

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
    /// Bytes that `encoded` leaves out at the beginning of the first frame and at the end of the last one: of a raw frame
    /// a part is as good as the whole.
    pub(crate) trimmed: (u32, u32),
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
            if original == 0 || original > known.max_len() || !kept {
                return Err(MediaError::BadLengths {
                    frame: position,
                    original,
                    encoded,
                });
            }
        }
        let (frames, original) = (self.frames.len(), self.original_len());
        // They take far more memory when they are fetched than they do in the manifest.
        if frames as u64 > original / MIN_MEAN_LEN + SPARE_FRAMES {
            return Err(MediaError::TooManyFrames { frames, original });
        }
        Ok(())
    }

    /// The least of the stream of frames that a range of the original can be made from, or `None` if the range is not
    /// within it: as [`Self::locate`], without what raw frames at both ends have outside the range.
    pub(crate) fn locate_least(&self, range: &Range<u64>) -> Option<FrameSpan> {
        let mut span = self.locate(range)?;
        let raw = |position: usize| {
            self.frames
                .get(position)
                .filter(|frame| frame.codec() == Some(Codec::Raw))
        };
        let last = span.frames.end.checked_sub(1);
        if raw(span.frames.start).is_some() {
            span.trimmed.0 = u32::try_from(span.skip).ok()?;
        }
        if let Some(position) = last.filter(|position| raw(*position).is_some()) {
            let end = self
                .frames
                .get(..=position)?
                .iter()
                .map(|frame| u64::from(frame.original))
                .sum::<u64>();
            span.trimmed.1 = u32::try_from(end.checked_sub(range.end)?).ok()?;
        }
        span.skip -= u64::from(span.trimmed.0);
        span.encoded.start += u64::from(span.trimmed.0);
        span.encoded.end -= u64::from(span.trimmed.1);
        Some(span)
    }

    /// The frames of a span as they stand in `span.encoded`, one after the other: raw ones at its ends are as long as
    /// what is left of them.
    pub(crate) fn within(&self, span: &FrameSpan) -> impl Iterator<Item = Frame> + '_ {
        let (frames, trimmed) = (span.frames.clone(), span.trimmed);
        self.frames
            .get(frames.clone())
            .unwrap_or_default()
            .iter()
            .zip(frames.clone())
            .map(move |(frame, position)| {
                let front = if position == frames.start { trimmed.0 } else { 0 };
                let back = if position + 1 == frames.end { trimmed.1 } else { 0 };
                Frame {
                    codec: frame.codec,
                    original: frame.original.saturating_sub(front).saturating_sub(back),
                    encoded: frame.encoded.saturating_sub(front).saturating_sub(back),
                }
            })
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
            trimmed: (0, 0),
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
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
    use super::*;
    use crate::media::{MAX_CODED_LEN, MAX_FRAME_LEN};
    use proptest::prelude::*;

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
                take: 250,
                trimmed: (0, 0)
            }
        );
        assert_eq!(
            span(0..100),
            FrameSpan {
                frames: 0..1,
                encoded: 0..10,
                skip: 0,
                take: 100,
                trimmed: (0, 0)
            }
        );
        assert_eq!(
            span(100..101),
            FrameSpan {
                frames: 1..2,
                encoded: 10..110,
                skip: 0,
                take: 1,
                trimmed: (0, 0)
            }
        );
        assert_eq!(
            span(99..201),
            FrameSpan {
                frames: 0..3,
                encoded: 0..115,
                skip: 99,
                take: 102,
                trimmed: (0, 0)
            }
        );
        assert_eq!(
            span(249..250),
            FrameSpan {
                frames: 2..3,
                encoded: 110..115,
                skip: 49,
                take: 1,
                trimmed: (0, 0)
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
    fn of_raw_frames_only_what_is_wanted_is_located() {
        let index = index();
        let least = |range: Range<u64>| {
            let span = index.locate_least(&range).unwrap();
            (span.encoded.clone(), span.skip, index.within(&span).collect::<Vec<_>>())
        };
        let raw = |len: u32| Frame::new(Codec::Raw, len, len);
        assert_eq!(least(130..150), (40..60, 0, vec![raw(20)]));
        assert_eq!(least(100..200), (10..110, 0, vec![raw(100)]));
        assert_eq!(least(99..101), (0..11, 99, vec![index.frames[0], raw(1)]));
        assert_eq!(least(199..201), (109..115, 0, vec![raw(1), index.frames[2]]));
        assert_eq!(least(20..220), (0..115, 20, index.frames.clone()));
        assert_eq!(least(150..150), (0..0, 0, vec![]));
    }

    /// Frames of a few bytes, coded so that each tells itself: an encoded frame is its first byte, a raw one all of it.
    fn frames(max: usize) -> impl Strategy<Value = FrameIndex> {
        let frame = (any::<bool>(), 2_u32..12).prop_map(|(raw, len)| {
            if raw {
                Frame::new(Codec::Raw, len, len)
            } else {
                Frame::new(Codec::Zstd, len, 1)
            }
        });
        proptest::collection::vec(frame, 0..max).prop_map(|frames| FrameIndex { frames })
    }

    /// The original: bytes that count. And the stream of frames of it.
    fn stream(index: &FrameIndex) -> (Vec<u8>, Vec<u8>) {
        let original: Vec<u8> = (0..index.original_len())
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        let mut encoded = Vec::new();
        let mut rest = original.as_slice();
        for frame in index.frames() {
            let (this, later) = rest.split_at(frame.original as usize);
            encoded.extend_from_slice(&this[..frame.encoded as usize]);
            rest = later;
        }
        (original, encoded)
    }

    proptest! {
        #[test]
        fn what_is_located_decodes_to_the_range_and_nothing_raw_is_fetched_in_vain(
            index in frames(12), a: prop::sample::Index, b: prop::sample::Index, least: bool
        ) {
            let (original, encoded) = stream(&index);
            let (a, b) = (a.index(original.len() + 1), b.index(original.len() + 1));
            let range = a.min(b)..a.max(b);
            let wanted = range.start as u64..range.end as u64;
            let span = if least { index.locate_least(&wanted) } else { index.locate(&wanted) }.unwrap();
            prop_assert_eq!(span.take, wanted.end - wanted.start);

            let mut fetched = &encoded[span.encoded.start as usize..span.encoded.end as usize];
            let mut decoded = Vec::new();
            for frame in index.within(&span) {
                let (this, later) = fetched.split_at(frame.encoded as usize);
                fetched = later;
                if frame.codec() == Some(Codec::Raw) {
                    decoded.extend_from_slice(this);
                } else {
                    decoded.extend((0..frame.original).map(|step| u8::try_from((u32::from(this[0]) + step) % 251).unwrap()));
                }
            }
            prop_assert!(fetched.is_empty());
            let skip = span.skip as usize;
            prop_assert_eq!(&decoded[skip..skip + span.take as usize], &original[range]);

            let raw_ends = [span.frames.clone().next(), span.frames.clone().last()]
                .map(|end| end.is_none_or(|end| index.frames[end].codec() == Some(Codec::Raw)));
            if least && raw_ends == [true, true] {
                prop_assert_eq!(decoded.len() as u64, span.take);
            }
        }
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
            (Codec::Raw, MAX_FRAME_LEN + 1, MAX_FRAME_LEN + 1),
            (Codec::Zstd, MAX_CODED_LEN + 1, 10),
            (Codec::Pixels, MAX_CODED_LEN + 1, 10),
            (Codec::Delta, MAX_CODED_LEN + 1, 10),
            (Codec::Zstd, u32::MAX, u32::MAX),
        ] {
            assert!(matches!(
                check(Frame::new(codec, original, encoded)),
                Err(MediaError::BadLengths { .. })
            ));
        }
        assert!(check(Frame::new(Codec::Raw, MAX_FRAME_LEN, MAX_FRAME_LEN)).is_ok());
        assert!(check(Frame::new(Codec::Delta, MAX_CODED_LEN, 10)).is_ok());
    }

    #[test]
    fn more_frames_than_a_file_is_cut_into_are_refused() {
        let check = |short: usize, long: usize| {
            let frames = [
                vec![Frame::new(Codec::Raw, 1, 1); short],
                vec![Frame::new(Codec::Raw, 4096, 4096); long],
            ];
            FrameIndex {
                frames: frames.concat(),
            }
            .check()
        };
        assert!(check(64, 0).is_ok() && check(64, 10_000).is_ok());
        assert_eq!(
            check(65, 0),
            Err(MediaError::TooManyFrames {
                frames: 65,
                original: 65
            })
        );
        assert!(check(65, 10_000).is_err());
    }
}
