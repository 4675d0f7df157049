//! Puts the values of holes into a parsed tree, and remembers where each one went.

use std::ops::Range;

use serde_json::{Map, Value};

use super::super::pointer;
use super::{Hole, Rendered, TemplateError};

/// Encloses the number of a hole; templates that contain these characters are refused, and values never meet them.
pub(super) const OPEN: char = '\u{E000}';
pub(super) const CLOSE: char = '\u{E001}';

/// The expression that a hole stands for.
pub(super) struct Origin {
    pub(super) expr: String,
    pub(super) template: String,
    pub(super) line: usize,
    pub(super) span: Range<usize>,
}

impl Origin {
    fn error(self, what: &str) -> TemplateError {
        let message = format!("`<< {} >>` {what}", self.expr);
        TemplateError { template: self.template, line: self.line, span: Some(self.span), message }
    }
}

pub(super) fn push_placeholder(text: &mut String, hole: usize) {
    text.push(OPEN);
    text.push_str(&hole.to_string());
    text.push(CLOSE);
}

/// Replaces the placeholders of `documents` by `values` and leaves null entries out.
pub(super) fn splice(
    documents: Vec<Value>,
    values: Vec<Value>,
    origin: impl Fn(usize) -> Origin,
) -> Result<Rendered, TemplateError> {
    let mut splicer = Splicer {
        seen: vec![false; values.len()],
        values,
        origin,
        document: 0,
        pointer: String::new(),
        holes: Vec::new(),
    };
    let mut objects = Vec::with_capacity(documents.len());
    for document in documents {
        splicer.document = objects.len();
        if let Spliced::Value(object) = splicer.value(document)? {
            objects.push(object);
        }
    }
    if let Some(lost) = splicer.seen.iter().position(|seen| !seen) {
        return Err(
            (splicer.origin)(lost).error("stands where YAML reads no value, for instance in a comment")
        );
    }
    Ok(Rendered { objects, holes: splicer.holes })
}

struct Splicer<F> {
    values: Vec<Value>,
    seen: Vec<bool>,
    origin: F,
    document: usize,
    pointer: String,
    holes: Vec<Hole>,
}

enum Spliced {
    Value(Value),
    /// A null that the template wrote itself.
    Null,
    /// A null that a hole printed.
    NullHole,
}

impl<F: Fn(usize) -> Origin> Splicer<F> {
    fn value(&mut self, value: Value) -> Result<Spliced, TemplateError> {
        Ok(match value {
            Value::Null => Spliced::Null,
            Value::String(text) => match hole_in(&text) {
                None => Spliced::Value(Value::String(text)),
                Some((hole, true)) => self.hole(hole),
                Some((hole, false)) => {
                    return Err((self.origin)(hole)
                        .error("is part of a longer text; a hole is one whole value: build the text with `~` in the expression"));
                }
            },
            Value::Array(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for item in items {
                    let outer = self.pointer.len();
                    pointer::push_index(&mut self.pointer, kept.len());
                    match self.value(item)? {
                        Spliced::Value(item) => kept.push(item),
                        Spliced::Null => kept.push(Value::Null),
                        Spliced::NullHole => {}
                    }
                    self.pointer.truncate(outer);
                }
                Spliced::Value(Value::Array(kept))
            }
            Value::Object(entries) => {
                let mut kept = Map::with_capacity(entries.len());
                for (key, entry) in entries {
                    if let Some((hole, _)) = hole_in(&key) {
                        return Err((self.origin)(hole)
                            .error("is a mapping key; write the whole mapping as one hole"));
                    }
                    let outer = self.pointer.len();
                    pointer::push_key(&mut self.pointer, &key);
                    if let Spliced::Value(entry) = self.value(entry)? {
                        kept.insert(key, entry);
                    }
                    self.pointer.truncate(outer);
                }
                Spliced::Value(Value::Object(kept))
            }
            scalar => Spliced::Value(scalar),
        })
    }

    fn hole(&mut self, hole: usize) -> Spliced {
        let Some(value) = self.values.get(hole) else { return Spliced::Null };
        let value = without_null_entries(value.clone());
        if let Some(seen) = self.seen.get_mut(hole) {
            *seen = true;
        }
        if value.is_null() {
            return Spliced::NullHole;
        }
        let Origin { expr, template, line, .. } = (self.origin)(hole);
        self.holes.push(Hole {
            document: self.document,
            pointer: self.pointer.clone(),
            expr,
            template,
            line,
        });
        Spliced::Value(value)
    }
}

/// The first hole of a text, and whether the text is nothing but that hole.
fn hole_in(text: &str) -> Option<(usize, bool)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (number, after) = rest.split_once(CLOSE)?;
    Some((number.parse().ok()?, before.is_empty() && after.is_empty()))
}

fn without_null_entries(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(without_null_entries).collect()),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .filter(|(_, entry)| !entry.is_null())
                .map(|(key, entry)| (key, without_null_entries(entry)))
                .collect(),
        ),
        scalar => scalar,
    }
}
