//! The samples of one series of a test, and what may be appended to them.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram, TimestampMs, go_float};
use promql::Samples;

use crate::{BoxError, SampleValue};

/// Why a sample is not kept, in the words of Prometheus' storage.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppendError {
    #[error("out of order sample")]
    OutOfOrder,
    #[error(
        "duplicate sample for timestamp {at}; overrides not allowed: existing {existing}, new value {new}"
    )]
    DuplicateFloat { at: i64, existing: String, new: String },
    #[error("duplicate sample for timestamp")]
    Duplicate,
}

/// A series: its samples, and the last of them.
#[derive(Debug, Default)]
pub(super) struct SeriesSamples {
    pub(super) samples: Samples,
    last: Option<(i64, SampleValue)>,
}

impl SeriesSamples {
    /// Appends a sample; the same sample again changes nothing.
    pub(super) fn append(&mut self, at: TimestampMs, value: &SampleValue) -> Result<(), BoxError> {
        let at = at.as_millis();
        if let Some((last, known)) = &self.last {
            if at < *last {
                return Err(AppendError::OutOfOrder.into());
            }
            if at == *last {
                return match (known, value) {
                    (SampleValue::Float(known), SampleValue::Float(new))
                        if known.to_bits() == new.to_bits() =>
                    {
                        Ok(())
                    }
                    (SampleValue::Float(known), SampleValue::Float(new)) => {
                        let (existing, new) = (go_float(*known), go_float(*new));
                        Err(AppendError::DuplicateFloat { at, existing, new }.into())
                    }
                    (SampleValue::Histogram(known), SampleValue::Histogram(new)) if known.equals(new) => {
                        Ok(())
                    }
                    _ => Err(AppendError::Duplicate.into()),
                };
            }
        }
        match value {
            SampleValue::Float(value) => self.samples.push_float(at, *value),
            SampleValue::Histogram(histogram) => {
                let mut stored = histogram.as_ref().clone();
                stored.counter_reset_hint = self.hint(&stored);
                self.samples.push_histogram(at, Arc::new(stored));
            }
        }
        self.last = Some((at, value.clone()));
        Ok(())
    }

    /// What Prometheus' storage says of a histogram when it is read again.
    fn hint(&self, histogram: &FloatHistogram) -> CounterResetHint {
        if histogram.counter_reset_hint == CounterResetHint::Gauge {
            return CounterResetHint::Gauge;
        }
        match &self.last {
            Some((_, SampleValue::Histogram(known)))
                if known.counter_reset_hint != CounterResetHint::Gauge && !known.is_stale() =>
            {
                if histogram.detect_reset(known) {
                    CounterResetHint::CounterReset
                } else {
                    CounterResetHint::NotCounterReset
                }
            }
            _ if histogram.counter_reset_hint == CounterResetHint::CounterReset => {
                CounterResetHint::CounterReset
            }
            _ => CounterResetHint::Unknown,
        }
    }
}
