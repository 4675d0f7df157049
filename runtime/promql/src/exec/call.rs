//! Calls of functions that take no range: instant vectors, scalars and texts.

use super::{Operator, Run};
use crate::QueryError;
use crate::plan::{Call, Node};

/// Makes the operator of a call whose value is an instant vector.
pub(super) fn vector(call: &Call, _: &Node, _: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    Err(QueryError::execution(format!("unknown function with name \"{}\"", call.function.name)))
}

/// Evaluates a call whose value is a scalar.
pub(super) fn scalar(call: &Call, _: &Node, _: &mut Run) -> Result<Vec<f64>, QueryError> {
    Err(QueryError::execution(format!("unknown function with name \"{}\"", call.function.name)))
}
