//! Runs a parsed template: nodes, pipelines, commands and operands, with Go's errors at Go's places.

mod call;
mod field;

use std::fmt;

use prom_config::template::{
    Command, Control, ControlKind, Invoke, Node, Number, Operand, Pipeline, Template, Term,
};

use super::fmt as go_fmt;
use super::functions::Environment;
use super::value::{IntType, Value};

pub(super) use call::Param;

/// Templates that call each other, and the structures they stand in, nest no deeper: the stack has an end.
const DEPTH_MAX: usize = 400;
/// No template of an alert takes so many steps.
const STEPS_MAX: u64 = 1_000_000;
/// No text of an alert is so long.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// The place to which an error points.
#[derive(Clone, Copy)]
pub(super) enum At<'t> {
    Nowhere,
    Invoke(&'t Invoke),
    Pipeline(&'t Pipeline),
    Command(&'t Command),
    Operand(&'t Operand),
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Result<T> = std::result::Result<T, String>;

/// One run of a template.
pub(super) struct Run<'t, 'e> {
    /// The name of the outermost template, which errors give as the file.
    name: &'t str,
    /// The name of the template that runs now.
    current: &'t str,
    text: &'t str,
    template: &'t Template,
    environment: Environment<'e>,
    variables: Vec<(String, Value)>,
    at: At<'t>,
    out: String,
    depth: usize,
    steps: u64,
}

impl<'t, 'e> Run<'t, 'e> {
    /// What the template writes for the data, or Go's text of what went wrong.
    pub(super) fn run(
        name: &'t str,
        text: &'t str,
        template: &'t Template,
        data: Value,
        environment: Environment<'e>,
    ) -> Result<String> {
        let mut run = Run {
            name,
            current: name,
            text,
            template,
            environment,
            variables: vec![("$".to_owned(), data.clone())],
            at: At::Nowhere,
            out: String::new(),
            depth: 0,
            steps: 0,
        };
        run.list(&data, &template.root)?;
        Ok(run.out)
    }

    /// An error at the current place, in the words of Go.
    pub(super) fn error(&self, message: impl fmt::Display) -> String {
        let (at, shown) = match self.at {
            At::Nowhere => return format!("template: {}: {message}", self.name),
            At::Invoke(invoke) => (invoke.at, invoke.to_string()),
            At::Pipeline(pipeline) => (pipeline.at, pipeline.to_string()),
            At::Command(command) => (command.at, command.to_string()),
            At::Operand(operand) => (operand.at, operand.to_string()),
        };
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rfind('\n').map_or(at, |end| at - end - 1);
        let current = prom_model::quote(self.current);
        format!("template: {}:{line}:{column}: executing {current} at <{shown}>: {message}", self.name)
    }

    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(self.error(format_args!("the template takes more than {STEPS_MAX} steps")));
        }
        if self.out.len() > TEXT_BYTES_MAX {
            return Err(self.error(format_args!("the text is longer than {TEXT_BYTES_MAX} bytes")));
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(format_args!("exceeded maximum template depth ({DEPTH_MAX})")));
        }
        Ok(())
    }

    fn list(&mut self, dot: &Value, nodes: &'t [Node]) -> Result<Flow> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Action(pipeline) => {
                    let value = self.pipeline(dot, pipeline)?;
                    if pipeline.variables.is_empty() {
                        self.out.push_str(&go_fmt::shown(&value));
                    }
                }
                Node::Control(control) => {
                    self.deeper()?;
                    let known = self.variables.len();
                    let flow = match control.kind {
                        ControlKind::Range => self.range(dot, control)?,
                        ControlKind::If | ControlKind::With => self.branch(dot, control)?,
                    };
                    self.variables.truncate(known);
                    self.depth -= 1;
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Invoke(invoke) => self.invoke(dot, invoke)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn branch(&mut self, dot: &Value, control: &'t Control) -> Result<Flow> {
        let value = self.pipeline(dot, &control.pipeline)?;
        if value.is_true() {
            let dot = if control.kind == ControlKind::With { &value } else { dot };
            self.list(dot, &control.body)
        } else {
            self.list(dot, control.otherwise.as_deref().unwrap_or_default())
        }
    }

    fn range(&mut self, dot: &Value, control: &'t Control) -> Result<Flow> {
        let value = self.pipeline(dot, &control.pipeline)?;
        let count = match &value {
            Value::Labels(map) => map.len(),
            Value::Args(map) => map.len(),
            Value::Vector(list) => list.len(),
            Value::Floats(list) => list.len(),
            Value::Int(number, _) | Value::PlainDuration(number) => usize::try_from(*number).unwrap_or(0),
            Value::Nothing | Value::Empty => 0,
            other => {
                let shown = go_fmt::shown(other);
                return Err(self.error(format_args!("range can't iterate over {shown}")));
            }
        };
        if count == 0 {
            return self.list(dot, control.otherwise.as_deref().unwrap_or_default());
        }
        let known = self.variables.len();
        for index in 0..count {
            self.step()?;
            let (key, element) = entry(&value, index);
            self.set_range(&control.pipeline, key, &element);
            let flow = self.list(&element, &control.body)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    /// Puts key and element into the variables of a `range`.
    fn set_range(&mut self, pipeline: &'t Pipeline, key: Value, element: &Value) {
        let values = match pipeline.variables.as_slice() {
            [one] => vec![(one, element.clone())],
            [first, second] => vec![(first, key), (second, element.clone())],
            _ => return,
        };
        for (name, value) in values {
            self.assign(name, value);
        }
    }

    /// Overwrites the variable that was declared last under this name.
    fn assign(&mut self, name: &str, value: Value) {
        if let Some((_, known)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            *known = value;
        }
    }

    fn invoke(&mut self, dot: &Value, invoke: &'t Invoke) -> Result<()> {
        self.at = At::Invoke(invoke);
        let Some((name, body)) = self.template.defined.get_key_value(&invoke.name) else {
            let name = prom_model::quote(&invoke.name);
            return Err(self.error(format_args!("template {name} not defined")));
        };
        self.deeper()?;
        let data = match &invoke.pipeline {
            Some(pipeline) => self.pipeline(dot, pipeline)?,
            None => Value::Nothing,
        };
        let variables = std::mem::replace(&mut self.variables, vec![("$".to_owned(), data.clone())]);
        let current = std::mem::replace(&mut self.current, name);
        self.list(&data, body)?;
        self.variables = variables;
        self.current = current;
        self.depth -= 1;
        Ok(())
    }

    fn pipeline(&mut self, dot: &Value, pipeline: &'t Pipeline) -> Result<Value> {
        self.at = At::Pipeline(pipeline);
        self.deeper()?;
        let mut value = None;
        for command in &pipeline.commands {
            self.step()?;
            value = Some(self.command(dot, command, value)?.unwrapped());
        }
        let value = value.unwrap_or(Value::Nothing);
        for name in &pipeline.variables {
            if pipeline.assigns {
                self.assign(name, value.clone());
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        self.depth -= 1;
        Ok(value)
    }

    /// `last` is the value of the command before, the last argument of this one.
    fn command(&mut self, dot: &Value, command: &'t Command, last: Option<Value>) -> Result<Value> {
        let Some(first) = command.operands.first() else { return Ok(Value::Nothing) };
        let arguments = command.operands.get(1..).unwrap_or_default();
        match &first.term {
            Term::Field(names) => {
                self.at = At::Operand(first);
                self.fields(dot, dot.clone(), first, names, arguments, last)
            }
            Term::Chain(inner, names) => self.chain(dot, first, inner, names, arguments, last),
            Term::Function(name) => {
                self.at = At::Operand(first);
                self.function(dot, name, At::Command(command), arguments, last)
            }
            Term::Variable(name, names) => self.variable(dot, first, name, names, arguments, last),
            Term::Pipeline(inner) => {
                self.must_stand_alone(first, arguments, last.is_some())?;
                self.pipeline(dot, inner)
            }
            Term::Nil => {
                self.at = At::Operand(first);
                self.must_stand_alone(first, arguments, last.is_some())?;
                Err(self.error("nil is not a command"))
            }
            Term::Dot | Term::Bool(_) | Term::Number(_) | Term::Text { .. } => {
                self.at = At::Operand(first);
                self.must_stand_alone(first, arguments, last.is_some())?;
                self.constant(dot, first)
            }
        }
    }

    fn must_stand_alone(&self, first: &Operand, arguments: &[Operand], piped: bool) -> Result<()> {
        if arguments.is_empty() && !piped {
            return Ok(());
        }
        let shown = match &first.term {
            Term::Pipeline(pipeline) => pipeline.to_string(),
            _ => first.to_string(),
        };
        Err(self.error(format_args!("can't give argument to non-function {shown}")))
    }

    /// A value that needs no evaluation, of the type that its spelling gives it.
    fn constant(&mut self, dot: &Value, operand: &'t Operand) -> Result<Value> {
        self.at = At::Operand(operand);
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Bool(value) => Ok(Value::Bool(*value)),
            Term::Text { text, .. } => Ok(Value::text(text.as_str())),
            Term::Number(number) => self.ideal(number),
            _ => Err(self.error(format_args!("can't evaluate command {:?}", operand.to_string()))),
        }
    }

    fn ideal(&self, number: &Number) -> Result<Value> {
        let written = number.written.as_str();
        if let Some(factor) = number.imaginary {
            return Ok(Value::Imaginary(factor));
        }
        let hex = written.starts_with("0x") || written.starts_with("0X");
        // In a hexadecimal number `e` is a digit.
        let marks: &[char] = if hex { &['p', 'P'] } else { &['.', 'e', 'E', 'p', 'P'] };
        let float = written.contains(marks) && !written.starts_with('\'');
        match (number.float, number.int) {
            (Some(value), _) if float => Ok(Value::Float(value)),
            (_, Some(value)) => Ok(Value::Int(value, IntType::Int)),
            _ => Err(self.error(format_args!("{written} overflows int"))),
        }
    }
}

/// Key and value of the entry at a position, which is within the value.
fn entry(value: &Value, index: usize) -> (Value, Value) {
    let key = || Value::int(index);
    match value {
        Value::Labels(map) => map.iter().nth(index).map_or((key(), Value::Nothing), |(name, text)| {
            (Value::text(name.as_str()), Value::text(text.as_str()))
        }),
        Value::Args(map) => map
            .iter()
            .nth(index)
            .map_or((key(), Value::Nothing), |(name, value)| (Value::text(name.as_str()), value.clone())),
        Value::Vector(list) => {
            (key(), list.get(index).map_or(Value::Nothing, |element| Value::Element(element.clone())))
        }
        Value::Floats(list) => (key(), list.get(index).map_or(Value::Nothing, |float| Value::Float(*float))),
        Value::Int(_, of) => (key(), Value::Int(i64::try_from(index).unwrap_or(i64::MAX), *of)),
        _ => (key(), key()),
    }
}
