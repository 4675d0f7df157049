//! `anchored` and `smoothed` ranges: values at the very ends of the range, taken from or drawn between samples outside.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram};
use promql_syntax::RangeExtension;

use super::histogram_rate::{add_noting, incompatible, sub_noting};
use super::rate::{Rate, seconds};
use super::resets::Resets;
use super::window::{Window, windows};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Annotation, Column};

/// `rate`, `increase` and `delta` of such ranges.
pub(super) fn rate(function: &Rate, series: &mut RangeSeries<'_>, args: &RangeArgs, out: &mut Column) {
    let values = series.samples.values.as_slice();
    let resets =
        if function.is_counter { Resets::of(values, &series.windows.floats) } else { Resets::default() };
    for (step, window) in windows(series, args) {
        let Some(&end) = args.ends.get(step) else { continue };
        let bounds = Bounds {
            start: end - args.range,
            end,
            smoothed: args.extension == Some(RangeExtension::Smoothed),
        };
        if window.is_mixed() {
            series.annotations.add(Annotation::mixed_floats_histograms(series.metric, args.range_span));
        } else if window.histograms.is_empty() {
            let start = series.windows.floats.get(step).map_or(0, |(from, _)| *from as usize);
            let lost =
                |sum: f64, from: usize, to: usize| resets.add_inside(sum, start + from, start + to, values);
            if let Some(value) = floats(function, window, &bounds, lost) {
                let value = if function.is_rate { value / seconds(args.range) } else { value };
                out.set_float(step, value);
            }
        } else if let Some(mut value) = histograms(function, window, &bounds, series, args) {
            if function.is_rate {
                value.div(seconds(args.range));
            }
            value.counter_reset_hint = CounterResetHint::Gauge;
            value.compact(0);
            out.set_histogram(step, Arc::new(value));
        }
    }
}

/// The range proper; the window reaches further.
struct Bounds {
    start: i64,
    end: i64,
    smoothed: bool,
}

impl Bounds {
    /// The samples that stand for the ends of the range: the last at or before its start, or the first there is; the last, or
    /// for smoothed ranges the first at or after its end. `None` where the range has nothing to do with any sample.
    fn ends(&self, times: &[i64]) -> Option<(usize, usize)> {
        let last = times.len().checked_sub(1)?;
        let before_last = times.get(..last).unwrap_or(&[]);
        let first = before_last.partition_point(|time| *time <= self.start).saturating_sub(1);
        let last = if self.smoothed { before_last.partition_point(|time| *time < self.end) } else { last };
        let outside = *times.get(last)? <= self.start || self.smoothed && *times.get(first)? > self.end;
        (!outside).then_some((first, last))
    }
}

/// `lost` adds to a sum what was lost at resets between samples of the window.
fn floats(
    function: &Rate,
    window: Window<'_>,
    bounds: &Bounds,
    lost: impl Fn(f64, usize, usize) -> f64,
) -> Option<f64> {
    let (first, last) = bounds.ends(window.times)?;
    let point = |at: usize| Some((*window.times.get(at)?, *window.values.get(at)?));
    let (first_time, first_value) = point(first)?;
    let (last_time, last_value) = point(last)?;
    let left = match point(first + 1) {
        Some(next) if bounds.smoothed && first_time < bounds.start => {
            between((first_time, first_value), next, bounds.start, function.is_counter)
        }
        _ => first_value,
    };
    let right = if bounds.smoothed && last > 0 && last_time > bounds.end {
        between(point(last - 1)?, (last_time, last_value), bounds.end, function.is_counter)
    } else {
        last_value
    };
    let mut result = right - left;
    if function.is_counter {
        // Resets at the ends are in the values there; what lies between them counts.
        let from = if first_time <= bounds.start { first + 1 } else { first };
        let to = if last_time >= bounds.end { last } else { last + 1 };
        let mut correction = 0.0;
        let mut previous = left;
        let inside = window.values.get(from..to).unwrap_or(&[]);
        if let (Some(first), Some(last)) = (inside.first(), inside.last()) {
            if *first < left {
                correction += left;
            }
            correction = lost(correction, from, to);
            previous = *last;
        }
        if right < previous {
            correction += previous;
        }
        result += correction;
    }
    Some(result)
}

/// The value on the line between two samples. A counter that was reset in between is drawn from 0.
fn between(one: (i64, f64), other: (i64, f64), time: i64, is_counter: bool) -> f64 {
    let from = if is_counter && other.1 < one.1 { 0.0 } else { one.1 };
    from + (other.1 - from) * (time - one.0) as f64 / (other.0 - one.0) as f64
}

fn histograms(
    function: &Rate,
    window: Window<'_>,
    bounds: &Bounds,
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
) -> Option<FloatHistogram> {
    let (first, last) = bounds.ends(window.histogram_times)?;
    let involved = window.histograms.get(first..=last)?;
    let custom = involved.first()?.uses_custom_buckets();
    for histogram in involved {
        if histogram.uses_custom_buckets() != custom {
            return incompatible(series, args);
        }
        if function.is_counter && histogram.counter_reset_hint == CounterResetHint::Gauge {
            series.annotations.add(Annotation::histogram_not_counter(series.metric, args.range_span));
        }
    }
    let point = |at: usize| Some((*window.histogram_times.get(at)?, window.histograms.get(at)?.as_ref()));
    let (first_point, last_point) = (point(first)?, point(last)?);
    let left = match point(first + 1) {
        Some(next) if bounds.smoothed && first_point.0 < bounds.start => {
            histogram_between(first_point, next, bounds.start, function.is_counter, series, args)?
        }
        _ => first_point.1.clone(),
    };
    let right = if bounds.smoothed && last > 0 && last_point.0 > bounds.end {
        histogram_between(point(last - 1)?, last_point, bounds.end, function.is_counter, series, args)?
    } else {
        last_point.1.clone()
    };
    let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if !(function.is_counter || is_gauge(&left) && is_gauge(&right)) {
        series.annotations.add(Annotation::histogram_not_gauge(series.metric, args.range_span));
    }
    let mut result = right.clone();
    if !sub_noting(&mut result, &left, series, args) {
        return None;
    }
    if function.is_counter
        && let Some(correction) = correction(window, (first, last), (&left, &right), bounds, series, args)?
        && !add_noting(&mut result, &correction, series, args)
    {
        return None;
    }
    Some(result)
}

/// What was lost at resets between the two ends; the outer `None` where histograms do not add up.
fn correction(
    window: Window<'_>,
    (first, last): (usize, usize),
    (left, right): (&FloatHistogram, &FloatHistogram),
    bounds: &Bounds,
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
) -> Option<Option<FloatHistogram>> {
    let at = |at: usize| window.histograms.get(at).map(AsRef::as_ref);
    let mut from = first + 1;
    let mut previous = left;
    // The value at the start was drawn across a reset already.
    if bounds.smoothed
        && window.histogram_times.get(first).is_some_and(|time| *time < bounds.start)
        && let (Some(before), Some(after)) = (at(first), at(first + 1))
        && after.detect_reset(before)
    {
        previous = after;
        from += 1;
    }
    if from > last {
        return Some(None);
    }
    let mut correction: Option<FloatHistogram> = None;
    let between = window.histograms.get(from..last).unwrap_or(&[]).iter().map(AsRef::as_ref);
    for histogram in between.chain([right]) {
        if histogram.detect_reset(previous) {
            match &mut correction {
                None => correction = Some(previous.clone()),
                Some(sum) => {
                    if !add_noting(sum, previous, series, args) {
                        return None;
                    }
                }
            }
        }
        previous = histogram;
    }
    Some(correction)
}

/// The histogram on the line between two samples. A counter that was reset in between is drawn from nothing.
fn histogram_between(
    one: (i64, &FloatHistogram),
    other: (i64, &FloatHistogram),
    time: i64,
    is_counter: bool,
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
) -> Option<FloatHistogram> {
    if time == one.0 {
        return Some(one.1.clone());
    }
    let mut result = other.1.clone();
    if time == other.0 {
        return Some(result);
    }
    let fraction = (time - one.0) as f64 / (other.0 - one.0) as f64;
    if is_counter && other.1.detect_reset(one.1) {
        result.mul(fraction);
        return Some(result);
    }
    if !sub_noting(&mut result, one.1, series, args) {
        return None;
    }
    result.mul(fraction);
    add_noting(&mut result, one.1, series, args).then_some(result)
}

/// Values at the steps of a `smoothed` instant selector: on the line between the samples around the time, or that of the sample
/// before, both no further than the lookback delta.
pub(crate) fn smooth(series: &mut RangeSeries<'_>, args: &RangeArgs, out: &mut Column) {
    for (step, window) in windows(series, args) {
        let Some(&time) = args.ends.get(step) else { continue };
        if window.is_mixed() {
            series.annotations.add(Annotation::mixed_floats_histograms(series.metric, args.range_span));
            continue;
        }
        let float = |at: usize| Some((*window.times.get(at)?, *window.values.get(at)?));
        let histogram =
            |at: usize| Some((*window.histogram_times.get(at)?, window.histograms.get(at)?.as_ref()));
        let next = window.times.partition_point(|at| *at < time);
        let next_histogram = window.histogram_times.partition_point(|at| *at < time);
        match (next.checked_sub(1).and_then(float), float(next)) {
            (_, Some((at, value))) if at == time => out.set_float(step, value),
            (Some(before), Some(after)) => out.set_float(step, between(before, after, time, false)),
            (Some((_, value)), None) => out.set_float(step, value),
            (None, _) => {}
        }
        let found = match (next_histogram.checked_sub(1).and_then(histogram), histogram(next_histogram)) {
            (_, Some((at, value))) if at == time => Some(value.clone()),
            (Some(before), Some(after)) => {
                let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
                let is_counter = !(is_gauge(before.1) && is_gauge(after.1));
                if before.1.uses_custom_buckets() == after.1.uses_custom_buckets() {
                    histogram_between(before, after, time, is_counter, series, args)
                } else {
                    incompatible(series, args)
                }
            }
            (Some((_, value)), None) => {
                // The hint says something about the sample before, not about the value.
                Some(FloatHistogram { counter_reset_hint: CounterResetHint::Unknown, ..value.clone() })
            }
            (None, _) => None,
        };
        if let Some(found) = found {
            out.set_histogram(step, Arc::new(found));
        }
    }
}

/// The samples of an `anchored` or `smoothed` range as an instant query for the range itself gives them: one at each end of the
/// range, and those inside.
pub(super) fn extend(
    times: &[i64],
    values: &[f64],
    (start, end): (i64, i64),
    smoothed: bool,
) -> Option<(Vec<i64>, Vec<f64>)> {
    let bounds = Bounds { start, end, smoothed };
    let last = times.len().checked_sub(1)?;
    let before_last = times.get(..last).unwrap_or(&[]);
    let first = before_last.partition_point(|time| *time <= start).saturating_sub(1);
    let last = if smoothed { before_last.partition_point(|time| *time < end) } else { last };
    if *times.get(last)? <= start {
        return None;
    }
    let point = |at: usize| Some((*times.get(at)?, *values.get(at)?));
    let (first_point, last_point) = (point(first)?, point(last)?);
    let left = match point(first + 1) {
        Some(next) if bounds.smoothed && first_point.0 < start => between(first_point, next, start, false),
        _ => first_point.1,
    };
    let right = if smoothed && last > 0 && last_point.0 > end {
        between(point(last - 1)?, last_point, end, false)
    } else {
        last_point.1
    };
    let from = if first_point.0 <= start { first + 1 } else { first };
    let to = if last_point.0 >= end { last } else { last + 1 };
    let inside = from.min(to)..to;
    let mut extended_times = vec![start];
    let mut extended_values = vec![left];
    extended_times.extend_from_slice(times.get(inside.clone()).unwrap_or(&[]));
    extended_values.extend_from_slice(values.get(inside).unwrap_or(&[]));
    extended_times.push(end);
    extended_values.push(right);
    Some((extended_times, extended_values))
}
