//! A series' labels: sorted by name, each name once, no empty values.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{METRIC_NAME, NameScheme, quote};

/// One name and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The label's name.
    pub name: String,
    /// The label's value, never empty inside [`Labels`].
    pub value: String,
}

/// A set of labels, sorted by name.
///
/// In Prometheus an empty value means that the label is absent, so empty values are never kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Vec<Label>);

impl Labels {
    /// Makes the empty set.
    pub const fn new() -> Self {
        Labels(Vec::new())
    }

    /// The value of the label, or `None` where it is absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.position(name).ok().and_then(|at| self.0.get(at)).map(|label| label.value.as_str())
    }

    /// The value of the label, or the empty text where it is absent, as matchers see it.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric name, if there is one.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        if value.is_empty() {
            self.remove(&name);
            return;
        }
        match self.position(&name) {
            Ok(at) => self.0[at].value = value,
            Err(at) => self.0.insert(at, Label { name, value }),
        }
    }

    /// Removes a label and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.position(name).ok().map(|at| self.0.remove(at).value)
    }

    /// The labels in order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// The labels in order of their names, as a slice.
    pub fn as_slice(&self) -> &[Label] {
        &self.0
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|label| label.name.as_str().cmp(name))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    /// Collects pairs in any order; of two pairs with one name the later wins.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let sorted: BTreeMap<String, String> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let label = |(name, value)| Label { name, value };
        Labels(sorted.into_iter().filter(|(_, value)| !value.is_empty()).map(label).collect())
    }
}

impl<N: Into<String>, V: Into<String>, const LEN: usize> From<[(N, V); LEN]> for Labels {
    fn from(pairs: [(N, V); LEN]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Labels {
    type Item = Label;
    type IntoIter = std::vec::IntoIter<Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Labels {
    /// Prints `{a="b", c="d"}` as Prometheus does; names outside the legacy alphabet stand in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, label) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write_label_name(f, &label.name)?;
            write!(f, "={}", quote(&label.value))?;
        }
        f.write_str("}")
    }
}

/// Writes a label name, in quotes unless it is a legacy name.
pub(crate) fn write_label_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if NameScheme::Legacy.is_valid_label_name(name) { f.write_str(name) } else { f.write_str(&quote(name)) }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for label in self {
            map.serialize_entry(&label.name, &label.value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<String, String>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_drops_empty_values() {
        let mut labels = Labels::from([("job", "node"), ("__name__", "up"), ("empty", ""), ("job", "api")]);
        assert_eq!(labels.to_string(), r#"{__name__="up", job="api"}"#);
        labels.set("a.b", "x\"y");
        labels.set("job", "");
        assert_eq!(labels.to_string(), r#"{__name__="up", "a.b"="x\"y"}"#);
        assert_eq!((labels.metric_name(), labels.value("job"), labels.get("job")), (Some("up"), "", None));
    }
}
