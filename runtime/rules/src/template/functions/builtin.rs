//! Go's own functions of lists, mappings and texts: `index`, `slice`, `len`, `call`.

use std::rc::Rc;

use super::super::value::{IntType, Value};
use super::Result;

/// Calls one of them.
pub(super) fn call(name: &str, first: &Value, others: &[Value]) -> Result<Value> {
    match name {
        "index" => index(first, others),
        "slice" => slice(first, others),
        "len" => length(first),
        "call" => Err(match first {
            Value::Nothing | Value::Empty => "call of nil".to_owned(),
            other => format!("non-function of type {}", other.type_name()),
        }),
        _ => Err(format!("{name:?} is not a defined function")),
    }
}

/// The name of what a pointer points to.
fn pointed_type(value: &Value) -> &'static str {
    let name = value.type_name();
    name.strip_prefix('*').unwrap_or(name)
}

fn index(item: &Value, indexes: &[Value]) -> Result<Value> {
    if matches!(item, Value::Nothing | Value::Empty) {
        return Err("index of untyped nil".to_owned());
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item {
            Value::Nothing | Value::Empty => return Err("index of nil pointer".to_owned()),
            Value::Text(text) | Value::Html(text) => {
                let at = position(index, text.len())?;
                let byte = text.as_bytes().get(at).copied().ok_or("reflect: string index out of range")?;
                Value::Uint(u64::from(byte), IntType::Uint8)
            }
            Value::Vector(list) => {
                let at = position(index, list.len())?;
                Value::Element(list.get(at).cloned().ok_or("reflect: slice index out of range")?)
            }
            Value::Floats(list) => {
                let at = position(index, list.len())?;
                Value::Float(list.get(at).copied().ok_or("reflect: slice index out of range")?)
            }
            Value::Labels(map) => Value::text(map.get(key(index)?).map_or("", String::as_str)),
            Value::Args(map) => map.get(key(index)?).cloned().unwrap_or(Value::Empty),
            other => return Err(format!("can't index item of type {}", pointed_type(other))),
        };
    }
    Ok(item)
}

fn key(index: &Value) -> Result<&str> {
    match index {
        Value::Text(text) => Ok(text),
        Value::Nothing | Value::Empty => Err("value is nil; should be of type string".to_owned()),
        other => Err(format!("value has type {}; should be string", other.type_name())),
    }
}

/// A position of a list of so many; the end is one too, where something may be cut there.
fn position(index: &Value, capacity: usize) -> Result<usize> {
    let number = match index {
        Value::Int(number, _) | Value::PlainDuration(number) => *number,
        Value::Uint(number, _) => i64::try_from(*number).unwrap_or(-1),
        Value::Nothing | Value::Empty => return Err("cannot index slice/array with nil".to_owned()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    usize::try_from(number)
        .ok()
        .filter(|at| *at <= capacity)
        .ok_or_else(|| format!("index out of range: {number}"))
}

fn slice(item: &Value, indexes: &[Value]) -> Result<Value> {
    if matches!(item, Value::Nothing | Value::Empty) {
        return Err("slice of untyped nil".to_owned());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match item {
        Value::Text(_) | Value::Html(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        Value::Text(text) | Value::Html(text) => text.len(),
        Value::Vector(list) => list.len(),
        Value::Floats(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut ends = [0, length, length];
    for (end, index) in ends.iter_mut().zip(indexes) {
        *end = position(index, length)?;
    }
    let [from, to, capacity] = ends;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}"));
    }
    // A text may be cut inside a character; what is left of it is shown as U+FFFD.
    let cut =
        |text: &str| String::from_utf8_lossy(text.as_bytes().get(from..to).unwrap_or_default()).into_owned();
    Ok(match item {
        Value::Text(text) => Value::Text(cut(text)),
        Value::Html(text) => Value::Html(cut(text)),
        Value::Vector(list) => Value::Vector(Rc::new(list.get(from..to).unwrap_or_default().to_vec())),
        Value::Floats(list) => Value::Floats(Rc::new(list.get(from..to).unwrap_or_default().to_vec())),
        other => other.clone(),
    })
}

fn length(item: &Value) -> Result<Value> {
    Ok(Value::int(match item {
        Value::Text(text) | Value::Html(text) => text.len(),
        Value::Labels(map) => map.len(),
        Value::Args(map) => map.len(),
        Value::Vector(list) => list.len(),
        Value::Floats(list) => list.len(),
        Value::Nothing | Value::Empty => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        other => return Err(format!("len of type {}", pointed_type(other))),
    }))
}
