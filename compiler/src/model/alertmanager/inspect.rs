//! Looks into a configuration in Alertmanager's own words: is it whole, and does it hold secrets?

use std::collections::BTreeSet;

use serde_json::Value;

use super::SECRETS_FOLDER;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::rules::file::yaml_problem;
use crate::render::yaml;
use crate::source::{FileId, Sources, Span};

/// Fields at the top of the file.
const TOP: [&str; 8] = [
    "global",
    "inhibit_rules",
    "mute_time_intervals",
    "receivers",
    "route",
    "templates",
    "time_intervals",
    "tracing",
];

/// Fields whose value is a secret; every one has a twin that ends in `_file`.
const SECRETS: [&str; 22] = [
    "api_key",
    "bearer_token",
    "bot_token",
    "client_secret",
    "credentials",
    "opsgenie_api_key",
    "password",
    "routing_key",
    "secret_key",
    "service_key",
    "slack_api_url",
    "slack_app_token",
    "smtp_auth_password",
    "smtp_auth_secret",
    "telegram_bot_token",
    "token",
    "user_key",
    "victorops_api_key",
    "webex_token",
    "webhook_url",
    "wechat_api_secret",
    "api_secret",
];

/// Where a configuration is written.
pub(super) struct Place {
    /// Its file; `None` when it stands in the topology.
    pub(super) file: Option<FileId>,
    /// The node or property that holds or names it.
    pub(super) span: Span,
}

impl Place {
    /// The line of a field, as near as it can be found: the last part of its path.
    pub(super) fn find(&self, text: &str, path: &str, sources: &Sources) -> Span {
        let key = path.rsplit('.').next().unwrap_or(path);
        let wanted = format!("{key}:");
        let at = text.match_indices(&wanted).map(|(at, _)| at).find(|at| {
            let line = text.get(..*at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
            line.trim_start().trim_start_matches("- ").is_empty()
        });
        match (self.file, at) {
            (Some(file), Some(at)) => Span::new(file, at, at + key.len()),
            (None, Some(at)) => {
                crate::model::rules::library::place(sources, self.span, text, &(at..at + key.len()))
            }
            _ => self.span,
        }
    }
}

/// Reads the text; `None` after a finding.
pub(super) fn read(text: &str, place: &Place, diagnostics: &mut Vec<Diagnostic>) -> Option<Value> {
    let problem = |message: &str| {
        Diagnostic::error("ALR010", place.span, message.to_string())
            .help("see Alertmanager's documentation of its configuration file")
    };
    match yaml::parse(text) {
        Ok(mut documents) => match (documents.pop(), documents.is_empty()) {
            (Some(tree @ Value::Object(_)), true) => Some(tree),
            (_, false) => {
                diagnostics.push(problem("Alertmanager reads one document, and here are several"));
                None
            }
            _ => {
                diagnostics.push(problem("this is no configuration of Alertmanager"));
                None
            }
        },
        Err(error) => {
            diagnostics.push(match place.file {
                Some(file) => {
                    let mut finding = yaml_problem(file, text, &error);
                    finding.code = "ALR010";
                    finding
                }
                None => problem(&error.to_string()),
            });
            None
        }
    }
}

/// Whether the configuration holds together: known fields, one receiver for each name that a route says.
pub(super) fn check(tree: &Value, span: Span, diagnostics: &mut Vec<Diagnostic>) {
    let mut wrong = |message: String, help: Option<String>| {
        diagnostics.push(Diagnostic::error("ALR010", span, message).maybe_help(help));
    };
    for key in tree.as_object().into_iter().flat_map(|object| object.keys()) {
        if !TOP.contains(&key.as_str()) {
            wrong(format!("Alertmanager's configuration has no `{key}`"), did_you_mean(key, TOP));
        }
    }
    let mut names = BTreeSet::new();
    for receiver in tree.get("receivers").and_then(Value::as_array).into_iter().flatten() {
        match receiver.get("name").and_then(Value::as_str) {
            Some(name) if names.insert(name) => {}
            Some(name) => wrong(format!("two receivers are called `{name}`"), Some("rename one".to_string())),
            None => wrong("a receiver has no name".to_string(), None),
        }
    }
    let Some(route) = tree.get("route") else {
        wrong(
            "the configuration has no `route`".to_string(),
            Some("write `route:` with a `receiver`".to_string()),
        );
        return;
    };
    if route.get("receiver").and_then(Value::as_str).is_none() {
        wrong(
            "the root route has no `receiver`".to_string(),
            Some("it gets what no other route matches".to_string()),
        );
    }
    let mut open = vec![route];
    while let Some(route) = open.pop() {
        if let Some(name) = route.get("receiver").and_then(Value::as_str)
            && !names.contains(name)
        {
            wrong(
                format!("a route names receiver `{name}`, which is not there"),
                did_you_mean(name, names.clone()),
            );
        }
        open.extend(route.get("routes").and_then(Value::as_array).into_iter().flatten());
    }
}

/// Paths of secrets in clear text, and the keys of Secrets that `…_file` fields name.
pub(super) fn secrets(tree: &Value) -> (Vec<String>, Vec<(String, String)>) {
    let (mut literals, mut references) = (Vec::new(), Vec::new());
    let mut open: Vec<(String, &Value)> = vec![(String::new(), tree)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    match value {
                        Value::String(text) if !text.is_empty() && is_secret(key, text, &path) => {
                            literals.push(path)
                        }
                        Value::String(text) if key.ends_with("_file") => {
                            let below = text.strip_prefix(SECRETS_FOLDER).unwrap_or("");
                            if let Some((name, key)) = below.trim_start_matches('/').split_once('/')
                                && !name.is_empty()
                                && !key.is_empty()
                                && !key.contains('/')
                            {
                                references.push((name.to_string(), key.to_string()));
                            }
                        }
                        _ => open.push((path, value)),
                    }
                }
            }
            Value::Array(items) => open.extend(items.iter().map(|item| (path.clone(), item))),
            _ => {}
        }
    }
    literals.sort();
    literals.dedup();
    (literals, references)
}

fn is_secret(key: &str, text: &str, path: &str) -> bool {
    match key {
        // Only Slack's is a secret; PagerDuty's and others' are public addresses.
        "api_url" => path.contains("slack_configs"),
        // Key material, not a label or a time interval.
        "key" => path.contains("pushover") || text.contains("PRIVATE KEY"),
        "url" => path.contains("webhook_configs") && text.contains("://") && text.contains(['@', '?']),
        _ => SECRETS.contains(&key),
    }
}
