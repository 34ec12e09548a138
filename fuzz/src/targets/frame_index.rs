//! The frame index. One that passes its check maps every range within the file to frames that hold it, and no other.

use std::ops::Range;

use borsh::BorshDeserialize as _;
use chartseal::fuzzing::{self, Span};
use chartseal::media::{Codec, Frame, FrameIndex, MAX_CODED_LEN, MAX_FRAME_LEN};

use crate::bytes::Bytes;

pub(super) fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let (start, end) = (input.u64(), input.u64());
    let mut rest = input.rest();
    let Ok(index) = FrameIndex::deserialize(&mut rest) else {
        return;
    };
    assert_eq!(
        FrameIndex::try_from_slice(&borsh::to_vec(&index).expect("it is short")).expect("it was read"),
        index
    );
    // Sums hold for an index that nobody checked, too.
    let (original, encoded) = (index.original_len(), index.encoded_len());
    if fuzzing::check_index(&index).is_err() {
        return;
    }
    assert!(encoded <= original);
    for frame in index.frames() {
        let longest = match frame.codec().expect("a checked index has codecs that are known") {
            Codec::Raw => MAX_FRAME_LEN,
            _ => MAX_CODED_LEN,
        };
        assert!((1..=longest).contains(&frame.original) && frame.encoded <= frame.original);
    }
    assert!(index.frames().len() as u64 <= original / 4096 + 64);
    for range in [
        start..end,
        scaled(start, end, original),
        0..original,
        original..original,
    ] {
        let within = range.start <= range.end && range.end <= original;
        match fuzzing::locate(&index, &range) {
            Some(span) => {
                assert!(within, "{range:?} is not within {original} bytes");
                holds(&index, &range, &span);
                least_holds(&index, &range, &span);
            }
            None => assert!(!within, "{range:?} is within {original} bytes"),
        }
    }
}

/// A range within the file, of any two numbers.
fn scaled(start: u64, end: u64, len: u64) -> Range<u64> {
    let (start, end) = (start % (len + 1), end % (len + 1));
    start.min(end)..start.max(end)
}

fn original(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| u64::from(frame.original)).sum()
}

fn encoded(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| u64::from(frame.encoded)).sum()
}

/// Exactly the frames that the range lies in, at their own places.
fn holds(index: &FrameIndex, range: &Range<u64>, span: &Span) {
    assert_eq!(span.take, range.end - range.start);
    if span.take == 0 {
        assert!(span.frames.is_empty() && span.encoded.is_empty());
        return;
    }
    let (before, rest) = index.frames().split_at(span.frames.start);
    let (within, _) = rest.split_at(span.frames.len());
    assert_eq!(original(before) + span.skip, range.start);
    assert!(span.skip < u64::from(within[0].original), "a frame too early");
    let last = u64::from(within[within.len() - 1].original);
    let end = original(before) + original(within);
    assert!(
        range.end <= end && end - last < range.end,
        "a frame too many or too few"
    );
    assert_eq!(span.encoded, encoded(before)..encoded(before) + encoded(within));
}

/// Of raw frames at both ends nothing but what is wanted, and all else as in the whole span.
fn least_holds(index: &FrameIndex, range: &Range<u64>, whole: &Span) {
    let (span, frames) = fuzzing::locate_least(index, range).expect("the range is within the file");
    assert_eq!((&span.frames, span.take), (&whole.frames, whole.take));
    assert_eq!(frames.len(), whole.frames.len());
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
        return;
    };
    assert!(whole.encoded.start <= span.encoded.start && span.encoded.end <= whole.encoded.end);
    assert_eq!(encoded(&frames), span.encoded.end - span.encoded.start);
    let is_raw = |frame: &Frame| frame.codec() == Some(Codec::Raw);
    assert!(!is_raw(first) || span.skip == 0);
    let after = original(&frames)
        .checked_sub(span.skip + span.take)
        .expect("they hold the range");
    assert!(!is_raw(last) || after == 0);
    assert!(frames.iter().all(|frame| frame.original > 0 && frame.encoded > 0));
}
