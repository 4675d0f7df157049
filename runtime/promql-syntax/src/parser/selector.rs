//! Selectors: a name, conditions in braces, or both.

use prom_model::{METRIC_NAME, MatchOp, Matcher};

use super::{Parsed, Parser, Stop};
use crate::token::TokenKind;
use crate::{BinaryOp, ParseError, Span, VectorSelector};

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// Reads a selector; its name, if it has one, was consumed.
    pub(super) fn selector(&mut self, name: Option<Span>) -> Parsed<VectorSelector> {
        let start = name.map_or(self.token.span.start, |span| span.start);
        let name = name.map(|span| span.text(self.input).to_owned());
        let mut matchers = Vec::new();
        if self.at(&TokenKind::LeftBrace) {
            self.bump();
            self.matchers(&mut matchers)?;
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name));
        }
        let span = self.span_from(start);
        Ok(VectorSelector { name, matchers, offset: None, at: None, extension: None, span })
    }

    /// Reads conditions up to and with the closing brace; goes on with the next one after an error.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Parsed<()> {
        let mut failed = false;
        while !self.at(&TokenKind::RightBrace) {
            match self.matcher() {
                Ok(matcher) => matchers.extend(matcher),
                Err(Stop) => {
                    failed = true;
                    self.skip_matcher();
                }
            }
            if self.eat(&TokenKind::Comma) || self.at(&TokenKind::RightBrace) {
                continue;
            }
            if self.at(&TokenKind::End) && failed {
                return Err(Stop);
            }
            self.unexpected(CONTEXT, "\",\" or \"}\"");
            failed = true;
            self.skip_matcher();
            if !self.eat(&TokenKind::Comma) && !self.at(&TokenKind::RightBrace) {
                return Err(Stop);
            }
        }
        self.bump();
        if failed { Err(Stop) } else { Ok(()) }
    }

    /// Records that a name or value of a label, the current token, is no text; goes on with what is like it.
    fn not_text(&mut self, bytes: &[u8]) -> String {
        let message = "label names and values are text in UTF-8".to_owned();
        self.refused.push(ParseError { span: self.token.span, message });
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn skip_matcher(&mut self) {
        while !matches!(
            self.token.kind,
            TokenKind::Comma | TokenKind::RightBrace | TokenKind::End | TokenKind::Error(_)
        ) {
            self.bump();
        }
    }

    /// Reads one condition, or a metric name in quotes. `None` where its expression does not compile, which is
    /// recorded.
    fn matcher(&mut self) -> Parsed<Option<Matcher>> {
        let token = self.token.clone();
        let name = match token.kind {
            TokenKind::Identifier => token.span.text(self.input).to_owned(),
            TokenKind::String(name) => name,
            TokenKind::Bytes(bytes) => self.not_text(&bytes),
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        let quoted = self.bump().kind != TokenKind::Identifier;
        let op = match self.token.kind {
            TokenKind::Assign => MatchOp::Equal,
            TokenKind::Op(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::RegexMatch => MatchOp::Regex,
            TokenKind::RegexNoMatch => MatchOp::NotRegex,
            _ if quoted => return Ok(Some(Matcher::equal(METRIC_NAME, name))),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.bump();
        let value = match self.token.kind.clone() {
            TokenKind::String(value) => value,
            TokenKind::Bytes(bytes) => self.not_text(&bytes),
            _ => return Err(self.unexpected(CONTEXT, "string")),
        };
        let span = token.span.join(self.bump().span);
        match Matcher::new(op, name, value) {
            Ok(matcher) => Ok(Some(matcher)),
            Err(error) => {
                self.error(span, error.to_string());
                Ok(None)
            }
        }
    }
}
