//! Chunks of float histograms, made sample by sample.

use std::iter;

use prom_model::{BucketIndexes, CounterResetHint, FloatHistogram, is_stale};

use super::super::bits::{BitSink, BitWriter};
use super::super::varbit::write_int;
use super::super::xor::ValueWriter;
use super::super::{
    ChunkError, CounterReset, Encoding, HistogramColumns, HistogramLayout, Order, SAMPLES_MAX,
    decode_float_histograms,
};
use super::append::{Appended, HEADER};
use super::spans::{Difference, compare_counter, compare_gauge, spread, union};

/// Makes a float histogram chunk, sample by sample. Its bytes are a whole chunk at any moment.
///
/// Decides as Prometheus does when buckets are added, when a new chunk begins, and what its header says about a reset.
#[derive(Debug, Clone)]
pub struct FloatHistogramAppender {
    writer: BitWriter,
    layout: HistogramLayout,
    count: u16,
    timestamp: i64,
    delta: i64,
    observations: ValueWriter,
    zero: ValueWriter,
    sum: ValueWriter,
    /// Positive ones first.
    buckets: Vec<ValueWriter>,
}

/// What comparing said.
enum Fit {
    Fits { positive: Difference, negative: Difference },
    New { reset: bool },
}

impl FloatHistogramAppender {
    /// Begins a chunk with a sample, which must be valid; `before` made the chunk of the same series before it, if that is a
    /// float histogram chunk.
    pub fn begin(
        before: Option<&FloatHistogramAppender>,
        timestamp: i64,
        histogram: &FloatHistogram,
    ) -> Self {
        let reset = match (histogram.counter_reset_hint, before) {
            (CounterResetHint::Gauge, _) => CounterReset::Gauge,
            (CounterResetHint::CounterReset, _) => CounterReset::Reset,
            (_, None) => CounterReset::Unknown,
            (_, Some(before)) => match before.fit_counter(histogram) {
                Fit::New { reset: true } => CounterReset::Reset,
                _ => CounterReset::NotReset,
            },
        };
        FloatHistogramAppender::with_header(reset, timestamp, histogram)
    }

    fn with_header(reset: CounterReset, timestamp: i64, histogram: &FloatHistogram) -> Self {
        let mut appender = FloatHistogramAppender::empty(reset);
        appender.layout = layout(histogram);
        appender.push(timestamp, histogram);
        appender
    }

    fn empty(reset: CounterReset) -> Self {
        FloatHistogramAppender {
            writer: BitWriter::new(vec![0, 0, reset.as_u8()]),
            layout: HistogramLayout::default(),
            count: 0,
            timestamp: 0,
            delta: 0,
            observations: ValueWriter::new(0),
            zero: ValueWriter::new(0),
            sum: ValueWriter::new(0),
            buckets: Vec::new(),
        }
    }

    /// Goes on with a chunk, as the appender would that wrote it; `None` where it has no samples.
    ///
    /// # Errors
    /// What is wrong with the chunk's bytes.
    pub fn resume(bytes: &[u8]) -> Result<Option<Self>, ChunkError> {
        let mut columns = HistogramColumns::default();
        decode_float_histograms(Encoding::FloatHistogram, bytes, Order::Any, &mut columns)?;
        let mut appender = FloatHistogramAppender::empty(columns.counter_reset);
        appender.layout = columns.layout.clone();
        for (timestamp, histogram) in columns.iter() {
            appender.push(timestamp, &histogram);
        }
        Ok(Some(appender).filter(|appender| appender.count > 0))
    }

    /// Appends a sample, which must be valid.
    pub fn append(&mut self, timestamp: i64, histogram: &FloatHistogram) -> Appended<FloatHistogramAppender> {
        let is_gauge = histogram.counter_reset_hint == CounterResetHint::Gauge;
        let fit = if is_gauge { self.fit_gauge(histogram) } else { self.fit_counter(histogram) };
        let (positive, negative) = match fit {
            Fit::Fits { positive, negative } if self.count < SAMPLES_MAX => (positive, negative),
            Fit::Fits { .. } => {
                return Appended::Cut(Box::new(FloatHistogramAppender::begin(
                    Some(self),
                    timestamp,
                    histogram,
                )));
            }
            Fit::New { reset } => {
                let reset = match (is_gauge, reset) {
                    (true, _) => CounterReset::Gauge,
                    (false, true) => CounterReset::Reset,
                    (false, false) => CounterReset::Unknown,
                };
                let appender = FloatHistogramAppender::with_header(reset, timestamp, histogram);
                return Appended::Cut(Box::new(appender));
            }
        };
        let (rewrite, widen) =
            (positive.chunk_lacks || negative.chunk_lacks, positive.sample_lacks || negative.sample_lacks);
        if !rewrite && !widen {
            self.push(timestamp, histogram);
            return Appended::Inside;
        }
        let mut layout = self.layout.clone();
        if rewrite {
            // The sample's own spans where it has all buckets, else those of both.
            let whole = is_gauge && widen;
            layout.positive_spans = match positive.sample_lacks || whole {
                true => union(&self.layout.positive_spans, &histogram.positive_spans),
                false => histogram.positive_spans.clone(),
            };
            layout.negative_spans = match negative.sample_lacks || whole {
                true => union(&self.layout.negative_spans, &histogram.negative_spans),
                false => histogram.negative_spans.clone(),
            };
            layout.count_buckets();
            self.rewrite(layout.clone());
        }
        let widened = if widen { Some(widen_to(histogram, &layout)) } else { None };
        self.push(timestamp, widened.as_ref().unwrap_or(histogram));
        if rewrite { Appended::Rewritten } else { Appended::Inside }
    }

    fn fit_counter(&self, histogram: &FloatHistogram) -> Fit {
        let value = |value: ValueWriter| f64::from_bits(value.bits);
        if self.counter_reset() == CounterReset::Gauge {
            return Fit::New { reset: false };
        }
        if histogram.counter_reset_hint == CounterResetHint::CounterReset {
            return Fit::New { reset: true };
        }
        if histogram.is_stale() {
            return Fit::Fits { positive: Difference::default(), negative: Difference::default() };
        }
        if is_stale(value(self.sum)) {
            return Fit::New { reset: false };
        }
        if histogram.count < value(self.observations) {
            return Fit::New { reset: true };
        }
        if !self.layout.same_schema(histogram.schema, histogram.zero_threshold) {
            return Fit::New { reset: false };
        }
        if !self.layout.same_bounds(&histogram.custom_values) || histogram.zero_count < value(self.zero) {
            return Fit::New { reset: true };
        }
        let (positive, negative) =
            self.buckets.split_at_checked(self.layout.positive_buckets).unwrap_or_default();
        let positive =
            BucketIndexes::new(&self.layout.positive_spans).zip(positive.iter().map(|count| value(*count)));
        let negative =
            BucketIndexes::new(&self.layout.negative_spans).zip(negative.iter().map(|count| value(*count)));
        let positive = compare_counter(positive, histogram.positive());
        let negative = compare_counter(negative, histogram.negative());
        match (positive, negative) {
            (Some(positive), Some(negative)) => Fit::Fits { positive, negative },
            _ => Fit::New { reset: true },
        }
    }

    fn fit_gauge(&self, histogram: &FloatHistogram) -> Fit {
        if self.counter_reset() != CounterReset::Gauge {
            return Fit::New { reset: false };
        }
        if histogram.is_stale() {
            return Fit::Fits { positive: Difference::default(), negative: Difference::default() };
        }
        if is_stale(f64::from_bits(self.sum.bits))
            || !self.layout.same_schema(histogram.schema, histogram.zero_threshold)
            || !self.layout.same_bounds(&histogram.custom_values)
        {
            return Fit::New { reset: false };
        }
        Fit::Fits {
            positive: compare_gauge(&self.layout.positive_spans, &histogram.positive_spans),
            negative: compare_gauge(&self.layout.negative_spans, &histogram.negative_spans),
        }
    }

    /// Writes all samples anew, with the buckets of `layout`, which are those that they have and more.
    fn rewrite(&mut self, layout: HistogramLayout) {
        let mut columns = HistogramColumns::default();
        if decode_float_histograms(Encoding::FloatHistogram, self.bytes(), Order::Any, &mut columns).is_err()
        {
            debug_assert!(false, "an appender's own bytes");
            return;
        }
        let mut appender = FloatHistogramAppender::empty(self.counter_reset());
        appender.layout = layout;
        for (timestamp, histogram) in columns.iter() {
            let widened = widen_to(&histogram, &appender.layout);
            appender.push(timestamp, &widened);
        }
        *self = appender;
    }

    /// Appends a sample that has the chunk's buckets.
    fn push(&mut self, timestamp: i64, histogram: &FloatHistogram) {
        let stale = histogram.is_stale();
        let marker;
        let histogram = if stale {
            marker = FloatHistogram { sum: histogram.sum, ..FloatHistogram::default() };
            &marker
        } else {
            histogram
        };
        let writer = &mut self.writer;
        let numbers = [histogram.count, histogram.zero_count, histogram.sum];
        // The layout says how many values there are, whatever the sample says.
        let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets).copied();
        let values = numbers.into_iter().chain(buckets).chain(iter::repeat(0.0));
        let totals = [&mut self.observations, &mut self.zero, &mut self.sum];
        if self.count == 0 {
            self.layout.write(writer);
            write_int(writer, timestamp);
            let width = self.layout.positive_buckets + self.layout.negative_buckets;
            self.buckets = vec![ValueWriter::new(0); width];
            for (value, number) in totals.into_iter().chain(&mut self.buckets).zip(values) {
                writer.write(number.to_bits(), 64);
                *value = ValueWriter::new(number.to_bits());
            }
        } else {
            let delta = timestamp.wrapping_sub(self.timestamp);
            write_int(writer, delta.wrapping_sub(self.delta));
            let buckets = if stale { Default::default() } else { self.buckets.iter_mut() };
            for (value, number) in totals.into_iter().chain(buckets).zip(values) {
                value.write(writer, number.to_bits());
            }
            self.delta = delta;
        }
        self.timestamp = timestamp;
        self.count += 1;
        if let Some(header) = self.writer.bytes_mut().first_chunk_mut::<2>() {
            *header = self.count.to_be_bytes();
        }
    }

    /// How many samples the chunk has.
    pub const fn len(&self) -> u16 {
        self.count
    }

    /// Whether it has none; an appender always has one.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The timestamp of the last sample.
    pub const fn last_timestamp(&self) -> i64 {
        self.timestamp
    }

    /// What the chunk's header says about a counter reset.
    pub fn counter_reset(&self) -> CounterReset {
        CounterReset::from_u8(self.writer.bytes().get(HEADER - 1).copied().unwrap_or_default())
    }

    /// The chunk.
    pub fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    /// The chunk, without memory to spare.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.writer.into_bytes();
        bytes.shrink_to_fit();
        bytes
    }
}

fn layout(histogram: &FloatHistogram) -> HistogramLayout {
    if histogram.is_stale() {
        return HistogramLayout::default();
    }
    let mut layout = HistogramLayout {
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        positive_spans: histogram.positive_spans.clone(),
        negative_spans: histogram.negative_spans.clone(),
        custom_values: histogram.custom_values.clone(),
        ..HistogramLayout::default()
    };
    layout.count_buckets();
    layout
}

/// The same histogram with the buckets of `layout`.
fn widen_to(histogram: &FloatHistogram, layout: &HistogramLayout) -> FloatHistogram {
    if histogram.is_stale() {
        return histogram.clone();
    }
    let mut widened = histogram.clone();
    widened.positive_buckets = spread(histogram.positive(), &layout.positive_spans);
    widened.negative_buckets = spread(histogram.negative(), &layout.negative_spans);
    widened
}
