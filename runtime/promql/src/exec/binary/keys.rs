//! Match groups: series that agree in the labels to match by have one number.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use promql_syntax::VectorMatching;

use crate::{LabelSet, Symbol, Symbols};

/// Which labels series are matched by.
#[derive(Debug, Clone)]
pub(super) struct KeyLabels {
    on: bool,
    names: Vec<Symbol>,
}

impl KeyLabels {
    /// The labels of `on`, or all but those of `ignoring` and the name.
    pub(super) fn new(matching: &VectorMatching, symbols: &mut Symbols) -> Self {
        let mut names: Vec<Symbol> = matching.labels.iter().map(|name| symbols.intern(name)).collect();
        if !matching.on {
            names.push(Symbol::METRIC_NAME);
        }
        KeyLabels { on: matching.on, names }
    }

    /// Puts the labels of a series that count into `key`.
    pub(super) fn of(&self, labels: &LabelSet, key: &mut Vec<(Symbol, Symbol)>) {
        key.clear();
        key.extend(labels.as_slice().iter().filter(|(name, _)| self.names.contains(name) == self.on));
    }
}

/// The match groups of one operation.
#[derive(Default)]
pub(super) struct Keys {
    labels: Vec<(Symbol, Symbol)>,
    ends: Vec<usize>,
    table: HashTable<usize>,
    hasher: foldhash::fast::FixedState,
}

fn slice<'k>(labels: &'k [(Symbol, Symbol)], ends: &[usize], group: usize) -> &'k [(Symbol, Symbol)] {
    let start = group.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    labels.get(start..ends.get(group).copied().unwrap_or(start)).unwrap_or_default()
}

impl Keys {
    /// The number of a key that is known.
    pub(super) fn find(&self, key: &[(Symbol, Symbol)]) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |&group| slice(&self.labels, &self.ends, group) == key).copied()
    }

    /// The number of a key. Numbers are given from 0 on.
    pub(super) fn insert(&mut self, key: &[(Symbol, Symbol)]) -> usize {
        if let Some(known) = self.find(key) {
            return known;
        }
        let group = self.ends.len();
        self.labels.extend_from_slice(key);
        self.ends.push(self.labels.len());
        let (labels, ends, hasher) = (&self.labels, &self.ends, &self.hasher);
        let hash = hasher.hash_one(key);
        self.table.insert_unique(hash, group, |&group| hasher.hash_one(slice(labels, ends, group)));
        group
    }

    /// The labels of a group.
    pub(super) fn get(&self, group: usize) -> &[(Symbol, Symbol)] {
        slice(&self.labels, &self.ends, group)
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        self.labels.capacity() * 8 + self.ends.capacity() * 8 + self.table.capacity() * 9
    }
}
