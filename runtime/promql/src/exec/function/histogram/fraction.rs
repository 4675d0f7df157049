//! `histogram_fraction`.

use super::classic;
use super::groups::{Histograms, metric_name};
use super::native::{self, NanObservations};
use super::quantile::{Rows, row_of};
use crate::exec::{Operator, Run, scalar, vector};
use crate::plan::Node;
use crate::{Annotation, QueryError};

/// Makes the operator of `histogram_fraction`.
pub(crate) fn fraction(
    lower: &Node,
    upper: &Node,
    arg: &Node,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let (lower, upper) = (scalar(lower, run)?, scalar(upper, run)?);
    let bounds = |step: usize| {
        let at = |bounds: &[f64]| bounds.get(step).copied().unwrap_or(f64::NAN);
        (at(&lower), at(&upper))
    };
    let mut input = vector(arg, run)?;
    let mut histograms = Histograms::read(input.as_mut(), arg.span, run)?;
    let mut rows = Vec::new();
    for mut row in std::mem::take(&mut histograms.native) {
        let mut outside = false;
        native::to_floats(&mut row.column, |step, histogram| {
            let (lower, upper) = bounds(step);
            let (value, nan) = native::fraction(lower, upper, histogram);
            outside |= nan == NanObservations::Skew;
            Some(value)
        });
        if outside {
            let annotation = Annotation::fraction_nans(metric_name(&row.labels, run), arg.span);
            run.annotations.add(annotation);
        }
        rows.push(row);
    }
    for classic in std::mem::take(&mut histograms.classic) {
        run.check()?;
        let mut row = row_of(&classic.labels, arg.steps);
        classic.each_step(arg.steps.count, |step, buckets| {
            let (lower, upper) = bounds(step);
            row.column.set_float(step, classic::fraction(lower, upper, buckets));
        });
        rows.push(row);
    }
    rows.retain(|row| !row.column.is_empty());
    for row in &mut rows {
        run.drop_metric_name(row);
    }
    let mut held = histograms.into_held(run);
    held.resize(rows.iter().map(|row| row.column.bytes() + row.labels.bytes()).sum())?;
    Rows::merged(rows, held)
}
