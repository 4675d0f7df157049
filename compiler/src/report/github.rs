//! Workflow commands: GitHub Actions shows them as annotations on the changed lines.

use std::fmt::Write;

use super::place;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let _ = write!(out, "::{command} ");
        if let Some(place) = place(diagnostic, sources) {
            let _ = write!(out, "file={},line={}", property(&place.path), place.line);
            // Columns are only understood within one line.
            if place.end_line == place.line {
                let _ = write!(out, ",col={},endColumn={}", place.column, place.end_column);
            } else {
                let _ = write!(out, ",endLine={}", place.end_line);
            }
            out.push(',');
        }
        let mut message = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            message.push_str("\nhelp: ");
            message.push_str(help);
        }
        let _ = writeln!(out, "title={}::{}", property(diagnostic.code), data(&message));
    }
    out
}

/// Escapes the text behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property, where `:` and `,` separate.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
