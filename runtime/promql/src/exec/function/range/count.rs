//! How many samples a range has.

use super::RangeFunction;
use super::window::put_floats;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `count_over_time`
pub(super) struct CountOverTime;

/// `present_over_time`, and what `absent_over_time` asks.
pub(super) struct PresentOverTime;

impl RangeFunction for CountOverTime {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        _: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        counts(series, |count| count as f64, out);
        Ok(())
    }
}

impl RangeFunction for PresentOverTime {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        _: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        counts(series, |_| 1.0, out);
        Ok(())
    }
}

fn counts(series: &RangeSeries<'_>, value: impl Fn(usize) -> f64, out: &mut Column) {
    put_floats(&series.windows.floats, out, |_, from, to| Some(value(to - from)));
    for (step, (from, to)) in series.windows.histograms.iter().enumerate() {
        if from < to {
            let floats = series.windows.floats.get(step).map_or(0, |(from, to)| to - from);
            out.set_float(step, value((floats + to - from) as usize));
        }
    }
}
