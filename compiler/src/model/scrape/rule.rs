//! A relabelling rule as it is written; what is not written stays unwritten, unlike in the evaluated form.

use prom_model::{Dot, GoRegex, NameScheme, RelabelAction, RelabelConfig};
use serde::{Deserialize, Deserializer, Serialize};

use crate::topology::nodes::scrape::{MetricRelabelRule, RelabelRule};

/// A member of `relabel_configs` or `metric_relabel_configs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct Rule {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text")]
    pub separator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text")]
    pub target_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "pattern")]
    pub regex: Option<Pattern>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modulus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text")]
    pub replacement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<RelabelAction>,
}

/// An expression as it stands in YAML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Pattern {
    /// A string.
    Text(String),
    /// `regex: true` without quotes, which Prometheus reads as the text; only `bare` writes it.
    Word(bool),
}

impl Pattern {
    /// The expression as Prometheus reads it.
    pub fn as_text(&self) -> &str {
        match self {
            Pattern::Text(text) => text,
            Pattern::Word(true) => "true",
            Pattern::Word(false) => "false",
        }
    }
}

/// Reads what Prometheus takes for a string: any scalar.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    use serde_json::Value;
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err(serde::de::Error::custom("expected a string")),
    }
}

fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pattern>, D::Error> {
    Ok(text(deserializer)?.map(Pattern::Text))
}

impl Rule {
    fn of(action: RelabelAction, sources: &[&str]) -> Rule {
        Rule {
            source_labels: sources.iter().map(|source| source.to_string()).collect(),
            action: (action != RelabelAction::Replace).then_some(action),
            ..Rule::default()
        }
    }

    /// Copies a label.
    pub fn copy(source: &str, target: &str) -> Rule {
        Rule { target_label: Some(target.into()), ..Rule::of(RelabelAction::Replace, &[source]) }
    }

    /// Sets a label to a fixed text.
    pub fn set(target: &str, value: &str) -> Rule {
        Rule {
            target_label: Some(target.into()),
            // A dollar sign would start a reference.
            replacement: Some(value.replace('$', "$$")),
            ..Rule::default()
        }
    }

    /// Writes `replacement` where `regex` matches.
    pub fn rewrite(sources: &[&str], regex: &str, target: &str, replacement: &str) -> Rule {
        Rule {
            target_label: Some(target.into()),
            replacement: Some(replacement.into()),
            ..Rule::of(RelabelAction::Replace, sources)
        }
        .matching(regex)
    }

    /// Keeps targets whose joined labels match.
    pub fn keep(sources: &[&str], regex: &str) -> Rule {
        Rule::of(RelabelAction::Keep, sources).matching(regex)
    }

    /// Drops targets whose joined labels match.
    pub fn drop(sources: &[&str], regex: &str) -> Rule {
        Rule::of(RelabelAction::Drop, sources).matching(regex)
    }

    /// Copies labels whose name matches to the name that the first group captured.
    pub fn labelmap(regex: &str) -> Rule {
        Rule::of(RelabelAction::LabelMap, &[]).matching(regex)
    }

    /// Removes labels whose name matches.
    pub fn labeldrop(regex: &str) -> Rule {
        Rule::of(RelabelAction::LabelDrop, &[]).matching(regex)
    }

    /// Writes the hash of the joined labels.
    pub fn hashmod(sources: &[String], modulus: u64, target: &str) -> Rule {
        Rule {
            source_labels: sources.to_vec(),
            target_label: Some(target.into()),
            modulus: Some(modulus),
            ..Rule::of(RelabelAction::HashMod, &[])
        }
    }

    /// The same rule with another expression.
    pub fn matching(mut self, regex: &str) -> Rule {
        self.regex = Some(Pattern::Text(regex.into()));
        self
    }

    /// What the rule does.
    pub fn action(&self) -> RelabelAction {
        self.action.unwrap_or_default()
    }

    /// The label that it writes, if it writes one.
    pub fn writes(&self) -> Option<&str> {
        use RelabelAction as A;
        let writes = matches!(self.action(), A::Replace | A::HashMod | A::Lowercase | A::Uppercase);
        self.target_label.as_deref().filter(|_| writes)
    }

    /// The rule as Prometheus of this major version evaluates it, or why it refuses it.
    pub fn compile(&self, major: u32) -> Result<RelabelConfig, String> {
        let (dot, scheme) = match major {
            0..3 => (Dot::AnyButNewline, NameScheme::Legacy),
            _ => (Dot::Any, NameScheme::Utf8),
        };
        let mut config = RelabelConfig {
            source_labels: self.source_labels.clone(),
            target_label: self.target_label.clone().unwrap_or_default(),
            modulus: self.modulus.unwrap_or(0),
            action: self.action(),
            ..RelabelConfig::default()
        };
        if let Some(separator) = &self.separator {
            config.separator.clone_from(separator);
        }
        if let Some(replacement) = &self.replacement {
            config.replacement.clone_from(replacement);
        }
        if let Some(pattern) = &self.regex {
            config.regex = GoRegex::with_dot(pattern.as_text(), dot).map_err(|error| error.to_string())?;
        }
        config.validate(scheme).map_err(|error| error.to_string())?;
        Ok(config)
    }
}

macro_rules! from_node {
    ($($node:ty),+) => { $(
        impl From<&$node> for Rule {
            fn from(node: &$node) -> Rule {
                let action: RelabelAction = node.action.value.word().parse().unwrap_or_default();
                Rule {
                    source_labels: node.from.as_ref().map_or_else(Vec::new, |from| from.value.0.clone()),
                    separator: node.separator.as_ref().map(|separator| separator.value.clone()),
                    target_label: node.to.as_ref().map(|to| to.value.clone()),
                    regex: node.regex.as_ref().map(|regex| Pattern::Text(regex.value.0.clone())),
                    modulus: node.modulus.as_ref().map(|modulus| modulus.value),
                    replacement: node.replacement.as_ref().map(|text| text.value.0.clone()),
                    action: (action != RelabelAction::Replace).then_some(action),
                }
            }
        }
    )+ };
}
from_node!(RelabelRule, MetricRelabelRule);

/// A text as an expression that matches just this text.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Texts as an expression that matches each of them and nothing else.
pub fn any_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(literal).collect::<Vec<_>>().join("|")
}

/// A Kubernetes label or annotation name as it appears in `__meta_` labels.
pub fn meta_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_that_are_no_strings_are_read_as_prometheus_reads_them() {
        let rule: Rule = serde_json::from_value(serde_json::json!({
            "source_labels": ["a"], "regex": true, "action": "KEEP", "replacement": 1
        }))
        .expect("legal rule");
        assert_eq!(rule.regex, Some(Pattern::Text("true".into())));
        assert_eq!((rule.action(), rule.replacement.as_deref()), (RelabelAction::Keep, Some("1")));
    }

    #[test]
    fn fixed_texts_never_become_references() {
        let rule = Rule::set("team", "a$1").compile(3).expect("legal rule");
        let labels = prom_model::process(&[rule], prom_model::Labels::new()).expect("kept");
        assert_eq!(labels.value("team"), "a$1");
        let rule = Rule::keep(&["a"], &any_of(["x.y", "z"])).compile(2).expect("legal rule");
        assert!(rule.regex.is_match("x.y") && rule.regex.is_match("z") && !rule.regex.is_match("xay"));
    }

    #[test]
    fn what_prometheus_refuses_is_refused() {
        let broken = Rule::keep(&["a"], "(");
        assert!(broken.compile(3).is_err());
        let nameless = Rule { target_label: None, ..Rule::copy("a", "b") };
        assert!(nameless.compile(3).is_err());
    }
}
