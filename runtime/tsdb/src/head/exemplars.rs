//! The newest exemplars of all series, in a ring: a new one takes the place of the oldest.

use hashbrown::HashMap;

use crate::wal::record::SeriesRef;

use super::append::AppendError;

/// Characters that the labels of an exemplar may have in all, by OpenMetrics.
const LABEL_CHARS_MAX: usize = 128;

/// An exemplar with its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// The series.
    pub series: SeriesRef,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The observed value.
    pub value: f64,
    /// The exemplar's own labels.
    pub labels: Vec<(Box<str>, Box<str>)>,
}

#[derive(Debug, Default)]
pub(super) struct Exemplars {
    ring: Vec<Exemplar>,
    next: usize,
    capacity: usize,
    /// The place of the newest exemplar of each series.
    newest: HashMap<SeriesRef, usize, foldhash::fast::FixedState>,
}

impl Exemplars {
    pub(super) fn new(capacity: usize) -> Self {
        Exemplars { capacity, ..Exemplars::default() }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether an exemplar is new (`true`), or there already (`false`); `staged` is the newest of the batch under way.
    pub(super) fn check(&self, exemplar: &Exemplar, staged: Option<&Exemplar>) -> Result<bool, AppendError> {
        let chars = |(name, value): &(Box<str>, Box<str>)| name.chars().count() + value.chars().count();
        if exemplar.labels.iter().map(chars).sum::<usize>() > LABEL_CHARS_MAX {
            return Err(AppendError::ExemplarLabels);
        }
        let stored = self.newest.get(&exemplar.series).and_then(|at| self.ring.get(*at));
        let Some(newest) = staged.or(stored) else {
            return Ok(true);
        };
        let key = |one: &Exemplar| (one.timestamp, one.value.to_bits());
        if key(newest) == key(exemplar) && newest.labels == exemplar.labels {
            return Ok(false);
        }
        let (older, same_time) =
            (exemplar.timestamp < newest.timestamp, exemplar.timestamp == newest.timestamp);
        if older || same_time && exemplar.value < newest.value {
            return Err(AppendError::ExemplarOutOfOrder { timestamp: exemplar.timestamp });
        }
        Ok(true)
    }

    pub(super) fn push(&mut self, exemplar: Exemplar) {
        if self.capacity == 0 {
            return;
        }
        let (at, series) = (self.next, exemplar.series);
        match self.ring.get_mut(at) {
            None => self.ring.push(exemplar),
            Some(oldest) => {
                let gone = oldest.series;
                *oldest = exemplar;
                if self.newest.get(&gone) == Some(&at) {
                    self.newest.remove(&gone);
                }
            }
        }
        self.newest.insert(series, at);
        self.next = (at + 1) % self.capacity;
    }

    /// The exemplars from `min_time` to `max_time`, oldest first in the order in which they came.
    pub(super) fn between(&self, min_time: i64, max_time: i64) -> impl Iterator<Item = &Exemplar> {
        let (newer, older) = self.ring.split_at(self.next.min(self.ring.len()));
        let inside = move |one: &&Exemplar| one.timestamp >= min_time && one.timestamp <= max_time;
        older.iter().chain(newer).filter(inside)
    }
}
