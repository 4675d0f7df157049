//! Samples out of chunks that overlap, or of which only a part is wanted.

use std::collections::BTreeMap;

use bytes::Bytes;
use prom_model::{FloatHistogram, Histogram};

use crate::chunk::{
    ChunkError, Columns, Encoding, HistogramColumns, Order, decode_float_histograms, decode_floats,
    decode_histograms,
};

use super::out_of_order::Value;

/// The value of a sample. Equality is to the bit: NaNs are equal where their payloads are.
#[derive(Debug, Clone)]
pub enum SampleValue {
    /// A float.
    Float(f64),
    /// A histogram of whole observations.
    Histogram(Box<Histogram>),
    /// A histogram of floats.
    FloatHistogram(Box<FloatHistogram>),
}

impl PartialEq for SampleValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (SampleValue::Float(left), SampleValue::Float(right)) => left.to_bits() == right.to_bits(),
            (SampleValue::Histogram(left), SampleValue::Histogram(right)) => left == right,
            (SampleValue::FloatHistogram(left), SampleValue::FloatHistogram(right)) => left == right,
            _ => false,
        }
    }
}

/// A sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The value.
    pub value: SampleValue,
}

/// Collects samples, each time once: of two with one time the one that came first stays.
#[derive(Debug, Default)]
pub(super) struct Merged {
    samples: BTreeMap<i64, Value>,
}

impl Merged {
    /// Adds the samples of a chunk that lie from `min_time` to `max_time` and in no deleted interval.
    pub(super) fn add(
        &mut self,
        (encoding, bytes): (Encoding, &Bytes),
        min_time: i64,
        max_time: i64,
        deleted: &[(i64, i64)],
    ) -> Result<(), ChunkError> {
        let wanted = |timestamp: i64| {
            timestamp >= min_time
                && timestamp <= max_time
                && !deleted.iter().any(|(from, to)| *from <= timestamp && timestamp <= *to)
        };
        match encoding {
            Encoding::Histogram | Encoding::HistogramSt => {
                let mut columns = HistogramColumns::default();
                decode_histograms(encoding, bytes, Order::Rising, &mut columns)?;
                for (timestamp, histogram) in columns.iter().filter(|(timestamp, _)| wanted(*timestamp)) {
                    self.samples.entry(timestamp).or_insert(Value::Histogram(Box::new(histogram)));
                }
            }
            Encoding::FloatHistogram | Encoding::FloatHistogramSt => {
                let mut columns = HistogramColumns::default();
                decode_float_histograms(encoding, bytes, Order::Rising, &mut columns)?;
                for (timestamp, histogram) in columns.iter().filter(|(timestamp, _)| wanted(*timestamp)) {
                    self.samples.entry(timestamp).or_insert(Value::FloatHistogram(Box::new(histogram)));
                }
            }
            _ => {
                let mut columns = Columns::default();
                decode_floats(encoding, bytes, Order::Rising, &mut columns)?;
                for (timestamp, value) in columns.iter().filter(|(timestamp, _)| wanted(*timestamp)) {
                    self.samples.entry(timestamp).or_insert(Value::Float(value.to_bits()));
                }
            }
        }
        Ok(())
    }

    /// All of them, in order of time.
    pub(super) fn into_sorted(self) -> Vec<(i64, Value)> {
        self.samples.into_iter().collect()
    }
}

impl From<(i64, Value)> for Sample {
    fn from((timestamp, value): (i64, Value)) -> Self {
        let value = match value {
            Value::Float(bits) => SampleValue::Float(f64::from_bits(bits)),
            Value::Histogram(histogram) => SampleValue::Histogram(histogram),
            Value::FloatHistogram(histogram) => SampleValue::FloatHistogram(histogram),
        };
        Sample { timestamp, value }
    }
}
