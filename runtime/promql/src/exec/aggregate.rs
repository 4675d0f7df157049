//! Aggregations over series. Rows stream in, in the order in which Prometheus adds them; what is kept grows with the groups.

mod average;
mod count_values;
mod deviation;
mod extremes;
mod fold;
mod grouping;
mod heap;
mod histograms;
mod limit;
mod quantile;
mod select;
mod sum;

use promql_syntax::{AggregateOp, Span};

use super::{Operator, Run, scalar, text, vector};
use crate::plan::{Aggregate, Node};
use crate::{Annotation, QueryError};

/// After so many steps of a series it is looked whether the query may go on.
const STEPS_AT_ONCE: usize = 64;

use fold::Folded;
use grouping::Grouping;

pub(super) use quantile::{of_ranks as quantile_of_ranks, of_values as quantile_of};

/// Makes the operator of an aggregation.
pub(super) fn operator(
    aggregate: &Aggregate,
    node: &Node,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let steps = node.steps.count;
    let span = aggregate.input.span;
    if aggregate.op == AggregateOp::CountValues {
        let label = aggregate.param.as_deref().map_or(Ok(""), text)?;
        if !prom_model::NameScheme::Utf8.is_valid_label_name(label) {
            return Err(QueryError::execution(format!("invalid label name {}", prom_model::quote(label))));
        }
        let input = vector(&aggregate.input, run)?;
        return Ok(Box::new(count_values::CountValues::new(aggregate, label, input, steps, run)));
    }
    let param = match &aggregate.param {
        Some(param) => Param::new(scalar(param, run)?, param.span),
        None => Param::new(Vec::new(), span),
    };
    let input = vector(&aggregate.input, run)?;
    let grouping = Grouping::new(&aggregate.grouping, aggregate.without, run);
    Ok(match aggregate.op {
        AggregateOp::Sum => Box::new(Folded::new(input, grouping, sum::Sum { span }, steps, run)),
        AggregateOp::Avg => Box::new(Folded::new(input, grouping, average::Average { span }, steps, run)),
        AggregateOp::Min => Box::new(Folded::new(input, grouping, extremes::Extreme::min(span), steps, run)),
        AggregateOp::Max => Box::new(Folded::new(input, grouping, extremes::Extreme::max(span), steps, run)),
        AggregateOp::Count => Box::new(Folded::new(input, grouping, extremes::Count, steps, run)),
        AggregateOp::Group => Box::new(Folded::new(input, grouping, extremes::Group, steps, run)),
        AggregateOp::Stddev => {
            Box::new(Folded::new(input, grouping, deviation::Deviation::stddev(span), steps, run))
        }
        AggregateOp::Stdvar => {
            Box::new(Folded::new(input, grouping, deviation::Deviation::stdvar(span), steps, run))
        }
        AggregateOp::Quantile => {
            param.warn_of_quantiles(run);
            Box::new(Folded::new(
                input,
                grouping,
                quantile::Quantile { span, param: param.values },
                steps,
                run,
            ))
        }
        AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk => {
            select::operator(aggregate, node, param, input, grouping, run)?
        }
        AggregateOp::LimitRatio => limit::ratio(node, param, input, grouping, run)?,
        AggregateOp::CountValues => return Err(QueryError::execution("count_values has no number")),
    })
}

/// The parameter of an aggregation, at each step.
struct Param {
    values: Vec<f64>,
    span: Span,
}

impl Param {
    fn new(values: Vec<f64>, span: Span) -> Self {
        Param { values, span }
    }

    fn at(&self, step: usize) -> f64 {
        self.values.get(step).copied().unwrap_or(0.0)
    }

    fn has_nan(&self) -> bool {
        self.values.iter().any(|value| value.is_nan())
    }

    /// The largest value; NaN where there is one, as Go's `math.Max` has it.
    fn max(&self) -> f64 {
        if self.has_nan() { f64::NAN } else { self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max) }
    }

    /// The smallest value, likewise.
    fn min(&self) -> f64 {
        if self.has_nan() { f64::NAN } else { self.values.iter().copied().fold(f64::INFINITY, f64::min) }
    }

    fn warn_of_quantiles(&self, run: &mut Run) {
        let bad = [
            self.has_nan().then_some(f64::NAN),
            Some(self.max()).filter(|max| *max > 1.0),
            Some(self.min()).filter(|min| *min < 0.0),
        ];
        for quantile in bad.into_iter().flatten() {
            run.annotations.add(Annotation::invalid_quantile(quantile, self.span));
        }
    }
}
