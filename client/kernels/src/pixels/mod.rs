//! Lossless coding of native image pixels: whole rows of them as they stand in a DICOM file, told what one sample looks
//! like. Every bit comes back: values as well as unused and overlay bits, padding, sign and byte order. The values are
//! coded by JPEG-LS ([`jpegls`]), each plane as a stream that any reader of that standard reads; what decodes them takes
//! any bytes and answers with the original or an error, within memory that follows from the original's size.
//!
//! An encoded stripe is a header (version, layout, width, rows), then for each sample its plane of values, then for each
//! sample its plane of other bits, if there are any. Numbers are little-endian.

mod container;
pub mod delta;
pub mod jpegls;
mod plane;
mod stripe;

pub use stripe::{decode, encode};

/// How the pixels of a stripe are laid out, in the terms of DICOM's image pixel module (PS3.3, C.7.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelFormat {
    /// Columns: samples of one kind in a row.
    pub width: u32,
    /// Rows in this stripe.
    pub rows: u32,
    /// Samples per pixel, 1 to 4.
    pub samples: u8,
    /// Planar configuration 1: all of the first sample, then all of the second. Only for whole images.
    pub planar: bool,
    /// Bits allocated, in bytes: 1 or 2.
    pub bytes: u8,
    /// Whether the high byte of two comes first.
    pub big_endian: bool,
    /// Bits stored. What contradicts `bytes` or `high_bit` is taken for all bits: damaged headers must not cost more
    /// than compression.
    pub stored_bits: u8,
    /// High bit: where the highest of the stored bits is.
    pub high_bit: u8,
    /// Pixel representation 1: two's complement.
    pub signed: bool,
}

/// Why an encoded stripe cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelError {
    /// It was written by a later version.
    Version(u8),
    /// Its header is cut or says what no header can.
    Header,
    /// It is not of the original's length.
    Length,
    /// There are bytes after its end.
    Trailing,
    /// One of its planes is damaged.
    Plane(jpegls::StreamError),
}

impl std::fmt::Display for PixelError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => write!(
                to,
                "pixels are coded as version {version}; open them with a later release"
            ),
            Self::Header => to.write_str("coded pixels have a damaged header; fetch them again"),
            Self::Length => {
                to.write_str("coded pixels are not of the length that was stored for them; fetch them again")
            }
            Self::Trailing => to.write_str("coded pixels have bytes after their end; fetch them again"),
            Self::Plane(error) => write!(to, "coded pixels: {error}"),
        }
    }
}

impl std::error::Error for PixelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Plane(error) => Some(error),
            _ => None,
        }
    }
}

impl From<jpegls::StreamError> for PixelError {
    fn from(error: jpegls::StreamError) -> Self {
        Self::Plane(error)
    }
}
