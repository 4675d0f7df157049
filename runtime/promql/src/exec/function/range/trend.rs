//! `deriv`, `predict_linear` and `double_exponential_smoothing`.

use super::RangeFunction;
use super::window::{Window, say_ignored, windows};
use crate::exec::aggregate::kahan_add;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `deriv` and `predict_linear`
pub(super) struct Line {
    /// Whether the value ahead is wanted, not the slope.
    pub(super) is_prediction: bool,
}

impl RangeFunction for Line {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        of_two_floats(series, args, out, |step, window| {
            Ok(if self.is_prediction {
                let (slope, intercept) = regression(window, args.steps.time(step));
                slope * args.param(0, step) + intercept
            } else {
                // A time near the samples keeps the digits.
                regression(window, window.times.first().copied().unwrap_or(0)).0
            })
        })
    }
}

/// The straight line through the samples by least squares: its slope, and its value at a time.
fn regression(window: Window<'_>, at: i64) -> (f64, f64) {
    let first = window.values.first().copied().unwrap_or(f64::NAN);
    let (mut x_sum, mut y_sum, mut xy_sum, mut x2_sum) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
    let mut count = 0.0;
    let mut is_constant = true;
    let add = |sum: &mut (f64, f64), value: f64| *sum = kahan_add(value, sum.0, sum.1);
    for (index, (time, y)) in window.times.iter().zip(window.values).enumerate() {
        is_constant &= index == 0 || *y == first;
        count += 1.0;
        let x = (time - at) as f64 / 1e3;
        add(&mut x_sum, x);
        add(&mut y_sum, *y);
        add(&mut xy_sum, x * y);
        add(&mut x2_sum, x * x);
    }
    if is_constant {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let [x, y, xy, x2] = [x_sum, y_sum, xy_sum, x2_sum].map(|(sum, lost)| sum + lost);
    let covariance = xy - x * y / count;
    let variance = x2 - x * x / count;
    let slope = covariance / variance;
    (slope, y / count - slope * x / count)
}

/// `double_exponential_smoothing`
pub(super) struct Smoothing;

impl RangeFunction for Smoothing {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        // The factors are judged at each range with samples, also with too few.
        for (step, _) in windows(series, args) {
            check_factor("smoothing factor. Expected: 0 < sf < 1", args.param(0, step))?;
            check_factor("trend factor. Expected: 0 < tf < 1", args.param(1, step))?;
        }
        of_two_floats(series, args, out, |step, window| {
            let (smoothing, trend_factor) = (args.param(0, step), args.param(1, step));
            let [first, second, ..] = window.values else { return Ok(f64::NAN) };
            let (mut before, mut smoothed, mut trend) = (0.0, *first, second - first);
            for (index, value) in window.values.iter().skip(1).enumerate() {
                let scaled = smoothing * value;
                if index > 0 {
                    trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
                }
                let along = (1.0 - smoothing) * (smoothed + trend);
                (before, smoothed) = (smoothed, scaled + along);
            }
            Ok(smoothed)
        })
    }
}

fn check_factor(what: &str, factor: f64) -> Result<(), QueryError> {
    if factor <= 0.0 || factor >= 1.0 {
        return Err(QueryError::execution(format!("invalid {what}, got: {factor:.6}")));
    }
    Ok(())
}

/// Evaluates ranges of at least two floats; says so where histograms are left out, also beside a single float.
fn of_two_floats(
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
    out: &mut Column,
    function: impl Fn(usize, Window<'_>) -> Result<f64, QueryError>,
) -> Result<(), QueryError> {
    let mut ignored = false;
    for (step, window) in windows(series, args) {
        ignored |= window.is_mixed();
        if window.values.len() >= 2 {
            out.set_float(step, function(step, window)?);
        }
    }
    if ignored {
        say_ignored(series, args);
    }
    Ok(())
}
