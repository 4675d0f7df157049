//! `deriv`, `predict_linear` and `double_exponential_smoothing`.

mod regular;

use std::array::from_fn;

use super::RangeFunction;
use super::lanes::{Eight, Running, Two, add_compensated, careful, each_range};
use super::window::{say_if_ignored, windows};
use crate::control::Breaks;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `deriv` and `predict_linear`
pub(super) struct Line {
    /// Whether the value ahead is wanted, not the slope.
    pub(super) is_prediction: bool,
}

/// Ranges that are asked together whether their samples lie at the same places.
const PIECE: usize = 64;

/// Sums over a range: of times (seconds from an origin), values, their products and squared times; each with what it lost.
type Sums = [f64; 8];

impl RangeFunction for Line {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let (times, values) = (series.samples.timestamps.as_slice(), series.samples.values.as_slice());
        let windows = series.windows.floats.as_slice();
        let constant_from = starts_of_runs(values);
        let mut done = |step: usize, (from, to): (u32, u32), sums: Sums| {
            let is_constant = constant_from.get(to as usize - 1).is_some_and(|start| *start <= from);
            let first = values.get(from as usize).copied().unwrap_or(f64::NAN);
            let (slope, intercept) = match (is_constant, first.is_infinite()) {
                (true, true) => (f64::NAN, f64::NAN),
                (true, false) => (0.0, first),
                (false, _) => line(sums, f64::from(to - from)),
            };
            let value = if self.is_prediction { slope * args.param(0, step) + intercept } else { slope };
            out.set_float(step, value);
        };
        // A time near the samples keeps the digits.
        let near = |step: usize| windows.get(step).and_then(|window| times.get(window.0 as usize));
        let origin = |step: usize| {
            if self.is_prediction { args.steps.time(step) } else { near(step).copied().unwrap_or(0) }
        };
        let mut others = windows.to_vec();
        let samples = |from: u32, to: u32| -> Vec<(i64, f64)> {
            let range = from as usize..to as usize;
            let (times, values) = (times.get(range.clone()).unwrap_or(&[]), values.get(range).unwrap_or(&[]));
            times.iter().copied().zip(values.iter().copied()).collect()
        };
        // With `@`, steps move away from their range.
        if !(self.is_prediction && args.once) {
            let mut breaks = Breaks::new(series.control);
            for piece in series.windows.paces(args.reach()).iter().flat_map(|pace| pace.pieces(PIECE)) {
                let is_done = regular::sums(
                    piece,
                    (times, values),
                    origin(piece.step),
                    &mut breaks,
                    |step, range, sums| {
                        let finite = sums.iter().all(|sum| sum.is_finite());
                        let again = || careful::<Fitting, 8>(&samples(range.0, range.1), origin(step));
                        done(step, range, if finite { sums } else { again() });
                    },
                );
                if is_done {
                    others.iter_mut().skip(piece.step).take(piece.steps).for_each(|window| *window = (0, 0));
                }
            }
        }
        if others.iter().any(|(from, to)| from < to) {
            let samples = samples(0, u32::try_from(values.len()).unwrap_or(u32::MAX));
            each_range::<Fitting, Two, 8, 2>(series.control, &others, &samples, origin, |step, _, sums| {
                if let Some(range) = windows.get(step).filter(|(from, to)| to - from >= 2) {
                    done(step, *range, sums);
                }
            });
        }
        say_if_ignored(series, args.range_span);
        Ok(())
    }
}

/// For each value where the values equal to it, without another in between, begin.
fn starts_of_runs(values: &[f64]) -> Vec<u32> {
    let mut before: Option<(f64, u32)> = None;
    let runs = (0..).zip(values).map(|(at, value)| {
        let start = before.filter(|(before, _)| before == value).map_or(at, |(_, start)| start);
        before = Some((*value, start));
        start
    });
    runs.collect()
}

/// All [`Sums`], sample by sample.
struct Fitting;

impl Running<8> for Fitting {
    type Sample = (i64, f64);
    type Context = i64;

    #[inline(always)]
    fn add<const N: usize, const CAREFUL: bool>(
        [x, x_lost, y, y_lost, xy, xy_lost, x2, x2_lost]: &mut [[f64; N]; 8],
        origins: &[i64; N],
        _: f64,
        samples: [(i64, f64); N],
    ) {
        let times: [f64; N] = from_fn(|lane| samples[lane].0.wrapping_sub(origins[lane]) as f64 / 1e3);
        let values = samples.map(|(_, value)| value);
        add_compensated::<N, CAREFUL>(times, x, x_lost);
        add_compensated::<N, CAREFUL>(values, y, y_lost);
        add_compensated::<N, CAREFUL>(from_fn(|lane| times[lane] * values[lane]), xy, xy_lost);
        add_compensated::<N, CAREFUL>(times.map(|time| time * time), x2, x2_lost);
    }
}

/// The straight line of least squares: its slope, and its value at the origin.
fn line([x, x_lost, y, y_lost, xy, xy_lost, x2, x2_lost]: Sums, count: f64) -> (f64, f64) {
    let (x, y, xy, x2) = (x + x_lost, y + y_lost, xy + xy_lost, x2 + x2_lost);
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
        let factors = |step: usize| (args.param(0, step), args.param(1, step));
        let (values, windows) = (&series.samples.values, &series.windows.floats);
        each_range::<Smooth, Eight, 3, 8>(
            series.control,
            windows,
            values,
            factors,
            |step, range, [_, smoothed, _]| {
                if range.len() >= 2 {
                    out.set_float(step, smoothed);
                }
            },
        );
        say_if_ignored(series, args.range_span);
        Ok(())
    }
}

/// The smoothed value before the last, the last, and the trend.
struct Smooth;

impl Running<3> for Smooth {
    type Sample = f64;
    type Context = (f64, f64);

    #[inline(always)]
    fn add<const N: usize, const CAREFUL: bool>(
        [before, smoothed, trend]: &mut [[f64; N]; 3],
        factors: &[(f64, f64); N],
        count: f64,
        values: [f64; N],
    ) {
        if count == 1.0 {
            *smoothed = values;
            return;
        }
        for lane in 0..N {
            let ((smoothing, trending), value) = (factors[lane], values[lane]);
            trend[lane] = if count == 2.0 {
                value - smoothed[lane]
            } else {
                trending * (smoothed[lane] - before[lane]) + (1.0 - trending) * trend[lane]
            };
            let scaled = smoothing * value;
            let along = (1.0 - smoothing) * (smoothed[lane] + trend[lane]);
            (before[lane], smoothed[lane]) = (smoothed[lane], scaled + along);
        }
    }
}

fn check_factor(what: &str, factor: f64) -> Result<(), QueryError> {
    if factor <= 0.0 || factor >= 1.0 {
        let factor = if factor.is_infinite() { prom_model::go_float(factor) } else { format!("{factor:.6}") };
        return Err(QueryError::execution(format!("invalid {what}, got: {factor}")));
    }
    Ok(())
}
