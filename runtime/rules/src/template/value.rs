//! The values of a template: what Go's reflection sees of them.

use std::collections::BTreeMap;
use std::rc::Rc;

use prom_model::FloatHistogram;

use super::time::Time;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// No value: an untyped nil, or a variable that nothing was put into.
    Nothing,
    /// An interface that holds nothing, as a key that a mapping lacks gives it.
    Empty,
    Bool(bool),
    Int(i64, IntType),
    Uint(u64, IntType),
    Float(f64),
    /// A number times `i`.
    Imaginary(f64),
    Text(String),
    /// A text that Go takes for HTML.
    Html(String),
    Labels(Rc<BTreeMap<String, String>>),
    Args(Rc<BTreeMap<String, Value>>),
    /// The result of `query`, or a part of it.
    Vector(Rc<Vec<Rc<Element>>>),
    Element(Rc<Element>),
    Histogram(Rc<FloatHistogram>),
    Floats(Rc<Vec<f64>>),
    /// A pointer to a time.
    Time(Time),
    /// A time itself, as methods of times give it.
    PlainTime(Time),
    /// A pointer to nanoseconds.
    Duration(i64),
    /// Nanoseconds themselves.
    PlainDuration(i64),
    Data(Rc<Data>),
}

/// What the template of an alert is about.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) labels: Rc<BTreeMap<String, String>>,
    pub(super) external_labels: Rc<BTreeMap<String, String>>,
    pub(super) external_url: String,
    pub(super) value: Value,
}

/// One element of the result of `query`.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) labels: Rc<BTreeMap<String, String>>,
    /// A float or a histogram.
    pub(super) value: Value,
}

/// The Go type of a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntType {
    Int,
    Int32,
    Int64,
    Uint8,
    CounterResetHint,
    Month,
    Weekday,
}

/// What Go's `reflect.Kind` says, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    Bool,
    Int,
    Uint,
    Float,
    Complex,
    Text,
    Other,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    pub(super) fn int(value: usize) -> Value {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX), IntType::Int)
    }

    /// The name of the Go type, as `%T` prints it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nothing => "<nil>",
            Value::Empty => "interface {}",
            Value::Bool(_) => "bool",
            Value::Int(_, of) | Value::Uint(_, of) => of.name(),
            Value::Float(_) => "float64",
            Value::Imaginary(_) => "complex128",
            Value::Text(_) => "string",
            Value::Html(_) => "template.HTML",
            Value::Labels(_) => "map[string]string",
            Value::Args(_) => "map[string]interface {}",
            Value::Vector(_) => "template.queryResult",
            Value::Element(_) => "*template.sample",
            Value::Histogram(_) => "*histogram.FloatHistogram",
            Value::Floats(_) => "[]float64",
            Value::Time(_) => "*time.Time",
            Value::PlainTime(_) => "time.Time",
            Value::Duration(_) => "*time.Duration",
            Value::PlainDuration(_) => "time.Duration",
            Value::Data(_) => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }"
            }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Value::Nothing | Value::Empty => Kind::Invalid,
            Value::Bool(_) => Kind::Bool,
            Value::Int(..) | Value::PlainDuration(_) => Kind::Int,
            Value::Uint(..) => Kind::Uint,
            Value::Float(_) => Kind::Float,
            Value::Imaginary(_) => Kind::Complex,
            Value::Text(_) | Value::Html(_) => Kind::Text,
            _ => Kind::Other,
        }
    }

    /// Whether it is neither zero nor empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nothing | Value::Empty => false,
            Value::Bool(value) => *value,
            Value::Int(value, _) | Value::PlainDuration(value) => *value != 0,
            Value::Uint(value, _) => *value != 0,
            Value::Float(value) | Value::Imaginary(value) => *value != 0.0,
            Value::Text(text) | Value::Html(text) => !text.is_empty(),
            Value::Labels(map) => !map.is_empty(),
            Value::Args(map) => !map.is_empty(),
            Value::Vector(list) => !list.is_empty(),
            Value::Floats(list) => !list.is_empty(),
            Value::Element(_)
            | Value::Histogram(_)
            | Value::Time(_)
            | Value::PlainTime(_)
            | Value::Duration(_)
            | Value::Data(_) => true,
        }
    }

    /// What an interface holds: an empty one is no value.
    pub(super) fn unwrapped(self) -> Value {
        match self {
            Value::Empty => Value::Nothing,
            other => other,
        }
    }
}

impl IntType {
    fn name(self) -> &'static str {
        match self {
            IntType::Int => "int",
            IntType::Int32 => "int32",
            IntType::Int64 => "int64",
            IntType::Uint8 => "uint8",
            IntType::CounterResetHint => "histogram.CounterResetHint",
            IntType::Month => "time.Month",
            IntType::Weekday => "time.Weekday",
        }
    }
}
