//! The tokens of PromQL, and how error messages name them.

use prom_model::quote;

use crate::{AggregateOp, BinaryOp, Span};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// What a token is. Texts and numbers are read from the span when they are needed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    End,
    /// Something that is no token. Nothing follows it.
    Error(String),
    /// A name without colon.
    Identifier,
    /// A name with a colon in it.
    MetricIdentifier,
    Number,
    Duration,
    /// A string with its escapes resolved.
    String(String),
    /// A string whose escapes give bytes that are not UTF-8.
    Bytes(Vec<u8>),
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    /// `=`
    Assign,
    /// `=~`
    RegexMatch,
    /// `!~`
    RegexNoMatch,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// Words with a meaning of their own. Most can still be metric or label names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Offset,
    Anchored,
    Smoothed,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

impl TokenKind {
    /// The token for a word, which is a keyword in any case of letters.
    pub(crate) fn of_word(word: &str) -> TokenKind {
        let lower = word.to_ascii_lowercase();
        if let Some(op) = AggregateOp::ALL.into_iter().find(|op| op.as_str() == lower) {
            return TokenKind::Aggregate(op);
        }
        let keyword = match lower.as_str() {
            "and" => return TokenKind::Op(BinaryOp::And),
            "or" => return TokenKind::Op(BinaryOp::Or),
            "unless" => return TokenKind::Op(BinaryOp::Unless),
            "atan2" => return TokenKind::Op(BinaryOp::Atan2),
            "inf" | "nan" => return TokenKind::Number,
            "offset" => Keyword::Offset,
            "anchored" => Keyword::Anchored,
            "smoothed" => Keyword::Smoothed,
            "by" => Keyword::By,
            "without" => Keyword::Without,
            "on" => Keyword::On,
            "ignoring" => Keyword::Ignoring,
            "group_left" => Keyword::GroupLeft,
            "group_right" => Keyword::GroupRight,
            "fill" => Keyword::Fill,
            "fill_left" => Keyword::FillLeft,
            "fill_right" => Keyword::FillRight,
            "bool" => Keyword::Bool,
            "start" => Keyword::Start,
            "end" => Keyword::End,
            "step" => Keyword::Step,
            "range" => Keyword::Range,
            "max_of" => Keyword::MaxOf,
            "min_of" => Keyword::MinOf,
            _ if word.contains(':') => return TokenKind::MetricIdentifier,
            _ => return TokenKind::Identifier,
        };
        TokenKind::Keyword(keyword)
    }

    /// Whether an expression may begin with it.
    pub(crate) const fn starts_expression(&self) -> bool {
        match self {
            TokenKind::Number
            | TokenKind::Duration
            | TokenKind::String(_)
            | TokenKind::Bytes(_)
            | TokenKind::LeftParen
            | TokenKind::LeftBrace
            | TokenKind::Op(BinaryOp::Add | BinaryOp::Sub) => true,
            kind => kind.is_metric_name(),
        }
    }

    /// Whether the word may be a metric name where an expression begins.
    pub(crate) const fn is_metric_name(&self) -> bool {
        match self {
            TokenKind::Identifier | TokenKind::MetricIdentifier | TokenKind::Aggregate(_) => true,
            TokenKind::Op(op) => op.is_set_operator(),
            TokenKind::Keyword(word) => !matches!(
                word,
                Keyword::On | Keyword::Ignoring | Keyword::GroupLeft | Keyword::GroupRight | Keyword::Bool
            ),
            _ => false,
        }
    }

    /// Whether the word may be a label name in `by (…)` and the like.
    pub(crate) const fn is_label_name(&self) -> bool {
        match self {
            TokenKind::Identifier | TokenKind::MetricIdentifier | TokenKind::Aggregate(_) => true,
            TokenKind::Keyword(word) => !matches!(word, Keyword::Without),
            TokenKind::Op(op) => op.is_set_operator() || matches!(op, BinaryOp::Atan2),
            _ => false,
        }
    }

    /// Whether it names a function that is also a keyword, such as `start(`.
    pub(crate) const fn is_function_keyword(&self) -> bool {
        matches!(
            self,
            TokenKind::Keyword(
                Keyword::Start
                    | Keyword::End
                    | Keyword::Step
                    | Keyword::Range
                    | Keyword::MaxOf
                    | Keyword::MinOf
            )
        )
    }
}

impl Token {
    /// The token as messages name it: `identifier "x"`, `<op:+>`, `end of input`.
    pub(crate) fn describe(&self, input: &str) -> String {
        let text = self.span.text(input);
        match &self.kind {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Error(message) => message.clone(),
            TokenKind::Identifier => format!("identifier {}", quote(text)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            TokenKind::Number => format!("number {}", shortened(text)),
            TokenKind::Duration => format!("duration {}", shortened(text)),
            TokenKind::String(_) | TokenKind::Bytes(_) => format!("string {}", shortened(text)),
            TokenKind::Op(_) | TokenKind::At | TokenKind::RegexMatch | TokenKind::RegexNoMatch => {
                format!("<op:{text}>")
            }
            TokenKind::Aggregate(_) => format!("<aggr:{text}>"),
            TokenKind::Keyword(_) if !self.kind.is_function_keyword() => format!("<{text}>"),
            _ => shortened(text),
        }
    }
}

/// The text in quotes, cut after ten characters.
pub(crate) fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let head: String = text.chars().take(10).collect();
    format!("{}...", quote(&head))
}
