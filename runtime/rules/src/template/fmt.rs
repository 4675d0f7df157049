//! Go's `fmt`: `print`, `println` and `printf` of the values of a template.

mod compound;
mod float;
mod spec;
mod verb;

use super::value::{Kind, Value};

pub(super) use float::general;
pub(super) use spec::sprintf;

use spec::Spec;

/// `fmt.Sprint`: a space stands between two operands where neither is a text.
pub(super) fn sprint(values: &[Value]) -> String {
    let mut out = String::new();
    let mut last_text = false;
    for (index, value) in values.iter().enumerate() {
        let text = value.kind() == Kind::Text;
        if index > 0 && !text && !last_text {
            out.push(' ');
        }
        verb::print(&mut out, value, 'v', &Spec::default());
        last_text = text;
    }
    out
}

/// `fmt.Sprintln`: a space stands between all operands, and a line feed at the end.
pub(super) fn sprintln(values: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        verb::print(&mut out, value, 'v', &Spec::default());
    }
    out.push('\n');
    out
}

/// What a template writes for a value.
pub(super) fn shown(value: &Value) -> String {
    let mut out = String::new();
    match pointed(value) {
        Value::Nothing | Value::Empty => out.push_str("<no value>"),
        value => verb::print(&mut out, &value, 'v', &Spec::default()),
    }
    out
}

/// The values as `html`, `js` and `urlquery` see them.
pub(super) fn shown_together(values: &[Value]) -> String {
    let shown = |value: &Value| match pointed(value) {
        Value::Nothing | Value::Empty => Value::text("<no value>"),
        value => value,
    };
    sprint(&values.iter().map(shown).collect::<Vec<_>>())
}

/// What a pointer points to; a template follows it before it writes.
fn pointed(value: &Value) -> Value {
    match value {
        Value::Time(time) => Value::PlainTime(*time),
        Value::Duration(nanos) => Value::PlainDuration(*nanos),
        other => other.clone(),
    }
}
