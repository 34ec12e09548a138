//! Reads the samples of one scan (T.87, Annex A). The bytes may be anybody's: whatever they are, this ends with as many
//! samples as were asked for or with an error.

use super::StreamError;
use super::bits::BitReader;
use super::model::{Model, low16, predict};
use super::parameters::Traits;

/// Appends `rows` rows of `width` samples to `samples`, none larger than the traits' maximum.
pub(super) fn decode_scan(
    traits: &Traits,
    width: usize,
    rows: usize,
    bits: &mut BitReader<'_>,
    samples: &mut Vec<u16>,
) -> Result<(), StreamError> {
    let mut model = Model::new(*traits);
    let mut previous = vec![0_u16; width + 2];
    let mut current = vec![0_u16; width + 2];
    let mut numbers = vec![0_i16; width];
    for _ in 0..rows {
        current[0] = previous[1];
        previous[width + 1] = previous[width];
        for (number, above) in numbers.iter_mut().zip(previous.windows(3)) {
            let [corner, above, right] = [above[0], above[1], above[2]].map(i32::from);
            *number = low16(81 * traits.class(right - above) + 9 * traits.class(above - corner)).cast_signed();
        }
        decode_row(&mut model, &previous, &mut current, &numbers, bits)?;
        if bits.is_overdrawn() {
            return Err(StreamError::Short);
        }
        samples.extend_from_slice(current.get(1..=width).unwrap_or_default());
        std::mem::swap(&mut previous, &mut current);
    }
    Ok(())
}

fn decode_row(
    model: &mut Model,
    previous: &[u16],
    current: &mut [u16],
    numbers: &[i16],
    bits: &mut BitReader<'_>,
) -> Result<(), StreamError> {
    let traits = model.traits;
    let width = numbers.len();
    let (Some(previous), Some(current)) = (previous.get(..width + 2), current.get_mut(..width + 2)) else {
        return Err(StreamError::Short);
    };
    let mut left = i32::from(current[0]);
    let mut x = 0;
    let mut wrong = 0;
    while x < width {
        let (corner, above) = (i32::from(previous[x]), i32::from(previous[x + 1]));
        let number = i32::from(numbers[x]) + traits.class(corner - left);
        if number == 0 {
            x += decode_run(model, previous, current, x, bits)?;
            left = i32::from(current[x.min(width)]);
            continue;
        }
        let sign = number >> 31;
        let context = model.context(((number ^ sign) - sign).cast_unsigned());
        let corrected = predict(left, above, corner) + ((i32::from(context.correction) ^ sign) - sign);
        let code = take_code(&traits, u32::from(context.k), traits.limit, bits)? ^ i32::from(context.swap);
        let difference = (code >> 1) ^ -(code & 1);
        context.learn(difference, traits.reset);
        let sample = traits.unwrap(corrected.clamp(0, traits.max) + ((difference ^ sign) - sign));
        wrong |= sample | (traits.max - sample);
        left = sample;
        x += 1;
        current[x] = low16(sample);
    }
    // Negative if one of the samples was, or was above the maximum.
    if wrong < 0 { Err(StreamError::Sample) } else { Ok(()) }
}

/// Reads a number of the Golomb code of limited length (A.5.3).
#[inline(always)]
fn take_code(traits: &Traits, k: u32, limit: u32, bits: &mut BitReader<'_>) -> Result<i32, StreamError> {
    bits.fill();
    let word = bits.peek();
    let zeros = word.leading_zeros();
    // At most 31 zeros, a one and 17 bits: what one filling holds.
    if zeros < 32 && zeros < limit - traits.plain_bits - 1 {
        let low = ((word << (zeros + 1)) >> 32) >> (32 - k);
        bits.skip(zeros + 1 + k);
        let number = (u64::from(zeros) << k) | low;
        return i32::try_from(number).map_err(|_| StreamError::Code);
    }
    take_long_code(traits, k, limit, bits)
}

#[cold]
fn take_long_code(traits: &Traits, k: u32, limit: u32, bits: &mut BitReader<'_>) -> Result<i32, StreamError> {
    let most = limit - traits.plain_bits - 1;
    let zeros = bits.take_zeros(most).ok_or(StreamError::Code)?;
    let number = if zeros < most {
        (zeros << k) | bits.take(k)
    } else {
        bits.take(traits.plain_bits) + 1
    };
    i32::try_from(number).map_err(|_| StreamError::Code)
}

/// Reads a run of equal samples from `x` on and the sample that ends it (A.7); says how many samples these are.
fn decode_run(
    model: &mut Model,
    previous: &[u16],
    current: &mut [u16],
    x: usize,
    bits: &mut BitReader<'_>,
) -> Result<usize, StreamError> {
    let left = current[x];
    // The samples of this row from `x` on.
    let width = current.len() - 2;
    let rest = current.get_mut(x + 1..=width).unwrap_or_default();
    let mut run = 0;
    while run < rest.len() && bits.take(1) == 1 {
        let full = 1 << model.run_bits();
        if full <= rest.len() - run {
            run += full;
            model.longer_runs();
        } else {
            run = rest.len();
        }
    }
    if run == rest.len() {
        rest.fill(left);
        return Ok(run);
    }
    let run_bits = model.run_bits();
    run += bits.take(run_bits) as usize;
    if run >= rest.len() {
        return Err(StreamError::Run);
    }
    let (Some(above), Some(same)) = (previous.get(x + run + 1), rest.get_mut(..run)) else {
        return Err(StreamError::Run);
    };
    same.fill(left);
    let traits = model.traits;
    let (left, above) = (i32::from(left), i32::from(*above));
    let end = model.end(left == above);
    let k = end.k();
    let number = take_code(&traits, k, traits.limit - run_bits - 1, bits)?;
    let difference = end.difference_of(number, k);
    end.learn(difference, number, traits.reset);
    model.shorter_runs();
    let sample = traits.unwrap(if left > above {
        above - difference
    } else {
        above + difference
    });
    if !(0..=traits.max).contains(&sample) {
        return Err(StreamError::Sample);
    }
    current[x + run + 1] = low16(sample);
    Ok(run + 1)
}
