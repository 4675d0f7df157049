//! What is wrong with a query, and where.

use crate::Span;

/// One thing that is wrong. The message is Prometheus' own wherever it has one for the case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The part of the query that is wrong.
    pub span: Span,
    /// What is wrong with it.
    pub message: String,
}

impl ParseError {
    /// The error with its place, in the form Prometheus' API gives: `1:5: parse error: …`.
    pub fn located(&self, input: &str) -> String {
        format!("{}: parse error: {}", self.span.line_column(input), self.message)
    }
}
