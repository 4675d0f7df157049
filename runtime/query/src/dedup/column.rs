//! Decoded samples of both kinds in one order.

use std::ops::Range;
use std::sync::Arc;

use prom_model::FloatHistogram;
use promql::Samples;
use tsdb::chunk::Columns;

use super::counter::Total;

/// Samples in the order of their times, which rise. Where a row is a histogram its value means nothing.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) rows: Columns,
    /// The rows that are histograms, in order.
    pub(super) histograms: Vec<(u32, Arc<FloatHistogram>)>,
    /// From this row on all distances are the same; `None` where nobody has found out.
    pub(super) even_from: Option<usize>,
}

impl Column {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.histograms.clear();
        self.even_from = None;
    }

    /// Whether it is worth keeping.
    pub(super) fn has_memory(&self) -> bool {
        self.rows.timestamps.capacity() > 0
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn time(&self, row: usize) -> i64 {
        self.rows.timestamps.get(row).copied().unwrap_or(i64::MAX)
    }

    pub(super) fn last_time(&self) -> Option<i64> {
        self.rows.timestamps.last().copied()
    }

    /// The value of a row that is a float.
    pub(super) fn float(&self, row: usize) -> Option<f64> {
        if !self.histograms.is_empty() && self.histogram_at(row).is_ok() {
            return None;
        }
        self.rows.values.get(row).copied()
    }

    fn histogram_at(&self, row: usize) -> Result<usize, usize> {
        self.histograms.binary_search_by_key(&(row as u64), |(row, _)| u64::from(*row))
    }

    pub(super) fn push_float(&mut self, time: i64, value: f64) {
        self.rows.timestamps.push(time);
        self.rows.values.push(value);
    }

    pub(super) fn push_histogram(&mut self, time: i64, histogram: Arc<FloatHistogram>) {
        self.histograms.push((self.rows.len() as u32, histogram));
        self.push_float(time, 0.0);
    }

    /// The first row from `from` on that is not earlier than `time`: quick where it is near.
    pub(super) fn seek(&self, from: usize, time: i64) -> usize {
        let times = self.rows.timestamps.get(from..).unwrap_or_default();
        let mut reach = 1;
        while times.get(reach - 1).is_some_and(|row| *row < time) {
            reach *= 2;
        }
        let (start, end) = (reach / 2, reach.min(times.len()));
        let near = times.get(start..end).unwrap_or_default();
        from + start + near.partition_point(|row| *row < time)
    }

    /// Appends rows of another column, `add` added to floats.
    pub(super) fn append(&mut self, other: &Column, rows: Range<usize>, add: Option<f64>) {
        let first = self.rows.len();
        let times = other.rows.timestamps.get(rows.clone()).unwrap_or_default();
        self.rows.timestamps.extend_from_slice(times);
        let values = other.rows.values.get(rows.clone()).unwrap_or_default();
        match add {
            Some(add) => self.rows.values.extend(values.iter().map(|value| value + add)),
            None => self.rows.values.extend_from_slice(values),
        }
        if !other.histograms.is_empty() {
            let from = other.histogram_at(rows.start).unwrap_or_else(|place| place);
            let inside = other.histograms.iter().skip(from);
            let inside = inside.take_while(|(row, _)| (*row as usize) < rows.end);
            let moved = inside
                .map(|(row, histogram)| ((*row as usize - rows.start + first) as u32, Arc::clone(histogram)));
            self.histograms.extend(moved);
        }
    }

    /// Adds to all floats.
    pub(super) fn lift(&mut self, add: f64) {
        self.rows.values.iter_mut().for_each(|value| *value += add);
    }

    /// Takes the resets out of the floats from a row on; `false` where that cannot be done in place.
    pub(super) fn raise(&mut self, total: &mut Total, from: usize) -> bool {
        let times = self.rows.timestamps.get(from..).unwrap_or_default();
        let values = self.rows.values.get_mut(from..).unwrap_or_default();
        let rises = self.even_from == Some(from) || times.is_sorted_by(|one, next| one < next);
        rises && total.raise(times, values)
    }

    /// Puts the floats from a row on into other memory.
    pub(super) fn move_rows(&mut self, from: usize, into: &mut Columns) {
        self.even_from = None;
        into.clear();
        into.timestamps.extend(self.rows.timestamps.drain(from..));
        into.values.extend(self.rows.values.drain(from..));
    }

    /// Takes out `rows`, which are floats or histograms alike.
    pub(super) fn remove(&mut self, rows: Range<usize>) {
        if rows.is_empty() {
            return;
        }
        self.rows.timestamps.drain(rows.clone());
        self.rows.values.drain(rows);
    }

    /// Takes out what is later than a time.
    pub(super) fn end_at(&mut self, time: i64) {
        let rows = self.rows.timestamps.partition_point(|row| *row <= time);
        self.rows.timestamps.truncate(rows);
        self.rows.values.truncate(rows);
        self.histograms.retain(|(row, _)| (*row as usize) < rows);
    }

    /// Exchanges memory with `into`, which gets the samples.
    pub(super) fn swap_into(&mut self, into: &mut Samples) {
        std::mem::swap(&mut self.rows.timestamps, &mut into.timestamps);
        std::mem::swap(&mut self.rows.values, &mut into.values);
        if self.histograms.is_empty() {
            return;
        }
        let mut kept = 0;
        let mut histograms = self.histograms.drain(..).peekable();
        for row in 0..into.timestamps.len() {
            let Some(time) = into.timestamps.get(row).copied() else { break };
            if let Some((_, histogram)) = histograms.next_if(|(at, _)| *at as usize == row) {
                into.push_histogram(time, histogram);
            } else {
                into.timestamps.swap(kept, row);
                into.values.swap(kept, row);
                kept += 1;
            }
        }
        into.timestamps.truncate(kept);
        into.values.truncate(kept);
    }
}
