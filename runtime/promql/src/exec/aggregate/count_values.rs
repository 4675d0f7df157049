//! `count_values`: the values become values of a label; one series per group and value.

use std::collections::HashMap;

use super::STEPS_AT_ONCE;
use super::grouping::Grouping;
use crate::exec::{Operator, Run};
use crate::plan::Aggregate;
use crate::{Column, Held, Point, QueryError, Row, Symbol};

/// `count_values`
pub(super) struct CountValues {
    input: Option<Box<dyn Operator>>,
    grouping: Grouping,
    label: Symbol,
    steps: usize,
    counts: std::vec::IntoIter<Vec<u32>>,
    next_group: usize,
    held: Held,
}

impl CountValues {
    pub(super) fn new(
        aggregate: &Aggregate,
        label: &str,
        input: Box<dyn Operator>,
        steps: usize,
        run: &mut Run,
    ) -> Self {
        let mut by = aggregate.grouping.clone();
        if !aggregate.without {
            by.push(label.to_owned());
        }
        CountValues {
            input: Some(input),
            grouping: Grouping::new(&by, aggregate.without, run),
            label: run.symbols.intern(label),
            steps,
            counts: Vec::new().into_iter(),
            next_group: 0,
            held: run.control.budget.hold("groups of count_values"),
        }
    }

    fn count_all(&mut self, mut input: Box<dyn Operator>, run: &mut Run) -> Result<(), QueryError> {
        let mut counts: Vec<Vec<u32>> = Vec::new();
        let mut texts: HashMap<u64, Symbol> = HashMap::new();
        let mut row = Row::default();
        while input.next(run, &mut row)? {
            let mut labels = std::mem::take(&mut row.labels);
            // A series often has the same value many times in a row.
            let mut last: Option<(u64, usize)> = None;
            for (step, point) in row.column.points() {
                let group = match (point, last) {
                    (Point::Float(value), Some((bits, group))) if bits == value.to_bits() => group,
                    _ => {
                        let value = match point {
                            Point::Float(value) => *texts
                                .entry(value.to_bits())
                                .or_insert_with(|| run.symbols.intern(&prom_model::go_plain_float(value))),
                            Point::Histogram(histogram) => run.symbols.intern(&histogram.to_string()),
                        };
                        labels.set(&run.symbols, self.label, value);
                        let group = self.grouping.group(&labels);
                        if let Point::Float(value) = point {
                            last = Some((value.to_bits(), group));
                        }
                        group
                    }
                };
                if step % STEPS_AT_ONCE == STEPS_AT_ONCE - 1 {
                    run.check()?;
                }
                if group == counts.len() {
                    counts.push(vec![0; self.steps]);
                    run.hold_samples(self.steps)?;
                    self.held.grow(self.steps * 4 + labels.bytes() + 64)?;
                }
                if let Some(count) = counts.get_mut(group).and_then(|counts| counts.get_mut(step)) {
                    *count += 1;
                }
            }
            row.labels = labels;
        }
        self.counts = counts.into_iter();
        Ok(())
    }
}

impl Operator for CountValues {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(input) = self.input.take() {
            self.count_all(input, run)?;
        }
        let Some(counts) = self.counts.next() else { return Ok(false) };
        run.release_samples(self.steps);
        *row = Row {
            labels: self.grouping.labels(self.next_group).cloned().unwrap_or_default(),
            drop_name: false,
            column: Column::new(self.steps),
        };
        self.next_group += 1;
        for (step, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            row.column.set_float(step, f64::from(count));
        }
        Ok(true)
    }
}
