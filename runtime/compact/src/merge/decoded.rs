//! The samples of chunks that are to be merged, one chunk behind another: a sample is known by its row.

use std::ops::Range;

use tsdb::chunk::{
    ChunkError, Columns, Encoding, HistogramColumns, Order, decode_float_histograms, decode_floats,
    decode_histograms,
};

/// What the samples of a chunk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    /// Histograms of whole observations, and which of the columns has them.
    Whole(usize),
    /// Float histograms.
    FloatHistogram(usize),
}

/// The samples of a chunk.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) rows: Range<usize>,
    pub(super) kind: Kind,
}

/// Samples of several chunks; its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// All rows; those of histograms have no value here.
    rows: Columns,
    parts: Vec<Part>,
    wholes: Vec<HistogramColumns<u64>>,
    float_histograms: Vec<HistogramColumns<f64>>,
    /// How many of the columns are in use.
    used: (usize, usize),
}

impl Decoded {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.parts.clear();
        self.used = (0, 0);
    }

    /// Adds a chunk of samples. Gives the times of its first and last.
    pub(super) fn add(&mut self, encoding: Encoding, data: &[u8]) -> Result<Option<(i64, i64)>, ChunkError> {
        let start = self.rows.len();
        let kind = match encoding {
            Encoding::Histogram | Encoding::HistogramSt => {
                let (at, _) = self.used;
                let mut columns = take(&mut self.wholes, at);
                decode_histograms(encoding, data, Order::Rising, &mut columns)?;
                self.rows.timestamps.extend_from_slice(&columns.timestamps);
                put(&mut self.wholes, at, columns);
                self.used.0 = at.saturating_add(1);
                Kind::Whole(at)
            }
            Encoding::FloatHistogram | Encoding::FloatHistogramSt => {
                let (_, at) = self.used;
                let mut columns = take(&mut self.float_histograms, at);
                decode_float_histograms(encoding, data, Order::Rising, &mut columns)?;
                self.rows.timestamps.extend_from_slice(&columns.timestamps);
                put(&mut self.float_histograms, at, columns);
                self.used.1 = at.saturating_add(1);
                Kind::FloatHistogram(at)
            }
            _ => {
                decode_floats(encoding, data, Order::Rising, &mut self.rows)?;
                self.rows.start_timestamps.clear();
                Kind::Float
            }
        };
        self.rows.values.resize(self.rows.timestamps.len(), 0.0);
        let rows = start..self.rows.len();
        let added = self.rows.timestamps.get(rows.clone()).unwrap_or_default();
        let times = added.first().copied().zip(added.last().copied());
        self.parts.push(Part { rows, kind });
        Ok(times)
    }

    /// The time of each row.
    pub(super) fn times(&self) -> &[i64] {
        &self.rows.timestamps
    }

    /// The value of each row, 0 for histograms.
    pub(super) fn values(&self) -> &[f64] {
        &self.rows.values
    }

    /// The chunks, in the order in which they were added.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether there are no histograms.
    pub(super) const fn is_float(&self) -> bool {
        matches!(self.used, (0, 0))
    }

    /// The chunk in which a row is.
    pub(super) fn part_of(&self, row: usize) -> Option<&Part> {
        let behind = self.parts.partition_point(|part| part.rows.start <= row);
        self.parts.get(behind.checked_sub(1)?)
    }

    pub(super) fn wholes(&self, at: usize) -> Option<&HistogramColumns<u64>> {
        self.wholes.get(at)
    }

    pub(super) fn float_histograms(&self, at: usize) -> Option<&HistogramColumns<f64>> {
        self.float_histograms.get(at)
    }
}

/// Takes the columns at a place, to be put back.
fn take<T: Default>(slots: &mut [T], at: usize) -> T {
    slots.get_mut(at).map(std::mem::take).unwrap_or_default()
}

fn put<T>(slots: &mut Vec<T>, at: usize, columns: T) {
    match slots.get_mut(at) {
        Some(slot) => *slot = columns,
        None => slots.push(columns),
    }
}
