//! `and`, `or` and `unless`: of one side only the steps matter at which a match group has a series.

use hashbrown::HashTable;
use promql_syntax::BinaryOp;

use super::keys::{KeyLabels, Keys};
use crate::exec::stretch::{Stretch, occupied};
use crate::exec::{Operator, Run};
use crate::{Column, Held, LabelSet, QueryError, Row, Symbol};

/// The steps at which match groups have a series.
struct Presence {
    labels: KeyLabels,
    keys: Keys,
    /// One per group, of so many words each.
    steps: Vec<u64>,
    words: usize,
    key: Vec<(Symbol, Symbol)>,
    row: Vec<u64>,
    held: Held,
}

impl Presence {
    fn new(labels: KeyLabels, steps: usize, run: &Run) -> Self {
        Presence {
            labels,
            keys: Keys::default(),
            steps: Vec::new(),
            words: steps.div_ceil(64),
            key: Vec::new(),
            row: Vec::new(),
            held: run.control.budget.hold("match groups of a set operator"),
        }
    }

    fn add(&mut self, row: &Row) -> Result<(), QueryError> {
        self.labels.of(&row.labels, &mut self.key);
        let group = self.keys.insert(&self.key);
        let start = group * self.words;
        if self.steps.len() < start + self.words {
            self.steps.resize(start + self.words, 0);
            self.held.resize(self.steps.capacity() * 8 + self.keys.bytes())?;
        }
        occupied(&row.column, &mut self.row);
        for (known, more) in self.steps.iter_mut().skip(start).zip(&self.row) {
            *known |= more;
        }
        Ok(())
    }

    /// The steps at which the group of a series has one; `None` if it never has.
    fn of(&mut self, labels: &LabelSet) -> Option<&[u64]> {
        self.labels.of(labels, &mut self.key);
        let start = self.keys.find(&self.key)? * self.words;
        self.steps.get(start..start + self.words)
    }
}

/// Removes the values at the steps that are not kept.
fn keep(column: &mut Column, steps: impl Fn(usize) -> u64) {
    let gone: Vec<usize> = column
        .histograms()
        .filter(|(step, _)| steps(step / 64) >> (step % 64) & 1 == 0)
        .map(|(step, _)| step)
        .collect();
    for step in gone {
        column.clear(step);
    }
    for (at, word) in column.floats_mut().1.words_mut().iter_mut().enumerate() {
        *word &= steps(at);
    }
}

/// `and` and `unless`: series of the left side, at the steps at which the right side has one of their group, or has none.
struct Filter {
    left: Box<dyn Operator>,
    right: Option<Box<dyn Operator>>,
    presence: Presence,
    wanted: bool,
}

impl Operator for Filter {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(mut right) = self.right.take() {
            while right.next(run, row)? {
                self.presence.add(row)?;
            }
        }
        while self.left.next(run, row)? {
            match self.presence.of(&row.labels) {
                None if self.wanted => continue,
                None => {}
                Some(steps) => {
                    let flip = if self.wanted { 0 } else { u64::MAX };
                    keep(&mut row.column, |at| steps.get(at).copied().unwrap_or(0) ^ flip);
                }
            }
            if !row.column.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// `or`: all series of the left side, and those of the right side at the steps at which the left has none of their group.
///
/// A series of either side with the same labels is one series. It can be that only where the left one has gaps; such wait.
struct Or {
    left: Option<Box<dyn Operator>>,
    right: Option<Box<dyn Operator>>,
    presence: Presence,
    waiting: Vec<Waiting>,
    table: HashTable<usize>,
    hasher: foldhash::fast::FixedState,
    next: usize,
    held: Held,
    steps: usize,
}

struct Waiting {
    labels: LabelSet,
    drop_name: bool,
    values: Option<Stretch>,
}

impl Or {
    fn wait(&mut self, row: &Row) -> Result<(), QueryError> {
        let mut values = Stretch::default();
        values.add(&row.column);
        self.held.grow(values.bytes() + row.labels.bytes() + size_of::<Waiting>())?;
        let waiting = &mut self.waiting;
        let hasher = &self.hasher;
        let hash = row.labels.hash_with(hasher);
        self.table.insert_unique(hash, waiting.len(), |&at| {
            waiting.get(at).map_or(0, |known| known.labels.hash_with(hasher))
        });
        waiting.push(Waiting { labels: row.labels.clone(), drop_name: row.drop_name, values: Some(values) });
        Ok(())
    }

    /// Adds to a row of the right side what the left side has under the same labels.
    fn join(&mut self, row: &mut Row) {
        let hash = row.labels.hash_with(&self.hasher);
        let waiting = &mut self.waiting;
        let found =
            self.table.find(hash, |&at| waiting.get(at).is_some_and(|known| known.labels == row.labels));
        let Some(known) = found.and_then(|&at| waiting.get_mut(at)) else { return };
        let Some(mut values) = known.values.take() else { return };
        let first = |column: &Column| {
            let float = column.present().iter().next().unwrap_or(usize::MAX);
            column.histograms().next().map_or(float, |(step, _)| float.min(step))
        };
        let right = first(&row.column);
        values.add(&row.column);
        values.expand(None, &mut row.column);
        if first(&row.column) < right {
            row.drop_name = known.drop_name;
        }
    }
}

impl Operator for Or {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(mut left) = self.left.take() {
            while left.next(run, row)? {
                self.presence.add(row)?;
                if row.column.count() == self.steps {
                    self.left = Some(left);
                    return Ok(true);
                }
                self.wait(row)?;
            }
        }
        if let Some(right) = &mut self.right {
            while right.next(run, row)? {
                if let Some(steps) = self.presence.of(&row.labels) {
                    keep(&mut row.column, |at| !steps.get(at).copied().unwrap_or(0));
                }
                if row.column.is_empty() {
                    continue;
                }
                if !self.waiting.is_empty() {
                    self.join(row);
                }
                return Ok(true);
            }
            self.right = None;
        }
        while let Some(waiting) = self.waiting.get_mut(self.next) {
            self.next += 1;
            let Some(values) = waiting.values.take() else { continue };
            row.labels = std::mem::take(&mut waiting.labels);
            row.drop_name = waiting.drop_name;
            row.column.reset(self.steps);
            values.expand(None, &mut row.column);
            return Ok(true);
        }
        Ok(false)
    }
}

/// Makes the operator of a set operation.
pub(super) fn operator(
    op: BinaryOp,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    labels: KeyLabels,
    steps: usize,
    run: &Run,
) -> Box<dyn Operator> {
    let presence = Presence::new(labels, steps, run);
    if op == BinaryOp::Or {
        return Box::new(Or {
            left: Some(left),
            right: Some(right),
            presence,
            waiting: Vec::new(),
            table: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            next: 0,
            held: run.control.budget.hold("series of a set operator"),
            steps,
        });
    }
    Box::new(Filter { left, right: Some(right), presence, wanted: op == BinaryOp::And })
}
