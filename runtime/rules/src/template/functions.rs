//! The functions of templates: Go's own and those of Prometheus.

mod builtin;
mod compare;
mod escape;
mod humanize;
mod labels;

use std::rc::Rc;

use prom_model::{GoSearch, PromDuration, TimestampMs, go_lowercase, go_uppercase};

use super::exec::Param;
use super::value::{Element, Value};
use crate::{QueryFn, SampleValue};

pub(super) use labels::map_of;

/// What functions reach beyond their arguments.
pub(super) struct Environment<'e> {
    pub(super) at: TimestampMs,
    pub(super) query: &'e mut dyn QueryFn,
    pub(super) external_url: &'e str,
}

/// What a function takes.
pub(super) struct Signature {
    pub(super) takes: &'static [Param],
    /// Whether the last parameter may stand any number of times.
    pub(super) variadic: bool,
}

/// The parameters of a function.
pub(super) fn signature(name: &str) -> Option<Signature> {
    use Param::{Any, Element, Reflect, Text, Vector};
    let (takes, variadic): (&[Param], bool) = match name {
        "and" | "or" | "call" | "eq" | "index" | "slice" => (&[Reflect, Reflect], true),
        "ge" | "gt" | "le" | "lt" | "ne" => (&[Reflect, Reflect], false),
        "len" | "not" => (&[Reflect], false),
        "args" | "html" | "js" | "print" | "println" | "urlquery" => (&[Any], true),
        "printf" => (&[Text, Any], true),
        "query" | "safeHtml" | "title" | "toUpper" | "toLower" | "graphLink" | "tableLink" | "stripPort"
        | "stripDomain" | "parseDuration" | "urlQueryEscape" => (&[Text], false),
        "match" => (&[Text, Text], false),
        "reReplaceAll" => (&[Text, Text, Text], false),
        "first" => (&[Vector], false),
        "label" => (&[Text, Element], false),
        "value" | "strvalue" => (&[Element], false),
        "sortByLabel" => (&[Text, Vector], false),
        "humanize" | "humanize1024" | "humanizeDuration" | "humanizePercentage" | "humanizeTimestamp"
        | "toTime" | "toDuration" => (&[Any], false),
        "now" | "pathPrefix" | "externalURL" => (&[], false),
        _ => return None,
    };
    Some(Signature { takes, variadic })
}

/// What Go says where something is read through a nil pointer.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

type Result<T> = std::result::Result<T, String>;

/// Calls a function with arguments of the types it takes; the error is the text that Go's function gives.
pub(super) fn call(environment: &mut Environment<'_>, name: &str, args: &[Value]) -> Result<Value> {
    let text = |index: usize| match args.get(index) {
        Some(Value::Text(text)) => text.as_str(),
        _ => "",
    };
    let first = args.first().unwrap_or(&Value::Nothing);
    match name {
        "query" => query(environment, text(0)),
        "first" => match first {
            Value::Vector(list) if !list.is_empty() => Ok(Value::Element(list.as_ref()[0].clone())),
            _ => Err("first() called on vector with no elements".to_owned()),
        },
        "label" => element(args.get(1)).map(|element| labels::of(element, text(0))),
        "value" => element(args.first()).map(|element| element.value.clone()),
        "strvalue" => element(args.first()).map(|element| labels::of(element, "__value__")),
        "sortByLabel" => Ok(labels::sort(text(0), args.get(1))),
        "args" => {
            let pairs = args.iter().enumerate().map(|(index, value)| (format!("arg{index}"), value.clone()));
            Ok(Value::Args(Rc::new(pairs.collect())))
        }
        "reReplaceAll" => match GoSearch::new(text(0)) {
            Ok(search) => Ok(Value::Text(search.replace_all(text(2), text(1)))),
            Err(error) => Err(format!("regexp: Compile({}): {error}", escape::backquoted(text(0)))),
        },
        "match" => GoSearch::new(text(0))
            .map(|search| Value::Bool(search.is_match(text(1))))
            .map_err(|error| error.to_string()),
        "safeHtml" => Ok(Value::Html(text(0).to_owned())),
        "title" => Ok(Value::Text(labels::title(text(0)))),
        "toUpper" => Ok(Value::Text(go_uppercase(text(0)))),
        "toLower" => Ok(Value::Text(go_lowercase(text(0)))),
        "graphLink" => Ok(Value::Text(format!("/graph?g0.expr={}&g0.tab=0", escape::query(text(0))))),
        "tableLink" => Ok(Value::Text(format!("/graph?g0.expr={}&g0.tab=1", escape::query(text(0))))),
        "urlQueryEscape" => Ok(Value::Text(escape::query(text(0)))),
        "stripPort" => Ok(Value::Text(labels::strip_port(text(0)))),
        "stripDomain" => Ok(Value::Text(labels::strip_domain(text(0)))),
        "humanize" => humanize::metric(first),
        "humanize1024" => humanize::binary(first),
        "humanizeDuration" => humanize::duration(first),
        "humanizePercentage" => humanize::percentage(first),
        "humanizeTimestamp" => humanize::timestamp(first),
        "toTime" => humanize::to_time(first),
        "toDuration" => humanize::to_duration(first),
        "now" => Ok(Value::Float(environment.at.as_secs_f64())),
        "pathPrefix" => Ok(Value::Text(escape::path_of(environment.external_url))),
        "externalURL" => Ok(Value::text(environment.external_url)),
        "parseDuration" => parse_duration(text(0)),
        "html" | "js" | "urlquery" => {
            let shown = super::fmt::shown_together(args);
            Ok(Value::Text(match name {
                "html" => escape::html(&shown),
                "js" => escape::javascript(&shown),
                _ => escape::query(&shown),
            }))
        }
        "print" => Ok(Value::Text(super::fmt::sprint(args))),
        "println" => Ok(Value::Text(super::fmt::sprintln(args))),
        "printf" => Ok(Value::Text(super::fmt::sprintf(text(0), args.get(1..).unwrap_or_default()))),
        "not" => Ok(Value::Bool(!first.is_true())),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => {
            compare::call(name, first, args.get(1..).unwrap_or_default())
        }
        _ => builtin::call(name, first, args.get(1..).unwrap_or_default()),
    }
}

fn query(environment: &mut Environment<'_>, expr: &str) -> Result<Value> {
    let samples = environment.query.query(expr, environment.at).map_err(|error| error.to_string())?;
    let elements = samples.into_iter().map(|sample| {
        Rc::new(Element { labels: Rc::new(map_of(&sample.labels)), value: value_of(&sample.value) })
    });
    Ok(Value::Vector(Rc::new(elements.collect())))
}

/// The value of a sample as templates see it.
pub(super) fn value_of(value: &SampleValue) -> Value {
    match value {
        SampleValue::Float(value) => Value::Float(*value),
        SampleValue::Histogram(histogram) => Value::Histogram(Rc::new(histogram.as_ref().clone())),
    }
}

fn element(value: Option<&Value>) -> Result<&Element> {
    match value {
        Some(Value::Element(element)) => Ok(element),
        _ => Err(NIL_POINTER.to_owned()),
    }
}

fn parse_duration(text: &str) -> Result<Value> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text),
    };
    let duration: PromDuration = size.parse().map_err(|error| format!("{error}"))?;
    Ok(Value::Float(sign * duration.as_secs_f64()))
}
