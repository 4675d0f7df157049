//! Numbers and durations as numbers.

use prom_model::PromDuration;

use super::{Parsed, Parser};
use crate::BinaryOp;
use crate::lexer::number_value;
use crate::token::TokenKind;

impl Parser<'_> {
    /// Consumes a number or a duration; a duration counts in seconds. Says so where it is out of range.
    pub(super) fn number(&mut self) -> f64 {
        let token = self.bump();
        let text = token.span.text(self.input);
        if token.kind == TokenKind::Duration {
            return match text.parse::<PromDuration>() {
                Ok(duration) => duration.as_secs_f64(),
                Err(error) => {
                    self.error(token.span, error.to_string());
                    0.0
                }
            };
        }
        number_value(text).unwrap_or_else(|| {
            self.error(
                token.span,
                format!("error parsing number: {} is out of range", prom_model::quote(text)),
            );
            0.0
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
