//! Operators between two operands.

use super::{Operator, Run};
use crate::QueryError;
use crate::plan::{Binary, Node};

/// Makes the operator of an operation with at least one vector.
pub(super) fn vector(binary: &Binary, _: &Node, _: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    Err(QueryError::execution(format!("unknown operator {}", binary.op)))
}

/// Evaluates an operation between two scalars.
pub(super) fn scalar(binary: &Binary, _: &Node, _: &mut Run) -> Result<Vec<f64>, QueryError> {
    Err(QueryError::execution(format!("unknown operator {}", binary.op)))
}
