//! From files to objects: every document under the name that it has in the cluster, wherever its file lies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Files;
use crate::render::yaml;

/// Objects by `Kind/namespace/name`, other documents by path.
pub(super) type Objects = BTreeMap<String, Value>;

struct Document {
    key: String,
    path: String,
    value: Value,
}

/// Reads both trees.
pub(super) fn pair(before: &Files, after: &Files) -> (Objects, Objects) {
    let read = |files: &Files| -> Vec<Document> {
        files.iter().flat_map(|(path, text)| documents(path, text)).collect()
    };
    let (first, second) = (read(before), read(after));
    // Clusters of one topology hold objects of the same name; then the cluster's folder tells them apart.
    let mut twice = repeated(&first);
    twice.extend(repeated(&second));
    (index(first, &twice), index(second, &twice))
}

fn repeated(documents: &[Document]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    documents
        .iter()
        .filter(|document| !seen.insert(&document.key))
        .map(|document| document.key.clone())
        .collect()
}

fn index(documents: Vec<Document>, twice: &BTreeSet<String>) -> Objects {
    let mut objects = Objects::new();
    for Document { key, path, value } in documents {
        let mut key = key;
        if twice.contains(&key) {
            let folder = path.split_once('/').map_or("", |(folder, _)| folder);
            key = format!("{folder}: {key}");
        }
        let mut unique = key.clone();
        let mut count = 1;
        while objects.contains_key(&unique) {
            count += 1;
            unique = format!("{key}#{count}");
        }
        objects.insert(unique, value);
    }
    objects
}

fn documents(path: &str, text: &str) -> Vec<Document> {
    let whole = |value| vec![Document { key: path.to_string(), path: path.to_string(), value }];
    if path.ends_with(".json") {
        return whole(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
    }
    if !path.ends_with(".yaml") && !path.ends_with(".yml") {
        return whole(Value::from(text));
    }
    let Ok(values) = yaml::parse(text) else { return whole(Value::from(text)) };
    let mut documents = Vec::new();
    let mut rest = Vec::new();
    for value in values.into_iter().flat_map(items) {
        match name(&value) {
            Some(key) => documents.push(Document { key, path: path.to_string(), value: unfold(value) }),
            None => rest.push(value),
        }
    }
    match rest.len() {
        0 => {}
        1 => documents.extend(rest.pop().into_iter().flat_map(whole)),
        _ => documents.extend(whole(Value::Array(rest))),
    }
    documents
}

/// The members of a `List`, or the document itself.
fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Object(mut map) if map.get("kind").is_some_and(|kind| kind == "List") => {
            match map.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

/// `Kind/namespace/name` of a Kubernetes object.
fn name(value: &Value) -> Option<String> {
    let kind = value.get("kind")?.as_str()?;
    value.get("apiVersion")?;
    let metadata = value.get("metadata")?;
    let name = metadata.get("name")?.as_str()?;
    Some(match metadata.get("namespace").and_then(Value::as_str) {
        Some(namespace) => format!("{kind}/{namespace}/{name}"),
        None => format!("{kind}/{name}"),
    })
}

/// Replaces configuration that is carried as text by its tree, so that it is compared by meaning.
fn unfold(mut value: Value) -> Value {
    let carries = value.get("kind").is_some_and(|kind| kind == "ConfigMap" || kind == "Secret");
    if carries {
        for part in ["data", "stringData"] {
            let Some(Value::Object(entries)) = value.get_mut(part) else { continue };
            for (key, entry) in entries.iter_mut() {
                if let Some(tree) = entry.as_str().and_then(|text| inner(key, text)) {
                    *entry = tree;
                }
            }
        }
    }
    value
}

fn inner(key: &str, text: &str) -> Option<Value> {
    if key.ends_with(".json") {
        return serde_json::from_str(text).ok();
    }
    if ![".yaml", ".yml", ".tmpl"].iter().any(|end| key.ends_with(end)) {
        return None;
    }
    let mut values = yaml::parse(text).ok()?;
    let value = if values.len() == 1 { values.pop()? } else { Value::Array(values) };
    (value.is_object() || value.is_array()).then_some(value)
}
