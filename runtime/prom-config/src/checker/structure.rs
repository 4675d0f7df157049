//! Structures, lists and mappings.

use std::collections::{HashMap, HashSet};

use super::{Checker, Step};
use crate::record::{Record, Setting};
use crate::schema::{Shape, Struct};
use crate::tree::{Content, Dialect, NodeId};
use crate::{Kind, UnknownFields, Version};

/// Names that differ more than this are no slips of each other.
const SLIP_SIMILARITY: f64 = 0.82;

impl<'t> Checker<'t> {
    pub(super) fn decode_struct(&mut self, id: NodeId, of: &'static Struct) {
        let node = self.tree.node(id);
        let record = match &node.content {
            Content::Mapping(_) => self.record(id, of),
            // `Null` reaches the type, which then has no field set.
            Content::Scalar { .. } if self.is_other_null(id) => Record { id: Some(id), set: Vec::new() },
            _ => return self.wrong_type(id, "a mapping with fields"),
        };
        for Setting { field, value } in &record.set {
            self.within(Step::Field(field.name), |checker| checker.decode(*value, &field.shape));
        }
        if let (Some(check), false) = (of.check, self.is_stopped()) {
            check(self, &record);
        }
    }

    pub(super) fn decode_list(&mut self, id: NodeId, item: &'static Shape, no_null: Option<&str>) {
        let Content::Sequence(items) = &self.tree.node(id).content else {
            if !self.is_other_null(id) {
                self.wrong_type(id, "a list");
            }
            return;
        };
        for (index, entry) in items.iter().enumerate() {
            if self.is_stopped() {
                return;
            }
            self.within(Step::Index(index), |checker| {
                if let (Some(what), true) = (no_null, checker.is_null(*entry)) {
                    checker.problem_at(*entry, Kind::Value, format!("empty {what}: fill it in or remove it"));
                }
                checker.decode(*entry, item);
            });
        }
    }

    pub(super) fn decode_entries(&mut self, id: NodeId, of: &'static Struct, what: &str) {
        let Content::Sequence(items) = &self.tree.node(id).content else {
            if !self.is_other_null(id) {
                self.wrong_type(id, "a list");
            }
            return;
        };
        for (index, entry) in items.iter().enumerate() {
            if self.is_stopped() {
                return;
            }
            self.within(Step::Index(index), |checker| {
                if checker.is_null(*entry) {
                    checker.problem_at(*entry, Kind::Value, format!("empty {what}: fill it in or remove it"));
                } else {
                    checker.decode_pointer(*entry, of);
                }
            });
        }
    }

    /// Decodes a structure behind an alias or not.
    fn decode_pointer(&mut self, id: NodeId, of: &'static Struct) {
        if self.is_stopped() || !self.spend(id) {
            return;
        }
        self.depth += 1;
        if let Content::Alias { target, .. } = &self.tree.node(id).content {
            self.alias_depth += 1;
            self.decode_pointer(*target, of);
            self.alias_depth -= 1;
        } else {
            self.decode_struct(id, of);
        }
        self.depth -= 1;
    }

    pub(super) fn decode_map(&mut self, id: NodeId, key: &'static Shape, value: &'static Shape) {
        if !matches!(self.tree.node(id).content, Content::Mapping(_)) {
            if !self.is_other_null(id) {
                self.wrong_type(id, "a mapping");
            }
            return;
        }
        self.decode_map_pairs(id, key, value, &mut HashSet::new());
    }

    fn decode_map_pairs(
        &mut self,
        id: NodeId,
        key: &'static Shape,
        value: &'static Shape,
        known: &mut HashSet<&'t str>,
    ) {
        let Content::Mapping(pairs) = &self.tree.node(id).content else { return };
        if self.dialect == Dialect::V3 {
            self.unique_keys(pairs);
        }
        let mut merged = Vec::new();
        for (name, entry) in pairs {
            if self.is_stopped() {
                return;
            }
            if self.is_merge(*name) {
                if self.dialect == Dialect::V2 {
                    self.each_merged(*entry, &mut |checker, id| {
                        checker.decode_map_pairs(id, key, value, known)
                    });
                } else {
                    merged.push(*entry);
                }
                continue;
            }
            let text = self.scalar_text(*name);
            if !known.insert(text) && self.dialect == Dialect::V2 {
                self.problem_at(*name, Kind::UnknownField, format!("{text:?} is given twice: remove one"));
                continue;
            }
            self.within(Step::Field(text), |checker| {
                checker.decode(*name, key);
                checker.decode(*entry, value);
            });
        }
        for entry in merged {
            self.each_merged(entry, &mut |checker, id| checker.decode_map_pairs(id, key, value, known));
        }
    }

    /// The fields that a mapping sets; problems of the fields' names are recorded.
    pub(crate) fn record(&mut self, id: NodeId, of: &'static Struct) -> Record {
        let mut record = Record { id: Some(id), set: Vec::new() };
        self.collect(id, of, &mut record);
        record
    }

    fn collect(&mut self, id: NodeId, of: &'static Struct, record: &mut Record) {
        let Content::Mapping(pairs) = &self.tree.node(id).content else { return };
        if self.dialect == Dialect::V3 {
            self.unique_keys(pairs);
        }
        let mut own: HashSet<&'static str> = HashSet::new();
        let mut merged = Vec::new();
        for (key, value) in pairs {
            if self.is_stopped() {
                return;
            }
            if self.is_merge(*key) {
                if self.dialect == Dialect::V2 {
                    self.each_merged(*value, &mut |checker, id| checker.collect(id, of, record));
                } else {
                    merged.push(*value);
                }
                continue;
            }
            let name_id = self.tree.target(*key);
            if !matches!(self.tree.node(name_id).content, Content::Scalar { .. }) {
                self.wrong_type(*key, "the name of a field");
                continue;
            }
            let name = self.scalar_text(name_id);
            let Some((field, since)) = of.find(name) else {
                self.unknown_field(*key, name, of);
                continue;
            };
            if !own.insert(field.name) {
                if self.dialect == Dialect::V2 {
                    self.within(Step::Field(field.name), |checker| {
                        checker.problem_at(
                            *key,
                            Kind::UnknownField,
                            format!("`{name}` is given twice: remove one"),
                        );
                    });
                }
                continue;
            }
            let until = field.until.filter(|until| self.options.version.is_some_and(|own| own > *until));
            if self.options.before(since) || until.is_some() {
                self.other_release(*key, field.name, since, until);
                continue;
            }
            record.set.push(Setting { field, value: *value });
        }
        for entry in merged {
            // In rule files the own fields win over those that are taken over, and the first over the second.
            let mut taken = Record::default();
            self.each_merged(entry, &mut |checker, id| checker.collect(id, of, &mut taken));
            for setting in taken.set {
                if record.value(setting.field.name).is_none() {
                    record.set.push(setting);
                }
            }
        }
    }

    /// Calls `inner` with every mapping that a merge key names.
    fn each_merged(&mut self, value: NodeId, inner: &mut dyn FnMut(&mut Self, NodeId)) {
        if !self.spend(value) {
            return;
        }
        let tree = self.tree;
        let aliased = matches!(tree.node(value).content, Content::Alias { .. });
        let target = tree.target(value);
        self.depth += 1;
        self.alias_depth += usize::from(aliased);
        match &tree.node(target).content {
            Content::Mapping(_) => inner(self, target),
            Content::Sequence(items) if !aliased => {
                let v2 = self.dialect == Dialect::V2;
                let order: Vec<NodeId> =
                    if v2 { items.iter().rev().copied().collect() } else { items.clone() };
                for item in order {
                    let mapping = tree.target(item);
                    if !self.spend(item) {
                        break;
                    }
                    if matches!(tree.node(mapping).content, Content::Mapping(_)) {
                        inner(self, mapping);
                    } else {
                        self.problem_at(item, Kind::Type, "`<<` takes a mapping, or a list of mappings");
                    }
                }
            }
            _ => self.problem_at(value, Kind::Type, "`<<` takes a mapping, or a list of mappings"),
        }
        self.alias_depth -= usize::from(aliased);
        self.depth -= 1;
    }

    /// Version 3 compares all keys as they are written.
    fn unique_keys(&mut self, pairs: &'t [(NodeId, NodeId)]) {
        let mut known: HashMap<(bool, &str), ()> = HashMap::new();
        for (key, _) in pairs {
            let (alias, text) = match &self.tree.node(*key).content {
                Content::Scalar { text, .. } => (false, text.as_ref()),
                Content::Alias { name, .. } => (true, name.as_ref()),
                Content::Sequence(_) | Content::Mapping(_) => continue,
            };
            if known.insert((alias, text), ()).is_some() {
                self.problem_at(*key, Kind::UnknownField, format!("{text:?} is given twice: remove one"));
            }
        }
    }

    fn unknown_field(&mut self, key: NodeId, name: &'t str, of: &'static Struct) {
        if self.options.unknown_fields == UnknownFields::Allow || !self.has_room() {
            return;
        }
        let similar = of
            .all_fields()
            .into_iter()
            .map(|(field, _)| (strsim::normalized_damerau_levenshtein(clip(name), field.name), field.name))
            .filter(|(similarity, _)| *similarity >= SLIP_SIMILARITY || name.len() < 6 && *similarity >= 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let message = match similar {
            Some((_, similar)) => format!("there is no field `{}`: did you mean `{similar}`?", clip(name)),
            None => format!("there is no field `{}` here: remove it", clip(name)),
        };
        let certain = self.options.is_known();
        let mark = self.tree.node(key).mark;
        self.within(Step::Field(name), |checker| checker.push(mark, Kind::UnknownField, message, certain));
    }

    fn other_release(&mut self, key: NodeId, name: &'static str, since: Version, until: Option<Version>) {
        if self.options.unknown_fields == UnknownFields::Allow {
            return;
        }
        let own = self.options.version.unwrap_or(Version::NEWEST);
        let message = match until {
            Some(until) => {
                format!("`{name}` is gone since the release after {until}, and this is for {own}: remove it")
            }
            None => format!("`{name}` is known since Prometheus {since}, and this is for {own}: remove it"),
        };
        self.within(Step::Field(name), |checker| checker.problem_at(key, Kind::UnknownField, message));
    }
}

/// The beginning of a text that may be long.
pub(crate) fn clip(text: &str) -> &str {
    let end = text.char_indices().map(|(at, _)| at).nth(80).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}
