//! Durations of ranges, steps and offsets, once the step and the range of the query are known.

use prom_model::PromDuration;
use promql_syntax::{DurationExpr, DurationOp, DurationValue};

use crate::QueryError;

/// The largest duration that Prometheus can hold, in seconds: 2^63 nanoseconds.
const SECONDS_MAX: f64 = 9_223_372_036.854_776;

/// What duration expressions may refer to, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryTimes {
    /// `step()`; 0 for an instant query.
    pub(super) step: f64,
    /// `range()`, from start to end.
    pub(super) range: f64,
}

impl QueryTimes {
    /// The milliseconds of an offset, which may be negative.
    pub(super) fn offset(&self, value: Option<&DurationValue>) -> Result<i64, QueryError> {
        value.map_or(Ok(0), |value| self.millis(value, true))
    }

    /// The milliseconds of a range or step, which must be above 0.
    pub(super) fn positive(&self, value: &DurationValue) -> Result<i64, QueryError> {
        self.millis(value, false)
    }

    fn millis(&self, value: &DurationValue, may_be_negative: bool) -> Result<i64, QueryError> {
        let expr = match value {
            DurationValue::Fixed(duration) => return Ok(PromDuration::as_millis(*duration)),
            DurationValue::Expr(expr) => expr,
        };
        let seconds = self.seconds(expr)?;
        if !seconds.is_finite() {
            return Err(refuse(expr, "duration is NaN or infinite"));
        }
        if seconds <= 0.0 && !may_be_negative {
            return Err(refuse(expr, "duration must be greater than 0"));
        }
        if seconds.abs() > SECONDS_MAX {
            return Err(refuse(expr, "duration is out of range"));
        }
        Ok((seconds * 1000.0) as i64)
    }

    fn seconds(&self, expr: &DurationExpr) -> Result<f64, QueryError> {
        Ok(match expr {
            DurationExpr::Number { value, .. } => *value,
            DurationExpr::Step(_) => self.step,
            DurationExpr::Range(_) => self.range,
            DurationExpr::Negate(inner, _) => -self.seconds(inner)?,
            DurationExpr::Paren(inner, _) => self.seconds(inner)?,
            DurationExpr::Binary { op, lhs, rhs, .. } => {
                let (lhs, rhs) = (self.seconds(lhs)?, self.seconds(rhs)?);
                match op {
                    DurationOp::Add => lhs + rhs,
                    DurationOp::Sub => lhs - rhs,
                    DurationOp::Mul => lhs * rhs,
                    DurationOp::Div if rhs == 0.0 => return Err(refuse(expr, "division by zero")),
                    DurationOp::Div => lhs / rhs,
                    DurationOp::Mod if rhs == 0.0 => return Err(refuse(expr, "modulo by zero")),
                    DurationOp::Mod => lhs % rhs,
                    DurationOp::Pow => lhs.powf(rhs),
                    DurationOp::Min => lhs.min(rhs),
                    DurationOp::Max => lhs.max(rhs),
                }
            }
        })
    }
}

/// Prometheus gives the bytes here, from and to, not line and column.
fn refuse(expr: &DurationExpr, why: &str) -> QueryError {
    let span = expr.span();
    QueryError::Invalid(format!("{}:{}: {why}", span.start, span.end))
}
