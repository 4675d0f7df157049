//! Tokens of the values of a series description: `_ 1+1x5 stale {{schema:0 buckets:[1 2]}}`.

use prom_model::{CounterResetHint, quote};

use super::{Lexer, is_alpha, is_blank, rune, starts_number};
use crate::Span;
use crate::token::{Token, TokenKind, shortened};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesToken {
    pub(crate) kind: SeriesTokenKind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SeriesTokenKind {
    End,
    /// Something that is no token. Nothing follows it.
    Error(String),
    /// Any number of blanks; the span has the first.
    Space,
    /// `_`
    Blank,
    /// `x`
    Times,
    Add,
    Sub,
    Number,
    /// A word, with the meaning that it has in a query.
    Word(TokenKind),
    /// `{{`
    OpenHistogram,
    /// `}}`
    CloseHistogram,
    LeftBracket,
    RightBracket,
    Colon,
    Key(HistogramKey),
    Hint(CounterResetHint),
}

/// What may be said about a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistogramKey {
    Sum,
    Count,
    Schema,
    Offset,
    NegativeOffset,
    Buckets,
    NegativeBuckets,
    ZeroBucket,
    ZeroBucketWidth,
    CustomValues,
    CounterResetHint,
}

impl HistogramKey {
    const ALL: [(&'static str, HistogramKey); 11] = [
        ("sum", HistogramKey::Sum),
        ("count", HistogramKey::Count),
        ("schema", HistogramKey::Schema),
        ("offset", HistogramKey::Offset),
        ("n_offset", HistogramKey::NegativeOffset),
        ("buckets", HistogramKey::Buckets),
        ("n_buckets", HistogramKey::NegativeBuckets),
        ("z_bucket", HistogramKey::ZeroBucket),
        ("z_bucket_w", HistogramKey::ZeroBucketWidth),
        ("custom_values", HistogramKey::CustomValues),
        ("counter_reset_hint", HistogramKey::CounterResetHint),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }
}

const HINTS: [(&str, CounterResetHint); 4] = [
    ("unknown", CounterResetHint::Unknown),
    ("reset", CounterResetHint::CounterReset),
    ("not_reset", CounterResetHint::NotCounterReset),
    ("gauge", CounterResetHint::Gauge),
];

/// Where in the values the lexer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SeriesPlace {
    #[default]
    Values,
    Histogram,
    Buckets,
    /// Behind the `-` of a bucket.
    NegativeBucket,
}

type Lexed = Result<SeriesTokenKind, String>;

impl Lexer<'_> {
    /// The next token of the values; `place` is where the lexer is, and is moved on.
    pub(crate) fn next_series_token(&mut self, place: &mut SeriesPlace) -> SeriesToken {
        let start = self.at;
        let token = match self.done {
            true => Ok(SeriesTokenKind::End),
            false => match place {
                SeriesPlace::Values => self.scan_values(place),
                SeriesPlace::Histogram => self.scan_histogram(place),
                SeriesPlace::Buckets => self.scan_buckets(place),
                SeriesPlace::NegativeBucket => {
                    *place = SeriesPlace::Buckets;
                    self.series_number(start)
                }
            },
        };
        match token {
            Ok(kind) => {
                let span = Span::new(start, self.at);
                if kind == SeriesTokenKind::Space {
                    self.skip_while(is_blank);
                }
                SeriesToken { kind, span }
            }
            Err(message) => {
                let span = Span::new(start, self.at);
                self.finish();
                SeriesToken { kind: SeriesTokenKind::Error(message), span }
            }
        }
    }

    /// Whether the very next character is this one.
    pub(crate) fn is_at(&self, c: char) -> bool {
        self.peek() == Some(c)
    }

    fn scan_values(&mut self, place: &mut SeriesPlace) -> Lexed {
        let start = self.at;
        let Some(c) = self.bump() else { return Ok(SeriesTokenKind::End) };
        match c {
            '{' if self.eat('{') => {
                *place = SeriesPlace::Histogram;
                Ok(SeriesTokenKind::OpenHistogram)
            }
            '+' => Ok(SeriesTokenKind::Add),
            '-' => Ok(SeriesTokenKind::Sub),
            'x' => Ok(SeriesTokenKind::Times),
            '_' => Ok(SeriesTokenKind::Blank),
            _ if is_blank(c) => Ok(SeriesTokenKind::Space),
            _ if starts_number(c, self.peek()) => {
                self.at = start;
                self.series_number(start)
            }
            _ if is_alpha(c) => Ok(match self.word(start) {
                TokenKind::Number => SeriesTokenKind::Number,
                word => SeriesTokenKind::Word(word),
            }),
            _ => Err(format!("unexpected character in series sequence: {}", rune(Some(c)))),
        }
    }

    fn scan_histogram(&mut self, place: &mut SeriesPlace) -> Lexed {
        let start = self.at;
        match self.bump() {
            Some(c) if is_blank(c) => Ok(SeriesTokenKind::Space),
            Some(c) if is_alpha(c) => self.histogram_word(start),
            Some(':') => Ok(SeriesTokenKind::Colon),
            Some('-') => Ok(SeriesTokenKind::Sub),
            Some('[') => {
                *place = SeriesPlace::Buckets;
                Ok(SeriesTokenKind::LeftBracket)
            }
            Some(c) if c.is_ascii_digit() => {
                self.at = start;
                self.series_number(start)
            }
            Some('}') if self.eat('}') => {
                *place = SeriesPlace::Values;
                Ok(SeriesTokenKind::CloseHistogram)
            }
            c => Err(format!("histogram description incomplete unexpected: {}", rune(c))),
        }
    }

    fn histogram_word(&mut self, start: usize) -> Lexed {
        self.skip_while(is_alpha);
        let text = self.input.get(start..self.at).unwrap_or("");
        let word = text.to_ascii_lowercase();
        if let Some((_, key)) = HistogramKey::ALL.iter().find(|(name, _)| *name == word) {
            if self.is_at(':') {
                return Ok(SeriesTokenKind::Key(*key));
            }
            return Err("missing `:` for histogram descriptor".to_owned());
        }
        if matches!(word.as_str(), "inf" | "nan") {
            return Ok(SeriesTokenKind::Number);
        }
        match HINTS.iter().find(|(name, _)| *name == word) {
            Some((_, hint)) => Ok(SeriesTokenKind::Hint(*hint)),
            None => Err(format!("bad histogram descriptor found: {}", quote(text))),
        }
    }

    fn scan_buckets(&mut self, place: &mut SeriesPlace) -> Lexed {
        let start = self.at;
        loop {
            match self.bump() {
                Some(c) if is_blank(c) => return Ok(SeriesTokenKind::Space),
                Some('-') => {
                    *place = SeriesPlace::NegativeBucket;
                    return Ok(SeriesTokenKind::Sub);
                }
                Some(c) if c.is_ascii_digit() => {
                    // Letters before it become part of it.
                    self.at -= 1;
                    return self.series_number(start);
                }
                Some(']') => {
                    *place = SeriesPlace::Histogram;
                    return Ok(SeriesTokenKind::RightBracket);
                }
                Some(c) if is_alpha(c) => {
                    let word = self.input.get(start..self.at).unwrap_or("");
                    if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") {
                        return Ok(SeriesTokenKind::Number);
                    }
                }
                c => return Err(format!("invalid character in buckets description: {}", rune(c))),
            }
        }
    }

    fn series_number(&mut self, start: usize) -> Lexed {
        if self.scan_number() {
            return Ok(SeriesTokenKind::Number);
        }
        let text = self.input.get(start..self.at).unwrap_or("");
        Err(format!("bad number syntax: {}", quote(text)))
    }
}

impl SeriesToken {
    /// The token as messages name it.
    pub(crate) fn describe(&self, input: &str) -> String {
        let text = shortened(self.span.text(input));
        // Prometheus has no names for these and shows their numbers.
        let number = match &self.kind {
            SeriesTokenKind::End => return "end of input".to_owned(),
            SeriesTokenKind::Error(message) => return message.clone(),
            SeriesTokenKind::Number => {
                return Token { kind: TokenKind::Number, span: self.span }.describe(input);
            }
            SeriesTokenKind::Word(kind) => {
                return Token { kind: kind.clone(), span: self.span }.describe(input);
            }
            SeriesTokenKind::Add | SeriesTokenKind::Sub => {
                return format!("<op:{}>", self.span.text(input));
            }
            SeriesTokenKind::Key(key) => match HistogramKey::ALL.iter().position(|(_, other)| other == key) {
                Some(at) => FIRST_KEY + at,
                None => return text,
            },
            SeriesTokenKind::Hint(hint) => match HINTS.iter().position(|(_, other)| other == hint) {
                Some(at) => FIRST_HINT + at,
                None => return text,
            },
            _ => return text,
        };
        format!("\"<Item {number}>\" {text}")
    }
}

/// The number of the first key of histograms among Prometheus' tokens; the others follow in the order of the list.
const FIRST_KEY: usize = 57_370;
/// The number of the first hint.
const FIRST_HINT: usize = 57_445;
