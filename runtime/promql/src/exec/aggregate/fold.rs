//! Aggregations that fold each series into its group as it comes.

use super::grouping::Grouping;
use crate::exec::{Operator, Run};
use crate::{Column, Held, QueryError, Row};

/// How series become one. The state of a group has a place for each step.
pub(super) trait Fold: Send {
    /// What a group keeps.
    type State: Send;

    /// A group that has seen nothing.
    fn start(&self, steps: usize) -> Self::State;

    /// Takes a series in.
    fn add(&self, state: &mut Self::State, row: &Row, run: &mut Run) -> Result<(), QueryError>;

    /// Gives the value of a group at each step; `out` has nothing at any step.
    fn finish(&self, state: Self::State, out: &mut Column, run: &mut Run) -> Result<(), QueryError>;

    /// Bytes that the state of a group holds, about.
    fn bytes(&self, state: &Self::State) -> usize;
}

/// The operator of such an aggregation.
pub(super) struct Folded<F: Fold> {
    input: Option<Box<dyn Operator>>,
    grouping: Grouping,
    fold: F,
    steps: usize,
    groups: std::vec::IntoIter<GroupState<F::State>>,
    next_group: usize,
    held: Held,
}

struct GroupState<S> {
    state: S,
    drop_name: bool,
}

impl<F: Fold> Folded<F> {
    pub(super) fn new(
        input: Box<dyn Operator>,
        grouping: Grouping,
        fold: F,
        steps: usize,
        run: &Run,
    ) -> Self {
        let held = run.control.budget.hold("groups of an aggregation");
        Folded {
            input: Some(input),
            grouping,
            fold,
            steps,
            groups: Vec::new().into_iter(),
            next_group: 0,
            held,
        }
    }

    fn fold_all(&mut self, mut input: Box<dyn Operator>, run: &mut Run) -> Result<(), QueryError> {
        let mut groups: Vec<GroupState<F::State>> = Vec::new();
        let mut row = Row::default();
        while input.next(run, &mut row)? {
            let number = self.grouping.group(&row.labels);
            if number == groups.len() {
                groups.push(GroupState { state: self.fold.start(self.steps), drop_name: false });
                run.hold_samples(self.steps)?;
            }
            if let Some(group) = groups.get_mut(number) {
                let before = self.fold.bytes(&group.state);
                group.drop_name |= row.drop_name;
                self.fold.add(&mut group.state, &row, run)?;
                let after = self.fold.bytes(&group.state);
                if after > before || self.held.bytes() == 0 {
                    self.held.grow(after.saturating_sub(before).max(1))?;
                }
            }
        }
        self.groups = groups.into_iter();
        Ok(())
    }
}

impl<F: Fold> Operator for Folded<F> {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(input) = self.input.take() {
            self.fold_all(input, run)?;
        }
        for group in self.groups.by_ref() {
            let number = self.next_group;
            self.next_group += 1;
            let held = self.held.bytes().saturating_sub(self.fold.bytes(&group.state) as u64);
            self.held.resize(usize::try_from(held).unwrap_or(0))?;
            run.release_samples(self.steps);
            row.column.reset(self.steps);
            self.fold.finish(group.state, &mut row.column, run)?;
            if row.column.is_empty() {
                continue;
            }
            row.labels = self.grouping.labels(number).cloned().unwrap_or_default();
            row.drop_name = group.drop_name;
            return Ok(true);
        }
        Ok(false)
    }
}
