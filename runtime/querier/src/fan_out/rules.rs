//! Rules of several rulers and Prometheus servers as one list.

use std::cmp::Ordering;

use prom_model::{Labels, Matcher, quote};
use promql_syntax::{Expr, ParseOptions, parse_with};
use store::Context;
use storeapi::thanos::rule::Result as Kind;
use storeapi::thanos::rules_client::RulesClient;
use storeapi::thanos::rules_response::Result as Answer;
use storeapi::thanos::{LabelSet, Rule, RuleGroup, RulesRequest, RulesResponse};
use tonic::Status;

use super::gather::{Call, Told};
use super::labels::{compare, strip};
use crate::{FanOut, Gathered, Offer};

impl FanOut {
    /// All groups as they came.
    pub(super) async fn all_rules(
        &self,
        request: RulesRequest,
        context: Context,
    ) -> Gathered<Vec<RuleGroup>> {
        let call = Call {
            what: "rules",
            service: "rules",
            strategy: request.partial_response_strategy,
            timeout: self.settings.response_timeout,
            context: &context,
        };
        let ask = |_: &_, channel| {
            let request = call.request(request.clone());
            async move {
                let client = RulesClient::new(channel).max_decoding_message_size(storeapi::MESSAGE_MAX);
                { client }.rules(request).await
            }
        };
        let read = |message: RulesResponse| match message.result {
            Some(Answer::Group(group)) => Told::Data(group),
            Some(Answer::Warning(text)) => Told::Warning(text),
            None => Told::Nothing,
        };
        call.make(self.companions.offering(Offer::Rules), ask, read).await
    }
}

/// What the request asks for, merged over replicas.
pub(super) fn merge(
    mut groups: Vec<RuleGroup>,
    request: &RulesRequest,
    replica_labels: &[String],
) -> Result<Vec<RuleGroup>, Status> {
    let selectors = selectors(&request.matcher_string)?;
    if !selectors.is_empty() {
        for group in &mut groups {
            group.rules.retain(|rule| satisfies(rule, &selectors));
        }
        groups.retain(|group| !group.rules.is_empty());
    }
    groups = by_name(groups, request);
    groups.sort_by_key(key);
    let mut merged: Vec<RuleGroup> = Vec::with_capacity(groups.len());
    for group in groups {
        match merged.last_mut() {
            Some(last) if key(last) == key(&group) => last.rules.extend(group.rules),
            _ => merged.push(group),
        }
    }
    for group in &mut merged {
        merge_rules(&mut group.rules, replica_labels);
    }
    Ok(merged)
}

fn key(group: &RuleGroup) -> String {
    format!("{};{}", group.file, group.name)
}

fn selectors(texts: &[String]) -> Result<Vec<Vec<Matcher>>, Status> {
    texts.iter().map(|text| selector(text)).collect()
}

fn selector(text: &str) -> Result<Vec<Matcher>, Status> {
    // A filter may let everything through, a query may not.
    const EVERYTHING: &str = "must contain at least one non-empty matcher";
    let refused = |why: String| Status::unknown(format!("parser ParseMetricSelector: {why}"));
    let (expr, errors) = parse_with(text, &ParseOptions::ALL);
    if let Some(error) = errors.iter().find(|error| !error.message.contains(EVERYTHING)) {
        return Err(refused(error.located(text)));
    }
    match expr {
        Some(Expr::Vector(selector)) => Ok(selector.matchers),
        _ => Err(refused(format!("{} is not a metric selector", quote(text)))),
    }
}

/// Whether the labels of a rule that are no templates satisfy all selectors.
fn satisfies(rule: &Rule, selectors: &[Vec<Matcher>]) -> bool {
    let mut labels = Labels::new();
    for label in rule_labels(rule).iter().flat_map(|set| &set.labels) {
        if !label.value.contains("{{") {
            labels.set(label.name.clone(), label.value.clone());
        }
    }
    selectors.iter().flatten().all(|matcher| matcher.matches_labels(&labels))
}

fn by_name(groups: Vec<RuleGroup>, request: &RulesRequest) -> Vec<RuleGroup> {
    let RulesRequest { rule_name, rule_group, file, .. } = request;
    if rule_name.is_empty() && rule_group.is_empty() && file.is_empty() {
        return groups;
    }
    let listed = |list: &[String], word: &str| list.is_empty() || list.iter().any(|known| known == word);
    let keep = |mut group: RuleGroup| {
        if !listed(rule_group, &group.name) || !listed(file, &group.file) {
            return None;
        }
        group.rules.retain(|rule| listed(rule_name, name(rule)));
        (!group.rules.is_empty()).then_some(group)
    };
    groups.into_iter().filter_map(keep).collect()
}

fn merge_rules(rules: &mut Vec<Rule>, replica_labels: &[String]) {
    for rule in rules.iter_mut() {
        match &mut rule.result {
            Some(Kind::Recording(rule)) => strip(&mut rule.labels, replica_labels),
            Some(Kind::Alert(alert)) => strip(&mut alert.labels, replica_labels),
            None => {}
        }
    }
    rules.sort_by(|one, two| identity(one, two).then_with(|| importance(one, two)));
    rules.dedup_by(|later, first| identity(first, later).is_eq());
}

/// The order of rules that are not the same; equal for replicas of one.
fn identity(one: &Rule, two: &Rule) -> Ordering {
    let class = |rule: &Rule| match rule.result {
        Some(Kind::Alert(_)) => 0,
        Some(Kind::Recording(_)) => 1,
        None => 2,
    };
    let duration = |rule: &Rule| match &rule.result {
        Some(Kind::Alert(alert)) => alert.duration_seconds,
        _ => 0.0,
    };
    class(one)
        .cmp(&class(two))
        .then_with(|| name(one).cmp(name(two)))
        .then_with(|| compare(rule_labels(one), rule_labels(two)))
        .then_with(|| query(one).cmp(query(two)))
        .then_with(|| duration(one).total_cmp(&duration(two)))
}

/// Which of two replicas is kept: the one with the more critical state, else with the later evaluation.
fn importance(one: &Rule, two: &Rule) -> Ordering {
    let state = |rule: &Rule| match &rule.result {
        Some(Kind::Alert(alert)) => alert.state,
        _ => 0,
    };
    let evaluated = |rule: &Rule| {
        let time = match &rule.result {
            Some(Kind::Alert(alert)) => alert.last_evaluation.as_ref(),
            Some(Kind::Recording(rule)) => rule.last_evaluation.as_ref(),
            None => None,
        };
        time.map(|time| (time.seconds, time.nanos))
    };
    state(two).cmp(&state(one)).then_with(|| evaluated(two).cmp(&evaluated(one)))
}

fn name(rule: &Rule) -> &str {
    match &rule.result {
        Some(Kind::Recording(rule)) => &rule.name,
        Some(Kind::Alert(alert)) => &alert.name,
        None => "",
    }
}

fn query(rule: &Rule) -> &str {
    match &rule.result {
        Some(Kind::Recording(rule)) => &rule.query,
        Some(Kind::Alert(alert)) => &alert.query,
        None => "",
    }
}

fn rule_labels(rule: &Rule) -> Option<&LabelSet> {
    match &rule.result {
        Some(Kind::Recording(rule)) => rule.labels.as_ref(),
        Some(Kind::Alert(alert)) => alert.labels.as_ref(),
        None => None,
    }
}
