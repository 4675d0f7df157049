//! PromQL, the language: text → tokens → tree with positions → type check → canonical text. Nothing is evaluated here.
//!
//! ```
//! let (expr, errors) = promql_syntax::parse("sum by (job) (rate(http_requests_total[5m]))");
//! assert!(errors.is_empty());
//! assert_eq!(expr.unwrap().to_string(), "sum by (job) (rate(http_requests_total[5m]))");
//! ```
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod ast;
mod check;
mod error;
mod feature;
mod function;
pub mod json;
mod lexer;
mod operator;
mod options;
mod parser;
mod pretty;
mod printer;
mod series;
mod span;
mod token;
mod visit;

pub use ast::{
    Aggregate, AtModifier, Binary, Call, Cardinality, DurationExpr, DurationOp, DurationValue, Expr,
    MatrixSelector, NumberLiteral, Paren, RangeExtension, StringLiteral, Subquery, Unary, UnaryOp, ValueType,
    VectorMatching, VectorSelector,
};
pub use error::{ParseError, prometheus_error_text};
pub use feature::{Feature, FeatureUse, features};
pub use function::{FUNCTIONS, Function, Variadic};
pub use lexer::comments;
pub use operator::{AggregateOp, BinaryOp};
pub use options::ParseOptions;
pub use parser::{parse, parse_with};
pub use pretty::pretty;
pub use series::{
    SequenceValue, SeriesDescription, StartTimestamps, is_start_timestamps, series_description,
    start_timestamps,
};
pub use span::{LineColumn, Span};
pub use visit::{Descend, SelectorUse, selectors, visit};
