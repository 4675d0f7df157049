//! Collects changes to a label set the way Prometheus' relabelling does, where the order of changes can be seen.

use crate::{Label, Labels};

/// Changes on top of a base set.
///
/// `labelmap` may write one target from several sources, and the last write wins. Which one is last depends on the
/// order in which labels are visited: first the base's labels that were not changed, sorted by name, then changed
/// and new ones in the order of their first change. This type exists to keep that order.
#[derive(Debug, Clone)]
pub struct LabelsBuilder {
    base: Labels,
    deleted: Vec<String>,
    added: Vec<Label>,
}

impl LabelsBuilder {
    /// Starts without changes.
    pub fn new(base: Labels) -> Self {
        LabelsBuilder { base, deleted: Vec::new(), added: Vec::new() }
    }

    /// The value as it is now, empty where the label is absent.
    pub fn get(&self, name: &str) -> &str {
        if let Some(label) = self.added.iter().find(|label| label.name == name) {
            return &label.value;
        }
        if self.deleted.iter().any(|gone| gone == name) {
            return "";
        }
        self.base.value(name)
    }

    /// Sets a label; an empty value deletes it.
    pub fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.delete(name);
            return;
        }
        match self.added.iter_mut().find(|label| label.name == name) {
            Some(label) => value.clone_into(&mut label.value),
            None => self.added.push(Label { name: name.to_owned(), value: value.to_owned() }),
        }
    }

    /// Deletes a label.
    pub fn delete(&mut self, name: &str) {
        self.added.retain(|label| label.name != name);
        self.deleted.push(name.to_owned());
    }

    /// The labels as they are now, in the order in which Prometheus visits them.
    pub fn snapshot(&self) -> Vec<Label> {
        let untouched = |label: &&Label| {
            !self.deleted.contains(&label.name) && !self.added.iter().any(|new| new.name == label.name)
        };
        self.base.iter().filter(untouched).chain(&self.added).cloned().collect()
    }

    /// Applies the changes.
    pub fn build(self) -> Labels {
        if self.deleted.is_empty() && self.added.is_empty() {
            return self.base;
        }
        self.snapshot().into_iter().map(|label| (label.name, label.value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_label_can_come_back() {
        let mut builder = LabelsBuilder::new(Labels::from([("a", "1"), ("b", "2")]));
        builder.delete("a");
        assert_eq!(builder.get("a"), "");
        builder.set("a", "3");
        builder.set("b", "");
        assert_eq!((builder.get("a"), builder.get("b")), ("3", ""));
        assert_eq!(builder.build(), Labels::from([("a", "3")]));
    }

    #[test]
    fn visits_untouched_labels_before_changed_ones() {
        let mut builder = LabelsBuilder::new(Labels::from([("a", "1"), ("b", "2"), ("c", "3")]));
        builder.set("z", "9");
        builder.set("a", "4");
        let order: Vec<String> = builder.snapshot().into_iter().map(|label| label.name).collect();
        assert_eq!(order, ["b", "c", "z", "a"]);
    }
}
