//! What stands between operators, without its modifiers.

use super::{Node, Parsed, Parser};
use crate::token::{Keyword, TokenKind};
use crate::{Expr, NumberLiteral, Paren, Span, StringLiteral};

impl Parser<'_> {
    /// Reads a literal, a selector, a call, an aggregation or an expression in parentheses.
    ///
    /// Each form has its own function, which keeps this frame small: it is on the stack once for every level.
    pub(super) fn operand(&mut self) -> Parsed<Node> {
        match &self.token.kind {
            TokenKind::Number | TokenKind::Duration => Ok(self.number_operand()),
            TokenKind::String(_) | TokenKind::Bytes(_) => Ok(self.string_operand()),
            TokenKind::LeftParen => self.paren(),
            TokenKind::LeftBrace => self.vector_selector(None),
            TokenKind::Aggregate(op) => {
                let op = *op;
                let span = self.bump().span;
                self.aggregate(op, span)
            }
            kind if kind.is_metric_name() => {
                let callable = *kind == TokenKind::Identifier || kind.is_function_keyword();
                let span = self.bump().span;
                if callable && self.at(&TokenKind::LeftParen) {
                    self.call(span)
                } else {
                    self.vector_selector(Some(span))
                }
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    fn number_operand(&mut self) -> Node {
        let span = self.token.span;
        let is_duration = self.at(&TokenKind::Duration);
        let value = self.number();
        Node::leaf(Expr::Number(NumberLiteral { value, is_duration, span }))
    }

    fn string_operand(&mut self) -> Node {
        let token = self.bump();
        let (value, bytes) = match token.kind {
            TokenKind::String(value) => (value, None),
            TokenKind::Bytes(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), Some(bytes)),
            _ => (String::new(), None),
        };
        Node::leaf(Expr::String(StringLiteral { value, bytes, span: token.span }))
    }

    fn paren(&mut self) -> Parsed<Node> {
        let start = self.bump().span.start;
        let inner = self.expression(1)?;
        self.expect(&TokenKind::RightParen, "", "")?;
        let paren = Paren { expr: Box::new(inner.expr), span: self.span_from(start) };
        self.node(Expr::Paren(paren), inner.depth)
    }

    /// Reads a selector; its name, if it has one, was consumed.
    pub(super) fn vector_selector(&mut self, name: Option<Span>) -> Parsed<Node> {
        self.selector(name).map(|selector| Node::leaf(Expr::Vector(selector)))
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
