//! SARIF 2.1.0: what code-scanning dashboards read.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::place;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Place, Sources};

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let codes: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    let rules: Vec<Value> = codes
        .iter()
        .map(|code| {
            json!({
                "id": code,
                "helpUri": format!("urn:pronoia:checks#{code}"),
                "help": { "text": format!("pronoia explain {code}") },
            })
        })
        .collect();
    let results: Vec<Value> =
        diagnostics.iter().map(|diagnostic| result(diagnostic, &codes, sources)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pronoia",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(diagnostic: &Diagnostic, codes: &BTreeSet<&str>, sources: &Sources) -> Value {
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let mut result = Map::new();
    result.insert("ruleId".into(), diagnostic.code.into());
    result.insert("ruleIndex".into(), codes.iter().position(|code| *code == diagnostic.code).into());
    result.insert("level".into(), level(diagnostic.severity).into());
    result.insert("message".into(), json!({ "text": text }));
    let mut location = Map::new();
    if let Some(place) = place(diagnostic, sources) {
        location.insert("physicalLocation".into(), physical(&place));
    }
    if let Some(object) = &diagnostic.object {
        let name =
            diagnostic.field.as_ref().map_or_else(|| object.clone(), |field| format!("{object} {field}"));
        location.insert("logicalLocations".into(), json!([{ "fullyQualifiedName": name }]));
    }
    if !location.is_empty() {
        result.insert("locations".into(), json!([location]));
    }
    let related: Vec<Value> = diagnostic
        .related
        .iter()
        .filter_map(|(span, message)| {
            let place = sources.place(*span)?;
            Some(json!({ "physicalLocation": physical(&place), "message": { "text": message } }))
        })
        .collect();
    if !related.is_empty() {
        result.insert("relatedLocations".into(), related.into());
    }
    Value::Object(result)
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn physical(place: &Place) -> Value {
    json!({
        "artifactLocation": { "uri": uri(&place.path) },
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    })
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
