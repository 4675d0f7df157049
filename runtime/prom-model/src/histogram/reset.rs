//! Whether a counter was reset between two histograms, and whether two histograms are the same data.

use super::merge::coarser;
use super::{BucketIndexes, CounterResetHint, FloatHistogram, Span, bucket_bounds};

impl FloatHistogram {
    /// Whether a counter must have been reset since `previous`: a bucket is gone or has fewer observations, or the buckets
    /// became finer. What the hint says, is believed.
    pub fn detect_reset(&self, previous: &FloatHistogram) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::CounterReset => return true,
            CounterResetHint::NotCounterReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.uses_custom_buckets() {
            if !previous.uses_custom_buckets() {
                return true;
            }
            if self.custom_values != previous.custom_values {
                return self.has_less_between_bounds(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let zero = previous.widened_zero_bucket(self.zero_threshold, None);
        if zero.threshold != self.zero_threshold || self.zero_count < zero.count {
            return true;
        }
        let sides = [
            (
                &self.positive_spans,
                &self.positive_buckets,
                &previous.positive_spans,
                &previous.positive_buckets,
            ),
            (
                &self.negative_spans,
                &self.negative_buckets,
                &previous.negative_spans,
                &previous.negative_buckets,
            ),
        ];
        sides.into_iter().any(|(spans, counts, previous_spans, previous_counts)| {
            let aligned = self.schema == previous.schema && spans == previous_spans;
            if aligned && counts.len() == previous_counts.len() && !self.starts_in_zero_bucket(spans) {
                return counts.iter().zip(previous_counts).any(|(count, previous)| count < previous);
            }
            let shift = previous.schema.abs_diff(self.schema);
            let now = self.outside_zero_bucket(spans, counts, 0);
            let before = self.outside_zero_bucket(previous_spans, previous_counts, shift);
            has_less(now, before)
        })
    }

    /// Whether two histograms are the same data: the same buckets, also empty ones, and the same bits in all numbers.
    pub fn equals(&self, other: &FloatHistogram) -> bool {
        let bits = |a: &[f64], b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
        };
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && bits(&[self.count, self.sum, self.zero_count], &[other.count, other.sum, other.zero_count])
            && (!self.uses_custom_buckets() || self.custom_values == other.custom_values)
            && BucketIndexes::new(&self.negative_spans).eq(BucketIndexes::new(&other.negative_spans))
            && BucketIndexes::new(&self.positive_spans).eq(BucketIndexes::new(&other.positive_spans))
            && bits(&self.negative_buckets, &other.negative_buckets)
            && bits(&self.positive_buckets, &other.positive_buckets)
    }

    fn starts_in_zero_bucket(&self, spans: &[Span]) -> bool {
        !self.uses_custom_buckets()
            && self.zero_threshold != 0.0
            && BucketIndexes::new(spans).next().is_some_and(|index| self.is_in_zero_bucket(index))
    }

    fn is_in_zero_bucket(&self, index: i64) -> bool {
        bucket_bounds(index, self.schema, &[]).is_some_and(|(_, upper)| upper <= self.zero_threshold)
    }

    /// Buckets in this histogram's schema, without the first ones that lie in its zero bucket.
    fn outside_zero_bucket(&self, spans: &[Span], counts: &[f64], shift: u32) -> Vec<(i64, f64)> {
        let mut buckets: Vec<(i64, f64)> = Vec::with_capacity(counts.len());
        for (index, count) in BucketIndexes::new(spans).zip(counts) {
            let index = if shift == 0 { index } else { coarser(index, shift) };
            match buckets.last_mut() {
                Some((last, sum)) if *last == index => *sum += count,
                _ => buckets.push((index, *count)),
            }
        }
        if !self.uses_custom_buckets() && self.zero_threshold != 0.0 {
            let inside = buckets.iter().take_while(|(index, _)| self.is_in_zero_bucket(*index)).count();
            buckets.drain(..inside);
        }
        buckets
    }

    /// Compares what lies between the bounds that both lists have.
    fn has_less_between_bounds(&self, previous: &FloatHistogram) -> bool {
        let bounds = self.intersect_bounds(previous);
        let sums = |histogram: &FloatHistogram| {
            let mut sums = vec![0.0; bounds.len() + 1];
            for (index, count) in histogram.positive() {
                let upper = usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
                let target =
                    upper.map_or(bounds.len(), |upper| bounds.partition_point(|bound| bound < upper));
                if let Some(sum) = sums.get_mut(target) {
                    *sum += count;
                }
            }
            sums
        };
        sums(self).iter().zip(sums(previous)).any(|(now, before)| *now < before)
    }
}

/// Whether a bucket of `before` is missing or has less in `now`; empty ones may be missing.
fn has_less(now: Vec<(i64, f64)>, before: Vec<(i64, f64)>) -> bool {
    let mut now = now.into_iter().peekable();
    before.into_iter().any(|(index, count)| {
        while now.peek().is_some_and(|(other, _)| *other < index) {
            now.next();
        }
        match now.peek() {
            Some((other, value)) if *other == index => *value < count,
            _ => count != 0.0,
        }
    })
}
