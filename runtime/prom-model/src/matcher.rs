//! Label matchers: the `job="api"` and `path=~"/v1/.*"` of a selector.

use std::fmt;

use crate::labels::write_label_name;
use crate::{GoRegex, GoRegexError, Labels, quote};

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, the whole value
    Regex,
    /// `!~`, the whole value
    NotRegex,
}

impl MatchOp {
    /// The operator as PromQL writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }

    /// The operator that matches exactly the other values.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            MatchOp::Equal => MatchOp::NotEqual,
            MatchOp::NotEqual => MatchOp::Equal,
            MatchOp::Regex => MatchOp::NotRegex,
            MatchOp::NotRegex => MatchOp::Regex,
        }
    }
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    op: MatchOp,
    name: String,
    value: String,
    regex: Option<GoRegex>,
}

impl Matcher {
    /// Makes a matcher; the regex operators compile `value` by the rules of Prometheus 3.
    pub fn new(op: MatchOp, name: impl Into<String>, value: impl Into<String>) -> Result<Self, GoRegexError> {
        let value = value.into();
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(GoRegex::new(&value)?),
        };
        Ok(Matcher { op, name: name.into(), value, regex })
    }

    /// Makes the matcher `name="value"`, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher { op: MatchOp::Equal, name: name.into(), value: value.into(), regex: None }
    }

    /// How it compares.
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value or the regular expression, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The compiled expression of a regex matcher.
    pub fn regex(&self) -> Option<&GoRegex> {
        self.regex.as_ref()
    }

    /// Whether a label value satisfies it; an absent label has the empty value.
    pub fn matches(&self, value: &str) -> bool {
        match (&self.regex, self.op) {
            (Some(regex), MatchOp::NotRegex) => !regex.is_match(value),
            (Some(regex), _) => regex.is_match(value),
            (None, MatchOp::NotEqual) => value != self.value,
            (None, _) => value == self.value,
        }
    }

    /// Whether a label set satisfies it.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.value(&self.name))
    }

    /// Whether series without the label satisfy it.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The matcher for exactly the other values.
    #[must_use]
    pub fn inverse(mut self) -> Self {
        self.op = self.op.inverse();
        self
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_label_name(f, &self.name)?;
        write!(f, "{}{}", self.op, quote(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_and_its_inverse() {
        for (op, value, hit, miss) in [
            (MatchOp::Equal, "a", "a", "b"),
            (MatchOp::NotEqual, "a", "b", "a"),
            (MatchOp::Regex, "a|b.*", "bcd", "xa"),
            (MatchOp::NotRegex, "a|b.*", "xa", "bcd"),
        ] {
            let matcher = Matcher::new(op, "job", value).unwrap();
            assert!(matcher.matches(hit) && !matcher.matches(miss), "{matcher}");
            let inverse = matcher.inverse();
            assert!(!inverse.matches(hit) && inverse.matches(miss), "{inverse}");
        }
    }

    #[test]
    fn an_absent_label_is_the_empty_value() {
        let labels = Labels::from([("job", "a")]);
        assert!(Matcher::equal("zone", "").matches_labels(&labels));
        assert!(Matcher::new(MatchOp::Regex, "zone", ".*").unwrap().matches_empty());
        assert!(!Matcher::new(MatchOp::Regex, "zone", ".+").unwrap().matches_labels(&labels));
    }

    #[test]
    fn prints_as_promql() {
        assert_eq!(Matcher::equal("a.b", "x\"").to_string(), r#""a.b"="x\"""#);
        assert_eq!(Matcher::new(MatchOp::NotRegex, "job", r"\d").unwrap().to_string(), r#"job!~"\\d""#);
        assert!(Matcher::new(MatchOp::Regex, "job", "(").is_err());
    }
}
