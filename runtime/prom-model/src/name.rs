//! Which metric and label names are valid, under the legacy rules and under the UTF-8 rules of Prometheus 3.

use std::fmt;

/// The rules that names are checked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NameScheme {
    /// Letters, digits, `_` and (metric names only) `:`, not starting with a digit: Prometheus 2.
    Legacy,
    /// Any text that is not empty: the default of Prometheus 3.
    #[default]
    Utf8,
}

impl NameScheme {
    /// Whether `name` may be a metric name.
    pub fn is_valid_metric_name(self, name: &str) -> bool {
        match self {
            NameScheme::Legacy => is_legacy(name, true),
            NameScheme::Utf8 => !name.is_empty(),
        }
    }

    /// Whether `name` may be a label name.
    pub fn is_valid_label_name(self, name: &str) -> bool {
        match self {
            NameScheme::Legacy => is_legacy(name, false),
            NameScheme::Utf8 => !name.is_empty(),
        }
    }
}

fn is_legacy(name: &str, colon: bool) -> bool {
    let first_ok = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    first_ok && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || (colon && b == b':'))
}

/// A metric name that passed the rules it was made with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName(String);

/// A text that is no metric name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a valid metric name")]
pub struct NameError {
    /// The text that was refused.
    pub name: String,
}

impl MetricName {
    /// Checks `name` by the rules of `scheme`.
    pub fn new(name: &str, scheme: NameScheme) -> Result<Self, NameError> {
        if scheme.is_valid_metric_name(name) {
            Ok(MetricName(name.to_owned()))
        } else {
            Err(NameError { name: name.to_owned() })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name needs no quotes in PromQL.
    pub fn is_legacy(&self) -> bool {
        is_legacy(&self.0, true)
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_rules() {
        for good in ["up", "_", "a:b", ":x", "A9"] {
            assert!(NameScheme::Legacy.is_valid_metric_name(good), "{good}");
        }
        for bad in ["", "9a", "a-b", "a b", "é"] {
            assert!(!NameScheme::Legacy.is_valid_metric_name(bad), "{bad}");
        }
        assert!(!NameScheme::Legacy.is_valid_label_name("a:b"));
        assert!(NameScheme::Legacy.is_valid_label_name("__name__"));
    }

    #[test]
    fn utf8_rules_refuse_only_the_empty_name() {
        assert!(NameScheme::Utf8.is_valid_label_name("my.label-é"));
        assert!(NameScheme::Utf8.is_valid_metric_name("9"));
        assert_eq!(MetricName::new("", NameScheme::Utf8), Err(NameError { name: String::new() }));
        assert!(!MetricName::new("my.metric", NameScheme::Utf8).unwrap().is_legacy());
    }
}
