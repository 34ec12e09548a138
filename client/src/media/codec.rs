//! How frames are kept, and how they are read again. The numbers of codecs stand in manifests and never change. A decoder
//! knows beforehand how long a frame is and stops there, holds no more than that and what one frame of the codec needs,
//! and checks what comes out against the checksum that every coded frame carries.

use chartseal_kernels::pixels::{self, delta};
use zstd::bulk::Decompressor;
use zstd::zstd_safe::find_frame_compressed_size;

use super::delta::{FORM_LEN, form_from_bytes};
use super::{MAX_CODED_LEN, MAX_FRAME_LEN, MediaError};

/// What a frame of zstd begins with (RFC 8878, 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of a checksum, CRC-32 (IEEE 802.3) of the original in little endian, before codecs that have none of their own.
const CHECKSUM_LEN: usize = 4;

/// How a frame is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    Raw,
    /// One zstd frame, with its checksum.
    Zstd,
    /// A checksum, and one stripe of pixels, in JPEG-LS.
    Pixels,
    /// A checksum, how samples stand (7 bytes), and one zstd frame of their differences.
    Delta,
}

impl Codec {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Raw),
            1 => Some(Self::Zstd),
            2 => Some(Self::Pixels),
            3 => Some(Self::Delta),
            _ => None,
        }
    }

    pub(super) fn to_byte(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
            Self::Pixels => 2,
            Self::Delta => 3,
        }
    }

    /// Bytes of the original in a frame that is accepted.
    pub(super) fn max_len(self) -> u32 {
        match self {
            Self::Raw => MAX_FRAME_LEN,
            Self::Zstd | Self::Pixels | Self::Delta => MAX_CODED_LEN,
        }
    }
}

/// The checksum of an original.
pub(super) fn checksum(frame: &[u8]) -> [u8; CHECKSUM_LEN] {
    crc32fast::hash(frame).to_le_bytes()
}

/// Decodes frames one after the other, in bounded memory.
pub(crate) struct FrameDecoder {
    zstd: Decompressor<'static>,
    /// Differences on their way to samples.
    differences: Vec<u8>,
}

impl FrameDecoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            zstd: Decompressor::new()?,
            differences: Vec::new(),
        })
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
        if original > codec.max_len() {
            return Err(MediaError::Undecodable("it is longer than any frame of its codec"));
        }
        let len = usize::try_from(original).unwrap_or(usize::MAX);
        match codec {
            Codec::Raw => {
                frame.clear();
                frame.extend_from_slice(encoded);
            }
            Codec::Zstd => unzstd(&mut self.zstd, encoded, len, frame)?,
            Codec::Pixels => {
                let (expected, stripe) = split::<CHECKSUM_LEN>(encoded)?;
                *frame = pixels::decode(stripe, len)
                    .map_err(|_| MediaError::Undecodable("it is no stripe of pixels of its length"))?;
                check(expected, frame)?;
            }
            Codec::Delta => {
                let (expected, rest) = split::<CHECKSUM_LEN>(encoded)?;
                let (form, differences) = split::<FORM_LEN>(rest)?;
                let form = form_from_bytes(form).ok_or(MediaError::Undecodable("its samples are of no known form"))?;
                unzstd(&mut self.zstd, differences, len, &mut self.differences)?;
                frame.clear();
                delta::undo(form, &self.differences, frame);
                check(expected, frame)?;
            }
        }
        if frame.len() == len {
            Ok(())
        } else {
            Err(MediaError::Undecodable("it has another length"))
        }
    }
}

fn split<const N: usize>(encoded: &[u8]) -> Result<([u8; N], &[u8]), MediaError> {
    let (first, rest) = encoded
        .split_first_chunk()
        .ok_or(MediaError::Undecodable("it is too short"))?;
    Ok((*first, rest))
}

fn check(expected: [u8; CHECKSUM_LEN], frame: &[u8]) -> Result<(), MediaError> {
    if checksum(frame) == expected {
        Ok(())
    } else {
        Err(MediaError::Undecodable("its checksum is another"))
    }
}

/// Whether these bytes are one frame of zstd: the library also takes frames one after the other, frames to skip, and
/// frames of seven formats from before there was a standard, whose decoders no author of a record should reach.
fn is_one_zstd_frame(encoded: &[u8]) -> bool {
    encoded.starts_with(&ZSTD_MAGIC) && find_frame_compressed_size(encoded) == Ok(encoded.len())
}

fn unzstd(zstd: &mut Decompressor<'_>, encoded: &[u8], len: usize, to: &mut Vec<u8>) -> Result<(), MediaError> {
    if !is_one_zstd_frame(encoded) {
        return Err(MediaError::Undecodable("it is not one zstd frame"));
    }
    to.resize(len, 0);
    let decoded = zstd
        .decompress_to_buffer(encoded, to.as_mut_slice())
        .map_err(|_| MediaError::Undecodable("zstd refuses it"))?;
    to.truncate(decoded);
    Ok(())
}
