//! A Markdown table, meant as a comment on a change.

use std::fmt::Write;

use super::{place, plain, summary};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    if diagnostics.is_empty() {
        return "No findings.\n".to_string();
    }
    let mut out = format!("**{}**\n\n", summary(diagnostics));
    out.push_str("| severity | code | place | finding |\n|---|---|---|---|\n");
    for diagnostic in diagnostics {
        let place = place(diagnostic, sources)
            .map(|place| format!("`{}:{}`", plain(&place.path).replace(['`', '|'], "'"), place.line))
            .unwrap_or_default();
        let mut text = cell(&diagnostic.message);
        if let Some(help) = &diagnostic.help {
            let _ = write!(text, "<br>*help:* {}", cell(help));
        }
        let _ = writeln!(out, "| {} | {} | {place} | {text} |", diagnostic.severity.word(), diagnostic.code);
    }
    out
}

/// Text for a table cell: what would end the cell, start HTML or mark text up is escaped.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    for character in text.chars() {
        match character {
            '\n' => out.push_str("<br>"),
            '|' => out.push_str("\\|"),
            '<' if !code => out.push_str("&lt;"),
            '&' if !code => out.push_str("&amp;"),
            '*' | '_' | '[' | ']' | '@' if !code => {
                out.push('\\');
                out.push(character);
            }
            '`' => {
                code = !code;
                out.push('`');
            }
            other if other.is_control() => out.extend(other.escape_default()),
            other => out.push(other),
        }
    }
    out
}
