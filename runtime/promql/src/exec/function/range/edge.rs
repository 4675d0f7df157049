//! The first and the last sample of a range, and their times.

use std::sync::Arc;

use super::RangeFunction;
use super::window::{put_floats, windows};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `first_over_time` and `last_over_time`; of a float and a histogram at the same time the histogram.
pub(super) struct Edge {
    /// Whether it is the last.
    pub(super) is_last: bool,
}

impl RangeFunction for Edge {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        if series.windows.histograms.is_empty() {
            let values = series.samples.values.as_slice();
            put_floats(&series.windows.floats, out, |_, from, to| {
                values.get(if self.is_last { to - 1 } else { from }).copied()
            });
            return Ok(());
        }
        for (step, window) in windows(series, args) {
            let (time, value, histogram_time, histogram) = if self.is_last {
                (
                    window.times.last(),
                    window.values.last(),
                    window.histogram_times.last(),
                    window.histograms.last(),
                )
            } else {
                (
                    window.times.first(),
                    window.values.first(),
                    window.histogram_times.first(),
                    window.histograms.first(),
                )
            };
            let float_wins = match (time, histogram_time) {
                (Some(time), Some(other)) => {
                    if self.is_last {
                        time > other
                    } else {
                        time < other
                    }
                }
                (time, _) => time.is_some(),
            };
            match (value, histogram) {
                (Some(value), _) if float_wins => out.set_float(step, *value),
                (_, Some(histogram)) => out.set_histogram(step, Arc::clone(histogram)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `ts_of_first_over_time` and `ts_of_last_over_time`
pub(super) struct TimeOfEdge {
    /// Whether it is the last.
    pub(super) is_last: bool,
}

impl RangeFunction for TimeOfEdge {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        if series.windows.histograms.is_empty() {
            let times = series.samples.timestamps.as_slice();
            put_floats(&series.windows.floats, out, |_, from, to| {
                times.get(if self.is_last { to - 1 } else { from }).map(|time| *time as f64 / 1000.0)
            });
            return Ok(());
        }
        for (step, window) in windows(series, args) {
            let time = if self.is_last {
                window.times.last().into_iter().chain(window.histogram_times.last()).max()
            } else {
                window.times.first().into_iter().chain(window.histogram_times.first()).min()
            };
            if let Some(time) = time {
                out.set_float(step, *time as f64 / 1000.0);
            }
        }
        Ok(())
    }
}
