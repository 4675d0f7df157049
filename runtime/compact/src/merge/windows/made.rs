//! Aggregate chunks that are made.

use tsdb::BlockId;
use tsdb::chunk::{
    Aggregate, AggregateChunkBuilder, Appended, Encoding, FloatHistogramAppender, XorAppender,
};

use super::OTHERS;
use super::column::Value;
use crate::merge::gather::Chunk;

/// An aggregate chunk that is made.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) counts: XorAppender,
    others: [Made; 4],
    pub(super) first: i64,
    pub(super) last: i64,
    /// The chunk from which the last row is.
    pub(super) chunk: usize,
}

/// An aggregate of it.
#[derive(Debug, Clone, Default)]
enum Made {
    #[default]
    None,
    Floats(XorAppender),
    Histograms(Box<FloatHistogramAppender>),
}

impl Made {
    /// Appends a value; `false`, and nothing is appended, where it does not fit in.
    fn append(&mut self, time: i64, value: &Value) -> bool {
        match (&mut *self, value) {
            (_, Value::Absent) => true,
            (Made::None, Value::Float(value)) => {
                let mut floats = XorAppender::new();
                floats.append(time, *value);
                *self = Made::Floats(floats);
                true
            }
            (Made::None, Value::Histogram(histogram)) => {
                *self = Made::Histograms(Box::new(FloatHistogramAppender::begin(None, time, histogram)));
                true
            }
            (Made::Floats(floats), Value::Float(value)) => floats.append(time, *value),
            (Made::Histograms(histograms), Value::Histogram(histogram)) => {
                !matches!(histograms.append(time, histogram), Appended::Cut(_))
            }
            _ => false,
        }
    }

    fn has_histograms(&self) -> bool {
        matches!(self, Made::Histograms(_))
    }
}

impl Open {
    /// Appends what the aggregates beside `count` say of a window; `false`, and nothing is appended, where they ask for another
    /// chunk.
    pub(super) fn takes(&mut self, time: i64, values: &[Value; 4]) -> bool {
        let is_other = |(made, value): (&Made, &Value)| {
            matches!(
                (made, value),
                (Made::Floats(_), Value::Histogram(_)) | (Made::Histograms(_), Value::Float(_))
            )
        };
        if self.others.iter().zip(values).any(is_other) {
            return false;
        }
        // Only a histogram can ask for it later, and then all must be as before.
        let before = self.others.iter().any(Made::has_histograms).then(|| self.others.clone());
        let mut pairs = self.others.iter_mut().zip(values);
        if pairs.all(|(made, value)| made.append(time, value)) {
            return true;
        }
        if let Some(before) = before {
            self.others = before;
        }
        false
    }

    /// Begins the counter of a new chunk with a raw value.
    pub(super) fn start(&mut self, start: Option<(i64, f64)>) {
        let [.., counter] = &mut self.others;
        if let Some((time, value)) = start {
            counter.append(time, &Value::Float(value));
        }
    }

    /// Ends the chunk, its counter with `raw`, or with its last value once more.
    pub(super) fn close(
        &mut self,
        raw: Option<f64>,
        block: BlockId,
        bytes: &mut Vec<u8>,
        chunks: &mut Vec<Chunk>,
    ) {
        if self.counts.is_empty() {
            return;
        }
        let (first, last, samples) = (self.first, self.last, self.counts.len());
        let [.., counter] = &mut self.others;
        if let Made::Floats(floats) = counter {
            let end = raw.or(floats.last().map(|(_, value)| value));
            let last = floats.last().map_or(last, |(time, _)| time);
            floats.append(last, end.unwrap_or_default());
        }
        let mut builder = AggregateChunkBuilder::new();
        builder.push(Aggregate::Count, Encoding::Xor, self.counts.bytes());
        for (made, aggregate) in self.others.iter().zip(OTHERS) {
            match made {
                Made::None => {}
                Made::Floats(floats) => {
                    builder.push(aggregate, Encoding::Xor, floats.bytes());
                }
                Made::Histograms(histograms) => {
                    builder.push(aggregate, Encoding::FloatHistogram, histograms.bytes());
                }
            }
        }
        let start = bytes.len();
        bytes.extend_from_slice(&builder.into_bytes());
        chunks.push(Chunk {
            min_time: first,
            max_time: last,
            encoding: Encoding::Aggregate,
            samples: samples.into(),
            bytes: start..bytes.len(),
            block,
            is_checked: true,
        });
        *self = Open::default();
    }
}
