//! What histograms come to, one after the other.

use prom_model::{CounterResetHint, FloatHistogram};

use super::buckets::{CommonBuckets, add_to, plus, same_buckets};

/// The sum of a window, and a counter from the beginning of the batch on.
#[derive(Debug)]
pub(super) struct Totals {
    buckets: CommonBuckets,
    sum: Option<FloatHistogram>,
    counter: Option<FloatHistogram>,
    /// The last histogram as it was, and with the common buckets where they are others.
    previous: Option<(FloatHistogram, Option<FloatHistogram>)>,
}

impl Totals {
    pub(super) const fn new(buckets: CommonBuckets) -> Self {
        Totals { buckets, sum: None, counter: None, previous: None }
    }

    pub(super) fn begin_window(&mut self) {
        self.sum = None;
    }

    pub(super) const fn sum(&self) -> Option<&FloatHistogram> {
        self.sum.as_ref()
    }

    pub(super) const fn counter(&self) -> Option<&FloatHistogram> {
        self.counter.as_ref()
    }

    /// Takes a histogram into both.
    pub(super) fn add(&mut self, histogram: &FloatHistogram) {
        add_to(&mut self.sum, &self.buckets.fit(histogram));
        self.count(histogram);
    }

    /// Takes a histogram into the counter. Whether there was a reset is asked of the histograms as they were: finer buckets than
    /// before are one, and those of a batch may have been made coarser.
    pub(super) fn count(&mut self, histogram: &FloatHistogram) {
        let fitted = self.buckets.fit(histogram);
        match (&mut self.counter, &self.previous) {
            (Some(counter), Some((previous, previous_fitted))) => {
                let is_gauge = histogram.counter_reset_hint == CounterResetHint::Gauge;
                if !is_gauge && histogram.detect_reset(previous) {
                    plus(counter, &fitted);
                } else {
                    plus_difference(counter, &fitted, previous_fitted.as_ref().unwrap_or(previous));
                }
                if !is_gauge {
                    counter.counter_reset_hint = CounterResetHint::Unknown;
                }
            }
            _ => self.counter = Some(fitted.clone().into_owned()),
        }
        let changed = match fitted {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(fitted) => Some(fitted),
        };
        match &mut self.previous {
            // The memory is used again.
            Some((previous, previous_fitted)) => {
                copy(histogram, previous);
                *previous_fitted = changed;
            }
            None => self.previous = Some((histogram.clone(), changed)),
        }
    }
}

/// Adds what a histogram has more than another, pair by pair where all have the same buckets.
fn plus_difference(counter: &mut FloatHistogram, now: &FloatHistogram, before: &FloatHistogram) {
    if !same_buckets(counter, now) || !same_buckets(before, now) {
        let mut difference = now.clone();
        // Exponential and custom buckets are never of one family.
        let _ = difference.sub(before);
        let _ = counter.add(&difference);
        return;
    }
    counter.zero_count += now.zero_count - before.zero_count;
    counter.count += now.count - before.count;
    counter.sum += now.sum - before.sum;
    let differences = now.positive_buckets.iter().zip(&before.positive_buckets);
    let differences = differences.chain(now.negative_buckets.iter().zip(&before.negative_buckets));
    let counts = counter.positive_buckets.iter_mut().chain(&mut counter.negative_buckets);
    for (count, (now, before)) in counts.zip(differences) {
        *count += now - before;
    }
}

fn copy(from: &FloatHistogram, to: &mut FloatHistogram) {
    to.counter_reset_hint = from.counter_reset_hint;
    to.schema = from.schema;
    to.zero_threshold = from.zero_threshold;
    to.zero_count = from.zero_count;
    to.count = from.count;
    to.sum = from.sum;
    to.positive_spans.clone_from(&from.positive_spans);
    to.negative_spans.clone_from(&from.negative_spans);
    to.positive_buckets.clone_from(&from.positive_buckets);
    to.negative_buckets.clone_from(&from.negative_buckets);
    to.custom_values.clone_from(&from.custom_values);
}
