//! Makes frames smaller where that can be done: tries what the plan says, keeps the smallest, and keeps nothing that it
//! has not decoded and compared. Of what is long, samples decide what is worth the time.

use chartseal_kernels::pixels::delta::{self, Delta};
use chartseal_kernels::pixels::{self, PixelFormat};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::Codec;
use super::codec::{FrameDecoder, checksum};
use super::delta::form_to_bytes;

/// zstd's levels by length: what is short takes no time at any; on what is long, high ones gain little.
const LEVELS: [(usize, i32); 2] = [(64 << 10, 19), (256 << 10, 12)];
const LEVEL_OF_LONG: i32 = 3;
/// Frames up to this length are coded in every way that may help.
const SHORT_LEN: usize = 256 << 10;
/// Of longer ones, samples are: so many, about so long, and of so many rows at least.
const SAMPLES: usize = 3;
const SAMPLE_LEN: usize = 16 << 10;
const SAMPLE_ROWS: usize = 8;

/// How to try to make a frame smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Not at all.
    Raw,
    /// By zstd.
    Zstd,
    /// By zstd, if it helps on samples: for what may be coded already.
    Probe,
    /// The same, but also of differences.
    Delta(Delta),
    /// The same, but also as rows of pixels: as many as the frame holds, whatever `rows` says.
    Pixels(PixelFormat),
}

/// One way of coding.
#[derive(Debug, Clone, Copy)]
enum Way {
    Zstd,
    Delta(Delta),
    Pixels(PixelFormat),
}

impl Method {
    fn ways(self) -> [Option<Way>; 3] {
        match self {
            Self::Raw => [None, None, None],
            Self::Zstd | Self::Probe => [Some(Way::Zstd), None, None],
            Self::Delta(form) => [Some(Way::Zstd), Some(Way::Delta(form)), None],
            Self::Pixels(format) => {
                let pixel = u32::from(format.bytes) * if format.planar { 1 } else { u32::from(format.samples) };
                let row = u32::try_from(row_len(&format)).ok();
                let delta = Delta::new(format.bytes, pixel, row).filter(|_| !format.big_endian);
                [Some(Way::Zstd), delta.map(Way::Delta), Some(Way::Pixels(format))]
            }
        }
    }

    /// Bytes that samples of a frame are whole multiples of.
    fn unit(self) -> usize {
        match self {
            Self::Delta(form) => usize::from(form.sample()),
            Self::Pixels(format) => row_len(&format).max(1),
            _ => 1,
        }
    }

    /// Bytes of a sample of a frame; `None` where samples would be so much of it that it is as well coded in every way.
    fn sample_len(self, frame: &[u8]) -> Option<usize> {
        let unit = self.unit();
        let len = (SAMPLE_LEN / unit).max(SAMPLE_ROWS).checked_mul(unit)?;
        (frame.len() > SHORT_LEN && len <= frame.len() / (4 * SAMPLES)).then_some(len)
    }
}

/// Encodes frames one after the other. One per thread, used again for every frame: what it works with is allocated once.
pub(crate) struct FrameEncoder {
    zstd: Compressor<'static>,
    decoder: FrameDecoder,
    /// What was encoded, decoded again.
    decoded: Vec<u8>,
    /// A frame coded in another way than the best so far.
    other: Vec<u8>,
    differences: Vec<u8>,
}

impl FrameEncoder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let mut zstd = Compressor::new(LEVEL_OF_LONG)?;
        zstd.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            zstd,
            decoder: FrameDecoder::new()?,
            decoded: Vec::new(),
            other: Vec::new(),
            differences: Vec::new(),
        })
    }

    /// Puts the frame into `out`, whose content is replaced, and says how it is kept: as `method` makes it if that is
    /// smaller and decodes to the same bytes, otherwise raw.
    pub(crate) fn encode(&mut self, method: &Method, frame: &[u8], out: &mut Vec<u8>) -> Codec {
        let level = level_of(frame.len());
        let coded = match method {
            Method::Raw => None,
            Method::Zstd => self.code(Way::Zstd, level, frame, out),
            _ => match method.sample_len(frame) {
                Some(len) => {
                    let way = self.most_promising(*method, level, len, frame);
                    way.and_then(|way| self.code(way, level, frame, out))
                }
                None => self.smallest(*method, level, frame, out),
            },
        };
        if let Some(codec) = coded.filter(|codec| self.comes_back(*codec, frame, out)) {
            return codec;
        }
        out.clear();
        out.extend_from_slice(frame);
        Codec::Raw
    }

    /// Codes the frame in every way and leaves the smallest in `out`.
    fn smallest(&mut self, method: Method, level: i32, frame: &[u8], out: &mut Vec<u8>) -> Option<Codec> {
        let mut best = None;
        for way in method.ways().into_iter().flatten() {
            let mut other = std::mem::take(&mut self.other);
            if let Some(codec) = self.code(way, level, frame, &mut other)
                && (best.is_none() || other.len() < out.len())
            {
                best = Some(codec);
                std::mem::swap(out, &mut other);
            }
            self.other = other;
        }
        best
    }

    /// The way that makes samples of a long frame smallest; none where none does by a fiftieth.
    fn most_promising(&mut self, method: Method, level: i32, len: usize, frame: &[u8]) -> Option<Way> {
        let unit = method.unit();
        let step = frame.len().saturating_sub(len) / (SAMPLES - 1);
        let samples = (0..SAMPLES).filter_map(|sample| frame.get(sample * step / unit * unit..)?.get(..len));
        let mut best = (len * SAMPLES * 49 / 50, None);
        for way in method.ways().into_iter().flatten() {
            let mut coded = std::mem::take(&mut self.other);
            let total = samples
                .clone()
                .map(|sample| self.code(way, level, sample, &mut coded).map_or(len, |_| coded.len()))
                .sum();
            self.other = coded;
            if total < best.0 {
                best = (total, Some(way));
            }
        }
        best.1
    }

    /// Codes the frame in one way; `None` where it would not be smaller.
    fn code(&mut self, way: Way, level: i32, frame: &[u8], out: &mut Vec<u8>) -> Option<Codec> {
        match way {
            Way::Zstd => {
                self.zstd(level, frame, 0, out)?;
                Some(Codec::Zstd)
            }
            Way::Delta(form) => {
                let header = [&checksum(frame)[..], &form_to_bytes(form)?].concat();
                let mut differences = std::mem::take(&mut self.differences);
                differences.clear();
                delta::apply(form, frame, &mut differences);
                let coded = self.zstd(level, &differences, header.len(), out);
                self.differences = differences;
                coded?;
                out.get_mut(..header.len())?.copy_from_slice(&header);
                Some(Codec::Delta)
            }
            Way::Pixels(format) => {
                let rows = u32::try_from(frame.len().checked_div(row_len(&format))?).ok()?;
                out.clear();
                out.extend_from_slice(&checksum(frame));
                let coded = pixels::encode(&PixelFormat { rows, ..format }, frame, out);
                (coded && out.len() < frame.len()).then_some(Codec::Pixels)
            }
        }
    }

    /// Puts `bytes` as one zstd frame behind a header of so many bytes that is still to be written, if all of it is
    /// shorter than they are.
    fn zstd(&mut self, level: i32, bytes: &[u8], header: usize, out: &mut Vec<u8>) -> Option<()> {
        self.zstd.set_parameter(CParameter::CompressionLevel(level)).ok()?;
        out.resize(bytes.len().checked_sub(1)?, 0);
        let len = self.zstd.compress_to_buffer(bytes, out.get_mut(header..)?).ok()?;
        out.truncate(header + len);
        Some(())
    }

    fn comes_back(&mut self, codec: Codec, frame: &[u8], encoded: &[u8]) -> bool {
        u32::try_from(frame.len()).is_ok_and(|original| {
            let decoded = self.decoder.decode_into(codec, encoded, original, &mut self.decoded);
            decoded.is_ok() && self.decoded == frame
        })
    }
}

/// Bytes of a row.
fn row_len(format: &PixelFormat) -> usize {
    let kinds = if format.planar { 1 } else { usize::from(format.samples) };
    usize::try_from(format.width).unwrap_or(0) * kinds * usize::from(format.bytes)
}

fn level_of(len: usize) -> i32 {
    let level = LEVELS.iter().find(|(longest, _)| len <= *longest);
    level.map_or(LEVEL_OF_LONG, |(_, level)| *level)
}
