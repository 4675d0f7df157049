//! Numbers and durations as numbers.

use prom_model::{DurationError, PromDuration};

use super::{Parsed, Parser};
use crate::BinaryOp;
use crate::lexer::number_value;
use crate::token::TokenKind;

/// Takes the place of a number that could not be read; fits everywhere, so that no further error follows from it.
const STAND_IN: f64 = 1.0;

impl Parser<'_> {
    /// Consumes a number or a duration; a duration counts in seconds. Says so where it is out of range.
    pub(super) fn number(&mut self) -> f64 {
        let token = self.bump();
        let text = token.span.text(self.input);
        if token.kind == TokenKind::Duration {
            return match text.parse::<PromDuration>() {
                Ok(duration) => duration.as_secs_f64(),
                Err(error) => {
                    let message = match error {
                        // The place says which duration it is.
                        DurationError::OutOfRange(_) => "duration out of range".to_owned(),
                        error => error.to_string(),
                    };
                    self.error(token.span, message);
                    STAND_IN
                }
            };
        }
        number_value(text).unwrap_or_else(|error| {
            self.error(token.span, format!("error parsing number: {}", error.message(text)));
            STAND_IN
        })
    }

    /// Reads a number or a duration that may have a sign.
    pub(super) fn signed_number(&mut self, context: &str, expected: &str) -> Parsed<f64> {
        let negative = self.at(&TokenKind::Op(BinaryOp::Sub));
        if negative || self.at(&TokenKind::Op(BinaryOp::Add)) {
            self.bump();
        }
        if !matches!(self.token.kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected(context, expected));
        }
        let value = self.number();
        Ok(if negative { -value } else { value })
    }
}
