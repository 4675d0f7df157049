//! Relabelling rules.

use prom_model::{NameScheme, RelabelAction};

use super::{Shape, Struct, Word, f, v, w};
use crate::Kind;
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::tree::NodeId;

const ACTIONS: &[Word] = &[
    w("replace"),
    w("keep"),
    w("drop"),
    w("keepequal").since(2, 41, 0),
    w("dropequal").since(2, 41, 0),
    w("hashmod"),
    w("labelmap"),
    w("labeldrop"),
    w("labelkeep"),
    w("lowercase"),
    w("uppercase"),
];

/// One rule; checked with the names that its section allows, by [`check_list`].
pub(crate) static RULE: Struct = Struct {
    fields: &[
        f("action", Shape::EnumAnyCase(ACTIONS)),
        f("modulus", Shape::Uint),
        f("regex", Shape::Regex),
        f("replacement", Shape::Text),
        f("separator", Shape::Text),
        f("source_labels", Shape::List(&Shape::LabelName)),
        f("target_label", Shape::Text),
    ],
    inline: &[],
    check: None,
};

/// A list of rules.
pub(crate) const RULES: Shape = Shape::Entries(&RULE, "relabelling rule");

/// Checks the rules in a field of a section.
pub(crate) fn check_list(c: &mut Checker<'_>, section: &Record, field: &'static str, scheme: NameScheme) {
    let items: Vec<NodeId> = c.items(section, field).to_vec();
    for (index, item) in items.into_iter().enumerate() {
        if c.is_null(item) {
            continue;
        }
        let rule = c.quiet_record(item, &RULE);
        c.within(Step::Field(field), |c| c.within(Step::Index(index), |c| check(c, &rule, scheme)));
    }
}

fn check(c: &mut Checker<'_>, rule: &Record, scheme: NameScheme) {
    use RelabelAction as A;
    let written = c.text_or(rule, "action", "replace");
    if written.is_empty() {
        if rule.value("action").is_some_and(|id| c.is_null(id)) {
            c.refuse(rule, "action", "the action is empty: name one or remove the field");
        }
        return;
    }
    let Ok(action) = written.parse::<A>() else { return };
    let target = c.text(rule, "target_label");
    let replacement = c.text_or(rule, "replacement", "$1");
    let modulus = c.number_or(rule, "modulus", 0.0);
    let truncated = modulus.is_some_and(|modulus| modulus.trunc() == 0.0);
    if action == A::HashMod && truncated {
        c.refuse(rule, "modulus", "`hashmod` needs a `modulus` above 0");
    }
    let case_or_equal = matches!(action, A::Lowercase | A::Uppercase | A::KeepEqual | A::DropEqual);
    if case_or_equal || matches!(action, A::Replace | A::HashMod) {
        if target.is_empty() {
            return c.refuse(rule, "target_label", format!("`{action}` needs a `target_label`"));
        }
        // Before 2.53 the other actions took references in the name too, although they do not fill them.
        let old = case_or_equal && !c.options.at_least(v(2, 53, 0));
        let template = action == A::Replace || old;
        if !is_name(c, target, template, scheme) {
            refuse_name(c, rule, "target_label", target, action);
        }
    }
    let default_replacement = replacement == "$1";
    if case_or_equal && !default_replacement {
        c.refuse(rule, "replacement", format!("`{action}` takes no `replacement`: remove it"));
    }
    if action == A::LabelMap && !is_name(c, replacement, true, scheme) {
        refuse_name(c, rule, "replacement", replacement, action);
    }
    let separator = c.text_or(rule, "separator", ";");
    let plain = truncated && separator == ";" && default_replacement;
    if matches!(action, A::KeepEqual | A::DropEqual) && !(plain && rule.value("regex").is_none()) {
        c.refuse(
            rule,
            "",
            format!("`{action}` takes `source_labels` and `target_label` alone: remove the others"),
        );
    }
    let bare = !c.is_set(rule, "source_labels") && target.is_empty();
    if matches!(action, A::LabelDrop | A::LabelKeep) && !(plain && bare) {
        c.refuse(rule, "", format!("`{action}` takes `regex` alone: remove the other fields"));
    }
}

fn refuse_name(c: &mut Checker<'_>, rule: &Record, field: &'static str, text: &str, action: RelabelAction) {
    let message =
        format!("{text:?} is no label name for `{action}`: letters, digits and `_`, the first no digit");
    let id = rule.value(field).or(rule.id);
    match id {
        Some(id) if c.may_have_utf8_names() => {
            c.within(Step::Field(field), |c| c.doubt_at(id, Kind::Value, message));
        }
        _ => c.refuse(rule, field, message),
    }
}

/// Whether a text is a label name, or can become one once its references are filled.
fn is_name(c: &Checker<'_>, text: &str, template: bool, scheme: NameScheme) -> bool {
    if !template || !text.contains('$') {
        return scheme.is_valid_label_name(text);
    }
    // Names with references stay under the legacy rules until 3.4.
    if scheme == NameScheme::Utf8 && !c.options.before(v(3, 4, 0)) {
        return !text.is_empty();
    }
    is_legacy_template(text)
}

/// Word characters and references such as `$1` and `${name}`, the first no digit.
fn is_legacy_template(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
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
        rest = match (braced, tail.strip_prefix('}')) {
            (None, _) => tail,
            (Some(_), Some(tail)) => tail,
            (Some(_), None) => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_references() {
        for good in ["a", "$1", "${1}_x", "a${b}2", "_$x"] {
            assert!(is_legacy_template(good), "{good}");
        }
        for bad in ["", "1a", "$", "${", "${}", "a-b", "${a", "a$"] {
            assert!(!is_legacy_template(bad), "{bad}");
        }
    }
}
