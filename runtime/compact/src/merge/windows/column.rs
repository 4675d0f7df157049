//! One aggregate of one chunk, decoded.

use prom_model::FloatHistogram;
use tsdb::chunk::{
    ChunkError, Columns, Encoding, HistogramColumns, Order, decode_float_histograms, decode_floats,
};

/// What an aggregate says of the windows of a chunk.
#[derive(Debug, Default)]
pub(super) struct Column {
    samples: Samples,
    /// Of a counter of floats, the raw value at the start, with its time, and the one at the end.
    start: Option<(i64, f64)>,
    end: Option<f64>,
}

#[derive(Debug, Default)]
enum Samples {
    #[default]
    Absent,
    Floats(Columns),
    Histograms(Box<HistogramColumns<f64>>),
}

/// What an aggregate says of a window.
#[derive(Debug)]
pub(super) enum Value {
    Absent,
    Float(f64),
    Histogram(Box<FloatHistogram>),
}

impl Column {
    /// Decodes an aggregate that is no counter.
    pub(super) fn decode(encoding: Encoding, data: &[u8]) -> Result<Self, ChunkError> {
        Self::decode_in(encoding, data, Order::Rising)
    }

    fn decode_in(encoding: Encoding, data: &[u8], order: Order) -> Result<Self, ChunkError> {
        let samples = if encoding.is_float() {
            let mut columns = Columns::default();
            decode_floats(encoding, data, order, &mut columns)?;
            Samples::Floats(columns)
        } else {
            let mut columns = Box::<HistogramColumns<f64>>::default();
            decode_float_histograms(encoding, data, order, &mut columns)?;
            Samples::Histograms(columns)
        };
        Ok(Column { samples, start: None, end: None })
    }

    /// Decodes a counter; `first` is the end of the first window of the chunk. One of floats begins with a raw value and repeats
    /// its last time with another, one of histograms has its windows only.
    pub(super) fn decode_counter(
        encoding: Encoding,
        data: &[u8],
        first: Option<i64>,
    ) -> Result<Self, ChunkError> {
        let mut column = Self::decode_in(encoding, data, Order::Any)?;
        let Samples::Floats(samples) = &mut column.samples else { return Ok(column) };
        let (times, values) = (&mut samples.timestamps, &mut samples.values);
        if let [.., before, last] = times.as_slice()
            && before == last
        {
            times.pop();
            column.end = values.pop();
        }
        let has_start = match times.as_slice() {
            [start, next, ..] if start == next => true,
            [start, ..] => first.is_some_and(|first| *start < first),
            [] => false,
        };
        if has_start && !values.is_empty() {
            column.start = Some((times.remove(0), values.remove(0)));
        }
        Ok(column)
    }

    /// The windows it has.
    pub(super) fn times(&self) -> &[i64] {
        match &self.samples {
            Samples::Absent => &[],
            Samples::Floats(columns) => &columns.timestamps,
            Samples::Histograms(columns) => &columns.timestamps,
        }
    }

    /// What it says of a window.
    pub(super) fn of(&self, time: i64) -> Value {
        let row = self.times().partition_point(|other| *other < time);
        if self.times().get(row) != Some(&time) {
            return Value::Absent;
        }
        match &self.samples {
            Samples::Absent => Value::Absent,
            Samples::Floats(columns) => columns.values.get(row).copied().map_or(Value::Absent, Value::Float),
            Samples::Histograms(columns) => match columns.get(row) {
                Some((_, histogram)) => Value::Histogram(Box::new(histogram)),
                None => Value::Absent,
            },
        }
    }

    /// The raw value with which a counter begins, and its time, where `time` is its first window.
    pub(super) fn start(&self, time: i64) -> Option<(i64, f64)> {
        self.start.filter(|_| self.times().first() == Some(&time))
    }

    /// The raw value with which a counter ends, where `time` is its last window.
    pub(super) fn end(&self, time: i64) -> Option<f64> {
        self.end.filter(|_| self.times().last() == Some(&time))
    }
}
