//! Selectors: which series, which range, at which time.

use prom_model::{METRIC_NAME, MatchOp, Matcher, TimestampMs};

use super::DurationValue;
use crate::{Expr, Span};

/// Selects series at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// The metric name where it is written before the braces.
    pub name: Option<String>,
    /// All conditions, with one for the name; that one comes last.
    pub matchers: Vec<Matcher>,
    /// The offset; negative ones look forward.
    pub offset: Option<DurationValue>,
    /// The time that `@` fixes.
    pub at: Option<AtModifier>,
    /// `anchored` or `smoothed`.
    pub extension: Option<RangeExtension>,
    /// Where it stands, with its modifiers.
    pub span: Span,
}

impl VectorSelector {
    /// The metric name, written before the braces or as `__name__="…"`.
    pub fn metric_name(&self) -> Option<&str> {
        let named = |m: &&Matcher| m.op() == MatchOp::Equal && m.name() == METRIC_NAME;
        self.name.as_deref().or_else(|| self.matchers.iter().find(named).map(Matcher::value))
    }
}

/// Selects a range of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// The series; modifiers behind the range are kept here.
    pub selector: VectorSelector,
    /// The length of the range.
    pub range: DurationValue,
    /// Where it stands, with its modifiers.
    pub span: Span,
}

/// Evaluates an expression at steps over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// The expression.
    pub expr: Box<Expr>,
    /// The length of the range.
    pub range: DurationValue,
    /// The step; the server's evaluation interval where it is absent.
    pub step: Option<DurationValue>,
    /// The offset.
    pub offset: Option<DurationValue>,
    /// The time that `@` fixes.
    pub at: Option<AtModifier>,
    /// Where it stands, with its modifiers.
    pub span: Span,
}

/// What stands behind `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtModifier {
    /// A time.
    Time(TimestampMs),
    /// `start()`
    Start,
    /// `end()`
    End,
}

/// How samples at the ends of a range are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeExtension {
    /// `anchored`
    Anchored,
    /// `smoothed`
    Smoothed,
}
