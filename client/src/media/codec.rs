//! Codecs for frames. Today there are two: zstd, and none. Encoders never make a frame longer; decoders know beforehand
//! how long a frame is and stop there.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::DParameter;

use super::{MAX_FRAME_LEN, MediaError};

/// Level 3 compresses texts and raw pixels at some hundred MB/s; higher levels gain little on either.
const ZSTD_LEVEL: i32 = 3;
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

/// Encodes frames one after the other.
pub(crate) struct FrameEncoder {
    zstd: Option<Compressor<'static>>,
}

impl FrameEncoder {
    /// An encoder that compresses, or one that only passes on.
    pub(crate) fn new(compress: bool) -> std::io::Result<Self> {
        Ok(Self {
            zstd: if compress {
                Some(Compressor::new(ZSTD_LEVEL)?)
            } else {
                None
            },
        })
    }

    /// Puts the frame into `out`, which is cleared first, and says how it is kept.
    pub(crate) fn encode(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        out.clear();
        if let Some(zstd) = &mut self.zstd {
            // Room for one byte less than the frame: what does not fit would not be smaller.
            out.resize(frame.len().saturating_sub(1), 0);
            if let Ok(len) = zstd.compress_to_buffer(frame, out.as_mut_slice()) {
                out.truncate(len);
                return Codec::Zstd;
            }
            out.clear();
        }
        out.extend_from_slice(frame);
        Codec::Raw
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
        let len = usize::try_from(original.min(MAX_FRAME_LEN)).unwrap_or(usize::MAX);
        let frame = match codec {
            Codec::Raw => encoded.to_vec(),
            Codec::Zstd => self
                .zstd
                .decompress(encoded, len)
                .map_err(|_| MediaError::Undecodable("zstd refuses it"))?,
        };
        if frame.len() == len {
            Ok(frame)
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
        let (mut encoder, mut decoder) = (FrameEncoder::new(true).unwrap(), FrameDecoder::new().unwrap());
        let mut out = Vec::new();
        for (frame, codec) in [
            (vec![7; 100_000], Codec::Zstd),
            (noise(100_000), Codec::Raw),
            (b"a".to_vec(), Codec::Raw),
            (Vec::new(), Codec::Raw),
        ] {
            assert_eq!(encoder.encode(&frame, &mut out), codec);
            assert!(out.len() <= frame.len());
            let original = u32::try_from(frame.len()).unwrap();
            assert_eq!(decoder.decode(codec, &out, original).unwrap(), frame);
        }
    }

    #[test]
    fn a_frame_that_is_longer_or_shorter_than_the_index_says_is_refused() {
        let (mut encoder, mut decoder) = (FrameEncoder::new(true).unwrap(), FrameDecoder::new().unwrap());
        let mut out = Vec::new();
        encoder.encode(&[7; 1000], &mut out);
        for wrong in [0, 999, 1001] {
            assert!(decoder.decode(Codec::Zstd, &out, wrong).is_err());
            assert!(decoder.decode(Codec::Raw, &out, wrong).is_err());
        }
        assert!(decoder.decode(Codec::Zstd, &out[..out.len() - 1], 1000).is_err());
        assert!(decoder.decode(Codec::Zstd, b"not zstd at all", 1000).is_err());
    }
}
