//! A YAML document as a tree with positions; scalars stay text until a type is asked for.
//!
//! Every node is built once, however often an alias names it, so the tree is linear in the text.

mod scalar;
mod tabs;
mod text;

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::Kind;

pub(crate) use scalar::{Dialect, Resolved, old_bool, resolve};
pub(crate) use text::decode as decode_text;

/// Deeper nesting than any configuration has.
const NESTING_MAX: usize = 64;

/// A line and a column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The place of a node in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

/// One node.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) mark: Mark,
    /// The tag, `!!` written out; empty without one.
    pub(crate) tag: Cow<'t, str>,
    pub(crate) content: Content<'t>,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content<'t> {
    Scalar { text: Cow<'t, str>, plain: bool },
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    Alias { target: NodeId, name: Cow<'t, str> },
}

/// Why there is no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) mark: Mark,
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// The first document of a text.
#[derive(Debug, Default)]
pub(crate) struct Tree<'t> {
    nodes: Vec<Node<'t>>,
    root: Option<NodeId>,
    /// A line that the libraries of Prometheus may refuse, unlike the parser here.
    pub(crate) doubtful: Option<Mark>,
}

/// An open collection.
struct Open {
    id: NodeId,
    /// The key that waits for its value.
    key: Option<NodeId>,
}

impl<'t> Tree<'t> {
    /// Reads the first document; what follows it is not looked at, as in Prometheus.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Unreadable> {
        let mut options = granit_parser::Options::default();
        options.set_emit_comments(false);
        options.bom_inside_document_as_content = true;
        options.block_scalar_eof_without_line_feed = true;
        options.flow_nesting_limit = NESTING_MAX;
        options.block_nesting_limit = NESTING_MAX;
        let mut tree = Tree::default();
        let mut tabs = tabs::Blank::new(text);
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: Vec<(usize, NodeId)> = Vec::new();
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| unreadable(&error))?;
            let mark = mark_of(span.start.line(), span.start.col());
            tabs.pass(&event, byte_of(span.start), byte_of(span.end));
            let (content, tag, anchor) = match event {
                Event::Scalar(value, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain;
                    // The parser writes `~` where there is nothing at all.
                    let nothing = plain
                        && value == "~"
                        && !text.get(byte_of(span.start)..).is_some_and(|rest| rest.starts_with('~'));
                    let value = if nothing { Cow::Borrowed("") } else { value };
                    (Content::Scalar { text: value, plain }, tag, anchor)
                }
                Event::SequenceStart(_, anchor, tag) => (Content::Sequence(Vec::new()), tag, anchor),
                Event::MappingStart(_, anchor, tag) => (Content::Mapping(Vec::new()), tag, anchor),
                Event::Alias(id) => {
                    let found = anchors.binary_search_by_key(&id, |(anchor, _)| *anchor);
                    let target = found.ok().and_then(|at| anchors.get(at)).map(|(_, node)| *node);
                    let Some(target) = target else {
                        return Err(refused(mark, "alias of an unknown anchor"));
                    };
                    let name = span.byte_range().and_then(|range| text.get(range)).unwrap_or_default();
                    let name = Cow::Borrowed(name.trim_start_matches('*'));
                    (Content::Alias { target, name }, None, 0)
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some(closed) = open.pop() {
                        tree.attach(closed.id, &mut open);
                    }
                    continue;
                }
                Event::DocumentEnd => break,
                _ => continue,
            };
            let tag = tag.map_or(Cow::Borrowed(""), |tag| Cow::Owned(tag.to_string()));
            let collection = matches!(content, Content::Sequence(_) | Content::Mapping(_));
            let Ok(index) = u32::try_from(tree.nodes.len()) else {
                return Err(refused(mark, "the file has more nodes than can be counted"));
            };
            let id = NodeId(index);
            tree.nodes.push(Node { mark, tag, content });
            if anchor != 0 {
                anchors.push((anchor, id));
            }
            if collection {
                if open.len() >= NESTING_MAX {
                    return Err(refused(mark, "the file is nested deeper than 64 levels"));
                }
                open.push(Open { id, key: None });
            } else {
                tree.attach(id, &mut open);
            }
        }
        tree.doubtful = tabs.doubtful();
        Ok(tree)
    }

    /// Puts a finished node into the innermost open collection.
    fn attach(&mut self, id: NodeId, open: &mut [Open]) {
        let Some(parent) = open.last_mut() else {
            self.root = self.root.or(Some(id));
            return;
        };
        let Some(node) = self.nodes.get_mut(parent.id.0 as usize) else { return };
        match &mut node.content {
            Content::Sequence(items) => items.push(id),
            Content::Mapping(pairs) => match parent.key.take() {
                None => parent.key = Some(id),
                Some(key) => pairs.push((key, id)),
            },
            Content::Scalar { .. } | Content::Alias { .. } => {}
        }
    }

    /// The outermost node; none if the document is empty.
    pub(crate) fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// A node; ids come from this tree alone.
    pub(crate) fn node(&self, id: NodeId) -> &Node<'t> {
        const NOTHING: Node<'static> = Node {
            mark: Mark { line: 1, column: 1 },
            tag: Cow::Borrowed(""),
            content: Content::Scalar { text: Cow::Borrowed(""), plain: true },
        };
        static NONE: Node<'static> = NOTHING;
        self.nodes.get(id.0 as usize).unwrap_or(&NONE)
    }

    /// The node that an alias stands for, or the node itself.
    pub(crate) fn target(&self, id: NodeId) -> NodeId {
        match &self.node(id).content {
            Content::Alias { target, .. } => *target,
            _ => id,
        }
    }
}

fn byte_of(marker: granit_parser::Marker) -> usize {
    marker.byte_offset().unwrap_or(0)
}

fn mark_of(line: usize, column: usize) -> Mark {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Mark { line: count(line.max(1)), column: count(column).saturating_add(1) }
}

fn refused(mark: Mark, message: &str) -> Unreadable {
    Unreadable { mark, kind: Kind::Syntax, message: message.to_owned() }
}

fn unreadable(error: &ScanError) -> Unreadable {
    let marker = error.marker();
    let message = format!("this is no YAML: {}", error.info());
    Unreadable { mark: mark_of(marker.line(), marker.col()), kind: Kind::Syntax, message }
}
