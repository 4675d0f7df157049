//! Durations of ranges, steps and offsets: a constant, or arithmetic that needs the query's step and range.

use prom_model::PromDuration;

use crate::Span;

/// A duration in a selector.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationValue {
    /// Known from the text alone.
    Fixed(PromDuration),
    /// An expression.
    Expr(Box<DurationExpr>),
}

impl DurationValue {
    /// The duration if the text alone says it, also through arithmetic on constants.
    pub fn constant(&self) -> Option<PromDuration> {
        match self {
            DurationValue::Fixed(duration) => Some(*duration),
            DurationValue::Expr(expr) => expr.evaluate(None, None),
        }
    }
}

/// Arithmetic on durations; numbers are seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationExpr {
    /// A number or a duration.
    Number {
        /// Seconds.
        value: f64,
        /// Whether it was written as a duration.
        is_duration: bool,
        /// Where it stands.
        span: Span,
    },
    /// `step()`
    Step(Span),
    /// `range()`
    Range(Span),
    /// `-x`
    Negate(Box<DurationExpr>, Span),
    /// `(x)`
    Paren(Box<DurationExpr>, Span),
    /// `a + b`, `min_of(a, b)`
    Binary {
        /// The operation.
        op: DurationOp,
        /// The left operand.
        lhs: Box<DurationExpr>,
        /// The right operand.
        rhs: Box<DurationExpr>,
        /// Where it stands.
        span: Span,
    },
}

/// An operation on two durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DurationOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `min_of`
    Min,
    /// `max_of`
    Max,
}

impl DurationOp {
    /// The operator or function name.
    pub const fn as_str(self) -> &'static str {
        match self {
            DurationOp::Add => "+",
            DurationOp::Sub => "-",
            DurationOp::Mul => "*",
            DurationOp::Div => "/",
            DurationOp::Mod => "%",
            DurationOp::Pow => "^",
            DurationOp::Min => "min_of",
            DurationOp::Max => "max_of",
        }
    }
}

impl DurationExpr {
    /// Where it stands.
    pub const fn span(&self) -> Span {
        match self {
            DurationExpr::Number { span, .. }
            | DurationExpr::Step(span)
            | DurationExpr::Range(span)
            | DurationExpr::Negate(_, span)
            | DurationExpr::Paren(_, span)
            | DurationExpr::Binary { span, .. } => *span,
        }
    }

    /// The duration for a query's step and range; `None` where it needs one that is not given, divides by zero or
    /// leaves the range of durations.
    pub fn evaluate(&self, step: Option<PromDuration>, range: Option<PromDuration>) -> Option<PromDuration> {
        let seconds = self.seconds(step, range)?;
        let limit = PromDuration::MAX.as_secs_f64();
        (seconds.abs() <= limit).then(|| PromDuration::from_millis((seconds * 1000.0) as i64))
    }

    fn seconds(&self, step: Option<PromDuration>, range: Option<PromDuration>) -> Option<f64> {
        match self {
            DurationExpr::Number { value, .. } => Some(*value),
            DurationExpr::Step(_) => step.map(PromDuration::as_secs_f64),
            DurationExpr::Range(_) => range.map(PromDuration::as_secs_f64),
            DurationExpr::Negate(expr, _) => expr.seconds(step, range).map(|seconds| -seconds),
            DurationExpr::Paren(expr, _) => expr.seconds(step, range),
            DurationExpr::Binary { op, lhs, rhs, .. } => {
                let (lhs, rhs) = (lhs.seconds(step, range)?, rhs.seconds(step, range)?);
                match op {
                    DurationOp::Add => Some(lhs + rhs),
                    DurationOp::Sub => Some(lhs - rhs),
                    DurationOp::Mul => Some(lhs * rhs),
                    DurationOp::Div => (rhs != 0.0).then_some(lhs / rhs),
                    DurationOp::Mod => (rhs != 0.0).then_some(lhs % rhs),
                    DurationOp::Pow => Some(lhs.powf(rhs)),
                    DurationOp::Min => Some(lhs.min(rhs)),
                    DurationOp::Max => Some(lhs.max(rhs)),
                }
            }
        }
    }
}
