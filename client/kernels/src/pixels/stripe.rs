//! A stripe's coded form: its header, and which planes it is taken apart into.

use super::container::{Field, Layout};
use super::jpegls::Encoder;
use super::{PixelError, PixelFormat, plane};

const VERSION: u8 = 1;
const HEADER_LEN: usize = 10;

/// The layout byte.
const PLANAR: u8 = 1;
const BIG_ENDIAN: u8 = 2;
const SIGNED: u8 = 4;
/// The first, the third sample is coded as its difference to the second: red and blue to green.
const FIRST_IS_DIFFERENCE: u8 = 8;
const THIRD_IS_DIFFERENCE: u8 = 16;

/// The sample that others are coded as differences to. It comes first.
const BASE: u8 = 1;

/// What decoding needs to know besides the planes.
#[derive(Clone, Copy, Debug)]
struct Header {
    layout: Layout,
    field: Field,
    /// Which samples are coded as differences.
    differences: u8,
}

impl Header {
    fn of(format: &PixelFormat) -> Option<Self> {
        let container = format.bytes.checked_mul(8)?;
        let whole = Field {
            bits: container,
            shift: 0,
            signed: format.signed,
        };
        let field = match (format.high_bit.checked_add(1), format.stored_bits) {
            (Some(top), bits) if top <= container && bits >= 1 && bits <= top => Field {
                bits,
                shift: top - bits,
                signed: format.signed,
            },
            _ => whole,
        };
        let layout = Layout {
            width: u16::try_from(format.width).ok()?,
            rows: u16::try_from(format.rows).ok()?,
            samples: format.samples,
            planar: format.planar && format.samples > 1,
            bytes: format.bytes,
            big_endian: format.big_endian && format.bytes > 1,
        };
        let header = Self {
            layout,
            field,
            differences: 0,
        };
        header.is_valid().then_some(header)
    }

    fn is_valid(&self) -> bool {
        let Self {
            layout,
            field,
            differences,
        } = self;
        (1..=4).contains(&layout.samples)
            && matches!(layout.bytes, 1 | 2)
            && layout.plane_len() > 0
            && field.bits >= 1
            && u16::from(field.bits) + u16::from(field.shift) <= u16::from(layout.bytes) * 8
            && (*differences == 0 || layout.samples >= 3)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let Self {
            layout,
            field,
            differences,
        } = self;
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let flags = flag(layout.planar, PLANAR) | flag(layout.big_endian, BIG_ENDIAN) | flag(field.signed, SIGNED);
        out.extend_from_slice(&[
            VERSION,
            flags | differences,
            layout.samples,
            layout.bytes,
            field.bits,
            field.shift,
        ]);
        out.extend_from_slice(&layout.width.to_le_bytes());
        out.extend_from_slice(&layout.rows.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), PixelError> {
        let (header, planes) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(PixelError::Header)?;
        let [version, flags, samples, bytes, bits, shift, width @ .., r0, r1] = *header;
        if version != VERSION {
            return Err(PixelError::Version(version));
        }
        let layout = Layout {
            width: u16::from_le_bytes(width),
            rows: u16::from_le_bytes([r0, r1]),
            samples,
            planar: flags & PLANAR != 0,
            bytes,
            big_endian: flags & BIG_ENDIAN != 0,
        };
        let field = Field {
            bits,
            shift,
            signed: flags & SIGNED != 0,
        };
        let differences = flags & (FIRST_IS_DIFFERENCE | THIRD_IS_DIFFERENCE);
        let header = Self {
            layout,
            field,
            differences,
        };
        if flags >= 32 || !header.is_valid() {
            Err(PixelError::Header)
        } else {
            Ok((header, planes))
        }
    }

    /// The samples in the order in which they are coded.
    fn order(&self) -> impl Iterator<Item = u8> + use<> {
        let samples = self.layout.samples;
        std::iter::once(BASE)
            .filter(move |base| *base < samples)
            .chain((0..samples).filter(|sample| *sample != BASE))
    }

    fn is_difference(&self, sample: u8) -> bool {
        match sample {
            0 => self.differences & FIRST_IS_DIFFERENCE != 0,
            2 => self.differences & THIRD_IS_DIFFERENCE != 0,
            _ => false,
        }
    }

    /// Whether words have bits outside their field.
    fn has_others(&self) -> bool {
        self.field.bits < self.layout.bytes * 8
    }

    /// What is half the range, so that a difference of nothing is in its middle.
    fn middle(&self) -> u16 {
        1 << (self.field.bits - 1)
    }

    fn subtract(&self, values: &mut [u16], base: &[u16]) {
        let (middle, mask) = (self.middle(), self.field.mask());
        for (value, base) in values.iter_mut().zip(base) {
            *value = value.wrapping_sub(*base).wrapping_add(middle) & mask;
        }
    }

    fn add(&self, values: &mut [u16], base: &[u16]) {
        let (middle, mask) = (self.middle(), self.field.mask());
        for (value, base) in values.iter_mut().zip(base) {
            *value = value.wrapping_add(*base).wrapping_sub(middle) & mask;
        }
    }
}

/// Appends the coded form of a stripe to `out`: whole rows of pixels, `format.width` times `format.rows` of them. False,
/// and nothing appended, where the stripe is not of that length, no such stripe can be coded (samples of more than two
/// bytes, sides of 0 or above 65,535) or the coded form is not smaller than the stripe.
pub fn encode(format: &PixelFormat, stripe: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(header) = Header::of(format) else { return false };
    if header.layout.stripe_len() != stripe.len() {
        return false;
    }
    let mut encoder = Encoder::default();
    let start = out.len();
    let Some(others_from) = encode_as(&mut encoder, header, stripe, out) else {
        out.truncate(start);
        return false;
    };
    // Where the other bits are not all alike, they may be part of the picture: the header may have said too few bits.
    let are_alike = out.len() - others_from <= usize::from(header.layout.samples) * 3;
    if !are_alike {
        let field = Field {
            bits: header.layout.bytes * 8,
            shift: 0,
            signed: header.field.signed,
        };
        let mut whole = Vec::new();
        if encode_as(&mut encoder, Header { field, ..header }, stripe, &mut whole).is_some()
            && whole.len() < out.len() - start
        {
            out.truncate(start);
            out.append(&mut whole);
        }
    }
    let is_smaller = out.len() - start < stripe.len();
    if !is_smaller {
        out.truncate(start);
    }
    is_smaller
}

/// Appends a stripe as this header says, but for the differences, and says where the other bits begin.
fn encode_as(encoder: &mut Encoder, mut header: Header, stripe: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let Header { layout, field, .. } = header;
    let width = usize::from(layout.width);
    let mut base = Vec::new();
    if layout.samples >= 3 {
        layout.gather(stripe, BASE, &mut base);
        base.iter_mut().for_each(|word| *word = field.value(*word));
    }
    let mut values = Vec::new();
    let mut planes = Vec::new();
    for sample in header.order() {
        layout.gather(stripe, sample, &mut values);
        values.iter_mut().for_each(|word| *word = field.value(*word));
        let flag = match sample {
            0 => FIRST_IS_DIFFERENCE,
            2 => THIRD_IS_DIFFERENCE,
            _ => 0,
        };
        if layout.samples >= 3 && flag != 0 && is_better_as_difference(encoder, &header, &values, &base) {
            header.differences |= flag;
            header.subtract(&mut values, &base);
        }
        if !plane::encode(encoder, width, &mut values, &mut planes) {
            return None;
        }
    }
    header.write(out);
    out.append(&mut planes);
    let others_from = out.len();
    if header.has_others() {
        for sample in header.order() {
            layout.gather(stripe, sample, &mut values);
            values
                .iter_mut()
                .for_each(|word| *word = field.others(*word, layout.bytes));
            if !plane::encode(encoder, width, &mut values, out) {
                return None;
            }
        }
    }
    Some(others_from)
}

/// Whether an eighth of the rows, from the middle of a plane, takes less as differences to the same rows of `base`.
fn is_better_as_difference(encoder: &mut Encoder, header: &Header, values: &[u16], base: &[u16]) -> bool {
    let (width, rows) = (usize::from(header.layout.width), usize::from(header.layout.rows));
    let tried = (rows / 8).max(16).min(rows);
    let range = (rows - tried) / 2 * width..((rows - tried) / 2 + tried) * width;
    let (Some(values), Some(base)) = (values.get(range.clone()), base.get(range)) else {
        return false;
    };
    let mut cost = |mut values: Vec<u16>| {
        let mut coded = Vec::new();
        plane::encode(encoder, width, &mut values, &mut coded).then_some(coded.len())
    };
    let plain = cost(values.to_vec());
    let mut differences = values.to_vec();
    header.subtract(&mut differences, base);
    cost(differences) < plain
}

/// The stripe of `original_len` bytes that [`encode`] made `encoded` of. Takes memory of at most ten times that length, and
/// of six where the stripe has many rows.
///
/// # Errors
/// Where these bytes are nothing that [`encode`] makes of a stripe of that length.
pub fn decode(encoded: &[u8], original_len: usize) -> Result<Vec<u8>, PixelError> {
    let (header, mut planes) = Header::read(encoded)?;
    let Header { layout, field, .. } = header;
    if layout.stripe_len() != original_len || encoded.len() >= original_len {
        return Err(PixelError::Length);
    }
    let (width, rows) = (usize::from(layout.width), usize::from(layout.rows));
    let mut stripe = vec![0; original_len];
    let (mut values, mut base) = (Vec::new(), Vec::new());
    for sample in header.order() {
        planes = plane::decode(planes, width, rows, &mut values)?;
        if header.is_difference(sample) {
            header.add(&mut values, &base);
        } else if header.differences != 0 && sample == BASE {
            base.clone_from(&values);
        }
        values
            .iter_mut()
            .for_each(|value| *value = field.word(*value & field.mask(), layout.bytes));
        layout.scatter(&values, sample, &mut stripe);
    }
    if header.has_others() {
        let mut words = Vec::new();
        for sample in header.order() {
            planes = plane::decode(planes, width, rows, &mut values)?;
            if values.iter().all(|others| *others == 0) {
                continue;
            }
            layout.gather(&stripe, sample, &mut words);
            words
                .iter_mut()
                .zip(&values)
                .for_each(|(word, others)| *word = field.with_others(*word, *others));
            layout.scatter(&words, sample, &mut stripe);
        }
    }
    if planes.is_empty() {
        Ok(stripe)
    } else {
        Err(PixelError::Trailing)
    }
}
