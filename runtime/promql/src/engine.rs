//! The front door: text in, answer out.

use std::sync::Arc;

use promql_syntax::{Expr, ParseOptions, parse_with};

use crate::plan::{Lowering, Node, lower, optimise};
use crate::{Answer, Control, QueryError, SeriesSource, exec};

/// How an engine evaluates; defaults are Prometheus'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How far an instant selector looks back, milliseconds (`--query.lookback-delta`).
    pub lookback_delta: i64,
    /// The step of subqueries that have none, milliseconds (the global evaluation interval).
    pub subquery_step: i64,
    /// The most samples that a query may hold at once (`--query.max-samples`).
    pub samples_max: u64,
    /// Names go at the end of a query, not at each function (`--enable-feature=promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// Counters are reset where their start timestamps say so.
    pub use_start_timestamps: bool,
    /// Whether a counter is one is told by `__type__`, not by its name (`--enable-feature=type-and-unit-labels`).
    pub type_and_unit_labels: bool,
    /// How many threads evaluate one query.
    pub workers: usize,
    /// Which parts of the language are switched on; all of them unless a server says otherwise.
    pub parse: ParseOptions,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            lookback_delta: 300_000,
            subquery_step: 60_000,
            samples_max: 50_000_000,
            delayed_name_removal: false,
            use_start_timestamps: false,
            type_and_unit_labels: false,
            workers: 1,
            parse: ParseOptions::ALL,
        }
    }
}

/// The times that a query is evaluated at, milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryRange {
    /// Once.
    Instant {
        /// The time.
        time: i64,
    },
    /// At `start`, `start + step`, …, not beyond `end`.
    Range {
        /// The first time.
        start: i64,
        /// The last, where a step falls on it.
        end: i64,
        /// The distance between two, above 0.
        step: i64,
    },
}

/// Evaluates queries.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    options: EngineOptions,
}

impl Engine {
    /// An engine with these options.
    pub fn new(options: EngineOptions) -> Self {
        Engine { options }
    }

    /// The options.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Parses a query and makes its plan.
    pub fn prepare(&self, query: &str, range: QueryRange) -> Result<Prepared, QueryError> {
        let (expr, errors) = parse_with(query, &self.options.parse);
        match expr {
            Some(expr) if errors.is_empty() => self.prepare_expr(query, &expr, range),
            _ => Err(QueryError::Parse { query: query.to_owned(), errors }),
        }
    }

    /// Makes the plan of a query that was parsed already; `query` is the text that its positions refer to.
    pub fn prepare_expr(&self, query: &str, expr: &Expr, range: QueryRange) -> Result<Prepared, QueryError> {
        let (start, end, step) = match range {
            QueryRange::Instant { time } => (time, time, 0),
            QueryRange::Range { start, end, step } => (start, end, step.max(1)),
        };
        if step > 0
            && !matches!(
                expr.value_type(),
                promql_syntax::ValueType::Vector | promql_syntax::ValueType::Scalar
            )
        {
            return Err(QueryError::Invalid(format!(
                "invalid expression type {} for range query, must be Scalar or instant Vector",
                prom_model::quote(&expr.value_type().to_string())
            )));
        }
        let mut plan = lower(expr, Lowering { start, end, step, subquery_step: self.options.subquery_step })?;
        optimise(&mut plan);
        Ok(Prepared { query: query.to_owned(), plan, range, options: self.options.clone() })
    }
}

/// The stack of a thread that plans or evaluates queries: both go down the tree, which a parser leaves a thousand levels deep at
/// most. Less may end the process.
pub const STACK_BYTES: usize = 16 << 20;

/// A query that can be run.
#[derive(Debug, Clone)]
pub struct Prepared {
    query: String,
    plan: Node,
    range: QueryRange,
    options: EngineOptions,
}

impl Prepared {
    /// The text.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The plan in words: one line per node, those below it indented; with matchers, steps and the labels that are read.
    pub fn explain(&self) -> String {
        crate::plan::explain::text(&self.plan)
    }

    /// Evaluates the query over the series of `source`.
    pub fn run(&self, source: Arc<dyn SeriesSource>, control: Control) -> Result<Answer, QueryError> {
        exec::run(&self.plan, self.range, &self.options, source, control)
    }
}
