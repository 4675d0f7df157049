//! Operators that change nothing but the sign or the number of steps.

use std::sync::Arc;

use super::{Operator, Run};
use crate::{Column, Point, QueryError, Row, Steps};

/// No series.
pub(super) struct Nothing;

impl Operator for Nothing {
    fn next(&mut self, _: &mut Run, _: &mut Row) -> Result<bool, QueryError> {
        Ok(false)
    }
}

/// A minus sign before a vector.
pub(super) struct Negate(Box<dyn Operator>);

impl Negate {
    pub(super) fn new(input: Box<dyn Operator>) -> Self {
        Negate(input)
    }
}

impl Operator for Negate {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if !self.0.next(run, row)? {
            return Ok(false);
        }
        run.drop_metric_name(row);
        let histograms: Vec<_> =
            row.column.histograms().map(|(step, histogram)| (step, Arc::clone(histogram))).collect();
        for value in row.column.floats_mut().0 {
            *value = -*value;
        }
        for (step, mut histogram) in histograms {
            Arc::make_mut(&mut histogram).mul(-1.0);
            row.column.set_histogram(step, histogram);
        }
        Ok(true)
    }
}

/// The value of the first step at all steps.
pub(super) struct Repeat {
    input: Box<dyn Operator>,
    steps: Steps,
    first: Row,
}

impl Repeat {
    pub(super) fn new(input: Box<dyn Operator>, steps: Steps) -> Self {
        Repeat { input, steps, first: Row::default() }
    }
}

impl Operator for Repeat {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if !self.input.next(run, &mut self.first)? {
            return Ok(false);
        }
        row.labels.assign(self.first.labels.as_slice());
        row.drop_name = self.first.drop_name;
        repeat(&self.first.column, &mut row.column, self.steps.count);
        Ok(true)
    }
}

fn repeat(first: &Column, into: &mut Column, steps: usize) {
    into.reset(steps);
    match first.get(0) {
        Some(Point::Float(value)) => {
            let (floats, present) = into.floats_mut();
            floats.fill(value);
            present.fill();
        }
        Some(Point::Histogram(histogram)) => {
            for step in 0..steps {
                into.set_histogram(step, Arc::clone(histogram));
            }
        }
        None => {}
    }
}
