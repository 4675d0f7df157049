//! `pronoia fmt`: lays a topology out anew and keeps everything that somebody wrote: comments, spellings, order.
//!
//! Works on tokens, because the KDL tree forgets how numbers and strings were spelled. The result is proved against
//! the input before it is handed out.

use kdl::{KdlDocument, KdlNode};

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};
use crate::topology::parse;

mod layout;
mod token;

use token::{Kind, Token};

/// Formats one file; `file` is its id in the caller's sources. Text with syntax errors comes back as findings.
pub fn format(file: FileId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    // Settles nesting depth before anything recurses over the text, and words complaints for people.
    parse::parse(file, text, &mut diagnostics);
    if diagnostics.iter().any(|diagnostic| diagnostic.code == "KDL011") {
        return Err(diagnostics);
    }
    let Some(before) = parse::document(text) else {
        if diagnostics.is_empty() {
            diagnostics.push(Diagnostic::error(
                "KDL001",
                Span::new(file, 0, text.len().min(1)),
                "this is not KDL",
            ));
        }
        return Err(diagnostics);
    };
    let tokens = token::tokens(text);
    // Moving the lines of multi-line strings together is safe but for odd escapes; then they stay as they are.
    for shift_strings in [true, false] {
        let after = layout::lay_out(&tokens, shift_strings);
        let same = parse::document(&after).is_some_and(|document| same_document(&before, &document));
        if same && same_tokens(&tokens, &token::tokens(&after)) {
            return Ok(after);
        }
    }
    Err(vec![
        Diagnostic::error(
            "KDL001",
            Span::new(file, 0, text.len().min(1)),
            "no layout keeps the meaning of this file",
        )
        .help("the file was left as it is; look for a missing blank before `/-` or around a comment"),
    ])
}

/// Whether two documents say the same; comments and spacing do not count.
fn same_document(a: &KdlDocument, b: &KdlDocument) -> bool {
    a.nodes().len() == b.nodes().len() && a.nodes().iter().zip(b.nodes()).all(|(a, b)| same_node(a, b))
}

fn same_node(a: &KdlNode, b: &KdlNode) -> bool {
    let entries = a.entries().len() == b.entries().len()
        && a.entries().iter().zip(b.entries()).all(|(a, b)| {
            a.name().map(kdl::KdlIdentifier::value) == b.name().map(kdl::KdlIdentifier::value)
                && a.ty().map(kdl::KdlIdentifier::value) == b.ty().map(kdl::KdlIdentifier::value)
                && (a.value() == b.value() || same_nan(a.value(), b.value()))
        });
    let children = match (a.children(), b.children()) {
        (Some(a), Some(b)) => same_document(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    entries
        && children
        && a.name().value() == b.name().value()
        && a.ty().map(kdl::KdlIdentifier::value) == b.ty().map(kdl::KdlIdentifier::value)
}

fn same_nan(a: &kdl::KdlValue, b: &kdl::KdlValue) -> bool {
    let nan = |value: &kdl::KdlValue| value.as_float().is_some_and(f64::is_nan);
    nan(a) && nan(b)
}

/// Whether no word, comment or slashed-out part got lost; the tree does not show the last two.
fn same_tokens(a: &[Token<'_>], b: &[Token<'_>]) -> bool {
    let counts = |token: &&Token<'_>| !matches!(token.kind, Kind::Space | Kind::Newline | Kind::Semicolon);
    let mut a = a.iter().filter(counts);
    let mut b = b.iter().filter(counts);
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a.kind == b.kind && same_text(a.text, b.text) => {}
            _ => return false,
        }
    }
}

fn same_text(a: &str, b: &str) -> bool {
    a == b || a.lines().map(str::trim).eq(b.lines().map(str::trim))
}

#[cfg(test)]
mod tests;
