//! `avg`: the compensated sum divided at the end, or, where the sum would overflow, a running mean from there on.

use prom_model::neumaier_add;
use promql_syntax::Span;

use super::fold::Fold;
use super::histograms::HistogramSums;
use crate::exec::Run;
use crate::exec::histogram_sum::Mean;
use crate::{Column, Point, QueryError, Row};

/// `avg`
pub(super) struct Average {
    /// Where the aggregated expression stands.
    pub(super) span: Span,
}

/// What a group has at each step.
pub(super) struct AverageState {
    steps: Vec<Step>,
    histograms: HistogramSums,
}

#[derive(Clone, Copy, Default)]
struct Step {
    /// Samples taken in, histograms too.
    count: f64,
    /// The sum, or the mean once the sum would overflow.
    value: f64,
    compensation: f64,
    has_float: bool,
    is_mean: bool,
}

impl Fold for Average {
    type State = AverageState;

    fn start(&self, steps: usize) -> AverageState {
        AverageState { steps: vec![Step::default(); steps], histograms: HistogramSums::default() }
    }

    fn add(&self, state: &mut AverageState, row: &Row, run: &mut Run) -> Result<(), QueryError> {
        let column = &row.column;
        if state.histograms.is_empty() && !column.has_histograms() {
            for (at, value) in column.present().iter().filter_map(|at| Some((at, column.floats().get(at)?))) {
                if let Some(step) = state.steps.get_mut(at) {
                    step.add(*value);
                }
            }
            return Ok(());
        }
        for (at, point) in column.points() {
            let Some(step) = state.steps.get_mut(at) else { continue };
            let mode = Mean::Of { count: step.count + 1.0 };
            match state.histograms.add(at, point, step.has_float, &row.labels, mode, self.span, run) {
                Some(value) => step.add(value),
                None => step.count += 1.0,
            }
            if let Point::Float(_) = point {
                step.has_float = true;
            }
        }
        Ok(())
    }

    fn finish(&self, state: AverageState, out: &mut Column, run: &mut Run) -> Result<(), QueryError> {
        for (at, step) in state.steps.iter().enumerate() {
            if step.has_float {
                let value = if step.is_mean {
                    step.value + step.compensation
                } else {
                    step.value / step.count + step.compensation / step.count
                };
                out.set_float(at, value);
            }
        }
        let counts: Vec<f64> = state.steps.iter().map(|step| step.count).collect();
        state.histograms.finish_means(&counts, out, self.span, run);
        Ok(())
    }

    fn bytes(&self, state: &AverageState) -> usize {
        state.steps.len() * size_of::<Step>() + state.histograms.bytes()
    }
}

impl Step {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.has_float {
            self.has_float = true;
            self.value = value;
            return;
        }
        if !self.is_mean {
            let (sum, compensation) = neumaier_add(value, self.value, self.compensation);
            if !sum.is_infinite() {
                (self.value, self.compensation) = (sum, compensation);
                return;
            }
            self.is_mean = true;
            self.value /= self.count - 1.0;
            self.compensation /= self.count - 1.0;
        }
        let part = (self.count - 1.0) / self.count;
        (self.value, self.compensation) =
            neumaier_add(value / self.count, part * self.value, part * self.compensation);
    }
}
