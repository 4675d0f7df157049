//! The side of an operation of which each match group has one series at a step: it is read first and waits in memory.

use super::keys::{KeyLabels, Keys};
use crate::exec::collect::samples_in;
use crate::exec::stretch::{Stretch, occupied, steps_of};
use crate::exec::{Operator, Run};
use crate::{Held, LabelSet, QueryError, Row, Symbol, Symbols};

/// Values of a match group with the same labels to include.
#[derive(Debug, Default)]
pub(super) struct Variant {
    /// The values of the labels to include.
    pub(super) include: Vec<Symbol>,
    pub(super) values: Stretch,
}

/// One of the series of a match group.
#[derive(Debug)]
struct Member {
    labels: LabelSet,
    /// The steps at which it has a value; filled once there is a second member.
    steps: Vec<u64>,
}

/// A match group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) variants: Vec<Variant>,
    members: Vec<Member>,
}

impl Group {
    /// The steps of a word at which there is a value.
    pub(super) fn occupied(&self, word: usize) -> u64 {
        self.variants.iter().fold(0, |all, variant| all | variant.values.occupied(word))
    }
}

/// Two series of one match group that have values at the same step.
#[derive(Debug)]
struct Conflict {
    group: usize,
    labels: [LabelSet; 2],
}

/// All match groups of the side.
pub(super) struct OneSide {
    pub(super) keys: Keys,
    pub(super) groups: Vec<Group>,
    conflicts: Vec<Conflict>,
    /// For each step the number of its conflict, `u32::MAX` if it has none. Empty as long as there is none at all.
    conflict_at: Vec<u32>,
    held: Held,
    samples: usize,
    words: usize,
}

impl OneSide {
    pub(super) fn new(steps: usize, run: &Run) -> Self {
        OneSide {
            keys: Keys::default(),
            groups: Vec::new(),
            conflicts: Vec::new(),
            conflict_at: Vec::new(),
            held: run.control.budget.hold("series to join with"),
            samples: 0,
            words: steps.div_ceil(64),
        }
    }

    /// Reads all series of the side.
    pub(super) fn read(
        &mut self,
        mut input: Box<dyn Operator>,
        labels: &KeyLabels,
        include: &[Symbol],
        run: &mut Run,
    ) -> Result<(), QueryError> {
        let mut row = Row::default();
        let mut key = Vec::new();
        let mut steps = Vec::new();
        while input.next(run, &mut row)? {
            labels.of(&row.labels, &mut key);
            let group = self.keys.insert(&key);
            if self.groups.len() <= group {
                self.groups.resize_with(group + 1, Group::default);
            }
            let samples = samples_in(&row.column);
            run.hold_samples(samples)?;
            self.samples += samples;
            occupied(&row.column, &mut steps);
            let more = self.take(group, &row, include, &steps);
            self.held.grow(more)?;
        }
        self.held.grow(self.keys.bytes() + self.groups.len() * size_of::<Group>())?;
        Ok(())
    }

    /// Takes in a series; gives the bytes that it takes.
    fn take(&mut self, at: usize, row: &Row, include: &[Symbol], steps: &[u64]) -> usize {
        let Some(group) = self.groups.get_mut(at) else { return 0 };
        let labels = || row.labels.clone();
        let mut bytes = row.labels.bytes() + size_of::<Member>();
        if group.members.is_empty() {
            group.members.push(Member { labels: labels(), steps: Vec::new() });
        } else {
            if let [first] = group.members.as_mut_slice() {
                first.steps = (0..self.words)
                    .map(|word| group.variants.iter().fold(0, |all, v| all | v.values.occupied(word)))
                    .collect();
                bytes += self.words * 8;
            }
            let new = |word: usize, bits: u64| {
                let known = |step: usize| self.conflict_at.get(step).is_none_or(|at| *at == u32::MAX);
                steps_of(word, bits).any(known)
            };
            let overlaps = steps.iter().enumerate().any(|(word, bits)| {
                let both = group.variants.iter().fold(0, |all, v| all | v.values.occupied(word)) & bits;
                both != 0 && new(word, both)
            });
            for member in group.members.iter().filter(|_| overlaps) {
                let both: Vec<u64> = member.steps.iter().zip(steps).map(|(a, b)| a & b).collect();
                if both.iter().any(|word| *word != 0) {
                    let conflict = Conflict { group: at, labels: [member.labels.clone(), labels()] };
                    note_conflict(&mut self.conflicts, &mut self.conflict_at, conflict, &both);
                }
            }
            group.members.push(Member { labels: labels(), steps: steps.to_vec() });
            bytes += self.words * 8;
        }
        let values: Vec<Symbol> = include.iter().map(|name| row.labels.get(*name)).collect();
        let known = group.variants.iter().position(|variant| variant.include == values);
        let known = known.unwrap_or_else(|| {
            group.variants.push(Variant { include: values, values: Stretch::default() });
            group.variants.len() - 1
        });
        if let Some(variant) = group.variants.get_mut(known) {
            let before = variant.values.bytes();
            variant.values.add(&row.column);
            bytes += variant.values.bytes().saturating_sub(before) + size_of::<Variant>();
        }
        bytes
    }

    /// The values of a group, of which there is one kind as long as no labels are included.
    pub(super) fn values_mut(&mut self, group: usize) -> Option<&mut Stretch> {
        let group = self.groups.get_mut(group)?;
        if group.variants.is_empty() {
            group.variants.push(Variant::default());
        }
        group.variants.first_mut().map(|variant| &mut variant.values)
    }

    /// Whether two series of a group have values at the same step anywhere.
    pub(super) fn has_conflicts(&self) -> bool {
        !self.conflicts.is_empty()
    }

    /// The first of these steps at which two series of a group have values, with Prometheus' text about it; `side` is where
    /// the series stand.
    pub(super) fn first_conflict(
        &self,
        steps: impl Fn(usize) -> bool,
        side: &str,
        symbols: &Symbols,
    ) -> Option<(usize, String)> {
        let (step, at) =
            self.conflict_at.iter().enumerate().find(|(step, at)| **at != u32::MAX && steps(*step))?;
        let conflict = self.conflicts.get(*at as usize)?;
        let mut key = LabelSet::new();
        key.assign(self.keys.get(conflict.group));
        let mut series = conflict.labels.each_ref().map(|labels| labels.to_labels(symbols).to_string());
        series.sort();
        let [first, second] = series;
        let text = format!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{first}, \
             {second}];many-to-many matching not allowed: matching labels must be unique on one side",
            key.to_labels(symbols)
        );
        Some((step, text))
    }

    /// Gives back what was held.
    pub(super) fn release(&mut self, run: &mut Run) {
        run.release_samples(std::mem::take(&mut self.samples));
        self.groups = Vec::new();
        // An empty holding cannot exceed a budget.
        let _ = self.held.resize(0);
    }
}

/// Takes down a conflict for those of its steps that have none yet: at a step only the first counts.
fn note_conflict(
    conflicts: &mut Vec<Conflict>,
    conflict_at: &mut Vec<u32>,
    conflict: Conflict,
    steps: &[u64],
) {
    let Ok(number) = u32::try_from(conflicts.len()) else { return };
    conflict_at.resize(steps.len() * 64, u32::MAX);
    let mut first = false;
    for (step, at) in conflict_at.iter_mut().enumerate() {
        if *at == u32::MAX && steps.get(step / 64).is_some_and(|word| word >> (step % 64) & 1 == 1) {
            *at = number;
            first = true;
        }
    }
    if first {
        conflicts.push(conflict);
    }
}
