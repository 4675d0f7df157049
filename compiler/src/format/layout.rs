//! Tokens to text in the one layout: four blanks per level, one blank between entries, at most one empty line.

use super::token::{Kind, Token};

const INDENT: &str = "    ";

/// Writes the tokens down; `shift_strings` moves multi-line strings along with their node.
pub(super) fn lay_out(tokens: &[Token<'_>], shift_strings: bool) -> String {
    let inline = inline_blocks(tokens);
    let mut layout = Layout { shift_strings, ..Layout::default() };
    for (token, inline) in tokens.iter().zip(inline) {
        layout.token(token, inline);
    }
    let mut out = layout.out;
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// For every `{`, whether its block stands on one line. Any line break inside stretches all blocks around it.
fn inline_blocks(tokens: &[Token<'_>]) -> Vec<bool> {
    let mut inline = vec![true; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => open.push(at),
            Kind::Close => {
                open.pop();
            }
            Kind::Newline | Kind::LineComment | Kind::Escline => stretch(&mut inline, &open),
            Kind::String | Kind::BlockComment if token.text.contains(['\n', '\r']) => {
                stretch(&mut inline, &open)
            }
            _ => {}
        }
    }
    inline
}

fn stretch(inline: &mut [bool], open: &[usize]) {
    // Blocks around a stretched block are stretched already, so the walk ends at the first of them.
    for at in open.iter().rev() {
        if !std::mem::replace(&mut inline[*at], false) {
            break;
        }
    }
}

struct Block {
    /// Stands on one line.
    inline: bool,
    /// Belongs to a node that is slashed out.
    node_slashed: bool,
}

#[derive(Default)]
struct Layout {
    out: String,
    shift_strings: bool,
    /// Open blocks.
    blocks: Vec<Block>,
    /// Stretched blocks that are open.
    depth: usize,
    /// Last token written.
    previous: Option<Kind>,
    /// Line breaks since then.
    newlines: usize,
    /// Blanks since then.
    gap: bool,
    /// A `;` that is written only when something follows on its line.
    semicolon: bool,
    /// Whether a node was begun since the last `{` or `;`.
    node_begun: bool,
    /// Whether that node is slashed out; the parser wants no `;` behind such a node at the end of a block.
    node_slashed: bool,
    /// Behind `/-`, where a line break ends nothing.
    slashed: bool,
}

impl Layout {
    fn token(&mut self, token: &Token<'_>, inline: bool) {
        match token.kind {
            Kind::Space => self.gap = true,
            Kind::Newline if self.slashed && self.previous != Some(Kind::LineComment) => self.gap = true,
            Kind::Newline => self.newlines += 1,
            Kind::Semicolon => self.semicolon = true,
            Kind::Close => self.close(),
            kind => {
                self.separate(kind);
                match kind {
                    Kind::Open => {
                        self.out.push('{');
                        self.blocks.push(Block { inline, node_slashed: self.node_slashed });
                        self.depth += usize::from(!inline);
                    }
                    Kind::String => self.string(token.text),
                    Kind::Escline => {
                        self.out.push('\\');
                        let comment = token.text[1..].trim();
                        if !comment.is_empty() {
                            self.out.push(' ');
                            self.out.push_str(comment);
                        }
                    }
                    Kind::LineComment => self.out.push_str(token.text.trim_end()),
                    _ => self.out.push_str(token.text),
                }
                let comment = matches!(kind, Kind::LineComment | Kind::BlockComment | Kind::Escline);
                if kind == Kind::SlashDash {
                    self.slashed = true;
                    self.node_slashed |= !self.node_begun;
                } else if !comment {
                    self.slashed = false;
                }
                self.node_begun |= !comment;
                if kind == Kind::Open {
                    self.node_ends();
                }
                self.written(kind);
            }
        }
    }

    fn node_ends(&mut self) {
        self.node_begun = false;
        self.node_slashed = false;
    }

    fn written(&mut self, kind: Kind) {
        self.previous = Some(kind);
        self.newlines = 0;
        self.gap = false;
        self.semicolon = false;
    }

    /// What stands between the last token and the next.
    fn separate(&mut self, next: Kind) {
        let Some(previous) = self.previous else { return };
        let stretched = self.blocks.last().is_some_and(|block| !block.inline);
        let opens_line = previous == Kind::Open && stretched && next != Kind::LineComment;
        if self.newlines > 0 || opens_line {
            if previous == Kind::Escline {
                self.out.push('\n');
            }
            self.out.push('\n');
            if self.newlines > 1 && previous != Kind::Open {
                self.out.push('\n');
            }
            self.indent(self.depth);
            self.node_ends();
        } else if previous == Kind::Escline {
            self.out.push('\n');
            self.indent(self.depth + 1);
            if self.semicolon && next != Kind::LineComment {
                self.out.push_str("; ");
                self.node_ends();
            }
        } else if self.semicolon && next != Kind::LineComment {
            self.out.push_str("; ");
            self.node_ends();
        } else if self.blank(previous, next) {
            self.out.push(' ');
        }
    }

    fn blank(&self, previous: Kind, next: Kind) -> bool {
        match (previous, next) {
            (_, Kind::LineComment | Kind::Escline) => true,
            (Kind::SlashDash, _) => self.gap,
            (Kind::ParenOpen | Kind::Equals, _) | (_, Kind::ParenClose | Kind::Equals) => false,
            (Kind::ParenClose, Kind::Word | Kind::String) => false,
            _ => true,
        }
    }

    fn close(&mut self) {
        let Block { inline, node_slashed } =
            self.blocks.pop().unwrap_or(Block { inline: false, node_slashed: false });
        if !inline {
            self.depth = self.depth.saturating_sub(1);
        }
        if self.previous != Some(Kind::Open) {
            if inline {
                // The `;` behind the last node, but not behind a block: `{ a; b { c; } }`.
                if self.node_begun && !self.node_slashed && self.previous != Some(Kind::Close) {
                    self.out.push(';');
                }
                self.out.push(' ');
            } else {
                self.out.push('\n');
                self.indent(self.depth);
            }
        }
        self.out.push('}');
        self.node_begun = true;
        self.node_slashed = node_slashed;
        self.slashed = false;
        self.written(Kind::Close);
    }

    fn indent(&mut self, depth: usize) {
        for _ in 0..depth {
            self.out.push_str(INDENT);
        }
    }

    fn string(&mut self, text: &str) {
        let moved = if self.shift_strings { shift(text, &INDENT.repeat(self.depth + 1)) } else { None };
        self.out.push_str(moved.as_deref().unwrap_or(text));
    }
}

/// A multi-line string with its lines moved together, so that the closing quotes stand behind `indent`.
///
/// The blanks before the closing quotes are what every line loses, hence replacing exactly them changes no value.
/// `None` when the string has one line or a line starts with less.
fn shift(text: &str, indent: &str) -> Option<String> {
    let opening = text.trim_start_matches('#');
    if !opening.starts_with("\"\"\"") {
        return None;
    }
    let mut lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let last = lines.pop()?;
    let first = (!lines.is_empty()).then(|| lines.remove(0))?;
    let closing = last.trim_start();
    if !closing.starts_with("\"\"\"") {
        return None;
    }
    let prefix = &last[..last.len() - closing.len()];
    let mut out = String::from(first);
    for line in lines {
        out.push('\n');
        if !line.trim().is_empty() {
            out.push_str(indent);
            out.push_str(line.strip_prefix(prefix)?);
        }
    }
    out.push('\n');
    out.push_str(indent);
    out.push_str(closing);
    Some(out)
}
