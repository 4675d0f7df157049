//! Walks over a query, and lists its selectors.

use prom_model::Matcher;

use crate::{DurationValue, Expr, Span, VectorSelector};

/// Whether a walk goes below an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Descend {
    /// Goes on with the expressions below.
    Into,
    /// Leaves them out.
    Skip,
}

/// Calls `f` for the expression and everything below it, from the outside in and from left to right.
pub fn visit<'e>(expr: &'e Expr, f: &mut impl FnMut(&'e Expr) -> Descend) {
    let mut pending = vec![expr];
    while let Some(expr) = pending.pop() {
        if f(expr) == Descend::Into {
            pending.extend(expr.children().into_iter().rev());
        }
    }
}

/// A selector as a query uses it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelectorUse<'e> {
    /// The selector.
    pub selector: &'e VectorSelector,
    /// The range, for a range vector.
    pub range: Option<&'e DurationValue>,
    /// Where it stands, with range and modifiers.
    pub span: Span,
}

impl<'e> SelectorUse<'e> {
    /// The metric name, if the selector fixes one.
    pub fn metric_name(&self) -> Option<&'e str> {
        self.selector.metric_name()
    }

    /// All conditions, also the one for the name.
    pub fn matchers(&self) -> &'e [Matcher] {
        &self.selector.matchers
    }
}

/// All selectors of a query, from left to right.
pub fn selectors(expr: &Expr) -> Vec<SelectorUse<'_>> {
    let mut found = Vec::new();
    visit(expr, &mut |expr| {
        match expr {
            Expr::Vector(selector) => {
                found.push(SelectorUse { selector, range: None, span: selector.span });
            }
            Expr::Matrix(matrix) => found.push(SelectorUse {
                selector: &matrix.selector,
                range: Some(&matrix.range),
                span: matrix.span,
            }),
            _ => {}
        }
        Descend::Into
    });
    found
}
