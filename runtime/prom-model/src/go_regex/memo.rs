//! Remembers small compiled patterns: rules, jobs and dashboards repeat a handful of them thousands of times, and compiling
//! costs a thousand times more than looking up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Dot, GoRegex, Inner};

/// Patterns that are remembered; when there are more, all are forgotten.
const ENTRIES_MAX: usize = 256;
/// Longest pattern that is remembered.
const PATTERN_BYTES_MAX: usize = 256;
/// Largest compiled form that is remembered: 16 MiB in all at most.
const COMPILED_BYTES_MAX: usize = 64 << 10;

type Patterns = BTreeMap<String, Arc<Inner>>;

static ANY: Mutex<Patterns> = Mutex::new(BTreeMap::new());
static ANY_BUT_NEWLINE: Mutex<Patterns> = Mutex::new(BTreeMap::new());

fn patterns(dot: Dot) -> &'static Mutex<Patterns> {
    match dot {
        Dot::Any => &ANY,
        Dot::AnyButNewline => &ANY_BUT_NEWLINE,
    }
}

/// The compiled form of a pattern, if it is remembered. It shares the automaton but not the scratch space, so that
/// threads do not wait for each other.
pub(super) fn find(pattern: &str, dot: Dot) -> Option<GoRegex> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let known = patterns(dot).lock().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned()?;
    Some(GoRegex(Arc::new(Inner {
        pattern: known.pattern.clone(),
        dot: known.dot,
        group_names: known.group_names.clone(),
        literals: known.literals.clone(),
        program: known.program.clone(),
    })))
}

/// Remembers a compiled pattern, if it is small.
pub(super) fn keep(regex: &GoRegex) {
    let inner = &regex.0;
    if inner.pattern.len() > PATTERN_BYTES_MAX || inner.program.memory_usage() > COMPILED_BYTES_MAX {
        return;
    }
    let mut patterns = patterns(inner.dot).lock().unwrap_or_else(PoisonError::into_inner);
    if patterns.len() >= ENTRIES_MAX {
        patterns.clear();
    }
    patterns.insert(inner.pattern.clone(), inner.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because tests run side by side and share what is remembered.
    #[test]
    fn patterns_are_remembered_with_their_dialect_and_within_bounds() {
        for _ in 0..2 {
            let any = GoRegex::with_dot("a.(?P<rest>b)", Dot::Any).expect("valid");
            let line = GoRegex::with_dot("a.(?P<rest>b)", Dot::AnyButNewline).expect("valid");
            assert!(any.is_match("a\nb") && !line.is_match("a\nb") && line.is_match("a-b"));
            assert_eq!(any.expand("a-b", "<$rest>").as_deref(), Some("<b>"));
        }
        assert!(find("a.(?P<rest>b)", Dot::AnyButNewline).is_some());
        for number in 0..3 * ENTRIES_MAX {
            let pattern = format!("flood{number}");
            assert!(GoRegex::new(&pattern).is_ok_and(|regex| regex.is_match(&pattern)));
        }
        assert!(ANY.lock().unwrap_or_else(PoisonError::into_inner).len() <= ENTRIES_MAX);
        for large in [r"(?:\pL{1,20}x)".to_string(), "x".repeat(PATTERN_BYTES_MAX + 1)] {
            let regex = GoRegex::with_dot(&large, Dot::AnyButNewline);
            assert!(regex.is_ok(), "{large}: {regex:?}");
            assert!(find(&large, Dot::AnyButNewline).is_none(), "{large}");
        }
    }
}
