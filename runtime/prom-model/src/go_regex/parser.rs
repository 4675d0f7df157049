//! Reads Go's regular expression syntax into regex-syntax' intermediate form.

use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, Look, Repetition};

use super::error::{GoRegexError, GoRegexErrorKind as Kind};
use super::{Dot, class, escape};

/// Deepest nesting of groups: the compiler behind us walks the tree recursively.
const DEPTH_MAX: usize = 200;
/// Go's bound for `{n}` and for the product of nested ones.
const REPEAT_MAX: u32 = 1000;

/// A pattern that was read.
pub(super) struct Parsed {
    pub(super) hir: Hir,
    /// Group names by number; number 0 is the whole match.
    pub(super) group_names: Vec<Option<String>>,
}

pub(super) fn parse(pattern: &str, dot: Dot) -> Result<Parsed, GoRegexError> {
    let flags = Flags { fold: false, multi_line: false, dot_newline: dot == Dot::Any, swap_greed: false };
    let mut parser = Parser { pattern, at: 0, flags, group_names: vec![None] };
    let node = parser.alternation(0)?;
    if parser.at < pattern.len() {
        // Only a closing parenthesis ends the outermost alternation early.
        return Err(parser.error(Kind::UnexpectedParen, parser.at, parser.at + 1));
    }
    Ok(Parsed { hir: node.hir, group_names: parser.group_names })
}

/// The settings that `(?imsU)` changes.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) fold: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// A piece of the expression.
struct Node {
    hir: Hir,
    /// Product of the nested counted repetitions, which Go bounds.
    repeats: u32,
}

impl From<Hir> for Node {
    fn from(hir: Hir) -> Self {
        Node { hir, repeats: 1 }
    }
}

pub(super) struct Parser<'p> {
    pub(super) pattern: &'p str,
    pub(super) at: usize,
    pub(super) flags: Flags,
    group_names: Vec<Option<String>>,
}

impl<'p> Parser<'p> {
    pub(super) fn rest(&self) -> &'p str {
        self.pattern.get(self.at..).unwrap_or("")
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    pub(super) fn error(&self, kind: Kind, from: usize, to: usize) -> GoRegexError {
        let fragment = match kind {
            // Go shows the whole pattern.
            Kind::MissingParen | Kind::UnexpectedParen => self.pattern,
            _ => self.pattern.get(from..to).unwrap_or(""),
        };
        let fragment = fragment.to_owned();
        GoRegexError { kind, fragment, position: from }
    }

    pub(super) fn error_to_here(&self, kind: Kind, from: usize) -> GoRegexError {
        self.error(kind, from, self.at)
    }

    /// Reads branches up to the end or to a `)` that it leaves in place.
    fn alternation(&mut self, depth: usize) -> Result<Node, GoRegexError> {
        if depth > DEPTH_MAX {
            return Err(self.error(Kind::NestingDepth, self.at, self.at));
        }
        let mut branches: Vec<Hir> = Vec::new();
        let mut repeats = 1;
        let mut branch: Vec<Node> = Vec::new();
        let mut repeated_from = None;
        loop {
            let start = self.at;
            let last_repeat = repeated_from.take();
            let Some(c) = self.peek().filter(|c| *c != ')') else { break };
            match c {
                '|' => {
                    self.at += 1;
                    branches.push(concat(&mut branch, &mut repeats));
                }
                '(' => {
                    if let Some(node) = self.group(depth)? {
                        branch.push(node);
                    }
                }
                '*' | '+' | '?' | '{' => match self.repeat_bounds()? {
                    None => branch.push(self.literal_char('{').into()),
                    Some(bounds) => {
                        let greedy = !self.eat("?");
                        if let Some(from) = last_repeat {
                            return Err(self.error_to_here(Kind::InvalidRepeatOp, from));
                        }
                        let Some(node) = branch.pop() else {
                            return Err(self.error_to_here(Kind::MissingRepeatArgument, start));
                        };
                        branch.push(self.repeat(node, bounds, greedy, start)?);
                        repeated_from = Some(start);
                    }
                },
                _ => self.atom(&mut branch)?,
            }
        }
        branches.push(concat(&mut branch, &mut repeats));
        Ok(Node { hir: Hir::alternation(branches), repeats })
    }

    /// Reads one atom that is neither a group nor a repetition; `\Q..\E` may give several or none.
    fn atom(&mut self, branch: &mut Vec<Node>) -> Result<(), GoRegexError> {
        let start = self.at;
        if self.eat("\\Q") {
            let Some(len) = self.rest().find("\\E") else {
                return Err(self.error(Kind::UnterminatedQuote, start, self.pattern.len()));
            };
            let quoted = self.rest().get(..len).unwrap_or("");
            branch.extend(quoted.chars().map(|c| Node::from(self.folded(c))));
            self.at += len + 2;
            return Ok(());
        }
        let hir = match self.bump() {
            Some('.') if self.flags.dot_newline => class_hir(range('\0', char::MAX)),
            Some('.') => {
                let mut newline = range('\n', '\n');
                newline.negate();
                class_hir(newline)
            }
            Some('^') => Hir::look(if self.flags.multi_line { Look::StartLF } else { Look::Start }),
            Some('$') => Hir::look(if self.flags.multi_line { Look::EndLF } else { Look::End }),
            Some('[') => class_hir(class::bracket(self, start)?),
            Some('\\') => self.escaped(start)?,
            Some(c) => self.folded(c),
            None => Hir::empty(),
        };
        branch.push(hir.into());
        Ok(())
    }

    /// Reads what follows a backslash outside a bracket class.
    fn escaped(&mut self, start: usize) -> Result<Hir, GoRegexError> {
        let look = match self.peek() {
            Some('A') => Some(Look::Start),
            Some('z') => Some(Look::End),
            Some('b') => Some(Look::WordAscii),
            Some('B') => Some(Look::WordAsciiNegate),
            _ => None,
        };
        if let Some(look) = look {
            self.at += 1;
            return Ok(Hir::look(look));
        }
        if let Some(class) = class::escaped(self, start)? {
            return Ok(class_hir(class));
        }
        let c = escape::character(self, start)?;
        Ok(self.folded(c))
    }

    /// Reads a group from its `(`; `None` where it only sets flags.
    fn group(&mut self, depth: usize) -> Result<Option<Node>, GoRegexError> {
        let start = self.at;
        let outer = self.flags;
        self.at += 1;
        let mut capture = None;
        // A name that the pattern has no room for is none.
        let room = self.rest().len();
        if (room > 3 && self.eat("?P<")) || (room > 2 && self.eat("?<")) {
            let end = self.rest().find('>').map(|len| self.at + len);
            let name = end.and_then(|end| self.pattern.get(self.at..end));
            let valid = |name: &&str| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            };
            let Some(name) = name.filter(valid) else {
                let to = end.map_or(self.pattern.len(), |end| end + 1);
                return Err(self.error(Kind::InvalidNamedCapture, start, to));
            };
            capture = Some(self.group_names.len());
            self.group_names.push(Some(name.to_owned()));
            self.at += name.len() + 1;
        } else if self.eat("?") {
            if self.group_flags(start)? {
                return Ok(None);
            }
        } else {
            capture = Some(self.group_names.len());
            self.group_names.push(None);
        }
        let mut node = self.alternation(depth + 1)?;
        if !self.eat(")") {
            return Err(self.error(Kind::MissingParen, start, self.pattern.len()));
        }
        self.flags = outer;
        if let Some(index) = capture.and_then(|index| u32::try_from(index).ok()) {
            // Names stay with us: Go allows one name twice, the matcher below does not.
            node.hir = Hir::capture(Capture { index, name: None, sub: Box::new(node.hir) });
        }
        Ok(Some(node))
    }

    /// Reads `i`, `-s` and so on up to `)` or `:`; says whether the group ended there.
    fn group_flags(&mut self, start: usize) -> Result<bool, GoRegexError> {
        let mut flags = self.flags;
        let mut value = true;
        let mut any = false;
        while let Some(c) = self.bump() {
            match c {
                'i' => flags.fold = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_newline = value,
                'U' => flags.swap_greed = value,
                '-' if value => {
                    (value, any) = (false, false);
                    continue;
                }
                ':' | ')' if value || any => {
                    self.flags = flags;
                    return Ok(c == ')');
                }
                _ => return Err(self.error_to_here(Kind::InvalidPerlOp, start)),
            }
            any = true;
        }
        Err(self.error_to_here(Kind::InvalidPerlOp, start))
    }

    /// Reads a repetition operator without its `?`; `None` for a `{` that is plain text.
    fn repeat_bounds(&mut self) -> Result<Option<(u32, Option<u32>)>, GoRegexError> {
        let start = self.at;
        match self.bump() {
            Some('*') => return Ok(Some((0, None))),
            Some('+') => return Ok(Some((1, None))),
            Some('?') => return Ok(Some((0, Some(1)))),
            _ => {}
        }
        let bounds = self.counted();
        let Some((min, max)) = bounds else {
            self.at = start + 1;
            return Ok(None);
        };
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
            return Err(self.error_to_here(Kind::InvalidRepeatSize, start));
        }
        Ok(Some((min, max)))
    }

    /// Reads `n}`, `n,}` or `n,m}`.
    fn counted(&mut self) -> Option<(u32, Option<u32>)> {
        let min = self.number()?;
        let max = if self.eat(",") {
            if self.rest().starts_with('}') { None } else { Some(self.number()?) }
        } else {
            Some(min)
        };
        self.eat("}").then_some((min, max))
    }

    /// Reads a decimal number without leading zeros; one too large for us stays too large.
    fn number(&mut self) -> Option<u32> {
        let rest = self.rest();
        let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest.get(..len)?;
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        self.at += len;
        Some(digits.parse().unwrap_or(u32::MAX))
    }

    fn repeat(
        &self,
        node: Node,
        (min, max): (u32, Option<u32>),
        greedy: bool,
        start: usize,
    ) -> Result<Node, GoRegexError> {
        let counted = self.pattern.get(start..).is_some_and(|op| op.starts_with('{'));
        let repeats = if counted { max.unwrap_or(min).saturating_mul(node.repeats) } else { node.repeats };
        if repeats > REPEAT_MAX {
            return Err(self.error_to_here(Kind::InvalidRepeatSize, start));
        }
        let greedy = greedy != self.flags.swap_greed;
        let hir = Hir::repetition(Repetition { min, max, greedy, sub: Box::new(node.hir) });
        // A piece that is repeated zero times no longer counts.
        Ok(Node { hir, repeats: repeats.max(1) })
    }

    fn literal_char(&self, c: char) -> Hir {
        Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    /// The character, or all its cases under `(?i)`.
    fn folded(&self, c: char) -> Hir {
        if !self.flags.fold {
            return self.literal_char(c);
        }
        let mut class = range(c, c);
        class::fold(&mut class);
        class_hir(class)
    }
}

/// Joins a finished branch and empties it.
fn concat(branch: &mut Vec<Node>, repeats: &mut u32) -> Hir {
    *repeats = branch.iter().map(|node| node.repeats).fold(*repeats, u32::max);
    Hir::concat(branch.drain(..).map(|node| node.hir).collect())
}

pub(super) fn range(from: char, to: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new(from, to)])
}

fn class_hir(class: ClassUnicode) -> Hir {
    Hir::class(Class::Unicode(class))
}
