//! Fills `$1` and `${name}` in replacements by the rules of Go's `Regexp.Expand`.

use super::Groups;
use crate::go_quote::is_go_letter_or_digit;

/// A replacement text with references to capture groups.
pub(crate) struct Template<'t>(pub(crate) &'t str);

impl Template<'_> {
    /// Fills the references from one match of `text`; groups that do not exist give nothing.
    pub(crate) fn fill(&self, names: &[Option<String>], text: &str, groups: &Groups) -> String {
        let mut out = String::with_capacity(self.0.len() + text.len());
        let mut rest = self.0;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(tail) = after.strip_prefix('$') {
                out.push('$');
                rest = tail;
            } else if let Some((name, tail)) = reference(after) {
                out.push_str(lookup(name, names, text, groups).unwrap_or(""));
                rest = tail;
            } else {
                // Not a reference: the dollar sign is plain text.
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }
}

/// Splits `name…` or `{name}…`; the name is as long as it can be, so `$1x` refers to a group called `1x`.
fn reference(after: &str) -> Option<(&str, &str)> {
    let braced = after.strip_prefix('{');
    let body = braced.unwrap_or(after);
    let end = body.find(|c: char| c != '_' && !is_go_letter_or_digit(c)).unwrap_or(body.len());
    let (name, tail) = body.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braced.is_some() { tail.strip_prefix('}').map(|tail| (name, tail)) } else { Some((name, tail)) }
}

fn lookup<'t>(name: &str, names: &[Option<String>], text: &'t str, groups: &Groups) -> Option<&'t str> {
    let numeric = name.bytes().all(|b| b.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    if numeric {
        return groups.get(text, name.parse().ok()?);
    }
    // One name may stand for several groups; the first that took part counts.
    let named = |(_, group): &(usize, &Option<String>)| group.as_deref() == Some(name);
    let mut candidates = names.iter().enumerate().filter(named);
    candidates.find_map(|(index, _)| groups.get(text, index))
}
