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
        if input.is_empty() {
            return format!("unknown position: parse error: {}", self.message);
        }
        format!("{}: parse error: {}", self.span.line_column(input), self.message)
    }
}

/// What Prometheus prints for the errors of a query: it knows them all, but shows the one that it met first.
///
/// The errors are those of [`parse`](crate::parse) or [`parse_with`](crate::parse_with) for this input. `None`
/// without errors. The HTTP API puts `invalid parameter "query": ` before it.
pub fn prometheus_error_text(errors: &[ParseError], input: &str) -> Option<String> {
    errors.first().map(|error| error.located(input))
}
