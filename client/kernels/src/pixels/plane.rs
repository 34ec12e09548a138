//! One plane of 16-bit values, made as small in range as it is before JPEG-LS codes it: counted from the smallest value,
//! in steps of their common divisor. A plane of one value is that value.

use super::PixelError;
use super::jpegls::{self, Encoder, Parameters};

/// The plane has one value, which follows.
const FLAT: u8 = 0;
/// The smallest value and the step follow, then a JPEG-LS stream.
const CODED: u8 = 1;

/// Appends a plane, rows of `width`. The values are spent.
pub(super) fn encode(encoder: &mut Encoder, width: usize, values: &mut [u16], out: &mut Vec<u8>) -> bool {
    let (smallest, largest) = values
        .iter()
        .fold((u16::MAX, 0), |(low, high), v| (low.min(*v), high.max(*v)));
    if smallest >= largest {
        out.push(FLAT);
        out.extend_from_slice(&smallest.to_le_bytes());
        return !values.is_empty();
    }
    let step = common_divisor(values, smallest);
    if step == 1 {
        values.iter_mut().for_each(|value| *value -= smallest);
    } else {
        values.iter_mut().for_each(|value| *value = (*value - smallest) / step);
    }
    out.push(CODED);
    out.extend_from_slice(&smallest.to_le_bytes());
    out.extend_from_slice(&step.to_le_bytes());
    // All values of so many bits, at least two: what needs no segment for its parameters. Readers in wide use mistake
    // other maxima.
    let range = ((largest - smallest) / step).max(3);
    let parameters = Parameters::of_max(u16::MAX >> range.leading_zeros());
    encoder.encode(&parameters, width, values, out)
}

/// The largest step in which all values can be counted from the smallest.
fn common_divisor(values: &[u16], smallest: u16) -> u16 {
    let mut step = 0;
    for value in values {
        let (mut a, mut b) = (step, value - smallest);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        step = a;
        if step == 1 {
            break;
        }
    }
    step.max(1)
}

/// Reads the plane that `coded` begins with into `values`, in place of what is there. Gives what comes behind it.
pub(super) fn decode<'a>(
    coded: &'a [u8],
    width: usize,
    rows: usize,
    values: &mut Vec<u16>,
) -> Result<&'a [u8], PixelError> {
    match coded {
        [FLAT, a, b, rest @ ..] => {
            values.clear();
            values.resize(width * rows, u16::from_le_bytes([*a, *b]));
            Ok(rest)
        }
        [CODED, a, b, c, d, stream @ ..] => {
            let (smallest, step) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
            let length = jpegls::decode(stream, width, rows, values)?;
            if step == 1 {
                values
                    .iter_mut()
                    .for_each(|value| *value = value.wrapping_add(smallest));
            } else {
                values
                    .iter_mut()
                    .for_each(|value| *value = value.wrapping_mul(step).wrapping_add(smallest));
            }
            Ok(stream.get(length..).unwrap_or_default())
        }
        _ => Err(PixelError::Header),
    }
}
