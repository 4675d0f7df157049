//! What stands between operators, without its modifiers.

use super::{Node, Parsed, Parser};
use crate::token::{Keyword, TokenKind};
use crate::{Expr, NumberLiteral, Paren, Span, StringLiteral};

impl Parser<'_> {
    /// Reads a literal, a selector, a call, an aggregation or an expression in parentheses.
    pub(super) fn operand(&mut self) -> Parsed<Node> {
        let span = self.token.span;
        match &self.token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let is_duration = self.at(&TokenKind::Duration);
                let value = self.number();
                Ok(Node::leaf(Expr::Number(NumberLiteral { value, is_duration, span })))
            }
            TokenKind::String(value) => {
                let value = value.clone();
                self.bump();
                Ok(Node::leaf(Expr::String(StringLiteral { value, bytes: None, span })))
            }
            TokenKind::Bytes(bytes) => {
                let value = String::from_utf8_lossy(bytes).into_owned();
                let bytes = Some(bytes.clone());
                self.bump();
                Ok(Node::leaf(Expr::String(StringLiteral { value, bytes, span })))
            }
            TokenKind::LeftParen => {
                self.bump();
                let inner = self.expression(1)?;
                self.expect(&TokenKind::RightParen, "", "")?;
                let paren = Paren { expr: Box::new(inner.expr), span: self.span_from(span.start) };
                self.node(Expr::Paren(paren), inner.depth)
            }
            TokenKind::LeftBrace => self.selector(None).map(|s| Node::leaf(Expr::Vector(s))),
            TokenKind::Aggregate(op) => {
                let op = *op;
                self.bump();
                self.aggregate(op, span)
            }
            kind if kind.is_metric_name() => {
                let callable = *kind == TokenKind::Identifier || kind.is_function_keyword();
                self.bump();
                if callable && self.at(&TokenKind::LeftParen) {
                    return self.call(span);
                }
                self.named_selector(span)
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    /// Reads the rest of a selector whose name was consumed.
    pub(super) fn named_selector(&mut self, name: Span) -> Parsed<Node> {
        self.selector(Some(name)).map(|selector| Node::leaf(Expr::Vector(selector)))
    }

    /// Reads an operand and the ranges, offsets and times behind it.
    pub(super) fn with_modifiers(&mut self) -> Parsed<Node> {
        let mut node = self.operand()?;
        loop {
            node = match self.token.kind {
                TokenKind::LeftBracket => self.range(node)?,
                TokenKind::At => self.at_modifier(node)?,
                TokenKind::Keyword(Keyword::Offset) => self.offset(node)?,
                TokenKind::Keyword(Keyword::Anchored | Keyword::Smoothed) => self.extension(node),
                _ => return Ok(node),
            };
        }
    }
}
