//! Whether a histogram keeps the rules of its kind: what a receiver of samples checks before it stores one.

use super::{CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, Span, absolute, bucket_count};

/// The rule that a histogram breaks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HistogramError {
    /// A schema in which samples may not be written.
    #[error("histogram has schema {0}; possible are -4 to 8, and -53 for custom buckets")]
    Schema(i32),
    /// Only the first span may reach back.
    #[error("histogram has a span with the negative offset {offset} (span {span})")]
    SpanOffset {
        /// Which, from 1.
        span: usize,
        /// Its offset.
        offset: i32,
    },
    /// The spans name more or fewer buckets than there are counts.
    #[error("histogram spans name {spans} buckets, {buckets} are given")]
    BucketsMissing {
        /// Buckets by the spans.
        spans: u64,
        /// Buckets given.
        buckets: u64,
    },
    /// A bucket with fewer than no observations.
    #[error("histogram has {count} observations in a bucket (bucket {bucket})")]
    BucketCount {
        /// Which, from 1; 0 is the zero bucket.
        bucket: usize,
        /// Its count.
        count: f64,
    },
    /// The whole has fewer than no observations.
    #[error("histogram has {0} observations")]
    Count(f64),
    /// Without NaNs among the observations, the buckets add up to the count.
    #[error("histogram has {buckets} observations in its buckets, its count is {count}")]
    CountMismatch {
        /// The sum over the buckets.
        buckets: u64,
        /// The count.
        count: u64,
    },
    /// The bounds of custom buckets rise, and none is NaN.
    #[error("histogram custom bounds do not rise: {after} after {before}")]
    CustomOrder {
        /// A bound.
        before: f64,
        /// The one behind it.
        after: f64,
    },
    /// The bound of the last bucket is infinity without being listed.
    #[error("histogram custom bounds include infinity")]
    CustomInfinite,
    /// More buckets than bounds.
    #[error("histogram has {bounds} custom bounds for {buckets} buckets")]
    CustomMissing {
        /// Bounds.
        bounds: u64,
        /// The highest bucket that the spans name.
        buckets: u64,
    },
    /// Something that only the other kind of bucket has.
    #[error("histogram with {kind} buckets has {what}")]
    Foreign {
        /// `custom` or `exponential`.
        kind: &'static str,
        /// What it has.
        what: &'static str,
    },
}

impl Histogram {
    /// Checks the rules that Prometheus checks when it takes a sample.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let mut observations = self.zero_count;
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            custom(&self.custom_values, &self.positive_spans, self.positive_buckets.len())?;
            foreign_to_custom(
                self.zero_count != 0,
                self.zero_threshold != 0.0,
                !self.negative_spans.is_empty(),
                !self.negative_buckets.is_empty(),
            )?;
        } else if super::is_valid_schema(self.schema) {
            spans(&self.positive_spans, self.positive_buckets.len())?;
            spans(&self.negative_spans, self.negative_buckets.len())?;
            observations = observations.wrapping_add(whole(&self.negative_buckets)?);
            foreign_to_exponential(&self.custom_values)?;
        } else {
            return Err(HistogramError::Schema(self.schema));
        }
        observations = observations.wrapping_add(whole(&self.positive_buckets)?);
        let wrong = if self.sum.is_nan() { observations > self.count } else { observations != self.count };
        if wrong {
            return Err(HistogramError::CountMismatch { buckets: observations, count: self.count });
        }
        Ok(())
    }
}

impl FloatHistogram {
    /// Checks the rules that Prometheus checks when it takes a sample. The count need not be the sum of the buckets: floats
    /// do not add up.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), HistogramError> {
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            custom(&self.custom_values, &self.positive_spans, self.positive_buckets.len())?;
            foreign_to_custom(
                self.zero_count != 0.0,
                self.zero_threshold != 0.0,
                !self.negative_spans.is_empty(),
                !self.negative_buckets.is_empty(),
            )?;
        } else if super::is_valid_schema(self.schema) {
            spans(&self.positive_spans, self.positive_buckets.len())?;
            spans(&self.negative_spans, self.negative_buckets.len())?;
            not_negative(&self.negative_buckets)?;
            if self.zero_count < 0.0 {
                return Err(HistogramError::BucketCount { bucket: 0, count: self.zero_count });
            }
            foreign_to_exponential(&self.custom_values)?;
        } else {
            return Err(HistogramError::Schema(self.schema));
        }
        if self.count < 0.0 {
            return Err(HistogramError::Count(self.count));
        }
        not_negative(&self.positive_buckets)
    }
}

fn spans(spans: &[Span], buckets: usize) -> Result<(), HistogramError> {
    for (at, span) in spans.iter().enumerate().skip(1) {
        if span.offset < 0 {
            return Err(HistogramError::SpanOffset { span: at + 1, offset: span.offset });
        }
    }
    let (spans, buckets) = (bucket_count(spans), buckets as u64);
    if spans != buckets {
        return Err(HistogramError::BucketsMissing { spans, buckets });
    }
    Ok(())
}

fn custom(bounds: &[f64], positive: &[Span], buckets: usize) -> Result<(), HistogramError> {
    for pair in bounds.windows(2) {
        if let [before, after] = *pair
            && (after <= before || after.is_nan())
        {
            return Err(HistogramError::CustomOrder { before, after });
        }
    }
    if let Some(first) = bounds.first().filter(|bound| bound.is_nan()) {
        return Err(HistogramError::CustomOrder { before: f64::NEG_INFINITY, after: *first });
    }
    if bounds.last() == Some(&f64::INFINITY) {
        return Err(HistogramError::CustomInfinite);
    }
    if let Some(span) = positive.first().filter(|span| span.offset < 0) {
        return Err(HistogramError::SpanOffset { span: 1, offset: span.offset });
    }
    spans(positive, buckets)?;
    let reach: u64 =
        positive.iter().map(|span| u64::from(span.length) + u64::from(span.offset.unsigned_abs())).sum();
    if (bounds.len() as u64) + 1 < reach {
        return Err(HistogramError::CustomMissing { bounds: bounds.len() as u64, buckets: reach });
    }
    Ok(())
}

fn foreign_to_custom(
    zero_count: bool,
    zero_threshold: bool,
    negative_spans: bool,
    negative_buckets: bool,
) -> Result<(), HistogramError> {
    let found = [
        (zero_count, "a zero count"),
        (zero_threshold, "a zero threshold"),
        (negative_spans, "negative spans"),
        (negative_buckets, "negative buckets"),
    ];
    match found.into_iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(HistogramError::Foreign { kind: "custom", what }),
        None => Ok(()),
    }
}

fn foreign_to_exponential(custom_values: &[f64]) -> Result<(), HistogramError> {
    if custom_values.is_empty() {
        Ok(())
    } else {
        Err(HistogramError::Foreign { kind: "exponential", what: "custom bounds" })
    }
}

fn whole(deltas: &[i64]) -> Result<u64, HistogramError> {
    let mut sum = 0u64;
    for (at, count) in absolute(deltas).enumerate() {
        if count < 0 {
            return Err(HistogramError::BucketCount { bucket: at + 1, count: count as f64 });
        }
        sum = sum.wrapping_add(count as u64);
    }
    Ok(sum)
}

fn not_negative(counts: &[f64]) -> Result<(), HistogramError> {
    match counts.iter().position(|count| *count < 0.0) {
        Some(at) => Err(HistogramError::BucketCount {
            bucket: at + 1,
            count: counts.get(at).copied().unwrap_or_default(),
        }),
        None => Ok(()),
    }
}
