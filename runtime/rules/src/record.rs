//! Recording rules: the result of an expression becomes series of another name.

use std::collections::{BTreeMap, BTreeSet};

use prom_model::{LabelsBuilder, METRIC_NAME, PromDuration, TimestampMs};

use crate::error::RuleError;
use crate::{QueryFn, Sample};

/// A rule whose expression gives series.
#[derive(Debug, Clone)]
pub struct RecordingRule {
    name: String,
    expr: String,
    labels: BTreeMap<String, String>,
}

impl RecordingRule {
    pub(crate) fn new(name: &str, expr: &str, labels: &BTreeMap<String, String>) -> Self {
        RecordingRule { name: name.to_owned(), expr: expr.to_owned(), labels: labels.clone() }
    }

    /// The name of the series.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Evaluates the rule and gives the samples of its series.
    pub(crate) fn evaluate(
        &self,
        at: TimestampMs,
        offset: PromDuration,
        limit: usize,
        query: &mut dyn QueryFn,
    ) -> Result<Vec<Sample>, RuleError> {
        let result = query.query(&self.expr, at.saturating_sub(offset)).map_err(RuleError::Query)?;
        let named = |sample: Sample| {
            let mut labels = LabelsBuilder::new(sample.labels);
            labels.set(METRIC_NAME, &self.name);
            for (name, value) in &self.labels {
                labels.set(name, value);
            }
            Sample { labels: labels.build(), value: sample.value }
        };
        let samples: Vec<Sample> = result.into_iter().map(named).collect();
        let mut known = BTreeSet::new();
        if !samples.iter().all(|sample| known.insert(&sample.labels)) {
            return Err(RuleError::DuplicateSeries);
        }
        if limit > 0 && samples.len() > limit {
            return Err(RuleError::TooManySeries { limit, found: samples.len() });
        }
        Ok(samples)
    }
}
