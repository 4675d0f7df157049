//! Cuts a template's source into text, holes, statements and comments.

use std::ops::Range;

/// One part of a template's source; ranges of holes and statements lie between the delimiters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Text(Range<usize>),
    Hole(Range<usize>),
    Statement(Range<usize>),
    Comment,
}

/// Cuts a source at its delimiters; an unclosed one runs to the end (compiling the template reports it).
pub(super) fn segments(source: &str) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((open, kind)) = next_delimiter(source, at) {
        if open > at {
            found.push(Segment::Text(at..open));
        }
        let inner = open + 2;
        let close = match kind {
            '#' => find(source, inner, "#>"),
            '%' => find_outside_strings(source, inner, "%>"),
            _ => find_outside_strings(source, inner, ">>"),
        };
        let (end, next) = close.map_or((source.len(), source.len()), |close| (close, close + 2));
        found.push(match kind {
            '#' => Segment::Comment,
            '%' => Segment::Statement(inner..end),
            _ => Segment::Hole(inner..end),
        });
        at = next;
        if kind == '%' && keyword(source, &(inner..end)) == "raw" {
            // The language has no holes in here; its text ends at the next `endraw`.
            at = raw_end(source, next);
            found.push(Segment::Text(next..at));
        }
    }
    if at < source.len() {
        found.push(Segment::Text(at..source.len()));
    }
    found
}

/// The first word of a statement.
pub(super) fn keyword<'a>(source: &'a str, range: &Range<usize>) -> &'a str {
    let text = source.get(range.clone()).unwrap_or_default();
    let text = text.trim_start_matches(['-', '+']).trim_start();
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn next_delimiter(source: &str, from: usize) -> Option<(usize, char)> {
    let rest = source.get(from..)?;
    rest.match_indices('<').find_map(|(at, _)| {
        let kind = rest.get(at + 1..)?.chars().next()?;
        matches!(kind, '<' | '%' | '#').then_some((from + at, kind))
    })
}

fn find(source: &str, from: usize, what: &str) -> Option<usize> {
    Some(from + source.get(from..)?.find(what)?)
}

fn find_outside_strings(source: &str, from: usize, what: &str) -> Option<usize> {
    let rest = source.get(from..)?;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if rest.get(at..).is_some_and(|rest| rest.starts_with(what)) => return Some(from + at),
            None => {}
        }
    }
    None
}

fn raw_end(source: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(open) = find(source, at, "<%") {
        if keyword(source, &(open + 2..source.len())) == "endraw" {
            return open;
        }
        at = open + 2;
    }
    source.len()
}
