//! An operator between two columns, in place.

use std::sync::Arc;

use prom_model::FloatHistogram;
use promql_syntax::BinaryOp;

use super::element::{Element, Operation, Outcome, Remarks, arithmetic, combine};
use crate::exec::stretch::{Stretch, WORD, steps_of};
use crate::{Column, Point};

/// What stands on the other side of the operator.
#[derive(Clone, Copy)]
pub(super) enum Other<'o> {
    /// Values of a series.
    Series(&'o Stretch),
    /// A number at each step.
    Scalars(&'o [f64]),
}

impl Other<'_> {
    fn occupied(&self, word: usize) -> u64 {
        match self {
            Other::Series(stretch) => stretch.occupied(word),
            Other::Scalars(_) => u64::MAX,
        }
    }

    fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        match self {
            Other::Series(stretch) => stretch.histogram(step),
            Other::Scalars(_) => None,
        }
    }

    fn float(&self, step: usize) -> f64 {
        match self {
            Other::Series(stretch) => stretch.float(step),
            Other::Scalars(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    /// The floats that are held, and the step of the first.
    fn floats(&self) -> (usize, &[f64]) {
        match self {
            Other::Series(stretch) => (stretch.words().start * WORD, stretch.floats()),
            Other::Scalars(values) => (0, values),
        }
    }

    fn has_histograms(&self) -> bool {
        matches!(self, Other::Series(stretch) if stretch.has_histograms())
    }
}

/// An operator with one operand in a column, which the result replaces.
pub(super) struct Kernel {
    pub(super) operation: Operation,
    /// Whether the column is the right operand.
    pub(super) swapped: bool,
    /// What is to be said about steps.
    pub(super) remarks: Remarks,
}

impl Kernel {
    pub(super) fn new(operation: Operation, swapped: bool) -> Self {
        Kernel { operation, swapped, remarks: Remarks::default() }
    }

    /// Combines `column` with `other` at the steps at which both have a value; elsewhere the column has none afterwards.
    /// `matched` are then the steps at which there was a pair that the operator can be applied to.
    pub(super) fn apply(&mut self, column: &mut Column, other: Other<'_>, matched: &mut Vec<u64>) {
        let op = self.operation.op;
        let trims = matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper);
        if trims || other.has_histograms() || column.has_histograms() {
            return self.apply_mixed(column, other, matched);
        }
        let (floats, present) = column.floats_mut();
        matched.clear();
        for (at, word) in present.words_mut().iter_mut().enumerate() {
            *word &= other.occupied(at);
            matched.push(*word);
        }
        let (first, others) = other.floats();
        let Some(floats) = floats.get_mut(first..) else { return };
        if op.is_comparison() {
            let words = present.words_mut().get_mut(first / WORD..).unwrap_or_default();
            let takes_other =
                self.swapped && matches!(other, Other::Series(_)) && !self.operation.return_bool;
            self.compare(floats, others, words);
            if takes_other {
                each(floats, others, |_, other| other);
            }
            return;
        }
        // Places without a value mean nothing, so that they may be computed with where that is cheap.
        match op {
            BinaryOp::Add => each(floats, others, |a, b| a + b),
            BinaryOp::Sub if self.swapped => each(floats, others, |a, b| b - a),
            BinaryOp::Sub => each(floats, others, |a, b| a - b),
            BinaryOp::Mul => each(floats, others, |a, b| a * b),
            BinaryOp::Div if self.swapped => each(floats, others, |a, b| b / a),
            BinaryOp::Div => each(floats, others, |a, b| a / b),
            _ => {
                for (at, &word) in matched.iter().enumerate().skip(first / WORD) {
                    for step in steps_of(at - first / WORD, word) {
                        if let (Some(place), Some(&value)) = (floats.get_mut(step), others.get(step)) {
                            let (left, right) = if self.swapped { (value, *place) } else { (*place, value) };
                            *place = arithmetic(op, left, right).unwrap_or(f64::NAN);
                        }
                    }
                }
            }
        }
    }

    /// Comparisons: what does not hold goes, or all becomes 0 or 1.
    fn compare(&self, floats: &mut [f64], others: &[f64], words: &mut [u64]) {
        let op = match (self.operation.op, self.swapped) {
            (BinaryOp::Less, true) => BinaryOp::Greater,
            (BinaryOp::LessEqual, true) => BinaryOp::GreaterEqual,
            (BinaryOp::Greater, true) => BinaryOp::Less,
            (BinaryOp::GreaterEqual, true) => BinaryOp::LessEqual,
            (op, _) => op,
        };
        match op {
            BinaryOp::Equal => self.compare_with(floats, others, words, |a, b| a == b),
            BinaryOp::NotEqual => self.compare_with(floats, others, words, |a, b| a != b),
            BinaryOp::Less => self.compare_with(floats, others, words, |a, b| a < b),
            BinaryOp::LessEqual => self.compare_with(floats, others, words, |a, b| a <= b),
            BinaryOp::Greater => self.compare_with(floats, others, words, |a, b| a > b),
            BinaryOp::GreaterEqual => self.compare_with(floats, others, words, |a, b| a >= b),
            _ => {}
        }
    }

    fn compare_with(
        &self,
        floats: &mut [f64],
        others: &[f64],
        words: &mut [u64],
        holds: impl Fn(f64, f64) -> bool,
    ) {
        let chunks = floats.chunks_mut(WORD).zip(others.chunks(WORD));
        for (word, (floats, others)) in words.iter_mut().zip(chunks) {
            if *word == 0 {
                continue;
            }
            if self.operation.return_bool {
                for (place, other) in floats.iter_mut().zip(others) {
                    *place = if holds(*place, *other) { 1.0 } else { 0.0 };
                }
                continue;
            }
            let mut kept = 0;
            for (bit, (place, other)) in floats.iter().zip(others).enumerate() {
                kept |= u64::from(holds(*place, *other)) << bit;
            }
            *word &= kept;
        }
    }

    /// The same one by one, where there are histograms.
    fn apply_mixed(&mut self, column: &mut Column, other: Other<'_>, matched: &mut Vec<u64>) {
        let steps = column.len();
        matched.clear();
        matched.resize(steps.div_ceil(WORD), 0);
        for step in 0..steps {
            let Some(own) = column.get(step) else { continue };
            if other.occupied(step / WORD) >> (step % WORD) & 1 == 0 {
                column.clear(step);
                continue;
            }
            let value = other.float(step);
            let theirs = other.histogram(step).map_or(Point::Float(value), Point::Histogram);
            let (left, right) = if self.swapped { (theirs, own) } else { (own, theirs) };
            let result = match combine(self.operation, left, right) {
                Outcome::Nothing(remark) => {
                    self.remarks.set(step, steps, remark);
                    None
                }
                Outcome::Value { element, keep, remark } => {
                    if let Some(remark) = remark {
                        self.remarks.set(step, steps, remark);
                    }
                    if let Some(word) = matched.get_mut(step / WORD) {
                        *word |= 1 << (step % WORD);
                    }
                    // Of a number and a series, a comparison gives the value of the series.
                    let own = self.swapped && keep && matches!(other, Other::Scalars(_));
                    if own && self.operation.op.is_comparison() && !self.operation.return_bool {
                        continue;
                    }
                    keep.then_some(element)
                }
            };
            match result {
                None => column.clear(step),
                Some(Element::Float(value)) => column.set_float(step, value),
                Some(Element::Histogram(histogram)) => column.set_histogram(step, histogram),
            }
        }
    }
}

fn each(floats: &mut [f64], others: &[f64], operator: impl Fn(f64, f64) -> f64) {
    for (place, other) in floats.iter_mut().zip(others) {
        *place = operator(*place, *other);
    }
}
