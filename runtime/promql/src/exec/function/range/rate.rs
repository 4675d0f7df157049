//! `rate`, `increase` and `delta`: the difference between the ends of a range, with what counters lost at resets, extrapolated to
//! the whole range.

use std::sync::Arc;

use prom_model::FloatHistogram;

use super::histogram_rate::{add_noting, histogram_rate};
use super::resets::Resets;
use super::window::{Window, is_start_overlap, is_start_reset, windows};
use super::{RangeFunction, extended};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::exec::windows::Pace;
use crate::{Annotation, Column, QueryError};

/// `rate`, `increase`, `delta`
pub(super) struct Rate {
    /// Whether falling values are resets.
    pub(super) is_counter: bool,
    /// Whether the result is per second.
    pub(super) is_rate: bool,
}

impl RangeFunction for Rate {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let with_starts = args.use_start_timestamps && !series.samples.start_timestamps.is_empty();
        if args.extension.is_some() {
            extended::rate(self, series, args, out);
        } else if series.windows.histograms.is_empty() && !with_starts {
            self.floats(series, args, out);
        } else {
            for (step, window) in windows(series, args) {
                self.window(step, window, series, args, out);
            }
        }
        if self.is_counter && !series.metric.is_empty() && !out.present().is_empty() {
            say_if_no_counter(series, args);
        }
        Ok(())
    }
}

/// A name that does not look like a counter's, or a type that says so.
fn say_if_no_counter(series: &mut RangeSeries<'_>, args: &RangeArgs) {
    let annotation = if args.type_and_unit_labels {
        if matches!(series.metric_type, "counter" | "histogram") {
            return;
        }
        Annotation::possible_non_counter_type(series.metric, series.metric_type, args.range_span)
    } else {
        if ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| series.metric.ends_with(suffix)) {
            return;
        }
        Annotation::possible_non_counter(series.metric, args.range_span)
    };
    series.annotations.add(annotation);
}

/// What extrapolation needs to know of a range.
struct Ends {
    first: i64,
    last: i64,
    /// The range itself, open at its start.
    start: i64,
    end: i64,
    /// Samples, less one.
    intervals: f64,
}

impl Ends {
    /// Seconds between the first and the last sample, and how far values are taken to go on before and behind them.
    fn extrapolate(&self) -> (f64, f64, f64) {
        let mut to_start = self.first.wrapping_sub(self.start) as f64 / 1000.0;
        let mut to_end = self.end.wrapping_sub(self.last) as f64 / 1000.0;
        let sampled = self.last.wrapping_sub(self.first) as f64 / 1000.0;
        let average = sampled / self.intervals;
        let threshold = average * 1.1;
        // A series goes on to the ends of the range if they are no further than the next sample would be.
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        (sampled, to_start, to_end)
    }
}

/// So many ranges are looked at before it is asked whether they need care.
const PIECE: usize = 64;

/// What follows from where samples lie in a range; the same at most steps, since scrapes are regular.
struct Shape {
    sampled: f64,
    to_start: f64,
    to_end: f64,
    factor: f64,
}

/// Where the counter was 0, from its first value and its increase; both as floats.
struct Zero {
    first: f64,
    increase: f64,
}

impl Rate {
    /// Floats only, no start timestamps.
    fn floats(&self, series: &RangeSeries<'_>, args: &RangeArgs, out: &mut Column) {
        let (times, values) = (series.samples.timestamps.as_slice(), series.samples.values.as_slice());
        let windows = series.windows.floats.as_slice();
        let mut resets = if self.is_counter { Resets::of(values, windows) } else { Resets::default() };
        let seconds = seconds(args.range);
        let (floats, present) = out.floats_mut();
        for pace in series.windows.paces(args.reach()) {
            let (from, to) = pace.window;
            let (Some(&first), Some(&last), Some(&end), true) = (
                times.get(from as usize),
                times.get(to as usize - 1),
                args.ends.get(pace.step),
                to - from >= 2,
            ) else {
                continue;
            };
            let start = end.saturating_sub(args.range);
            let ends = Ends { first, last, start, end, intervals: f64::from(to - from - 1) };
            let shape = self.shape(&ends, seconds);
            present.insert_all(pace.step, pace.steps);
            for piece in pace.pieces(PIECE) {
                let Some(slots) = floats.get_mut(piece.step..piece.step + piece.steps) else { continue };
                if resets.fall_in(piece.all()) || !self.plain(&shape, piece, values, slots) {
                    self.careful(&shape, piece, values, &mut resets, slots, seconds);
                }
            }
        }
    }

    /// Ranges in which nothing fell and no counter was 0; says whether that is so.
    fn plain(&self, shape: &Shape, pace: Pace, values: &[f64], slots: &mut [f64]) -> bool {
        let from = |at: u32| values.get(at as usize..).unwrap_or_default();
        let (firsts, lasts) = (from(pace.window.0), from(pace.window.1 - 1));
        let near = shape.to_start <= shape.sampled;
        let (is_counter, factor) = (self.is_counter, shape.factor);
        let mut may_clip = false;
        let mut put = |slot: &mut f64, first: f64, last: f64| {
            let result = last - first;
            let is_clear = near & (first >= result);
            may_clip |= is_counter & (result > 0.0) & (first >= 0.0) & !is_clear;
            *slot = result * factor;
        };
        match pace.stride as usize {
            0 => {
                if let (Some(first), Some(last)) = (firsts.first(), lasts.first()) {
                    slots.iter_mut().for_each(|slot| put(slot, *first, *last));
                }
            }
            1 => {
                let ends = firsts.iter().zip(lasts);
                slots.iter_mut().zip(ends).for_each(|(slot, (first, last))| put(slot, *first, *last));
            }
            stride => {
                let ends = firsts.iter().step_by(stride).zip(lasts.iter().step_by(stride));
                slots.iter_mut().zip(ends).for_each(|(slot, (first, last))| put(slot, *first, *last));
            }
        }
        !may_clip
    }

    /// Any ranges.
    fn careful(
        &self,
        shape: &Shape,
        pace: Pace,
        values: &[f64],
        resets: &mut Resets,
        slots: &mut [f64],
        seconds: f64,
    ) {
        for (slot, (from, to)) in slots.iter_mut().zip(pace.windows()) {
            let (Some(&first), Some(&last)) = (values.get(from as usize), values.get(to as usize - 1)) else {
                continue;
            };
            let result = resets.add_to(last - first, from, to, values);
            let mut factor = shape.factor;
            // Where the counter began above its increase, it was 0 longer ago than the range reaches.
            let may_clip = self.is_counter
                && result > 0.0
                && first >= 0.0
                && !(first >= result && shape.to_start <= shape.sampled);
            if may_clip {
                let to_zero = shape.sampled * (first / result);
                if to_zero < shape.to_start {
                    factor = self.scale(shape.sampled, to_zero, shape.to_end, seconds);
                }
            }
            *slot = result * factor;
        }
    }

    /// What extrapolation makes of where the samples lie in a range, whatever their values are.
    fn shape(&self, ends: &Ends, seconds: f64) -> Shape {
        let (sampled, to_start, to_end) = ends.extrapolate();
        Shape { sampled, to_start, to_end, factor: self.scale(sampled, to_start, to_end, seconds) }
    }

    /// By what the difference between the first and the last sample is multiplied.
    fn factor(&self, ends: &Ends, zero: Option<Zero>, seconds: f64) -> f64 {
        let (sampled, mut to_start, to_end) = ends.extrapolate();
        if let Some(zero) = zero {
            // No counter was below 0.
            let to_zero = sampled * (zero.first / zero.increase);
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        self.scale(sampled, to_start, to_end, seconds)
    }

    fn scale(&self, sampled: f64, to_start: f64, to_end: f64, seconds: f64) -> f64 {
        let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        if self.is_rate { factor / seconds } else { factor }
    }

    /// One range, whatever is in it.
    fn window(
        &self,
        step: usize,
        window: Window<'_>,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) {
        if window.is_mixed() {
            series.annotations.add(Annotation::mixed_floats_histograms(series.metric, args.range_span));
            return;
        }
        let is_histogram = !window.histograms.is_empty();
        let (times, starts) = if is_histogram {
            (window.histogram_times, window.histogram_starts)
        } else {
            (window.times, window.starts)
        };
        let starts = if self.is_counter { starts } else { &[] };
        let (Some(&first), Some(&last), Some(&end)) = (times.first(), times.last(), args.ends.get(step))
        else {
            return;
        };
        let mut float = 0.0;
        let mut histogram: Option<FloatHistogram> = None;
        if !is_histogram {
            float = self.difference(window, starts, series, args);
        } else if window.histograms.len() > 1 {
            histogram = histogram_rate(window, starts, self.is_counter, series, args);
            if histogram.is_none() {
                return;
            }
        }
        let start = end.saturating_sub(args.range);
        let ends = Ends { first, last, start, end, intervals: (times.len() - 1) as f64 };
        let born_inside = starts.first().copied().filter(|born| *born != 0 && *born > start && *born < first);
        let factor = if let Some(born) = born_inside {
            // The counter was 0 when counting began, inside the range: no need to guess.
            if is_histogram {
                let Some(first) = window.histograms.first() else { return };
                match &mut histogram {
                    None => histogram = Some(FloatHistogram::clone(first)),
                    Some(sum) => {
                        if !add_noting(sum, first, series, args) {
                            return;
                        }
                    }
                }
            } else {
                float += window.values.first().copied().unwrap_or(0.0);
            }
            let average = if times.len() > 1 { (last - first) as f64 / 1000.0 / ends.intervals } else { 0.0 };
            let mut to_end = (end - last) as f64 / 1000.0;
            if to_end >= average * 1.1 {
                to_end = average / 2.0;
            }
            self.scale((last - born) as f64 / 1000.0, 0.0, to_end, seconds(args.range))
        } else if times.len() == 1 {
            return;
        } else {
            let zero = self.zero(window, float, histogram.as_ref());
            self.factor(&ends, zero, seconds(args.range))
        };
        match histogram {
            Some(mut histogram) => {
                histogram.mul(factor);
                out.set_histogram(step, Arc::new(histogram));
            }
            None => out.set_float(step, float * factor),
        }
    }

    fn zero(&self, window: Window<'_>, float: f64, histogram: Option<&FloatHistogram>) -> Option<Zero> {
        if !self.is_counter {
            return None;
        }
        let zero = match (window.values.first(), window.histograms.first(), histogram) {
            (Some(first), _, _) if float > 0.0 => Zero { first: *first, increase: float },
            (_, Some(first), Some(sum)) if sum.count > 0.0 => {
                Zero { first: first.count, increase: sum.count }
            }
            _ => return None,
        };
        (zero.first >= 0.0).then_some(zero)
    }

    /// The last float less the first, and what was lost at resets.
    fn difference(
        &self,
        window: Window<'_>,
        starts: &[i64],
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
    ) -> f64 {
        let (Some(first), Some(last)) = (window.values.first(), window.values.last()) else { return 0.0 };
        let mut result = last - first;
        if !self.is_counter {
            return result;
        }
        let mut overlaps = false;
        let pairs = window.values.windows(2).zip(window.times.windows(2)).enumerate();
        for (at, (values, times)) in pairs {
            let ([before, after], [previous, time]) = (values, times) else { continue };
            let start_says = match starts.get(at..at + 2) {
                Some([previous_start, start]) => {
                    if !overlaps && is_start_overlap(*previous_start, *previous, *start) {
                        overlaps = true;
                        series
                            .annotations
                            .add(Annotation::start_time_overlap(series.metric, args.range_span));
                    }
                    is_start_reset(*previous_start, *previous, *start, *time)
                }
                _ => false,
            };
            if after < before || start_says {
                result += before;
            }
        }
        result
    }
}

/// Milliseconds as Go's `Duration.Seconds` has them.
pub(super) fn seconds(millis: i64) -> f64 {
    (millis / 1000) as f64 + (millis % 1000 * 1_000_000) as f64 / 1e9
}
