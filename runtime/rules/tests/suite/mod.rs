//! One file per subject.

mod alerts;
mod groups;
mod hostile;
mod templates;
mod unit_tests;

use std::collections::BTreeMap;

use prom_model::{Labels, TimestampMs};
use rules::{BoxError, QueryFn, RuleStorage, Sample, SampleValue};

/// Expressions with the values that they have at a time, and a list of what was appended.
#[derive(Default)]
pub(crate) struct FakeStorage {
    /// By expression and time in seconds.
    pub(crate) answers: BTreeMap<(String, i64), Vec<(&'static str, f64)>>,
    /// Series, seconds and value of each sample.
    pub(crate) appended: Vec<(String, i64, f64)>,
    /// Times that were asked for, in seconds.
    pub(crate) asked: Vec<i64>,
}

#[derive(Debug)]
pub(crate) struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Labels from `a=1,b=2`.
pub(crate) fn labels(text: &str) -> Labels {
    text.split(',').filter_map(|pair| pair.split_once('=')).collect()
}

impl FakeStorage {
    pub(crate) fn answer(&mut self, expr: &str, second: i64, elements: &[(&'static str, f64)]) {
        self.answers.insert((expr.to_owned(), second), elements.to_vec());
    }

    /// What was appended since the last look, sorted.
    pub(crate) fn taken(&mut self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .appended
            .drain(..)
            .map(|(series, second, value)| format!("{series} {value} @{second}"))
            .collect();
        lines.sort();
        lines
    }
}

impl QueryFn for FakeStorage {
    fn query(&mut self, expr: &str, at: TimestampMs) -> Result<Vec<Sample>, BoxError> {
        let second = at.as_millis() / 1_000;
        self.asked.push(second);
        if expr == "broken" {
            return Err(Box::new(Refused("it broke".to_owned())));
        }
        let elements = self.answers.get(&(expr.to_owned(), second)).cloned().unwrap_or_default();
        let sample =
            |(text, value): (&str, f64)| Sample { labels: labels(text), value: SampleValue::Float(value) };
        Ok(elements.into_iter().map(sample).collect())
    }
}

impl RuleStorage for FakeStorage {
    fn append(&mut self, labels: &Labels, at: TimestampMs, value: &SampleValue) -> Result<(), BoxError> {
        if labels.get("refuse").is_some() {
            return Err(Box::new(Refused("no room".to_owned())));
        }
        let SampleValue::Float(value) = value else { return Ok(()) };
        let value = if prom_model::is_stale(*value) { -1.0 } else { *value };
        self.appended.push((labels.to_string(), at.as_millis() / 1_000, value));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}
