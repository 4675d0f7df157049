//! Native histograms in `sum` and `avg`: one compensated sum per step that has any.

use std::sync::Arc;

use prom_model::IncompatibleBuckets;
use promql_syntax::Span;

use crate::exec::Run;
use crate::exec::histogram_sum::{HistogramSum, Mean};
use crate::{Annotation, Bits, Column, LabelSet, Point, Symbol};

/// The histograms of a group; empty as long as it has seen none.
#[derive(Default)]
pub(super) struct HistogramSums(Vec<Option<Box<AtStep>>>);

/// What a group has at one step.
struct AtStep {
    /// `None` where a float came first: the two do not mix.
    sum: Option<HistogramSum>,
    has_floats: bool,
    /// A histogram came whose buckets cannot be added; the step has no value.
    incompatible: bool,
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
                let Some(at) = self.0.get_mut(step).and_then(Option::as_mut) else { return Some(value) };
                at.has_floats |= !at.incompatible;
                return None;
            }
            Point::Histogram(histogram) => histogram,
        };
        if self.0.len() <= step {
            self.0.resize_with(step + 1, || None);
        }
        let slot = self.0.get_mut(step)?;
        let Some(at) = slot else {
            let sum = (!has_float).then(|| HistogramSum::of(histogram));
            *slot = Some(Box::new(AtStep { sum, has_floats: has_float, incompatible: false }));
            return None;
        };
        let sum = at.sum.as_mut().filter(|_| !at.incompatible)?;
        match sum.add(histogram, mean) {
            Ok(false) => {}
            Ok(true) => run.annotations.add(Annotation::mismatched_custom_buckets("aggregation", span)),
            Err(IncompatibleBuckets) => {
                at.incompatible = true;
                let metric = run.symbols.text(labels.get(Symbol::METRIC_NAME)).to_owned();
                run.annotations.add(Annotation::mixed_exponential_custom(&metric, span));
            }
        }
        None
    }

    /// Gives the sums; steps at which floats and histograms mixed lose their place in `floats`.
    pub(super) fn finish(self, floats: &mut Bits, out: &mut Column, span: Span, run: &mut Run) {
        for (step, at) in self.0.into_iter().enumerate() {
            let Some(at) = at else { continue };
            floats.remove(step);
            put(at.judge(span, run), Mean::No, step, out);
        }
    }

    /// Gives the means of so many samples at each step.
    pub(super) fn finish_means(self, counts: &[f64], out: &mut Column, span: Span, run: &mut Run) {
        for ((step, at), count) in self.0.into_iter().enumerate().zip(counts) {
            let Some(at) = at else { continue };
            out.clear(step);
            put(at.judge(span, run), Mean::Of { count: *count }, step, out);
        }
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        let sum = self.0.iter().rev().flatten().find_map(|at| at.sum.as_ref());
        self.0.len() * (sum.map_or(0, HistogramSum::bytes) + 16)
    }
}

/// Puts a total at a step. What could be added before can be added now.
fn put(sum: Option<HistogramSum>, mean: Mean, step: usize, out: &mut Column) {
    if let Some(Ok((mut value, _))) = sum.map(|sum| sum.total(mean)) {
        value.compact(0);
        out.set_histogram(step, Arc::new(value));
    }
}

impl AtStep {
    /// Says what is to be said of the step; `None` where it has no value.
    fn judge(self, span: Span, run: &mut Run) -> Option<HistogramSum> {
        if self.has_floats {
            run.annotations.add(Annotation::mixed_floats_histograms_aggregation(span));
            return None;
        }
        let sum = self.sum.filter(|_| !self.incompatible)?;
        if sum.hints_collide() {
            run.annotations.add(Annotation::counter_reset_collision("aggregation", span));
        }
        Some(sum)
    }
}
