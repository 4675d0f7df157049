//! An operator between two values.

use std::sync::Arc;

use prom_model::go_math::{atan2, pow};
use prom_model::{CounterResetHint, FloatHistogram, TrimSide};
use promql_syntax::{BinaryOp, Span};

use crate::exec::Run;
use crate::{Annotation, Point};

/// What is done with two values, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) op: BinaryOp,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub(super) return_bool: bool,
    pub(super) span: Span,
}

impl Operation {
    /// Whether the value is another quantity than that of the operands, so that the name of the metric is wrong for it.
    pub(super) const fn changes_metric(self) -> bool {
        matches!(
            self.op,
            BinaryOp::Add
                | BinaryOp::Sub
                | BinaryOp::Mul
                | BinaryOp::Div
                | BinaryOp::Mod
                | BinaryOp::Pow
                | BinaryOp::Atan2
        )
    }
}

/// A value of its own.
#[derive(Debug, Clone)]
pub(super) enum Element {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl Element {
    fn of(point: Point<'_>) -> Self {
        match point {
            Point::Float(value) => Element::Float(value),
            Point::Histogram(histogram) => Element::Histogram(Arc::clone(histogram)),
        }
    }
}

/// What there is to say about a pair of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remark {
    /// The operator has no meaning between them; whether each is a histogram.
    IncompatibleTypes(bool, bool),
    /// Their buckets cannot be brought together.
    BucketLayout,
    /// One says that its counter was reset, the other that it was not.
    ResetCollision,
    /// Their custom bounds were brought to those that both have.
    CustomBuckets,
}

/// What comes of a pair of values.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A value; where it is not to be kept, the pair counts as matched all the same.
    Value { element: Element, keep: bool, remark: Option<Remark> },
    /// No value, as if there were no match.
    Nothing(Remark),
}

fn value(element: Element) -> Outcome {
    Outcome::Value { element, keep: true, remark: None }
}

fn histogram(histogram: FloatHistogram) -> Outcome {
    value(Element::Histogram(Arc::new(histogram)))
}

/// An arithmetic operator between floats; `None` if it is no such operator.
pub(super) fn arithmetic(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    Some(match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        // The remainder is exact, so all implementations agree.
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => pow(left, right),
        BinaryOp::Atan2 => atan2(left, right),
        _ => return None,
    })
}

/// A comparison between floats; false for other operators.
pub(super) fn holds(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        _ => false,
    }
}

/// The operator between two values of whatever type. The value of a comparison is the left one.
pub(super) fn combine(operation: Operation, left: Point<'_>, right: Point<'_>) -> Outcome {
    let outcome = match (left, right) {
        (Point::Float(left), Point::Float(right)) => floats(operation.op, left, right),
        (Point::Float(left), Point::Histogram(right)) if operation.op == BinaryOp::Mul => {
            histogram(scaled(right, |histogram| histogram.mul(left)))
        }
        (Point::Histogram(left), Point::Float(right)) => with_float(operation.op, left, right),
        (Point::Histogram(left), Point::Histogram(right)) => histograms(operation.op, left, right),
        (Point::Float(_), Point::Histogram(_)) => Outcome::Nothing(Remark::IncompatibleTypes(false, true)),
    };
    match outcome {
        Outcome::Value { keep, remark, .. } if operation.return_bool => {
            let value = if keep { 1.0 } else { 0.0 };
            Outcome::Value { element: Element::Float(value), keep: true, remark }
        }
        Outcome::Value { keep: true, remark, .. } if operation.op.is_comparison() => {
            Outcome::Value { element: Element::of(left), keep: true, remark }
        }
        outcome => outcome,
    }
}

fn floats(op: BinaryOp, left: f64, right: f64) -> Outcome {
    if op.is_comparison() {
        return Outcome::Value { element: Element::Float(left), keep: holds(op, left, right), remark: None };
    }
    match arithmetic(op, left, right) {
        Some(result) => value(Element::Float(result)),
        None => Outcome::Nothing(Remark::IncompatibleTypes(false, false)),
    }
}

fn scaled(histogram: &FloatHistogram, change: impl Fn(&mut FloatHistogram)) -> FloatHistogram {
    let mut histogram = histogram.clone();
    change(&mut histogram);
    histogram.compact(0);
    histogram
}

fn with_float(op: BinaryOp, left: &FloatHistogram, right: f64) -> Outcome {
    match op {
        BinaryOp::Mul => histogram(scaled(left, |histogram| histogram.mul(right))),
        BinaryOp::Div => histogram(scaled(left, |histogram| histogram.div(right))),
        BinaryOp::TrimUpper | BinaryOp::TrimLower => {
            let mut trimmed = left.clone();
            let side = if op == BinaryOp::TrimUpper { TrimSide::Below } else { TrimSide::Above };
            trimmed.trim(right, side);
            histogram(trimmed)
        }
        _ => Outcome::Nothing(Remark::IncompatibleTypes(true, false)),
    }
}

fn histograms(op: BinaryOp, left: &Arc<FloatHistogram>, right: &FloatHistogram) -> Outcome {
    let keep = match op {
        BinaryOp::Add | BinaryOp::Sub => return sum(op, left, right),
        BinaryOp::Equal => left.equals(right),
        BinaryOp::NotEqual => !left.equals(right),
        _ => return Outcome::Nothing(Remark::IncompatibleTypes(true, true)),
    };
    Outcome::Value { element: Element::Histogram(Arc::clone(left)), keep, remark: None }
}

fn sum(op: BinaryOp, left: &FloatHistogram, right: &FloatHistogram) -> Outcome {
    let mut result = left.clone();
    let combined = if op == BinaryOp::Add { result.add(right) } else { result.sub(right) };
    let Ok(combined) = combined else { return Outcome::Nothing(Remark::BucketLayout) };
    if combined.hints_collided {
        // Prometheus treats the warning as an error here, so that there is no value.
        return Outcome::Nothing(Remark::ResetCollision);
    }
    if op == BinaryOp::Sub {
        result.counter_reset_hint = CounterResetHint::Gauge;
    }
    result.compact(0);
    let remark = combined.bounds_reconciled.then_some(Remark::CustomBuckets);
    Outcome::Value { element: Element::Histogram(Arc::new(result)), keep: true, remark }
}

/// Remarks of one operation. Only the last one of each step is told, as in Prometheus.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// Empty as long as there is none; then one place per step.
    last: Vec<Option<Remark>>,
}

impl Remarks {
    /// Takes down a remark about a step, of so many.
    pub(super) fn set(&mut self, step: usize, steps: usize, remark: Remark) {
        if self.last.is_empty() {
            self.last.resize(steps, None);
        }
        if let Some(place) = self.last.get_mut(step) {
            *place = Some(remark);
        }
    }

    /// Tells all, once.
    pub(super) fn tell(&mut self, operation: Operation, run: &mut Run) {
        let mut told: Vec<Remark> = Vec::new();
        for remark in std::mem::take(&mut self.last).into_iter().flatten() {
            if !told.contains(&remark) {
                told.push(remark);
                run.annotations.add(annotation(remark, operation));
            }
        }
    }
}

fn annotation(remark: Remark, operation: Operation) -> Annotation {
    let (op, span) = (operation.op, operation.span);
    let words = if op == BinaryOp::Add { "addition" } else { "subtraction" };
    let type_name = |histogram| if histogram { "histogram" } else { "float" };
    match remark {
        Remark::IncompatibleTypes(left, right) => {
            Annotation::incompatible_types(type_name(left), op.as_str(), type_name(right), span)
        }
        Remark::BucketLayout => Annotation::incompatible_bucket_layout(op.as_str(), span),
        Remark::ResetCollision => Annotation::counter_reset_collision(words, span),
        Remark::CustomBuckets => Annotation::mismatched_custom_buckets(words, span),
    }
}
