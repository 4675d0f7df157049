//! Text to tree: limits first, then the KDL parser, then its complaints put into words that help.

use std::borrow::Cow;
use std::ops::Range;

use kdl::{KdlDocument, KdlEntry, KdlNode, KdlValue};

use super::tree::{Node, Property, Scalar, Value};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// Deepest nesting of blocks and of block comments. Real topologies need six.
pub const NESTING_MAX: usize = 48;
/// Syntax errors reported for one file; the rest is usually a consequence of the first ones.
const SYNTAX_ERRORS_MAX: usize = 10;

/// Parses one file. On errors the tree is what could be understood, possibly nothing.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Node> {
    let scan = scan(text);
    if let Some((at, what)) = scan.too_deep {
        diagnostics.push(
            Diagnostic::error(
                "KDL011",
                Span::new(file, at, at + 1),
                format!("{what} nested deeper than {NESTING_MAX} levels"),
            )
            .help("a topology needs about six levels; look for a missing `}` above"),
        );
        return Vec::new();
    }
    for word in &scan.bare_units {
        let written = &text[word.clone()];
        let what = unit_kind(written);
        diagnostics.push(
            Diagnostic::error(
                "KDL006",
                Span::new(file, word.start, word.end),
                format!("`{written}` is not a KDL value"),
            )
            .label("starts with a digit, so it cannot stay bare")
            .help(format!("{what} are strings: write \"{written}\"")),
        );
    }
    match KdlDocument::parse_v2(&repair(text, &scan.bare_units)) {
        Ok(document) => Converter { file, text, repaired: &scan.bare_units, diagnostics }.nodes(&document),
        Err(error) => {
            let mut lines_seen: Vec<usize> = Vec::new();
            for found in error.diagnostics.iter() {
                let (start, length) = (found.span.offset().min(text.len()), found.span.len());
                let line = line_of(text, start);
                // One slip makes the parser complain several times on the line and on what follows a bad string.
                if lines_seen.contains(&line) || lines_seen.len() >= SYNTAX_ERRORS_MAX {
                    continue;
                }
                lines_seen.push(line);
                let end = (start + length.max(1)).min(text.len());
                let message = found.message.clone().unwrap_or_else(|| "this is not KDL".to_string());
                let mut diagnostic =
                    Diagnostic::error("KDL001", Span::new(file, start, end), lower_first(&message));
                if let Some(label) = &found.label {
                    diagnostic = diagnostic.label(label.clone());
                }
                let help = found.help.clone().or_else(|| quoting_hint(text, start));
                diagnostics.push(diagnostic.maybe_help(help));
            }
            if lines_seen.is_empty() {
                diagnostics.push(Diagnostic::error(
                    "KDL001",
                    Span::new(file, 0, text.len().min(1)),
                    "this is not KDL",
                ));
            }
            Vec::new()
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().collect::<String>() + chars.as_str())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// `a/b` and `true` are the two words that people leave bare by habit.
fn quoting_hint(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind([' ', '\n', '=', '\t']).map_or(0, |cut| cut + 1);
    let word: String =
        text.get(start..)?.chars().take_while(|c| !c.is_whitespace() && *c != ';' && *c != '}').collect();
    match word.as_str() {
        "true" | "false" | "null" => Some(format!("write #{word}")),
        word if word.contains('/') => {
            Some(format!("paths and images are strings: write \"{}\"", word.trim_matches('"')))
        }
        _ => None,
    }
}

fn unit_kind(word: &str) -> &'static str {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    match unit {
        "" => "versions and addresses",
        "ms" | "s" | "m" | "h" | "d" | "w" | "y" => "durations",
        "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "K" | "M" | "G" | "T" | "k" | "KB" | "MB" | "GB" | "TB" | "B"
        | "KiB" | "MiB" | "GiB" | "TiB" => "sizes",
        _ => "values that start with a digit",
    }
}

#[derive(Default)]
struct Scan {
    too_deep: Option<(usize, &'static str)>,
    bare_units: Vec<Range<usize>>,
}

/// One linear pass over the lexical structure, without recursion: depth of blocks and comments, and bare words that
/// start with a digit. The KDL parser recurses per level, so depth is settled before it sees the text.
fn scan(text: &str) -> Scan {
    let bytes = text.as_bytes();
    let mut scan = Scan::default();
    let (mut at, mut depth) = (0, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                depth += 1;
                if depth > NESTING_MAX {
                    scan.too_deep = Some((at, "blocks are"));
                    return scan;
                }
                at += 1;
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = text[at..].find('\n').map_or(bytes.len(), |line| at + line);
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => match block_comment(bytes, at) {
                Ok(end) => at = end,
                Err(place) => {
                    scan.too_deep = Some((place, "comments are"));
                    return scan;
                }
            },
            b'#' | b'"' => at = string(text, at),
            byte if byte.is_ascii_digit() && starts_word(bytes, at) => {
                let length = bytes[at..].iter().take_while(|byte| !ends_word(**byte)).count().max(1);
                let end = at + length;
                if text.is_char_boundary(end) && looks_like_unit(&text[at..end]) {
                    scan.bare_units.push(at..end);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    scan
}

fn starts_word(bytes: &[u8], at: usize) -> bool {
    at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r' | b'=' | b'{' | b';')
}

fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b';' | b'{' | b'}' | b'(' | b')' | b'"' | b'=' | b'\\')
}

/// A word that begins like a number and is none: `15s`, `2Gi`, `0.42.4`, `10.0.0.1:80`.
fn looks_like_unit(word: &str) -> bool {
    let number = word.replace('_', "");
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| number.starts_with(prefix));
    !prefixed && number.parse::<f64>().is_err()
}

/// End of a block comment, or the place where it got too deep.
fn block_comment(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let (mut at, mut depth) = (start, 0usize);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Err(at);
                }
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Ok(at);
                }
            }
            _ => at += 1,
        }
    }
    Ok(bytes.len())
}

/// End of a quoted, raw or multi-line string that starts at `at`; `at + 1` when it is only a `#keyword`.
fn string(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + hashes;
    if bytes.get(open) != Some(&b'"') {
        return at + hashes.max(1);
    }
    let quotes = if text[open..].starts_with("\"\"\"") { 3 } else { 1 };
    let closing = format!("{}{}", "\"".repeat(quotes), "#".repeat(hashes));
    let mut place = open + quotes;
    while place < bytes.len() {
        if hashes == 0 && bytes[place] == b'\\' {
            place += 2;
        } else if bytes[place..].starts_with(closing.as_bytes()) {
            return place + closing.len();
        } else {
            place += 1;
        }
    }
    bytes.len()
}

/// Turns `15s` into `_5s`, a legal bare word of the same length, so that the rest of the file is read in the same pass.
fn repair<'a>(text: &'a str, words: &[Range<usize>]) -> Cow<'a, str> {
    if words.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut repaired = text.to_string();
    for word in words {
        repaired.replace_range(word.start..word.start + 1, "_");
    }
    Cow::Owned(repaired)
}

struct Converter<'a> {
    file: FileId,
    text: &'a str,
    repaired: &'a [Range<usize>],
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Converter<'_> {
    fn span(&self, span: miette::SourceSpan) -> Span {
        Span::new(self.file, span.offset(), span.offset() + span.len())
    }

    fn nodes(&mut self, document: &KdlDocument) -> Vec<Node> {
        document.nodes().iter().map(|node| self.node(node)).collect()
    }

    fn node(&mut self, node: &KdlNode) -> Node {
        let mut out = Node {
            name: node.name().value().to_string(),
            name_span: self.span(node.name().span()),
            span: self.span(node.span()),
            args: Vec::new(),
            props: Vec::new(),
            children: node.children().map_or_else(Vec::new, |children| self.nodes(children)),
        };
        for entry in node.entries() {
            let value = self.value(entry);
            let Some(name) = entry.name() else {
                out.args.push(value);
                continue;
            };
            let name_span = self.span(name.span());
            if let Some(first) = out.props.iter().find(|prop| prop.name == name.value()) {
                let message = format!("property `{}` is written twice on `{}`", name.value(), out.name);
                self.diagnostics.push(
                    Diagnostic::error("KDL004", name_span, message)
                        .related(first.name_span, "first written here")
                        .help("keep one of the two"),
                );
                continue;
            }
            out.props.push(Property { name: name.value().to_string(), name_span, value });
        }
        out
    }

    fn value(&self, entry: &KdlEntry) -> Value {
        let whole = self.span(entry.span());
        let span = match (entry.name(), entry.format()) {
            (Some(_), Some(format)) => {
                let length = format.value_repr.len() as u32;
                Span { start: whole.end.saturating_sub(length).max(whole.start), ..whole }
            }
            _ => whole,
        };
        let scalar = match entry.value() {
            KdlValue::String(text) => Scalar::Str(text.clone()),
            KdlValue::Integer(number) => Scalar::Int(*number),
            KdlValue::Float(number) => Scalar::Float(*number),
            KdlValue::Bool(flag) => Scalar::Bool(*flag),
            KdlValue::Null => Scalar::Null,
        };
        // A word that had to be repaired keeps the meaning that its author gave it.
        let range = span.start as usize..span.end as usize;
        let scalar = match self.repaired.contains(&range) {
            true => Scalar::Str(self.text.get(range).unwrap_or_default().to_string()),
            false => scalar,
        };
        Value { scalar, span, annotation: entry.ty().map(|name| name.value().to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<(&'static str, String, Option<String>)> {
        let mut found = Vec::new();
        parse(0, text, &mut found);
        found.into_iter().map(|d| (d.code, d.message, d.help)).collect()
    }

    #[test]
    fn bare_durations_are_explained() {
        let found = errors("a {\n  every 15s disk=2Gi\n}\n");
        assert_eq!(found[0].2.as_deref(), Some("durations are strings: write \"15s\""));
        assert_eq!(found.len(), 2, "nothing else is wrong with it: {found:?}");
    }

    #[test]
    fn numbers_and_strings_are_no_units() {
        assert!(errors("a 1 1.5 0xFF 1_000 \"15s\" #\"2Gi\"# b=1e3 // 15s\n/* 3d /* 4d */ */").is_empty());
    }

    #[test]
    fn a_million_levels_are_an_error_and_no_overflow() {
        let text = "a {".repeat(1_000_000);
        assert_eq!(errors(&text)[0].0, "KDL011");
        assert_eq!(errors(&"/*".repeat(1_000_000))[0].0, "KDL011");
    }
}
