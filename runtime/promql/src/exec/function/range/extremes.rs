//! `min_over_time`, `max_over_time` and the times of the extremes. Over long ranges a queue of candidates goes along, so that each
//! sample is looked at twice, not once per range.

use std::collections::VecDeque;

use super::RangeFunction;
use super::window::{of_floats, say_ignored};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `min_over_time` and `max_over_time`
pub(super) struct Extreme {
    /// Whether the first value comes before the second.
    pub(super) beats: fn(f64, f64) -> bool,
}

/// Ranges of so many samples are scanned; the queue pays above.
const SCANNED_MAX: u32 = 12;

impl RangeFunction for Extreme {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let windows = &series.windows.floats;
        let is_long = windows.iter().any(|(from, to)| to - from > SCANNED_MAX);
        if !is_long {
            return of_floats(series, args, out, |_, window| {
                let first = window.values.first().copied().unwrap_or(f64::NAN);
                window.values.iter().fold(first, |best, value| {
                    if (self.beats)(*value, best) || best.is_nan() { *value } else { best }
                })
            });
        }
        let values = series.samples.values.as_slice();
        // Indexes of samples that no later sample beats, first the best; NaNs are never among them.
        let mut candidates: VecDeque<u32> = VecDeque::new();
        let mut next = 0;
        let mut ignored = false;
        for (step, &(from, to)) in windows.iter().enumerate() {
            if from == to {
                continue;
            }
            next = next.max(from);
            while next < to {
                if let Some(value) = values.get(next as usize).filter(|value| !value.is_nan()) {
                    while candidates
                        .back()
                        .and_then(|last| values.get(*last as usize))
                        .is_some_and(|last| (self.beats)(*value, *last))
                    {
                        candidates.pop_back();
                    }
                    candidates.push_back(next);
                }
                next += 1;
            }
            while candidates.front().is_some_and(|first| *first < from) {
                candidates.pop_front();
            }
            let best = candidates.front().and_then(|first| values.get(*first as usize)).copied();
            out.set_float(step, best.unwrap_or(f64::NAN));
            ignored |= series.windows.histograms.get(step).is_some_and(|(from, to)| from < to);
        }
        if ignored {
            say_ignored(series, args);
        }
        Ok(())
    }
}

/// `ts_of_min_over_time` and `ts_of_max_over_time`: of equal values the last.
pub(super) struct TimeOfExtreme {
    /// Whether the first value comes before the second, or is equal.
    pub(super) beats: fn(f64, f64) -> bool,
}

impl RangeFunction for TimeOfExtreme {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        of_floats(series, args, out, |_, window| {
            let mut samples = window.values.iter().zip(window.times);
            let Some((mut best, mut time)) = samples.next() else { return f64::NAN };
            for (value, at) in samples {
                if (self.beats)(*value, *best) || best.is_nan() {
                    (best, time) = (value, at);
                }
            }
            *time as f64 / 1000.0
        })
    }
}
