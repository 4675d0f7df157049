//! Lists: elements that have a name are matched by it, flags by their flag, the rest by their order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::Walk;

/// Keys that name an element among its siblings, the most telling first.
const NAMES: [&str; 9] =
    ["mountPath", "name", "job_name", "alert", "record", "containerPort", "port", "key", "host"];

impl Walk<'_> {
    pub(super) fn lists(&mut self, field: &str, before: &[Value], after: &[Value]) {
        if let (Some(before), Some(after)) = named(before, after) {
            return self.named_lists(field, &before, &after);
        }
        let scalars = |list: &[Value]| list.iter().all(|value| !value.is_object() && !value.is_array());
        if scalars(before) && scalars(after) {
            return self.scalar_lists(field, before, after);
        }
        self.ordered_lists(field, before, after);
    }

    fn named_lists(&mut self, field: &str, before: &[(String, &Value)], after: &[(String, &Value)]) {
        let index = |list: &[(String, &Value)]| -> BTreeMap<String, usize> {
            list.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect()
        };
        let (first, second) = (index(before), index(after));
        let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
        for name in names {
            let field = format!("{field}[{name}]");
            match (first.get(name), second.get(name)) {
                (Some(a), Some(b)) => self.values(&field, before[*a].1, after[*b].1),
                (a, b) => self.push(&field, a.map(|at| before[*at].1), b.map(|at| after[*at].1)),
            }
        }
    }

    /// Lists of plain values: what is gone and what is new; `--flag=a` against `--flag=b` is a change of that flag.
    fn scalar_lists(&mut self, field: &str, before: &[Value], after: &[Value]) {
        if before == after {
            return;
        }
        let mut gone: Vec<&Value> = before.iter().collect();
        let mut new: Vec<&Value> = Vec::new();
        for value in after {
            match gone.iter().position(|other| *other == value) {
                Some(at) => {
                    gone.remove(at);
                }
                None => new.push(value),
            }
        }
        let is_flag = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("--"));
        if gone.is_empty() && new.is_empty() {
            // Flags may stand in any order; other lists, such as commands, may not.
            if !before.iter().all(is_flag) {
                self.push(field, Some(&Value::from(before)), Some(&Value::from(after)));
            }
            return;
        }
        for value in gone {
            let paired = flag(value).and_then(|(name, old)| {
                let at = new.iter().position(|other| flag(other).is_some_and(|(other, _)| other == name))?;
                let (_, fresh) = flag(new.remove(at))?;
                Some((name, old, fresh))
            });
            match paired {
                Some((name, old, fresh)) => {
                    self.push(&format!("{field}[{name}]"), Some(&old.into()), Some(&fresh.into()));
                }
                None => self.push(&format!("{field}[]"), Some(value), None),
            }
        }
        for value in new {
            self.push(&format!("{field}[]"), None, Some(value));
        }
    }

    /// Lists whose order means something, such as relabelling rules: aligned, then compared pair by pair.
    fn ordered_lists(&mut self, field: &str, before: &[Value], after: &[Value]) {
        let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<Vec<_>>();
        let (first, second) = (texts(before), texts(after));
        for operation in capture_diff_slices(Algorithm::Myers, &first, &second) {
            if matches!(operation, DiffOp::Equal { .. }) {
                continue;
            }
            let (old, new) = (operation.old_range(), operation.new_range());
            let pairs = old.len().min(new.len());
            for (a, b) in old.clone().zip(new.clone()) {
                self.values(&format!("{field}[{b}]"), &before[a], &after[b]);
            }
            for a in old.skip(pairs) {
                self.push(&format!("{field}[{a}]"), Some(&before[a]), None);
            }
            for b in new.skip(pairs) {
                self.push(&format!("{field}[{b}]"), None, Some(&after[b]));
            }
        }
    }
}

type Named<'a> = Option<Vec<(String, &'a Value)>>;

/// Both lists by name, when every element of both has one under the same key.
fn named<'a>(before: &'a [Value], after: &'a [Value]) -> (Named<'a>, Named<'a>) {
    if before.is_empty() && after.is_empty() {
        return (None, None);
    }
    // Rules of one group are named by `alert` or by `record`.
    let rules = |value: &'a Value| id(value, "alert").or_else(|| id(value, "record"));
    let nested = |value: &'a Value| id(value.get("metadata")?, "name");
    for key in NAMES {
        let both = (names(before, |value| id(value, key)), names(after, |value| id(value, key)));
        if both.0.is_some() && both.1.is_some() {
            return both;
        }
    }
    let both = (names(before, rules), names(after, rules));
    if both.0.is_some() && both.1.is_some() {
        return both;
    }
    (names(before, nested), names(after, nested))
}

fn id(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Names for all elements; the second of two equal names gets `#2` behind it.
fn names<'a>(list: &'a [Value], id: impl Fn(&'a Value) -> Option<String>) -> Named<'a> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    list.iter()
        .map(|value| {
            let name = id(value)?;
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            Some((if *count > 1 { format!("{name}#{count}") } else { name }, value))
        })
        .collect()
}

/// `--name=value` in two parts.
fn flag(value: &Value) -> Option<(&str, &str)> {
    value.as_str().filter(|text| text.starts_with("--"))?.split_once('=')
}
