//! Operators between the series of a vector and a number per step.

use super::element::Operation;
use super::kernel::{Kernel, Other};
use crate::exec::{Operator, Run};
use crate::{QueryError, Row};

/// Applies an operator to each series, in place.
pub(super) struct WithScalar {
    input: Box<dyn Operator>,
    scalars: Vec<f64>,
    kernel: Kernel,
    matched: Vec<u64>,
}

impl WithScalar {
    /// `swapped`: the number is the left operand.
    pub(super) fn new(
        input: Box<dyn Operator>,
        scalars: Vec<f64>,
        operation: Operation,
        swapped: bool,
    ) -> Self {
        WithScalar { input, scalars, kernel: Kernel::new(operation, swapped), matched: Vec::new() }
    }
}

impl Operator for WithScalar {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let operation = self.kernel.operation;
        while self.input.next(run, row)? {
            self.kernel.apply(&mut row.column, Other::Scalars(&self.scalars), &mut self.matched);
            if row.column.is_empty() {
                continue;
            }
            if operation.changes_metric() || operation.return_bool {
                run.drop_metric_name(row);
            }
            return Ok(true);
        }
        self.kernel.remarks.tell(operation, run);
        Ok(false)
    }
}
