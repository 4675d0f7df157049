//! Runs relabelling on what is known about targets without having any: does a label differ between targets, or not?

use std::collections::BTreeMap;

use prom_model::{GoRegex, RelabelAction, RelabelConfig};

use super::config::{ScrapeConfig, SdRole};

/// What is known about a label over all targets of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// No target has it.
    Absent,
    /// All targets have the same value.
    Constant,
    /// Targets may differ.
    Varying,
}

impl Spread {
    fn join(self, other: Spread) -> Spread {
        if self == Spread::Varying || other == Spread::Varying { Spread::Varying } else { Spread::Constant }
    }
}

/// The labels of a job's targets, somewhere on the way through its rules.
pub(super) struct Targets<'a> {
    config: &'a ScrapeConfig,
    changed: BTreeMap<String, Spread>,
    /// Whether a `labelmap` may have written labels that are not in `changed`.
    mapped: bool,
}

impl<'a> Targets<'a> {
    /// As discovered.
    pub(super) fn discovered(config: &'a ScrapeConfig) -> Targets<'a> {
        Targets { config, changed: BTreeMap::new(), mapped: false }
    }

    /// What is known about a label now.
    pub(super) fn spread(&self, label: &str) -> Spread {
        match self.changed.get(label) {
            Some(spread) => *spread,
            None => match initial(self.config, label) {
                // A copied label could be called anything, but hardly `instance`.
                Spread::Absent if self.mapped && label != "instance" => Spread::Varying,
                spread => spread,
            },
        }
    }

    /// Applies rules.
    pub(super) fn run(&mut self, rules: &[RelabelConfig]) {
        for rule in rules {
            self.apply(rule);
        }
    }

    fn apply(&mut self, rule: &RelabelConfig) {
        use RelabelAction as A;
        let values = rule.source_labels.iter().map(|label| self.spread(label));
        let source = values.fold(Spread::Constant, Spread::join);
        match rule.action {
            A::Replace if !rule.target_label.contains('$') => {
                let spread = self.replaced(rule, source);
                self.changed.insert(rule.target_label.clone(), spread);
            }
            A::Replace | A::LabelMap => self.mapped = true,
            A::HashMod | A::Lowercase | A::Uppercase => {
                self.changed.insert(rule.target_label.clone(), source);
            }
            A::Keep => {
                // Keeping one value of one label makes it the same for all that are left.
                if let [label] = rule.source_labels.as_slice()
                    && rule.regex.literals().is_some_and(|texts| texts.len() == 1)
                {
                    self.changed.insert(label.clone(), Spread::Constant);
                }
            }
            A::LabelDrop => self.forget(|name| rule.regex.is_match(name)),
            A::LabelKeep => self.forget(|name| !rule.regex.is_match(name)),
            A::Drop | A::KeepEqual | A::DropEqual => {}
        }
    }

    fn replaced(&self, rule: &RelabelConfig, source: Spread) -> Spread {
        let before = self.spread(&rule.target_label);
        let fixed = !rule.replacement.contains('$');
        match (fixed, matches_all(&rule.regex), source) {
            (true, true, _) if rule.replacement.is_empty() => Spread::Absent,
            (true, true, _) => Spread::Constant,
            (_, _, Spread::Varying) => Spread::Varying,
            // The rule hits all targets or none.
            _ if before == Spread::Varying => Spread::Varying,
            _ => Spread::Constant,
        }
    }

    fn forget(&mut self, gone: impl Fn(&str) -> bool) {
        for name in ["__address__", "instance"] {
            let spread = self.spread(name);
            self.changed.insert(name.to_owned(), spread);
        }
        for (name, spread) in &mut self.changed {
            if gone(name) {
                *spread = Spread::Absent;
            }
        }
    }
}

fn matches_all(regex: &GoRegex) -> bool {
    matches!(regex.as_str(), "(.*)" | ".*")
}

/// What discovery says about a label.
fn initial(config: &ScrapeConfig, label: &str) -> Spread {
    let found = |yes: bool| if yes { Spread::Varying } else { Spread::Absent };
    if let Some(parameter) = label.strip_prefix("__param_") {
        return if config.params.contains_key(parameter) { Spread::Constant } else { Spread::Absent };
    }
    match label {
        "__address__" => return Spread::Varying,
        "job" | "__scheme__" | "__metrics_path__" | "__scrape_interval__" | "__scrape_timeout__" => {
            return Spread::Constant;
        }
        "__meta_kubernetes_namespace" => {
            let one = |names: &Vec<String>| names.len() == 1;
            let only = config
                .kubernetes_sd_configs
                .iter()
                .all(|sd| sd.role != SdRole::Node && sd.namespaces.as_ref().is_some_and(|n| one(&n.names)));
            if only && config.kubernetes_sd_configs.len() == 1 {
                return Spread::Constant;
            }
        }
        _ => {}
    }
    // Discovery that is not ours to know may bring any label.
    if config.extra.keys().any(|key| key.ends_with("_sd_configs")) {
        return Spread::Varying;
    }
    if label.starts_with("__meta_kubernetes_") {
        return found(!config.kubernetes_sd_configs.is_empty());
    }
    if label.starts_with("__meta_dns_") {
        return found(!config.dns_sd_configs.is_empty());
    }
    if !config.file_sd_configs.is_empty() || !config.http_sd_configs.is_empty() {
        return Spread::Varying;
    }
    let mut values = config.static_configs.iter().map(|group| group.labels.get(label));
    match values.next() {
        None => Spread::Absent,
        Some(first) if values.all(|value| value == first) => match first {
            Some(_) => Spread::Constant,
            None => Spread::Absent,
        },
        Some(_) => Spread::Varying,
    }
}
