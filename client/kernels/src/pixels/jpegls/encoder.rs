//! Codes the samples of one scan (T.87, Annex A). What a sample's neighbourhood is depends on the samples alone, so a
//! row's gradients and predictions are worked out first, several at a time; what was learnt is applied after that.

use super::bits::BitWriter;
use super::model::{Model, low16, predict};
use super::parameters::Traits;

/// The rows that a neighbourhood is taken from, kept for the next scan.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// One sample before the row's first (what is left of it) and one behind its last (what is above and right of it).
    previous: Vec<u16>,
    current: Vec<u16>,
    /// Of each sample, the signed number of its neighbourhood.
    numbers: Vec<i16>,
    /// Of each sample, the prediction before correction.
    predictions: Vec<u16>,
}

impl Rows {
    fn start(&mut self, width: usize) {
        for row in [&mut self.previous, &mut self.current] {
            row.clear();
            row.resize(width + 2, 0);
        }
        self.numbers.resize(width, 0);
        self.predictions.resize(width, 0);
    }

    fn take(&mut self, row: &[u16], traits: &Traits) {
        std::mem::swap(&mut self.previous, &mut self.current);
        let width = row.len();
        if let Some(inner) = self.current.get_mut(1..=width) {
            inner.copy_from_slice(row);
        }
        self.current[0] = self.previous[1];
        self.previous[width + 1] = self.previous[width];
        let neighbours = self.current.iter().zip(self.previous.windows(3));
        let results = self.numbers.iter_mut().zip(self.predictions.iter_mut());
        for ((number, prediction), (left, above)) in results.zip(neighbours) {
            let left = i32::from(*left);
            let [corner, above, right] = [above[0], above[1], above[2]].map(i32::from);
            *number = low16(
                81 * traits.class(right - above) + 9 * traits.class(above - corner) + traits.class(corner - left),
            )
            .cast_signed();
            *prediction = low16(predict(left, above, corner));
        }
    }
}

/// Codes `samples`, rows of `width`, none larger than the traits' maximum.
pub(super) fn encode_scan(traits: &Traits, width: usize, samples: &[u16], rows: &mut Rows, out: &mut BitWriter) {
    let mut model = Model::new(*traits);
    rows.start(width);
    for row in samples.chunks_exact(width) {
        rows.take(row, traits);
        // No code word is longer than 64 bits; a run's parts are shorter than the samples that they stand for.
        out.reserve(width * 8 + 64);
        encode_row(&mut model, rows, row, out);
    }
}

fn encode_row(model: &mut Model, rows: &Rows, row: &[u16], out: &mut BitWriter) {
    let traits = model.traits;
    let width = row.len();
    let (Some(numbers), Some(predictions)) = (rows.numbers.get(..width), rows.predictions.get(..width)) else {
        return;
    };
    let mut x = 0;
    while x < width {
        let number = i32::from(numbers[x]);
        if number == 0 {
            x += encode_run(model, rows, x, row, out);
            continue;
        }
        let sign = number >> 31;
        let context = model.context(((number ^ sign) - sign).cast_unsigned());
        let corrected = i32::from(predictions[x]) + ((i32::from(context.correction) ^ sign) - sign);
        let difference = i32::from(row[x]) - corrected.clamp(0, traits.max);
        let difference = traits.wrap((difference ^ sign) - sign);
        let k = u32::from(context.k);
        let code = ((difference << 1) ^ (difference >> 31)) ^ i32::from(context.swap);
        context.learn(difference, traits.reset);
        put_code(&traits, code.cast_unsigned(), k, traits.limit, out);
        x += 1;
    }
}

/// Writes a number by the Golomb code of limited length (A.5.3).
#[inline(always)]
fn put_code(traits: &Traits, number: u32, k: u32, limit: u32, out: &mut BitWriter) {
    let zeros = number >> k;
    let length = zeros + 1 + k;
    if zeros < limit - traits.plain_bits - 1 && length <= 56 {
        let low = number & ((1 << k) - 1);
        out.put(u64::from((1 << k) | low), length);
    } else {
        put_long_code(traits, number, k, limit, out);
    }
}

#[cold]
fn put_long_code(traits: &Traits, number: u32, k: u32, limit: u32, out: &mut BitWriter) {
    let zeros = number >> k;
    let most = limit - traits.plain_bits - 1;
    if zeros < most {
        out.put_zeros(zeros);
        out.put(u64::from((1 << k) | (number & ((1 << k) - 1))), k + 1);
    } else {
        out.put_zeros(most);
        out.put(1, 1);
        out.put(
            u64::from((number - 1) & ((1 << traits.plain_bits) - 1)),
            traits.plain_bits,
        );
    }
}

/// Codes a run of equal samples from `x` on and the sample that ends it (A.7); says how many samples these are.
fn encode_run(model: &mut Model, rows: &Rows, x: usize, row: &[u16], out: &mut BitWriter) -> usize {
    let left = rows.current[x];
    let rest = row.get(x..).unwrap_or_default();
    let run = rest.iter().position(|sample| *sample != left).unwrap_or(rest.len());
    let mut uncoded = run;
    while uncoded >= 1 << model.run_bits() {
        out.put(1, 1);
        uncoded -= 1 << model.run_bits();
        model.longer_runs();
    }
    let Some(sample) = rest.get(run).copied() else {
        // The row ends before the run does.
        if uncoded > 0 {
            out.put(1, 1);
        }
        return run;
    };
    let run_bits = model.run_bits();
    out.put(uncoded as u64, run_bits + 1);
    let traits = model.traits;
    let above = rows.previous[x + run + 1];
    let (left, above, sample) = (i32::from(left), i32::from(above), i32::from(sample));
    let equal = left == above;
    let difference = if left > above { above - sample } else { sample - above };
    let difference = traits.wrap(difference);
    let end = model.end(equal);
    let k = end.k();
    let number = end.number_of(difference, k);
    end.learn(difference, number, traits.reset);
    put_code(&traits, number.cast_unsigned(), k, traits.limit - run_bits - 1, out);
    model.shorter_runs();
    run + 1
}
