//! `sum_over_time`, `avg_over_time`, `stddev_over_time`, `stdvar_over_time`: compensated sums over each range.

use std::array::from_fn;
use std::sync::Arc;

use prom_model::{FloatHistogram, IncompatibleBuckets, neumaier_add};

use super::RangeFunction;
use super::exact::ExactSums;
use super::lanes::{Eight, Running, add_compensated, each_range};
use super::window::{Window, put_floats, say_if_ignored, windows};
use crate::exec::histogram_sum::{HistogramSum, Mean};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Annotation, Column, QueryError};

/// `sum_over_time` and `avg_over_time`
pub(super) struct Sum {
    /// Whether it is the mean.
    pub(super) is_mean: bool,
}

impl RangeFunction for Sum {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        if series.windows.histograms.is_empty() {
            self.floats(series, out);
            return Ok(());
        }
        for (step, window) in windows(series, args) {
            if window.is_mixed() {
                series.annotations.add(Annotation::mixed_floats_histograms(series.metric, args.range_span));
            } else if !window.values.is_empty() {
                out.set_float(step, if self.is_mean { mean(window.values) } else { sum(window.values) });
            } else if let Some(value) = self.histograms(window, series, args) {
                out.set_histogram(step, Arc::new(value));
            }
        }
        Ok(())
    }
}

/// From how many samples of all ranges per sample of the series on sums from the start are worth it.
const SUMMED_MIN: usize = 4;

impl Sum {
    fn floats(&self, series: &RangeSeries<'_>, out: &mut Column) {
        let (values, windows) = (series.samples.values.as_slice(), series.windows.floats.as_slice());
        let walked: usize = windows.iter().map(|(from, to)| (to - from) as usize).sum();
        let exact =
            if walked / SUMMED_MIN > values.len() { ExactSums::of(values.iter().copied()) } else { None };
        if let Some(sums) = exact {
            put_floats(windows, out, |_, from, to| {
                let sum = sums.between(from, to);
                // Nothing was lost; the 0 that is divided and added decides about the sign of a zero.
                Some(if self.is_mean { sum / (to - from) as f64 + 0.0 } else { sum + 0.0 })
            });
            return;
        }
        each_range::<Adding, Eight, 2, 8>(
            series.control,
            windows,
            values,
            |_| (),
            |step, values, [total, lost]| {
                let value = match (self.is_mean, total.is_finite()) {
                    (true, true) => {
                        let count = values.len() as f64;
                        total / count + lost / count
                    }
                    // It may have overflowed on the way.
                    (true, false) => mean(values),
                    (false, _) if total.is_infinite() => total,
                    (false, _) => total + lost,
                };
                out.set_float(step, value);
            },
        );
    }
}

/// A compensated sum.
struct Adding;

impl Running<2> for Adding {
    type Sample = f64;
    type Context = ();

    #[inline(always)]
    fn add<const N: usize, const CAREFUL: bool>(
        [sums, lost]: &mut [[f64; N]; 2],
        _: &[(); N],
        _: f64,
        values: [f64; N],
    ) {
        add_compensated::<N, CAREFUL>(values, sums, lost);
    }
}

fn sum(values: &[f64]) -> f64 {
    let (sum, compensation) =
        values.iter().fold((0.0, 0.0), |(sum, compensation), value| neumaier_add(*value, sum, compensation));
    if sum.is_infinite() { sum } else { sum + compensation }
}

/// The sum divided, or, where the sum would overflow, a running mean from there on.
fn mean(values: &[f64]) -> f64 {
    let Some((first, rest)) = values.split_first() else { return f64::NAN };
    let (mut value, mut compensation, mut count) = (*first, 0.0, 1.0);
    let mut is_mean = false;
    for next in rest {
        count += 1.0;
        if !is_mean {
            let (sum, lost) = neumaier_add(*next, value, compensation);
            if !sum.is_infinite() {
                (value, compensation) = (sum, lost);
                continue;
            }
            is_mean = true;
            value /= count - 1.0;
            compensation /= count - 1.0;
        }
        let part = (count - 1.0) / count;
        (value, compensation) = neumaier_add(next / count, part * value, part * compensation);
    }
    if is_mean { value + compensation } else { value / count + compensation / count }
}

impl Sum {
    fn histograms(
        &self,
        window: Window<'_>,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
    ) -> Option<FloatHistogram> {
        let (first, rest) = window.histograms.split_first()?;
        let mut sum = HistogramSum::of(first);
        match self.add_up(&mut sum, rest) {
            Err(IncompatibleBuckets) => {
                series.annotations.add(Annotation::mixed_exponential_custom(series.metric, args.range_span));
                None
            }
            Ok(reconciled) => {
                if sum.hints_collide() {
                    let note = Annotation::counter_reset_collision("aggregation", args.range_span);
                    series.annotations.add(note);
                }
                let (value, also) = sum.total(self.mean_of(window.histograms.len())).ok()?;
                if reconciled || also {
                    let note = Annotation::mismatched_custom_buckets("aggregation", args.range_span);
                    series.annotations.add(note);
                }
                Some(value)
            }
        }
    }

    fn mean_of(&self, samples: usize) -> Mean {
        if self.is_mean { Mean::Of { count: samples as f64 } } else { Mean::No }
    }

    /// Adds all; says whether custom bounds had to be reconciled.
    fn add_up(
        &self,
        sum: &mut HistogramSum,
        rest: &[Arc<FloatHistogram>],
    ) -> Result<bool, IncompatibleBuckets> {
        let mut reconciled = false;
        for (before, histogram) in rest.iter().enumerate() {
            reconciled |= sum.add(histogram, self.mean_of(before + 2))?;
        }
        Ok(reconciled)
    }
}

/// `stddev_over_time` and `stdvar_over_time`
pub(super) struct Variance {
    /// Whether it is the deviation.
    pub(super) is_root: bool,
}

impl RangeFunction for Variance {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let (values, windows) = (&series.samples.values, &series.windows.floats);
        each_range::<Spreading, Eight, 4, 8>(
            series.control,
            windows,
            values,
            |_| (),
            |step, values, [_, _, squares, lost]| {
                let variance = (squares + lost) / values.len() as f64;
                out.set_float(step, if self.is_root { variance.sqrt() } else { variance });
            },
        );
        say_if_ignored(series, args.range_span);
        Ok(())
    }
}

/// A running mean, and the sum of squared distances to it.
struct Spreading;

impl Running<4> for Spreading {
    type Sample = f64;
    type Context = ();

    #[inline(always)]
    fn add<const N: usize, const CAREFUL: bool>(
        [mean, mean_lost, squares, squares_lost]: &mut [[f64; N]; 4],
        _: &[(); N],
        count: f64,
        values: [f64; N],
    ) {
        let distances: [f64; N] = from_fn(|lane| values[lane] - (mean[lane] + mean_lost[lane]));
        add_compensated::<N, CAREFUL>(distances.map(|distance| distance / count), mean, mean_lost);
        let squared = from_fn(|lane| distances[lane] * (values[lane] - (mean[lane] + mean_lost[lane])));
        add_compensated::<N, CAREFUL>(squared, squares, squares_lost);
    }
}
