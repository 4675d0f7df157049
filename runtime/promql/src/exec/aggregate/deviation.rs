//! `stddev` and `stdvar`: Welford's running variance. Histograms are left out.

use promql_syntax::Span;

use super::fold::Fold;
use crate::exec::Run;
use crate::{Annotation, Column, QueryError, Row};

/// `stddev` and `stdvar`
pub(super) struct Deviation {
    span: Span,
    name: &'static str,
    is_root: bool,
}

impl Deviation {
    pub(super) fn stddev(span: Span) -> Self {
        Deviation { span, name: "stddev", is_root: true }
    }

    pub(super) fn stdvar(span: Span) -> Self {
        Deviation { span, name: "stdvar", is_root: false }
    }
}

/// What a group has at a step.
#[derive(Clone, Copy, Default)]
pub(super) struct Step {
    count: f64,
    mean: f64,
    /// The sum of the squared distances to the mean.
    squares: f64,
}

impl Fold for Deviation {
    type State = Vec<Step>;

    fn start(&self, steps: usize) -> Vec<Step> {
        vec![Step::default(); steps]
    }

    fn add(&self, state: &mut Vec<Step>, row: &Row, run: &mut Run) -> Result<(), QueryError> {
        if row.column.has_histograms() {
            run.annotations.add(Annotation::histogram_ignored_in_aggregation(self.name, self.span));
        }
        for at in row.column.present().iter() {
            let (Some(step), Some(&value)) = (state.get_mut(at), row.column.floats().get(at)) else {
                continue;
            };
            step.count += 1.0;
            if step.count == 1.0 {
                step.mean = value;
                step.squares = if value.is_finite() { 0.0 } else { f64::NAN };
                continue;
            }
            let distance = value - step.mean;
            step.mean += distance / step.count;
            step.squares += distance * (value - step.mean);
        }
        Ok(())
    }

    fn finish(&self, state: Vec<Step>, out: &mut Column, _: &mut Run) -> Result<(), QueryError> {
        for (at, step) in state.iter().enumerate().filter(|(_, step)| step.count > 0.0) {
            let variance = step.squares / step.count;
            out.set_float(at, if self.is_root { variance.sqrt() } else { variance });
        }
        Ok(())
    }

    fn bytes(&self, state: &Vec<Step>) -> usize {
        state.len() * size_of::<Step>()
    }
}
