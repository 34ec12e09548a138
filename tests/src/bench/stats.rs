//! The middle and the ends of several runs. The median is what is reported: a run during which the machine did something
//! else moves it little.

use serde::{Deserialize, Serialize};

/// What several runs gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// How many.
    pub n: usize,
    /// The middle one, or the mean of the two that are.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Runs {
    /// Of no run there is nothing to say.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let n = values.len();
        let (below, above) = (values.get((n - 1) / 2)?, values.get(n / 2)?);
        Some(Self {
            n,
            median: f64::midpoint(*below, *above),
            min,
            max,
        })
    }
}

/// How fast several things are that must be done one after the other to the same bytes.
#[must_use]
pub fn one_after_the_other(rates: &[f64]) -> f64 {
    1.0 / rates.iter().map(|rate| 1.0 / rate).sum::<f64>()
}

/// With so many significant digits, as tables and JSON have it.
#[must_use]
pub fn rounded(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    #[allow(clippy::cast_possible_truncation, reason = "the logarithm of a float is small")]
    let scale = 10_f64.powi(digits - 1 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_runs_in_any_order() {
        let runs = Runs::of([5.0, 1.0, 9.0]).unwrap();
        assert_eq!((runs.n, runs.min, runs.median, runs.max), (3, 1.0, 5.0, 9.0));
        assert_eq!(Runs::of([4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Runs::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Runs::of([]), None);
    }

    #[test]
    fn one_slow_run_moves_the_median_little() {
        let quiet = Runs::of([10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0]).unwrap();
        let disturbed = Runs::of([10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 0.1]).unwrap();
        assert!((quiet.median - disturbed.median).abs() < 0.11);
    }

    #[test]
    fn steps_that_follow_each_other_are_slower_than_the_slowest() {
        assert!((one_after_the_other(&[2.0, 2.0]) - 1.0).abs() < 1e-12);
        assert!((one_after_the_other(&[9.9, 3.5]) - 2.586).abs() < 0.001);
    }

    #[test]
    fn figures_are_rounded_by_their_significant_digits() {
        assert_eq!(rounded(1234.5, 3), 1230.0);
        assert_eq!(rounded(0.012_345, 3), 0.0123);
        assert_eq!(rounded(0.0, 3), 0.0);
    }
}
