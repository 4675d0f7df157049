//! The name and the labels before the values.

use prom_model::{Labels, METRIC_NAME};

use super::{Read, unexpected};
use crate::ParseError;
use crate::lexer::Lexer;
use crate::token::{Token, TokenKind};

const CONTEXT: &str = "label set";

/// Reads the labels, up to the blank before the values.
pub(super) fn read<'i>(lexer: &mut Lexer<'i>, input: &'i str) -> Read<Labels> {
    let mut reader = Reader { input, token: lexer.next_token(), lexer };
    let mut labels = Labels::new();
    match &reader.token.kind {
        TokenKind::End => return Ok(labels),
        TokenKind::LeftBrace => {}
        kind if kind.is_metric_name() => {
            let name = reader.token.span.text(input).to_owned();
            if reader.lexer.is_at('{') {
                reader.bump();
                reader.label_set(&mut labels)?;
            }
            labels.set(METRIC_NAME, name);
            return Ok(labels);
        }
        _ => return Err(reader.unexpected(super::CONTEXT, "")),
    }
    reader.label_set(&mut labels)?;
    Ok(labels)
}

struct Reader<'l, 'i> {
    input: &'i str,
    lexer: &'l mut Lexer<'i>,
    token: Token,
}

impl Reader<'_, '_> {
    /// Reads labels from the brace on. What follows the closing one is not looked at: it is of the other language.
    fn label_set(&mut self, labels: &mut Labels) -> Read<()> {
        self.bump();
        while self.token.kind != TokenKind::RightBrace {
            self.label(labels)?;
            match self.token.kind {
                TokenKind::Comma => self.bump(),
                TokenKind::RightBrace => {}
                _ => return Err(self.unexpected(CONTEXT, "\",\" or \"}\"")),
            }
        }
        Ok(())
    }

    fn label(&mut self, labels: &mut Labels) -> Read<()> {
        let (name, quoted) = match &self.token.kind {
            TokenKind::Identifier => (self.token.span.text(self.input).to_owned(), false),
            TokenKind::String(name) => (name.clone(), true),
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        self.bump();
        if self.token.kind != TokenKind::Assign {
            if quoted {
                labels.set(METRIC_NAME, name);
                return Ok(());
            }
            return Err(self.unexpected(CONTEXT, "\"=\""));
        }
        self.bump();
        let TokenKind::String(value) = &self.token.kind else {
            return Err(self.unexpected(CONTEXT, "string"));
        };
        labels.set(name, value.clone());
        self.bump();
        Ok(())
    }

    fn bump(&mut self) {
        self.token = self.lexer.next_token();
    }

    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let message = match &self.token.kind {
            TokenKind::Error(message) => message.clone(),
            _ => unexpected(&self.token.describe(self.input), context, expected),
        };
        ParseError { span: self.token.span, message }
    }
}
