//! `--rewrite.to-delete-config`: which samples of which series go.

use anyhow::{Context, bail};
use block::rebuild::DeletionRequest;
use block::{Deletion, Interval};
use prom_model::{MatchOp, Matcher, RelabelConfig};
use promql_syntax::Expr;
use serde::Deserialize;
use serde_json::{Value, json};

/// The requests of the file, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(Vec<Request>);

#[derive(Debug, Clone)]
struct Request {
    matchers: Vec<Matcher>,
    intervals: Vec<Interval>,
    request_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Yaml {
    matchers: String,
    #[serde(default)]
    intervals: Vec<YamlInterval>,
    #[serde(default)]
    request_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct YamlInterval {
    mint: i64,
    maxt: i64,
}

impl Requests {
    /// Reads the YAML.
    pub(super) fn parse(yaml: &str) -> anyhow::Result<Self> {
        let requests: Vec<Yaml> =
            serde_saphyr::from_str(yaml).context("no list of `matchers` and `intervals`")?;
        let read = |request: Yaml| {
            let matchers = matchers(&request.matchers)?;
            if let Some(wrong) = request.intervals.iter().find(|interval| interval.mint > interval.maxt) {
                bail!("interval from {} to {} ends before it begins", wrong.mint, wrong.maxt);
            }
            let intervals = request
                .intervals
                .into_iter()
                .map(|interval| Interval { min_time: interval.mint, max_time: interval.maxt })
                .collect();
            Ok(Request { matchers, intervals, request_id: request.request_id })
        };
        Ok(Requests(requests.into_iter().map(read).collect::<anyhow::Result<_>>()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is written into meta.json, in the shape of Go's structs.
    pub(super) fn applied(&self) -> Vec<Deletion> {
        let one = |request: &Request| Deletion {
            matchers: request.matchers.iter().map(matcher_json).collect(),
            intervals: request.intervals.clone(),
            request_id: request.request_id.clone(),
            ..Deletion::default()
        };
        self.0.iter().map(one).collect()
    }

    pub(super) fn into_requests(self) -> Vec<DeletionRequest> {
        let one =
            |request: Request| DeletionRequest { matchers: request.matchers, intervals: request.intervals };
        self.0.into_iter().map(one).collect()
    }
}

/// Reads a selector, as in `{job="a",instance=~"b.*"}`.
fn matchers(text: &str) -> anyhow::Result<Vec<Matcher>> {
    let (parsed, errors) = promql_syntax::parse(text);
    if let Some(error) = errors.first() {
        bail!("matchers `{text}`: {error}");
    }
    match parsed {
        Some(Expr::Vector(selector)) if !selector.matchers.is_empty() => Ok(selector.matchers),
        _ => bail!("matchers `{text}` are no selector; write it as '{{job=\"a\"}}'"),
    }
}

fn matcher_json(matcher: &Matcher) -> Value {
    let kind = match matcher.op() {
        MatchOp::Equal => 0,
        MatchOp::NotEqual => 1,
        MatchOp::Regex => 2,
        MatchOp::NotRegex => 3,
    };
    json!({ "Type": kind, "Name": matcher.name(), "Value": matcher.value() })
}

/// A rule with every field that has no default in Go's JSON.
pub(super) fn relabel_json(rule: &RelabelConfig) -> Value {
    let mut fields = serde_json::Map::new();
    if !rule.source_labels.is_empty() {
        fields.insert("source_labels".to_owned(), json!(rule.source_labels));
    }
    fields.insert("separator".to_owned(), json!(rule.separator));
    fields.insert("regex".to_owned(), json!(rule.regex.as_str()));
    if rule.modulus != 0 {
        fields.insert("modulus".to_owned(), json!(rule.modulus));
    }
    if !rule.target_label.is_empty() {
        fields.insert("target_label".to_owned(), json!(rule.target_label));
    }
    fields.insert("replacement".to_owned(), json!(rule.replacement));
    fields.insert("action".to_owned(), json!(rule.action.as_str()));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_selectors_with_intervals() {
        let requests = Requests::parse(
            "- matchers: '{job=\"a\", instance=~\"b.*\"}'\n  intervals:\n  - mint: 1\n    maxt: 2\n- matchers: up\n  request_id: x\n",
        )
        .unwrap();
        let applied = serde_json::to_value(requests.applied()).unwrap();
        assert_eq!(
            applied,
            json!([
                {"matchers": [{"Type": 0, "Name": "job", "Value": "a"}, {"Type": 2, "Name": "instance", "Value": "b.*"}],
                    "intervals": [{"Mint": 1, "Maxt": 2}]},
                {"matchers": [{"Type": 0, "Name": "__name__", "Value": "up"}], "request_id": "x"},
            ])
        );
        for (yaml, why) in [
            ("matchers: up", "no list of"),
            ("- matchers: 'sum(up)'", "are no selector"),
            ("- matchers: '{job='", "matchers `{job=`"),
            ("- matchers: up\n  interval: []", "no list of"),
            ("- matchers: up\n  intervals: [{mint: 3, maxt: 2}]", "ends before it begins"),
        ] {
            let error = format!("{:#}", Requests::parse(yaml).unwrap_err());
            assert!(error.contains(why), "{yaml}: {error}");
        }
    }
}
