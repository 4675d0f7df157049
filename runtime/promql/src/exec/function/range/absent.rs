//! `absent_over_time`: 1 at the steps at which no series has a sample in the range.

use crate::exec::function::absent::fixed_labels;
use crate::exec::range::samples_of;
use crate::exec::{Operator, Run};
use crate::plan::{Node, RangeCall, RangeSource};
use crate::{Column, QueryError, Row};

/// Makes the operator of a call.
pub(crate) fn operator(
    call: &RangeCall,
    node: &Node,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let matchers = match &call.input.source {
        RangeSource::Selector(selection) => selection.matchers.as_slice(),
        RangeSource::Subquery { .. } => &[],
    };
    let labels = fixed_labels(matchers, &mut run.symbols);
    let input = samples_of(call, node, run)?;
    // What a subquery says or refuses behind its first series must be heard.
    let may_stop = matches!(call.input.source, RangeSource::Selector(_));
    Ok(Box::new(Absent { input: Some(input), labels, steps: node.steps.count, may_stop }))
}

struct Absent {
    input: Option<Box<dyn Operator>>,
    labels: crate::LabelSet,
    steps: usize,
    may_stop: bool,
}

impl Operator for Absent {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let Some(mut input) = self.input.take() else { return Ok(false) };
        let mut absent = Column::new(self.steps);
        {
            let (floats, present) = absent.floats_mut();
            floats.fill(1.0);
            present.fill();
        }
        while input.next(run, row)? {
            for (absent, present) in
                absent.floats_mut().1.words_mut().iter_mut().zip(row.column.present().words())
            {
                *absent &= !present;
            }
            if self.may_stop && absent.is_empty() {
                return Ok(false);
            }
        }
        if absent.is_empty() {
            return Ok(false);
        }
        *row = Row { labels: std::mem::take(&mut self.labels), drop_name: false, column: absent };
        run.drop_metric_name(row);
        Ok(true)
    }
}
