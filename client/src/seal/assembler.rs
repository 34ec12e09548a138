//! The plaintext side of opening: takes the stream of frames in pieces of any size and gives what was asked for of it.
//! Raw frames pass as they come; coded ones are gathered and decoded, several at a time.

use std::collections::VecDeque;

use bytes::Bytes;

use super::OpenError;
use super::shard::OpenedSegments;
use crate::media::{Codec, FrameDecoder, FrameIndex, FrameSpan, MediaError};

/// A frame that is wanted, or a part of it.
struct Wanted {
    codec: Codec,
    /// Bytes of it in the stream that are still to come.
    to_come: u64,
    original: u32,
    /// Bytes of the original to leave out, and then to take.
    skip: u64,
    take: u64,
}

/// Cuts the stream of frames apart.
pub(super) struct Assembler {
    wanted: VecDeque<Wanted>,
    /// Bytes of the stream before the first frame that is wanted.
    stream_skip: u64,
    encoded: Vec<u8>,
}

/// What is asked for, piece by piece.
pub(super) enum Part {
    /// As it is.
    Raw(Bytes),
    /// A frame to be decoded, and which of its bytes to take.
    Coded {
        codec: Codec,
        encoded: Vec<u8>,
        original: u32,
        skip: u64,
        take: u64,
    },
}

impl Assembler {
    /// For the frames of a span, from a stream that begins `stream_skip` bytes before the span.
    pub(super) fn new(index: &FrameIndex, span: &FrameSpan, stream_skip: u64) -> Result<Self, OpenError> {
        let (mut skip, mut left) = (span.skip, span.take);
        let mut wanted = VecDeque::with_capacity(span.frames.len());
        for frame in index.within(span) {
            let take = u64::from(frame.original).saturating_sub(skip).min(left);
            left -= take;
            wanted.push_back(Wanted {
                codec: frame.codec().ok_or(MediaError::Undecodable("its codec is unknown"))?,
                to_come: frame.encoded.into(),
                original: frame.original,
                skip: std::mem::take(&mut skip),
                take,
            });
        }
        Ok(Self {
            wanted,
            stream_skip,
            encoded: Vec::new(),
        })
    }

    /// Takes the next bytes of the stream; those after the last frame are padding and dropped.
    pub(super) fn take_apart(&mut self, segments: &OpenedSegments) -> Vec<Part> {
        let mut parts = Vec::new();
        for mut plaintext in segments.plaintexts() {
            let skipped = plaintext
                .len()
                .min(usize::try_from(self.stream_skip).unwrap_or(usize::MAX));
            self.stream_skip -= skipped as u64;
            let _ = plaintext.split_to(skipped);
            while !plaintext.is_empty() {
                let Some(frame) = self.wanted.front_mut() else {
                    break;
                };
                let now = plaintext
                    .len()
                    .min(usize::try_from(frame.to_come).unwrap_or(usize::MAX));
                let mut bytes = plaintext.split_to(now);
                frame.to_come -= now as u64;
                if frame.codec == Codec::Raw {
                    let skipped = bytes.len().min(usize::try_from(frame.skip).unwrap_or(usize::MAX));
                    frame.skip -= skipped as u64;
                    let _ = bytes.split_to(skipped);
                    bytes.truncate(usize::try_from(frame.take).unwrap_or(usize::MAX));
                    frame.take -= bytes.len() as u64;
                    if !bytes.is_empty() {
                        parts.push(Part::Raw(bytes));
                    }
                } else {
                    self.encoded.extend_from_slice(&bytes);
                }
                if frame.to_come == 0 {
                    parts.extend(self.close());
                }
            }
        }
        parts
    }

    /// A frame is whole.
    fn close(&mut self) -> Option<Part> {
        let frame = self.wanted.pop_front()?;
        (frame.codec != Codec::Raw).then(|| Part::Coded {
            codec: frame.codec,
            encoded: std::mem::take(&mut self.encoded),
            original: frame.original,
            skip: frame.skip,
            take: frame.take,
        })
    }
}

impl Part {
    /// The bytes that are asked for.
    pub(super) async fn decode(self) -> Result<Bytes, OpenError> {
        match self {
            Self::Raw(bytes) => Ok(bytes),
            Self::Coded {
                codec,
                encoded,
                original,
                skip,
                take,
            } => {
                let decoded = tokio::task::spawn_blocking(move || {
                    let mut decoder = FrameDecoder::new().map_err(OpenError::Codec)?;
                    Ok::<_, OpenError>(decoder.decode(codec, &encoded, original)?)
                });
                let mut bytes = Bytes::from(decoded.await.map_err(|_| OpenError::Interrupted)??);
                let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                let _ = bytes.split_to(bytes.len().min(index(skip)));
                bytes.truncate(index(take));
                Ok(bytes)
            }
        }
    }
}
