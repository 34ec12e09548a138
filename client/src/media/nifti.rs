//! Finds the volume in a NIfTI file, version 1 or 2 (<https://nifti.nimh.nih.gov>): slices of voxels, which are images
//! like any other. Volumes of floating point numbers are left to zstd.

use super::image::Image;
use super::plan::Located;

/// Bytes of a header, which are also its first field, in the byte order of the file.
const HEADER_1: u32 = 348;
const HEADER_2: u32 = 540;

/// Whether a file that begins so is NIfTI, with its voxels in the same file.
pub(super) fn is_nifti(head: &[u8]) -> bool {
    Header::read(head).is_some()
}

/// The voxels of a NIfTI file that begins so.
pub(super) fn locate(head: &[u8]) -> Option<Located> {
    let header = Header::read(head)?;
    let (samples, bits, signed) = match header.datatype()? {
        2 => (1, 8, false),
        256 => (1, 8, true),
        4 => (1, 16, true),
        512 => (1, 16, false),
        128 => (3, 8, false),
        2304 => (4, 8, false),
        _ => return None,
    };
    let dimensions = usize::try_from(header.dimension(0)?).ok()?;
    if !(1..=7).contains(&dimensions) {
        return None;
    }
    let extent = |axis: usize| {
        if axis <= dimensions {
            u32::try_from(header.dimension(axis)?).ok()
        } else {
            Some(1)
        }
    };
    let mut frames = 1_u32;
    for axis in 3..=7 {
        frames = frames.checked_mul(extent(axis)?)?;
    }
    let image = Image {
        columns: extent(1)?,
        rows: extent(2)?,
        frames,
        samples,
        planar: false,
        bits,
        stored: bits,
        high_bit: bits - 1,
        signed,
        big_endian: header.big_endian,
    };
    let start = header.voxels()?;
    image.is_sound().then_some(Located::Image { start, image })
}

struct Header<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    second: bool,
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let first: [u8; 4] = *bytes.first_chunk()?;
        let (big_endian, len) = match (u32::from_le_bytes(first), u32::from_be_bytes(first)) {
            (len @ (HEADER_1 | HEADER_2), _) => (false, len),
            (_, len @ (HEADER_1 | HEADER_2)) => (true, len),
            _ => return None,
        };
        let (second, magic, at): (bool, &[u8], usize) = match len {
            HEADER_1 => (false, b"n+1\0", 344),
            _ => (true, b"n+2\0\r\n\x1a\n", 4),
        };
        bytes.get(at..)?.starts_with(magic).then_some(Self {
            bytes,
            big_endian,
            second,
        })
    }

    fn field<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut field: [u8; N] = *self.bytes.get(at..)?.first_chunk()?;
        if self.big_endian {
            field.reverse();
        }
        Some(field)
    }

    fn datatype(&self) -> Option<i16> {
        self.field(if self.second { 12 } else { 70 }).map(i16::from_le_bytes)
    }

    /// Extents in voxels, from 1; at 0 stands how many there are.
    fn dimension(&self, axis: usize) -> Option<i64> {
        if self.second {
            self.field(16 + 8 * axis).map(i64::from_le_bytes)
        } else {
            self.field(40 + 2 * axis).map(i16::from_le_bytes).map(i64::from)
        }
    }

    /// Where the voxels begin.
    fn voxels(&self) -> Option<u64> {
        let start = if self.second {
            i64::from_le_bytes(self.field(168)?)
        } else {
            let start = f32::from_le_bytes(self.field(108)?);
            // In version 1 it is a floating point number: exact for all that a header with extensions needs.
            let fits = (352.0..=16_777_216.0).contains(&start) && start.fract() == 0.0;
            #[allow(clippy::cast_possible_truncation, reason = "a whole number of 24 bits")]
            fits.then_some(start as i64)?
        };
        u64::try_from(start).ok().filter(|start| *start >= u64::from(HEADER_1))
    }
}
