//! Applies relabelling rules to labels.

use md5::{Digest, Md5};

use super::{RelabelAction, RelabelConfig};
use crate::go_regex::Template;
use crate::{Labels, LabelsBuilder, NameScheme, go_lowercase, go_uppercase};

/// Applies the rules in order; `None` where a rule drops the labels.
pub fn process(configs: &[RelabelConfig], labels: Labels) -> Option<Labels> {
    let mut builder = LabelsBuilder::new(labels);
    process_builder(configs, &mut builder).then(|| builder.build())
}

/// Applies the rules in order to labels under change; says whether they are kept.
///
/// Names are judged by the rules of Prometheus 3: every name but the empty one may be written.
pub fn process_builder(configs: &[RelabelConfig], labels: &mut LabelsBuilder) -> bool {
    configs.iter().all(|config| apply(config, labels))
}

/// The number Prometheus' `hashmod` gives: the last eight bytes of the MD5 sum, most significant first, modulo
/// `modulus`. A modulus of zero, which no valid rule has, gives zero.
pub fn hashmod(value: &str, modulus: u64) -> u64 {
    let sum: [u8; 16] = Md5::digest(value.as_bytes()).into();
    let hash = sum[8..].iter().fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    hash.checked_rem(modulus).unwrap_or(0)
}

fn apply(config: &RelabelConfig, labels: &mut LabelsBuilder) -> bool {
    let values: Vec<&str> = config.source_labels.iter().map(|name| labels.get(name)).collect();
    let value = values.join(&config.separator);
    let target = &config.target_label;
    match config.action {
        RelabelAction::Keep => return config.regex.is_match(&value),
        RelabelAction::Drop => return !config.regex.is_match(&value),
        RelabelAction::KeepEqual => return labels.get(target) == value,
        RelabelAction::DropEqual => return labels.get(target) != value,
        RelabelAction::Replace => replace(config, &value, labels),
        RelabelAction::HashMod => labels.set(target, &hashmod(&value, config.modulus).to_string()),
        RelabelAction::Lowercase => labels.set(target, &go_lowercase(&value)),
        RelabelAction::Uppercase => labels.set(target, &go_uppercase(&value)),
        RelabelAction::LabelMap => {
            for label in labels.snapshot() {
                if let Some(name) = config.regex.expand(&label.name, &config.replacement) {
                    labels.set(&name, &label.value);
                }
            }
        }
        RelabelAction::LabelDrop => delete_where(labels, |name| config.regex.is_match(name)),
        RelabelAction::LabelKeep => delete_where(labels, |name| !config.regex.is_match(name)),
    }
    true
}

fn replace(config: &RelabelConfig, value: &str, labels: &mut LabelsBuilder) {
    let Some(groups) = config.regex.captures(value) else { return };
    let target = Template(&config.target_label).fill(config.regex.group_names(), value, &groups);
    if NameScheme::Utf8.is_valid_label_name(&target) {
        let replacement = Template(&config.replacement).fill(config.regex.group_names(), value, &groups);
        labels.set(&target, &replacement);
    }
}

fn delete_where(labels: &mut LabelsBuilder, condition: impl Fn(&str) -> bool) {
    for label in labels.snapshot() {
        if condition(&label.name) {
            labels.delete(&label.name);
        }
    }
}
