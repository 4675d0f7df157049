//! What differs between two rendered trees, in terms of objects and fields; file layout and key order do not count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

mod list;
mod objects;
mod redact;
mod text;
mod unified;

pub use text::human;
pub use unified::unified;

/// A rendered tree: path to text.
pub type Files = BTreeMap<String, String>;

/// What became of an object or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only in the second tree.
    Added,
    /// Only in the first tree.
    Removed,
    /// In both, with different values.
    Changed,
}

impl Kind {
    /// The lower-case word for machines.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
        }
    }
}

/// One difference. Secret values are covered already.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What happened.
    pub kind: Kind,
    /// `Kind/namespace/name`, or the path of a file that holds no object.
    pub object: String,
    /// Dotted path of the field, list elements by name: `spec.template.spec.containers[prometheus].image`.
    /// Empty when the whole object came or went.
    pub field: String,
    /// Value in the first tree.
    pub before: Option<Value>,
    /// Value in the second tree.
    pub after: Option<Value>,
}

/// Compares two trees.
pub fn compare(before: &Files, after: &Files) -> Vec<Change> {
    let (before, after) = objects::pair(before, after);
    let mut changes = Vec::new();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for object in keys {
        let whole =
            |kind| Change { kind, object: object.clone(), field: String::new(), before: None, after: None };
        match (before.get(object), after.get(object)) {
            (Some(before), Some(after)) => {
                let mut walk = Walk { object, changes: &mut changes };
                walk.values("", before, after);
            }
            (Some(_), None) => changes.push(whole(Kind::Removed)),
            (None, _) => changes.push(whole(Kind::Added)),
        }
    }
    for change in &mut changes {
        redact::cover(change);
    }
    changes
}

/// One JSON object per line: `change`, `object`, `field`, `before`, `after`.
pub fn json(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let line = json!({
            "change": change.kind.word(),
            "object": change.object,
            "field": change.field,
            "before": change.before,
            "after": change.after,
        });
        out.push_str(&line.to_string());
        out.push('\n');
    }
    out
}

/// The descent through two values of one object.
struct Walk<'a> {
    object: &'a str,
    changes: &'a mut Vec<Change>,
}

impl Walk<'_> {
    fn push(&mut self, field: &str, before: Option<&Value>, after: Option<&Value>) {
        let kind = match (before, after) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        self.changes.push(Change {
            kind,
            object: self.object.to_string(),
            field: field.to_string(),
            before: before.cloned(),
            after: after.cloned(),
        });
    }

    fn values(&mut self, field: &str, before: &Value, after: &Value) {
        match (before, after) {
            (Value::Object(a), Value::Object(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    let field = member(field, key);
                    match (a.get(key), b.get(key)) {
                        (Some(a), Some(b)) => self.values(&field, a, b),
                        (a, b) => self.push(&field, a, b),
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) => self.lists(field, a, b),
            (a, b) if same_scalar(a, b) => {}
            (a, b) => self.push(field, Some(a), Some(b)),
        }
    }
}

/// Whether two scalars are one value; `1` and `1.0` are.
fn same_scalar(a: &Value, b: &Value) -> bool {
    a == b
        || matches!((a, b), (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() && a.is_f64() != b.is_f64())
}

/// The path of a key below `field`; keys that hold dots or brackets are quoted.
fn member(field: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match (field.is_empty(), plain) {
        (true, true) => key.to_string(),
        (false, true) => format!("{field}.{key}"),
        (_, false) => format!("{field}[{}]", Value::from(key)),
    }
}

#[cfg(test)]
mod tests;
