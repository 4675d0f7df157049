//! A parsed template: what stands where, and how Go's errors show it.

use std::collections::BTreeMap;
use std::fmt;

/// A template with those that are defined in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    /// What the template writes.
    pub root: Vec<Node>,
    /// The templates that `define` and `block` name.
    pub defined: BTreeMap<String, Vec<Node>>,
}

/// What stands between two ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text that is written as it is.
    Text(String),
    /// A pipeline whose value is written, unless it sets variables.
    Action(Pipeline),
    /// `if`, `with` or `range`.
    Control(Box<Control>),
    /// `template` or `block`: another template.
    Invoke(Box<Invoke>),
    /// `break`: leaves the innermost `range`.
    Break,
    /// `continue`: goes on with the next element of the innermost `range`.
    Continue,
}

/// A control structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// What it does with the pipeline.
    pub kind: ControlKind,
    /// The condition, or what the elements are taken from.
    pub pipeline: Pipeline,
    /// Up to `else` or `end`.
    pub body: Vec<Node>,
    /// From `else` to `end`; none without an `else`.
    pub otherwise: Option<Vec<Node>>,
}

/// What a control structure does with its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// `if`
    If,
    /// `with`
    With,
    /// `range`
    Range,
}

/// The call of another template.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoke {
    /// The byte of the text at which the name begins.
    pub at: usize,
    /// The name, without quotes.
    pub name: String,
    /// The data of the other template; none if it has none.
    pub pipeline: Option<Pipeline>,
}

/// Commands, each of which gets the value of the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// The byte of the text at which it begins.
    pub at: usize,
    /// The variables that are set, each with its `$`.
    pub variables: Vec<String>,
    /// Whether the variables are there already.
    pub assigns: bool,
    /// At least one.
    pub commands: Vec<Command>,
}

/// Operands: a function with its arguments, or a single value.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The byte of the text at which it begins.
    pub at: usize,
    /// At least one.
    pub operands: Vec<Operand>,
}

/// A value, or something to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// The byte of the text to which errors point.
    pub at: usize,
    /// What it is.
    pub term: Term,
}

/// What an operand is.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A function.
    Function(String),
    /// `$name`, and the fields that are taken from it.
    Variable(String, Vec<String>),
    /// `.a.b`: fields of the data.
    Field(Vec<String>),
    /// Fields of the value of a function or a pipeline.
    Chain(Box<Operand>, Vec<String>),
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// `true` or `false`
    Bool(bool),
    /// A number, or a character.
    Number(Number),
    /// A text.
    Text {
        /// As it is written.
        quoted: String,
        /// What it stands for.
        text: String,
    },
    /// A pipeline in parentheses.
    Pipeline(Box<Pipeline>),
}

/// A number, as all types that can hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// As it is written.
    pub written: String,
    /// As a signed integer.
    pub int: Option<i64>,
    /// As an unsigned integer.
    pub uint: Option<u64>,
    /// As a float.
    pub float: Option<f64>,
    /// The factor of `i`, where the number ends in it.
    pub imaginary: Option<f64>,
}

impl fmt::Display for Invoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", prom_model::quote(&self.name))?;
        if let Some(pipeline) = &self.pipeline {
            write!(f, " {pipeline}")?;
        }
        f.write_str("}}")
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} := ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match &operand.term {
                Term::Pipeline(pipeline) => write!(f, "({pipeline})")?,
                _ => operand.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |f: &mut fmt::Formatter<'_>, fields: &[String]| {
            fields.iter().try_for_each(|field| write!(f, ".{field}"))
        };
        match &self.term {
            Term::Function(name) => f.write_str(name),
            Term::Variable(name, chain) => {
                f.write_str(name)?;
                fields(f, chain)
            }
            Term::Field(chain) => fields(f, chain),
            Term::Chain(operand, chain) => {
                match &operand.term {
                    Term::Pipeline(pipeline) => write!(f, "({pipeline})")?,
                    _ => operand.fmt(f)?,
                }
                fields(f, chain)
            }
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Bool(value) => write!(f, "{value}"),
            Term::Number(number) => f.write_str(&number.written),
            Term::Text { quoted, .. } => f.write_str(quoted),
            Term::Pipeline(pipeline) => pipeline.fmt(f),
        }
    }
}
