//! How many samples a range has.

use super::RangeFunction;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `count_over_time`
pub(super) struct CountOverTime;

/// `present_over_time`
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

fn counts(series: &RangeSeries<'_>, value: impl Fn(u32) -> f64, out: &mut Column) {
    for (step, (from, to)) in series.windows.floats.iter().enumerate() {
        let histograms = series.windows.histograms.get(step).map_or(0, |(from, to)| to - from);
        let count = to - from + histograms;
        if count > 0 {
            out.set_float(step, value(count));
        }
    }
}
