//! Fields of a job against the fields that the chosen Prometheus has.

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::facts::{FlagStatus, config_field_status};
use crate::model::scrape::{Job, Surroundings};

/// Checks every field of a job.
pub(super) fn check(job: &Job, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    let Ok(value) = serde_json::to_value(&job.config) else { return };
    let mut paths = Vec::new();
    collect("scrape_configs", &value, &mut paths);
    paths.sort();
    paths.dedup();
    for path in paths {
        let name = path.strip_prefix("scrape_configs.").unwrap_or(&path);
        let (message, help) = match config_field_status(around.prometheus, &path) {
            FlagStatus::NotYet { since } => (
                format!("`{name}` came with Prometheus {since}"),
                format!("set `target prometheus=\"{since}\"`"),
            ),
            FlagStatus::Removed { last, instead } => (
                format!("`{name}` went after Prometheus {last}"),
                instead.map_or("remove it".to_owned(), |instead| format!("use {instead}")),
            ),
            _ => continue,
        };
        diagnostics
            .push(Diagnostic::error("VER003", job.span, format!("job `{}`: {message}", job.name)).help(help));
    }
    if job.config.http.bearer_token_file.is_some() {
        diagnostics.push(
            Diagnostic::warning(
                "VER002",
                job.span,
                format!("job `{}`: bearer_token_file is the old form", job.name),
            )
            .help("authorization.credentials_file is the same since 2.26"),
        );
    }
}

/// Paths of all fields, and of the words that belong to closed sets.
fn collect(path: &str, value: &Value, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                // Below these, names are the user's.
                if matches!(name.as_str(), "params" | "labels" | "headers" | "http_headers") {
                    paths.push(path);
                    continue;
                }
                if let (Value::String(word), "role" | "action") = (value, name.as_str()) {
                    paths.push(format!("{path}={word}"));
                }
                collect(&path, value, paths);
                paths.push(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(path, item, paths)),
        _ => {}
    }
}
