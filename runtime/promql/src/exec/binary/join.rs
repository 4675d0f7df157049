//! Operators between the series of two vectors, as streams: one side waits in memory, the other passes by.

use std::collections::VecDeque;

use super::matching::{Joined, Matching};
use crate::exec::stretch::{Stretch, WORD, occupied};
use crate::exec::{Operator, Run};
use crate::{Column, Held, LabelSet, QueryError, Row};

/// Gives the results of each series of the "many" side as soon as it comes.
pub(super) struct Stream {
    many: Option<Box<dyn Operator>>,
    one: Option<Box<dyn Operator>>,
    matching: Matching,
    ready: VecDeque<Joined>,
}

impl Stream {
    pub(super) fn new(many: Box<dyn Operator>, one: Box<dyn Operator>, matching: Matching) -> Self {
        Stream { many: Some(many), one: Some(one), matching, ready: VecDeque::new() }
    }
}

impl Operator for Stream {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(one) = self.one.take() {
            self.matching.read(one, run)?;
        }
        loop {
            if let Some(joined) = self.ready.pop_front() {
                *row = joined.row;
                return Ok(true);
            }
            let Some(many) = &mut self.many else { return Ok(false) };
            if many.next(run, row)? {
                let in_place = self.matching.join(row, &mut self.ready, run)?;
                if self.matching.has_failed() {
                    self.ready.clear();
                } else if in_place.is_some() {
                    return Ok(true);
                }
                continue;
            }
            self.many = None;
            self.matching.fill(&mut self.ready, run);
            self.matching.finish(run)?;
            self.matching.side.release(run);
        }
    }
}

/// One to one: results of series of the "many" side with the same labels are one series. It is written over the series of
/// the "one" side, which is not looked at again where it was matched.
pub(super) struct Grouped {
    many: Option<Box<dyn Operator>>,
    one: Option<Box<dyn Operator>>,
    matching: Matching,
    /// By group.
    results: Vec<Option<Written>>,
    /// The groups that have a result, in the order of the first.
    order: VecDeque<usize>,
    /// The result that stands apart and is being given.
    held: Held,
    steps: usize,
}

/// A result that stands in the place of the "one" side.
struct Written {
    labels: LabelSet,
    drop_name: bool,
    at: Vec<u64>,
    /// Results that do not stand there: a histogram in the place of a float, or the other way round, would be taken for the
    /// operand by the next series of the group.
    apart: Option<Stretch>,
}

impl Grouped {
    pub(super) fn new(
        many: Box<dyn Operator>,
        one: Box<dyn Operator>,
        matching: Matching,
        run: &Run,
    ) -> Self {
        let steps = matching.steps;
        Grouped {
            held: run.control.budget.hold("results of a join"),
            many: Some(many),
            one: Some(one),
            matching,
            results: Vec::new(),
            order: VecDeque::new(),
            steps,
        }
    }

    fn write(&mut self, group: usize, row: &Row) {
        let Some(values) = self.matching.side.values_mut(group) else { return };
        let apart = row.column.has_histograms() || values.has_histograms();
        if self.results.len() <= group {
            self.results.resize_with(group + 1, || None);
        }
        let Some(result) = self.results.get_mut(group) else { return };
        let mut steps = Vec::new();
        if apart {
            let result = result.get_or_insert_with(|| {
                self.order.push_back(group);
                Written {
                    labels: row.labels.clone(),
                    drop_name: row.drop_name,
                    at: vec![0; self.steps.div_ceil(WORD)],
                    apart: None,
                }
            });
            result.apart.get_or_insert_default().add(&row.column);
            return;
        }
        occupied(&row.column, &mut steps);
        let used = |word: &u64| *word != 0;
        if let (Some(first), Some(last)) = (steps.iter().position(used), steps.iter().rposition(used)) {
            values.cover(first..last + 1);
        }
        for (word, bits) in steps.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            values.overwrite(word, *bits, &row.column);
        }
        match result {
            Some(result) => {
                for (known, more) in result.at.iter_mut().zip(&steps) {
                    *known |= more;
                }
            }
            None => {
                *result = Some(Written {
                    labels: row.labels.clone(),
                    drop_name: row.drop_name,
                    at: steps,
                    apart: None,
                });
                self.order.push_back(group);
            }
        }
    }
}

impl Operator for Grouped {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(one) = self.one.take() {
            self.matching.read(one, run)?;
        }
        if let Some(mut many) = self.many.take() {
            let mut ready = VecDeque::new();
            while many.next(run, row)? {
                let in_place = self.matching.join(row, &mut ready, run)?;
                if self.matching.has_failed() {
                    ready.clear();
                    continue;
                }
                if let Some(group) = in_place {
                    self.write(group, row);
                }
                for joined in ready.drain(..) {
                    self.write(joined.group, &joined.row);
                }
            }
            self.matching.fill(&mut ready, run);
            self.matching.finish(run)?;
            for joined in ready.drain(..) {
                self.write(joined.group, &joined.row);
            }
        }
        while let Some(group) = self.order.pop_front() {
            let result = self.results.get_mut(group).and_then(Option::take);
            let (Some(result), Some(values)) = (result, self.matching.side.values_mut(group)) else {
                continue;
            };
            row.labels = result.labels;
            row.drop_name = result.drop_name;
            row.column.reset(self.steps);
            values.expand(Some(&result.at), &mut row.column);
            if let Some(apart) = result.apart {
                self.held.resize(apart.bytes())?;
                if result.at.iter().all(|word| *word == 0) {
                    apart.expand(None, &mut row.column);
                } else {
                    let mut more = Column::new(self.steps);
                    apart.expand(None, &mut more);
                    for (step, _) in more.points() {
                        row.column.copy_from(step, &more, step);
                    }
                }
            }
            return Ok(true);
        }
        self.matching.side.release(run);
        Ok(false)
    }
}
