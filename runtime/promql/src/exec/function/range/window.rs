//! The samples of one range, and functions that look at one range at a time.

use std::sync::Arc;

use prom_model::FloatHistogram;
use promql_syntax::Span;

use crate::control::Breaks;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::exec::windows::Windows;
use crate::{Annotation, Column, Samples};

/// The samples in the range of one step. Slices of start timestamps are empty where nothing is known of them.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) times: &'a [i64],
    pub(super) values: &'a [f64],
    pub(super) starts: &'a [i64],
    pub(super) histogram_times: &'a [i64],
    pub(super) histograms: &'a [Arc<FloatHistogram>],
    pub(super) histogram_starts: &'a [i64],
}

impl<'a> Window<'a> {
    /// The range of a step.
    pub(super) fn at(samples: &'a Samples, windows: &Windows, step: usize) -> Self {
        let (from, to) = bounds(&windows.floats, step);
        let (histograms_from, histograms_to) = bounds(&windows.histograms, step);
        Window {
            times: samples.timestamps.get(from..to).unwrap_or(&[]),
            values: samples.values.get(from..to).unwrap_or(&[]),
            starts: samples.start_timestamps.get(from..to).unwrap_or(&[]),
            histogram_times: samples.histogram_timestamps.get(histograms_from..histograms_to).unwrap_or(&[]),
            histograms: samples.histograms.get(histograms_from..histograms_to).unwrap_or(&[]),
            histogram_starts: samples
                .histogram_start_timestamps
                .get(histograms_from..histograms_to)
                .unwrap_or(&[]),
        }
    }

    /// Whether there is no sample.
    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.histogram_times.is_empty()
    }

    /// Whether there are both floats and histograms.
    pub(super) fn is_mixed(&self) -> bool {
        !self.times.is_empty() && !self.histogram_times.is_empty()
    }

    /// The samples from an index of the floats and one of the histograms on.
    pub(super) fn skip(self, floats: usize, histograms: usize) -> Self {
        fn behind<T>(items: &[T], skipped: usize) -> &[T] {
            items.get(skipped..).unwrap_or(&[])
        }
        Window {
            times: behind(self.times, floats),
            values: behind(self.values, floats),
            starts: behind(self.starts, floats),
            histogram_times: behind(self.histogram_times, histograms),
            histograms: behind(self.histograms, histograms),
            histogram_starts: behind(self.histogram_starts, histograms),
        }
    }
}

fn bounds(windows: &[(u32, u32)], step: usize) -> (usize, usize) {
    windows.get(step).map_or((0, 0), |(from, to)| (*from as usize, *to as usize))
}

/// The ranges of all steps that have samples. Start timestamps are there if the engine looks at them.
/// They end early where the query has to end.
pub(super) fn windows<'a>(
    series: &RangeSeries<'a>,
    args: &RangeArgs,
) -> impl Iterator<Item = (usize, Window<'a>)> + use<'a> {
    let (samples, windows, use_starts) = (series.samples, series.windows, args.use_start_timestamps);
    let mut breaks = Breaks::new(series.control);
    (0..windows.floats.len())
        .map(move |step| {
            let window = Window::at(samples, windows, step);
            let window =
                if use_starts { window } else { Window { starts: &[], histogram_starts: &[], ..window } };
            (step, window)
        })
        .filter(|(_, window)| !window.is_empty())
        // There is much to each histogram.
        .take_while(move |(_, window)| breaks.goes_on(window.times.len() + 16 * window.histograms.len()))
}

/// Puts a number at each step whose range has floats, from the step and the indexes of the first float and behind the last;
/// `None` leaves the step empty.
#[inline]
pub(super) fn put_floats(
    windows: &[(u32, u32)],
    out: &mut Column,
    mut value: impl FnMut(usize, usize, usize) -> Option<f64>,
) {
    let (floats, present) = out.floats_mut();
    let chunks = windows.chunks(64).zip(floats.chunks_mut(64)).zip(present.words_mut()).enumerate();
    for (chunk, ((windows, slots), word)) in chunks {
        for (at, (&(from, to), slot)) in windows.iter().zip(slots).enumerate() {
            if from < to
                && let Some(value) = value(chunk * 64 + at, from as usize, to as usize)
            {
                *slot = value;
                *word |= 1 << at;
            }
        }
    }
}

/// Says so where ranges with floats have histograms that were left out.
pub(super) fn say_if_ignored(series: &mut RangeSeries<'_>, span: Span) {
    let both = series.windows.floats.iter().zip(&series.windows.histograms);
    if both.into_iter().any(|(floats, histograms)| floats.0 < floats.1 && histograms.0 < histograms.1) {
        series.annotations.add(Annotation::histogram_ignored_in_mixed_range(series.metric, span));
    }
}

/// Whether there was a reset between two samples by what their start timestamps say (milliseconds, 0 where unknown): the
/// later began to count after the former, or where the former ends, as deltas do.
pub(super) fn is_start_reset(previous_start: i64, previous: i64, start: i64, time: i64) -> bool {
    if start == 0 || start >= time || start < previous {
        return false;
    }
    start > previous || (previous_start <= previous && previous_start != 0 && previous_start != previous)
}

/// Whether a sample began to count before the sample in front of it, and not with it.
pub(super) fn is_start_overlap(previous_start: i64, previous: i64, start: i64) -> bool {
    start != 0 && start < previous && start != previous_start
}
