//! Cuts a query into tokens, one at a time.

mod number;
mod series;
mod string;

pub(crate) use number::value as number_value;
pub(crate) use series::{HistogramKey, SeriesPlace, SeriesToken, SeriesTokenKind};

use crate::token::{Token, TokenKind};
use crate::{BinaryOp, Span};

/// Reads tokens from the query. After an error or the end it only gives the end.
pub(crate) struct Lexer<'i> {
    input: &'i str,
    at: usize,
    open_parens: usize,
    in_braces: bool,
    /// Whether a `[` is open.
    in_brackets: bool,
    /// Whether a duration is to come: behind `[`, up to its first number.
    in_duration: bool,
    colon_seen: bool,
    duration_seen: bool,
    /// Whether a series with values is read, not a query.
    in_series: bool,
    /// The comments so far.
    comments: Vec<Span>,
    done: bool,
}

/// The comments of a query, from `#` to the end of the line; up to the first error, if there is one.
///
/// The tree has none, so printing it loses them.
pub fn comments(input: &str) -> Vec<Span> {
    let mut lexer = Lexer::new(input);
    while !lexer.done && lexer.next_token().kind != TokenKind::End {}
    lexer.comments
}

type Lexed = Result<TokenKind, Wrong>;

/// Why there is no token.
struct Wrong {
    message: String,
    /// Whether Prometheus puts the error behind what it read, not at its start.
    behind: bool,
}

impl Wrong {
    fn behind(message: &str) -> Self {
        Wrong { message: message.to_owned(), behind: true }
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Wrong { message, behind: false }
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Wrong { message: message.to_owned(), behind: false }
    }
}

impl<'i> Lexer<'i> {
    pub(crate) fn new(input: &'i str) -> Self {
        Lexer {
            input,
            at: 0,
            open_parens: 0,
            in_braces: false,
            in_brackets: false,
            in_duration: false,
            colon_seen: false,
            duration_seen: false,
            in_series: false,
            comments: Vec::new(),
            done: false,
        }
    }

    /// A lexer for the labels of a series with values; see `next_series_token` for the values.
    pub(crate) fn for_series(input: &'i str) -> Self {
        Lexer { in_series: true, ..Lexer::new(input) }
    }

    /// The next token.
    pub(crate) fn next_token(&mut self) -> Token {
        self.skip_blanks();
        let start = self.at;
        let kind = if self.done { Ok(TokenKind::End) } else { self.scan() };
        match kind {
            Ok(kind) => Token { kind, span: Span::new(start, self.at) },
            Err(wrong) => {
                self.done = true;
                let span = Span::new(if wrong.behind { self.at } else { start }, self.at);
                self.at = self.input.len();
                Token { kind: TokenKind::Error(wrong.message), span }
            }
        }
    }

    /// Leaves out the rest of the query.
    pub(crate) fn finish(&mut self) {
        self.at = self.input.len();
        self.done = true;
    }

    fn rest(&self) -> &'i str {
        self.input.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn eat_any(&mut self, chars: &str) -> bool {
        let found = self.peek().is_some_and(|c| chars.contains(c));
        if found {
            self.bump();
        }
        found
    }

    fn skip_while(&mut self, condition: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&condition) {
            self.bump();
        }
    }

    /// Skips blanks, and comments where there may be some.
    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(is_blank);
            if self.in_duration || self.peek() != Some('#') {
                return;
            }
            let start = self.at;
            self.skip_while(|c| c != '\n' && c != '\r');
            self.comments.push(Span::new(start, self.at));
        }
    }

    fn scan(&mut self) -> Lexed {
        if self.in_braces {
            self.scan_in_braces()
        } else if self.in_duration {
            self.scan_duration()
        } else {
            self.scan_statement()
        }
    }

    fn scan_statement(&mut self) -> Lexed {
        let start = self.at;
        let Some(c) = self.bump() else {
            return match (self.open_parens, self.in_brackets) {
                (0, false) => Ok(TokenKind::End),
                (0, true) => Err("unclosed left bracket".into()),
                _ => Err("unclosed left parenthesis".into()),
            };
        };
        match c {
            '(' | ')' => self.paren(c),
            ',' => Ok(TokenKind::Comma),
            '@' => Ok(TokenKind::At),
            '{' => {
                self.in_braces = true;
                Ok(TokenKind::LeftBrace)
            }
            '[' if self.in_brackets => Err("unexpected left bracket '['".into()),
            '[' => {
                (self.in_brackets, self.in_duration, self.colon_seen) = (true, true, false);
                Ok(TokenKind::LeftBracket)
            }
            ']' if !self.in_brackets => Err("unexpected right bracket ']'".into()),
            ']' => {
                self.in_brackets = false;
                Ok(TokenKind::RightBracket)
            }
            '=' if self.eat('=') => Ok(TokenKind::Op(BinaryOp::Equal)),
            '=' if self.peek() == Some('~') => Err("unexpected character after '=': '~'".into()),
            '=' => Ok(TokenKind::Assign),
            '!' if self.eat('=') => Ok(TokenKind::Op(BinaryOp::NotEqual)),
            '!' => Err(format!("unexpected character after '!': {}", rune(self.bump())).into()),
            '"' | '\'' => self.quoted(c),
            '`' => self.raw_string(),
            _ if starts_number(c, self.peek()) => {
                self.at = start;
                self.number_or_duration()
            }
            _ if self.in_brackets && (is_alpha(c) || c == ':') => self.word_in_brackets(c, start),
            _ if is_alpha(c) || c == ':' => Ok(self.word(start)),
            _ => self.operator(c).ok_or_else(|| format!("unexpected character: {}", rune(Some(c))).into()),
        }
    }

    fn operator(&mut self, c: char) -> Option<TokenKind> {
        let op = match c {
            '+' => BinaryOp::Add,
            '-' => BinaryOp::Sub,
            '*' => BinaryOp::Mul,
            '/' => BinaryOp::Div,
            '%' => BinaryOp::Mod,
            '^' => BinaryOp::Pow,
            '<' if self.eat('=') => BinaryOp::LessEqual,
            '<' if self.eat('/') => BinaryOp::TrimUpper,
            '<' => BinaryOp::Less,
            '>' if self.eat('=') => BinaryOp::GreaterEqual,
            '>' if self.eat('/') => BinaryOp::TrimLower,
            '>' => BinaryOp::Greater,
            _ => return None,
        };
        Some(TokenKind::Op(op))
    }

    fn paren(&mut self, c: char) -> Lexed {
        if c == '(' {
            self.open_parens += 1;
            return Ok(TokenKind::LeftParen);
        }
        match self.open_parens.checked_sub(1) {
            Some(open) => {
                self.open_parens = open;
                Ok(TokenKind::RightParen)
            }
            None => Err(Wrong::behind("unexpected right parenthesis ')'")),
        }
    }

    fn word(&mut self, start: usize) -> TokenKind {
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let kind = TokenKind::of_word(self.input.get(start..self.at).unwrap_or(""));
        use crate::token::Keyword::{Fill, FillLeft, FillRight};
        let is_fill = matches!(kind, TokenKind::Keyword(Fill | FillLeft | FillRight));
        // `fill` came late to the language: it is only a keyword where it cannot be a metric.
        if is_fill && !self.rest().trim_start_matches(is_blank).starts_with('(') {
            return TokenKind::Identifier;
        }
        kind
    }

    fn scan_in_braces(&mut self) -> Lexed {
        let Some(c) = self.bump() else {
            return Err("unexpected end of input inside braces".into());
        };
        match c {
            '}' => {
                self.in_braces = false;
                Ok(TokenKind::RightBrace)
            }
            ',' => Ok(TokenKind::Comma),
            '"' | '\'' => self.quoted(c),
            '`' => self.raw_string(),
            '=' if self.eat('~') => Ok(TokenKind::RegexMatch),
            '=' => Ok(TokenKind::Assign),
            '!' if self.eat('~') => Ok(TokenKind::RegexNoMatch),
            '!' if self.eat('=') => Ok(TokenKind::Op(BinaryOp::NotEqual)),
            '!' => Err(format!("unexpected character after '!' inside braces: {}", rune(self.bump())).into()),
            '{' => Err("unexpected left brace '{'".into()),
            _ if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                Ok(TokenKind::Identifier)
            }
            _ => Err(format!("unexpected character inside braces: {}", rune(Some(c))).into()),
        }
    }

    /// Reads what may stand before the first number behind `[`.
    fn scan_duration(&mut self) -> Lexed {
        let start = self.at;
        let Some(c) = self.bump() else {
            return Err("unexpected end of input in duration expression".into());
        };
        match c {
            ']' => {
                (self.in_brackets, self.in_duration, self.colon_seen) = (false, false, false);
                Ok(TokenKind::RightBracket)
            }
            ':' if !self.duration_seen => {
                Err(Wrong::behind("unexpected colon before duration in duration expression"))
            }
            ':' if self.colon_seen => Err(Wrong::behind("unexpected repeated colon in duration expression")),
            ':' => {
                self.colon_seen = true;
                Ok(TokenKind::Colon)
            }
            '(' | ')' => self.paren(c),
            ',' => Ok(TokenKind::Comma),
            '+' | '-' | '*' | '/' | '%' | '^' => Ok(self.operator(c).unwrap_or(TokenKind::End)),
            _ if starts_number(c, self.peek()) => {
                self.at = start;
                (self.duration_seen, self.in_duration) = (true, false);
                self.number_or_duration()
            }
            _ => self.duration_word(c, start).ok_or_else(|| {
                format!("unexpected character in duration expression: {}", rune(Some(c))).into()
            }),
        }
    }

    /// Reads `:` or one of the words for durations, behind a number in brackets.
    fn word_in_brackets(&mut self, c: char, start: usize) -> Lexed {
        if c == ':' {
            if self.colon_seen {
                return Err("unexpected colon ':'".into());
            }
            self.colon_seen = true;
            return Ok(TokenKind::Colon);
        }
        self.duration_word(c, start)
            .ok_or_else(|| format!("unexpected character: {}, expected ':'", rune(Some(c))).into())
    }

    /// Reads one of the few words that durations know, whose first letter was read.
    fn duration_word(&mut self, first: char, start: usize) -> Option<TokenKind> {
        if !matches!(first, 's' | 'S' | 'r' | 'R' | 'm' | 'M') {
            return None;
        }
        self.skip_while(is_alpha);
        let word = TokenKind::of_word(self.input.get(start..self.at).unwrap_or(""));
        use crate::token::Keyword::{MaxOf, MinOf, Range, Step};
        matches!(word, TokenKind::Keyword(Step | Range | MaxOf | MinOf)).then_some(word)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn starts_number(c: char, next: Option<char>) -> bool {
    c.is_ascii_digit() || (c == '.' && next.is_some_and(|next| next.is_ascii_digit()))
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// A character as messages quote it.
fn rune(c: Option<char>) -> String {
    match c {
        Some('\'') => r"'\''".to_owned(),
        Some('"') => "'\"'".to_owned(),
        Some(c) => format!("'{}'", prom_model::quote(&c.to_string()).trim_matches('"')),
        None => "'\u{fffd}'".to_owned(),
    }
}
