//! Sums and means of native histograms, compensated; over series as over time.

use prom_model::{CounterResetHint, FloatHistogram, IncompatibleBuckets};

use crate::column::histogram_bytes;

/// Whether a mean is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mean {
    /// The sum is.
    No,
    /// The mean is, and with this sample so many were taken in.
    Of {
        /// Samples taken in, this one too.
        count: f64,
    },
}

/// A compensated sum, or mean, that has at least one histogram.
pub(super) struct HistogramSum {
    /// The sum, or the mean once the sum would overflow.
    value: FloatHistogram,
    compensation: Option<FloatHistogram>,
    is_mean: bool,
    saw_reset: bool,
    saw_no_reset: bool,
}

impl HistogramSum {
    /// The sum of one histogram.
    pub(super) fn of(histogram: &FloatHistogram) -> Self {
        let mut sum = HistogramSum {
            value: histogram.clone(),
            compensation: None,
            is_mean: false,
            saw_reset: false,
            saw_no_reset: false,
        };
        sum.hint(histogram.counter_reset_hint);
        sum
    }

    fn hint(&mut self, hint: CounterResetHint) {
        self.saw_reset |= hint == CounterResetHint::CounterReset;
        self.saw_no_reset |= hint == CounterResetHint::NotCounterReset;
    }

    /// Whether some counters were reset and others were not.
    pub(super) fn hints_collide(&self) -> bool {
        self.saw_reset && self.saw_no_reset
    }

    /// Adds a histogram; says whether custom bounds had to be reconciled.
    pub(super) fn add(
        &mut self,
        histogram: &FloatHistogram,
        mean: Mean,
    ) -> Result<bool, IncompatibleBuckets> {
        self.hint(histogram.counter_reset_hint);
        let Mean::Of { count } = mean else {
            return Ok(self.value.kahan_add(histogram, &mut self.compensation)?.bounds_reconciled);
        };
        let mut reconciled = false;
        if !self.is_mean {
            let (mut sum, mut compensation) = (self.value.clone(), self.compensation.clone());
            reconciled = sum.kahan_add(histogram, &mut compensation)?.bounds_reconciled;
            if !sum.has_overflow() {
                (self.value, self.compensation) = (sum, compensation);
                return Ok(reconciled);
            }
            self.is_mean = true;
            self.value.div(count - 1.0);
            if let Some(compensation) = &mut self.compensation {
                compensation.div(count - 1.0);
            }
        }
        let part = (count - 1.0) / count;
        if let Some(compensation) = &mut self.compensation {
            compensation.mul(part);
        }
        let mut added = histogram.clone();
        added.div(count);
        self.value.mul(part);
        reconciled |= self.value.kahan_add(&added, &mut self.compensation)?.bounds_reconciled;
        Ok(reconciled)
    }

    /// The sum, or the mean of so many, with what rounding took; and whether custom bounds had to be reconciled.
    pub(super) fn total(self, mean: Mean) -> Result<(FloatHistogram, bool), IncompatibleBuckets> {
        let divisor = match mean {
            Mean::Of { count } if !self.is_mean => Some(count),
            _ => None,
        };
        let (mut value, mut reconciled) = (self.value, false);
        if let Some(divisor) = divisor {
            value.div(divisor);
        }
        if let Some(mut compensation) = self.compensation {
            if let Some(divisor) = divisor {
                compensation.div(divisor);
            }
            reconciled = value.add(&compensation)?.bounds_reconciled;
        }
        Ok((value, reconciled))
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + histogram_bytes(&self.value)
            + self.compensation.as_ref().map_or(0, histogram_bytes)
    }
}
