//! Functions that make one float of another: mathematics, rounding, clamping. Histograms are left out.

use std::f64::consts::PI;

use prom_model::go_math;

use crate::exec::{Operator, Run, scalar};
use crate::plan::Node;
use crate::{Column, QueryError, Row};

/// What is done with each float.
enum Change {
    /// The same at each step.
    Plain(fn(f64) -> f64),
    /// To a multiple of the inverse of the number at each step.
    Round(Vec<f64>),
    /// Into the range between two numbers at each step; steps with an empty range have no values.
    Clamp(Vec<f64>, Vec<f64>),
}

/// Changes the floats of each row in place.
pub(crate) struct Elementwise {
    input: Box<dyn Operator>,
    change: Change,
}

impl Elementwise {
    /// Makes the operator of a function of this family; gives the input back where the name is of another.
    pub(crate) fn find(
        name: &str,
        args: &[Node],
        input: impl FnOnce(&mut Run) -> Result<Box<dyn Operator>, QueryError>,
        run: &mut Run,
    ) -> Result<Option<Self>, QueryError> {
        let arg = |at: usize, run: &mut Run| args.get(at).map(|node| scalar(node, run)).transpose();
        let change = match name {
            "round" => {
                let nearest = arg(1, run)?;
                let steps = args.first().map_or(0, |node| node.steps.count);
                let nearest = nearest.unwrap_or_else(|| vec![1.0; steps]);
                Change::Round(nearest.into_iter().map(|nearest| 1.0 / nearest).collect())
            }
            "clamp" => Change::Clamp(arg(1, run)?.unwrap_or_default(), arg(2, run)?.unwrap_or_default()),
            "clamp_min" => {
                let least = arg(1, run)?.unwrap_or_default();
                let greatest = vec![f64::INFINITY; least.len()];
                Change::Clamp(least, greatest)
            }
            "clamp_max" => {
                let greatest = arg(1, run)?.unwrap_or_default();
                Change::Clamp(vec![f64::NEG_INFINITY; greatest.len()], greatest)
            }
            _ => match plain(name) {
                Some(function) => Change::Plain(function),
                None => return Ok(None),
            },
        };
        Ok(Some(Elementwise { input: input(run)?, change }))
    }
}

fn plain(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => go_math::acos,
        "acosh" => go_math::acosh,
        "asin" => go_math::asin,
        "asinh" => go_math::asinh,
        "atan" => go_math::atan,
        "atanh" => go_math::atanh,
        "ceil" => f64::ceil,
        "cos" => go_math::cos,
        "cosh" => go_math::cosh,
        "deg" => |value| value * 180.0 / PI,
        "exp" => go_math::exp,
        "floor" => f64::floor,
        "ln" => go_math::ln,
        "log10" => go_math::log10,
        "log2" => go_math::log2,
        "rad" => |value| value * PI / 180.0,
        "sgn" => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
        "sin" => go_math::sin,
        "sinh" => go_math::sinh,
        "sqrt" => f64::sqrt,
        "tan" => go_math::tan,
        "tanh" => go_math::tanh,
        _ => return None,
    })
}

impl Operator for Elementwise {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        while self.input.next(run, row)? {
            row.column.drop_histograms();
            match &self.change {
                Change::Plain(function) => each_float(&mut row.column, function),
                Change::Round(inverses) => {
                    let (floats, _) = row.column.floats_mut();
                    for (value, inverse) in floats.iter_mut().zip(inverses) {
                        *value = (*value * inverse + 0.5).floor() / inverse;
                    }
                }
                Change::Clamp(least, greatest) => clamp(&mut row.column, least, greatest),
            }
            if !row.column.is_empty() {
                run.drop_metric_name(row);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Changes the floats that there are.
pub(super) fn each_float(column: &mut Column, change: impl Fn(f64) -> f64) {
    let (floats, present) = column.floats_mut();
    if present.is_full() {
        for value in floats {
            *value = change(*value);
        }
        return;
    }
    for step in present.iter() {
        if let Some(value) = floats.get_mut(step) {
            *value = change(*value);
        }
    }
}

fn clamp(column: &mut Column, least: &[f64], greatest: &[f64]) {
    let (floats, present) = column.floats_mut();
    for (step, ((value, least), greatest)) in floats.iter_mut().zip(least).zip(greatest).enumerate() {
        if greatest < least {
            present.remove(step);
        } else {
            *value = go_math::max(*least, go_math::min(*greatest, *value));
        }
    }
}
