//! `changes` and `resets`: how often neighbouring samples differ, or fall.

use prom_model::FloatHistogram;
use promql_syntax::RangeExtension;

use super::RangeFunction;
use super::window::{Window, is_start_reset, put_floats, windows};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `changes`
pub(super) struct Changes;

/// `resets`
pub(super) struct Resets;

/// A sample of either sort.
#[derive(Clone, Copy)]
struct Sample<'a> {
    time: i64,
    start: i64,
    float: f64,
    histogram: Option<&'a FloatHistogram>,
}

impl RangeFunction for Changes {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let differs = |before: f64, after: f64| before != after && !(before.is_nan() && after.is_nan());
        count(series, args, out, differs, |before, after| match (before.histogram, after.histogram) {
            (None, None) => differs(before.float, after.float),
            (Some(before), Some(after)) => !after.equals(before),
            _ => true,
        });
        Ok(())
    }
}

impl RangeFunction for Resets {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        count(
            series,
            args,
            out,
            |before, after| after < before,
            |before, after| {
                let start_says = is_start_reset(before.start, before.time, after.start, after.time);
                match (before.histogram, after.histogram) {
                    (None, None) => after.float < before.float || start_says,
                    (Some(before), Some(after)) => start_says || after.detect_reset(before),
                    _ => true,
                }
            },
        );
        Ok(())
    }
}

/// Counts the pairs of neighbours for which the question is answered with yes.
fn count(
    series: &RangeSeries<'_>,
    args: &RangeArgs,
    out: &mut Column,
    of_floats: impl Fn(f64, f64) -> bool,
    of_samples: impl Fn(Sample<'_>, Sample<'_>) -> bool,
) {
    let with_starts = args.use_start_timestamps && !series.samples.start_timestamps.is_empty();
    if series.windows.histograms.is_empty() && !with_starts && args.extension.is_none() {
        return count_floats(series, out, of_floats);
    }
    for (step, window) in windows(series, args) {
        let window = match args.extension {
            Some(RangeExtension::Anchored) => {
                let Some(start) = args.ends.get(step).map(|end| end - args.range) else { continue };
                let Some(window) = anchor(window, start) else { continue };
                window
            }
            _ => window,
        };
        let mut counted = 0_u32;
        let mut previous: Option<Sample<'_>> = None;
        for sample in in_order(window) {
            if previous.is_some_and(|previous| of_samples(previous, sample)) {
                counted += 1;
            }
            previous = Some(sample);
        }
        out.set_float(step, f64::from(counted));
    }
}

/// Counts once for all ranges: what is between two samples is the difference of two counts from the start.
fn count_floats(series: &RangeSeries<'_>, out: &mut Column, differs: impl Fn(f64, f64) -> bool) {
    let mut counts: Vec<u32> = Vec::with_capacity(series.samples.values.len());
    let mut total = 0;
    let mut previous: Option<f64> = None;
    for value in &series.samples.values {
        total += u32::from(previous.is_some_and(|previous| differs(previous, *value)));
        counts.push(total);
        previous = Some(*value);
    }
    put_floats(&series.windows.floats, out, |_, from, to| {
        Some(f64::from(counts.get(to - 1)? - counts.get(from)?))
    });
}

/// The window from the latest sample at or before the start of the range on; `None` where no sample comes after it.
fn anchor(window: Window<'_>, start: i64) -> Option<Window<'_>> {
    let floats = window.times.partition_point(|time| *time <= start);
    let histograms = window.histogram_times.partition_point(|time| *time <= start);
    if floats >= window.times.len() && histograms >= window.histogram_times.len() {
        return None;
    }
    let last_float = floats.checked_sub(1).and_then(|at| window.times.get(at));
    let last_histogram = histograms.checked_sub(1).and_then(|at| window.histogram_times.get(at));
    Some(match (last_float, last_histogram) {
        (None, None) => window,
        (Some(float), other) if other.is_none_or(|other| float >= other) => {
            window.skip(floats - 1, histograms)
        }
        _ => window.skip(floats, histograms.saturating_sub(1)),
    })
}

/// Floats and histograms of a window by time.
fn in_order<'a>(window: Window<'a>) -> impl Iterator<Item = Sample<'a>> {
    let mut floats = window
        .times
        .iter()
        .zip(window.values)
        .enumerate()
        .map(move |(at, (time, value))| Sample {
            time: *time,
            start: window.starts.get(at).copied().unwrap_or(0),
            float: *value,
            histogram: None,
        })
        .peekable();
    let mut histograms = window
        .histogram_times
        .iter()
        .zip(window.histograms)
        .enumerate()
        .map(move |(at, (time, histogram))| Sample {
            time: *time,
            start: window.histogram_starts.get(at).copied().unwrap_or(0),
            float: 0.0,
            histogram: Some(histogram),
        })
        .peekable();
    std::iter::from_fn(move || match (floats.peek(), histograms.peek()) {
        (Some(float), Some(histogram)) if float.time < histogram.time => floats.next(),
        (_, Some(_)) => histograms.next(),
        (_, None) => floats.next(),
    })
}
