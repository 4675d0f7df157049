//! Functions over ranges of samples. To add one: write it in a file of its family below, and name it in [`find`].

mod absent;
mod changes;
mod count;
mod edge;
mod exact;
mod extended;
mod extremes;
mod histogram_rate;
mod instant;
mod lanes;
mod moments;
mod order;
mod rate;
mod resets;
mod trend;
mod window;

use std::ops::Range;

use promql_syntax::RangeExtension;

use crate::exec::Run;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::plan::RangeInput;
use crate::{Column, QueryError, Samples};

pub(crate) use absent::operator as absent_over_time;
pub(crate) use extended::smooth;

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
        "absent_over_time" => &count::PresentOverTime,
        "avg_over_time" => &moments::Sum { is_mean: true },
        "changes" => &changes::Changes,
        "count_over_time" => &count::CountOverTime,
        "delta" => &rate::Rate { is_counter: false, is_rate: false },
        "deriv" => &trend::Line { is_prediction: false },
        "double_exponential_smoothing" => &trend::Smoothing,
        "first_over_time" => &edge::Edge { is_last: false },
        "idelta" => &instant::InstantRate { is_rate: false },
        "increase" => &rate::Rate { is_counter: true, is_rate: false },
        "irate" => &instant::InstantRate { is_rate: true },
        "last_over_time" => &edge::Edge { is_last: true },
        "mad_over_time" => &order::MedianDeviation,
        "max_over_time" => &extremes::Extreme::<true> { is_time: false },
        "min_over_time" => &extremes::Extreme::<false> { is_time: false },
        "predict_linear" => &trend::Line { is_prediction: true },
        "present_over_time" => &count::PresentOverTime,
        "quantile_over_time" => &order::Quantile,
        "rate" => &rate::Rate { is_counter: true, is_rate: true },
        "resets" => &changes::Resets,
        "stddev_over_time" => &moments::Variance { is_root: true },
        "stdvar_over_time" => &moments::Variance { is_root: false },
        "sum_over_time" => &moments::Sum { is_mean: false },
        "ts_of_first_over_time" => &edge::TimeOfEdge { is_last: false },
        "ts_of_last_over_time" => &edge::TimeOfEdge { is_last: true },
        "ts_of_max_over_time" => &extremes::Extreme::<true> { is_time: true },
        "ts_of_min_over_time" => &extremes::Extreme::<false> { is_time: true },
        _ => return None,
    })
}

/// Cuts the samples of a range that an instant query asks for.
pub(crate) struct RawRange {
    extension: Option<RangeExtension>,
    lookback: i64,
}

impl RawRange {
    pub(crate) fn new(input: &RangeInput, run: &Run) -> Self {
        RawRange { extension: input.extension(), lookback: run.options.lookback_delta }
    }

    /// The samples after `open_start` and not after `end`; of an extended range also values at its very ends.
    pub(crate) fn cut(
        &self,
        samples: &Samples,
        (open_start, end): (i64, i64),
    ) -> Result<Samples, QueryError> {
        let Some(extension) = self.extension else {
            return Ok(between(samples, open_start, end));
        };
        let smoothed = extension == RangeExtension::Smoothed;
        let ahead = if smoothed { self.lookback } else { 0 };
        let wide = between(samples, open_start.saturating_sub(self.lookback), end.saturating_add(ahead));
        if !wide.histograms.is_empty() {
            let word = if smoothed { "smoothed" } else { "anchored" };
            return Err(QueryError::execution(format!("{word} modifier is not supported with histograms")));
        }
        let extended = extended::extend(&wide.timestamps, &wide.values, (open_start, end), smoothed);
        let (timestamps, values) = extended.unwrap_or_default();
        Ok(Samples { timestamps, values, ..Samples::default() })
    }
}

/// The samples of a span of time, in memory of just their size: answers are made of them.
fn between(samples: &Samples, open_start: i64, end: i64) -> Samples {
    let places = |times: &[i64]| {
        let from = times.partition_point(|time| *time <= open_start);
        from..times.partition_point(|time| *time <= end).max(from)
    };
    let (floats, histograms) = (places(&samples.timestamps), places(&samples.histogram_timestamps));
    Samples {
        timestamps: cut(&samples.timestamps, &floats),
        values: cut(&samples.values, &floats),
        histogram_timestamps: cut(&samples.histogram_timestamps, &histograms),
        histograms: cut(&samples.histograms, &histograms),
        ..Samples::default()
    }
}

fn cut<T: Clone>(items: &[T], places: &Range<usize>) -> Vec<T> {
    items.get(places.clone()).unwrap_or_default().to_vec()
}
