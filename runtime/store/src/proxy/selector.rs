//! Which label sets a proxy is for (`--selector.relabel-config`), and the matchers that keep others out.

use std::collections::{BTreeMap, BTreeSet};

use prom_model::{RelabelConfig, process};
use storeapi::LabelBytes;
use storeapi::thanos::LabelMatcher;
use storeapi::thanos::label_matcher::Type;

/// Relabelling rules as a filter of label sets: what they drop is not asked.
#[derive(Debug, Clone, Default)]
pub struct TsdbSelector {
    rules: Vec<RelabelConfig>,
}

impl TsdbSelector {
    /// A selector of what these rules keep; without rules, of everything.
    pub fn new(rules: Vec<RelabelConfig>) -> Self {
        TsdbSelector { rules }
    }

    /// The label sets of a store that are selected: all of them where there are no rules, or where the store has none.
    /// `None` where the store has none that is selected.
    pub(super) fn select<'a>(&self, sets: &'a [LabelBytes]) -> Option<Vec<&'a LabelBytes>> {
        if self.rules.is_empty() || sets.is_empty() {
            return Some(sets.iter().collect());
        }
        let kept: Vec<_> =
            sets.iter().filter(|set| process(&self.rules, set.to_labels()).is_some()).collect();
        (!kept.is_empty()).then_some(kept)
    }

    /// Whether anything may be left out.
    pub(super) fn selects_all(&self) -> bool {
        self.rules.is_empty()
    }
}

/// Matchers that series of these label sets satisfy and those of others do not: for each name its values, or none at all where a
/// set has no such label.
pub(super) fn matchers_for(sets: &BTreeSet<LabelBytes>) -> Vec<LabelMatcher> {
    let mut values: BTreeMap<&[u8], BTreeSet<&[u8]>> = BTreeMap::new();
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (name, value) in sets.iter().flat_map(LabelBytes::iter) {
        values.entry(name).or_default().insert(value);
        *counts.entry(name).or_default() += 1;
    }
    let matcher = |(name, its): (&[u8], BTreeSet<&[u8]>)| {
        let everywhere = counts.get(name) == Some(&sets.len());
        let absent = (!everywhere).then(|| "^$".to_owned());
        let values: Vec<String> =
            its.iter().map(|value| escaped(&String::from_utf8_lossy(value))).chain(absent).collect();
        LabelMatcher {
            r#type: Type::Re.into(),
            name: String::from_utf8_lossy(name).into_owned(),
            value: values.join("|"),
        }
    };
    values.into_iter().map(matcher).collect()
}

/// A text as an expression that matches it and nothing else. (Thanos puts the text in as it is: a value with a `+` selects
/// nothing there.)
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use prom_model::{MatchOp, Matcher};

    use super::*;

    fn set(pairs: &[(&str, &str)]) -> LabelBytes {
        LabelBytes::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    #[test]
    fn each_name_gets_its_values_and_the_empty_one_where_a_set_lacks_it() {
        let sets = BTreeSet::from([set(&[("a", "1"), ("b", "x")]), set(&[("a", "2.0")])]);
        let matchers = matchers_for(&sets);
        let texts: Vec<_> = matchers.iter().map(|matcher| (&*matcher.name, &*matcher.value)).collect();
        assert_eq!(texts, [("a", r"1|2\.0"), ("b", "x|^$")]);
        assert!(Matcher::new(MatchOp::Regex, "b", "x|^$").expect("compiles").matches_empty());
    }
}
