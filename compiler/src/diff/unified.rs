//! Differences as text, file by file: what `render --check` and `golden --check` print.

use std::collections::BTreeSet;

use similar::TextDiff;

use super::Files;

/// A unified diff of all files that differ; empty when the trees are equal byte for byte.
pub fn unified(golden: &Files, fresh: &Files) -> String {
    let mut out = String::new();
    let paths: BTreeSet<&String> = golden.keys().chain(fresh.keys()).collect();
    for path in paths {
        let (before, after) = (golden.get(path), fresh.get(path));
        if before == after {
            continue;
        }
        let name = |side: &str, text: Option<&String>| {
            text.map_or("/dev/null".to_string(), |_| format!("{side}/{path}"))
        };
        let (from, to) = (name("a", before), name("b", after));
        let diff = TextDiff::from_lines(before.map_or("", String::as_str), after.map_or("", String::as_str));
        let text = diff.unified_diff().context_radius(3).header(&from, &to).to_string();
        if text.is_empty() {
            // An empty file that came or went.
            out.push_str(&format!("--- {from}\n+++ {to}\n"));
        }
        out.push_str(&text);
    }
    out
}
