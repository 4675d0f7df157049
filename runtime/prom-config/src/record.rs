//! The fields of one structure as the file sets them, merge keys filled in, and what their values are.

use std::borrow::Cow;

use prom_model::PromDuration;

use crate::checker::Checker;
use crate::schema::{Field, Struct};
use crate::tree::{Content, Dialect, NodeId, Resolved, resolve};

/// The fields that a structure sets.
#[derive(Default)]
pub(crate) struct Record {
    /// The mapping it was read from; none if it is made up.
    pub(crate) id: Option<NodeId>,
    /// In the order in which they take effect: later ones win.
    pub(crate) set: Vec<Setting>,
}

/// A field with its value.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) field: &'static Field,
    pub(crate) value: NodeId,
}

impl Record {
    /// The value of a field, aliases not followed.
    pub(crate) fn value(&self, name: &str) -> Option<NodeId> {
        self.set.iter().rev().find(|setting| setting.field.name == name).map(|setting| setting.value)
    }
}

impl<'t> Checker<'t> {
    /// The value of a field, unless it is null.
    pub(crate) fn get(&self, record: &Record, name: &str) -> Option<NodeId> {
        let id = self.tree.target(record.value(name)?);
        (!self.is_null(id)).then_some(id)
    }

    /// Whether a field is given and is not null.
    pub(crate) fn is_set(&self, record: &Record, name: &str) -> bool {
        self.get(record, name).is_some()
    }

    /// The text of a field; empty if it is not given.
    pub(crate) fn text(&self, record: &Record, name: &str) -> &'t str {
        self.get(record, name).map_or("", |id| self.scalar_text(id))
    }

    /// The text of a field, with the value that it has where it is not given.
    pub(crate) fn text_or(&self, record: &Record, name: &str, default: &'static str) -> &'t str {
        if record.value(name).is_some() { self.text(record, name) } else { default }
    }

    /// Whether the text of a field is not empty.
    pub(crate) fn is_filled(&self, record: &Record, name: &str) -> bool {
        !self.text(record, name).is_empty()
    }

    /// How many of the fields have a text that is not empty.
    pub(crate) fn count_filled(&self, record: &Record, names: &[&str]) -> usize {
        names.iter().filter(|name| self.is_filled(record, name)).count()
    }

    /// Whether a boolean field is true.
    pub(crate) fn is_true(&self, record: &Record, name: &str) -> bool {
        let Some(id) = self.get(record, name) else { return false };
        matches!(resolve(self.tree.node(id), self.dialect), Some(Resolved::Bool(true)))
    }

    /// A number; `None` if it is none.
    pub(crate) fn number_or(&self, record: &Record, name: &str, default: f64) -> Option<f64> {
        let Some(id) = record.value(name) else { return Some(default) };
        match resolve(self.tree.node(self.tree.target(id)), self.dialect)? {
            Resolved::Null => Some(0.0),
            Resolved::Int(value) => Some(value as f64),
            Resolved::Uint(value) => Some(value as f64),
            Resolved::Float(value) => Some(value),
            Resolved::Bool(_) | Resolved::Text | Resolved::Misfit => None,
        }
    }

    /// A duration; `None` if it is none.
    pub(crate) fn duration_or(
        &self,
        record: &Record,
        name: &str,
        default: PromDuration,
    ) -> Option<PromDuration> {
        if record.value(name).is_none() {
            return Some(default);
        }
        match self.get(record, name) {
            None => Some(PromDuration::ZERO),
            Some(id) => self.scalar_text(id).parse().ok(),
        }
    }

    /// The entries of a list, aliases followed; empty if it is none.
    pub(crate) fn items(&self, record: &Record, name: &str) -> &'t [NodeId] {
        self.get(record, name).map_or(&[], |id| self.list(id))
    }

    /// The entries of a list node; empty if it is none.
    pub(crate) fn list(&self, id: NodeId) -> &'t [NodeId] {
        match &self.tree.node(self.tree.target(id)).content {
            Content::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Keys and values of a mapping, merge keys filled in.
    pub(crate) fn pairs(&self, id: NodeId) -> Vec<(NodeId, NodeId)> {
        let mut pairs = Vec::new();
        self.collect_pairs(id, 0, &mut pairs);
        pairs
    }

    fn collect_pairs(&self, id: NodeId, depth: usize, pairs: &mut Vec<(NodeId, NodeId)>) {
        let Content::Mapping(own) = &self.tree.node(self.tree.target(id)).content else { return };
        for (key, value) in own {
            if !self.is_merge(*key) {
                pairs.push((*key, *value));
            } else if depth < 8 {
                let merged = self.tree.target(*value);
                self.collect_pairs(merged, depth + 1, pairs);
                for item in self.list(merged) {
                    self.collect_pairs(*item, depth + 1, pairs);
                }
            }
        }
    }

    /// A structure inside a field; `None` if the field is null or not given.
    pub(crate) fn sub(&mut self, record: &Record, name: &str, of: &'static Struct) -> Option<Record> {
        let id = self.get(record, name)?;
        Some(self.quiet_record(id, of))
    }

    /// The fields of a structure, its problems not told: they are told where it is decoded.
    pub(crate) fn quiet_record(&mut self, id: NodeId, of: &'static Struct) -> Record {
        let quiet = std::mem::replace(&mut self.quiet, true);
        let record = self.record(self.tree.target(id), of);
        self.quiet = quiet;
        record
    }

    /// The text of a scalar: empty for null words and for anything else.
    pub(crate) fn scalar_text(&self, id: NodeId) -> &'t str {
        let tree = self.tree;
        let node = tree.node(tree.target(id));
        match (&node.content, resolve(node, self.dialect)) {
            (Content::Scalar { text: Cow::Borrowed(text), .. }, Some(resolved))
                if resolved != Resolved::Null =>
            {
                text
            }
            (Content::Scalar { text, .. }, Some(resolved)) if resolved != Resolved::Null => text.as_ref(),
            _ => "",
        }
    }

    /// Whether a node leaves its field at zero without a look at the type.
    pub(crate) fn is_null(&self, id: NodeId) -> bool {
        let node = self.tree.node(self.tree.target(id));
        let Content::Scalar { text, .. } = &node.content else { return false };
        if resolve(node, self.dialect) != Some(Resolved::Null) {
            return false;
        }
        // Version 2 has more words for null than it looks for here; the others reach the type.
        self.dialect == Dialect::V3 || !node.tag.is_empty() || matches!(text.as_ref(), "" | "~" | "null")
    }

    /// Whether a key is `<<`, which takes over the fields of other mappings.
    pub(crate) fn is_merge(&self, key: NodeId) -> bool {
        let node = self.tree.node(key);
        let Content::Scalar { text, plain } = &node.content else { return false };
        text == "<<"
            && match node.tag.as_ref() {
                "" => *plain || self.dialect == Dialect::V3,
                tag => tag.ends_with(":merge"),
            }
    }
}
