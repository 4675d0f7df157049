//! Fields, variables and methods: `.Labels.job`, `$value`, `(toTime $value).Format "15:04"`.

use prom_config::template::{Operand, Term};
use prom_model::{CounterResetHint, FloatHistogram};

use super::super::time::{
    Method, Param as MethodParam, duration_method, month_name, time_method, weekday_name,
};
use super::super::value::{Data, Element, IntType, Value};
use super::call::Param;
use super::{At, Result, Run};

impl<'t> Run<'t, '_> {
    pub(super) fn variable(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        name: &str,
        names: &'t [String],
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        self.at = At::Operand(operand);
        let known = self.variables.iter().rev().find(|(known, _)| known == name);
        let Some(value) = known.map(|(_, value)| value.clone()) else {
            return Err(self.error(format_args!("undefined variable: {name}")));
        };
        if names.is_empty() {
            self.must_stand_alone(operand, arguments, last.is_some())?;
            return Ok(value);
        }
        self.fields(dot, value, operand, names, arguments, last)
    }

    /// Fields of the value of a function or a pipeline.
    pub(super) fn chain(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        inner: &'t Operand,
        names: &'t [String],
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        self.at = At::Operand(inner);
        let receiver = match &inner.term {
            Term::Pipeline(pipeline) => self.pipeline(dot, pipeline)?,
            Term::Function(name) => self.function(dot, name, At::Operand(inner), &[], None)?,
            _ => self.constant(dot, inner)?,
        };
        self.fields(dot, receiver, operand, names, arguments, last)
    }

    /// Walks along the fields; the last one may be a method, and gets the arguments.
    pub(super) fn fields(
        &mut self,
        dot: &Value,
        receiver: Value,
        operand: &'t Operand,
        names: &'t [String],
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        let Some((end, way)) = names.split_last() else { return Ok(receiver) };
        let mut receiver = receiver;
        for name in way {
            receiver = self.field(dot, receiver, operand, name, &[], None)?;
        }
        self.field(dot, receiver, operand, end, arguments, last)
    }

    fn field(
        &mut self,
        dot: &Value,
        receiver: Value,
        operand: &'t Operand,
        name: &str,
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value> {
        let at = At::Operand(operand);
        match &receiver {
            Value::Nothing => return Ok(Value::Nothing),
            Value::Empty => {
                return Err(self.error(format_args!("nil pointer evaluating interface {{}}.{name}")));
            }
            Value::Time(time) | Value::PlainTime(time) => {
                if let Some(method) = time_method(name) {
                    let arguments = self.method_arguments(dot, name, &method, arguments, last)?;
                    return Ok((method.call)(*time, &arguments));
                }
            }
            Value::Duration(nanos) | Value::PlainDuration(nanos) => {
                if let Some(method) = duration_method(name) {
                    let arguments = self.method_arguments(dot, name, &method, arguments, last)?;
                    return Ok((method.call)(*nanos, &arguments));
                }
            }
            Value::Int(number, of @ (IntType::Month | IntType::Weekday)) if name == "String" => {
                self.arguments(dot, name, &[], false, arguments, last)?;
                let shown = if *of == IntType::Month { month_name(*number) } else { weekday_name(*number) };
                return Ok(Value::Text(shown));
            }
            Value::Histogram(histogram) if matches!(name, "String" | "UsesCustomBuckets") => {
                self.arguments(dot, name, &[], false, arguments, last)?;
                return Ok(match name {
                    "String" => Value::Text(histogram.to_string()),
                    _ => Value::Bool(histogram.uses_custom_buckets()),
                });
            }
            _ => {}
        }
        let called = !arguments.is_empty() || last.is_some();
        let (found, of_map) = match &receiver {
            Value::Data(data) => (data_field(data, name), false),
            Value::Element(element) => (element_field(element, name), false),
            Value::Histogram(histogram) => (histogram_field(histogram, name), false),
            Value::Labels(map) => (Some(Value::text(map.get(name).map_or("", String::as_str))), true),
            Value::Args(map) => (Some(map.get(name).cloned().unwrap_or(Value::Empty)), true),
            _ => (None, false),
        };
        let Some(found) = found else {
            let of = receiver.type_name();
            return Err(self.error(format_args!("can't evaluate field {name} in type {of}")));
        };
        if called {
            self.at = at;
            let why = if of_map {
                "is not a method but has arguments"
            } else {
                "has arguments but cannot be invoked as function"
            };
            return Err(self.error(format_args!("{name} {why}")));
        }
        Ok(found)
    }

    fn method_arguments<T>(
        &mut self,
        dot: &Value,
        name: &str,
        method: &Method<T>,
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Vec<Value>> {
        let takes: Vec<Param> = method
            .takes
            .iter()
            .map(|param| match param {
                MethodParam::Text => Param::Text,
                MethodParam::Int => Param::Int,
                MethodParam::Duration => Param::Duration,
                MethodParam::Time => Param::Time,
            })
            .collect();
        self.arguments(dot, name, &takes, false, arguments, last)
    }
}

fn data_field(data: &Data, name: &str) -> Option<Value> {
    Some(match name {
        "Labels" => Value::Labels(data.labels.clone()),
        "ExternalLabels" => Value::Labels(data.external_labels.clone()),
        "ExternalURL" => Value::text(data.external_url.as_str()),
        "Value" => data.value.clone(),
        _ => return None,
    })
}

fn element_field(element: &Element, name: &str) -> Option<Value> {
    Some(match name {
        "Labels" => Value::Labels(element.labels.clone()),
        "Value" => element.value.clone(),
        _ => return None,
    })
}

fn histogram_field(histogram: &FloatHistogram, name: &str) -> Option<Value> {
    let floats = |list: &[f64]| Value::Floats(std::rc::Rc::new(list.to_vec()));
    Some(match name {
        "Count" => Value::Float(histogram.count),
        "Sum" => Value::Float(histogram.sum),
        "ZeroCount" => Value::Float(histogram.zero_count),
        "ZeroThreshold" => Value::Float(histogram.zero_threshold),
        "Schema" => Value::Int(i64::from(histogram.schema), IntType::Int32),
        "PositiveBuckets" => floats(&histogram.positive_buckets),
        "NegativeBuckets" => floats(&histogram.negative_buckets),
        "CustomValues" => floats(&histogram.custom_values),
        "CounterResetHint" => {
            let number = match histogram.counter_reset_hint {
                CounterResetHint::Unknown => 0,
                CounterResetHint::CounterReset => 1,
                CounterResetHint::NotCounterReset => 2,
                CounterResetHint::Gauge => 3,
            };
            Value::Uint(number, IntType::CounterResetHint)
        }
        _ => return None,
    })
}
