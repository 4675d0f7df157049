//! Differences of native histograms over a range.

use prom_model::FloatHistogram;

use super::window::{Window, is_start_overlap, is_start_reset};
use crate::Annotation;
use crate::exec::range::{RangeArgs, RangeSeries};
use prom_model::CounterResetHint;

/// The last histogram of a range less the first, and what was lost at resets; a gauge. `None` where their buckets cannot be
/// brought together. There must be two histograms.
pub(super) fn histogram_rate(
    window: Window<'_>,
    starts: &[i64],
    is_counter: bool,
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
) -> Option<FloatHistogram> {
    let histograms = window.histograms;
    let (first, last, second) = (histograms.first()?, histograms.last()?, histograms.get(1)?);
    let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    // Where buckets do not mix nothing but that is said.
    let mut notes = Vec::new();
    if is_counter && (is_gauge(first) || is_gauge(last)) {
        notes.push(Annotation::histogram_not_counter(series.metric, args.range_span));
    }
    let is_reset = |at: usize, after: &FloatHistogram, before: &FloatHistogram| {
        let by_start = match (starts.get(at..at + 2), window.histogram_times.get(at..at + 2)) {
            (Some([previous_start, start]), Some([previous, time])) => {
                is_start_reset(*previous_start, *previous, *start, *time)
            }
            _ => false,
        };
        by_start || after.detect_reset(before)
    };
    // Nothing is known of the counts before a reset that follows the first sample at once, and nobody looks at its buckets.
    let nothing = FloatHistogram {
        schema: second.schema,
        custom_values: second.custom_values.clone(),
        ..FloatHistogram::default()
    };
    let mut previous: &FloatHistogram = first;
    if is_counter && is_reset(0, second, first) {
        previous = &nothing;
    }
    let custom = previous.uses_custom_buckets();
    if last.uses_custom_buckets() != custom {
        say(series, notes);
        return incompatible(series, args);
    }
    let mut schema = last.schema.min(previous.schema);
    if is_counter {
        for histogram in histograms.get(1..histograms.len() - 1).unwrap_or(&[]) {
            if is_gauge(histogram) {
                notes.push(Annotation::histogram_not_counter(series.metric, args.range_span));
            }
            schema = schema.min(histogram.schema);
            if histogram.uses_custom_buckets() != custom {
                return incompatible(series, args);
            }
        }
    }
    let mut result = FloatHistogram::clone(last);
    if schema < result.schema && !custom {
        // Both are exponential, and the schema is coarser.
        let _ = result.reduce_resolution(schema);
    }
    match result.sub(previous) {
        Err(_) => return incompatible(series, args),
        Ok(added) if added.bounds_reconciled => {
            notes.push(Annotation::mismatched_custom_buckets("subtraction", args.range_span));
        }
        Ok(_) => {}
    }
    if is_counter {
        let mut overlaps = false;
        for (at, current) in histograms.iter().skip(1).enumerate() {
            if !overlaps
                && let (Some([previous_start, start]), Some(previous)) =
                    (starts.get(at..at + 2), window.histogram_times.get(at))
                && is_start_overlap(*previous_start, *previous, *start)
            {
                overlaps = true;
                notes.push(Annotation::start_time_overlap(series.metric, args.range_span));
            }
            if is_reset(at, current, previous) {
                match result.add(previous) {
                    Err(_) => return incompatible(series, args),
                    Ok(added) if added.bounds_reconciled => {
                        notes.push(Annotation::mismatched_custom_buckets("addition", args.range_span));
                    }
                    Ok(_) => {}
                }
            }
            previous = current;
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        notes.push(Annotation::histogram_not_gauge(series.metric, args.range_span));
    }
    say(series, notes);
    result.counter_reset_hint = CounterResetHint::Gauge;
    result.compact(0);
    Some(result)
}

fn say(series: &mut RangeSeries<'_>, notes: Vec<Annotation>) {
    for note in notes {
        series.annotations.add(note);
    }
}

/// Says that exponential and custom buckets do not mix.
pub(super) fn incompatible(series: &mut RangeSeries<'_>, args: &RangeArgs) -> Option<FloatHistogram> {
    series.annotations.add(Annotation::mixed_exponential_custom(series.metric, args.range_span));
    None
}

/// Adds a histogram and says what is to be said; `false` where the buckets do not mix.
pub(super) fn add_noting(
    sum: &mut FloatHistogram,
    other: &FloatHistogram,
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
) -> bool {
    match sum.add(other) {
        Err(_) => {
            incompatible(series, args);
            false
        }
        Ok(added) => {
            if added.bounds_reconciled {
                series.annotations.add(Annotation::mismatched_custom_buckets("addition", args.range_span));
            }
            true
        }
    }
}

/// Subtracts a histogram, likewise.
pub(super) fn sub_noting(
    sum: &mut FloatHistogram,
    other: &FloatHistogram,
    series: &mut RangeSeries<'_>,
    args: &RangeArgs,
) -> bool {
    match sum.sub(other) {
        Err(_) => {
            incompatible(series, args);
            false
        }
        Ok(added) => {
            if added.bounds_reconciled {
                series.annotations.add(Annotation::mismatched_custom_buckets("subtraction", args.range_span));
            }
            true
        }
    }
}
