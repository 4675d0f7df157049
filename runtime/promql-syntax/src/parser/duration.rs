//! Arithmetic on durations, inside brackets and behind `offset`.

use prom_model::PromDuration;

use super::{Parsed, Parser};
use crate::operator::POWER;
use crate::token::{Keyword, TokenKind};
use crate::{BinaryOp, DurationExpr, DurationOp, DurationValue, Span};

/// Prometheus counts durations in nanoseconds of an `int64`.
const SECONDS_MAX: f64 = 9_223_372_036.854_776;

impl Parser<'_> {
    /// Reads a duration expression whose operators bind at least as tightly as `precedence`.
    pub(super) fn duration_expr(
        &mut self,
        precedence: u8,
        context: &str,
        expected: &str,
    ) -> Parsed<DurationExpr> {
        self.enter()?;
        let result = self.duration_operators(precedence, context, expected);
        self.nesting -= 1;
        result
    }

    fn duration_operators(&mut self, precedence: u8, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let lhs = self.signed_duration(context, expected)?;
        self.duration_operators_from(lhs, precedence, context, expected)
    }

    /// Reads the operators behind an operand that was read.
    pub(super) fn duration_operators_from(
        &mut self,
        mut lhs: DurationExpr,
        precedence: u8,
        context: &str,
        expected: &str,
    ) -> Parsed<DurationExpr> {
        let mut chain = 0;
        while let TokenKind::Op(op) = self.token.kind {
            let Some(operation) = operation(op).filter(|_| op.precedence() >= precedence) else { break };
            chain += 1;
            if chain > super::TREE_DEPTH_MAX {
                return Err(self.too_deep(lhs.span()));
            }
            let op_span = self.bump().span;
            let rhs = self.duration_expr(op.right_precedence(), context, expected)?;
            self.look_ahead();
            self.needs_duration_expr(lhs.span());
            if matches!(rhs, DurationExpr::Number { value: 0.0, .. }) {
                match operation {
                    DurationOp::Div => self.error(op_span, "division by zero"),
                    DurationOp::Mod => self.error(op_span, "modulo by zero"),
                    _ => {}
                }
            }
            lhs = binary(operation, lhs, rhs);
        }
        Ok(lhs)
    }

    fn signed_duration(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let start = self.token.span.start;
        let negative = self.at(&TokenKind::Op(BinaryOp::Sub));
        if !negative && !self.at(&TokenKind::Op(BinaryOp::Add)) {
            return self.duration_operand(None, context, expected);
        }
        self.bump();
        let expr = self.duration_expr(POWER, context, expected)?;
        Ok(with_sign(expr, negative, start))
    }

    /// Reads a number, `step()`, `range()`, `min_of(…)`, `max_of(…)` or an expression in parentheses.
    ///
    /// `sign` is where the sign of an offset stands, which messages point at.
    pub(super) fn duration_operand(
        &mut self,
        sign: Option<usize>,
        context: &str,
        expected: &str,
    ) -> Parsed<DurationExpr> {
        let span = self.token.span;
        match self.token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let is_duration = self.at(&TokenKind::Duration);
                let value = self.number();
                if value.is_nan() || value.abs() > SECONDS_MAX {
                    let start = sign.unwrap_or(span.start);
                    self.error(Span::new(start, span.end), "duration out of range");
                }
                Ok(DurationExpr::Number { value, is_duration, span })
            }
            TokenKind::Keyword(keyword @ (Keyword::Step | Keyword::Range)) => {
                self.bump();
                self.expect(&TokenKind::LeftParen, context, expected)?;
                self.expect(&TokenKind::RightParen, context, expected)?;
                let span = self.span_from(span.start);
                self.needs_duration_expr(Span::new(sign.unwrap_or(span.start), span.end));
                Ok(if keyword == Keyword::Step {
                    DurationExpr::Step(span)
                } else {
                    DurationExpr::Range(span)
                })
            }
            TokenKind::Keyword(keyword @ (Keyword::MinOf | Keyword::MaxOf)) => {
                let op = if keyword == Keyword::MinOf { DurationOp::Min } else { DurationOp::Max };
                self.bump();
                self.expect(&TokenKind::LeftParen, context, expected)?;
                let lhs = self.duration_expr(1, context, expected)?;
                self.expect(&TokenKind::Comma, context, expected)?;
                let rhs = self.duration_expr(1, context, expected)?;
                self.expect(&TokenKind::RightParen, context, expected)?;
                let span = self.span_from(span.start);
                // Prometheus takes what is inside for the whole.
                let inside = lhs.span().join(rhs.span());
                self.needs_duration_expr(sign.map_or(inside, |sign| Span::new(sign, span.end)));
                Ok(DurationExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs), span })
            }
            TokenKind::LeftParen => {
                self.bump();
                let inner = self.duration_expr(1, context, expected)?;
                self.expect(&TokenKind::RightParen, context, expected)?;
                // A sign makes Prometheus forget that an offset needs the flag.
                if sign.is_none() {
                    self.needs_duration_expr(inner.span());
                }
                Ok(DurationExpr::Paren(Box::new(inner), self.span_from(span.start)))
            }
            _ => Err(self.unexpected(context, expected)),
        }
    }

    fn needs_duration_expr(&mut self, span: Span) {
        if !self.options.duration_expr {
            self.error(span, "experimental duration expression is not enabled");
        }
    }

    /// A number alone is known now; everything else stays an expression.
    pub(super) fn duration_value(&mut self, expr: DurationExpr) -> Parsed<DurationValue> {
        Ok(match expr {
            DurationExpr::Number { value, .. } => {
                // Prometheus rounds to nanoseconds, then cuts to milliseconds.
                let millis = ((value * 1e9).round() / 1e6).trunc() as i64;
                DurationValue::Fixed(PromDuration::from_millis(millis))
            }
            expr => DurationValue::Expr(Box::new(expr)),
        })
    }
}

/// Puts a sign before an expression; a number takes it in.
pub(super) fn with_sign(expr: DurationExpr, negative: bool, start: usize) -> DurationExpr {
    match expr {
        DurationExpr::Number { value, is_duration, span } => DurationExpr::Number {
            value: if negative { -value } else { value },
            is_duration,
            span: Span::new(start, span.end),
        },
        expr if negative => {
            let span = Span::new(start, expr.span().end);
            DurationExpr::Negate(Box::new(expr), span)
        }
        expr => expr,
    }
}

fn binary(op: DurationOp, lhs: DurationExpr, rhs: DurationExpr) -> DurationExpr {
    let span = lhs.span().join(rhs.span());
    DurationExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs), span }
}

const fn operation(op: BinaryOp) -> Option<DurationOp> {
    Some(match op {
        BinaryOp::Add => DurationOp::Add,
        BinaryOp::Sub => DurationOp::Sub,
        BinaryOp::Mul => DurationOp::Mul,
        BinaryOp::Div => DurationOp::Div,
        BinaryOp::Mod => DurationOp::Mod,
        BinaryOp::Pow => DurationOp::Pow,
        _ => return None,
    })
}
