//! Function calls and their arguments.

use super::{Node, Parsed, Parser, Stop};
use crate::function::UNKNOWN;
use crate::token::TokenKind;
use crate::{Call, Expr, Function, Span};

impl Parser<'_> {
    /// Reads a call whose name was consumed.
    pub(super) fn call(&mut self, name_span: Span) -> Parsed<Node> {
        let name = name_span.text(self.input);
        let arguments = self.arguments();
        let function = Function::find(name).unwrap_or_else(|| {
            let message = format!("unknown function with name {}", prom_model::quote(name));
            self.error(name_span, message);
            &UNKNOWN
        });
        if function.experimental && !self.options.experimental_functions {
            self.error(name_span, format!("function {} is not enabled", prom_model::quote(name)));
        }
        let (args, below) = arguments?;
        let call = Call { function, args, name_span, span: self.span_from(name_span.start) };
        self.node(Expr::Call(call), below)
    }

    /// Reads arguments in parentheses, and how deep the deepest is; goes on with the next one after an error.
    pub(super) fn arguments(&mut self) -> Parsed<(Vec<Expr>, usize)> {
        self.expect(&TokenKind::LeftParen, "", "")?;
        let mut args = Vec::new();
        let mut below = 0;
        let mut failed = false;
        while !self.at(&TokenKind::RightParen) {
            match self.expression(1) {
                Ok(node) => {
                    below = below.max(node.depth);
                    args.push(node.expr);
                }
                Err(Stop) => {
                    failed = true;
                    self.skip_argument();
                }
            }
            if self.at(&TokenKind::Comma) {
                self.commas();
            } else if !self.at(&TokenKind::RightParen) {
                if !failed {
                    self.unexpected("", "");
                }
                failed = true;
                self.skip_argument();
                if !self.eat(&TokenKind::Comma) && !self.at(&TokenKind::RightParen) {
                    return Err(Stop);
                }
            }
        }
        self.bump();
        if failed { Err(Stop) } else { Ok((args, below)) }
    }

    /// Consumes the comma between two arguments. One that no argument follows is refused, and the next may follow.
    fn commas(&mut self) {
        while self.at(&TokenKind::Comma) {
            let comma = self.bump().span;
            if self.token.kind.starts_expression() {
                return;
            }
            self.late_error(comma, "trailing commas not allowed in function call args");
        }
    }

    /// Skips to the comma or parenthesis that ends the argument.
    fn skip_argument(&mut self) {
        let mut open = 0_usize;
        loop {
            match self.token.kind {
                TokenKind::End | TokenKind::Error(_) => return,
                TokenKind::Comma | TokenKind::RightParen if open == 0 => return,
                TokenKind::LeftParen | TokenKind::LeftBrace => open += 1,
                TokenKind::RightParen => open -= 1,
                // A brace that was opened before the error is closed here, too.
                TokenKind::RightBrace => open = open.saturating_sub(1),
                _ => {}
            }
            self.bump();
        }
    }
}
