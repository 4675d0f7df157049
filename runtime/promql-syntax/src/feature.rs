//! Which parts of a query need a feature flag of Prometheus.

use crate::{Descend, DurationValue, Expr, Span, VectorSelector, visit};

/// A part of the language that is off by default in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Experimental functions and aggregations.
    ExperimentalFunctions,
    /// Arithmetic in ranges, steps and offsets.
    DurationExpr,
    /// `anchored` and `smoothed`.
    ExtendedRangeSelectors,
    /// `fill`, `fill_left`, `fill_right`.
    BinopFillModifiers,
}

impl Feature {
    /// The value for `--enable-feature`.
    pub const fn flag(self) -> &'static str {
        match self {
            Feature::ExperimentalFunctions => "promql-experimental-functions",
            Feature::DurationExpr => "promql-duration-expr",
            Feature::ExtendedRangeSelectors => "promql-extended-range-selectors",
            Feature::BinopFillModifiers => "promql-binop-fill-modifiers",
        }
    }
}

/// A use of such a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeatureUse {
    /// What is needed.
    pub feature: Feature,
    /// Where it is used.
    pub span: Span,
}

/// Everything in the query that needs a feature flag, from left to right.
pub fn features(expr: &Expr) -> Vec<FeatureUse> {
    let mut uses = Vec::new();
    visit(expr, &mut |expr| {
        let mut add = |feature, span| uses.push(FeatureUse { feature, span });
        match expr {
            Expr::Vector(selector) => in_selector(selector, &mut add),
            Expr::Matrix(matrix) => {
                in_duration(Some(&matrix.range), &mut add);
                in_selector(&matrix.selector, &mut add);
            }
            Expr::Subquery(subquery) => {
                in_duration(Some(&subquery.range), &mut add);
                in_duration(subquery.step.as_ref(), &mut add);
                in_duration(subquery.offset.as_ref(), &mut add);
            }
            Expr::Call(call) if call.function.experimental => {
                add(Feature::ExperimentalFunctions, call.name_span);
            }
            Expr::Aggregate(aggregate) if aggregate.op.is_experimental() => {
                add(Feature::ExperimentalFunctions, aggregate.span);
            }
            Expr::Binary(binary) => {
                let fills = |m: &crate::VectorMatching| m.fill_left.is_some() || m.fill_right.is_some();
                if binary.matching.as_ref().is_some_and(fills) {
                    add(Feature::BinopFillModifiers, binary.op_span);
                }
            }
            _ => {}
        }
        Descend::Into
    });
    uses
}

fn in_selector(selector: &VectorSelector, add: &mut impl FnMut(Feature, Span)) {
    if selector.extension.is_some() {
        add(Feature::ExtendedRangeSelectors, selector.span);
    }
    in_duration(selector.offset.as_ref(), add);
}

fn in_duration(duration: Option<&DurationValue>, add: &mut impl FnMut(Feature, Span)) {
    if let Some(DurationValue::Expr(expr)) = duration {
        add(Feature::DurationExpr, expr.span());
    }
}
