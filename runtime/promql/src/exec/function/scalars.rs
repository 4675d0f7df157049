//! Between scalars and vectors: `time`, `pi`, `scalar`, `vector`, `max_of`, `min_of`.

use prom_model::go_math;

use crate::exec::{Operator, Run, scalar, vector};
use crate::plan::{Call, Node};
use crate::{QueryError, Row};

/// Evaluates a call whose value is a scalar; `None` where the function is not one of these.
pub(crate) fn evaluate(call: &Call, node: &Node, run: &mut Run) -> Result<Option<Vec<f64>>, QueryError> {
    let steps = node.steps;
    Ok(Some(match (call.function.name, call.args.as_slice()) {
        ("time", _) => steps.times().map(|time| time as f64 / 1000.0).collect(),
        ("pi", _) => vec![std::f64::consts::PI; steps.count],
        ("scalar", [arg]) => only_value(arg, run)?,
        ("max_of", [left, right]) => pairwise(left, right, go_math::max, run)?,
        ("min_of", [left, right]) => pairwise(left, right, go_math::min, run)?,
        _ => return Ok(None),
    }))
}

fn pairwise(
    left: &Node,
    right: &Node,
    choose: fn(f64, f64) -> f64,
    run: &mut Run,
) -> Result<Vec<f64>, QueryError> {
    let (left, right) = (scalar(left, run)?, scalar(right, run)?);
    Ok(left.into_iter().zip(right).map(|(left, right)| choose(left, right)).collect())
}

/// The float of a vector at each step at which it has exactly one, else NaN.
fn only_value(arg: &Node, run: &mut Run) -> Result<Vec<f64>, QueryError> {
    let steps = arg.steps.count;
    let (mut values, mut found) = (vec![f64::NAN; steps], vec![0u8; steps]);
    let mut input = vector(arg, run)?;
    let mut row = Row::default();
    while input.next(run, &mut row)? {
        for step in row.column.present().iter() {
            let (Some(value), Some(found)) = (values.get_mut(step), found.get_mut(step)) else { continue };
            *value = match (*found, row.column.float(step)) {
                (0, Some(only)) => only,
                _ => f64::NAN,
            };
            *found = 1;
        }
    }
    Ok(values)
}

/// One row without labels that has a value at each step.
pub(crate) struct Single(Option<Vec<f64>>);

impl Single {
    pub(crate) fn new(values: Vec<f64>) -> Self {
        Single(Some(values))
    }
}

impl Operator for Single {
    fn next(&mut self, _: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let Some(values) = self.0.take() else { return Ok(false) };
        row.labels.assign(&[]);
        row.drop_name = false;
        row.column.reset(values.len());
        let (floats, present) = row.column.floats_mut();
        floats.copy_from_slice(&values);
        present.fill();
        Ok(!values.is_empty())
    }
}
