//! Reads tokens into a tree. Binary operators are read by precedence climbing; each other form has its own file.

mod aggregate;
mod call;
mod duration;
mod literal;
mod modifier;
mod operand;
mod selector;

use crate::lexer::Lexer;
use crate::operator::POWER;
use crate::token::{Keyword, Token, TokenKind};
use crate::{
    Binary, BinaryOp, Cardinality, Expr, ParseError, ParseOptions, Span, Unary, UnaryOp, VectorMatching,
};

/// Deepest nesting of parentheses, calls and signs; the parser is recursive.
const NESTING_MAX: usize = 128;
/// Deepest tree. Chains such as `a or b or c` are as deep as they are long.
const TREE_DEPTH_MAX: usize = 1000;
/// After so many errors the rest is not worth reading.
const ERRORS_MAX: usize = 16;

/// Reads a query.
///
/// Syntax errors leave no tree; where the parser can go on after one (in arguments, matchers and label lists) it
/// does, to find the next. A query without syntax errors is then type checked: it has a tree, and maybe type errors.
/// Everything that Prometheus 3 can be told to accept by feature flags is accepted; see [`features`](crate::features).
///
/// The errors come in the order in which Prometheus meets them, so the first one is Prometheus' answer; see
/// [`prometheus_error_text`](crate::prometheus_error_text).
pub fn parse(input: &str) -> (Option<Expr>, Vec<ParseError>) {
    parse_with(input, &ParseOptions::ALL)
}

/// Reads a query as [`parse`] does, with the feature flags of a server: what they leave out is a syntax error.
pub fn parse_with(input: &str, options: &ParseOptions) -> (Option<Expr>, Vec<ParseError>) {
    let mut parser = Parser::new(input, *options);
    let expr = parser.query().ok();
    let mut errors = parser.errors;
    if !errors.is_empty() {
        return (None, errors);
    }
    let expr = expr.map(|mut node| {
        crate::check::check(&mut node.expr, input, &mut errors);
        errors.append(&mut parser.refused);
        node.expr
    });
    (expr, errors)
}

/// An error was recorded, and what was being read cannot be completed.
#[derive(Debug)]
pub(crate) struct Stop;

type Parsed<T> = Result<T, Stop>;

/// An expression and how deep its tree is.
struct Node {
    expr: Expr,
    depth: usize,
}

impl Node {
    fn leaf(expr: Expr) -> Self {
        Node { expr, depth: 1 }
    }
}

struct Parser<'i> {
    input: &'i str,
    options: ParseOptions,
    lexer: Lexer<'i>,
    token: Token,
    /// End of the last token that was consumed.
    last_end: usize,
    nesting: usize,
    /// Whether the arguments of an aggregation are being read, which messages say.
    in_aggregation: bool,
    errors: Vec<ParseError>,
    /// What Prometheus accepts and we do not. Said last, where nothing else is wrong.
    refused: Vec<ParseError>,
}

impl<'i> Parser<'i> {
    fn new(input: &'i str, options: ParseOptions) -> Self {
        let mut lexer = Lexer::new(input);
        let token = lexer.next_token();
        Parser {
            input,
            options,
            lexer,
            token,
            last_end: 0,
            nesting: 0,
            in_aggregation: false,
            errors: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn query(&mut self) -> Parsed<Node> {
        self.look_ahead();
        if self.token.kind == TokenKind::End {
            if !self.errors.is_empty() {
                return Err(Stop);
            }
            self.error(Span::new(0, self.input.len()), "no expression found in input");
            return Err(Stop);
        }
        let node = self.expression(1)?;
        if self.token.kind != TokenKind::End {
            return Err(self.unexpected("", ""));
        }
        Ok(node)
    }

    /// Consumes the current token.
    fn bump(&mut self) -> Token {
        self.last_end = self.token.span.end;
        std::mem::replace(&mut self.token, self.lexer.next_token())
    }

    fn at(&self, kind: &TokenKind) -> bool {
        self.token.kind == *kind
    }

    fn at_keyword(&self, keyword: Keyword) -> bool {
        self.token.kind == TokenKind::Keyword(keyword)
    }

    fn eat(&mut self, kind: &TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    fn eat_keyword(&mut self, keyword: Keyword) -> bool {
        self.eat(&TokenKind::Keyword(keyword))
    }

    /// Consumes the token or says that it was expected.
    fn expect(&mut self, kind: &TokenKind, context: &str, expected: &str) -> Parsed<Token> {
        if self.at(kind) { Ok(self.bump()) } else { Err(self.unexpected(context, expected)) }
    }

    fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.last_end)
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(ParseError { span, message: message.into() });
        }
        if self.errors.len() == ERRORS_MAX {
            self.abandon();
        }
    }

    /// Leaves out the rest of the query.
    fn abandon(&mut self) {
        let end = self.input.len();
        self.token = Token { kind: TokenKind::End, span: Span::new(end, end) };
        self.lexer.finish();
    }

    /// Records that what comes next is no token. Prometheus finds out as soon as it looks at the next token, which
    /// in some places is before, in others after it judges what came until then.
    fn look_ahead(&mut self) {
        if let TokenKind::Error(message) = &mut self.token.kind {
            let message = std::mem::take(message);
            let span = self.token.span;
            // It has no meaning for whoever comes next.
            self.abandon();
            self.error(span, message);
        }
    }

    /// Records an error that Prometheus only finds when it knows the next token.
    fn late_error(&mut self, span: Span, message: impl Into<String>) {
        self.look_ahead();
        self.error(span, message);
    }

    /// Records that the current token cannot stand here.
    fn unexpected(&mut self, context: &str, expected: &str) -> Stop {
        self.look_ahead();
        let span = self.token.span;
        // Where reading went on after an error, the end needs no second one.
        if self.token.kind == TokenKind::End && !self.errors.is_empty() {
            return Stop;
        }
        let context = if context.is_empty() && self.in_aggregation { "aggregation" } else { context };
        let mut message = format!("unexpected {}", self.token.describe(self.input));
        for (word, text) in [(" in ", context), (", expected ", expected)] {
            if !text.is_empty() {
                message.push_str(word);
                message.push_str(text);
            }
        }
        self.error(span, message);
        Stop
    }

    /// Goes one level down, unless that is too deep. Whoever calls it takes one off `nesting` afterwards.
    fn enter(&mut self) -> Parsed<()> {
        if self.nesting >= NESTING_MAX {
            return Err(self.too_deep(self.token.span));
        }
        self.nesting += 1;
        Ok(())
    }

    fn too_deep(&mut self, span: Span) -> Stop {
        self.error(span, "expression nests too deeply");
        self.abandon();
        Stop
    }

    /// Makes a node above others, unless that is too deep.
    fn node(&mut self, expr: Expr, below: usize) -> Parsed<Node> {
        if below >= TREE_DEPTH_MAX {
            return Err(self.too_deep(expr.span()));
        }
        Ok(Node { expr, depth: below + 1 })
    }

    /// Reads an expression whose operators bind at least as tightly as `precedence`.
    fn expression(&mut self, precedence: u8) -> Parsed<Node> {
        self.enter()?;
        let result = self.operators(precedence);
        self.nesting -= 1;
        result
    }

    fn operators(&mut self, precedence: u8) -> Parsed<Node> {
        let mut lhs = self.signed()?;
        while let TokenKind::Op(op) = self.token.kind {
            if op.precedence() < precedence {
                break;
            }
            lhs = self.binary(lhs, op)?;
        }
        Ok(lhs)
    }

    fn binary(&mut self, lhs: Node, op: BinaryOp) -> Parsed<Node> {
        let op_span = self.bump().span;
        let return_bool = self.eat_keyword(Keyword::Bool);
        let matching = self.matching()?;
        let rhs = self.expression(op.right_precedence())?;
        let span = lhs.expr.span().join(rhs.expr.span());
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        if fills && !self.options.binop_fill_modifiers {
            self.late_error(span, "binop fill modifiers are experimental and not enabled");
        }
        let below = lhs.depth.max(rhs.depth);
        let binary = Binary {
            op,
            lhs: Box::new(lhs.expr),
            rhs: Box::new(rhs.expr),
            return_bool,
            matching: Some(matching),
            op_span,
            span,
        };
        self.node(Expr::Binary(binary), below)
    }

    /// Reads `on (…) group_left (…) fill (…)`, all of it optional.
    fn matching(&mut self) -> Parsed<VectorMatching> {
        let mut matching = VectorMatching::default();
        let on = self.at_keyword(Keyword::On);
        if on || self.at_keyword(Keyword::Ignoring) {
            self.bump();
            matching.on = on;
            matching.labels = self.label_list()?;
            let left = self.at_keyword(Keyword::GroupLeft);
            if left || self.at_keyword(Keyword::GroupRight) {
                self.bump();
                matching.cardinality = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                let fill = matches!(
                    self.token.kind,
                    TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)
                );
                // Only what can follow makes it a list that is left out.
                if self.at(&TokenKind::LeftParen) || !(fill || self.token.kind.starts_expression()) {
                    matching.include = self.label_list()?;
                }
            }
        }
        if self.eat_keyword(Keyword::Fill) {
            let value = self.fill_value()?;
            (matching.fill_left, matching.fill_right) = (Some(value), Some(value));
        } else if self.eat_keyword(Keyword::FillLeft) {
            matching.fill_left = Some(self.fill_value()?);
            if self.eat_keyword(Keyword::FillRight) {
                matching.fill_right = Some(self.fill_value()?);
            }
        } else if self.eat_keyword(Keyword::FillRight) {
            matching.fill_right = Some(self.fill_value()?);
            if self.eat_keyword(Keyword::FillLeft) {
                matching.fill_left = Some(self.fill_value()?);
            }
        }
        Ok(matching)
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(&TokenKind::LeftParen, "", "")?;
        let value = self.signed_number("", "")?;
        self.expect(&TokenKind::RightParen, "", "")?;
        Ok(value)
    }

    /// Reads a sign, if there is one, and what it belongs to.
    fn signed(&mut self) -> Parsed<Node> {
        let op = match self.token.kind {
            TokenKind::Op(BinaryOp::Add) => UnaryOp::Plus,
            TokenKind::Op(BinaryOp::Sub) => UnaryOp::Minus,
            _ => return self.with_modifiers(),
        };
        let start = self.bump().span.start;
        // Only `^` binds tighter than a sign: -1^2 is -(1^2).
        let Node { expr, depth } = self.expression(POWER)?;
        match expr {
            Expr::Number(mut number) => {
                if op == UnaryOp::Minus {
                    // A NaN keeps its sign so.
                    number.value *= -1.0;
                }
                number.span.start = start;
                Ok(Node { expr: Expr::Number(number), depth })
            }
            expr => {
                let span = Span::new(start, expr.span().end);
                self.node(Expr::Unary(Unary { op, expr: Box::new(expr), span }), depth)
            }
        }
    }
}
