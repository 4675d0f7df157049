//! `quantile_over_time` and `mad_over_time`: the values of a range in order.

use super::RangeFunction;
use super::window::of_floats;
use crate::exec::aggregate::quantile_of;
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Annotation, Column, QueryError};

/// `quantile_over_time`
pub(super) struct Quantile;

impl RangeFunction for Quantile {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let quantile = |step: usize| args.param(0, step);
        // One that is no quantile at a step with values.
        let has_values = |step: &usize| series.windows.floats.get(*step).is_some_and(|(from, to)| from < to);
        let is_bad = |step: &usize| !(0.0..=1.0).contains(&quantile(*step));
        let bad: Vec<f64> = (0..args.steps.count).filter(is_bad).filter(has_values).map(quantile).collect();
        let mut said: Option<f64> = None;
        for quantile in bad {
            if said.is_none_or(|said| said.to_bits() != quantile.to_bits()) {
                series.annotations.add(Annotation::invalid_quantile(quantile, args.param_span));
                said = Some(quantile);
            }
        }
        let mut values = Vec::new();
        of_floats(series, args, out, |step, window| {
            values.clear();
            values.extend_from_slice(window.values);
            quantile_of(args.param(0, step), &mut values)
        })
    }
}

/// `mad_over_time`: the median distance to the median.
pub(super) struct MedianDeviation;

impl RangeFunction for MedianDeviation {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let mut values = Vec::new();
        of_floats(series, args, out, |_, window| {
            if window.values.iter().any(|value| value.is_nan()) {
                return f64::NAN;
            }
            values.clear();
            values.extend_from_slice(window.values);
            let median = quantile_of(0.5, &mut values);
            for value in &mut values {
                *value = (*value - median).abs();
            }
            quantile_of(0.5, &mut values)
        })
    }
}
