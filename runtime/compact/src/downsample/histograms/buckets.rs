//! The buckets that all histograms of a batch are brought to.

use std::borrow::Cow;

use prom_model::{CounterResetHint, FloatHistogram};

use super::Sample;

/// How often the zero bucket is made wider before it is given up to make one for all.
const WIDENINGS_MAX: usize = 64;

/// The coarsest schema and the widest zero bucket of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CommonBuckets {
    schema: i32,
    zero_threshold: f64,
}

impl CommonBuckets {
    /// Those of histograms of one family, of which there is one at least.
    pub(super) fn of(samples: &[Sample]) -> Self {
        let schema = samples.iter().map(|(_, histogram)| histogram.schema).min().unwrap_or_default();
        let thresholds = samples.iter().map(|(_, histogram)| histogram.zero_threshold);
        let mut common = CommonBuckets { schema, zero_threshold: thresholds.fold(f64::MIN, f64::max) };
        let alike = |common: &CommonBuckets| {
            samples.iter().all(|(_, histogram)| histogram.zero_threshold == common.zero_threshold)
        };
        if alike(&common) {
            return common;
        }
        // A zero bucket that would end inside of a populated bucket takes it in, and is wider than was asked for.
        for _ in 0..WIDENINGS_MAX {
            let wider = samples.iter().map(|(_, histogram)| common.fit(histogram).zero_threshold);
            let wider = wider.fold(common.zero_threshold, f64::max);
            if wider == common.zero_threshold {
                break;
            }
            common.zero_threshold = wider;
        }
        common
    }

    /// The histogram with these buckets.
    pub(super) fn fit<'h>(&self, histogram: &'h FloatHistogram) -> Cow<'h, FloatHistogram> {
        let mut fitted = Cow::Borrowed(histogram);
        if histogram.schema > self.schema {
            // It fails for custom buckets, whose schema is below all others.
            let _ = fitted.to_mut().reduce_resolution(self.schema);
        }
        if histogram.zero_threshold != self.zero_threshold && !histogram.uses_custom_buckets() {
            let nothing = FloatHistogram {
                counter_reset_hint: histogram.counter_reset_hint,
                schema: fitted.schema,
                zero_threshold: self.zero_threshold,
                ..FloatHistogram::default()
            };
            // Both have exponential buckets.
            let _ = fitted.to_mut().add(&nothing);
        }
        fitted
    }

    /// The sum of histograms, which is a gauge; `None` where there are none.
    pub(super) fn sum(&mut self, samples: &[Sample]) -> Option<FloatHistogram> {
        let mut sum = None;
        for (_, histogram) in samples {
            add_to(&mut sum, &self.fit(histogram));
        }
        sum
    }
}

/// Adds to a sum, which is a gauge: it may fall from window to window.
pub(super) fn add_to(sum: &mut Option<FloatHistogram>, histogram: &FloatHistogram) {
    match sum {
        Some(sum) => plus(sum, histogram),
        None => *sum = Some(histogram.clone()),
    }
    if let Some(sum) = sum {
        sum.counter_reset_hint = CounterResetHint::Gauge;
    }
}

/// Adds a histogram of the same family.
pub(super) fn plus(sum: &mut FloatHistogram, histogram: &FloatHistogram) {
    if !same_buckets(sum, histogram) {
        // Exponential and custom buckets are never of one family.
        let _ = sum.add(histogram);
        return;
    }
    sum.zero_count += histogram.zero_count;
    sum.count += histogram.count;
    sum.sum += histogram.sum;
    let added = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    for (sum, added) in sum.positive_buckets.iter_mut().chain(&mut sum.negative_buckets).zip(added) {
        *sum += *added;
    }
}

/// Whether buckets can be taken pair by pair.
pub(super) fn same_buckets(one: &FloatHistogram, other: &FloatHistogram) -> bool {
    one.schema == other.schema
        && one.zero_threshold == other.zero_threshold
        && one.positive_spans == other.positive_spans
        && one.negative_spans == other.negative_spans
        && one.positive_buckets.len() == other.positive_buckets.len()
        && one.negative_buckets.len() == other.negative_buckets.len()
        && one.custom_values == other.custom_values
}
