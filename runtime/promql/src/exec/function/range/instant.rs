//! `irate` and `idelta`: the last two samples of a range.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram};

use super::RangeFunction;
use super::histogram_rate::sub_noting;
use super::window::{Window, is_start_reset, put_floats, windows};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Annotation, Column, QueryError};

/// `irate` and `idelta`
pub(super) struct InstantRate {
    /// Whether falling values are resets, and the result is per second.
    pub(super) is_rate: bool,
}

#[derive(Clone, Copy)]
struct Last<'a> {
    time: i64,
    start: i64,
    float: f64,
    histogram: Option<&'a Arc<FloatHistogram>>,
}

impl RangeFunction for InstantRate {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let with_starts = args.use_start_timestamps && !series.samples.start_timestamps.is_empty();
        if series.windows.histograms.is_empty() && !with_starts {
            self.floats(series, out);
            return Ok(());
        }
        for (step, window) in windows(series, args) {
            let Some((previous, last)) = last_two(window) else { continue };
            let interval = last.time - previous.time;
            if interval == 0 {
                continue;
            }
            let per_second = interval as f64 / 1000.0;
            let start_says =
                self.is_rate && is_start_reset(previous.start, previous.time, last.start, last.time);
            match (previous.histogram, last.histogram) {
                (None, None) => {
                    let mut value = last.float;
                    if !(self.is_rate && (last.float < previous.float || start_says)) {
                        value = last.float - previous.float;
                    }
                    out.set_float(step, if self.is_rate { value / per_second } else { value });
                }
                (Some(before), Some(after)) => {
                    if let Some(mut value) = self.histograms(before, after, start_says, series, args) {
                        if self.is_rate {
                            value.div(per_second);
                        }
                        out.set_histogram(step, Arc::new(value));
                    }
                }
                _ => series
                    .annotations
                    .add(Annotation::mixed_floats_histograms(series.metric, args.range_span)),
            }
        }
        Ok(())
    }
}

impl InstantRate {
    /// Floats only, no start timestamps.
    fn floats(&self, series: &RangeSeries<'_>, out: &mut Column) {
        let (times, values) = (series.samples.timestamps.as_slice(), series.samples.values.as_slice());
        put_floats(&series.windows.floats, out, |_, from, to| {
            let at = to.checked_sub(2).filter(|at| *at >= from)?;
            let (previous, last) = (*values.get(at)?, *values.get(at + 1)?);
            let value = if self.is_rate && last < previous { last } else { last - previous };
            if !self.is_rate {
                return Some(value);
            }
            Some(value / (times.get(at + 1)?.wrapping_sub(*times.get(at)?) as f64 / 1000.0))
        });
    }

    fn histograms(
        &self,
        before: &FloatHistogram,
        after: &FloatHistogram,
        start_says: bool,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
    ) -> Option<FloatHistogram> {
        let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
        if self.is_rate && (is_gauge(before) || is_gauge(after)) {
            series.annotations.add(Annotation::histogram_not_counter(series.metric, args.range_span));
        }
        if !(self.is_rate || is_gauge(before) && is_gauge(after)) {
            series.annotations.add(Annotation::histogram_not_gauge(series.metric, args.range_span));
        }
        let mut result = after.clone();
        let is_reset = self.is_rate && (start_says || after.detect_reset(before));
        if !is_reset && !sub_noting(&mut result, before, series, args) {
            return None;
        }
        result.counter_reset_hint = CounterResetHint::Gauge;
        result.compact(0);
        Some(result)
    }
}

/// The last two samples, whatever they are. Of a float and a histogram at the same time the histogram counts as the earlier.
fn last_two<'a>(window: Window<'a>) -> Option<(Last<'a>, Last<'a>)> {
    let float = |back: usize| {
        let at = window.times.len().checked_sub(back)?;
        Some(Last {
            time: *window.times.get(at)?,
            start: window.starts.get(at).copied().unwrap_or(0),
            float: *window.values.get(at)?,
            histogram: None,
        })
    };
    let histogram = |back: usize| {
        let at = window.histogram_times.len().checked_sub(back)?;
        Some(Last {
            time: *window.histogram_times.get(at)?,
            start: window.histogram_starts.get(at).copied().unwrap_or(0),
            float: 0.0,
            histogram: Some(window.histograms.get(at)?),
        })
    };
    let (mut previous, mut last) = (float(2), float(1));
    for sample in [histogram(2), histogram(1)].into_iter().flatten() {
        (previous, last) = match (previous, last) {
            (_, None) => (None, Some(sample)),
            (None, Some(only)) if sample.time < only.time => (Some(sample), last),
            (None, Some(_)) => (last, Some(sample)),
            (Some(first), Some(_)) if sample.time < first.time => (previous, last),
            (Some(_), Some(second)) if sample.time > second.time => (last, Some(sample)),
            (Some(_), Some(_)) => (Some(sample), last),
        };
    }
    Some((previous?, last?))
}
