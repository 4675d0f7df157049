//! `format_query` and `parse_query`: what needs the text of a query only.

use axum::extract::State;
use axum::response::Response;
use promql_syntax::{Expr, ParseOptions};

use super::{Api, success};
use crate::error::ApiError;
use crate::form::Form;
use crate::json::push_text_for_html;

/// Parses a query by the feature flags of the server; the error is the text that Prometheus has for it.
pub(super) fn parse(query: &str, options: &ParseOptions) -> Result<Expr, String> {
    let (expr, errors) = promql_syntax::parse_with(query, options);
    match expr {
        Some(expr) if errors.is_empty() => Ok(expr),
        _ => Err(promql_syntax::prometheus_error_text(&errors, query).unwrap_or_default()),
    }
}

pub(super) async fn format_query(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    formatted(form.value("query"), &api.evaluator.options().parse)
}

/// A query in Prometheus' layout.
pub(crate) fn formatted(query: &str, options: &ParseOptions) -> Result<Response, ApiError> {
    let expr = parse(query, options).map_err(|error| ApiError::parameter("query", error))?;
    let mut data = Vec::new();
    push_text_for_html(&mut data, &promql_syntax::pretty(&expr));
    Ok(success(&data, &[]))
}

pub(super) async fn parse_query(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    parsed(form.value("query"), &api.evaluator.options().parse)
}

/// The tree of a query.
pub(crate) fn parsed(query: &str, options: &ParseOptions) -> Result<Response, ApiError> {
    let expr = parse(query, options).map_err(|error| ApiError::parameter("query", error))?;
    let tree = promql_syntax::json::to_json(&expr).to_string();
    let mut data = Vec::with_capacity(tree.len());
    // These stand in strings only.
    for c in tree.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                data.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
            }
            c => data.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(success(&data, &[]))
}
