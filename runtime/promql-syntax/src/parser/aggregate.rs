//! Aggregations and lists of labels.

use super::{Node, Parsed, Parser, Stop};
use crate::printer::quoted_bytes;
use crate::token::{Keyword, TokenKind};
use crate::{Aggregate, AggregateOp, Expr, Span};

const GROUPING: &str = "grouping opts";

impl Parser<'_> {
    /// Reads an aggregation whose name was consumed, or a metric of that name.
    pub(super) fn aggregate(&mut self, op: AggregateOp, name: Span) -> Parsed<Node> {
        let mut grouping = self.grouping()?;
        if !self.at(&TokenKind::LeftParen) {
            // Without arguments the word is a metric name.
            return if grouping.is_some() {
                Err(self.unexpected("aggregation", ""))
            } else {
                self.vector_selector(Some(name))
            };
        }
        let outer = std::mem::replace(&mut self.in_aggregation, true);
        let arguments = self.arguments();
        self.in_aggregation = outer;
        let (mut args, below) = arguments?;
        if grouping.is_none() {
            self.look_ahead();
            grouping = self.grouping()?;
        }
        let (without, grouping) = grouping.unwrap_or_default();
        let span = self.span_from(name.start);
        let wanted = if op.has_param() { 2 } else { 1 };
        if !args.is_empty() && op.is_experimental() && !self.options.experimental_functions {
            let message = format!(
                "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            );
            self.error(span, message);
        } else if args.len() != wanted {
            let message = match args.len() {
                0 => "no arguments for aggregate expression provided".to_owned(),
                got => format!(
                    "wrong number of arguments for aggregate expression provided, expected {wanted}, got {got}"
                ),
            };
            self.error(span, message);
        }
        let Some(expr) = args.pop().map(Box::new) else { return Err(Stop) };
        let param = args.pop().map(Box::new);
        self.node(Expr::Aggregate(Aggregate { op, expr, param, grouping, without, span }), below)
    }

    /// Reads `by (…)` or `without (…)` if one comes next; says whether it was `without`.
    fn grouping(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let without = self.at_keyword(Keyword::Without);
        if !without && !self.at_keyword(Keyword::By) {
            return Ok(None);
        }
        self.bump();
        Ok(Some((without, self.label_list()?)))
    }

    /// Reads label names in parentheses.
    pub(super) fn label_list(&mut self) -> Parsed<Vec<String>> {
        self.expect(&TokenKind::LeftParen, GROUPING, "\"(\"")?;
        let mut labels = Vec::new();
        while !self.at(&TokenKind::RightParen) {
            let label = match &self.token.kind {
                TokenKind::String(name) => name.clone(),
                TokenKind::Bytes(bytes) => {
                    let message = format!("invalid label name for grouping: {}", quoted_bytes(bytes));
                    let span = self.bump().span;
                    self.error(span, message);
                    return Err(Stop);
                }
                kind if kind.is_label_name() => self.token.span.text(self.input).to_owned(),
                _ => return Err(self.unexpected(GROUPING, "label")),
            };
            let span = self.bump().span;
            if label.is_empty() {
                self.error(span, "invalid label name for grouping: \"\"");
            }
            labels.push(label);
            if !self.eat(&TokenKind::Comma) && !self.at(&TokenKind::RightParen) {
                return Err(self.unexpected(GROUPING, "\",\" or \")\""));
            }
        }
        self.bump();
        Ok(labels)
    }
}
