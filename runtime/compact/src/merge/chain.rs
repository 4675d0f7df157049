//! 1:1: all samples of all chunks, in the order of their times, of those with the same time one.
//!
//! A chunk that has the turn keeps it until another has a sample that is not later. Those that wait are in a heap as Go's library
//! has it, because Prometheus merges with it, and it decides which of two samples with the same time stays.

use super::decoded::Part;

/// Merges chunks; its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Of each chunk the row at which it is, and the one behind its last.
    cursors: Vec<(usize, usize)>,
    heap: Vec<usize>,
    /// The rows that come out.
    pub(super) rows: Vec<u32>,
    /// How many samples had a time that was there already.
    pub(super) duplicates: u64,
}

impl Chain {
    /// Puts the rows of `parts` in order; `parts` in the order in which they get the turn.
    pub(super) fn run<'p>(&mut self, times: &[i64], parts: impl Iterator<Item = &'p Part>) {
        self.cursors.clear();
        self.cursors.extend(parts.map(|part| (part.rows.start, part.rows.end)));
        self.heap.clear();
        self.rows.clear();
        self.duplicates = 0;
        if let [first, second] = self.cursors.as_slice() {
            let (first, second) = (*first, *second);
            return self.run_two(times, first, second);
        }
        for at in 1..self.cursors.len() {
            if self.time(times, at).is_some() {
                self.push(times, at);
            }
        }
        let (mut current, mut last) = (0, None);
        let mut fresh = true;
        loop {
            // The chunk stands at a sample that came out, except the first.
            let mut passes = true;
            let (mut row, end) = self.cursors.get(current).copied().unwrap_or_default();
            if !std::mem::take(&mut fresh) {
                row = row.saturating_add(1);
            }
            let limit = self.heap.first().and_then(|top| self.time(times, *top));
            for time in times.get(row..end).unwrap_or_default() {
                if last == Some(*time) {
                    self.duplicates = self.duplicates.saturating_add(1);
                } else if limit.is_none_or(|limit| *time < limit) {
                    self.rows.push(row as u32);
                    last = Some(*time);
                } else {
                    passes = false;
                    break;
                }
                row = row.saturating_add(1);
            }
            if let Some(cursor) = self.cursors.get_mut(current) {
                cursor.0 = row;
            }
            if !passes {
                self.push(times, current);
            }
            let Some(next) = self.pop(times) else { return };
            current = next;
            let (row, _) = self.cursors.get(current).copied().unwrap_or_default();
            let time = self.time(times, current);
            if time == last {
                self.duplicates = self.duplicates.saturating_add(1);
            } else {
                self.rows.push(row as u32);
                last = time;
            }
        }
    }

    /// As [`Chain::run`] for two chunks, of which the one that waits is all that the heap would have.
    fn run_two(&mut self, times: &[i64], first: (usize, usize), second: (usize, usize)) {
        let side = |(start, end): (usize, usize)| times.get(start..end).unwrap_or_default();
        // The one that has the turn, and the one that waits: the next row, and the times from there on.
        let (mut turn, mut waits) = ((first.0, side(first)), (second.0, side(second)));
        let mut last = None;
        while let Some((limit, behind)) = waits.1.split_first() {
            while let Some((time, others)) = turn.1.split_first() {
                if last == Some(*time) {
                    self.duplicates = self.duplicates.saturating_add(1);
                } else if time < limit {
                    self.rows.push(turn.0 as u32);
                    last = Some(*time);
                } else {
                    break;
                }
                turn = (turn.0.saturating_add(1), others);
            }
            if last == Some(*limit) {
                self.duplicates = self.duplicates.saturating_add(1);
            } else {
                self.rows.push(waits.0 as u32);
                last = Some(*limit);
            }
            waits = (waits.0.saturating_add(1), behind);
            std::mem::swap(&mut turn, &mut waits);
        }
        for time in turn.1 {
            if last == Some(*time) {
                self.duplicates = self.duplicates.saturating_add(1);
            } else {
                self.rows.push(turn.0 as u32);
                last = Some(*time);
            }
            turn.0 = turn.0.saturating_add(1);
        }
    }

    fn time(&self, times: &[i64], at: usize) -> Option<i64> {
        let (row, end) = *self.cursors.get(at)?;
        if row < end { times.get(row).copied() } else { None }
    }

    fn less(&self, times: &[i64], one: usize, other: usize) -> bool {
        let time = |place: usize| self.heap.get(place).and_then(|at| self.time(times, *at));
        time(one) < time(other)
    }

    fn push(&mut self, times: &[i64], at: usize) {
        self.heap.push(at);
        let mut place = self.heap.len().saturating_sub(1);
        while place > 0 {
            let parent = (place - 1) / 2;
            if !self.less(times, place, parent) {
                break;
            }
            self.heap.swap(place, parent);
            place = parent;
        }
    }

    fn pop(&mut self, times: &[i64]) -> Option<usize> {
        let last = self.heap.len().checked_sub(1)?;
        self.heap.swap(0, last);
        let popped = self.heap.pop();
        let mut place = 0usize;
        loop {
            let left = place.saturating_mul(2).saturating_add(1);
            if left >= self.heap.len() {
                return popped;
            }
            let right = left.saturating_add(1);
            let child = if right < self.heap.len() && self.less(times, right, left) { right } else { left };
            if !self.less(times, child, place) {
                return popped;
            }
            self.heap.swap(place, child);
            place = child;
        }
    }
}
