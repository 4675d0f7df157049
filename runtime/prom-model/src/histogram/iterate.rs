//! The buckets of a histogram from the lowest observations to the highest, and its text.

use std::fmt;

use super::{BucketIndexes, CUSTOM_BUCKETS_SCHEMA, FloatHistogram, bucket_bounds};
use crate::go_float;

/// A bucket with its bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// Whether the beginning is in it.
    pub lower_inclusive: bool,
    /// Whether the end is in it.
    pub upper_inclusive: bool,
    /// Its observations.
    pub count: f64,
}

impl fmt::Display for Bucket {
    /// The bounds as an interval, then the count: `(1,2]:5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(go_float);
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

impl FloatHistogram {
    /// The buckets of positive observations, rising, empty ones too.
    pub(super) fn positive_bounds(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.positive().map(|(index, count)| self.bucket(index, count, true))
    }

    /// The buckets of negative observations, falling away from zero, empty ones too.
    pub(super) fn negative_bounds(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.negative().map(|(index, count)| self.bucket(index, count, false))
    }

    /// The zero bucket.
    pub(super) fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets, rising; the zero bucket where it has observations. Others end where the zero bucket begins.
    pub fn all_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let negative = BucketIndexes::new(&self.negative_spans).zip(self.negative_buckets.iter().copied());
        let negative: Vec<(i64, f64)> = negative.collect();
        let negative = negative.into_iter().rev().map(|(index, count)| self.bucket(index, count, false));
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        let clip = |mut bucket: Bucket| {
            if bucket.upper < 0.0 && bucket.upper > -self.zero_threshold {
                bucket.upper = -self.zero_threshold;
            } else if bucket.lower > 0.0 && bucket.lower < self.zero_threshold {
                bucket.lower = self.zero_threshold;
            }
            bucket
        };
        negative.map(clip).chain(zero).chain(self.positive_bounds().map(clip))
    }

    fn bucket(&self, index: i64, count: f64, positive: bool) -> Bucket {
        let (lower, upper) =
            bucket_bounds(index, self.schema, &self.custom_values).unwrap_or((f64::NAN, f64::NAN));
        let (lower, upper) = if positive { (lower, upper) } else { (-upper, -lower) };
        let (lower_inclusive, upper_inclusive) = if self.schema == CUSTOM_BUCKETS_SCHEMA {
            (index == 0, true)
        } else {
            (lower < 0.0, upper > 0.0)
        };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count }
    }
}

impl fmt::Display for FloatHistogram {
    /// As Prometheus prints it: `{count:5, sum:10, (1,2]:5}`, without empty buckets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", go_float(self.count), go_float(self.sum))?;
        let negative: Vec<Bucket> = self.negative_bounds().filter(|bucket| bucket.count != 0.0).collect();
        let zero = (self.zero_count != 0.0).then(|| self.zero_bucket());
        let positive = self.positive_bounds().filter(|bucket| bucket.count != 0.0);
        for bucket in negative.into_iter().rev().chain(zero).chain(positive) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}
