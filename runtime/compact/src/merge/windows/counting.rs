//! Counters of several chunks as one.
//!
//! The counter of a chunk begins with a raw value and has no resets: what it counted before a reset is still in it. So values of
//! two chunks cannot stand behind one another as they are. Where the turn passes, what the next chunk counted since the last
//! window that both have is added to what there was.

use super::column::{Column, Value};

/// Puts the counters of several chunks together.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The windows that came out, with their values.
    out: Vec<(i64, f64)>,
    /// The chunk from which the last one is.
    chunk: usize,
    /// What is added to the values of that chunk.
    shift: f64,
}

impl Counting {
    /// The value of a window of chunk `at`.
    pub(super) fn count(&mut self, columns: &[[Column; 4]], at: usize, time: i64, value: f64) -> f64 {
        let counter = |at: usize| columns.get(at).map(|[.., counter]| counter);
        if let Some((before, last)) = self.out.last().copied()
            && self.chunk != at
            && let (Some(from), Some(to)) = (counter(self.chunk), counter(at))
        {
            let shift = self.common(to, time).or_else(|| self.common_later(from, to, before));
            // Of blocks that saw different samples one may have counted less; what was counted stays.
            self.shift = shift.map_or_else(
                || {
                    let raw = from.end(before).unwrap_or(last);
                    let (_, start) = to.start(time).unwrap_or((time, value));
                    // A counter that is lower than before was reset.
                    if start >= raw { last - raw } else { last }
                },
                |shift| shift.max(last - value),
            );
        }
        let value = if self.shift == 0.0 { value } else { value + self.shift };
        self.out.push((time, value));
        self.chunk = at;
        value
    }

    /// The raw value with which chunk `at` begins, and its time, where `time` is its first window and nothing came out that is
    /// later than that value; as it comes out.
    pub(super) fn start(&self, columns: &[[Column; 4]], at: usize, time: i64) -> Option<(i64, f64)> {
        let [.., counter] = columns.get(at)?;
        let (began, value) = counter.start(time)?;
        // The window itself came out already.
        let before = self.out.len().checked_sub(2).and_then(|before| self.out.get(before));
        if before.is_some_and(|(before, _)| *before >= began) {
            return None;
        }
        let value = if self.shift == 0.0 { value } else { value + self.shift };
        Some((began, before.map_or(value, |(_, last)| value.max(*last))))
    }

    /// How far a chunk is behind what came out, by the last window before `time` that both have.
    fn common(&self, counter: &Column, time: i64) -> Option<f64> {
        let before = counter.times().partition_point(|other| *other < time);
        let times = counter.times().get(..before).unwrap_or_default();
        times.iter().rev().find_map(|time| {
            let place = self.out.binary_search_by_key(time, |(time, _)| *time).ok()?;
            match (self.out.get(place), counter.of(*time)) {
                (Some((_, out)), Value::Float(value)) => Some(out - value),
                _ => None,
            }
        })
    }

    /// As [`Counting::common`], by the first window behind `before` that the chunk which had the turn has too.
    fn common_later(&self, from: &Column, to: &Column, before: i64) -> Option<f64> {
        let behind = from.times().partition_point(|other| *other <= before);
        let times = from.times().get(behind..).unwrap_or_default();
        times.iter().find_map(|time| match (from.of(*time), to.of(*time)) {
            (Value::Float(one), Value::Float(other)) => Some(one + self.shift - other),
            _ => None,
        })
    }
}
