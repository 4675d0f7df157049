//! Text to tree: limits first, then the KDL parser, then its complaints put into words that help.

use std::borrow::Cow;

use kdl::{KdlDocument, KdlEntry, KdlNode, KdlValue};

use super::slips::{NESTING_MAX, SLIPS_MAX, Slip, scan};
use super::tree::{Node, Property, Scalar, Value};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// Syntax errors reported for one file; the rest is usually a consequence of the first ones.
const SYNTAX_ERRORS_MAX: usize = 10;

/// Stack of the KDL parser for a text without errors, 48 levels deep.
const STACK_BYTES: usize = 8 << 20;
/// What one level of recursion takes at most, and every byte may cause one.
const STACK_BYTES_PER_BYTE: usize = 1024;
/// Longest text that is provided for byte by byte.
const STACK_TEXT_BYTES_MAX: usize = 256 << 10;

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
    for slip in scan.slips.iter().filter(|slip| !slip.message.is_empty()).take(SLIPS_MAX) {
        let span = Span::new(file, slip.span.start, slip.span.end);
        diagnostics.push(Diagnostic::error(slip.code, span, slip.message.clone()).help(slip.help.clone()));
    }
    if scan.hopeless {
        return Vec::new();
    }
    match read(&repair(text, &scan.slips)) {
        Ok(document) => Converter { file, slips: &scan.slips, diagnostics }.nodes(&document),
        Err(error) => {
            // What stands on the line of a slip is likely its consequence.
            let mut lines_seen: Vec<usize> =
                scan.slips.iter().take(SLIPS_MAX).map(|slip| line_of(text, slip.span.start)).collect();
            let slips = lines_seen.len();
            // These follow from any other error inside the node or the block.
            let follows = |message: &str| {
                ["expected property value", "no closing '}'", "expected end of document"]
                    .iter()
                    .any(|start| message.to_lowercase().starts_with(start))
            };
            let is_cause = |found: &&kdl::KdlDiagnostic| !found.message.as_deref().is_some_and(follows);
            let causes = error.diagnostics.iter().any(|found| is_cause(&found));
            for found in error.diagnostics.iter().filter(|found| !causes || is_cause(found)) {
                let end = found.span.offset() + found.span.len().max(1);
                let (mut start, end) = on_boundaries(text, found.span.offset(), end);
                // A span over several lines starts at what contains the error and ends where reading stopped.
                if text[start..end].trim_end().contains('\n') {
                    let line = text[..end].trim_end().rfind('\n').map_or(0, |line| line + 1);
                    start = line + text[line..].len() - text[line..].trim_start().len();
                }
                let (start, end) = on_boundaries(text, start.min(end), end);
                let line = line_of(text, start);
                // One slip makes the parser complain several times on the line and on what follows a bad string.
                if lines_seen.contains(&line) || lines_seen.len() >= slips + SYNTAX_ERRORS_MAX {
                    continue;
                }
                lines_seen.push(line);
                let message = found.message.clone().unwrap_or_else(|| "this is not KDL".to_string());
                let help = found.help.clone().map_or_else(
                    || "look for a quote or a brace that is missing here or on the line above".to_string(),
                    |help| lower_first(&help.replace('\n', " ")),
                );
                let mut diagnostic =
                    Diagnostic::error("KDL001", Span::new(file, start, end), lower_first(&message))
                        .help(help);
                if let Some(label) = &found.label {
                    diagnostic = diagnostic.label(label.clone());
                }
                diagnostics.push(diagnostic);
            }
            if lines_seen.is_empty() {
                diagnostics.push(
                    Diagnostic::error("KDL001", Span::new(file, 0, 0), "this is not KDL")
                        .help("`pronoia init` writes a topology to start from"),
                );
            }
            Vec::new()
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().collect::<String>() + chars.as_str())
}

/// The nearest places between characters, around the given ones.
fn on_boundaries(text: &str, start: usize, end: usize) -> (usize, usize) {
    let (mut start, mut end) = (start.min(text.len()), end.min(text.len()));
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// The document as the KDL parser sees it, without repairs; nothing when the text is not KDL or goes too deep.
pub fn document(text: &str) -> Option<KdlDocument> {
    let scan = scan(text);
    if scan.too_deep.is_some() || scan.hopeless { None } else { read(text).ok() }
}

/// Calls the KDL parser on a stack of its own: it recurses once for each place where it loses the thread. The scan keeps
/// such places few; the stack is large enough for those that it does not foresee.
fn read(text: &str) -> Result<KdlDocument, kdl::KdlError> {
    let stack = STACK_BYTES + STACK_BYTES_PER_BYTE * text.len().min(STACK_TEXT_BYTES_MAX);
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(stack)
            .spawn_scoped(scope, || KdlDocument::parse_v2(text))
            .ok()
            .and_then(|parser| parser.join().ok());
        // Without a thread, the stack of this one has to do.
        parser.unwrap_or_else(|| KdlDocument::parse_v2(text))
    })
}

/// Puts the repairs in; what stands around them keeps its place.
fn repair<'a>(text: &'a str, slips: &[Slip]) -> Cow<'a, str> {
    if slips.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len());
    let mut done = 0;
    for slip in slips.iter().filter(|slip| slip.range.len() == slip.instead.len()) {
        if slip.range.start >= done
            && let Some(before) = text.get(done..slip.range.start)
        {
            repaired.push_str(before);
            repaired.push_str(&slip.instead);
            done = slip.range.end;
        }
    }
    repaired.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(repaired)
}

struct Converter<'a> {
    file: FileId,
    slips: &'a [Slip],
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Converter<'_> {
    fn span(&self, span: miette::SourceSpan) -> Span {
        Span::new(self.file, span.offset(), span.offset() + span.len())
    }

    /// The slip whose repair starts here.
    fn slip_at(&self, at: usize) -> Option<&Slip> {
        self.slips.binary_search_by_key(&at, |slip| slip.range.start).ok().map(|index| &self.slips[index])
    }

    fn nodes(&mut self, document: &KdlDocument) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(document.nodes().len());
        for node in document.nodes() {
            // When the name itself is wrong, that is said already.
            if self.slip_at(node.name().span().offset()).is_none() {
                nodes.push(self.node(node));
            }
        }
        nodes
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
        if let Some(annotation) = node.ty() {
            let message = format!("a type annotation `({})` on a node", annotation.value());
            let help = "nodes have none: remove it".to_string();
            self.diagnostics
                .push(Diagnostic::error("KDL006", self.span(annotation.span()), message).help(help));
        }
        for entry in node.entries() {
            let value = self.value(entry);
            let Some(name) = entry.name() else {
                out.args.push(value);
                continue;
            };
            let name_span = self.span(name.span());
            if self.slip_at(name.span().offset()).is_some() {
                continue;
            }
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
        // What had to be repaired keeps the meaning that its author gave it.
        let slip = self.slip_at(span.start as usize);
        let unknown = slip.is_some_and(|slip| slip.means.is_none());
        let scalar = slip.and_then(|slip| slip.means.clone()).unwrap_or(scalar);
        Value { scalar, span, annotation: entry.ty().map(|name| name.value().to_string()), unknown }
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
