//! Rows of samples: what a locator of pixels says of them, and where they may be cut. A stripe is whole rows, of one
//! image and one colour plane, about as long as any frame; images that are much shorter are taken several together.

use chartseal_kernels::pixels::PixelFormat;

use super::{FRAME_LEN, MIN_MEAN_LEN};

/// The most bytes in a row that is taken for one: a longer one is no image.
const MAX_ROW_LEN: u64 = 1 << 20;

/// The most rows in a stripe: what counts them has 16 bits.
const MAX_ROWS: u64 = 65_535;

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
    /// Whether it can be cut into rows of whole samples, not too few together, and its length is a number.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self.bits, 8 | 16)
            && (1..=4).contains(&self.samples)
            && self.columns > 0
            && self.rows > 0
            && self.frames > 0
            && self.row_len() <= MAX_ROW_LEN
            // Planes are not taken several together, and each has a frame in the manifest.
            && (!self.planar || self.plane_len() >= MIN_MEAN_LEN)
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

    /// How a stripe of it looks; `None` where it is no image after all. Of planes, a stripe has one kind of sample.
    pub(super) fn format(&self) -> Option<PixelFormat> {
        Some(PixelFormat {
            width: self.columns,
            rows: 0,
            samples: if self.planar {
                1
            } else {
                u8::try_from(self.samples).ok()?
            },
            planar: false,
            bytes: u8::try_from(self.bits / 8).ok()?,
            big_endian: self.big_endian,
            stored_bits: u8::try_from(self.stored).ok()?,
            high_bit: u8::try_from(self.high_bit).ok()?,
            signed: self.signed,
        })
    }

    /// Bytes of the stripe that begins, or goes on, at `position` of the pixels.
    pub(super) fn stripe_len(&self, position: u64) -> u64 {
        let (row, plane) = (self.row_len(), self.plane_len());
        let limit = (FRAME_LEN as u64).min(row.saturating_mul(MAX_ROWS)).max(row);
        if plane <= limit {
            let together = if self.planar { plane } else { limit / plane * plane };
            return together - position % together;
        }
        // As many rows in one stripe as in the next, up to the rounding.
        let stripe = u64::from(self.rows).div_ceil(plane.div_ceil(limit)) * row;
        let within = position % plane;
        (stripe - within % stripe).min(plane - within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image() -> impl Strategy<Value = Image> {
        let side = || prop_oneof![1_u32..50, 50_u32..3000, 3000_u32..100_000];
        let looks = (1_u32..=4, any::<bool>(), prop_oneof![Just(8_u32), Just(16)]);
        (side(), side(), 1_u32..5, looks).prop_map(|(columns, rows, frames, (samples, planar, bits))| Image {
            columns,
            rows,
            frames,
            samples,
            planar: planar && samples > 1,
            bits,
            stored: bits,
            high_bit: bits - 1,
            signed: false,
            big_endian: false,
        })
    }

    proptest! {
        #[test]
        fn stripes_are_whole_rows_of_one_plane_and_fill_it(image in image()) {
            prop_assume!(image.is_sound());
            let (row, plane) = (image.row_len(), image.plane_len());
            // What follows a plane is cut as the first one is.
            let end = if plane < FRAME_LEN as u64 { image.total_len().unwrap_or_default() } else { plane };
            let (mut position, mut stripes) = (0, 0);
            while position < end {
                let len = image.stripe_len(position).min(end - position);
                prop_assert!(len > 0 && len % row == 0, "{len} bytes at {position}");
                prop_assert!(len <= FRAME_LEN as u64 + row && len / row <= MAX_ROWS);
                let last = position + len - 1;
                if plane > len {
                    prop_assert_eq!(position / plane, last / plane, "one plane");
                } else {
                    prop_assert_eq!((position % plane, len % plane), (0, 0), "whole planes");
                }
                prop_assert!(!image.planar || position / plane == last / plane, "one kind of sample");
                position += len;
                stripes += 1;
            }
            prop_assert!(stripes <= end / MIN_MEAN_LEN + 1, "{stripes} stripes of {end} bytes");
        }

        #[test]
        fn a_stripe_goes_on_from_anywhere_in_it(image in image(), position in 0_u64..1 << 40) {
            prop_assume!(image.is_sound());
            let len = image.stripe_len(position);
            prop_assert!(len > 0);
            if len > 1 {
                prop_assert_eq!(image.stripe_len(position + 1), len - 1);
            }
        }
    }
}
