//! `eq`, `ne`, `lt`, `le`, `gt` and `ge`: values of one kind compare, all others are errors.

use std::rc::Rc;

use super::super::value::{Kind, Value};
use super::Result;

const BAD_TYPE: &str = "invalid type for comparison";
const BAD_TYPES: &str = "incompatible types for comparison";

/// Compares the first value with the others.
pub(super) fn call(name: &str, first: &Value, others: &[Value]) -> Result<Value> {
    let second = others.first().unwrap_or(&Value::Nothing);
    let truth = match name {
        "eq" => equal_any(first, others)?,
        "ne" => !equal_any(first, others)?,
        "lt" => less(first, second)?,
        "le" => less(first, second)? || equal(first, second)?,
        "gt" => !(less(first, second)? || equal(first, second)?),
        _ => !less(first, second)?,
    };
    Ok(Value::Bool(truth))
}

fn equal_any(first: &Value, others: &[Value]) -> Result<bool> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number, _) | Value::PlainDuration(number) => Some(i128::from(*number)),
        Value::Uint(number, _) => Some(i128::from(*number)),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Html(text) => Some(text),
        _ => None,
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool> {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Ok(a == b);
    }
    let (kind, other) = (a.kind(), b.kind());
    if kind != other {
        // Nothing may be compared with all, and equals nothing but itself.
        let nothing = kind == Kind::Invalid || other == Kind::Invalid;
        return if nothing { Ok(false) } else { Err(BAD_TYPES.to_owned()) };
    }
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Float(a), Value::Float(b)) | (Value::Imaginary(a), Value::Imaginary(b)) => a == b,
        (Value::Nothing | Value::Empty, _) => true,
        (Value::Element(a), Value::Element(b)) => Rc::ptr_eq(a, b),
        (Value::Histogram(a), Value::Histogram(b)) => Rc::ptr_eq(a, b),
        (Value::PlainTime(a), Value::PlainTime(b)) => a == b,
        (Value::Labels(_) | Value::Args(_) | Value::Vector(_) | Value::Floats(_) | Value::Data(_), _) => {
            return Err(format!("non-comparable type {}: {}", super::super::fmt::shown(b), b.type_name()));
        }
        _ => text(a).is_some() && text(a) == text(b),
    })
}

fn less(a: &Value, b: &Value) -> Result<bool> {
    let basic = |value: &Value| !matches!(value.kind(), Kind::Invalid | Kind::Other);
    if !basic(a) || !basic(b) {
        return Err(BAD_TYPE.to_owned());
    }
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Ok(a < b);
    }
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Bool(_), Value::Bool(_)) | (Value::Imaginary(_), Value::Imaginary(_)) => {
            Err(BAD_TYPE.to_owned())
        }
        _ => match (text(a), text(b)) {
            (Some(a), Some(b)) => Ok(a < b),
            _ => Err(BAD_TYPES.to_owned()),
        },
    }
}
