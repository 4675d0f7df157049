//! Native histograms in `sum` and `avg`: one compensated sum per step that has any.

use std::sync::Arc;

use prom_model::{CounterResetHint, FloatHistogram, IncompatibleBuckets};
use promql_syntax::Span;

use crate::column::histogram_bytes;
use crate::exec::Run;
use crate::{Annotation, Bits, Column, LabelSet, Point, Symbol};

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

/// The histograms of a group; empty as long as it has seen none.
#[derive(Default)]
pub(super) struct HistogramSums(Vec<Option<Box<Sum>>>);

/// What a group has at one step.
struct Sum {
    /// The sum, or the mean once the sum would overflow. `None` where a float came first: the two do not mix.
    value: Option<FloatHistogram>,
    compensation: Option<FloatHistogram>,
    is_mean: bool,
    has_floats: bool,
    /// A histogram came whose buckets cannot be added; the step has no value.
    incompatible: bool,
    saw_reset: bool,
    saw_no_reset: bool,
}

impl HistogramSums {
    /// Whether there has been no histogram.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a point of a series in; gives a float back that belongs to the floats of the group.
    #[expect(clippy::too_many_arguments, reason = "a point, and all that may be said about it")]
    pub(super) fn add(
        &mut self,
        step: usize,
        point: Point<'_>,
        has_float: bool,
        labels: &LabelSet,
        mean: Mean,
        span: Span,
        run: &mut Run,
    ) -> Option<f64> {
        let histogram = match point {
            Point::Float(value) => {
                let Some(sum) = self.0.get_mut(step).and_then(Option::as_mut) else { return Some(value) };
                sum.has_floats |= !sum.incompatible;
                return None;
            }
            Point::Histogram(histogram) => histogram,
        };
        if self.0.len() <= step {
            self.0.resize_with(step + 1, || None);
        }
        let slot = self.0.get_mut(step)?;
        let Some(sum) = slot else {
            *slot = Some(Box::new(Sum::start(histogram, has_float)));
            return None;
        };
        if sum.incompatible || sum.value.is_none() {
            return None;
        }
        sum.hint(histogram.counter_reset_hint);
        match sum.add(histogram, mean) {
            Ok(false) => {}
            Ok(true) => run.annotations.add(Annotation::mismatched_custom_buckets("aggregation", span)),
            Err(IncompatibleBuckets) => {
                sum.incompatible = true;
                let metric = run.symbols.text(labels.get(Symbol::METRIC_NAME)).to_owned();
                run.annotations.add(Annotation::mixed_exponential_custom(&metric, span));
            }
        }
        None
    }

    /// Gives the sums; steps at which floats and histograms mixed lose their place in `floats`.
    pub(super) fn finish(self, floats: &mut Bits, out: &mut Column, span: Span, run: &mut Run) {
        for (step, sum) in self.0.into_iter().enumerate() {
            let Some(sum) = sum else { continue };
            floats.remove(step);
            if let Some(sum) = sum.judge(span, run)
                && let Some(value) = sum.total(1.0)
            {
                out.set_histogram(step, Arc::new(value));
            }
        }
    }

    /// Gives the means of so many samples at each step.
    pub(super) fn finish_means(self, counts: &[f64], out: &mut Column, span: Span, run: &mut Run) {
        for ((step, sum), count) in self.0.into_iter().enumerate().zip(counts) {
            let Some(sum) = sum else { continue };
            out.clear(step);
            if let Some(sum) = sum.judge(span, run) {
                let divisor = if sum.is_mean { 1.0 } else { *count };
                if let Some(value) = sum.total(divisor) {
                    out.set_histogram(step, Arc::new(value));
                }
            }
        }
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        let sum = self.0.iter().rev().flatten().next();
        let each = sum.map_or(0, |sum| {
            size_of::<Sum>()
                + sum.value.as_ref().map_or(0, histogram_bytes)
                + sum.compensation.as_ref().map_or(0, histogram_bytes)
        });
        self.0.len() * (each + 8)
    }
}

impl Sum {
    fn start(histogram: &FloatHistogram, has_floats: bool) -> Self {
        let mut sum = Sum {
            value: (!has_floats).then(|| histogram.clone()),
            compensation: None,
            is_mean: false,
            has_floats,
            incompatible: false,
            saw_reset: false,
            saw_no_reset: false,
        };
        if !has_floats {
            sum.hint(histogram.counter_reset_hint);
        }
        sum
    }

    fn hint(&mut self, hint: CounterResetHint) {
        self.saw_reset |= hint == CounterResetHint::CounterReset;
        self.saw_no_reset |= hint == CounterResetHint::NotCounterReset;
    }

    /// Adds a histogram; says whether custom bounds had to be reconciled.
    fn add(&mut self, histogram: &FloatHistogram, mean: Mean) -> Result<bool, IncompatibleBuckets> {
        let Some(value) = &mut self.value else { return Ok(false) };
        let Mean::Of { count } = mean else {
            return Ok(value.kahan_add(histogram, &mut self.compensation)?.bounds_reconciled);
        };
        if !self.is_mean {
            let (mut sum, mut compensation) = (value.clone(), self.compensation.clone());
            let added = sum.kahan_add(histogram, &mut compensation)?;
            if !sum.has_overflow() {
                (*value, self.compensation) = (sum, compensation);
                return Ok(added.bounds_reconciled);
            }
            self.is_mean = true;
            value.div(count - 1.0);
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
        value.mul(part);
        Ok(value.kahan_add(&added, &mut self.compensation)?.bounds_reconciled)
    }

    /// Says what is to be said of the step; `None` where it has no value.
    fn judge(self, span: Span, run: &mut Run) -> Option<Self> {
        if self.has_floats {
            run.annotations.add(Annotation::mixed_floats_histograms_aggregation(span));
            return None;
        }
        if self.incompatible {
            return None;
        }
        if self.saw_reset && self.saw_no_reset {
            run.annotations.add(Annotation::counter_reset_collision("aggregation", span));
        }
        Some(self)
    }

    /// Sum and compensation together, both divided.
    fn total(self, divisor: f64) -> Option<FloatHistogram> {
        let mut value = self.value?;
        if divisor != 1.0 {
            value.div(divisor);
        }
        if let Some(mut compensation) = self.compensation {
            if divisor != 1.0 {
                compensation.div(divisor);
            }
            // What could be added before can be added now.
            let _ = value.add(&compensation);
        }
        value.compact(0);
        Some(value)
    }
}
