//! What became of a test, and how a failure reads.

use std::fmt;

use prom_model::PromDuration;

use super::expect::{AlertText, ValueText};
use crate::{BoxError, RuleError};

/// What became of a test.
#[derive(Debug, Default)]
pub struct TestOutcome {
    /// What is not as expected, in the order in which it was found; empty if the test passes.
    pub failures: Vec<TestFailure>,
    /// All samples there were at the end, if they were asked for.
    pub dump: Option<String>,
}

/// Something that is not as expected.
#[derive(Debug)]
pub enum TestFailure {
    /// The test cannot be run.
    Input(InputError),
    /// A rule failed.
    Rule {
        /// The group of the rule.
        group: String,
        /// The name of its series or alert.
        rule: String,
        /// The time of the evaluation, since the epoch.
        since: PromDuration,
        /// Why.
        error: RuleError,
    },
    /// Other alerts fire.
    Alerts {
        /// The name of the alerts.
        alertname: String,
        /// How long after the start.
        eval_time: PromDuration,
        /// The line of the expectation.
        line: u32,
        /// What should fire.
        expected: Vec<AlertText>,
        /// What fires.
        got: Vec<AlertText>,
    },
    /// An expression has no value, or the expectation cannot be read.
    Expression {
        /// The expression.
        expr: String,
        /// How long after the start.
        eval_time: PromDuration,
        /// The line of the expectation.
        line: u32,
        /// Why.
        error: BoxError,
    },
    /// An expression has another value.
    Value {
        /// The expression.
        expr: String,
        /// How long after the start.
        eval_time: PromDuration,
        /// The line of the expectation.
        line: u32,
        /// What it should be.
        expected: Vec<ValueText>,
        /// What it is.
        got: Vec<ValueText>,
    },
}

/// Why a test cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// `start_timestamp` is no time.
    #[error("cannot parse {0:?} to a valid timestamp")]
    StartTimestamp(String),
    /// An expectation about alerts names none.
    #[error("an item under alert_rule_test misses required attribute alertname at eval_time {eval_time}")]
    Alertname {
        /// The time of the expectation.
        eval_time: PromDuration,
        /// Its line.
        line: u32,
    },
    /// An input series cannot be read.
    #[error("input series {series:?}: {message}")]
    Series {
        /// The series.
        series: String,
        /// What is wrong with it or with its values.
        message: String,
        /// Its line.
        line: u32,
    },
    /// A sample of an input series is not kept: a rule has made one before it.
    #[error("input series {series}")]
    Append {
        /// The series.
        series: String,
        /// Why.
        source: BoxError,
    },
}

impl TestFailure {
    /// The line of the test file that the failure is about, if it is about one.
    pub fn line(&self) -> Option<u32> {
        match self {
            TestFailure::Input(InputError::Alertname { line, .. } | InputError::Series { line, .. })
            | TestFailure::Alerts { line, .. }
            | TestFailure::Expression { line, .. }
            | TestFailure::Value { line, .. } => Some(*line),
            TestFailure::Input(_) | TestFailure::Rule { .. } => None,
        }
    }

    /// What was expected and what there is, one item per line; `None` where nothing is compared.
    pub fn sides(&self) -> Option<(Vec<String>, Vec<String>)> {
        fn lines<T: fmt::Display>(items: &[T]) -> Vec<String> {
            items
                .iter()
                .flat_map(|item| item.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
                .collect()
        }
        match self {
            TestFailure::Alerts { expected, got, .. } => Some((lines(expected), lines(got))),
            TestFailure::Value { expected, got, .. } => Some((lines(expected), lines(got))),
            _ => None,
        }
    }
}

impl fmt::Display for TestFailure {
    /// One line that names what failed; both sides of a comparison are in [`TestFailure::sides`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TestFailure::Input(error) => chain(f, error),
            TestFailure::Rule { group, rule, since, error } => {
                write!(f, "group: {group}, rule: {rule}, time: {since}, err: ")?;
                chain(f, error)
            }
            TestFailure::Alerts { alertname, eval_time, .. } => {
                write!(f, "alertname: {alertname}, time: {eval_time}")
            }
            TestFailure::Expression { expr, eval_time, error, .. } => {
                write!(f, "expr: {}, time: {eval_time}, err: ", prom_model::quote(expr))?;
                chain(f, error.as_ref())
            }
            TestFailure::Value { expr, eval_time, .. } => {
                write!(f, "expr: {}, time: {eval_time}", prom_model::quote(expr))
            }
        }
    }
}

/// An error with its causes.
fn chain(f: &mut fmt::Formatter<'_>, error: &dyn std::error::Error) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(next) = cause {
        write!(f, ": {next}")?;
        cause = next.source();
    }
    Ok(())
}
