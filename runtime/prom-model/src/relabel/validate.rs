//! Which rules Prometheus refuses to load.

use super::{DEFAULT_REPLACEMENT, RelabelAction, RelabelConfig, is_default_regex, is_default_separator};
use crate::NameScheme;

/// Why Prometheus would refuse a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelabelError {
    /// `hashmod` divides by zero.
    #[error("relabel configuration for hashmod requires non-zero modulus")]
    ZeroModulus,
    /// The action writes or compares a label, but names none.
    #[error("relabel configuration for {0} action requires 'target_label' value")]
    MissingTarget(RelabelAction),
    /// The target is no label name.
    #[error("{target:?} is invalid 'target_label' for {action} action")]
    InvalidTarget {
        /// The rule's action.
        action: RelabelAction,
        /// The refused name.
        target: String,
    },
    /// The replacement of `labelmap` is no label name.
    #[error("{0:?} is invalid 'replacement' for labelmap action")]
    InvalidReplacement(String),
    /// The action has no use for a replacement.
    #[error("'replacement' can not be set for {0} action")]
    ReplacementSet(RelabelAction),
    /// `keepequal` and `dropequal` with a field they do not use.
    #[error("{0} action requires only 'source_labels' and 'target_label', and no other fields")]
    OnlySourceAndTarget(RelabelAction),
    /// `labeldrop` and `labelkeep` with a field they do not use.
    #[error("{0} action requires only 'regex', and no other fields")]
    OnlyRegex(RelabelAction),
}

impl RelabelConfig {
    /// Checks the rule as Prometheus does when it loads its configuration; names by the rules of `scheme`.
    pub fn validate(&self, scheme: NameScheme) -> Result<(), RelabelError> {
        use RelabelAction as A;
        let action = self.action;
        if action == A::HashMod && self.modulus == 0 {
            return Err(RelabelError::ZeroModulus);
        }
        let case_or_equal = matches!(action, A::Lowercase | A::Uppercase | A::KeepEqual | A::DropEqual);
        let has_target = case_or_equal || matches!(action, A::Replace | A::HashMod);
        if has_target && self.target_label.is_empty() {
            return Err(RelabelError::MissingTarget(action));
        }
        let valid_target = if action == A::Replace && self.target_label.contains('$') {
            is_valid_template(&self.target_label, scheme)
        } else {
            scheme.is_valid_label_name(&self.target_label)
        };
        if has_target && !valid_target {
            return Err(RelabelError::InvalidTarget { action, target: self.target_label.clone() });
        }
        let default_replacement = self.replacement == DEFAULT_REPLACEMENT;
        if case_or_equal && !default_replacement {
            return Err(RelabelError::ReplacementSet(action));
        }
        if action == A::LabelMap && !is_valid_template(&self.replacement, scheme) {
            return Err(RelabelError::InvalidReplacement(self.replacement.clone()));
        }
        let plain = self.modulus == 0 && is_default_separator(&self.separator) && default_replacement;
        if matches!(action, A::KeepEqual | A::DropEqual) && !(plain && is_default_regex(&self.regex)) {
            return Err(RelabelError::OnlySourceAndTarget(action));
        }
        let bare = self.source_labels.is_empty() && self.target_label.is_empty();
        if matches!(action, A::LabelDrop | A::LabelKeep) && !(plain && bare) {
            return Err(RelabelError::OnlyRegex(action));
        }
        Ok(())
    }
}

/// Whether a text with `$1` or `${name}` in it can become a label name.
///
/// Under the legacy rules: word characters and references, where the text does not begin with a digit. Under the
/// UTF-8 rules every text can.
fn is_valid_template(text: &str, scheme: NameScheme) -> bool {
    if scheme == NameScheme::Utf8 {
        return !text.is_empty();
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if is_word(c) {
            rest = after;
            continue;
        }
        if c != '$' {
            return false;
        }
        let braced = after.strip_prefix('{');
        let body = braced.unwrap_or(after);
        let tail = body.trim_start_matches(is_word);
        if tail.len() == body.len() {
            return false;
        }
        let Some(tail) = (if braced.is_some() { tail.strip_prefix('}') } else { Some(tail) }) else {
            return false;
        };
        rest = tail;
    }
    true
}
