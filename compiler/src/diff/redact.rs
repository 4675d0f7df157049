//! Secrets never leave: values are compared first and covered before anybody sees them.

use serde_json::Value;

use super::Change;

const COVER: &str = "<redacted>";

/// Covers what is secret in a change.
pub(super) fn cover(change: &mut Change) {
    let object = change.object.rsplit(": ").next().unwrap_or(&change.object);
    let in_secret = object.starts_with("Secret/")
        && ["data", "stringData"].iter().any(|part| {
            change
                .field
                .strip_prefix(part)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
    let named = in_secret || is_secret_field(&change.field);
    for value in [&mut change.before, &mut change.after].into_iter().flatten() {
        value_of(value, named);
    }
}

fn value_of(value: &mut Value, secret: bool) {
    match value {
        Value::Object(map) => {
            // An environment variable: the name tells, the value hides.
            let variable = map.get("name").and_then(Value::as_str).is_some_and(is_secret);
            for (key, value) in map.iter_mut() {
                let here = secret || is_secret(key) || (variable && key == "value");
                value_of(value, here && (secret || !value.is_object()));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| value_of(value, secret)),
        Value::String(text) => {
            if secret {
                *text = COVER.to_string();
            } else if let Some((flag, _)) =
                text.split_once('=').filter(|(flag, _)| flag.starts_with("--") && is_secret(flag))
            {
                *text = format!("{flag}={COVER}");
            }
        }
        Value::Number(_) if secret => *value = Value::from(COVER),
        _ => {}
    }
}

/// Whether the last step of a path is a secret by name: `…secret_key`, `…env[MINIO_SECRET_KEY].value`.
fn is_secret_field(field: &str) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    if last == "value" {
        let named = field.trim_end_matches(".value");
        return named.strip_suffix(']').and_then(|named| named.rsplit('[').next()).is_some_and(is_secret);
    }
    let last = last.strip_suffix(']').and_then(|inner| inner.rsplit('[').next()).unwrap_or(last);
    is_secret(last)
}

/// Whether a key holds a secret itself; names of files and references are no secrets.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let holds = [
        "password",
        "passwd",
        "secret",
        "token",
        "access_key",
        "private_key",
        "credentials",
        "connection_string",
    ];
    let refers = ["file", "path", "name", "ref", "provider", "url", "audience", "seconds"];
    holds.iter().any(|word| key.contains(word)) && !refers.iter().any(|end| key.ends_with(end))
}
