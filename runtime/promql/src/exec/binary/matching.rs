//! Operators between the series of two vectors: what becomes of one series of the "many" side.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::joined::ResultLabels;
use super::kernel::{Kernel, Other};
use super::keys::KeyLabels;
use super::one_side::{Group, OneSide};
use crate::exec::stretch::{Stretch, occupied, steps_of};
use crate::exec::{Operator, Run};
use crate::{Column, LabelSet, QueryError, Row, Symbol};

const NOT_EXPLICIT: &str =
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
const NOT_UNIQUE: &str = "multiple matches for labels: grouping labels must ensure unique matches";

/// What has to be watched so that a match is told from a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// Nothing: no two series of the "many" side can meet.
    Nothing,
    /// One to one: no two series of a group at one step.
    Groups,
    /// Many to one: no two results with the same labels at one step.
    Results,
}

/// A result.
pub(super) struct Joined {
    pub(super) group: usize,
    pub(super) row: Row,
}

/// A set of results with the same labels.
struct Seen {
    labels: LabelSet,
    group: usize,
    matched: Vec<u64>,
}

/// The match of two vectors, of which the "one" side has been read and the "many" side comes series by series.
pub(super) struct Matching {
    pub(super) keys: KeyLabels,
    pub(super) side: OneSide,
    pub(super) kernel: Kernel,
    pub(super) result: ResultLabels,
    /// The value where the "one" side has none.
    pub(super) fill_one: Option<f64>,
    /// The value where the "many" side has none.
    pub(super) fill_many: Option<f64>,
    pub(super) watch: Watch,
    pub(super) steps: usize,
    /// The steps of each group that were matched; empty where nobody asks.
    matched: Vec<Vec<u64>>,
    seen: Vec<Seen>,
    table: HashTable<usize>,
    hasher: foldhash::fast::FixedState,
    /// The first step that went wrong.
    failure: Option<(usize, &'static str)>,
    /// The steps at which the "many" side has a value; only kept where the "one" side has conflicts.
    any_many: Vec<u64>,
    held: crate::Held,
    key: Vec<(Symbol, Symbol)>,
    words: Vec<u64>,
}

impl Matching {
    pub(super) fn new(
        (keys, result): (KeyLabels, ResultLabels),
        kernel: Kernel,
        (fill_one, fill_many): (Option<f64>, Option<f64>),
        watch: Watch,
        steps: usize,
        run: &Run,
    ) -> Self {
        Matching {
            keys,
            side: OneSide::new(steps, run),
            kernel,
            result,
            fill_one,
            fill_many,
            watch,
            steps,
            matched: Vec::new(),
            seen: Vec::new(),
            table: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            failure: None,
            any_many: Vec::new(),
            held: run.control.budget.hold("results of a join"),
            key: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Reads the "one" side.
    pub(super) fn read(&mut self, one: Box<dyn Operator>, run: &mut Run) -> Result<(), QueryError> {
        self.side.read(one, &self.keys, &self.result.include, run)
    }

    /// Matches a series of the "many" side. Where that has one result, it is in `row` and its group is given; else results
    /// go to `results`.
    pub(super) fn join(
        &mut self,
        row: &mut Row,
        results: &mut VecDeque<Joined>,
        run: &mut Run,
    ) -> Result<Option<usize>, QueryError> {
        if self.side.has_conflicts() {
            occupied(&row.column, &mut self.words);
            unite(&mut self.any_many, &self.words);
        }
        self.keys.of(&row.labels, &mut self.key);
        let at = match self.side.keys.find(&self.key) {
            Some(group) => group,
            None if self.fill_one.is_none() => return Ok(None),
            None => {
                self.side.groups.push(Group::default());
                self.side.keys.insert(&self.key)
            }
        };
        if self.result.drop_metadata() {
            run.metadata_goes(&row.labels);
        }
        row.drop_name = self.kernel.operation.return_bool;
        let Some(group) = self.side.groups.get(at) else { return Ok(None) };
        if let ([variant], None) = (group.variants.as_slice(), self.fill_one) {
            self.kernel.apply(&mut row.column, Other::Series(&variant.values), &mut self.words);
            self.result.apply(&mut row.labels, &variant.include, &run.symbols);
            self.watch(at, &row.labels, run)?;
            return Ok((!row.column.is_empty()).then_some(at));
        }
        let sources = self.sources(group, row);
        let mut own: Vec<(Row, Vec<u64>)> = Vec::new();
        for (include, values) in sources {
            let mut result = row.clone();
            self.kernel.apply(&mut result.column, Other::Series(&values), &mut self.words);
            self.result.apply(&mut result.labels, &include, &run.symbols);
            match own.iter_mut().find(|(known, _)| known.labels == result.labels) {
                Some((known, matched)) => {
                    unite(matched, &self.words);
                    for (step, _) in result.column.points() {
                        known.column.copy_from(step, &result.column, step);
                    }
                }
                None => own.push((result, self.words.clone())),
            }
        }
        for (row, matched) in own {
            self.words = matched;
            self.watch(at, &row.labels, run)?;
            if !row.column.is_empty() {
                results.push_back(Joined { group: at, row });
            }
        }
        Ok(None)
    }

    /// What a series of the "many" side is combined with: values and those of the labels to include.
    fn sources(&self, group: &Group, row: &Row) -> Vec<(Vec<Symbol>, Stretch)> {
        let each = || group.variants.iter().map(|variant| (variant.include.clone(), variant.values.clone()));
        let Some(fill) = self.fill_one else { return each().collect() };
        if self.result.include.is_empty() {
            let mut values = Stretch::constant(fill, vec![u64::MAX; self.steps.div_ceil(64)]);
            for variant in &group.variants {
                values.overlay(&variant.values);
            }
            return vec![(Vec::new(), values)];
        }
        // Filled in is a series with the labels that are matched by.
        let labels = &self.key;
        let value = |name: &Symbol| {
            labels.iter().find(|(known, _)| known == name).map_or(Symbol::EMPTY, |(_, value)| *value)
        };
        let include = self.result.include.iter().map(value).collect();
        let words = row.column.len().div_ceil(64);
        let free = (0..words).map(|word| !group.occupied(word)).collect();
        each().chain([(include, Stretch::constant(fill, free))]).collect()
    }

    /// Takes down what was matched (`self.words`), and whether it may be.
    fn watch(&mut self, group: usize, labels: &LabelSet, run: &mut Run) -> Result<(), QueryError> {
        if self.watch == Watch::Groups || self.fill_many.is_some() {
            if self.matched.len() <= group {
                self.matched.resize_with(group + 1, Vec::new);
            }
            let Some(known) = self.matched.get_mut(group) else { return Ok(()) };
            if known.is_empty() {
                self.held.grow(self.words.len() * 8)?;
            }
            if self.watch == Watch::Groups {
                fail(&mut self.failure, known, &self.words, NOT_EXPLICIT);
            }
            unite(known, &self.words);
        }
        if self.watch == Watch::Results {
            let hash = labels.hash_with(&self.hasher);
            let seen = &mut self.seen;
            let found =
                self.table.find(hash, |&at| seen.get(at).is_some_and(|known| known.labels == *labels));
            if let Some(known) = found.and_then(|&at| seen.get_mut(at)) {
                if known.group == group {
                    fail(&mut self.failure, &known.matched, &self.words, NOT_UNIQUE);
                }
                unite(&mut known.matched, &self.words);
                run.wants_care |= !run.careful;
                return Ok(());
            }
            self.held.grow(labels.bytes() + self.words.len() * 8 + size_of::<Seen>())?;
            let hasher = &self.hasher;
            self.table.insert_unique(hash, seen.len(), |&at| {
                seen.get(at).map_or(0, |known| known.labels.hash_with(hasher))
            });
            seen.push(Seen { labels: labels.clone(), group, matched: self.words.clone() });
        }
        Ok(())
    }

    /// Whether the operation has failed already, so that results are not wanted any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The steps of a group at which the "one" side has a value that was not matched.
    pub(super) fn unmatched(&self, group: usize) -> Vec<u64> {
        let Some(values) = self.side.groups.get(group) else { return Vec::new() };
        let matched = self.matched.get(group).map_or(&[][..], Vec::as_slice);
        let words = self.steps.div_ceil(64);
        (0..words).map(|word| values.occupied(word) & !matched.get(word).copied().unwrap_or(0)).collect()
    }

    /// Results of series of the "one" side alone, where values are filled in for the "many" side.
    pub(super) fn fill(&mut self, results: &mut VecDeque<Joined>, run: &mut Run) {
        let Some(fill) = self.fill_many else { return };
        // The column holds the other operand here.
        let mut kernel = Kernel::new(self.kernel.operation, !self.kernel.swapped);
        kernel.remarks = std::mem::take(&mut self.kernel.remarks);
        for at in 0..self.side.groups.len() {
            let free = self.unmatched(at);
            let Some(group) = self.side.groups.get(at) else { break };
            for variant in &group.variants {
                let steps: Vec<u64> = free
                    .iter()
                    .enumerate()
                    .map(|(word, bits)| bits & variant.values.occupied(word))
                    .collect();
                if steps.iter().all(|word| *word == 0) {
                    continue;
                }
                let mut column = Column::new(self.steps);
                variant.values.expand(Some(&steps), &mut column);
                kernel.apply(&mut column, Other::Series(&Stretch::constant(fill, steps)), &mut self.words);
                if column.is_empty() {
                    continue;
                }
                let mut labels = LabelSet::new();
                labels.assign(self.side.keys.get(at));
                self.result.apply(&mut labels, &variant.include, &run.symbols);
                let row = Row { labels, drop_name: kernel.operation.return_bool, column };
                results.push_back(Joined { group: at, row });
            }
        }
        self.kernel.remarks = kernel.remarks;
    }

    /// What is to be said after the last series: remarks, and the first step that cannot be evaluated.
    pub(super) fn finish(&mut self, run: &mut Run) -> Result<(), QueryError> {
        self.kernel.remarks.tell(self.kernel.operation, run);
        let side = if self.kernel.swapped { "left" } else { "right" };
        let filled = self.fill_one.is_some() || self.fill_many.is_some();
        let any = &self.any_many;
        let reached =
            |step: usize| filled || any.get(step / 64).is_some_and(|word| word >> (step % 64) & 1 == 1);
        let conflict = self.side.first_conflict(reached, side, &run.symbols);
        match (conflict, self.failure) {
            (Some((step, text)), failure) if failure.is_none_or(|(failed, _)| step <= failed) => {
                Err(QueryError::Execution(text))
            }
            (_, Some((_, text))) => Err(QueryError::execution(text)),
            _ => Ok(()),
        }
    }
}

/// Takes down a failure at the first step that is in both sets, where none lies before it.
fn fail(failure: &mut Option<(usize, &'static str)>, known: &[u64], more: &[u64], text: &'static str) {
    let mut both = known.iter().zip(more).enumerate().map(|(at, (a, b))| (at, a & b));
    if let Some(step) = both.find(|(_, word)| *word != 0).and_then(|(at, word)| steps_of(at, word).next())
        && failure.is_none_or(|(known, _)| step < known)
    {
        *failure = Some((step, text));
    }
}

/// Adds steps to a set of steps.
fn unite(known: &mut Vec<u64>, more: &[u64]) {
    known.resize(known.len().max(more.len()), 0);
    for (known, more) in known.iter_mut().zip(more) {
        *known |= more;
    }
}
