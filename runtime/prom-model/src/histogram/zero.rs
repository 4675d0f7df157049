//! Zero buckets of different width: the narrower is widened, and takes in the buckets it comes to cover.

use super::FloatHistogram;
use super::arithmetic::neumaier_add;
use super::bucket_bounds;

impl FloatHistogram {
    /// Widens the zero bucket until it is as wide as the other histogram's would be, and neither ends inside a populated
    /// bucket. Gives the count of the other's zero bucket at that width, and its compensation.
    pub(super) fn reconcile_zero_buckets(
        &mut self,
        other: &FloatHistogram,
        mut compensation: Option<&mut FloatHistogram>,
    ) -> (f64, f64) {
        let mut count = (other.zero_count, 0.0);
        let mut threshold = other.zero_threshold;
        // A threshold that is no number would never be reached.
        while threshold != self.zero_threshold && !threshold.is_nan() && !self.zero_threshold.is_nan() {
            if self.zero_threshold > threshold {
                let wider = other.widened_zero_bucket(self.zero_threshold, None);
                (count, threshold) = ((wider.count, wider.lost), wider.threshold);
            }
            if threshold > self.zero_threshold {
                let wider = self.widened_zero_bucket(threshold, compensation.as_deref());
                self.zero_count = wider.count;
                self.zero_threshold = wider.threshold;
                if let Some(compensation) = &mut compensation {
                    compensation.zero_count = wider.lost;
                }
                self.empty_covered_buckets(compensation.as_deref_mut());
            }
        }
        count
    }

    /// The zero bucket as it would be if it were wider; it goes on to the end of a populated bucket that it would cut.
    pub(super) fn widened_zero_bucket(
        &self,
        threshold: f64,
        compensation: Option<&FloatHistogram>,
    ) -> ZeroBucket {
        let mut wider = ZeroBucket {
            threshold,
            count: self.zero_count,
            lost: compensation.map_or(0.0, |compensation| compensation.zero_count),
        };
        if threshold == self.zero_threshold {
            return wider;
        }
        let positive_lost = compensation.map(|compensation| compensation.positive_buckets.as_slice());
        let negative_lost = compensation.map(|compensation| compensation.negative_buckets.as_slice());
        loop {
            wider.count = self.zero_count;
            if let Some(upper) = wider.take_in(self.positive(), positive_lost, self.schema) {
                wider.threshold = upper;
            }
            match wider.take_in(self.negative(), negative_lost, self.schema) {
                // The positive side has to be done again up to the new end.
                Some(upper) => wider.threshold = upper,
                None => return wider,
            }
        }
    }

    /// Empties the buckets that the zero bucket has taken in.
    fn empty_covered_buckets(&mut self, compensation: Option<&mut FloatHistogram>) {
        let (schema, threshold) = (self.schema, self.zero_threshold);
        let covered = |indexes: &mut dyn Iterator<Item = (i64, f64)>| {
            indexes
                .take_while(|(index, _)| {
                    bucket_bounds(*index, schema, &[]).is_some_and(|(lower, _)| lower < threshold)
                })
                .count()
        };
        let positive = covered(&mut self.positive());
        let negative = covered(&mut self.negative());
        self.positive_buckets.iter_mut().take(positive).for_each(|count| *count = 0.0);
        self.negative_buckets.iter_mut().take(negative).for_each(|count| *count = 0.0);
        match compensation {
            Some(compensation) => {
                compensation.positive_buckets.iter_mut().take(positive).for_each(|count| *count = 0.0);
                compensation.negative_buckets.iter_mut().take(negative).for_each(|count| *count = 0.0);
                self.compact_with(compensation);
            }
            None => self.compact(0),
        }
    }
}

/// A zero bucket that may become wider.
pub(super) struct ZeroBucket {
    pub(super) threshold: f64,
    pub(super) count: f64,
    /// The compensation of the count.
    pub(super) lost: f64,
}

impl ZeroBucket {
    /// Takes in the buckets of one side that lie below the threshold. Gives the end of a populated bucket that the threshold
    /// cuts; that one is taken in too.
    fn take_in(
        &mut self,
        buckets: impl Iterator<Item = (i64, f64)>,
        lost: Option<&[f64]>,
        schema: i32,
    ) -> Option<f64> {
        for (at, (index, count)) in buckets.enumerate() {
            let (lower, upper) = bucket_bounds(index, schema, &[])?;
            if lower >= self.threshold {
                return None;
            }
            (self.count, self.lost) = neumaier_add(count, self.count, self.lost);
            if let Some(lost) = lost.and_then(|lost| lost.get(at)) {
                (self.count, self.lost) = neumaier_add(*lost, self.count, self.lost);
            }
            if upper > self.threshold {
                return (count != 0.0).then_some(upper);
            }
        }
        None
    }
}
