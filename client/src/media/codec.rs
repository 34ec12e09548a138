//! Codecs for frames. Today there are two: zstd, and none. Encoders never make a frame longer; decoders know beforehand
//! how long a frame is and stop there.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, DParameter};

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

/// How to try to make a frame smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Not at all.
    Raw,
    /// By zstd.
    Zstd,
}

/// Encodes frames one after the other. One per thread, used again for every frame: what it works with is allocated once.
pub(crate) struct FrameEncoder {
    zstd: Compressor<'static>,
    decoder: FrameDecoder,
}

impl FrameEncoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let mut zstd = Compressor::new(ZSTD_LEVEL)?;
        zstd.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            zstd,
            decoder: FrameDecoder::new()?,
        })
    }

    /// Puts the frame into `out`, whose content is replaced, and says how it is kept: as `method` makes it if that is
    /// smaller and decodes to the same bytes, otherwise raw.
    pub(crate) fn encode(&mut self, method: &Method, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        let codec = match method {
            Method::Raw => Codec::Raw,
            Method::Zstd => self.zstd(frame, out),
        };
        if codec != Codec::Raw && self.comes_back(codec, frame, out) {
            return codec;
        }
        out.clear();
        out.extend_from_slice(frame);
        Codec::Raw
    }

    fn zstd(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        // Room for one byte less than the frame: what does not fit would not be smaller.
        out.resize(frame.len().saturating_sub(1), 0);
        match self.zstd.compress_to_buffer(frame, out.as_mut_slice()) {
            Ok(len) => {
                out.truncate(len);
                Codec::Zstd
            }
            Err(_) => Codec::Raw,
        }
    }

    fn comes_back(&mut self, codec: Codec, frame: &[u8], encoded: &[u8]) -> bool {
        u32::try_from(frame.len()).is_ok_and(|original| {
            self.decoder
                .decode(codec, encoded, original)
                .is_ok_and(|back| back == frame)
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
