//! `$(VAR)`: variables in configuration, exactly as Thanos expands them.
//!
//! A reference is `$(` then letters, digits and underscores, then `)`. It is replaced once, values are not looked at
//! again, a set but empty variable is replaced by nothing, and there is no way to escape it. `${VAR}` and `$VAR` belong to
//! relabelling and stay as they are.

use std::collections::BTreeSet;

use crate::environment::Environment;

/// What expansion made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expanded {
    /// The text; unset variables stay as they are.
    pub(crate) bytes: Vec<u8>,
    /// References to variables that are not set, in order, each time they occur; the first of very many.
    pub(crate) unset: Vec<Unset>,
    /// Variables that were put in.
    pub(crate) inserted: BTreeSet<String>,
}

/// More references to unset variables than this are not told one by one.
const UNSET_MAX: usize = 100;

/// A reference to a variable that is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unset {
    /// The variable.
    pub(crate) name: String,
    /// Line from 1.
    pub(crate) line: u32,
    /// Column from 1, in bytes.
    pub(crate) column: u32,
}

/// Replaces every reference.
pub(crate) fn expand(text: &[u8], environment: &Environment) -> Expanded {
    let mut bytes = Vec::with_capacity(text.len());
    let mut unset = Vec::new();
    let mut inserted = BTreeSet::new();
    let mut rest = text;
    while let Some(start) = rest.windows(2).position(|pair| pair == b"$(") {
        let (before, reference) = rest.split_at(start);
        bytes.extend_from_slice(before);
        let Some(name) = name_of(reference) else {
            bytes.extend_from_slice(b"$(");
            rest = reference.get(2..).unwrap_or_default();
            continue;
        };
        let (whole, after) = reference.split_at(name.len() + 3);
        match environment.get(name) {
            Some(value) => {
                bytes.extend_from_slice(value);
                if !inserted.contains(name) {
                    inserted.insert(name.to_owned());
                }
            }
            None => {
                bytes.extend_from_slice(whole);
                if unset.len() == UNSET_MAX {
                    rest = after;
                    continue;
                }
                let (line, column) = place(text, text.len() - reference.len());
                unset.push(Unset { name: name.to_owned(), line, column });
            }
        }
        rest = after;
    }
    bytes.extend_from_slice(rest);
    Expanded { bytes, unset, inserted }
}

/// The name in `$(NAME)`, when the text begins with a whole reference.
fn name_of(reference: &[u8]) -> Option<&str> {
    let inner = reference.get(2..)?;
    let length = inner.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let name = inner.get(..length)?;
    if name.is_empty() || inner.get(length) != Some(&b')') {
        return None;
    }
    std::str::from_utf8(name).ok()
}

fn place(text: &[u8], offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let mut environment = Environment::default();
        for (name, value) in
            [("SET", "value"), ("EMPTY", ""), ("REF", "$(SET)"), ("INNER", "SET"), ("1A", "digit")]
        {
            environment.set(name, value);
        }
        environment
    }

    #[test]
    fn references_are_replaced_once_and_nothing_else_is_touched() {
        for (text, expanded) in [
            ("a: $(SET)b$(SET)", "a: valuebvalue"),
            ("[$(EMPTY)]", "[]"),
            ("$(REF)", "$(SET)"),
            ("$($(INNER))", "$(SET)"),
            ("${SET} $SET $1 ${1} $$ $", "${SET} $SET $1 ${1} $$ $"),
            ("$$(SET)", "$value"),
            ("$(SET $(SET)", "$(SET value"),
            ("$( SET ) $() $(a-b) $(", "$( SET ) $() $(a-b) $("),
            ("$(1A)", "digit"),
            ("", ""),
        ] {
            let result = expand(text.as_bytes(), &environment());
            assert_eq!(String::from_utf8(result.bytes).unwrap(), expanded, "{text}");
            assert_eq!(result.unset, [], "{text}");
        }
    }

    #[test]
    fn unset_variables_are_named_with_their_place() {
        let result = expand(b"a\nb: $(NO)\n$(SET) $(nO2)", &environment());
        let unset = |name: &str, line, column| Unset { name: name.into(), line, column };
        assert_eq!(result.unset, [unset("NO", 2, 4), unset("nO2", 3, 8)]);
        assert_eq!(result.bytes, b"a\nb: $(NO)\nvalue $(nO2)");
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        assert_eq!(expand(b"\xff$(SET)\xfe", &environment()).bytes, b"\xffvalue\xfe");
    }
}
