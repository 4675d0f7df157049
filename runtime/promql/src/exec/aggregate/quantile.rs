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

/// The quantile of some values, between the two nearest where it falls between them; NaN is the smallest. Moves the values.
pub(in crate::exec) fn of_values(quantile: f64, values: &mut [f64]) -> f64 {
    let place = match place(quantile, values.len()) {
        Ok(place) => place,
        Err(outside) => return outside,
    };
    // Of zeros with different signs the order is that in which they came.
    let needs_order = |value: &f64| value.is_nan() || value.to_bits() == (-0.0_f64).to_bits();
    if values.iter().any(needs_order) {
        values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
            (false, false) => a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal),
            (a, b) => b.cmp(&a),
        });
        return place.between(|rank| values.get(rank).copied().unwrap_or(f64::NAN));
    }
    let (_, lower, above) = values.select_nth_unstable_by(place.lower, f64::total_cmp);
    let lower = *lower;
    let upper = above.iter().copied().reduce(f64::min).unwrap_or(lower);
    place.between(|rank| if rank == place.lower { lower } else { upper })
}

/// As [`of_values`], of so many values, of which `at` gives the one of a rank.
pub(in crate::exec) fn of_ranks(quantile: f64, values: usize, at: impl Fn(usize) -> f64) -> f64 {
    match place(quantile, values) {
        Ok(place) => place.between(at),
        Err(outside) => outside,
    }
}

/// Where a quantile falls.
struct Place {
    lower: usize,
    upper: usize,
    weight: f64,
}

/// The place of a quantile among so many values; what it is where there is none.
fn place(quantile: f64, values: usize) -> Result<Place, f64> {
    if values == 0 || quantile.is_nan() {
        return Err(f64::NAN);
    }
    if quantile < 0.0 {
        return Err(f64::NEG_INFINITY);
    }
    if quantile > 1.0 {
        return Err(f64::INFINITY);
    }
    let last = (values - 1) as f64;
    let rank = quantile * last;
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(last);
    Ok(Place { lower: lower as usize, upper: upper as usize, weight: rank - rank.floor() })
}

impl Place {
    fn between(&self, at: impl Fn(usize) -> f64) -> f64 {
        at(self.lower) * (1.0 - self.weight) + at(self.upper) * self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_that_of_the_sorted_values() {
        let mut seed = 3_u64;
        for round in 0..2_000 {
            let mut values: Vec<f64> = Vec::new();
            for _ in 0..1 + round % 40 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                values.push(match seed >> 33 & 31 {
                    0 if round % 3 == 0 => f64::NAN,
                    1 if round % 5 == 0 => -0.0,
                    2 => f64::INFINITY,
                    number => (number as f64 - 9.0) / 7.0,
                });
            }
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| {
                b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
            });
            for quantile in [0.0, 0.3, 0.5, 0.9, 0.95, 1.0] {
                let expected = of_ranks(quantile, sorted.len(), |rank| sorted[rank]);
                let found = of_values(quantile, &mut values.clone());
                let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                assert!(same, "{quantile} of {values:?}: {found} and {expected}");
            }
        }
    }
}
