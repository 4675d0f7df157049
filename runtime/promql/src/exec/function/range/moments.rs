//! `sum_over_time`, `avg_over_time`, `stddev_over_time`, `stdvar_over_time`: compensated sums over each range.

use std::sync::Arc;

use prom_model::{Added, CounterResetHint, FloatHistogram, IncompatibleBuckets};

use super::RangeFunction;
use super::window::{Window, of_floats, windows};
use crate::exec::aggregate::kahan_add;
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

fn sum(values: &[f64]) -> f64 {
    let (sum, compensation) =
        values.iter().fold((0.0, 0.0), |(sum, compensation), value| kahan_add(*value, sum, compensation));
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
            let (sum, lost) = kahan_add(*next, value, compensation);
            if !sum.is_infinite() {
                (value, compensation) = (sum, lost);
                continue;
            }
            is_mean = true;
            value /= count - 1.0;
            compensation /= count - 1.0;
        }
        let part = (count - 1.0) / count;
        (value, compensation) = kahan_add(next / count, part * value, part * compensation);
    }
    if is_mean { value + compensation } else { value / count + compensation / count }
}

/// What is said of the histograms of a range.
#[derive(Default)]
struct Notes {
    saw_reset: bool,
    saw_no_reset: bool,
    reconciled: bool,
}

impl Notes {
    fn hint(&mut self, histogram: &FloatHistogram) {
        self.saw_reset |= histogram.counter_reset_hint == CounterResetHint::CounterReset;
        self.saw_no_reset |= histogram.counter_reset_hint == CounterResetHint::NotCounterReset;
    }

    fn added(&mut self, added: Added) {
        self.reconciled |= added.bounds_reconciled;
    }
}

impl Sum {
    fn histograms(
        &self,
        window: Window<'_>,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
    ) -> Option<FloatHistogram> {
        let mut notes = Notes::default();
        let result = if self.is_mean {
            histogram_mean(window.histograms, &mut notes)
        } else {
            histogram_sum(window.histograms, &mut notes)
        };
        match result {
            Err(IncompatibleBuckets) => {
                series.annotations.add(Annotation::mixed_exponential_custom(series.metric, args.range_span));
                None
            }
            Ok(value) => {
                if notes.saw_reset && notes.saw_no_reset {
                    series
                        .annotations
                        .add(Annotation::counter_reset_collision("aggregation", args.range_span));
                }
                if notes.reconciled {
                    let note = Annotation::mismatched_custom_buckets("aggregation", args.range_span);
                    series.annotations.add(note);
                }
                value
            }
        }
    }
}

fn histogram_sum(
    histograms: &[Arc<FloatHistogram>],
    notes: &mut Notes,
) -> Result<Option<FloatHistogram>, IncompatibleBuckets> {
    let Some((first, rest)) = histograms.split_first() else { return Ok(None) };
    let mut sum = FloatHistogram::clone(first);
    notes.hint(first);
    let mut compensation = None;
    for histogram in rest {
        notes.hint(histogram);
        notes.added(sum.kahan_add(histogram, &mut compensation)?);
    }
    if let Some(compensation) = compensation {
        notes.added(sum.add(&compensation)?);
    }
    Ok(Some(sum))
}

fn histogram_mean(
    histograms: &[Arc<FloatHistogram>],
    notes: &mut Notes,
) -> Result<Option<FloatHistogram>, IncompatibleBuckets> {
    let Some((first, rest)) = histograms.split_first() else { return Ok(None) };
    let mut value = FloatHistogram::clone(first);
    notes.hint(first);
    let mut compensation: Option<FloatHistogram> = None;
    let (mut count, mut is_mean) = (1.0, false);
    for histogram in rest {
        notes.hint(histogram);
        count += 1.0;
        if !is_mean {
            let (mut sum, mut lost) = (value.clone(), compensation.clone());
            notes.added(sum.kahan_add(histogram, &mut lost)?);
            if !sum.has_overflow() {
                (value, compensation) = (sum, lost);
                continue;
            }
            is_mean = true;
            value.div(count - 1.0);
            if let Some(lost) = &mut compensation {
                lost.div(count - 1.0);
            }
        }
        let part = (count - 1.0) / count;
        if let Some(lost) = &mut compensation {
            lost.mul(part);
        }
        let mut added = FloatHistogram::clone(histogram);
        added.div(count);
        value.mul(part);
        notes.added(value.kahan_add(&added, &mut compensation)?);
    }
    if !is_mean {
        value.div(count);
    }
    if let Some(mut lost) = compensation {
        if !is_mean {
            lost.div(count);
        }
        value.add(&lost)?;
    }
    Ok(Some(value))
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
        of_floats(series, args, out, |_, window| {
            let (mut count, mut mean, mut mean_lost, mut squares, mut squares_lost) =
                (0.0, 0.0, 0.0, 0.0, 0.0);
            for value in window.values {
                count += 1.0;
                let distance = value - (mean + mean_lost);
                (mean, mean_lost) = kahan_add(distance / count, mean, mean_lost);
                (squares, squares_lost) =
                    kahan_add(distance * (value - (mean + mean_lost)), squares, squares_lost);
            }
            let variance = (squares + squares_lost) / count;
            if self.is_root { variance.sqrt() } else { variance }
        })
    }
}
