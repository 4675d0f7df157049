//! Unit tests of rules, in the file format of `promtool test rules`.
//!
//! A test loads series, evaluates the rules over them from its start on, and compares alerts and values of expressions with what
//! it expects.

mod expect;
mod outcome;
mod storage;

use std::collections::BTreeMap;

use prom_config::{RuleGroup, UnitTest};
use prom_model::{Labels, PromDuration, TimestampMs, parse_time};
use promql_syntax::{ParseOptions, series_description};

use crate::{Group, GroupContext};
pub use expect::{AlertText, ValueText};
pub use outcome::{InputError, TestFailure, TestOutcome};
use storage::TestStorage;

/// How often rules are evaluated where the file does not say it.
const EVALUATION_INTERVAL: PromDuration = PromDuration::from_mins(1);

/// What the tests of a file share.
#[derive(Debug, Clone, Default)]
pub struct TestSetup {
    /// The groups of all rule files.
    pub groups: Vec<RuleGroup>,
    /// How often the rules are evaluated; zero means every minute.
    pub evaluation_interval: PromDuration,
    /// Names of groups, in the order of their evaluation; groups that are not named come first.
    pub group_eval_order: Vec<String>,
    /// Whether floats may differ in their last bit.
    pub fuzzy_compare: bool,
    /// The parts of the language that feature flags switch on.
    pub parse: ParseOptions,
    /// Names go at the end of a query (`promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// Whether the outcome holds all samples there were at the end.
    pub dump: bool,
}

/// Runs one test.
pub fn run_test(test: &UnitTest, setup: &TestSetup) -> TestOutcome {
    let mut outcome = TestOutcome::default();
    match prepare(test, setup) {
        Ok(run) => run.run(test, setup, &mut outcome),
        Err(failure) => outcome.failures.push(failure),
    }
    outcome
}

struct Run {
    storage: TestStorage,
    groups: Vec<Group>,
    start: TimestampMs,
    interval: PromDuration,
}

fn prepare(test: &UnitTest, setup: &TestSetup) -> Result<Run, TestFailure> {
    let input = TestFailure::Input;
    let interval = or(setup.evaluation_interval, EVALUATION_INTERVAL);
    let start = match test.start_timestamp.as_str() {
        "" => TimestampMs::from_millis(0),
        text => parse_time(text).ok_or_else(|| input(InputError::StartTimestamp(text.to_owned())))?,
    };
    if let Some(nameless) = test.alert_rule_test.iter().find(|alert| alert.alertname.is_empty()) {
        return Err(input(InputError::Alertname { eval_time: nameless.eval_time, line: nameless.line }));
    }
    let mut storage = TestStorage::new(setup, interval);
    let step = or(test.interval, interval);
    for series in &test.input_series {
        let text = format!("{} {}", series.series, series.values);
        // The series and its values are one line of a script; a line feed at the end of a YAML text says nothing.
        let text = text.trim();
        let description = series_description(text).map_err(|error| {
            let message = error.located(text);
            input(InputError::Series { series: series.series.clone(), message, line: series.line })
        })?;
        storage.load(description, start, step);
    }
    let context = GroupContext {
        external_labels: test.external_labels.iter().cloned().collect::<Labels>(),
        external_url: test.external_url.clone(),
        query_offset: PromDuration::ZERO,
    };
    let place: BTreeMap<&str, usize> =
        setup.group_eval_order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut groups: Vec<Group> = setup.groups.iter().map(|group| Group::new(group, &context)).collect();
    // A group that is not named counts as the first, as in promtool.
    groups.sort_by_key(|group| place.get(group.name()).copied().unwrap_or(0));
    Ok(Run { storage, groups, start, interval })
}

fn or(given: PromDuration, default: PromDuration) -> PromDuration {
    if given.is_zero() { default } else { given }
}

impl Run {
    fn run(mut self, test: &UnitTest, setup: &TestSetup, outcome: &mut TestOutcome) {
        let alerts = test.alert_rule_test.iter().map(|alert| alert.eval_time);
        let end = alerts.chain(test.promql_expr_test.iter().map(|expr| expr.eval_time)).max();
        let end = end.unwrap_or(PromDuration::ZERO);
        let mut times: Vec<PromDuration> = test.alert_rule_test.iter().map(|alert| alert.eval_time).collect();
        times.sort_unstable();
        times.dedup();
        let mut times = times.into_iter().peekable();
        let mut since = PromDuration::ZERO;
        while since <= end {
            if !self.evaluate(self.start.saturating_add(since), outcome) {
                return;
            }
            let next = since.checked_add(self.interval);
            // Alerts are those of the last evaluation before or at the time that is asked for.
            while let Some(time) = times.next_if(|time| next.is_none_or(|next| *time < next)) {
                for alert in test.alert_rule_test.iter().filter(|alert| alert.eval_time == time) {
                    outcome.failures.extend(expect::alerts(&self.groups, alert));
                }
            }
            let Some(next) = next else { break };
            since = next;
        }
        for expr in &test.promql_expr_test {
            let at = self.start.saturating_add(expr.eval_time);
            outcome.failures.extend(expect::value(&mut self.storage, expr, at, setup.fuzzy_compare));
        }
        if setup.dump {
            outcome.dump = Some(self.storage.dump(self.start.saturating_add(end), end));
        }
    }

    /// Loads what there is until then and evaluates all rules; false if one of them failed.
    fn evaluate(&mut self, at: TimestampMs, outcome: &mut TestOutcome) -> bool {
        if let Err(error) = self.storage.load_until(at) {
            outcome.failures.push(TestFailure::Input(error));
            return false;
        }
        let failed = outcome.failures.len();
        for group in &mut self.groups {
            for failure in group.evaluate(at, &mut self.storage) {
                outcome.failures.push(TestFailure::Rule {
                    group: group.name().to_owned(),
                    rule: failure.rule,
                    since: at.since(TimestampMs::from_millis(0)),
                    error: failure.error,
                });
            }
        }
        outcome.failures.len() == failed
    }
}
