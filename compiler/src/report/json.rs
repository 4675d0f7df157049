//! One JSON object per finding and line; keys are always present, absent values are `null`.

use serde_json::{Value, json};

use super::place;
use crate::diagnostic::Diagnostic;
use crate::source::{Place, Sources};

pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&finding(diagnostic, sources).to_string());
        out.push('\n');
    }
    out
}

fn finding(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let place = place(diagnostic, sources);
    let at = |pick: fn(&Place) -> usize| place.as_ref().map(pick);
    let related: Vec<Value> = diagnostic
        .related
        .iter()
        .filter_map(|(span, message)| {
            let place = sources.place(*span)?;
            Some(json!({
                "message": message,
                "file": place.path,
                "line": place.line,
                "column": place.column,
                "end_line": place.end_line,
                "end_column": place.end_column,
            }))
        })
        .collect();
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity.word(),
        "message": diagnostic.message,
        "file": place.as_ref().map(|place| place.path.as_str()),
        "line": at(|place| place.line),
        "column": at(|place| place.column),
        "end_line": at(|place| place.end_line),
        "end_column": at(|place| place.end_column),
        "object": diagnostic.object,
        "field": diagnostic.field,
        "help": diagnostic.help,
        "related": related,
    })
}
