//! A group of rules: evaluated in order, each rule sees what those before it made.

use std::collections::{BTreeMap, BTreeSet};

use prom_config::RuleKind;
use prom_model::{Labels, PromDuration, STALE_NAN, TimestampMs};

use crate::error::RuleError;
use crate::{AlertingRule, RecordingRule, RuleStorage, Sample, SampleValue};

/// What the rules of all groups share.
#[derive(Debug, Clone, Default)]
pub struct GroupContext {
    /// Labels of this Prometheus, for templates.
    pub external_labels: Labels,
    /// Where this Prometheus is reached, for templates.
    pub external_url: String,
    /// How far in the past rules are evaluated whose group does not say it.
    pub query_offset: PromDuration,
}

/// Rules that are evaluated together, in order.
#[derive(Debug)]
pub struct Group {
    name: String,
    limit: usize,
    query_offset: PromDuration,
    rules: Vec<Member>,
}

/// A rule with the series it gave last.
#[derive(Debug)]
struct Member {
    rule: Rule,
    previous: BTreeSet<Labels>,
}

/// A rule.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Gives series.
    Record(RecordingRule),
    /// Gives alerts.
    Alert(Box<AlertingRule>),
}

/// A rule that failed.
#[derive(Debug)]
pub struct Failure {
    /// The name of the series or the alert.
    pub rule: String,
    /// Why.
    pub error: RuleError,
}

impl Rule {
    /// The name of the series or the alert.
    pub fn name(&self) -> &str {
        match self {
            Rule::Record(rule) => rule.name(),
            Rule::Alert(rule) => rule.name(),
        }
    }
}

impl Group {
    /// Makes the group that a rule file describes.
    pub fn new(group: &prom_config::RuleGroup, context: &GroupContext) -> Self {
        let rule = |rule: &prom_config::Rule| {
            // The rule's own labels win over those of its group.
            let labels: BTreeMap<String, String> = group.labels.iter().chain(&rule.labels).cloned().collect();
            let rule = match &rule.kind {
                RuleKind::Record(name) => Rule::Record(RecordingRule::new(name, &rule.expr, &labels)),
                RuleKind::Alert(name) => Rule::Alert(Box::new(AlertingRule::new(
                    name,
                    rule,
                    &labels,
                    &context.external_labels,
                    &context.external_url,
                ))),
            };
            Member { rule, previous: BTreeSet::new() }
        };
        Group {
            name: group.name.clone(),
            limit: usize::try_from(group.limit).unwrap_or(0),
            query_offset: group.query_offset.unwrap_or(context.query_offset),
            rules: group.rules.iter().map(rule).collect(),
        }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The alerting rules, in the order of the file.
    pub fn alerting_rules(&self) -> impl Iterator<Item = &AlertingRule> {
        self.rules.iter().filter_map(|member| match &member.rule {
            Rule::Alert(rule) => Some(rule.as_ref()),
            Rule::Record(_) => None,
        })
    }

    /// Evaluates all rules for one instant. A rule that fails keeps no other from its turn.
    ///
    /// Series that a rule gave last and gives no longer get a stale marker.
    pub fn evaluate(&mut self, at: TimestampMs, storage: &mut dyn RuleStorage) -> Vec<Failure> {
        let mut failures = Vec::new();
        let (offset, limit) = (self.query_offset, self.limit);
        for member in &mut self.rules {
            let result = match &mut member.rule {
                Rule::Record(rule) => rule.evaluate(at, offset, limit, storage),
                Rule::Alert(rule) => rule.evaluate(at, offset, limit, storage),
            };
            let kept = result.and_then(|samples| member.keep(&samples, at.saturating_sub(offset), storage));
            if let Err(error) = kept {
                failures.push(Failure { rule: member.rule.name().to_owned(), error });
            }
        }
        failures
    }
}

impl Member {
    /// Keeps the samples and marks the series that are gone; the error is the last of those that there were.
    fn keep(
        &mut self,
        samples: &[Sample],
        at: TimestampMs,
        storage: &mut dyn RuleStorage,
    ) -> Result<(), RuleError> {
        let mut outcome = Ok(());
        let mut returned = BTreeSet::new();
        for sample in samples {
            match storage.append(&sample.labels, at, &sample.value) {
                Ok(()) => {
                    returned.insert(sample.labels.clone());
                }
                Err(error) => outcome = Err(RuleError::Append(error)),
            }
        }
        for gone in self.previous.difference(&returned) {
            // Another rule may give the series now; then its sample stands and the marker is refused.
            let _ = storage.append(gone, at, &SampleValue::Float(STALE_NAN));
        }
        storage.commit().map_err(RuleError::Append)?;
        self.previous = returned;
        outcome
    }
}
