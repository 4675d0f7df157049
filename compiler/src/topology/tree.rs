//! The raw tree of a topology: nodes, arguments, properties, each with its span. It knows no node names.

use crate::source::Span;

/// A scalar as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Bare word or quoted string.
    Str(String),
    /// Whole number.
    Int(i128),
    /// Number with a point or exponent.
    Float(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

impl Scalar {
    /// The value as it would be written in a topology.
    pub fn written(&self) -> String {
        match self {
            Scalar::Str(text) => {
                let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
                    && !matches!(text.as_str(), "true" | "false" | "null" | "inf" | "nan");
                if bare { text.clone() } else { format!("{text:?}") }
            }
            Scalar::Int(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Bool(flag) => format!("#{flag}"),
            Scalar::Null => "#null".to_string(),
        }
    }

    /// The value as people name it in a message.
    pub fn describe(&self) -> String {
        match self {
            Scalar::Str(text) if text.chars().count() > 40 => {
                format!("the string \"{}…\"", text.chars().take(40).collect::<String>())
            }
            Scalar::Str(text) => format!("the string \"{text}\""),
            Scalar::Int(number) => format!("the number {number}"),
            Scalar::Float(number) => format!("the number {number}"),
            Scalar::Bool(flag) => format!("#{flag}"),
            Scalar::Null => "#null".to_string(),
        }
    }
}

/// An argument, or the value of a property.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The value.
    pub scalar: Scalar,
    /// Where it is written.
    pub span: Span,
    /// Type annotation: `(env)"NAME"`.
    pub annotation: Option<String>,
    /// The value cannot be known, and why is said already: whoever reads it stays silent.
    pub unknown: bool,
}

/// `name=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Left side.
    pub name: String,
    /// Where the name is written.
    pub name_span: Span,
    /// Right side.
    pub value: Value,
}

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What kind of node.
    pub name: String,
    /// Where the name is written.
    pub name_span: Span,
    /// The whole node.
    pub span: Span,
    /// Arguments in order.
    pub args: Vec<Value>,
    /// Properties in order; repetitions are kept so that they can be reported.
    pub props: Vec<Property>,
    /// Children in order.
    pub children: Vec<Node>,
}

impl Node {
    /// The text of the first argument.
    pub fn first_text(&self) -> Option<&str> {
        match self.args.first().map(|value| &value.scalar) {
            Some(Scalar::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of a property.
    pub fn prop(&self, name: &str) -> Option<&Value> {
        self.props.iter().rev().find(|prop| prop.name == name).map(|prop| &prop.value)
    }

    /// The text of a property.
    pub fn prop_text(&self, name: &str) -> Option<&str> {
        match self.prop(name).map(|value| &value.scalar) {
            Some(Scalar::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// Calls `visit` on every value of this node and of its descendants.
    pub fn each_value(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        self.args.iter_mut().for_each(&mut *visit);
        self.props.iter_mut().for_each(|prop| visit(&mut prop.value));
        self.children.iter_mut().for_each(|child| child.each_value(visit));
    }
}
