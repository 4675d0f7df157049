//! Series with their values, as test scripts and unit tests of rules write them: `up{job="a"} 1+1x5 _ stale`.

mod histogram;
mod labels;
mod start;

pub use start::{StartTimestamps, is_start_timestamps, start_timestamps};

use prom_model::{FloatHistogram, Labels, STALE_NAN, is_stale};

use crate::lexer::{Lexer, SeriesPlace, SeriesToken, SeriesTokenKind, number_value};
use crate::token::TokenKind;
use crate::{ParseError, Span};

/// Most values of one series: repetitions are short to write, and long in memory.
const VALUES_MAX: usize = 10_000_000;
const CONTEXT: &str = "series values";

/// A series and its values, one for each step.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesDescription {
    /// The labels, with the metric name.
    pub labels: Labels,
    /// The values.
    pub values: Vec<SequenceValue>,
}

/// What stands at one step.
#[derive(Debug, Clone, PartialEq)]
pub enum SequenceValue {
    /// No sample.
    Omitted,
    /// A stale marker.
    Stale,
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram {
        /// The histogram.
        histogram: FloatHistogram,
        /// Whether its counter reset hint was written; otherwise an expected value leaves it open.
        hint_written: bool,
    },
}

/// Reads a series description. Errors are Prometheus' own, where it has one; it shows only the first.
pub fn series_description(text: &str) -> Result<SeriesDescription, ParseError> {
    let mut lexer = Lexer::for_series(text);
    let labels = labels::read(&mut lexer, text)?;
    let mut place = SeriesPlace::default();
    let token = lexer.next_series_token(&mut place);
    let mut reader = Reader { input: text, lexer, place, token, last: Span::default(), values: Vec::new() };
    reader.values()?;
    Ok(SeriesDescription { labels, values: reader.values })
}

type Read<T> = Result<T, ParseError>;

struct Reader<'i> {
    input: &'i str,
    lexer: Lexer<'i>,
    place: SeriesPlace,
    token: SeriesToken,
    /// Where the last token that was consumed stands.
    last: Span,
    values: Vec<SequenceValue>,
}

impl Reader<'_> {
    fn values(&mut self) -> Read<()> {
        let mut context = CONTEXT;
        while !self.at(&SeriesTokenKind::End) {
            self.expect(&SeriesTokenKind::Space, context)?;
            // Where the values may end, Prometheus has forgotten that they were being read.
            context = "";
            if !self.at(&SeriesTokenKind::End) {
                self.item()?;
            }
        }
        Ok(())
    }

    fn item(&mut self) -> Read<()> {
        if self.eat(&SeriesTokenKind::Blank) {
            let times = if self.eat(&SeriesTokenKind::Times) { self.count(CONTEXT)? } else { 1 };
            return self.repeat(&SequenceValue::Omitted, times);
        }
        if self.at(&SeriesTokenKind::OpenHistogram) {
            return self.histograms();
        }
        let mut value = self.value()?;
        let negative = self.at(&SeriesTokenKind::Sub);
        if negative || self.at(&SeriesTokenKind::Add) {
            self.bump();
            let step = self.number(CONTEXT)?;
            let step = if negative { -step } else { step };
            self.expect(&SeriesTokenKind::Times, CONTEXT)?;
            let times = self.repetitions()?;
            // The sum of many steps is what Prometheus makes of it, not the product.
            for _ in 0..=times {
                self.values.push(float(value));
                value += step;
            }
            return Ok(());
        }
        let times = if self.eat(&SeriesTokenKind::Times) { self.repetitions()? } else { 0 };
        self.repeat(&float(value), times + 1)
    }

    /// Reads a number, which may have a sign, or `stale`.
    fn value(&mut self) -> Read<f64> {
        if self.at(&SeriesTokenKind::Word(TokenKind::Identifier)) {
            if self.token.span.text(self.input) != "stale" {
                return Err(self.unexpected(CONTEXT, "number or \"stale\""));
            }
            self.bump();
            return Ok(STALE_NAN);
        }
        let negative = self.eat(&SeriesTokenKind::Sub);
        let signed = negative || self.eat(&SeriesTokenKind::Add);
        let value = self.number(if signed { CONTEXT } else { "" })?;
        Ok(if negative { -value } else { value })
    }

    fn number(&mut self, context: &str) -> Read<f64> {
        self.expect(&SeriesTokenKind::Number, context)?;
        let text = self.last.text(self.input);
        number_value(text)
            .map_err(|error| self.error(self.last, format!("error parsing number: {}", error.message(text))))
    }

    /// Reads how many times something is said.
    fn count(&mut self, context: &str) -> Read<usize> {
        let count = self.unsigned(context)?;
        let room = VALUES_MAX.saturating_sub(self.values.len());
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= room)
            .ok_or_else(|| self.error(self.last, format!("series has more than {VALUES_MAX} values")))
    }

    /// Reads how often something is said again.
    fn repetitions(&mut self) -> Read<usize> {
        self.count(CONTEXT)
    }

    fn unsigned(&mut self, context: &str) -> Read<u64> {
        self.expect(&SeriesTokenKind::Number, context)?;
        let text = self.last.text(self.input);
        let wrong = match text.parse::<u64>() {
            Ok(number) => return Ok(number),
            Err(_) if text.bytes().all(|b| b.is_ascii_digit()) => "value out of range",
            Err(_) => "invalid syntax",
        };
        let quoted = prom_model::quote(text);
        let message =
            format!("invalid repetition in series values: strconv.ParseUint: parsing {quoted}: {wrong}");
        Err(self.error(self.last, message))
    }

    fn repeat(&mut self, value: &SequenceValue, times: usize) -> Read<()> {
        self.values.extend(std::iter::repeat_n(value, times).cloned());
        Ok(())
    }

    fn at(&self, kind: &SeriesTokenKind) -> bool {
        self.token.kind == *kind
    }

    fn bump(&mut self) {
        self.last = self.token.span;
        self.token = self.lexer.next_series_token(&mut self.place);
    }

    fn eat(&mut self, kind: &SeriesTokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    fn expect(&mut self, kind: &SeriesTokenKind, context: &str) -> Read<()> {
        if self.eat(kind) { Ok(()) } else { Err(self.unexpected(context, "")) }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError { span, message: message.into() }
    }

    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        if let SeriesTokenKind::Error(message) = &self.token.kind {
            return self.error(self.token.span, message.clone());
        }
        let token = self.token.describe(self.input);
        self.error(self.token.span, unexpected(&token, context, expected))
    }
}

fn unexpected(token: &str, context: &str, expected: &str) -> String {
    let mut message = format!("unexpected {token}");
    for (word, text) in [(" in ", context), (", expected ", expected)] {
        if !text.is_empty() {
            message.push_str(word);
            message.push_str(text);
        }
    }
    message
}

fn float(value: f64) -> SequenceValue {
    if is_stale(value) { SequenceValue::Stale } else { SequenceValue::Float(value) }
}
