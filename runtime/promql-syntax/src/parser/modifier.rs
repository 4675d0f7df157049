//! What may stand behind a selector: a range, a subquery, `offset`, `@`, `anchored`, `smoothed`.

use prom_model::{PromDuration, TimestampMs, go_float};

use super::duration::with_sign;
use super::{Node, Parsed, Parser};
use crate::operator::POWER;
use crate::token::{Keyword, TokenKind};
use crate::{
    AtModifier, BinaryOp, DurationValue, Expr, MatrixSelector, RangeExtension, Span, Subquery, VectorSelector,
};

impl Parser<'_> {
    /// Reads `[5m]` or `[5m:1m]`.
    pub(super) fn range(&mut self, node: Node) -> Parsed<Node> {
        let bracket = self.bump().span;
        let expected = "number, duration, step(), or range()";
        let range = self.positive_duration("subquery or range selector", expected)?;
        if self.eat(&TokenKind::Colon) {
            return self.subquery(node, range);
        }
        self.expect(&TokenKind::RightBracket, "subquery or range", "\":\" or \"]\"")?;
        let Node { expr, depth } = node;
        let mut refuse = |message: &str| {
            let span = self.span_from(bracket.start);
            self.error(span, message);
        };
        match expr {
            Expr::Vector(selector) => {
                if is_set(selector.offset.as_ref()) {
                    refuse("no offset modifiers allowed before range");
                } else if selector.at.is_some() {
                    refuse("no @ modifiers allowed before range");
                }
                let span = self.span_from(selector.span.start);
                Ok(Node { expr: Expr::Matrix(MatrixSelector { selector, range, span }), depth })
            }
            expr => {
                refuse("ranges only allowed for vector selectors");
                Ok(Node { expr, depth })
            }
        }
    }

    fn subquery(&mut self, node: Node, range: DurationValue) -> Parsed<Node> {
        let mut step = None;
        if !self.at(&TokenKind::RightBracket) {
            let expected = "number, duration, step(), range(), or \"]\"";
            step = Some(self.positive_duration("subquery selector", expected)?);
        }
        self.expect(&TokenKind::RightBracket, "subquery selector", "\"]\"")?;
        let span = self.span_from(node.expr.span().start);
        let subquery = Subquery { expr: Box::new(node.expr), range, step, offset: None, at: None, span };
        self.node(Expr::Subquery(subquery), node.depth)
    }

    /// Reads `offset 5m`.
    pub(super) fn offset(&mut self, mut node: Node) -> Parsed<Node> {
        self.bump();
        let value = self.offset_duration()?;
        let end = self.last_end;
        let span = node.expr.span();
        let message = match Target::of(&mut node.expr) {
            None => NOT_A_SELECTOR.replace("{}", "offset"),
            Some(target) => {
                *target.end = end;
                if !is_set(target.offset.as_ref()) {
                    *target.offset = Some(value);
                    return Ok(node);
                }
                "offset may not be set multiple times".to_owned()
            }
        };
        self.error(span, message);
        Ok(node)
    }

    /// Reads `@ 1609746000`, `@ start()` or `@ end()`.
    pub(super) fn at_modifier(&mut self, mut node: Node) -> Parsed<Node> {
        self.bump();
        let span = node.expr.span();
        let at = self.at_value(span)?;
        let end = self.last_end;
        let message = match Target::of(&mut node.expr) {
            None => NOT_A_SELECTOR.replace("{}", "@"),
            Some(target) => {
                *target.end = end;
                if target.at.is_none() {
                    *target.at = Some(at);
                    return Ok(node);
                }
                "@ <timestamp> may not be set multiple times".to_owned()
            }
        };
        self.error(span, message);
        Ok(node)
    }

    fn at_value(&mut self, selector: Span) -> Parsed<AtModifier> {
        for (keyword, at) in [(Keyword::Start, AtModifier::Start), (Keyword::End, AtModifier::End)] {
            if self.eat_keyword(keyword) {
                self.expect(&TokenKind::LeftParen, "@", "timestamp")?;
                self.expect(&TokenKind::RightParen, "@", "timestamp")?;
                return Ok(at);
            }
        }
        let seconds = self.signed_number("@", "timestamp")?;
        if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 {
            let shown = if seconds.is_finite() { format!("{seconds:.6}") } else { go_float(seconds) };
            self.error(selector, format!("timestamp out of bounds for @ modifier: {shown}"));
        }
        Ok(AtModifier::Time(TimestampMs::from_millis((seconds * 1000.0).round() as i64)))
    }

    /// Reads `anchored` or `smoothed`.
    pub(super) fn extension(&mut self, mut node: Node) -> Node {
        let anchored = self.at_keyword(Keyword::Anchored);
        self.bump();
        let word = if anchored { "anchored" } else { "smoothed" };
        if !self.options.extended_range_selectors {
            self.error(node.expr.span(), format!("{word} modifier is experimental and not enabled"));
            return node;
        }
        let extension = if anchored { RangeExtension::Anchored } else { RangeExtension::Smoothed };
        let end = self.last_end;
        let span = node.expr.span();
        let mut extend = |selector: &mut VectorSelector| {
            if selector.extension.is_some_and(|other| other != extension) {
                self.error(span, "anchored and smoothed modifiers cannot be used together");
            }
            selector.extension = Some(extension);
        };
        match &mut node.expr {
            Expr::Vector(selector) => {
                extend(selector);
                selector.span.end = end;
            }
            Expr::Matrix(matrix) => {
                extend(&mut matrix.selector);
                matrix.span.end = end;
            }
            Expr::Subquery(_) => self.error(span, format!("{word} modifier is not supported for subqueries")),
            _ => self.error(span, format!("{word} modifier not implemented")),
        }
        node
    }

    /// Reads the duration of an offset. Without parentheses it ends before the next operator:
    /// `foo offset -2^2` is `(foo offset -2)^2`.
    fn offset_duration(&mut self) -> Parsed<DurationValue> {
        const CONTEXT: &str = "offset";
        let expected = "number, duration, step(), or range()";
        let start = self.token.span.start;
        let negative = self.at(&TokenKind::Op(BinaryOp::Sub));
        let signed = negative || self.at(&TokenKind::Op(BinaryOp::Add));
        if signed {
            self.bump();
        }
        let expr = match self.token.kind {
            TokenKind::LeftParen if !signed => {
                let expr = self.duration_expr(1, CONTEXT, expected)?;
                self.look_ahead();
                expr
            }
            // After a second sign it is an expression that operators may follow.
            TokenKind::Op(BinaryOp::Add | BinaryOp::Sub) => {
                let operand = self.duration_expr(POWER, CONTEXT, expected)?;
                let operand = if signed { with_sign(operand, negative, start) } else { operand };
                let expr = self.duration_operators_from(operand, 1, CONTEXT, expected)?;
                self.look_ahead();
                return self.duration_value(expr);
            }
            _ => self.duration_operand(signed.then_some(start), CONTEXT, expected)?,
        };
        let expr = if signed { with_sign(expr, negative, start) } else { expr };
        self.duration_value(expr)
    }

    fn positive_duration(&mut self, context: &str, expected: &str) -> Parsed<DurationValue> {
        let expr = self.duration_expr(1, context, expected)?;
        let span = expr.span();
        let value = self.duration_value(expr)?;
        if matches!(value, DurationValue::Fixed(duration) if duration <= PromDuration::ZERO) {
            // Prometheus counts in nanoseconds and lets some of them through; a range of no millisecond is no range.
            self.late_error(span, "duration must be greater than 0");
        }
        Ok(value)
    }
}

const NOT_A_SELECTOR: &str =
    "{} modifier must be preceded by an instant vector selector or range vector selector or a subquery";

/// Prometheus treats an offset of zero as none.
fn is_set(offset: Option<&DurationValue>) -> bool {
    offset.is_some_and(|offset| *offset != DurationValue::Fixed(PromDuration::ZERO))
}

/// The parts of a selector that modifiers behind it change.
struct Target<'e> {
    offset: &'e mut Option<DurationValue>,
    at: &'e mut Option<AtModifier>,
    end: &'e mut usize,
}

impl<'e> Target<'e> {
    fn of(expr: &'e mut Expr) -> Option<Self> {
        Some(match expr {
            Expr::Vector(s) => Target { offset: &mut s.offset, at: &mut s.at, end: &mut s.span.end },
            Expr::Matrix(m) => {
                Target { offset: &mut m.selector.offset, at: &mut m.selector.at, end: &mut m.span.end }
            }
            Expr::Subquery(s) => Target { offset: &mut s.offset, at: &mut s.at, end: &mut s.span.end },
            _ => return None,
        })
    }
}
