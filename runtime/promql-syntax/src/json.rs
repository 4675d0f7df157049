//! The tree of a query as JSON, in the form of Prometheus' `parse_query`.

use prom_model::{Matcher, PromDuration, go_plain_float};
use serde_json::{Value, json};

use crate::{
    AtModifier, Binary, Call, Cardinality, DurationExpr, DurationValue, Expr, MatrixSelector, RangeExtension,
    Subquery, UnaryOp, ValueType, Variadic, VectorMatching, VectorSelector,
};

/// The tree as Prometheus' API answers it for `parse_query`.
///
/// Durations are milliseconds, or 0 beside an expression; keys are sorted. Comments, blanks and the places of
/// things in the text are not part of it.
pub fn to_json(expr: &Expr) -> Value {
    match expr {
        Expr::Number(literal) => json!({ "type": "numberLiteral", "val": go_plain_float(literal.value) }),
        Expr::String(literal) => json!({ "type": "stringLiteral", "val": literal.value }),
        Expr::Vector(vector) => selector(vector, "vectorSelector"),
        Expr::Matrix(matrix) => self::matrix(matrix),
        Expr::Subquery(subquery) => self::subquery(subquery),
        Expr::Call(call) => self::call(call),
        Expr::Aggregate(aggregate) => json!({
            "expr": to_json(&aggregate.expr),
            "grouping": aggregate.grouping,
            "op": aggregate.op.as_str(),
            "param": aggregate.param.as_deref().map(to_json),
            "type": "aggregation",
            "without": aggregate.without,
        }),
        Expr::Binary(binary) => self::binary(binary),
        Expr::Unary(unary) => json!({
            "expr": to_json(&unary.expr),
            "op": if unary.op == UnaryOp::Minus { "-" } else { "+" },
            "type": "unaryExpr",
        }),
        Expr::Paren(paren) => json!({ "expr": to_json(&paren.expr), "type": "parenExpr" }),
    }
}

fn selector(selector: &VectorSelector, kind: &str) -> Value {
    let (offset, offset_expr) = duration(selector.offset.as_ref());
    let (timestamp, start_or_end) = at(selector.at);
    json!({
        "anchored": selector.extension == Some(RangeExtension::Anchored),
        "matchers": selector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "name": selector.name.as_deref().unwrap_or(""),
        "offset": offset,
        "offsetExpr": offset_expr,
        "smoothed": selector.extension == Some(RangeExtension::Smoothed),
        "startOrEnd": start_or_end,
        "timestamp": timestamp,
        "type": kind,
    })
}

fn matcher(matcher: &Matcher) -> Value {
    json!({ "name": matcher.name(), "type": matcher.op().as_str(), "value": matcher.value() })
}

fn matrix(matrix: &MatrixSelector) -> Value {
    let (range, range_expr) = duration(Some(&matrix.range));
    let mut object = selector(&matrix.selector, "matrixSelector");
    if let Some(object) = object.as_object_mut() {
        object.insert("range".to_owned(), range);
        object.insert("rangeExpr".to_owned(), range_expr);
    }
    object.sort_all_objects();
    object
}

fn subquery(subquery: &Subquery) -> Value {
    let (range, range_expr) = duration(Some(&subquery.range));
    let (step, step_expr) = duration(subquery.step.as_ref());
    let (offset, offset_expr) = duration(subquery.offset.as_ref());
    let (timestamp, start_or_end) = at(subquery.at);
    json!({
        "expr": to_json(&subquery.expr),
        "offset": offset,
        "offsetExpr": offset_expr,
        "range": range,
        "rangeExpr": range_expr,
        "startOrEnd": start_or_end,
        "step": step,
        "stepExpr": step_expr,
        "timestamp": timestamp,
        "type": "subquery",
    })
}

fn call(call: &Call) -> Value {
    let function = call.function;
    let variadic = match function.variadic {
        Variadic::No => 0,
        Variadic::UpTo(more) => i64::try_from(more).unwrap_or(i64::MAX),
        Variadic::Any => -1,
    };
    json!({
        "args": call.args.iter().map(to_json).collect::<Vec<_>>(),
        "func": {
            "argTypes": function.args.iter().copied().map(ValueType::as_str).collect::<Vec<_>>(),
            "name": function.name,
            "returnType": function.returns.as_str(),
            "variadic": variadic,
        },
        "type": "call",
    })
}

fn binary(binary: &Binary) -> Value {
    json!({
        "bool": binary.return_bool,
        "lhs": to_json(&binary.lhs),
        "matching": binary.matching.as_ref().map(matching),
        "op": binary.op.as_str(),
        "rhs": to_json(&binary.rhs),
        "type": "binaryExpr",
    })
}

fn matching(matching: &VectorMatching) -> Value {
    let card = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    json!({
        "card": card,
        "fillValues": { "lhs": matching.fill_left, "rhs": matching.fill_right },
        "include": matching.include,
        "labels": matching.labels,
        "on": matching.on,
    })
}

/// The milliseconds that are known, and the expression.
fn duration(duration: Option<&DurationValue>) -> (Value, Value) {
    match duration {
        None => (json!(0), Value::Null),
        Some(DurationValue::Fixed(fixed)) => (json!(fixed.as_millis()), Value::Null),
        Some(DurationValue::Expr(expr)) => {
            (json!(PromDuration::ZERO.as_millis()), duration_expr(expr, false))
        }
    }
}

/// `wrapped` says that parentheses stand around the expression.
fn duration_expr(expr: &DurationExpr, wrapped: bool) -> Value {
    let node = |op: &str, lhs: Value, rhs: Value| json!({ "lhs": lhs, "op": op, "rhs": rhs, "type": "durationExpr", "wrapped": wrapped });
    match expr {
        DurationExpr::Number { value, is_duration, .. } => {
            let literal =
                json!({ "duration": is_duration, "type": "numberLiteral", "val": go_plain_float(*value) });
            // A number has no place for the mark, so Prometheus puts a plus before it.
            if wrapped { node("+", Value::Null, literal) } else { literal }
        }
        DurationExpr::Step(_) => node("step", Value::Null, Value::Null),
        DurationExpr::Range(_) => node("range", Value::Null, Value::Null),
        DurationExpr::Negate(expr, _) => node("-", Value::Null, duration_expr(expr, false)),
        DurationExpr::Paren(expr, _) => duration_expr(expr, true),
        DurationExpr::Binary { op, lhs, rhs, .. } => {
            node(op.as_str(), duration_expr(lhs, false), duration_expr(rhs, false))
        }
    }
}

/// The time in milliseconds, and the word.
fn at(at: Option<AtModifier>) -> (Value, Value) {
    match at {
        None => (Value::Null, Value::Null),
        Some(AtModifier::Time(time)) => (json!(time.as_millis()), Value::Null),
        Some(AtModifier::Start) => (Value::Null, json!("start")),
        Some(AtModifier::End) => (Value::Null, json!("end")),
    }
}
