//! Aggregations over series.

use super::{Operator, Run};
use crate::QueryError;
use crate::plan::{Aggregate, Node};

/// Makes the operator of an aggregation.
pub(super) fn operator(
    aggregate: &Aggregate,
    _: &Node,
    _: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    Err(QueryError::execution(format!("unknown aggregation {}", aggregate.op)))
}
