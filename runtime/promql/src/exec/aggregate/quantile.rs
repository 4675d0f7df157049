//! `quantile`: the values of a group are kept until all are known. Histograms are left out.

use promql_syntax::Span;

use super::fold::Fold;
use crate::exec::Run;
use crate::{Annotation, Column, QueryError, Row};

/// `quantile`
pub(super) struct Quantile {
    /// Where the aggregated expression stands.
    pub(super) span: Span,
    /// The quantile at each step.
    pub(super) param: Vec<f64>,
}

impl Fold for Quantile {
    /// The values at each step.
    type State = Vec<Vec<f64>>;

    fn start(&self, steps: usize) -> Self::State {
        vec![Vec::new(); steps]
    }

    fn add(&self, state: &mut Self::State, row: &Row, run: &mut Run) -> Result<(), QueryError> {
        if row.column.has_histograms() {
            run.annotations.add(Annotation::histogram_ignored_in_aggregation("quantile", self.span));
        }
        for at in row.column.present().iter() {
            if let (Some(values), Some(value)) = (state.get_mut(at), row.column.floats().get(at)) {
                values.push(*value);
            }
        }
        Ok(())
    }

    fn finish(&self, state: Self::State, out: &mut Column, _: &mut Run) -> Result<(), QueryError> {
        for (at, mut values) in state.into_iter().enumerate().filter(|(_, values)| !values.is_empty()) {
            let quantile = self.param.get(at).copied().unwrap_or(0.0);
            out.set_float(at, of_values(quantile, &mut values));
        }
        Ok(())
    }

    fn bytes(&self, state: &Self::State) -> usize {
        // All steps grow alike; looking at the first keeps this cheap.
        state.len() * (size_of::<Vec<f64>>() + state.first().map_or(0, |values| values.capacity() * 8))
    }
}

/// The quantile of some values, between the two nearest where it falls between them; NaN is the smallest. Sorts the values.
pub(in crate::exec) fn of_values(quantile: f64, values: &mut [f64]) -> f64 {
    values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal),
        (a, b) => b.cmp(&a),
    });
    of_ranks(quantile, values.len(), |rank| values.get(rank).copied().unwrap_or(f64::NAN))
}

/// As [`of_values`], of so many values, of which `at` gives the one of a rank.
pub(in crate::exec) fn of_ranks(quantile: f64, values: usize, at: impl Fn(usize) -> f64) -> f64 {
    if values == 0 || quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    let last = (values - 1) as f64;
    let rank = quantile * last;
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(last);
    let weight = rank - rank.floor();
    at(lower as usize) * (1.0 - weight) + at(upper as usize) * weight
}
