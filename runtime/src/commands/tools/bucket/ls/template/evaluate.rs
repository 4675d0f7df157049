//! From the nodes of a template and a block to text.

use super::TemplateError;
use super::parse::{Command, Node, Pipeline};
use super::value::Value;

pub(super) fn render(nodes: &[Node], block: &Value) -> Result<String, TemplateError> {
    let mut out = String::new();
    Evaluation { root: block }.nodes(nodes, block, &mut out)?;
    Ok(out)
}

struct Evaluation<'a> {
    root: &'a Value,
}

impl Evaluation<'_> {
    fn nodes(&self, nodes: &[Node], dot: &Value, out: &mut String) -> Result<(), TemplateError> {
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Print(pipeline) => out.push_str(&self.pipeline(pipeline, dot)?.to_string()),
                Node::If(condition, then, otherwise) => {
                    let branch = if self.pipeline(condition, dot)?.is_true() { then } else { otherwise };
                    self.nodes(branch, dot, out)?;
                }
                Node::With(value, then, otherwise) => match self.pipeline(value, dot)? {
                    value if value.is_true() => self.nodes(then, &value, out)?,
                    _ => self.nodes(otherwise, dot, out)?,
                },
                Node::Range(values, each, otherwise) => {
                    let values: Vec<Value> = match self.pipeline(values, dot)? {
                        Value::List(list) => list,
                        Value::Map(map) => map.into_values().collect(),
                        Value::Nil => Vec::new(),
                        other => return Err(call("range", format!("`{other}` is no list"))),
                    };
                    if values.is_empty() {
                        self.nodes(otherwise, dot, out)?;
                    }
                    for value in &values {
                        self.nodes(each, value, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn pipeline(&self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut result = None;
        for command in pipeline {
            result = Some(self.command(command, dot, result)?);
        }
        Ok(result.unwrap_or(Value::Nil))
    }

    fn command(&self, command: &Command, dot: &Value, piped: Option<Value>) -> Result<Value, TemplateError> {
        match command {
            Command::Field(path) => field(dot, path),
            Command::Root(path) => field(self.root, path),
            Command::Text(text) => Ok(Value::Text(text.clone())),
            Command::Int(number) => Ok(Value::Int(*number)),
            Command::Bool(value) => Ok(Value::Bool(*value)),
            Command::Group(pipeline) => self.pipeline(pipeline, dot),
            Command::Call(name, arguments) => {
                let mut values = Vec::with_capacity(arguments.len() + 1);
                for argument in arguments {
                    values.push(self.command(argument, dot, None)?);
                }
                values.extend(piped);
                function(name, &values)
            }
        }
    }
}

fn call(name: &str, what: impl Into<String>) -> TemplateError {
    TemplateError::Call(name.to_owned(), what.into())
}

fn field(from: &Value, path: &[String]) -> Result<Value, TemplateError> {
    let mut value = from;
    for name in path {
        value = match value {
            Value::Struct(fields) => {
                fields.iter().find(|(known, _)| known == name).map(|(_, value)| value).ok_or_else(|| {
                    let known: Vec<&str> = fields.iter().map(|(known, _)| *known).collect();
                    TemplateError::Field { field: name.clone(), known: known.join(", ") }
                })?
            }
            Value::Map(map) => match map.get(name) {
                Some(value) => value,
                None => return Ok(Value::Nil),
            },
            Value::Nil => return Ok(Value::Nil),
            other => {
                return Err(TemplateError::Field {
                    field: name.clone(),
                    known: format!("only the value `{other}`"),
                });
            }
        };
    }
    Ok(value.clone())
}

fn function(name: &str, arguments: &[Value]) -> Result<Value, TemplateError> {
    match (name, arguments) {
        ("len", [value]) => {
            let length = value.length().ok_or_else(|| call(name, format!("`{value}` has no length")))?;
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        ("index", [value, keys @ ..]) if !keys.is_empty() => index(value, keys),
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("and", [first, rest @ ..]) => {
            Ok(rest.iter().fold(first, |last, next| if last.is_true() { next } else { last }).clone())
        }
        ("or", [first, rest @ ..]) => {
            Ok(rest.iter().fold(first, |last, next| if last.is_true() { last } else { next }).clone())
        }
        ("eq", [first, rest @ ..]) if !rest.is_empty() => {
            Ok(Value::Bool(rest.iter().any(|value| value == first)))
        }
        ("ne", [a, b]) => Ok(Value::Bool(a != b)),
        ("lt" | "le" | "gt" | "ge", [a, b]) => {
            let order = match (a, b) {
                (Value::Int(a), Value::Int(b)) => a.cmp(b),
                (Value::Text(a), Value::Text(b)) => a.cmp(b),
                _ => return Err(call(name, format!("`{a}` and `{b}` have no order"))),
            };
            Ok(Value::Bool(match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            }))
        }
        ("printf", [Value::Text(format), values @ ..]) => print_formatted(format, values).map(Value::Text),
        _ => Err(call(name, format!("not with {} arguments of these kinds", arguments.len()))),
    }
}

fn index(value: &Value, keys: &[Value]) -> Result<Value, TemplateError> {
    let mut value = value.clone();
    for key in keys {
        value = match (&value, key) {
            (Value::Map(map), Value::Text(key)) => {
                map.get(key).cloned().unwrap_or_else(|| Value::Text(String::new()))
            }
            (Value::List(list), Value::Int(at)) => {
                let item = usize::try_from(*at).ok().and_then(|at| list.get(at));
                // A check without a block sees empty lists; a block with too short a list shows nothing.
                item.cloned().unwrap_or(Value::Nil)
            }
            (Value::Nil, _) => Value::Nil,
            (value, key) => return Err(call("index", format!("`{value}` has no `{key}`"))),
        };
    }
    Ok(value)
}

/// `%s %v %d %q %t %%` with a width and `-`.
fn print_formatted(format: &str, values: &[Value]) -> Result<String, TemplateError> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut characters = format.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let left = characters.next_if_eq(&'-').is_some();
        let mut width = 0_usize;
        while let Some(digit) = characters.peek().and_then(|c| c.to_digit(10)) {
            width = width.saturating_mul(10).saturating_add(digit as usize).min(1000);
            characters.next();
        }
        let verb = characters.next().ok_or_else(|| call("printf", "the format ends with `%`"))?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| call("printf", format!("`%{verb}` has no value")))?;
        let text = match verb {
            's' | 'v' | 'd' | 't' => value.to_string(),
            'q' => prom_model::quote(&value.to_string()),
            other => {
                return Err(call("printf", format!("`%{other}` is not supported; use %s, %d, %v or %q")));
            }
        };
        out.push_str(&if left { format!("{text:<width$}") } else { format!("{text:>width$}") });
    }
    match values.next() {
        None => Ok(out),
        Some(extra) => Err(call("printf", format!("nothing prints `{extra}`"))),
    }
}
