//! Rows of samples: what a locator of pixels says of them, and where they may be cut. A stripe is whole rows, of one
//! image and one colour plane, about as long as any frame; images that are much shorter are taken several together.

use super::FRAME_LEN;
use super::delta::DeltaFormat;

/// The most bytes in a row that is taken for one: a longer one is no image.
const MAX_ROW_LEN: u64 = 1 << 20;

/// Images of one size, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// How many images.
    pub(super) frames: u32,
    /// Samples of a pixel.
    pub(super) samples: u32,
    /// Whether each sample has a plane of its own.
    pub(super) planar: bool,
    /// Bits that a sample takes up.
    pub(super) bits: u32,
    /// Bits of these that are the pixel's own.
    pub(super) stored: u32,
    /// The highest of them.
    pub(super) high_bit: u32,
    pub(super) signed: bool,
    pub(super) big_endian: bool,
}

impl Image {
    /// Whether it can be cut into rows of whole samples, and its length is a number.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self.bits, 8 | 16)
            && (1..=4).contains(&self.samples)
            && (1..=self.bits).contains(&self.stored)
            && self.high_bit < self.bits
            && self.columns > 0
            && self.rows > 0
            && self.frames > 0
            && self.row_len() <= MAX_ROW_LEN
            && self.total_len().is_some()
    }

    /// Samples in a row.
    fn row_samples(&self) -> u64 {
        u64::from(self.columns) * if self.planar { 1 } else { u64::from(self.samples) }
    }

    /// Bytes of a row.
    pub(super) fn row_len(&self) -> u64 {
        self.row_samples().saturating_mul(u64::from(self.bits / 8))
    }

    /// Bytes of an image, or of a plane of it.
    fn plane_len(&self) -> u64 {
        self.row_len().saturating_mul(u64::from(self.rows))
    }

    /// Bytes of all.
    pub(super) fn total_len(&self) -> Option<u64> {
        let planes = if self.planar { u64::from(self.samples) } else { 1 };
        self.plane_len()
            .checked_mul(planes)?
            .checked_mul(u64::from(self.frames))
    }

    /// Its samples, for differences of one and the next of its kind in a row.
    pub(super) fn delta(&self) -> Option<DeltaFormat> {
        DeltaFormat::new(
            self.bits / 8,
            self.big_endian,
            if self.planar { 1 } else { self.samples },
        )
    }

    /// Bytes of the stripe that begins, or goes on, at `position` of the pixels.
    pub(super) fn stripe_len(&self, position: u64) -> u64 {
        let (plane, limit) = (self.plane_len(), FRAME_LEN as u64);
        if plane <= limit {
            let together = if self.planar { plane } else { limit / plane * plane };
            return together - position % together;
        }
        // As many rows in one stripe as in the next, up to the rounding.
        let stripes = plane.div_ceil(limit);
        let stripe = u64::from(self.rows).div_ceil(stripes) * self.row_len();
        let within = position % plane;
        (stripe - within % stripe).min(plane - within)
    }
}
