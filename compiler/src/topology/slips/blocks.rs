//! Braces and comments: what is never closed, closed too often, or opened where no node is.

use std::ops::Range;

use super::{Block, NESTING_MAX, Scanner, short};

impl Scanner<'_> {
    pub(super) fn block(&mut self, at: usize, at_node: bool, after_block: bool, slashed: bool, gone: bool) {
        if after_block && !slashed {
            let help = "join the two, or start a node of its own".to_string();
            self.hopeless(at..at + 1, "a second block of one node", help);
        } else if at_node && !slashed {
            self.block_on_its_own_line(at);
        }
        self.open.push(Block { at, slashed, gone });
        if self.open.len() > NESTING_MAX {
            self.scan.too_deep = Some((at, "blocks are"));
        }
    }

    /// A brace on the line after its node, as in C.
    fn block_on_its_own_line(&mut self, at: usize) {
        let before = self.text[..at].trim_end();
        let line = before.rfind('\n').map_or(0, |line| line + 1);
        let message = "a block starts on the line of its node";
        let named =
            !before.is_empty() && !before.ends_with(['{', '}', ';']) && !before[line..].contains("//");
        if named {
            let help = "write `{` at the end of the line above".to_string();
            let range = before.len()..at;
            let blank = " ".repeat(range.len());
            self.push(at..at + 1, message.to_string(), help, range, blank, None);
        } else {
            self.hopeless(
                at..at + 1,
                message,
                "write the name of the node before it: `topology a {`".to_string(),
            );
        }
    }

    /// A node on the line on which a block ended.
    pub(super) fn second_node(&mut self, at: usize) {
        let mut end = self.word_end(at);
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let message = format!("`{}` stands on the line of another node", short(&self.text[at..end]));
        let help = "start a new line, or put `;` before it".to_string();
        if at > 0 && matches!(self.bytes[at - 1], b' ' | b'\t') {
            self.push(at..end, message, help, at - 1..at, ";".to_string(), None);
        } else {
            self.hopeless(at..end, &message, help);
        }
    }

    /// Skips a block comment, without recursion; one that is never closed is read as a comment of one line.
    pub(super) fn comment(&mut self, start: usize) -> usize {
        let (mut at, mut depth) = (start, 0usize);
        while at < self.bytes.len() {
            match (self.bytes[at], self.bytes.get(at + 1)) {
                (b'/', Some(b'*')) => {
                    depth += 1;
                    if depth > NESTING_MAX {
                        self.scan.too_deep = Some((at, "comments are"));
                        return at;
                    }
                    at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => at += 1,
            }
        }
        let help = "close it with `*/`, or write // for one line".to_string();
        self.slip(start..start + 2, "the comment is never closed".to_string(), help, "//", None);
        self.line_end(start)
    }

    /// Braces that are still open at the end. The indentation of what follows tells which one was forgotten.
    pub(super) fn unclosed(&mut self) {
        if self.open.is_empty() || self.scan.too_deep.is_some() || self.scan.hopeless {
            return;
        }
        let left = self.open.len();
        let innermost = self.open.last().map_or(0, |block| block.at);
        let (at, instead) = self.forgotten().unwrap_or((innermost, None));
        let help = "add the `}` that belongs to it".to_string();
        let message = "this block is never closed".to_string();
        match instead.filter(|_| left == 1) {
            Some(range) => self.push(at..at + 1, message, help, range, "};".to_string(), None),
            None => {
                self.push(at..at + 1, message, help, at..at + 1, "{".to_string(), None);
                self.scan.hopeless = true;
            }
        }
    }

    /// The first block that a line leaves by its indentation without closing it, and two blanks before that line.
    fn forgotten(&self) -> Option<(usize, Option<Range<usize>>)> {
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let content = line.trim();
            let indentation = line.len() - line.trim_start().len();
            if !content.is_empty() && !content.starts_with("//") {
                if let Some((at, of_block)) = open.last()
                    && (indentation < *of_block || (indentation == *of_block && !content.starts_with('}')))
                {
                    let blanks = start + indentation;
                    return Some((*at, (indentation >= 2).then(|| blanks - 2..blanks)));
                }
                // Braces inside strings come in pairs, or the indentation says nothing.
                for (offset, byte) in line.bytes().enumerate() {
                    match byte {
                        b'{' => open.push((start + offset, indentation)),
                        b'}' => drop(open.pop()),
                        _ => {}
                    }
                }
            }
            start += line.len();
        }
        None
    }
}
