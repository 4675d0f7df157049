//! Findings as text: for people, for machines, for the tools that read the output of linters.

use crate::diagnostic::{Diagnostic, Severity, sort};
use crate::source::{FileId, Place, Sources, Span};

mod github;
mod human;
mod json;
mod junit;
mod markdown;
mod sarif;
mod short;
mod shown;
mod xml;

pub(crate) use xml::escape as escape_xml;

/// In which shape findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Source snippets with labels, and a summary line.
    #[default]
    Human,
    /// One line per finding, `path:line:column: severity[CODE]: message`.
    Short,
    /// One JSON object per line.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
    /// Checkstyle XML.
    Checkstyle,
    /// JUnit XML.
    Junit,
    /// A Markdown table, for a comment on a change.
    Markdown,
}

/// How the text looks and what counts as a failure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether ANSI colours are written (human only).
    pub color: bool,
    /// Columns to wrap at (human only).
    pub width: usize,
    /// Lowest severity that fails the run (JUnit tells failures from remarks by it).
    pub deny: Severity,
}

impl Default for Options {
    fn default() -> Options {
        Options { color: false, width: 100, deny: Severity::Error }
    }
}

/// Writes findings in a stable order; the same findings give the same bytes.
pub fn render(format: Format, options: &Options, diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut sorted = diagnostics.to_vec();
    sort(&mut sorted);
    match format {
        Format::Human => human::render(options, &sorted, sources),
        Format::Short => short::render(&sorted, sources),
        Format::Json => json::render(&sorted, sources),
        Format::Sarif => sarif::render(&sorted, sources),
        Format::Github => github::render(&sorted, sources),
        Format::Checkstyle => xml::checkstyle(&sorted, sources),
        Format::Junit => junit::render(options, &sorted, sources),
        Format::Markdown => markdown::render(&sorted, sources),
    }
}

/// `2 errors, 1 warning`; empty when there is nothing to count.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "remark", "remarks"),
    ] {
        let count = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        if count > 0 {
            parts.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
    parts.join(", ")
}

/// Joins the findings of several runs (one per environment) over one set of sources.
///
/// A finding that several runs share is kept once.
pub fn merge(runs: impl IntoIterator<Item = (Sources, Vec<Diagnostic>)>) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    for (run_sources, run_diagnostics) in runs {
        let ids: Vec<FileId> = run_sources
            .iter()
            .map(|file| {
                let known = sources.iter().position(|seen| seen.path == file.path && seen.text == file.text);
                known.map_or_else(|| sources.add(&file.path, file.text.clone()), |at| at as FileId)
            })
            .collect();
        let moved =
            |span: Span| Span { file: ids.get(span.file as usize).copied().unwrap_or(span.file), ..span };
        for mut diagnostic in run_diagnostics {
            diagnostic.span = diagnostic.span.map(moved);
            for (span, _) in &mut diagnostic.related {
                *span = moved(*span);
            }
            diagnostics.push(diagnostic);
        }
    }
    sort(&mut diagnostics);
    (sources, diagnostics)
}

/// The place of a finding, if it has one that exists.
fn place(diagnostic: &Diagnostic, sources: &Sources) -> Option<Place> {
    diagnostic.span.and_then(|span| sources.place(span))
}

/// One line of plain text: control characters are spelled out, so that no input can drive the terminal or a log.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push(' '),
            other if other.is_control() => out.extend(other.escape_default()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests;
