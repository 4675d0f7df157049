//! Secrets that the manifests refer to and do not contain: found in the rendered objects, provided by the chosen backend.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::render::bucket::loose_labels;
use crate::render::output::{Context, Output};
use crate::render::yaml;
use crate::topology::nodes::whole::SecretBackend;

const FILE: &str = "05-secrets.yaml";

/// Secrets that somebody has to provide: (namespace, name) to keys; no keys means that it is mounted whole.
pub(super) type Needed = BTreeMap<(String, String), BTreeSet<String>>;

/// Finds the Secrets that are referred to and that nothing here makes.
pub(super) fn needed(out: &Output) -> Needed {
    let mut needed = Needed::new();
    let mut made: BTreeSet<(String, String)> = BTreeSet::new();
    for object in &out.objects {
        let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = text("/metadata/namespace").to_string();
        match text("/kind") {
            "Secret" => {
                made.insert((namespace, text("/metadata/name").to_string()));
            }
            "Certificate" => {
                made.insert((namespace, text("/spec/secretName").to_string()));
            }
            "ExternalSecret" => {
                let name = object.value.pointer("/spec/target/name").and_then(Value::as_str);
                made.insert((namespace, name.unwrap_or(text("/metadata/name")).to_string()));
            }
            "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => {
                if let Some(pod) = object.value.pointer("/spec/template/spec") {
                    walk(pod, &namespace, &mut needed);
                }
            }
            _ => {}
        }
    }
    needed.retain(|secret, _| !made.contains(secret));
    needed
}

fn walk(value: &Value, namespace: &str, needed: &mut Needed) {
    let entry = |name: &Value| (namespace.to_string(), name.as_str().unwrap_or_default().to_string());
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, namespace, needed)),
        Value::Object(map) => {
            let optional = |source: &Value| source.get("optional").and_then(Value::as_bool) == Some(true);
            if let Some(source) = map.get("secretKeyRef").filter(|source| !optional(source))
                && let (Some(name), Some(key)) =
                    (source.get("name"), source.get("key").and_then(Value::as_str))
            {
                needed.entry(entry(name)).or_default().insert(key.to_string());
            }
            // In a volume the field is `secretName`, among the sources of a projected one it is `name`.
            if let Some(source) = map.get("secret").filter(|source| !optional(source))
                && let Some(name) = source.get("secretName").or_else(|| source.get("name"))
            {
                let keys = needed.entry(entry(name)).or_default();
                let items = source.get("items").and_then(Value::as_array);
                let key = |item: &Value| item.get("key").and_then(Value::as_str).map(str::to_string);
                keys.extend(items.into_iter().flatten().filter_map(key));
            }
            map.values().for_each(|value| walk(value, namespace, needed));
        }
        _ => {}
    }
}

/// Adds what the backend of the topology provides for them.
pub(super) fn render(out: &mut Output, needed: &Needed) {
    match out.cluster.secrets {
        SecretBackend::Existing => {}
        SecretBackend::Stub => stubs(out, needed),
        SecretBackend::ExternalSecrets => external(out, needed),
        SecretBackend::Sops => example(out, needed),
    }
}

/// Secrets without data: applying them again never takes away what somebody has filled in.
fn stubs(out: &mut Output, needed: &Needed) {
    for ((namespace, name), keys) in needed {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut context = Context::default();
        context
            .put("name", name)
            .put("namespace", namespace)
            .put("labels", loose_labels(out.cluster, "secret"))
            .put("annotations", json!({ "pronoia/fill-in": keys.join(", ") }))
            .put("type", "Opaque")
            .put("texts", Value::Null);
        out.render(FILE, "secret", &context);
    }
}

fn external(out: &mut Output, needed: &Needed) {
    let store = out.cluster.topology.secrets.as_ref().and_then(|secrets| secrets.store.as_ref());
    let store = store.map_or("default", |store| store.value.as_str());
    for ((namespace, name), keys) in needed {
        let entries: Vec<Value> = keys
            .iter()
            .map(|key| json!({ "secretKey": key, "remoteRef": { "key": name, "property": key } }))
            .collect();
        let whole = entries.is_empty().then(|| json!([{ "extract": { "key": name } }]));
        let mut context = Context::default();
        context
            .put("name", name)
            .put("namespace", namespace)
            .put("labels", loose_labels(out.cluster, "secret"))
            .put("store", store)
            .put("entries", if entries.is_empty() { Value::Null } else { json!(entries) })
            .put("whole", whole);
        out.render(FILE, "externalsecret", &context);
    }
}

/// A file to fill in and to encrypt elsewhere: rendered again, it must not replace the encrypted one.
fn example(out: &mut Output, needed: &Needed) {
    if needed.is_empty() {
        return;
    }
    let objects: Vec<Value> = needed
        .iter()
        .map(|((namespace, name), keys)| {
            let texts: BTreeMap<&String, &str> = keys.iter().map(|key| (key, "FILL-IN")).collect();
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": name, "namespace": namespace },
                "type": "Opaque",
                "stringData": texts,
            })
        })
        .collect();
    let header = "# Copy this file out of this folder, fill it in, then encrypt it:\n\
                  #   sops --encrypt --encrypted-regex '^(data|stringData)$' --in-place secrets.yaml\n";
    out.text("secrets.example.yaml", vec![header.into(), yaml::to_yaml_documents(&objects).into()]);
}
