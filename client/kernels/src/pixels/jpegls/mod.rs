//! JPEG-LS (ITU-T T.87 | ISO/IEC 14495-1), lossless, one component a stream: LOCO-I prediction, adaptive Golomb codes
//! and a run mode, samples of 2 to 16 bits. What is written is a conforming stream that any reader of the standard
//! reads; what is read may be any bytes at all.

mod bits;
mod decoder;
mod encoder;
mod markers;
mod model;
mod parameters;

use bits::{BitReader, BitWriter, stuff, unstuff};
pub use parameters::Parameters;
use parameters::Traits;

/// Why bytes are not a JPEG-LS stream that can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// It ends before its samples do.
    Short,
    /// A marker segment is missing, out of place or not of its form.
    Marker,
    /// It is coded in a way that is not read here: lossy, of several components, or with restart markers.
    Unsupported,
    /// It has another size than expected.
    Size,
    /// A code word is none.
    Code,
    /// A run goes past the end of its row.
    Run,
    /// A sample is outside the range that the stream states.
    Sample,
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Short => "a JPEG-LS stream ends before its samples do; fetch it again",
            Self::Marker => "a JPEG-LS stream has a marker segment that is missing or damaged; fetch it again",
            Self::Unsupported => {
                "a JPEG-LS stream is lossy, of several components or with restarts; decode it elsewhere"
            }
            Self::Size => "a JPEG-LS stream has another size than its frame; fetch it again",
            Self::Code => "a JPEG-LS stream has a code word that is none; fetch it again",
            Self::Run => "a JPEG-LS stream has a run past the end of its row; fetch it again",
            Self::Sample => "a JPEG-LS stream has a sample outside its range; fetch it again",
        })
    }
}

impl std::error::Error for StreamError {}

/// Writes JPEG-LS streams and keeps its buffers for the next one.
#[derive(Debug, Default)]
pub struct Encoder {
    rows: encoder::Rows,
    bits: BitWriter,
}

impl Encoder {
    /// Appends one stream of `samples`, rows of `width`, to `out`. False, and nothing appended, where width or rows are 0
    /// or above 65,535, the last row is not whole, the parameters are not valid or a sample is above their maximum.
    pub fn encode(&mut self, parameters: &Parameters, width: usize, samples: &[u16], out: &mut Vec<u8>) -> bool {
        let Some(header) = markers::Header::of(*parameters, width, samples) else {
            return false;
        };
        header.write(out);
        self.bits.clear();
        encoder::encode_scan(&Traits::of(parameters), width, samples, &mut self.rows, &mut self.bits);
        stuff(self.bits.finish(), out);
        markers::end(out);
        true
    }
}

/// Reads the stream that `stream` begins with, which must be of `width` times `rows` samples, and says how long it is.
/// The samples replace what is in `samples`.
///
/// # Errors
/// Where these bytes are no stream of that size. What `samples` then holds means nothing.
pub fn decode(stream: &[u8], width: usize, rows: usize, samples: &mut Vec<u16>) -> Result<usize, StreamError> {
    samples.clear();
    let (header, scan) = markers::Header::read(stream)?;
    if usize::from(header.width) != width || usize::from(header.rows) != rows {
        return Err(StreamError::Size);
    }
    let coded = stream.get(scan..).unwrap_or_default();
    let mut plain = Vec::new();
    let length = unstuff(coded, &mut plain);
    samples.reserve_exact(width * rows);
    decoder::decode_scan(
        &Traits::of(&header.parameters),
        width,
        rows,
        &mut BitReader::new(&plain),
        samples,
    )?;
    markers::read_end(stream, scan + length)
}
