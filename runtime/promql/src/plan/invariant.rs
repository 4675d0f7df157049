//! Which parts of a query have the same value at each step: those whose selectors all have an `@`.

use promql_syntax::Expr;

/// Functions whose value depends on the time of the step even if their arguments do not.
const DEPENDS_ON_TIME: &[&str] = &[
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
];

/// What is known about an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invariance {
    /// It is the same at each step.
    pub(super) invariant: bool,
    /// Evaluating it once is worth a node of its own; numbers, texts and ranges are not.
    pub(super) worth_it: bool,
}

/// Whether the value of a function depends on the time of the step even if its arguments do not.
pub(crate) fn depends_on_time(function: &str) -> bool {
    DEPENDS_ON_TIME.contains(&function)
}

/// Whether a function gives a time of the query, a constant of it.
pub(crate) fn is_query_time(function: &str) -> bool {
    matches!(function, "start" | "end" | "range" | "step")
}

const VARIES: Invariance = Invariance { invariant: false, worth_it: false };

/// Judges an expression as Prometheus does; an aggregation's parameter is not looked at there either.
pub(super) fn judge(expr: &Expr) -> Invariance {
    match expr {
        Expr::Number(_) | Expr::String(_) => Invariance { invariant: true, worth_it: false },
        Expr::Vector(selector) => {
            let fixed = selector.at.is_some();
            Invariance { invariant: fixed, worth_it: fixed }
        }
        Expr::Matrix(matrix) => Invariance { invariant: matrix.selector.at.is_some(), worth_it: false },
        Expr::Subquery(subquery) => Invariance { invariant: subquery.at.is_some(), worth_it: false },
        Expr::Aggregate(aggregate) => judge(&aggregate.expr),
        Expr::Paren(paren) => judge(&paren.expr),
        Expr::Unary(unary) => judge(&unary.expr),
        Expr::Binary(binary) => {
            if judge(&binary.lhs).invariant && judge(&binary.rhs).invariant {
                Invariance { invariant: true, worth_it: true }
            } else {
                VARIES
            }
        }
        Expr::Call(call) => {
            // `start()` and its like are constants of the query.
            if is_query_time(call.function.name) {
                return Invariance { invariant: true, worth_it: false };
            }
            let args = || call.args.iter().map(Expr::without_parens);
            let all = args().all(|arg| judge(arg).invariant);
            let timestamps_of_selectors =
                call.function.name == "timestamp" && args().all(|arg| matches!(arg, Expr::Vector(_)));
            if all && (!depends_on_time(call.function.name) || timestamps_of_selectors) {
                Invariance { invariant: true, worth_it: true }
            } else {
                VARIES
            }
        }
    }
}
