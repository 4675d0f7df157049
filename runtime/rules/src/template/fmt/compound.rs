//! Mappings, lists and structures.

use prom_model::quote;

use super::super::value::{Data, Element, Value};
use super::spec::Spec;
use super::verb;

/// Where Go prints an address, which tells a reader nothing and changes with every run.
const ADDRESS: &str = "0xc000000000";

/// Prints a value that is made of others.
pub(super) fn print(out: &mut String, value: &Value, verb: char, spec: &Spec, depth: usize) {
    match value {
        Value::Labels(map) => {
            let pairs = map.iter().map(|(name, text)| (name.as_str(), Value::text(text.as_str())));
            mapping(out, value.type_name(), pairs, verb, spec, depth);
        }
        Value::Args(map) => {
            let pairs = map.iter().map(|(name, value)| (name.as_str(), value.clone()));
            mapping(out, value.type_name(), pairs, verb, spec, depth);
        }
        Value::Vector(elements) => {
            let items = elements.iter().map(|element| Value::Element(element.clone()));
            list(out, value.type_name(), items, verb, spec, depth);
        }
        Value::Floats(floats) => {
            let items = floats.iter().map(|float| Value::Float(*float));
            list(out, value.type_name(), items, verb, spec, depth);
        }
        Value::Element(_) if depth > 0 => out.push_str(ADDRESS),
        Value::Element(element) => {
            out.push('&');
            let Element { labels, value } = element.as_ref();
            let fields = [("Labels", Value::Labels(labels.clone())), ("Value", value.clone())];
            structure(out, "template.sample", &fields, verb, spec, depth);
        }
        Value::Data(data) => {
            let Data { labels, external_labels, external_url, value: inner } = data.as_ref();
            let fields = [
                ("Labels", Value::Labels(labels.clone())),
                ("ExternalLabels", Value::Labels(external_labels.clone())),
                ("ExternalURL", Value::text(external_url.as_str())),
                ("Value", inner.clone()),
            ];
            structure(out, value.type_name(), &fields, verb, spec, depth);
        }
        Value::Histogram(histogram) => out.push_str(&histogram.to_string()),
        _ => verb::bad(out, value, verb),
    }
}

fn mapping<'m>(
    out: &mut String,
    name: &str,
    pairs: impl Iterator<Item = (&'m str, Value)>,
    verb: char,
    spec: &Spec,
    depth: usize,
) {
    let (open, between, close) = if spec.sharp_v { (name, ", ", "}") } else { ("map", " ", "]") };
    out.push_str(open);
    out.push(if spec.sharp_v { '{' } else { '[' });
    for (index, (key, value)) in pairs.enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        if spec.sharp_v {
            out.push_str(&quote(key));
        } else {
            verb::inner(out, &Value::text(key), verb, spec, depth + 1);
        }
        out.push(':');
        verb::inner(out, &value, verb, spec, depth + 1);
    }
    out.push_str(close);
}

fn list(
    out: &mut String,
    name: &str,
    items: impl Iterator<Item = Value>,
    verb: char,
    spec: &Spec,
    depth: usize,
) {
    let (open, between, close) =
        if spec.sharp_v { (format!("{name}{{"), ", ", "}") } else { ("[".to_owned(), " ", "]") };
    out.push_str(&open);
    for (index, value) in items.enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        verb::inner(out, &value, verb, spec, depth + 1);
    }
    out.push_str(close);
}

fn structure(out: &mut String, name: &str, fields: &[(&str, Value)], verb: char, spec: &Spec, depth: usize) {
    if spec.sharp_v {
        out.push_str(name);
    }
    out.push('{');
    for (index, (field, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push_str(if spec.sharp_v { ", " } else { " " });
        }
        if spec.sharp_v || spec.plus_v {
            out.push_str(field);
            out.push(':');
        }
        verb::inner(out, value, verb, spec, depth + 1);
    }
    out.push('}');
}
