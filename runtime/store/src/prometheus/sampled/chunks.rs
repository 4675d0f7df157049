//! Samples of one series into chunks, as a head would cut them: 120 samples each, one kind of sample each.

use bytes::Bytes;
use prom_model::{CounterResetHint, FloatHistogram, Histogram, HistogramError, Span};
use storeapi::prometheus::histogram::{Count, ResetHint, ZeroCount};
use storeapi::prometheus::{self, BucketSpan, TimeSeries};
use storeapi::{AggrChunk, Chunk};
use tsdb::chunk::{Appended, FloatHistogramAppender, HistogramAppender, XorAppender};

/// Samples in a chunk.
const SAMPLES: usize = 120;

/// The open chunk.
enum Open {
    Floats(XorAppender),
    Histograms(Box<HistogramAppender>),
    FloatHistograms(Box<FloatHistogramAppender>),
}

/// One sample.
enum Sample {
    Float(f64),
    Histogram(Histogram),
    FloatHistogram(FloatHistogram),
}

#[derive(Default)]
struct Chunks {
    done: Vec<AggrChunk>,
    open: Option<Open>,
    samples: usize,
    min_time: i64,
    max_time: i64,
}

/// The chunks of a series. Samples come in the order of their times, of each kind on its own.
pub(super) fn chunks(series: &TimeSeries) -> Result<Vec<AggrChunk>, HistogramError> {
    let mut chunks = Chunks::default();
    let mut floats = series.samples.iter().peekable();
    for histogram in &series.histograms {
        while let Some(sample) = floats.next_if(|sample| sample.timestamp < histogram.timestamp) {
            chunks.push(sample.timestamp, Sample::Float(sample.value));
        }
        chunks.push(histogram.timestamp, from_wire(histogram)?);
    }
    for sample in floats {
        chunks.push(sample.timestamp, Sample::Float(sample.value));
    }
    chunks.cut();
    Ok(chunks.done)
}

impl Chunks {
    fn push(&mut self, timestamp: i64, sample: Sample) {
        if self.samples >= SAMPLES {
            self.cut();
        }
        self.append(timestamp, sample);
        if self.samples == 0 {
            self.min_time = timestamp;
        }
        self.samples += 1;
        self.max_time = timestamp;
    }

    /// Appends to the open chunk, or closes it and opens another.
    fn append(&mut self, timestamp: i64, sample: Sample) {
        let opened = match (&mut self.open, &sample) {
            (Some(Open::Floats(chunk)), Sample::Float(value)) => {
                chunk.append(timestamp, *value);
                return;
            }
            (Some(Open::Histograms(chunk)), Sample::Histogram(histogram)) => {
                match chunk.append(timestamp, histogram) {
                    Appended::Cut(next) => Open::Histograms(next),
                    Appended::Inside | Appended::Rewritten => return,
                }
            }
            (Some(Open::FloatHistograms(chunk)), Sample::FloatHistogram(histogram)) => {
                match chunk.append(timestamp, histogram) {
                    Appended::Cut(next) => Open::FloatHistograms(next),
                    Appended::Inside | Appended::Rewritten => return,
                }
            }
            _ => match &sample {
                Sample::Float(value) => {
                    let mut chunk = XorAppender::new();
                    chunk.append(timestamp, *value);
                    Open::Floats(chunk)
                }
                Sample::Histogram(histogram) => {
                    Open::Histograms(Box::new(HistogramAppender::begin(None, timestamp, histogram)))
                }
                Sample::FloatHistogram(histogram) => {
                    Open::FloatHistograms(Box::new(FloatHistogramAppender::begin(None, timestamp, histogram)))
                }
            },
        };
        self.cut();
        self.open = Some(opened);
    }

    /// Closes the open chunk.
    fn cut(&mut self) {
        let (encoding, bytes) = match self.open.take() {
            None => return,
            Some(Open::Floats(chunk)) => (Chunk::XOR, chunk.into_bytes()),
            Some(Open::Histograms(chunk)) => (Chunk::HISTOGRAM, chunk.into_bytes()),
            Some(Open::FloatHistograms(chunk)) => (Chunk::FLOAT_HISTOGRAM, chunk.into_bytes()),
        };
        let chunk = Chunk::hashed(encoding, Bytes::from(bytes));
        self.done.push(AggrChunk::raw(self.min_time, self.max_time, chunk));
        self.samples = 0;
    }
}

fn spans(spans: &[BucketSpan]) -> Vec<Span> {
    spans.iter().map(|span| Span { offset: span.offset, length: span.length }).collect()
}

fn hint(hint: i32) -> CounterResetHint {
    match ResetHint::try_from(hint) {
        Ok(ResetHint::Yes) => CounterResetHint::CounterReset,
        Ok(ResetHint::No) => CounterResetHint::NotCounterReset,
        Ok(ResetHint::Gauge) => CounterResetHint::Gauge,
        Ok(ResetHint::Unknown) | Err(_) => CounterResetHint::Unknown,
    }
}

fn from_wire(wire: &prometheus::Histogram) -> Result<Sample, HistogramError> {
    if let Some(Count::CountFloat(count)) = wire.count {
        let histogram = FloatHistogram {
            counter_reset_hint: hint(wire.reset_hint),
            schema: wire.schema,
            zero_threshold: wire.zero_threshold,
            zero_count: match wire.zero_count {
                Some(ZeroCount::ZeroCountFloat(count)) => count,
                _ => 0.0,
            },
            count,
            sum: wire.sum,
            positive_spans: spans(&wire.positive_spans),
            negative_spans: spans(&wire.negative_spans),
            positive_buckets: wire.positive_counts.clone(),
            negative_buckets: wire.negative_counts.clone(),
            custom_values: wire.custom_values.clone(),
        };
        histogram.validate()?;
        return Ok(Sample::FloatHistogram(histogram));
    }
    let histogram = Histogram {
        counter_reset_hint: hint(wire.reset_hint),
        schema: wire.schema,
        zero_threshold: wire.zero_threshold,
        zero_count: match wire.zero_count {
            Some(ZeroCount::ZeroCountInt(count)) => count,
            _ => 0,
        },
        count: match wire.count {
            Some(Count::CountInt(count)) => count,
            _ => 0,
        },
        sum: wire.sum,
        positive_spans: spans(&wire.positive_spans),
        negative_spans: spans(&wire.negative_spans),
        positive_buckets: wire.positive_deltas.clone(),
        negative_buckets: wire.negative_deltas.clone(),
        custom_values: wire.custom_values.clone(),
    };
    histogram.validate()?;
    Ok(Sample::Histogram(histogram))
}
