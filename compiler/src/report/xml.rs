//! Checkstyle XML, and the escaping that every XML report needs.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::place;
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

/// Findings grouped by file, as Checkstyle would print them.
pub(super) fn checkstyle(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for diagnostic in diagnostics {
        let place = place(diagnostic, sources);
        let lines =
            files.entry(place.as_ref().map(|place| place.path.clone()).unwrap_or_default()).or_default();
        lines.push_str("    <error");
        if let Some(place) = place {
            let _ = write!(lines, " line=\"{}\" column=\"{}\"", place.line, place.column);
        }
        let _ = writeln!(
            lines,
            " severity=\"{}\" message=\"{}\" source=\"pronoia.{}\"/>",
            diagnostic.severity.word(),
            escape(&diagnostic.message),
            escape(diagnostic.code)
        );
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"4.3\">\n");
    for (path, lines) in files {
        let _ = writeln!(out, "  <file name=\"{}\">\n{lines}  </file>", escape(&path));
    }
    out.push_str("</checkstyle>\n");
    out
}

/// Escapes text for element content and attribute values; characters that XML 1.0 forbids are replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
