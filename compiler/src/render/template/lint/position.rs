//! Finds out where in the YAML each hole of a template stands.
//!
//! Only as much YAML is understood as is needed to tell a value's place from quotes, comments, keys and text. Branches
//! of an `if` continue from where the `if` stood, so each is read as if it were the only one.

use std::ops::Range;

use super::super::segments::{Segment, keyword};

const IN_QUOTES: &str = "stands inside quotes; a hole writes its own quotes";
const IN_COMMENT: &str = "stands in a comment; use `<# #>` for comments of the template";
const IN_KEY: &str = "is a mapping key; write the whole mapping as one hole";
const IN_TEXT: &str =
    "touches other text; a hole is one whole value: build the text with `~` in the expression";
const IN_BLOCK: &str = "stands inside a block of text; build the text in the expression";

/// The holes that are not a whole value, in source order, with what is wrong.
pub(super) fn misplaced_holes(source: &str, segments: &[Segment]) -> Vec<(Range<usize>, &'static str)> {
    let items = items(source, segments);
    let mut reader = Reader::default();
    let mut branches: Vec<Reader> = Vec::new();
    let mut found: Vec<(Range<usize>, &'static str)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let problem = match item {
            Item::Char(c) => {
                let next = items[index + 1..].iter().find(|item| !matches!(item, Item::Statement(_)));
                reader.char(*c, next)
            }
            Item::Hole(range) => reader.hole(range),
            Item::Statement(keyword) => {
                match *keyword {
                    "if" | "for" => branches.push(reader.clone()),
                    "elif" | "else" => reader = branches.last().cloned().unwrap_or(reader),
                    "endif" | "endfor" => drop(branches.pop()),
                    _ => {}
                }
                None
            }
        };
        if let Some(problem) = problem
            && !found.iter().any(|(range, _)| *range == problem.0)
        {
            found.push(problem);
        }
    }
    found
}

enum Item<'a> {
    Char(char),
    Hole(Range<usize>),
    Statement(&'a str),
}

fn items<'a>(source: &'a str, segments: &[Segment]) -> Vec<Item<'a>> {
    let mut items = Vec::with_capacity(source.len());
    for segment in segments {
        match segment {
            Segment::Text(range) => {
                items.extend(source.get(range.clone()).unwrap_or_default().chars().map(Item::Char));
            }
            Segment::Hole(range) => items.push(Item::Hole(range.clone())),
            Segment::Statement(range) => items.push(Item::Statement(keyword(source, range))),
            Segment::Comment => {}
        }
    }
    items
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// A node may start here and is the first of its line, or follows `- `.
    Node,
    /// A value may start here, after `: ` or inside brackets.
    Value,
    /// Inside a plain scalar, which may turn out to be a key.
    Plain,
    /// After `&anchor` or `!tag`, up to the next space.
    Property,
    Quoted(char),
    /// Behind the closing quote or bracket of a value.
    Ended,
    AfterHole(Range<usize>),
    Comment,
    /// Behind `|` or `>`, up to the end of the line.
    BlockHeader,
    BlockLine,
}

#[derive(Debug, Clone)]
struct Reader {
    state: State,
    /// Depth of `[` and `{`.
    flow: usize,
    column: usize,
    /// Column of the entry that the current line belongs to: a block of text is indented deeper.
    entry: usize,
    /// The block of text that goes on while lines are indented deeper than this.
    block: Option<usize>,
    line_started: bool,
    after_space: bool,
    escaped: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            state: State::Node,
            flow: 0,
            column: 0,
            entry: 0,
            block: None,
            line_started: false,
            after_space: true,
            escaped: false,
        }
    }
}

impl Reader {
    fn hole(&mut self, range: &Range<usize>) -> Option<(Range<usize>, &'static str)> {
        self.start_of_content();
        let problem = match &self.state {
            State::Node | State::Value => {
                self.state = State::AfterHole(range.clone());
                None
            }
            State::Plain | State::Property | State::Ended | State::AfterHole(_) => Some(IN_TEXT),
            State::Quoted(_) => Some(IN_QUOTES),
            State::Comment => Some(IN_COMMENT),
            State::BlockHeader | State::BlockLine => Some(IN_BLOCK),
        };
        self.after_space = false;
        problem.map(|problem| (range.clone(), problem))
    }

    fn char(&mut self, c: char, next: Option<&Item<'_>>) -> Option<(Range<usize>, &'static str)> {
        if c == '\n' {
            self.line_end();
            return None;
        }
        if c != ' ' {
            self.start_of_content();
        }
        let problem = self.step(c, next);
        self.column += 1;
        self.after_space = c == ' ' || c == '\t';
        problem
    }

    fn line_end(&mut self) {
        if self.state == State::BlockHeader {
            self.block = Some(self.entry);
        }
        if !matches!(self.state, State::Quoted(_)) {
            self.state = if self.flow > 0 { State::Value } else { State::Node };
        }
        self.column = 0;
        self.line_started = false;
        self.after_space = true;
        self.escaped = false;
    }

    /// Decides at the first sign of a line whether the line belongs to a block of text.
    fn start_of_content(&mut self) {
        if self.line_started {
            return;
        }
        self.line_started = true;
        match self.block {
            Some(outer) if self.column > outer => self.state = State::BlockLine,
            _ => self.block = None,
        }
    }

    fn step(&mut self, c: char, next: Option<&Item<'_>>) -> Option<(Range<usize>, &'static str)> {
        let ends_word = match next {
            None => true,
            Some(Item::Char(next)) => next.is_whitespace(),
            Some(_) => false,
        };
        let in_flow = self.flow > 0;
        match &self.state {
            State::Comment | State::BlockHeader | State::BlockLine => {}
            State::Quoted('"') if self.escaped => self.escaped = false,
            State::Quoted('"') if c == '\\' => self.escaped = true,
            State::Quoted(open) if c == *open => self.state = State::Ended,
            State::Quoted(_) => {}
            State::Property if c == ' ' || c == '\t' => self.state = State::Value,
            _ if c == ' ' || c == '\t' => {}
            State::Node | State::Value => self.start_value(c, ends_word),
            _ if c == '#' && self.after_space => self.state = State::Comment,
            _ if in_flow && c == ',' => self.state = State::Value,
            _ if in_flow && matches!(c, ']' | '}') => self.close(),
            State::AfterHole(hole) => {
                let problem = if c == ':' { IN_KEY } else { IN_TEXT };
                let hole = hole.clone();
                self.state = State::Plain;
                return Some((hole, problem));
            }
            State::Ended if c == '\'' => self.state = State::Quoted('\''),
            State::Plain | State::Ended if c == ':' && (ends_word || self.state == State::Ended) => {
                self.state = State::Value;
            }
            _ => {}
        }
        None
    }

    fn start_value(&mut self, c: char, ends_word: bool) {
        if self.state == State::Node && !matches!(c, '|' | '>') {
            self.entry = self.column;
        }
        self.state = match c {
            '-' | '?' if ends_word => State::Node,
            '#' if self.after_space => State::Comment,
            '"' | '\'' => State::Quoted(c),
            '[' | '{' => {
                self.flow += 1;
                State::Value
            }
            ']' | '}' if self.flow > 0 => {
                self.flow -= 1;
                State::Ended
            }
            ',' if self.flow > 0 => State::Value,
            '|' | '>' if self.flow == 0 => State::BlockHeader,
            '&' | '!' => State::Property,
            _ => State::Plain,
        };
    }

    fn close(&mut self) {
        self.flow -= 1;
        self.state = State::Ended;
    }
}
