//! Relabelling: the rules that keep, drop and rewrite targets and series, bit-exact with Prometheus.

mod action;
mod process;
#[cfg(test)]
mod tests;
mod validate;

use serde::{Deserialize, Serialize};

pub use action::RelabelAction;
pub use process::{hashmod, process, process_builder};
pub use validate::RelabelError;

use crate::GoRegex;

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REPLACEMENT: &str = "$1";

/// One relabelling rule, with the field names and defaults of Prometheus' configuration.
///
/// Writing it leaves defaults out; the order of the fields is the order in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelConfig {
    /// Labels whose values are joined and compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    /// Text between the joined values; `;` by default.
    #[serde(skip_serializing_if = "is_default_separator")]
    pub separator: String,
    /// Label that is written, or compared with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_label: String,
    /// Expression for the joined values, or for label names; `(.*)` by default.
    #[serde(skip_serializing_if = "is_default_regex")]
    pub regex: GoRegex,
    /// Divisor of `hashmod`.
    #[serde(skip_serializing_if = "is_zero")]
    pub modulus: u64,
    /// What is written, with `$1` and `${name}`; `$1` by default.
    #[serde(skip_serializing_if = "is_default_replacement")]
    pub replacement: String,
    /// What the rule does; `replace` by default.
    #[serde(skip_serializing_if = "is_default_action")]
    pub action: RelabelAction,
}

impl Default for RelabelConfig {
    fn default() -> Self {
        RelabelConfig {
            source_labels: Vec::new(),
            separator: DEFAULT_SEPARATOR.to_owned(),
            target_label: String::new(),
            regex: GoRegex::default_relabel(),
            modulus: 0,
            replacement: DEFAULT_REPLACEMENT.to_owned(),
            action: RelabelAction::Replace,
        }
    }
}

fn is_default_separator(separator: &str) -> bool {
    separator == DEFAULT_SEPARATOR
}

fn is_default_replacement(replacement: &str) -> bool {
    replacement == DEFAULT_REPLACEMENT
}

fn is_default_regex(regex: &GoRegex) -> bool {
    *regex == GoRegex::default_relabel()
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_default_action(action: &RelabelAction) -> bool {
    *action == RelabelAction::Replace
}
