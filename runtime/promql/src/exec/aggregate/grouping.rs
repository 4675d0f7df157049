//! Which group a series belongs to, and the labels of the groups.

use hashbrown::HashTable;

use crate::exec::Run;
use crate::{LabelSet, Symbol};

/// `by (…)` or `without (…)`, and the groups found up to now, numbered in the order in which they appeared.
pub(super) struct Grouping {
    labels: Vec<Symbol>,
    without: bool,
    groups: Vec<LabelSet>,
    table: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    key: LabelSet,
}

impl Grouping {
    pub(super) fn new(labels: &[String], without: bool, run: &mut Run) -> Self {
        let mut labels: Vec<Symbol> = labels.iter().map(|label| run.symbols.intern(label)).collect();
        if without {
            labels.push(Symbol::METRIC_NAME);
        }
        Grouping {
            labels,
            without,
            groups: Vec::new(),
            table: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            key: LabelSet::new(),
        }
    }

    /// The number of the group of a series; a new group has the next number.
    pub(super) fn group(&mut self, labels: &LabelSet) -> usize {
        let (listed, without) = (&self.labels, self.without);
        if !without && listed.is_empty() {
            // One group, without labels.
            if self.groups.is_empty() {
                self.groups.push(LabelSet::new());
            }
            return 0;
        }
        self.key.assign(labels.as_slice());
        self.key.retain(|name| listed.contains(&name) != without);
        let hash = self.key.hash_with(&self.hasher);
        let groups = &self.groups;
        let is_key = |at: &u32| groups.get(*at as usize) == Some(&self.key);
        if let Some(found) = self.table.find(hash, is_key) {
            return *found as usize;
        }
        let number = self.groups.len();
        self.groups.push(self.key.clone());
        let (groups, hasher) = (&self.groups, &self.hasher);
        self.table.insert_unique(hash, u32::try_from(number).unwrap_or(u32::MAX), |at| {
            groups.get(*at as usize).map_or(0, |labels| labels.hash_with(hasher))
        });
        number
    }

    /// The labels of a group.
    pub(super) fn labels(&self, group: usize) -> Option<&LabelSet> {
        self.groups.get(group)
    }
}
