//! Subqueries: the values of an expression at steps of its own, taken for samples.

use std::sync::Arc;

use prom_model::CounterResetHint;

use super::{Operator, Run, vector};
use crate::plan::Node;
use crate::{Held, Point, QueryError, Row, Samples, Steps};

/// The series of a subquery, each with its values as samples.
pub(super) struct SubquerySamples {
    input: Box<dyn Operator>,
    steps: Steps,
    row: Row,
    samples: Samples,
    held: Held,
}

impl SubquerySamples {
    pub(super) fn new(input: &Node, run: &mut Run) -> Result<Self, QueryError> {
        let held = run.control.budget.hold("values of a subquery");
        Ok(SubquerySamples {
            input: vector(input, run)?,
            steps: input.steps,
            row: Row::default(),
            samples: Samples::default(),
            held,
        })
    }

    /// The next series: its labels, and its values as samples.
    pub(super) fn next(&mut self, run: &mut Run) -> Result<Option<(&Row, &mut Samples)>, QueryError> {
        if !self.input.next(run, &mut self.row)? {
            return Ok(None);
        }
        self.samples.clear();
        for (step, point) in self.row.column.points() {
            let time = self.steps.time(step);
            match point {
                Point::Float(value) => self.samples.push_float(time, value),
                Point::Histogram(histogram) => {
                    // A subquery may leave out samples or give one twice: hints about resets in between are worth nothing.
                    let keeps_hint = matches!(
                        histogram.counter_reset_hint,
                        CounterResetHint::Unknown | CounterResetHint::Gauge
                    );
                    let mut histogram = Arc::clone(histogram);
                    if !keeps_hint {
                        Arc::make_mut(&mut histogram).counter_reset_hint = CounterResetHint::Unknown;
                    }
                    self.samples.push_histogram(time, histogram);
                }
            }
        }
        self.held.resize(self.samples.bytes() + self.row.column.bytes())?;
        Ok(Some((&self.row, &mut self.samples)))
    }
}
