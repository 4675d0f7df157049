//! The type check. Runs on trees without syntax errors and gives Prometheus' messages.

use prom_model::{METRIC_NAME, quote};

use crate::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ParseError, Span, ValueType, Variadic,
    VectorMatching, VectorSelector,
};

/// Checks the tree; also settles how binary operators match, which depends on types.
pub(crate) fn check(expr: &mut Expr, input: &str, errors: &mut Vec<ParseError>) {
    Checker { input, errors }.expr(expr);
}

struct Checker<'c> {
    input: &'c str,
    errors: &'c mut Vec<ParseError>,
}

impl Checker<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(ParseError { span, message: message.into() });
    }

    fn expr(&mut self, expr: &mut Expr) -> ValueType {
        match expr {
            Expr::Number(_) => ValueType::Scalar,
            Expr::String(_) => ValueType::String,
            Expr::Vector(selector) => {
                self.selector(selector, false);
                ValueType::Vector
            }
            Expr::Matrix(matrix) => {
                self.selector(&matrix.selector, false);
                ValueType::Matrix
            }
            Expr::Paren(paren) => self.expr(&mut paren.expr),
            Expr::Call(call) => self.call(call),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Subquery(subquery) => {
                let inner = self.expr(&mut subquery.expr);
                if inner != ValueType::Vector {
                    let got = inner.as_str();
                    self.error(
                        subquery.span,
                        format!("subquery is only allowed on instant vector, got {got} instead"),
                    );
                }
                ValueType::Matrix
            }
            Expr::Unary(unary) => {
                let inner = self.expr(&mut unary.expr);
                if !matches!(inner, ValueType::Scalar | ValueType::Vector) {
                    let got = quote(&inner.to_string());
                    self.error(
                        unary.span,
                        format!("unary expression only allowed on expressions of type scalar or instant vector, got {got}"),
                    );
                }
                inner
            }
        }
    }

    fn expect(&mut self, expr: &mut Expr, want: ValueType, context: &str) {
        let got = self.expr(expr);
        if got != want {
            self.error(expr.span(), format!("expected type {want} in {context}, got {got}"));
        }
    }

    fn selector(&mut self, selector: &VectorSelector, may_select_all: bool) {
        if let Some(name) = &selector.name {
            // The last condition is the one made from the name.
            let written = selector.matchers.split_last().map_or(&[][..], |(_, written)| written);
            for matcher in written.iter().filter(|m| m.name() == METRIC_NAME) {
                let (name, value) = (quote(name), quote(matcher.value()));
                self.error(selector.span, format!("metric name must not be set twice: {name} or {value}"));
            }
        } else if !may_select_all && selector.matchers.iter().all(|m| m.matches_empty()) {
            self.error(selector.span, "vector selector must contain at least one non-empty matcher");
        }
    }

    fn call(&mut self, call: &mut Call) -> ValueType {
        let function = call.function;
        let (name, got) = (quote(function.name), call.args.len());
        if got < function.args_min() || function.args_max().is_some_and(|max| got > max) {
            let (bound, count) = match function.variadic {
                Variadic::No => ("", function.args_min()),
                _ if got < function.args_min() => ("at least ", function.args_min()),
                _ => ("at most ", function.args_max().unwrap_or(0)),
            };
            self.error(
                call.span,
                format!("expected {bound}{count} argument(s) in call to {name}, got {got}"),
            );
        }
        let is_info = function.name == "info";
        if is_info && let Some(labels) = call.args.get(1) {
            self.info_labels(labels, call.span);
        }
        for (index, arg) in call.args.iter_mut().enumerate() {
            let known = function.args.get(index);
            // Further arguments of a function without any are already too many.
            let further = if function.variadic == Variadic::No { None } else { function.args.last() };
            let Some(want) = known.or(further) else { break };
            let got = match *arg {
                Expr::Vector(ref selector) if is_info && index == 1 => {
                    self.selector(selector, true);
                    ValueType::Vector
                }
                ref mut arg => self.expr(arg),
            };
            if got != *want {
                self.error(arg.span(), format!("expected type {want} in call to function {name}, got {got}"));
            }
        }
        function.returns
    }

    /// The second argument of `info` looks like a selector, but only its label conditions count.
    fn info_labels(&mut self, labels: &Expr, call: Span) {
        let got = labels.value_type();
        if got != ValueType::Vector {
            let want = ValueType::Vector;
            self.error(call, format!("expected type {want} in call to function \"info\", got {got}"));
        }
        match labels {
            Expr::Vector(selector) if selector.name.is_some() => {
                self.error(labels.span(), "expected label selectors only, got vector selector instead");
            }
            Expr::Vector(_) => {}
            _ => self.error(labels.span(), "expected label selectors only"),
        }
    }

    fn aggregate(&mut self, aggregate: &mut Aggregate) -> ValueType {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression");
        if let Some(param) = &mut aggregate.param {
            let text = aggregate.op == AggregateOp::CountValues;
            let want = if text { ValueType::String } else { ValueType::Scalar };
            self.expect(param, want, "aggregation parameter");
        }
        ValueType::Vector
    }

    fn binary(&mut self, binary: &mut Binary) -> ValueType {
        let lhs = self.expr(&mut binary.lhs);
        let rhs = self.expr(&mut binary.rhs);
        let op = binary.op;
        let both_scalar = lhs == ValueType::Scalar && rhs == ValueType::Scalar;
        let op_span = self.between(binary.lhs.span(), binary.rhs.span());
        if binary.return_bool && !op.is_comparison() {
            self.error(op_span, "bool modifier can only be used on comparison operators");
        }
        if op.is_comparison() && !binary.return_bool && both_scalar {
            self.error(op_span, "comparisons between scalars must use BOOL modifier");
        }
        let mut matching = binary.matching.take().unwrap_or_default();
        if op.is_set_operator() && matching.cardinality == Cardinality::OneToOne {
            matching.cardinality = Cardinality::ManyToMany;
        }
        if matching.on {
            for label in matching.labels.iter().filter(|label| matching.include.contains(label)) {
                let label = quote(label);
                self.error(op_span, format!("label {label} must not occur in ON and GROUP clause at once"));
            }
        }
        for (value_type, side) in [(lhs, &binary.lhs), (rhs, &binary.rhs)] {
            if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
                self.error(
                    side.span(),
                    "binary expression must contain only scalar and instant vector types",
                );
            }
        }
        if lhs == ValueType::Vector && rhs == ValueType::Vector {
            if op.is_set_operator() {
                self.set_operator(binary, &matching);
            }
            binary.matching = Some(matching);
        } else {
            if !matching.labels.is_empty() {
                self.error(binary.span, "vector matching only allowed between instant vectors");
            }
            if matching.fill_left.is_some() || matching.fill_right.is_some() {
                self.error(binary.span, "filling in missing series only allowed between instant vectors");
            }
        }
        if op.is_set_operator() && (lhs == ValueType::Scalar || rhs == ValueType::Scalar) {
            let op = quote(op.as_str());
            self.error(binary.span, format!("set operator {op} not allowed in binary scalar expression"));
        }
        if both_scalar { ValueType::Scalar } else { ValueType::Vector }
    }

    fn set_operator(&mut self, binary: &Binary, matching: &VectorMatching) {
        if matching.cardinality != Cardinality::ManyToMany {
            let op = quote(binary.op.as_str());
            self.error(binary.span, format!("no grouping allowed for {op} operation"));
            self.error(binary.span, "set operations must always be many-to-many");
        }
        if matching.fill_left.is_some() || matching.fill_right.is_some() {
            self.error(binary.span, "filling in missing series not allowed for set operators");
        }
    }

    /// The operator with its modifiers: what lies between the operands, without blanks.
    fn between(&self, lhs: Span, rhs: Span) -> Span {
        let text = Span::new(lhs.end, rhs.start).text(self.input);
        let start = lhs.end + (text.len() - text.trim_start().len());
        Span::new(start, start + text.trim().len())
    }
}
