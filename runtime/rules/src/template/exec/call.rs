//! Calls of functions: how many arguments, of which types, and what is made of a constant.

use prom_config::template::{Operand, Term};

use super::super::functions::{self, Signature};
use super::super::value::{IntType, Value};
use super::{At, Result, Run};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Param {
    /// `interface {}`
    Any,
    /// `reflect.Value`: anything, no value too.
    Reflect,
    Text,
    /// `*template.sample`
    Element,
    /// `template.queryResult`
    Vector,
    Int,
    Duration,
    Time,
}

impl Param {
    fn type_name(self) -> &'static str {
        match self {
            Param::Any => "interface {}",
            Param::Reflect => "reflect.Value",
            Param::Text => "string",
            Param::Element => "*template.sample",
            Param::Vector => "template.queryResult",
            Param::Int => "int",
            Param::Duration => "time.Duration",
            Param::Time => "time.Time",
        }
    }

    fn takes_nil(self) -> bool {
        matches!(self, Param::Any | Param::Reflect | Param::Element | Param::Vector)
    }
}

impl<'t> Run<'t, '_> {
    /// Calls a function; errors of the function itself point to `place`.
    pub(super) fn function(
        &mut self,
        dot: &Value,
        name: &str,
        place: At<'t>,
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        let Some(Signature { takes, variadic }) = functions::signature(name) else {
            return Err(self.error(format_args!("{name:?} is not a defined function")));
        };
        if matches!(name, "and" | "or") {
            return self.short_circuit(dot, name, arguments, last);
        }
        let arguments = self.arguments(dot, name, takes, variadic, arguments, last)?;
        functions::call(&mut self.environment, name, &arguments).map_err(|message| {
            self.at = place;
            self.error(format_args!("error calling {name}: {message}"))
        })
    }

    /// `and` and `or` stop at the argument that decides.
    fn short_circuit(
        &mut self,
        dot: &Value,
        name: &str,
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        if arguments.is_empty() && last.is_none() {
            return Err(self.error(format_args!("wrong number of args for {name}: want at least 1 got 0")));
        }
        let mut value = Value::Nothing;
        for argument in arguments {
            value = self.argument(dot, Param::Reflect, argument)?;
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// The arguments of a call, evaluated and checked.
    pub(super) fn arguments(
        &mut self,
        dot: &Value,
        name: &str,
        takes: &[Param],
        variadic: bool,
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Vec<Value>> {
        let given = arguments.len() + usize::from(last.is_some());
        let fixed = if variadic { takes.len().saturating_sub(1) } else { takes.len() };
        if variadic && given < fixed {
            let given = arguments.len();
            return Err(self
                .error(format_args!("wrong number of args for {name}: want at least {fixed} got {given}")));
        }
        if !variadic && given != fixed {
            return Err(self.error(format_args!("wrong number of args for {name}: want {fixed} got {given}")));
        }
        let param = |index: usize| takes.get(index).or(takes.last()).copied().unwrap_or(Param::Any);
        let mut values = Vec::with_capacity(given);
        for (index, argument) in arguments.iter().enumerate() {
            values.push(self.argument(dot, param(index), argument)?);
        }
        if let Some(last) = last {
            values.push(self.fit(last, param(arguments.len()))?);
        }
        Ok(values)
    }

    fn argument(&mut self, dot: &Value, param: Param, operand: &'t Operand) -> Result<Value> {
        self.at = At::Operand(operand);
        self.step()?;
        let value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil if param.takes_nil() => return Ok(Value::Nothing),
            Term::Nil => {
                return Err(self.error(format_args!("cannot assign nil to {}", param.type_name())));
            }
            Term::Field(names) => self.fields(dot, dot.clone(), operand, names, &[], None)?,
            Term::Variable(name, names) => self.variable(dot, operand, name, names, &[], None)?,
            Term::Pipeline(pipeline) => self.pipeline(dot, pipeline)?,
            Term::Function(name) => self.function(dot, name, At::Operand(operand), &[], None)?,
            Term::Chain(inner, names) => self.chain(dot, operand, inner, names, &[], None)?,
            Term::Bool(_) | Term::Number(_) | Term::Text { .. } => {
                return self.constant_argument(dot, param, operand);
            }
        };
        self.fit(value, param)
    }

    fn constant_argument(&mut self, dot: &Value, param: Param, operand: &'t Operand) -> Result<Value> {
        match (param, &operand.term) {
            (Param::Any | Param::Reflect, _) => self.constant(dot, operand),
            (Param::Text, Term::Text { text, .. }) => Ok(Value::text(text.as_str())),
            (Param::Text, _) => Err(self.error(format_args!("expected string; found {operand}"))),
            (Param::Int | Param::Duration, Term::Number(number)) if number.int.is_some() => {
                let int = number.int.unwrap_or_default();
                Ok(match param {
                    Param::Duration => Value::PlainDuration(int),
                    _ => Value::Int(int, IntType::Int),
                })
            }
            (Param::Int | Param::Duration, _) => {
                Err(self.error(format_args!("expected integer; found {operand}")))
            }
            (Param::Element | Param::Vector | Param::Time, _) => {
                let of = param.type_name();
                Err(self.error(format_args!("can't handle {operand} for arg of type {of}")))
            }
        }
    }

    /// The value as the type of the parameter, one pointer followed where that helps.
    fn fit(&self, value: Value, param: Param) -> Result<Value> {
        let value = value.unwrapped();
        let fitted = match (param, value) {
            (Param::Any | Param::Reflect, value) => return Ok(value),
            (Param::Element | Param::Vector, Value::Nothing) => return Ok(Value::Nothing),
            (_, Value::Nothing) => {
                return Err(self.error(format_args!("invalid value; expected {}", param.type_name())));
            }
            (Param::Text, value @ Value::Text(_))
            | (Param::Element, value @ Value::Element(_))
            | (Param::Vector, value @ Value::Vector(_))
            | (Param::Int, value @ Value::Int(_, IntType::Int))
            | (Param::Duration, value @ Value::PlainDuration(_))
            | (Param::Time, value @ Value::PlainTime(_)) => Ok(value),
            (Param::Duration, Value::Duration(nanos)) => Ok(Value::PlainDuration(nanos)),
            (Param::Time, Value::Time(time)) => Ok(Value::PlainTime(time)),
            (_, value) => Err(value.type_name()),
        };
        fitted.map_err(|found| {
            let expected = param.type_name();
            self.error(format_args!("wrong type for value; expected {expected}; got {found}"))
        })
    }
}
