//! Adding, subtracting and scaling float histograms, with the order of additions and the rounding that Prometheus has.
//!
//! Two histograms add up only where both have exponential buckets or both custom ones. The finer schema is brought to the
//! coarser, zero buckets are widened until neither cuts through a populated bucket, and of two lists of custom bounds those
//! stay that are in both.

use super::merge::{Addend, Merge, add_custom, intersection};
use super::{CounterResetHint, FloatHistogram};

/// The buckets of one histogram are exponential, those of the other custom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential and with custom buckets do not add up")]
pub struct IncompatibleBuckets;

/// What is to be said about a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// One side says that its counter was reset, the other that it was not; the sum says that nothing is known.
    pub hints_collided: bool,
    /// The custom bounds differed; the sum has those that are in both.
    pub bounds_reconciled: bool,
}

/// Adds `value` to a sum with Neumaier's compensation; gives the new sum and compensation. The sum proper is both added up; an
/// infinite one has no compensation. Without a branch, so that many sums side by side become vector instructions.
#[inline(always)]
pub fn neumaier_add(value: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + value;
    let lost = if sum.abs() >= value.abs() { (sum - total) + value } else { (value - total) + sum };
    let compensation = if total.is_infinite() { 0.0 } else { compensation + lost };
    (total, compensation)
}

impl FloatHistogram {
    /// Multiplies all counts and the sum. A negative factor makes a gauge.
    pub fn mul(&mut self, factor: f64) {
        self.each(|value| *value *= factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. A negative divisor makes a gauge; zero leaves no buckets.
    pub fn div(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.negative_spans.clear();
            self.positive_buckets.clear();
            self.negative_buckets.clear();
        }
        self.each(|value| *value /= divisor);
        if divisor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    fn each(&mut self, mut change: impl FnMut(&mut f64)) {
        [&mut self.zero_count, &mut self.count, &mut self.sum].into_iter().for_each(&mut change);
        self.positive_buckets.iter_mut().chain(&mut self.negative_buckets).for_each(change);
    }

    /// Adds another histogram. The sum may have empty buckets; [`FloatHistogram::compact`] removes them.
    ///
    /// # Errors
    /// [`IncompatibleBuckets`]; the histogram stays as it was.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleBuckets> {
        self.combine(other, false)
    }

    /// Subtracts another histogram, likewise.
    ///
    /// # Errors
    /// [`IncompatibleBuckets`]; the histogram stays as it was.
    pub fn sub(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleBuckets> {
        self.combine(other, true)
    }

    fn combine(&mut self, other: &FloatHistogram, negative: bool) -> Result<Added, IncompatibleBuckets> {
        let mut added = self.begin(other)?;
        let signed = |value: f64| if negative { -value } else { value };
        if !self.uses_custom_buckets() {
            let (zero_count, _) = self.reconcile_zero_buckets(other, None);
            self.zero_count += signed(zero_count);
        }
        self.count += signed(other.count);
        self.sum += signed(other.sum);
        if self.uses_custom_buckets() && self.custom_values != other.custom_values {
            added.bounds_reconciled = true;
            add_custom(self, other, None, negative);
            return Ok(added);
        }
        let shift = self.align(other, None);
        let merge = self.merge_rule(negative);
        let addend = Addend::new(&other.positive_spans, &other.positive_buckets, shift, false);
        merge.add(&mut self.positive_spans, &mut self.positive_buckets, None, addend);
        let addend = Addend::new(&other.negative_spans, &other.negative_buckets, shift, false);
        merge.add(&mut self.negative_spans, &mut self.negative_buckets, None, addend);
        Ok(added)
    }

    /// Adds another histogram to a compensated sum. `compensation` is made by the first addition; added to the sum at the
    /// end it gives the total.
    ///
    /// # Errors
    /// [`IncompatibleBuckets`]; sum and compensation stay as they were.
    pub fn kahan_add(
        &mut self,
        other: &FloatHistogram,
        compensation: &mut Option<FloatHistogram>,
    ) -> Result<Added, IncompatibleBuckets> {
        let mut added = self.begin(other)?;
        let lost = compensation.get_or_insert_with(|| self.without_counts());
        if !self.uses_custom_buckets() {
            let (zero_count, zero_lost) = self.reconcile_zero_buckets(other, Some(lost));
            for value in [zero_count, zero_lost] {
                (self.zero_count, lost.zero_count) = neumaier_add(value, self.zero_count, lost.zero_count);
            }
        }
        (self.count, lost.count) = neumaier_add(other.count, self.count, lost.count);
        (self.sum, lost.sum) = neumaier_add(other.sum, self.sum, lost.sum);
        if self.uses_custom_buckets() && self.custom_values != other.custom_values {
            added.bounds_reconciled = true;
            add_custom(self, other, Some(lost), false);
            return Ok(added);
        }
        let shift = self.align(other, Some(lost));
        let merge = self.merge_rule(false);
        let addend = Addend::new(&other.positive_spans, &other.positive_buckets, shift, true);
        merge.add(
            &mut self.positive_spans,
            &mut self.positive_buckets,
            Some(&mut lost.positive_buckets),
            addend,
        );
        let addend = Addend::new(&other.negative_spans, &other.negative_buckets, shift, true);
        merge.add(
            &mut self.negative_spans,
            &mut self.negative_buckets,
            Some(&mut lost.negative_buckets),
            addend,
        );
        self.give_layout(lost);
        Ok(added)
    }

    /// Whether a count, the sum or a bound is infinite.
    pub fn has_overflow(&self) -> bool {
        [self.zero_count, self.count, self.sum]
            .iter()
            .chain(&self.positive_buckets)
            .chain(&self.negative_buckets)
            .chain(&self.custom_values)
            .any(|value| value.is_infinite())
    }

    fn begin(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleBuckets> {
        if self.uses_custom_buckets() != other.uses_custom_buckets() {
            return Err(IncompatibleBuckets);
        }
        Ok(Added { hints_collided: self.join_hint(other.counter_reset_hint), bounds_reconciled: false })
    }

    /// A sum with a gauge is a gauge, and nothing is known where one side knows nothing or the two contradict each other.
    fn join_hint(&mut self, other: CounterResetHint) -> bool {
        use CounterResetHint::{Gauge, Unknown};
        let own = self.counter_reset_hint;
        if own == other || own == Gauge {
            return false;
        }
        self.counter_reset_hint = if other == Gauge { Gauge } else { Unknown };
        other != Gauge && own != Unknown && other != Unknown
    }

    /// Brings the histogram to the coarser of the two schemas; gives by how much the indexes of the other must be shifted.
    fn align(&mut self, other: &FloatHistogram, compensation: Option<&mut FloatHistogram>) -> u32 {
        if other.schema < self.schema {
            let shift = self.schema.abs_diff(other.schema);
            let (positive, negative) = match compensation {
                Some(lost) => (Some(&mut lost.positive_buckets), Some(&mut lost.negative_buckets)),
                None => (None, None),
            };
            super::merge::coarsen(&mut self.positive_spans, &mut self.positive_buckets, positive, shift);
            super::merge::coarsen(&mut self.negative_spans, &mut self.negative_buckets, negative, shift);
            self.schema = other.schema;
            return 0;
        }
        other.schema.abs_diff(self.schema)
    }

    fn merge_rule(&self, negative: bool) -> Merge {
        Merge {
            schema: (!self.uses_custom_buckets()).then_some(self.schema),
            threshold: self.zero_threshold,
            negative,
        }
    }

    /// The same buckets, all empty.
    fn without_counts(&self) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            positive_buckets: vec![0.0; self.positive_buckets.len()],
            negative_buckets: vec![0.0; self.negative_buckets.len()],
            custom_values: self.custom_values.clone(),
        }
    }

    /// Tells a compensation which buckets its counts belong to.
    pub(super) fn give_layout(&self, compensation: &mut FloatHistogram) {
        compensation.schema = self.schema;
        compensation.zero_threshold = self.zero_threshold;
        compensation.positive_spans.clone_from(&self.positive_spans);
        compensation.negative_spans.clone_from(&self.negative_spans);
        if compensation.custom_values != self.custom_values {
            compensation.custom_values.clone_from(&self.custom_values);
        }
    }

    /// Keeps the custom bounds that are in both.
    pub(super) fn intersect_bounds(&self, other: &FloatHistogram) -> Vec<f64> {
        intersection(&self.custom_values, &other.custom_values)
    }
}
