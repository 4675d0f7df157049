//! Samples that are older than the newest of their series: kept sorted until there are enough for a chunk.

use prom_model::{FloatHistogram, Histogram};

use crate::chunk::{Appended, Encoding, FloatHistogramAppender, HistogramAppender, XorAppender};

use super::series::{Closed, Kind, Place};

/// The value of a sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// By its bits, so that NaNs can be compared.
    Float(u64),
    Histogram(Box<Histogram>),
    FloatHistogram(Box<FloatHistogram>),
}

impl Value {
    const fn kind(&self) -> Kind {
        match self {
            Value::Float(_) => Kind::Float,
            Value::Histogram(_) => Kind::Histogram,
            Value::FloatHistogram(_) => Kind::FloatHistogram,
        }
    }
}

/// The out-of-order samples of a series.
#[derive(Debug, Default)]
pub(super) struct OutOfOrder {
    /// Sorted by time, each time once.
    pub(super) samples: Vec<(i64, Value)>,
    /// Complete chunks in the order in which they were made; they may overlap.
    pub(super) closed: Vec<Closed>,
}

impl OutOfOrder {
    /// Puts a sample in its place; says whether there was none of its time.
    pub(super) fn insert(&mut self, timestamp: i64, value: Value) -> bool {
        match self.samples.binary_search_by_key(&timestamp, |(timestamp, _)| *timestamp) {
            Ok(_) => false,
            Err(at) => {
                self.samples.insert(at, (timestamp, value));
                true
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.closed.is_empty()
    }

    /// Makes chunks of the samples; says whether there were any.
    pub(super) fn close(&mut self) -> bool {
        let samples = std::mem::take(&mut self.samples);
        let any = !samples.is_empty();
        self.closed.extend(chunks(&samples));
        any
    }
}

/// The samples, sorted by time, as chunks: a new one wherever the kind of sample or the layout of buckets changes.
pub(super) fn chunks(samples: &[(i64, Value)]) -> Vec<Closed> {
    let mut closed = Vec::new();
    for run in samples.chunk_by(|(_, left), (_, right)| left.kind() == right.kind()) {
        let mut writer = RunWriter::default();
        for (timestamp, value) in run {
            writer.append(*timestamp, value, &mut closed);
        }
        writer.finish(&mut closed);
    }
    closed
}

#[derive(Default)]
struct RunWriter {
    float: Option<XorAppender>,
    histogram: Option<HistogramAppender>,
    float_histogram: Option<FloatHistogramAppender>,
    min_time: i64,
    max_time: i64,
}

impl RunWriter {
    fn append(&mut self, timestamp: i64, value: &Value, closed: &mut Vec<Closed>) {
        match value {
            Value::Float(bits) => {
                let value = f64::from_bits(*bits);
                if self.float.as_mut().is_some_and(|chunk| chunk.append(timestamp, value)) {
                    self.max_time = timestamp;
                    return;
                }
                self.finish(closed);
                let mut chunk = XorAppender::new();
                chunk.append(timestamp, value);
                self.float = Some(chunk);
            }
            Value::Histogram(histogram) => {
                let next = match &mut self.histogram {
                    None => HistogramAppender::begin(None, timestamp, histogram),
                    Some(chunk) => match chunk.append(timestamp, histogram) {
                        Appended::Cut(next) => *next,
                        Appended::Inside | Appended::Rewritten => {
                            self.max_time = timestamp;
                            return;
                        }
                    },
                };
                self.finish(closed);
                self.histogram = Some(next);
            }
            Value::FloatHistogram(histogram) => {
                let next = match &mut self.float_histogram {
                    None => FloatHistogramAppender::begin(None, timestamp, histogram),
                    Some(chunk) => match chunk.append(timestamp, histogram) {
                        Appended::Cut(next) => *next,
                        Appended::Inside | Appended::Rewritten => {
                            self.max_time = timestamp;
                            return;
                        }
                    },
                };
                self.finish(closed);
                self.float_histogram = Some(next);
            }
        }
        (self.min_time, self.max_time) = (timestamp, timestamp);
    }

    fn finish(&mut self, closed: &mut Vec<Closed>) {
        let float = self.float.take().map(|chunk| (Encoding::Xor, chunk.len(), chunk.into_bytes()));
        let histogram =
            self.histogram.take().map(|chunk| (Encoding::Histogram, chunk.len(), chunk.into_bytes()));
        let floats = self
            .float_histogram
            .take()
            .map(|chunk| (Encoding::FloatHistogram, chunk.len(), chunk.into_bytes()));
        let (min_time, max_time) = (self.min_time, self.max_time);
        let chunks = float.into_iter().chain(histogram).chain(floats);
        closed.extend(chunks.map(|(encoding, samples, bytes)| Closed {
            min_time,
            max_time,
            samples,
            encoding,
            place: Place::Memory(bytes.into()),
        }));
    }
}
