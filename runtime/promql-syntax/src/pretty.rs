//! Prints a query over several lines where one would be too long, as Prometheus' `format_query` does.

use crate::printer::grouping;
use crate::{Aggregate, Binary, Expr, UnaryOp, printer};

/// What is longer than this is split.
const WIDTH_MAX: usize = 100;
const INDENT: &str = "  ";

/// The query as Prometheus' formatter prints it.
///
/// A part that fits into 100 bytes is printed as [`Display`](std::fmt::Display) prints it; longer ones are split
/// at operators, arguments and parentheses. Selectors are never split.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    Printer { out: &mut out }.expr(expr, 0);
    out
}

struct Printer<'o> {
    out: &'o mut String,
}

impl Printer<'_> {
    fn expr(&mut self, expr: &Expr, level: usize) {
        match expr {
            Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => {
                self.line(level, &expr.to_string());
            }
            Expr::Unary(unary) => {
                self.indent(level);
                self.out.push(if unary.op == UnaryOp::Minus { '-' } else { '+' });
                let mut below = String::new();
                Printer { out: &mut below }.expr(&unary.expr, level);
                self.out.push_str(below.trim());
            }
            Expr::Subquery(subquery) => {
                let whole = expr.to_string();
                if whole.len() <= WIDTH_MAX {
                    // Prometheus does not indent it here.
                    self.out.push_str(&whole);
                } else {
                    self.expr(&subquery.expr, level);
                    self.out.push_str(&printer::subquery_suffix(subquery));
                }
            }
            Expr::Call(_) | Expr::Aggregate(_) | Expr::Binary(_) | Expr::Paren(_) => {
                let whole = expr.to_string();
                if whole.len() <= WIDTH_MAX {
                    self.line(level, &whole);
                } else {
                    drop(whole);
                    self.split(expr, level);
                }
            }
        }
    }

    fn split(&mut self, expr: &Expr, level: usize) {
        match expr {
            Expr::Call(call) => {
                self.line(level, call.function.name);
                self.out.push_str("(\n");
                for (index, arg) in call.args.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(",\n");
                    }
                    self.expr(arg, level + 1);
                }
                self.close(level);
            }
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, level),
            Expr::Binary(binary) => self.binary(binary, level),
            Expr::Paren(paren) => {
                self.line(level, "(\n");
                self.expr(&paren.expr, level + 1);
                self.close(level);
            }
            other => self.line(level, &other.to_string()),
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate, level: usize) {
        self.line(level, aggregate.op.as_str());
        self.out.push_str(&grouping(aggregate));
        self.out.push_str("(\n");
        if let Some(param) = &aggregate.param {
            self.expr(param, level + 1);
            self.out.push_str(",\n");
        }
        self.expr(&aggregate.expr, level + 1);
        self.close(level);
    }

    fn binary(&mut self, binary: &Binary, level: usize) {
        self.expr(&binary.lhs, level + 1);
        printer::close_offset(binary, self.out);
        self.out.push('\n');
        self.line(level, &printer::operator(binary));
        self.out.push('\n');
        self.expr(&binary.rhs, level + 1);
    }

    fn close(&mut self, level: usize) {
        self.out.push('\n');
        self.line(level, ")");
    }

    fn line(&mut self, level: usize, text: &str) {
        self.indent(level);
        self.out.push_str(text);
    }

    fn indent(&mut self, level: usize) {
        for _ in 0..level {
            self.out.push_str(INDENT);
        }
    }
}
