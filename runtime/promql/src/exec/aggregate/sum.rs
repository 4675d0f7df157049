//! `sum`: Neumaier's compensated sums, one per step, added in the order of the series.

use prom_model::neumaier_add;
use promql_syntax::Span;

use super::fold::Fold;
use super::histograms::HistogramSums;
use crate::exec::Run;
use crate::exec::histogram_sum::Mean;
use crate::{Bits, Column, QueryError, Row};

/// `sum`
pub(super) struct Sum {
    /// Where the aggregated expression stands.
    pub(super) span: Span,
}

/// The sums of a group.
pub(super) struct SumState {
    sums: Vec<f64>,
    compensations: Vec<f64>,
    seen: Bits,
    histograms: HistogramSums,
}

impl Fold for Sum {
    type State = SumState;

    fn start(&self, steps: usize) -> SumState {
        SumState {
            sums: vec![0.0; steps],
            compensations: vec![0.0; steps],
            seen: Bits::new(steps),
            histograms: HistogramSums::default(),
        }
    }

    fn add(&self, state: &mut SumState, row: &Row, run: &mut Run) -> Result<(), QueryError> {
        let column = &row.column;
        if state.histograms.is_empty() && !column.has_histograms() {
            state.add_floats(column);
            return Ok(());
        }
        for (step, point) in column.points() {
            let seen = state.seen.get(step);
            let Some(value) = state.histograms.add(step, point, seen, &row.labels, Mean::No, self.span, run)
            else {
                continue;
            };
            state.add_float(step, value);
        }
        Ok(())
    }

    fn finish(&self, mut state: SumState, out: &mut Column, run: &mut Run) -> Result<(), QueryError> {
        state.histograms.finish(&mut state.seen, out, self.span, run);
        let (floats, present) = out.floats_mut();
        for ((out, sum), compensation) in floats.iter_mut().zip(&state.sums).zip(&state.compensations) {
            *out = sum + compensation;
        }
        for (out, seen) in present.words_mut().iter_mut().zip(state.seen.words()) {
            *out |= seen;
        }
        Ok(())
    }

    fn bytes(&self, state: &SumState) -> usize {
        state.sums.len() * 16 + state.sums.len() / 8 + state.histograms.bytes()
    }
}

impl SumState {
    fn add_float(&mut self, step: usize, value: f64) {
        let (Some(sum), Some(compensation)) = (self.sums.get_mut(step), self.compensations.get_mut(step))
        else {
            return;
        };
        if self.seen.get(step) {
            (*sum, *compensation) = neumaier_add(value, *sum, *compensation);
        } else {
            *sum = value;
            self.seen.insert(step);
        }
    }

    /// Word by word: 64 steps that all have a value and a sum go through without a question.
    fn add_floats(&mut self, column: &Column) {
        let chunks =
            self.sums.chunks_mut(64).zip(self.compensations.chunks_mut(64)).zip(column.floats().chunks(64));
        let words = self.seen.words_mut().iter_mut().zip(column.present().words());
        for (((sums, compensations), values), (seen, present)) in chunks.zip(words) {
            let all = if values.len() == 64 { u64::MAX } else { (1 << values.len()) - 1 };
            if *present == all && *seen == all {
                for ((sum, compensation), value) in sums.iter_mut().zip(compensations).zip(values) {
                    (*sum, *compensation) = neumaier_add(*value, *sum, *compensation);
                }
            } else if *present == all && *seen == 0 {
                sums.copy_from_slice(values);
            } else {
                let places = sums.iter_mut().zip(compensations).zip(values).enumerate();
                for (at, ((sum, compensation), value)) in places {
                    if present >> at & 1 == 0 {
                        continue;
                    }
                    if *seen >> at & 1 == 1 {
                        (*sum, *compensation) = neumaier_add(*value, *sum, *compensation);
                    } else {
                        *sum = *value;
                    }
                }
            }
            *seen |= present;
        }
    }
}
