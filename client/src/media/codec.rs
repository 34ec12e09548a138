//! Codecs for frames. Today there are two: zstd, and none. Encoders never make a frame longer; decoders know beforehand
//! how long a frame is and stop there.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, DParameter};

use super::{MAX_FRAME_LEN, MediaError, Sniffed};

/// Level 3 compresses at some hundred MB/s; higher levels gain little on what is long.
const LEVEL_OF_LONG: i32 = 3;
/// What is short takes no time at any level: headers, notes, small images.
const LEVEL_OF_SHORT: i32 = 19;
const SHORT_LEN: usize = 256 << 10;
/// Samples of a frame of which nobody knows whether it is coded already: how many, how long, at which level.
const SAMPLES: usize = 3;
const SAMPLE_LEN: usize = 16 << 10;
const LEVEL_OF_SAMPLES: i32 = 1;
/// log2 of the window that a decoder accepts: as large as the largest frame.
const MAX_WINDOW_LOG: u32 = MAX_FRAME_LEN.ilog2();

/// How a frame is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    Raw,
    /// One zstd frame.
    Zstd,
}

impl Codec {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Raw),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(super) fn to_byte(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
        }
    }
}

/// How to try to make a frame smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Not at all.
    Raw,
    /// By zstd.
    Zstd,
    /// By zstd, if samples of the frame say that it is worth the time: for what may be coded already.
    Probe,
}

impl Method {
    /// For a file of which no part was located.
    pub(super) fn of(sniffed: Option<Sniffed>) -> Self {
        match sniffed {
            Some(Sniffed {
                already_coded: true, ..
            }) => Self::Raw,
            Some(Sniffed {
                media_type: "text/plain",
                ..
            }) => Self::Zstd,
            _ => Self::Probe,
        }
    }
}

/// Encodes frames one after the other. One per thread, used again for every frame: what it works with is allocated once.
pub(crate) struct FrameEncoder {
    zstd: Compressor<'static>,
    decoder: FrameDecoder,
    /// What was encoded, decoded again; and what samples compress to.
    scratch: Vec<u8>,
}

impl FrameEncoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let mut zstd = Compressor::new(LEVEL_OF_LONG)?;
        zstd.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            zstd,
            decoder: FrameDecoder::new()?,
            scratch: Vec::new(),
        })
    }

    /// Puts the frame into `out`, whose content is replaced, and says how it is kept: as `method` makes it if that is
    /// smaller and decodes to the same bytes, otherwise raw.
    pub(crate) fn encode(&mut self, method: &Method, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        let coded = match method {
            Method::Raw => None,
            Method::Zstd => self.zstd(frame, out),
            Method::Probe => self.is_promising(frame).then(|| self.zstd(frame, out)).flatten(),
        };
        if let Some(codec) = coded.filter(|codec| self.comes_back(*codec, frame, out)) {
            return codec;
        }
        out.clear();
        out.extend_from_slice(frame);
        Codec::Raw
    }

    fn zstd(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Option<Codec> {
        let level = if frame.len() <= SHORT_LEN {
            LEVEL_OF_SHORT
        } else {
            LEVEL_OF_LONG
        };
        // Room for one byte less than the frame: what does not fit would not be smaller.
        out.resize(frame.len().saturating_sub(1), 0);
        let len = self.compress(level, frame, out)?;
        out.truncate(len);
        Some(Codec::Zstd)
    }

    /// The length of what `bytes` compress to; `None` if they do not fit.
    fn compress(&mut self, level: i32, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        self.zstd.set_parameter(CParameter::CompressionLevel(level)).ok()?;
        self.zstd.compress_to_buffer(bytes, out).ok()
    }

    /// Whether a sample from the beginning, the middle or the end of the frame becomes smaller.
    fn is_promising(&mut self, frame: &[u8]) -> bool {
        if frame.len() < 2 * SAMPLES * SAMPLE_LEN {
            return true;
        }
        let step = (frame.len() - SAMPLE_LEN) / (SAMPLES - 1);
        let mut room = std::mem::take(&mut self.scratch);
        room.resize(SAMPLE_LEN - SAMPLE_LEN / 50, 0);
        let promising = (0..SAMPLES)
            .filter_map(|sample| frame.get(sample * step..)?.get(..SAMPLE_LEN))
            .any(|sample| self.compress(LEVEL_OF_SAMPLES, sample, &mut room).is_some());
        self.scratch = room;
        promising
    }

    fn comes_back(&mut self, codec: Codec, frame: &[u8], encoded: &[u8]) -> bool {
        u32::try_from(frame.len()).is_ok_and(|original| {
            let decoded = self.decoder.decode_into(codec, encoded, original, &mut self.scratch);
            decoded.is_ok() && self.scratch == frame
        })
    }
}

/// The encoder as the pipeline calls it until it asks a plan.
pub(crate) struct UniformEncoder {
    encoder: FrameEncoder,
    method: Method,
}

impl UniformEncoder {
    pub(crate) fn new(compress: bool) -> std::io::Result<Self> {
        Ok(Self {
            encoder: FrameEncoder::new()?,
            method: if compress { Method::Zstd } else { Method::Raw },
        })
    }

    pub(crate) fn encode(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        self.encoder.encode(&self.method, frame, out)
    }
}

/// Decodes frames one after the other, in bounded memory.
pub(crate) struct FrameDecoder {
    zstd: Decompressor<'static>,
}

impl FrameDecoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let mut zstd = Decompressor::new()?;
        zstd.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
        Ok(Self { zstd })
    }

    /// Decodes a frame of which the index says that it has `original` bytes.
    pub(crate) fn decode(&mut self, codec: Codec, encoded: &[u8], original: u32) -> Result<Vec<u8>, MediaError> {
        let mut frame = Vec::new();
        self.decode_into(codec, encoded, original, &mut frame)?;
        Ok(frame)
    }

    /// The same, into a buffer whose content is replaced.
    pub(crate) fn decode_into(
        &mut self,
        codec: Codec,
        encoded: &[u8],
        original: u32,
        frame: &mut Vec<u8>,
    ) -> Result<(), MediaError> {
        if original > MAX_FRAME_LEN {
            return Err(MediaError::Undecodable("it is longer than any frame"));
        }
        let len = usize::try_from(original).unwrap_or(usize::MAX);
        let decoded = match codec {
            Codec::Raw => {
                frame.clear();
                frame.extend_from_slice(encoded);
                frame.len()
            }
            Codec::Zstd => {
                frame.resize(len, 0);
                self.zstd
                    .decompress_to_buffer(encoded, frame.as_mut_slice())
                    .map_err(|_| MediaError::Undecodable("zstd refuses it"))?
            }
        };
        if decoded == len {
            Ok(())
        } else {
            Err(MediaError::Undecodable("it has another length"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        // A linear congruential generator: enough to be incompressible.
        let mut state = 1_u64;
        std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .take(len)
        .collect()
    }

    #[test]
    fn what_compresses_is_compressed_and_what_does_not_is_kept() {
        let (mut encoder, mut decoder) = (FrameEncoder::new().unwrap(), FrameDecoder::new().unwrap());
        let mut out = Vec::new();
        for (frame, codec) in [
            (vec![7; 100_000], Codec::Zstd),
            (noise(100_000), Codec::Raw),
            (b"a".to_vec(), Codec::Raw),
            (Vec::new(), Codec::Raw),
        ] {
            assert_eq!(encoder.encode(&Method::Zstd, &frame, &mut out), codec);
            assert!(out.len() <= frame.len());
            let original = u32::try_from(frame.len()).unwrap();
            assert_eq!(decoder.decode(codec, &out, original).unwrap(), frame);
        }
    }

    #[test]
    fn a_frame_that_is_longer_or_shorter_than_the_index_says_is_refused() {
        let (mut encoder, mut decoder) = (FrameEncoder::new().unwrap(), FrameDecoder::new().unwrap());
        let mut out = Vec::new();
        encoder.encode(&Method::Zstd, &[7; 1000], &mut out);
        for wrong in [0, 999, 1001] {
            assert!(decoder.decode(Codec::Zstd, &out, wrong).is_err());
            assert!(decoder.decode(Codec::Raw, &out, wrong).is_err());
        }
        assert!(decoder.decode(Codec::Zstd, &out[..out.len() - 1], 1000).is_err());
        assert!(decoder.decode(Codec::Zstd, b"not zstd at all", 1000).is_err());
    }
}
