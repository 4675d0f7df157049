//! Chunks of whole-number histograms, made sample by sample.

use std::iter;

use prom_model::{BucketIndexes, CounterResetHint, Histogram, is_stale};

use super::super::bits::{BitSink, BitWriter};
use super::super::varbit::{write_int, write_uint};
use super::super::xor::ValueWriter;
use super::super::{
    ChunkError, CounterReset, Encoding, HistogramColumns, HistogramLayout, Order, SAMPLES_MAX,
    decode_histograms,
};
use super::spans::{Difference, compare_counter, compare_gauge, spread, to_deltas, union};

/// Bytes before the layout: the count, and the counter reset.
pub(super) const HEADER: usize = 3;

/// What became of a histogram and of the chunk to which it was to be appended.
#[derive(Debug)]
pub enum Appended<A> {
    /// It stands behind the others.
    Inside,
    /// It does, and all others were written anew for it, because it brought new buckets: bytes handed out before are old.
    Rewritten,
    /// It did not fit: the chunk is as before and complete, and the histogram is the first in a new one.
    Cut(Box<A>),
}

/// Makes a histogram chunk, sample by sample. Its bytes are a whole chunk at any moment.
///
/// Decides as Prometheus does when buckets are added, when a new chunk begins, and what its header says about a reset.
#[derive(Debug, Clone)]
pub struct HistogramAppender {
    writer: BitWriter,
    layout: HistogramLayout,
    count: u16,
    timestamp: i64,
    delta: i64,
    observations: u64,
    observations_delta: i64,
    zero: u64,
    zero_delta: i64,
    sum: ValueWriter,
    /// Of each bucket, positive ones first: what it has more than the one before it, and how that changed.
    buckets: Vec<(i64, i64)>,
}

/// What comparing said.
enum Fit {
    Fits { positive: Difference, negative: Difference },
    New(CounterReset),
}

impl HistogramAppender {
    /// Begins a chunk with a sample, which must be valid; `before` made the chunk of the same series before it, if that is a
    /// histogram chunk of whole observations.
    pub fn begin(before: Option<&HistogramAppender>, timestamp: i64, histogram: &Histogram) -> Self {
        let reset = match (histogram.counter_reset_hint, before) {
            (CounterResetHint::Gauge, _) => CounterReset::Gauge,
            (CounterResetHint::CounterReset, _) => CounterReset::Reset,
            (_, None) => CounterReset::Unknown,
            (_, Some(before)) => match before.fit_counter(histogram) {
                Fit::Fits { .. } => CounterReset::NotReset,
                Fit::New(reset) => reset,
            },
        };
        let mut appender = HistogramAppender::empty(reset);
        appender.layout = layout(histogram);
        appender.push(timestamp, histogram);
        appender
    }

    fn empty(reset: CounterReset) -> Self {
        HistogramAppender {
            writer: BitWriter::new(vec![0, 0, reset.as_u8()]),
            layout: HistogramLayout::default(),
            count: 0,
            timestamp: 0,
            delta: 0,
            observations: 0,
            observations_delta: 0,
            zero: 0,
            zero_delta: 0,
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
        decode_histograms(Encoding::Histogram, bytes, Order::Any, &mut columns)?;
        let mut appender = HistogramAppender::empty(columns.counter_reset);
        appender.layout = columns.layout.clone();
        for (timestamp, histogram) in columns.iter() {
            appender.push(timestamp, &histogram);
        }
        Ok(Some(appender).filter(|appender| appender.count > 0))
    }

    /// Appends a sample, which must be valid.
    pub fn append(&mut self, timestamp: i64, histogram: &Histogram) -> Appended<HistogramAppender> {
        let is_gauge = histogram.counter_reset_hint == CounterResetHint::Gauge;
        let fit = if is_gauge { self.fit_gauge(histogram) } else { self.fit_counter(histogram) };
        let (positive, negative) = match fit {
            Fit::Fits { positive, negative } if self.count < SAMPLES_MAX => (positive, negative),
            Fit::Fits { .. } => {
                return Appended::Cut(Box::new(HistogramAppender::begin(Some(self), timestamp, histogram)));
            }
            Fit::New(reset) => {
                let mut appender = HistogramAppender::empty(reset);
                appender.layout = layout(histogram);
                appender.push(timestamp, histogram);
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

    fn fit_counter(&self, histogram: &Histogram) -> Fit {
        if self.counter_reset() == CounterReset::Gauge {
            return Fit::New(CounterReset::NotReset);
        }
        if histogram.counter_reset_hint == CounterResetHint::CounterReset {
            return Fit::New(CounterReset::Reset);
        }
        if histogram.is_stale() {
            return Fit::Fits { positive: Difference::default(), negative: Difference::default() };
        }
        if is_stale(f64::from_bits(self.sum.bits)) {
            return Fit::New(CounterReset::Unknown);
        }
        if histogram.count < self.observations {
            return Fit::New(CounterReset::Reset);
        }
        if !self.layout.same_schema(histogram.schema, histogram.zero_threshold) {
            return Fit::New(CounterReset::Unknown);
        }
        if !self.layout.same_bounds(&histogram.custom_values) || histogram.zero_count < self.zero {
            return Fit::New(CounterReset::Reset);
        }
        let (positive, negative) = self.counts();
        let positive = compare_counter(positive, histogram.positive());
        let negative = compare_counter(negative, histogram.negative());
        match (positive, negative) {
            (Some(positive), Some(negative)) => Fit::Fits { positive, negative },
            _ => Fit::New(CounterReset::Reset),
        }
    }

    fn fit_gauge(&self, histogram: &Histogram) -> Fit {
        if self.counter_reset() != CounterReset::Gauge {
            return Fit::New(CounterReset::Gauge);
        }
        if histogram.is_stale() {
            return Fit::Fits { positive: Difference::default(), negative: Difference::default() };
        }
        if is_stale(f64::from_bits(self.sum.bits))
            || !self.layout.same_schema(histogram.schema, histogram.zero_threshold)
            || !self.layout.same_bounds(&histogram.custom_values)
        {
            return Fit::New(CounterReset::Gauge);
        }
        Fit::Fits {
            positive: compare_gauge(&self.layout.positive_spans, &histogram.positive_spans),
            negative: compare_gauge(&self.layout.negative_spans, &histogram.negative_spans),
        }
    }

    /// The buckets of the last sample.
    fn counts(&self) -> (impl Iterator<Item = (i64, i64)> + '_, impl Iterator<Item = (i64, i64)> + '_) {
        let (positive, negative) =
            self.buckets.split_at_checked(self.layout.positive_buckets).unwrap_or_default();
        let sums = |buckets: &'_ [(i64, i64)]| -> Vec<i64> {
            let mut sum = 0i64;
            let add = |(difference, _): &(i64, i64)| {
                sum = sum.wrapping_add(*difference);
                sum
            };
            buckets.iter().map(add).collect()
        };
        (
            BucketIndexes::new(&self.layout.positive_spans).zip(sums(positive)),
            BucketIndexes::new(&self.layout.negative_spans).zip(sums(negative)),
        )
    }

    /// Writes all samples anew, with the buckets of `layout`, which are those that they have and more.
    fn rewrite(&mut self, layout: HistogramLayout) {
        let mut columns = HistogramColumns::default();
        if decode_histograms(Encoding::Histogram, self.bytes(), Order::Any, &mut columns).is_err() {
            debug_assert!(false, "an appender's own bytes");
            return;
        }
        let mut appender = HistogramAppender::empty(self.counter_reset());
        appender.layout = layout;
        for (timestamp, histogram) in columns.iter() {
            let widened = widen_to(&histogram, &appender.layout);
            appender.push(timestamp, &widened);
        }
        *self = appender;
    }

    /// Appends a sample that has the chunk's buckets.
    fn push(&mut self, timestamp: i64, histogram: &Histogram) {
        let stale = histogram.is_stale();
        let marker;
        let histogram = if stale {
            marker = Histogram { sum: histogram.sum, ..Histogram::default() };
            &marker
        } else {
            histogram
        };
        let writer = &mut self.writer;
        let values = histogram.positive_buckets.iter().chain(&histogram.negative_buckets).copied();
        let delta = timestamp.wrapping_sub(self.timestamp);
        if self.count == 0 {
            self.layout.write(writer);
            write_int(writer, timestamp);
            write_uint(writer, histogram.count);
            write_uint(writer, histogram.zero_count);
            writer.write(histogram.sum.to_bits(), 64);
            self.sum = ValueWriter::new(histogram.sum.to_bits());
            self.buckets = vec![(0, 0); self.layout.positive_buckets + self.layout.negative_buckets];
            // The layout says how many values there are, whatever the sample says.
            for (bucket, value) in self.buckets.iter_mut().zip(values.chain(iter::repeat(0))) {
                write_int(writer, value);
                bucket.0 = value;
            }
        } else {
            let observations_delta = (histogram.count as i64).wrapping_sub(self.observations as i64);
            let zero_delta = (histogram.zero_count as i64).wrapping_sub(self.zero as i64);
            write_int(writer, delta.wrapping_sub(self.delta));
            // The counts of a stale marker mean nothing.
            let change = |now: i64, before: i64| if stale { 0 } else { now.wrapping_sub(before) };
            write_int(writer, change(observations_delta, self.observations_delta));
            write_int(writer, change(zero_delta, self.zero_delta));
            self.sum.write(writer, histogram.sum.to_bits());
            let buckets = if stale { Default::default() } else { self.buckets.iter_mut() };
            for ((difference, bucket_delta), value) in buckets.zip(values.chain(iter::repeat(0))) {
                let delta = value.wrapping_sub(*difference);
                write_int(writer, delta.wrapping_sub(*bucket_delta));
                (*difference, *bucket_delta) = (value, delta);
            }
            (self.delta, self.observations_delta, self.zero_delta) = (delta, observations_delta, zero_delta);
        }
        (self.timestamp, self.observations, self.zero) = (timestamp, histogram.count, histogram.zero_count);
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

fn layout(histogram: &Histogram) -> HistogramLayout {
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
fn widen_to(histogram: &Histogram, layout: &HistogramLayout) -> Histogram {
    if histogram.is_stale() {
        return histogram.clone();
    }
    let mut widened = histogram.clone();
    widened.positive_buckets = to_deltas(&spread(histogram.positive(), &layout.positive_spans));
    widened.negative_buckets = to_deltas(&spread(histogram.negative(), &layout.negative_spans));
    widened
}
