//! Alerting rules: elements of the expression's result wait, fire and resolve.

use std::collections::BTreeMap;

use prom_model::{Labels, LabelsBuilder, METRIC_NAME, PromDuration, TimestampMs};

use crate::error::RuleError;
use crate::{AlertTemplate, QueryFn, Sample, SampleValue, TemplateData};

/// The label that holds the alert's name.
pub const ALERT_NAME: &str = "alertname";

const STATE_LABEL: &str = "alertstate";
const STATE_SERIES: &str = "ALERTS";
const FOR_STATE_SERIES: &str = "ALERTS_FOR_STATE";
/// A resolved alert is kept so long, for those who have not heard of it.
const RESOLVED_KEPT: PromDuration = PromDuration::from_mins(15);

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// It was firing and is resolved.
    Inactive,
    /// Its expression is true, though not long enough.
    Pending,
    /// It fires.
    Firing,
}

impl AlertState {
    /// The word in the label `alertstate`.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The labels that tell it from others.
    pub labels: Labels,
    /// The annotations as they were filled last; empty ones are kept.
    pub annotations: BTreeMap<String, String>,
    /// Where it stands.
    pub state: AlertState,
    /// The last value of its element; of a histogram, 0.
    pub value: f64,
    /// Since when its expression is true.
    pub active_at: TimestampMs,
    resolved_at: Option<TimestampMs>,
    keep_firing_since: Option<TimestampMs>,
}

/// A rule whose expression gives alerts.
#[derive(Debug, Clone)]
pub struct AlertingRule {
    name: String,
    expr: String,
    hold: PromDuration,
    keep_firing_for: PromDuration,
    labels: Vec<(String, AlertTemplate)>,
    /// The labels as they are written, templates and all.
    plain_labels: Labels,
    annotations: Vec<(String, AlertTemplate)>,
    external_labels: Labels,
    external_url: String,
    active: BTreeMap<Labels, Alert>,
}

impl AlertingRule {
    /// Makes a rule without alerts.
    pub(crate) fn new(
        name: &str,
        rule: &prom_config::Rule,
        labels: &BTreeMap<String, String>,
        external_labels: &Labels,
        external_url: &str,
    ) -> Self {
        let template = |(key, text): (&String, &String)| (key.clone(), AlertTemplate::new(name, text));
        let annotations: BTreeMap<String, String> = rule.annotations.iter().cloned().collect();
        AlertingRule {
            name: name.to_owned(),
            expr: rule.expr.clone(),
            hold: rule.hold,
            keep_firing_for: rule.keep_firing_for,
            labels: labels.iter().map(template).collect(),
            plain_labels: labels.iter().map(|(key, text)| (key.clone(), text.clone())).collect(),
            annotations: annotations.iter().map(template).collect(),
            external_labels: external_labels.clone(),
            external_url: external_url.to_owned(),
            active: BTreeMap::new(),
        }
    }

    /// The alert's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The alerts that are not resolved, in the order of their labels.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.active.values().filter(|alert| alert.resolved_at.is_none())
    }

    /// Evaluates the rule, moves its alerts on and gives the series that tell of them.
    pub(crate) fn evaluate(
        &mut self,
        at: TimestampMs,
        offset: PromDuration,
        limit: usize,
        query: &mut dyn QueryFn,
    ) -> Result<Vec<Sample>, RuleError> {
        let result = query.query(&self.expr, at.saturating_sub(offset)).map_err(RuleError::Query)?;
        let mut found: BTreeMap<Labels, Alert> = BTreeMap::new();
        for sample in &result {
            let alert = self.alert_of(sample, at, query);
            if found.insert(alert.labels.clone(), alert).is_some() {
                return Err(RuleError::DuplicateAlerts);
            }
        }
        for (labels, new) in &found {
            match self.active.get_mut(labels) {
                Some(known) if known.state != AlertState::Inactive => {
                    known.value = new.value;
                    known.annotations.clone_from(&new.annotations);
                }
                _ => {
                    self.active.insert(labels.clone(), new.clone());
                }
            }
        }
        let mut live = 0;
        let mut samples = Vec::new();
        let (hold, keep) = (self.hold, self.keep_firing_for);
        self.active.retain(|labels, alert| {
            let (kept, is_live) = alert.advance(found.contains_key(labels), at, hold, keep);
            if is_live {
                live += 1;
                samples.push(state_sample(&self.plain_labels, &self.name, alert));
                samples.push(for_state_sample(&self.plain_labels, &self.name, alert));
            }
            kept
        });
        if limit > 0 && live > limit {
            self.active.clear();
            return Err(RuleError::TooManyAlerts { limit, found: live });
        }
        Ok(samples)
    }

    /// The alert that an element of the result stands for.
    fn alert_of(&self, sample: &Sample, at: TimestampMs, query: &mut dyn QueryFn) -> Alert {
        let data = TemplateData {
            labels: &sample.labels,
            value: &sample.value,
            external_labels: &self.external_labels,
            external_url: &self.external_url,
            at,
        };
        let mut expand = |template: &AlertTemplate| {
            let filled = template.expand(&data, query);
            filled.unwrap_or_else(|error| format!("<error expanding template: {error}>"))
        };
        let mut labels = LabelsBuilder::new(sample.labels.clone());
        labels.delete(METRIC_NAME);
        for (name, template) in &self.labels {
            labels.set(name, &expand(template));
        }
        labels.set(ALERT_NAME, &self.name);
        let annotations =
            self.annotations.iter().map(|(name, template)| (name.clone(), expand(template))).collect();
        Alert {
            labels: labels.build(),
            annotations,
            state: AlertState::Pending,
            value: match sample.value {
                SampleValue::Float(value) => value,
                SampleValue::Histogram(_) => 0.0,
            },
            active_at: at,
            resolved_at: None,
            keep_firing_since: None,
        }
    }
}

impl Alert {
    /// Moves the alert on; says whether it is kept, and whether it is pending or firing.
    fn advance(
        &mut self,
        found: bool,
        at: TimestampMs,
        hold: PromDuration,
        keep_firing_for: PromDuration,
    ) -> (bool, bool) {
        let mut kept = true;
        if found {
            self.keep_firing_since = None;
        } else {
            let mut keeps = false;
            if self.state == AlertState::Firing && keep_firing_for > PromDuration::ZERO {
                let since = *self.keep_firing_since.get_or_insert(at);
                keeps = at.since(since) < keep_firing_for;
            }
            let forgotten = self.resolved_at.is_some_and(|resolved| at.since(resolved) > RESOLVED_KEPT);
            kept = self.state != AlertState::Pending && !forgotten;
            if self.state != AlertState::Inactive && !keeps {
                self.state = AlertState::Inactive;
                self.resolved_at = Some(at);
            }
            if !keeps {
                return (kept, false);
            }
        }
        let long_enough = at.since(self.active_at) >= hold;
        if self.state == AlertState::Pending && long_enough {
            self.state = AlertState::Firing;
        } else if self.state == AlertState::Firing && !long_enough {
            // The rule was changed to wait longer.
            self.state = AlertState::Pending;
            self.keep_firing_since = None;
        }
        (kept, true)
    }
}

/// The labels of the rule as they are written, with those of the alert over them.
fn series_labels(rule: &Labels, name: &str, alert: &Alert, series: &str) -> LabelsBuilder {
    let mut labels = LabelsBuilder::new(rule.clone());
    for label in &alert.labels {
        labels.set(&label.name, &label.value);
    }
    labels.set(METRIC_NAME, series);
    labels.set(ALERT_NAME, name);
    labels
}

fn state_sample(rule: &Labels, name: &str, alert: &Alert) -> Sample {
    let mut labels = series_labels(rule, name, alert, STATE_SERIES);
    labels.set(STATE_LABEL, alert.state.as_str());
    Sample { labels: labels.build(), value: SampleValue::Float(1.0) }
}

fn for_state_sample(rule: &Labels, name: &str, alert: &Alert) -> Sample {
    let labels = series_labels(rule, name, alert, FOR_STATE_SERIES);
    let seconds = alert.active_at.as_millis().div_euclid(1_000);
    Sample { labels: labels.build(), value: SampleValue::Float(seconds as f64) }
}
