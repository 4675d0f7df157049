//! Functions over ranges of samples. To add one: write it in a file of its family below, and name it in [`find`].

mod count;

use crate::exec::range::{RangeArgs, RangeSeries};
use crate::exec::{Operator, Run};
use crate::plan::{Node, RangeCall, RangeInput};
use crate::{Column, QueryError, Samples};

/// A function over ranges, evaluated for one series at all steps at once.
pub(crate) trait RangeFunction: Send + Sync {
    /// Puts the values into `out`, which has nothing at each step; a step whose window has no sample gets none.
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError>;
}

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static dyn RangeFunction> {
    Some(match name {
        "count_over_time" => &count::CountOverTime,
        "present_over_time" => &count::PresentOverTime,
        _ => return None,
    })
}

/// `absent_over_time`: 1 at the steps at which no series has a sample.
pub(crate) fn absent_over_time(
    _: &RangeCall,
    _: &Node,
    _: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    Err(QueryError::execution("absent_over_time is not built"))
}

/// Cuts the samples of a range that an instant query asks for.
pub(crate) struct RawRange;

impl RawRange {
    pub(crate) fn new(_: &RangeInput, _: &Run) -> Self {
        RawRange
    }

    /// The samples after `open_start` and not after `end`.
    pub(crate) fn cut(
        &self,
        samples: &Samples,
        (open_start, end): (i64, i64),
    ) -> Result<Samples, QueryError> {
        let mut cut = Samples::default();
        for (time, value) in samples.timestamps.iter().zip(&samples.values) {
            if *time > open_start && *time <= end {
                cut.push_float(*time, *value);
            }
        }
        for (time, histogram) in samples.histogram_timestamps.iter().zip(&samples.histograms) {
            if *time > open_start && *time <= end {
                cut.push_histogram(*time, histogram.clone());
            }
        }
        Ok(cut)
    }
}
