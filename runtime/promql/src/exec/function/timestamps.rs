//! `timestamp` and `start_timestamp`: of a selector, when its samples were taken; of any other expression, the time of the step.

use crate::exec::select::{self, Pick};
use crate::exec::{Operator, Run, constant, vector};
use crate::plan::{Kind, Node, Selection};
use crate::{QueryError, Row, Steps};

/// Makes the operator of `timestamp`.
pub(crate) fn timestamp(arg: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    match &arg.kind {
        Kind::Select(selection) => select::instant(&not_ahead(selection), arg.steps, Pick::Timestamp, run)
            .map(|input| Box::new(Nameless(input)) as Box<dyn Operator>),
        _ => Ok(Box::new(StepTimes { input: vector(arg, run)?, steps: arg.steps })),
    }
}

/// Makes the operator of `start_timestamp`, which knows nothing of expressions, and of selectors only where start timestamps
/// are in use.
pub(crate) fn start_timestamp(arg: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    match &arg.kind {
        Kind::Select(selection) if run.options.use_start_timestamps => {
            select::instant(&not_ahead(selection), arg.steps, Pick::StartTimestamp, run)
                .map(|input| Box::new(Nameless(input)) as Box<dyn Operator>)
        }
        _ => Ok(Box::new(constant::Nothing)),
    }
}

/// With `@`, Prometheus looks at that time whatever the offset says; an offset back has limited before what there is to see.
fn not_ahead(selection: &Selection) -> Selection {
    let mut selection = selection.clone();
    if selection.at.is_some() {
        selection.offset = selection.offset.max(0);
    }
    selection
}

/// Takes the names off.
struct Nameless(Box<dyn Operator>);

impl Operator for Nameless {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let found = self.0.next(run, row)?;
        if found {
            run.drop_metric_name(row);
        }
        Ok(found)
    }
}

/// The time of the step wherever there is a value.
struct StepTimes {
    input: Box<dyn Operator>,
    steps: Steps,
}

impl Operator for StepTimes {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if !self.input.next(run, row)? {
            return Ok(false);
        }
        let histograms: Vec<usize> = row.column.histograms().map(|(step, _)| step).collect();
        for step in histograms {
            row.column.set_float(step, 0.0);
        }
        let (floats, _) = row.column.floats_mut();
        for (value, time) in floats.iter_mut().zip(self.steps.times()) {
            *value = time as f64 / 1000.0;
        }
        run.drop_metric_name(row);
        Ok(true)
    }
}
