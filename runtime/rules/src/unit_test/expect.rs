//! Compares what there is with what a test expects.

use std::collections::BTreeMap;
use std::fmt;

use prom_config::{AlertTest, ExpectedSample, ExprTest};
use prom_model::{Labels, TimestampMs, go_float, quote};
use promql_syntax::{SequenceValue, series_description};

use super::outcome::TestFailure;
use crate::{ALERT_NAME, AlertState, BoxError, Group, QueryFn, Sample, SampleValue};

/// An alert, as failures show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertText {
    /// All labels, its name too.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
}

/// An element of a vector, as failures show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueText {
    /// Name and labels.
    pub labels: Labels,
    /// The number; of a histogram, 0.
    pub value: f64,
    /// The histogram, in the notation of PromQL's tests.
    pub histogram: Option<String>,
}

/// The failure of an expectation about alerts, if it fails.
pub(super) fn alerts(groups: &[Group], test: &AlertTest) -> Option<TestFailure> {
    let rules = groups.iter().flat_map(Group::alerting_rules).filter(|rule| rule.name() == test.alertname);
    let firing = rules.flat_map(|rule| rule.alerts()).filter(|alert| alert.state == AlertState::Firing);
    let mut got: Vec<AlertText> = firing
        .map(|alert| AlertText {
            labels: alert.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
            annotations: alert.annotations.clone(),
        })
        .collect();
    let mut expected: Vec<AlertText> = test
        .exp_alerts
        .iter()
        .map(|alert| {
            let mut labels: BTreeMap<String, String> = alert.labels.iter().cloned().collect();
            labels.insert(ALERT_NAME.to_owned(), test.alertname.clone());
            AlertText { labels, annotations: alert.annotations.iter().cloned().collect() }
        })
        .collect();
    got.sort_unstable();
    expected.sort_unstable();
    (got != expected).then(|| TestFailure::Alerts {
        alertname: test.alertname.clone(),
        eval_time: test.eval_time,
        line: test.line,
        expected,
        got,
    })
}

/// The failure of an expectation about an expression, if it fails.
pub(super) fn value(
    query: &mut dyn QueryFn,
    test: &ExprTest,
    at: TimestampMs,
    fuzzy: bool,
) -> Option<TestFailure> {
    let failed = |error| TestFailure::Expression {
        expr: test.expr.clone(),
        eval_time: test.eval_time,
        line: test.line,
        error,
    };
    let mut got: Vec<ValueText> = match query.query(&test.expr, at) {
        Ok(samples) => samples.into_iter().map(shown).collect(),
        Err(error) => return Some(failed(error)),
    };
    let expected: Result<Vec<ValueText>, BoxError> = test.exp_samples.iter().map(expectation).collect();
    let mut expected = match expected {
        Ok(expected) => expected,
        Err(error) => return Some(failed(error)),
    };
    got.sort_by(|a, b| a.labels.cmp(&b.labels));
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    let equal = got.len() == expected.len() && got.iter().zip(&expected).all(|(a, b)| a.equals(b, fuzzy));
    (!equal).then(|| TestFailure::Value {
        expr: test.expr.clone(),
        eval_time: test.eval_time,
        line: test.line,
        expected,
        got,
    })
}

/// Why an expected element cannot be read.
#[derive(Debug, thiserror::Error)]
enum ExpectationError {
    #[error("labels {labels}: {message}")]
    Unreadable { labels: String, message: String },
    #[error("labels {labels}: expected 1 value, got {count}")]
    Count { labels: String, count: usize },
    #[error("labels {labels}: expected histogram, got {value}")]
    NoHistogram { labels: String, value: String },
}

fn expectation(sample: &ExpectedSample) -> Result<ValueText, BoxError> {
    let labels = || quote(&sample.labels);
    let read = |text: &str| {
        series_description(text)
            .map_err(|error| ExpectationError::Unreadable { labels: labels(), message: error.located(text) })
    };
    let series = read(sample.labels.trim())?;
    if sample.histogram.is_empty() {
        return Ok(ValueText { labels: series.labels, value: sample.value, histogram: None });
    }
    let values = read(&format!("{{}} {}", sample.histogram.trim()))?.values;
    let histogram = match values.as_slice() {
        [SequenceValue::Histogram { histogram, .. }] => histogram,
        [other] => {
            let value = match other {
                SequenceValue::Float(value) => go_float(*value),
                SequenceValue::Stale => "stale".to_owned(),
                _ => "_".to_owned(),
            };
            return Err(ExpectationError::NoHistogram { labels: labels(), value }.into());
        }
        _ => return Err(ExpectationError::Count { labels: labels(), count: values.len() }.into()),
    };
    Ok(ValueText { labels: series.labels, value: 0.0, histogram: Some(histogram.notation()) })
}

fn shown(sample: Sample) -> ValueText {
    let (value, histogram) = match sample.value {
        SampleValue::Float(value) => (value, None),
        SampleValue::Histogram(histogram) => (0.0, Some(histogram.notation())),
    };
    ValueText { labels: sample.labels, value, histogram }
}

impl ValueText {
    /// Whether it is what was expected. A NaN equals nothing, as in promtool.
    fn equals(&self, other: &ValueText, fuzzy: bool) -> bool {
        let (a, b) = (self.value, other.value);
        let near = fuzzy && (a.next_down() == b || a.next_up() == b);
        self.labels == other.labels && self.histogram == other.histogram && (a == b || near)
    }
}

impl fmt::Display for ValueText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.labels)?;
        match &self.histogram {
            Some(histogram) => f.write_str(histogram),
            None => f.write_str(&scientific(self.value)),
        }
    }
}

impl fmt::Display for AlertText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |f: &mut fmt::Formatter<'_>, map: &BTreeMap<String, String>| {
            for (index, (name, value)) in map.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                write!(f, "{comma}{name}={}", quote(value))?;
            }
            f.write_str("}")
        };
        f.write_str("Labels:{")?;
        pairs(f, &self.labels)?;
        f.write_str("\nAnnotations:{")?;
        pairs(f, &self.annotations)
    }
}

/// `1E+00`: as promtool prints numbers.
fn scientific(value: f64) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let text = format!("{value:E}");
    let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}E{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_histograms_are_shown_as_promtool_shows_them() {
        for (value, text) in [(1.0, "1E+00"), (-0.5, "-5E-01"), (1234.5, "1.2345E+03"), (f64::NAN, "NaN")] {
            assert_eq!(scientific(value), text);
        }
        let written = "{{schema:1 count:32.1 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5.1 10 7] n_offset:-5 n_buckets:[4.1 5]}}";
        let values = series_description(&format!("x {written}")).unwrap().values;
        let [SequenceValue::Histogram { histogram, .. }] = values.as_slice() else { panic!("one histogram") };
        assert_eq!(histogram.notation(), written);
    }
}
