//! Replicas: each chunk is one, and merged with what came of those before it.
//!
//! This is the penalty algorithm of Thanos' compactor. The side that has the turn bars the other for twice the distance between
//! its last two samples, so that it keeps the turn until it leaves a gap. Unlike for queries, sides are chunks, not series, and
//! counters are taken as they are. Thanos nests an iterator for each chunk. Here a chunk is merged with the rows that came out
//! before only from its first sample on: what lies before passes through all later merges as it is, and all that it leaves
//! behind is how far the chunk is barred.

use std::ops::Range;

use super::decoded::Part;

/// How long the first sample bars the other side, milliseconds: no distance is known yet.
const INITIAL_PENALTY_MS: i64 = 5000;

/// Merges chunks; its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Penalty {
    /// The rows that come out, and their times.
    pub(super) rows: Vec<u32>,
    times: Vec<i64>,
    tail_rows: Vec<u32>,
    tail_times: Vec<i64>,
    /// So many rows lie before all chunks that were merged.
    settled: usize,
    /// Up to this time they bar the next chunk.
    barred: i64,
}

impl Penalty {
    /// Puts the rows of `parts` in order, which merges the first two, then what came out with the third, and so on.
    pub(super) fn run<'p>(&mut self, times: &[i64], parts: impl Iterator<Item = &'p Part>) {
        self.rows.clear();
        self.times.clear();
        self.unsettle();
        for part in parts {
            if self.rows.is_empty() {
                self.rows.extend(part.rows.clone().map(|row| row as u32));
                self.times.extend_from_slice(times.get(part.rows.clone()).unwrap_or_default());
            } else {
                self.merge(times, part.rows.clone());
            }
        }
    }

    fn unsettle(&mut self) {
        (self.settled, self.barred) = (0, i64::MIN);
    }

    fn merge(&mut self, times: &[i64], rows: Range<usize>) {
        let mut second = times.get(rows.clone()).unwrap_or_default().iter().copied().zip(rows).peekable();
        let Some((first, _)) = second.peek().copied() else { return };
        let before = self.settled.checked_sub(1).and_then(|at| self.times.get(at));
        if before.is_some_and(|before| *before >= first) {
            self.unsettle();
        }
        while let Some(time) = self.times.get(self.settled).copied().filter(|time| *time < first) {
            let before = self.settled.checked_sub(1).and_then(|at| self.times.get(at)).copied();
            self.barred = self.barred.max(barred(before, time));
            self.settled = self.settled.saturating_add(1);
        }
        self.tail_times.clear();
        self.tail_times.extend(self.times.drain(self.settled..));
        self.tail_rows.clear();
        self.tail_rows.extend(self.rows.drain(self.settled..));
        let mut last = self.times.last().copied();
        let tail = self.tail_times.iter().copied().zip(self.tail_rows.iter().copied());
        let mut first = tail.peekable();
        // Each side is sought up to a time and never goes back.
        let (mut of_first, mut of_second) = (i64::MIN, self.barred);
        loop {
            while first.next_if(|(time, _)| *time < of_first).is_some() {}
            while second.next_if(|(time, _)| *time < of_second).is_some() {}
            let (time, row) = match (first.peek(), second.peek()) {
                (None, None) => return,
                (Some((time, row)), None) => {
                    of_first = time.saturating_add(1);
                    (*time, *row)
                }
                (None, Some((time, row))) => {
                    of_second = time.saturating_add(1);
                    (*time, *row as u32)
                }
                (Some((time, row)), Some((other, _))) if time <= other => {
                    of_first = time.saturating_add(1);
                    of_second = of_second.max(barred(last, *time));
                    (*time, *row)
                }
                (Some(_), Some((time, row))) => {
                    of_second = time.saturating_add(1);
                    of_first = of_first.max(barred(last, *time));
                    (*time, *row as u32)
                }
            };
            self.times.push(time);
            self.rows.push(row);
            last = Some(time);
        }
    }
}

/// Up to which time a sample bars the other side.
fn barred(before: Option<i64>, time: i64) -> i64 {
    let penalty = before.map_or(INITIAL_PENALTY_MS, |before| time.saturating_sub(before).saturating_mul(2));
    time.saturating_add(1).saturating_add(penalty)
}
