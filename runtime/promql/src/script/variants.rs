//! A query with its time in `@` at each selector and subquery: the answer is the same whenever it is asked.

use prom_model::TimestampMs;
use promql_syntax::{AtModifier, Expr};

use crate::plan::invariant::{depends_on_time, is_query_time};

/// The text of the variant and the times at which it is asked; none for a query that depends on the time otherwise.
pub(super) fn with_at(expr: &Expr, time: i64) -> Option<(String, Vec<i64>)> {
    let mut expr = expr.clone();
    let mut depends = false;
    fix(&mut expr, AtModifier::Time(TimestampMs::from_millis(time)), false, &mut depends);
    if depends {
        return None;
    }
    let times = if time == 0 { vec![-1000, 0, 1000] } else { vec![-10 * time, 0, time / 5, time, 10 * time] };
    Some((expr.to_string(), times))
}

/// Below a subquery with `@` nothing is changed.
fn fix(expr: &mut Expr, at: AtModifier, below_at: bool, depends: &mut bool) {
    match expr {
        Expr::Vector(selector) => {
            if !below_at && selector.at.is_none() {
                selector.at = Some(at);
            }
        }
        Expr::Matrix(matrix) => {
            if !below_at && matrix.selector.at.is_none() {
                matrix.selector.at = Some(at);
            }
        }
        Expr::Subquery(subquery) => {
            if !below_at && subquery.at.is_none() {
                subquery.at = Some(at);
            }
            fix(&mut subquery.expr, at, true, depends);
        }
        Expr::Call(call) => {
            let function = call.function.name;
            *depends |= !below_at && (depends_on_time(function) || is_query_time(function));
            call.args.iter_mut().for_each(|arg| fix(arg, at, below_at, depends));
        }
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &mut aggregate.param {
                fix(param, at, below_at, depends);
            }
            fix(&mut aggregate.expr, at, below_at, depends);
        }
        Expr::Binary(binary) => {
            fix(&mut binary.lhs, at, below_at, depends);
            fix(&mut binary.rhs, at, below_at, depends);
        }
        Expr::Unary(unary) => fix(&mut unary.expr, at, below_at, depends),
        Expr::Paren(paren) => fix(&mut paren.expr, at, below_at, depends),
        Expr::Number(_) | Expr::String(_) => {}
    }
}
