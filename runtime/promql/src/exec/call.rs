//! Calls of functions that take no range: instant vectors, scalars and texts.

use super::function::absent::Absent;
use super::function::elementwise::Elementwise;
use super::function::relabel::Relabel;
use super::function::scalars::{self, Single};
use super::function::{dates, histogram, info, sort, timestamps};
use super::{Operator, Run, merge, scalar, vector as operator};
use crate::QueryError;
use crate::plan::{Call, Node};

/// Makes the operator of a call whose value is an instant vector.
pub(super) fn vector(call: &Call, node: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    let name = call.function.name;
    if let Some(part) = dates::part(name) {
        return match call.args.first() {
            Some(arg) => {
                let input = operator(arg, run)?;
                Ok(merge::unless_unique(Box::new(dates::PartOfValues::new(input, part)), arg, run))
            }
            None => Ok(Box::new(Single::new(dates::of_steps(node.steps, part)))),
        };
    }
    let Some(arg) = call.args.first() else { return unknown(name) };
    if let Some(changed) = Elementwise::find(name, &call.args, |run| operator(arg, run), run)? {
        return Ok(merge::unless_unique(Box::new(changed), arg, run));
    }
    if let Some(sorted) = sort::find(call, node, |run| operator(arg, run), run)? {
        return Ok(sorted);
    }
    if let Some(take) = histogram::number(name) {
        let input = operator(arg, run)?;
        return Ok(merge::unless_unique(Box::new(histogram::Number::new(input, take)), arg, run));
    }
    match name {
        "label_replace" => {
            let relabel = Relabel::replace(call, |run| operator(arg, run), run)?;
            Ok(merge::if_careful(Box::new(relabel), run))
        }
        "label_join" => {
            let relabel = Relabel::join(call, |run| operator(arg, run), run)?;
            Ok(merge::if_careful(Box::new(relabel), run))
        }
        "histogram_quantiles" => histogram::quantiles(call, run),
        "info" => info::info(call, node, run),
        "vector" => Ok(Box::new(Single::new(scalar(arg, run)?))),
        "absent" => {
            let input = operator(arg, run)?;
            Ok(Box::new(Absent::new(input, arg, run)))
        }
        "timestamp" => Ok(merge::unless_unique(timestamps::timestamp(arg, run)?, arg, run)),
        "start_timestamp" => Ok(merge::unless_unique(timestamps::start_timestamp(arg, run)?, arg, run)),
        _ => match (name, call.args.as_slice()) {
            ("histogram_quantile", [q, arg]) => histogram::quantile(q, arg, run),
            ("histogram_fraction", [lower, upper, arg]) => histogram::fraction(lower, upper, arg, run),
            _ => unknown(name),
        },
    }
}

/// Evaluates a call whose value is a scalar.
pub(super) fn scalar_call(call: &Call, node: &Node, run: &mut Run) -> Result<Vec<f64>, QueryError> {
    match scalars::evaluate(call, node, run)? {
        Some(values) => Ok(values),
        None => unknown(call.function.name),
    }
}

fn unknown<T>(name: &str) -> Result<T, QueryError> {
    Err(QueryError::execution(format!("unknown function with name \"{name}\"")))
}
