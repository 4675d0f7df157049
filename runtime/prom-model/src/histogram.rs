//! Native histograms: one sample of a distribution, in whole observations or in fractions of them.
//!
//! Buckets are stored sparsely: spans say which bucket indexes exist, the counts follow in that order. In a schema from -4 to 8
//! the bucket of index `i` ends at `2^(i·2^-schema)`; in schema -53 the bounds are listed one by one.

mod arithmetic;
mod bound;
mod buckets;
mod compact;
mod iterate;
mod merge;
mod notation;
mod reset;
mod resolution;
mod trim;
mod validate;
mod zero;

#[cfg(test)]
mod tests;

pub use arithmetic::{Added, IncompatibleBuckets, neumaier_add};
pub use bound::bucket_bounds;
pub use buckets::{BucketIndexes, Span, bucket_count};
pub use iterate::Bucket;
pub use resolution::ResolutionError;
pub use trim::TrimSide;
pub use validate::HistogramError;

/// The value that says "this series has ended": a NaN with a payload of its own.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// The schema whose bucket bounds are listed one by one.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// Whether the value is [`STALE_NAN`], to the bit.
pub const fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// Whether samples of this schema may be written: exponential from -4 to 8, or custom.
pub const fn is_valid_schema(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA || schema >= -4 && schema <= 8
}

/// Whether samples of this schema can be read: those that may be written, and those reserved for finer and coarser buckets.
pub const fn is_known_schema(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA || schema >= -9 && schema <= 52
}

/// What is known about a counter reset between the sample before and this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CounterResetHint {
    /// Nothing: compare the two.
    #[default]
    Unknown,
    /// There was one.
    CounterReset,
    /// There was none.
    NotCounterReset,
    /// The histogram is a gauge, for which there is no such thing.
    Gauge,
}

/// A histogram of whole observations.
///
/// Equality is to the bit: NaNs are equal where their payloads are, 0 and -0 are not.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// What is known about a reset.
    pub counter_reset_hint: CounterResetHint,
    /// The width of the buckets.
    pub schema: i32,
    /// The zero bucket holds the observations from `-zero_threshold` to `zero_threshold`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// Observations in all buckets, and those that were NaN.
    pub count: u64,
    /// The sum of the observations; [`STALE_NAN`] makes the sample a stale marker.
    pub sum: f64,
    /// Which buckets of positive observations there are.
    pub positive_spans: Vec<Span>,
    /// Which buckets of negative observations there are.
    pub negative_spans: Vec<Span>,
    /// The count of the first bucket, then of each what it has more than the one before.
    pub positive_buckets: Vec<i64>,
    /// As `positive_buckets`.
    pub negative_buckets: Vec<i64>,
    /// The upper bounds of the buckets of schema -53, without the last, infinity.
    pub custom_values: Vec<f64>,
}

/// A histogram whose counts are floats: the result of a rate, a sum of weights.
///
/// Equality is to the bit, as of [`Histogram`].
#[derive(Debug, Clone, Default)]
pub struct FloatHistogram {
    /// What is known about a reset.
    pub counter_reset_hint: CounterResetHint,
    /// The width of the buckets.
    pub schema: i32,
    /// The zero bucket holds the observations from `-zero_threshold` to `zero_threshold`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// Observations in all buckets, and those that were NaN.
    pub count: f64,
    /// The sum of the observations; [`STALE_NAN`] makes the sample a stale marker.
    pub sum: f64,
    /// Which buckets of positive observations there are.
    pub positive_spans: Vec<Span>,
    /// Which buckets of negative observations there are.
    pub negative_spans: Vec<Span>,
    /// The count of each bucket.
    pub positive_buckets: Vec<f64>,
    /// The count of each bucket.
    pub negative_buckets: Vec<f64>,
    /// The upper bounds of the buckets of schema -53, without the last, infinity.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// Makes a stale marker.
    pub fn stale() -> Self {
        Histogram { sum: STALE_NAN, ..Histogram::default() }
    }

    /// Whether the sample is a stale marker.
    pub const fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether the bounds of its buckets are listed in `custom_values`.
    pub const fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// The buckets of positive observations: index and count, rising.
    pub fn positive(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        BucketIndexes::new(&self.positive_spans).zip(absolute(&self.positive_buckets))
    }

    /// The buckets of negative observations: index and count, rising, so towards minus infinity.
    pub fn negative(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        BucketIndexes::new(&self.negative_spans).zip(absolute(&self.negative_buckets))
    }

    /// The same histogram with floats for counts.
    pub fn to_float(&self) -> FloatHistogram {
        let custom = self.uses_custom_buckets();
        let floats = |deltas: &[i64]| -> Vec<f64> {
            let sums = deltas.iter().scan(0f64, |sum, delta| {
                *sum += *delta as f64;
                Some(*sum)
            });
            sums.collect()
        };
        FloatHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: if custom { 0.0 } else { self.zero_threshold },
            zero_count: if custom { 0.0 } else { self.zero_count as f64 },
            count: self.count as f64,
            sum: self.sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: if custom { Vec::new() } else { self.negative_spans.clone() },
            positive_buckets: floats(&self.positive_buckets),
            negative_buckets: if custom { Vec::new() } else { floats(&self.negative_buckets) },
            custom_values: if custom { self.custom_values.clone() } else { Vec::new() },
        }
    }
}

impl FloatHistogram {
    /// Makes a stale marker.
    pub fn stale() -> Self {
        FloatHistogram { sum: STALE_NAN, ..FloatHistogram::default() }
    }

    /// Whether the sample is a stale marker.
    pub const fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether the bounds of its buckets are listed in `custom_values`.
    pub const fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// The buckets of positive observations: index and count, rising.
    pub fn positive(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        BucketIndexes::new(&self.positive_spans).zip(self.positive_buckets.iter().copied())
    }

    /// The buckets of negative observations: index and count, rising, so towards minus infinity.
    pub fn negative(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        BucketIndexes::new(&self.negative_spans).zip(self.negative_buckets.iter().copied())
    }
}

fn absolute(deltas: &[i64]) -> impl Iterator<Item = i64> + '_ {
    deltas.iter().scan(0i64, |sum, delta| {
        *sum = sum.wrapping_add(*delta);
        Some(*sum)
    })
}

fn same_bits(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.to_bits() == right.to_bits())
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.counter_reset_hint == other.counter_reset_hint
            && self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.zero_count == other.zero_count
            && self.count == other.count
            && self.sum.to_bits() == other.sum.to_bits()
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && self.positive_buckets == other.positive_buckets
            && self.negative_buckets == other.negative_buckets
            && same_bits(&self.custom_values, &other.custom_values)
    }
}

impl Eq for Histogram {}

impl PartialEq for FloatHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.counter_reset_hint == other.counter_reset_hint
            && self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.zero_count.to_bits() == other.zero_count.to_bits()
            && self.count.to_bits() == other.count.to_bits()
            && self.sum.to_bits() == other.sum.to_bits()
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && same_bits(&self.positive_buckets, &other.positive_buckets)
            && same_bits(&self.negative_buckets, &other.negative_buckets)
            && same_bits(&self.custom_values, &other.custom_values)
    }
}

impl Eq for FloatHistogram {}
