//! Cuts a query into tokens, one at a time.

mod number;
mod string;

pub(crate) use number::value as number_value;

use crate::token::{Token, TokenKind};
use crate::{BinaryOp, Span};

/// Reads tokens from the query. After an error or the end it only gives the end.
pub(crate) struct Lexer<'i> {
    input: &'i str,
    at: usize,
    open_parens: Vec<usize>,
    in_braces: bool,
    /// Start of the open `[`, inside which other rules hold: `:` is a token, names are few.
    bracket: Option<usize>,
    colon_seen: bool,
    duration_seen: bool,
    done: bool,
}

type Lexed = Result<TokenKind, String>;

impl<'i> Lexer<'i> {
    pub(crate) fn new(input: &'i str) -> Self {
        Lexer {
            input,
            at: 0,
            open_parens: Vec::new(),
            in_braces: false,
            bracket: None,
            colon_seen: false,
            duration_seen: false,
            done: false,
        }
    }

    /// The next token.
    pub(crate) fn next_token(&mut self) -> Token {
        self.skip_blanks();
        let start = self.at;
        let kind = if self.done { Ok(TokenKind::End) } else { self.scan() };
        match kind {
            Ok(kind) => Token { kind, span: Span::new(start, self.at) },
            Err(message) => {
                self.done = true;
                // An open parenthesis is best shown where it was opened.
                let unclosed = if message.starts_with("unclosed") { self.unclosed() } else { None };
                let end = self.at.max(start);
                let span = unclosed.map_or(Span::new(start, end), |at| Span::new(at, at + 1));
                self.at = self.input.len();
                Token { kind: TokenKind::Error(message), span }
            }
        }
    }

    /// Leaves out the rest of the query.
    pub(crate) fn finish(&mut self) {
        self.at = self.input.len();
        self.done = true;
    }

    fn unclosed(&self) -> Option<usize> {
        self.open_parens.last().copied().or(self.bracket)
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

    fn skip_while(&mut self, condition: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&condition) {
            self.bump();
        }
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            if self.peek() != Some('#') {
                return;
            }
            self.skip_while(|c| c != '\n' && c != '\r');
        }
    }

    fn scan(&mut self) -> Lexed {
        if self.in_braces {
            self.scan_in_braces()
        } else if self.bracket.is_some() {
            self.scan_in_brackets()
        } else {
            self.scan_statement()
        }
    }

    fn scan_statement(&mut self) -> Lexed {
        let start = self.at;
        let Some(c) = self.bump() else {
            let unclosed = !self.open_parens.is_empty();
            return if unclosed { Err("unclosed left parenthesis".to_owned()) } else { Ok(TokenKind::End) };
        };
        match c {
            '(' | ')' => self.paren(c, start),
            ',' => Ok(TokenKind::Comma),
            '@' => Ok(TokenKind::At),
            '{' => {
                self.in_braces = true;
                Ok(TokenKind::LeftBrace)
            }
            '[' => {
                (self.bracket, self.colon_seen, self.duration_seen) = (Some(start), false, false);
                Ok(TokenKind::LeftBracket)
            }
            ']' => Err("unexpected right bracket ']'".to_owned()),
            '=' if self.eat('=') => Ok(TokenKind::Op(BinaryOp::Equal)),
            '=' if self.peek() == Some('~') => Err("unexpected character after '=': '~'".to_owned()),
            '=' => Ok(TokenKind::Assign),
            '!' if self.eat('=') => Ok(TokenKind::Op(BinaryOp::NotEqual)),
            '!' => Err(format!("unexpected character after '!': {}", rune(self.bump()))),
            '"' | '\'' => self.quoted(c),
            '`' => self.raw_string(),
            _ if starts_number(c, self.peek()) => {
                self.at = start;
                self.number_or_duration()
            }
            _ if is_alpha(c) || c == ':' => Ok(self.word(start)),
            _ => self.operator(c).ok_or_else(|| format!("unexpected character: {}", rune(Some(c)))),
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

    fn paren(&mut self, c: char, start: usize) -> Lexed {
        if c == '(' {
            self.open_parens.push(start);
            return Ok(TokenKind::LeftParen);
        }
        match self.open_parens.pop() {
            Some(_) => Ok(TokenKind::RightParen),
            None => Err("unexpected right parenthesis ')'".to_owned()),
        }
    }

    fn word(&mut self, start: usize) -> TokenKind {
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let kind = TokenKind::of_word(self.input.get(start..self.at).unwrap_or(""));
        use crate::token::Keyword::{Fill, FillLeft, FillRight};
        let is_fill = matches!(kind, TokenKind::Keyword(Fill | FillLeft | FillRight));
        // `fill` came late to the language: it is only a keyword where it cannot be a metric.
        if is_fill && !self.rest().trim_start_matches([' ', '\t', '\n', '\r']).starts_with('(') {
            return TokenKind::Identifier;
        }
        kind
    }

    fn scan_in_braces(&mut self) -> Lexed {
        let Some(c) = self.bump() else {
            return Err("unexpected end of input inside braces".to_owned());
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
            '!' => Err(format!("unexpected character after '!' inside braces: {}", rune(self.bump()))),
            '{' => Err("unexpected left brace '{'".to_owned()),
            _ if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                Ok(TokenKind::Identifier)
            }
            _ => Err(format!("unexpected character inside braces: {}", rune(Some(c)))),
        }
    }

    fn scan_in_brackets(&mut self) -> Lexed {
        let start = self.at;
        let Some(c) = self.bump() else {
            let message = match (self.duration_seen, self.open_parens.is_empty()) {
                (false, _) => "unexpected end of input in duration expression",
                (true, false) => "unclosed left parenthesis",
                (true, true) => "unclosed left bracket",
            };
            return Err(message.to_owned());
        };
        match c {
            ']' => {
                self.bracket = None;
                Ok(TokenKind::RightBracket)
            }
            ':' if !self.duration_seen => {
                Err("unexpected colon before duration in duration expression".to_owned())
            }
            ':' if self.colon_seen => Err("unexpected colon ':'".to_owned()),
            ':' => {
                self.colon_seen = true;
                Ok(TokenKind::Colon)
            }
            '(' | ')' => self.paren(c, start),
            ',' => Ok(TokenKind::Comma),
            '+' | '-' | '*' | '/' | '%' | '^' => Ok(self.operator(c).unwrap_or(TokenKind::End)),
            _ if starts_number(c, self.peek()) => {
                self.at = start;
                self.duration_seen = true;
                self.number_or_duration()
            }
            _ if is_alpha(c) => {
                self.skip_while(is_alpha);
                let word = TokenKind::of_word(self.input.get(start..self.at).unwrap_or(""));
                use crate::token::Keyword::{MaxOf, MinOf, Range, Step};
                if matches!(word, TokenKind::Keyword(Step | Range | MaxOf | MinOf)) {
                    self.duration_seen = true;
                    return Ok(word);
                }
                if self.duration_seen {
                    return Err(format!("unexpected character: {}, expected ':'", rune(Some(c))));
                }
                Err(format!("unexpected character in duration expression: {}", rune(Some(c))))
            }
            _ => Err(format!("unexpected character in duration expression: {}", rune(Some(c)))),
        }
    }
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
