//! The tutorial's deployment, object for object: `examples/tutorial.kdl` against the parsed objects of its manifests.
//!
//! `objects.json` holds them by kind, namespace and name; texts that are YAML themselves are kept parsed, so that only
//! meaning is compared, never layout.

use std::collections::BTreeMap;
use std::path::Path;

use compiler::pipeline::{Outcome, Request, render};
use compiler::render::yaml;
use compiler::source::MemoryWorld;
use serde_json::Value;

fn topology() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tutorial.kdl");
    std::fs::read_to_string(path).expect("examples/tutorial.kdl is part of the repository")
}

fn rendered() -> Outcome {
    let world = MemoryWorld::single("tutorial.kdl", topology());
    render(&world, &Request { path: "tutorial.kdl".to_string(), ..Request::default() })
}

/// Objects by `Kind/namespace/name`, with inner YAML parsed.
fn objects(outcome: &Outcome) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    for artefact in &outcome.artefacts {
        let is_manifest = artefact.path.ends_with(".yaml") && !artefact.path.starts_with("raw/");
        if !is_manifest || artefact.path == "kustomization.yaml" {
            continue;
        }
        for mut object in yaml::parse(&artefact.text()).expect("rendered YAML parses") {
            for texts in ["data", "stringData"] {
                for text in object
                    .get_mut(texts)
                    .and_then(Value::as_object_mut)
                    .into_iter()
                    .flat_map(|map| map.values_mut())
                {
                    let parsed =
                        yaml::parse(text.as_str().expect("texts are strings")).expect("inner YAML parses");
                    *text = parsed.into_iter().next().expect("one document");
                }
            }
            let part =
                |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_string();
            let key = format!("{}/{}/{}", part("/kind"), part("/metadata/namespace"), part("/metadata/name"));
            assert!(objects.insert(key.clone(), object).is_none(), "{key} is rendered twice");
        }
    }
    objects
}

/// The first differences, as `path: found, expected`.
fn differences(path: &str, found: &Value, expected: &Value, out: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let null = Value::Null;
                differences(
                    &format!("{path}.{key}"),
                    a.get(key).unwrap_or(&null),
                    b.get(key).unwrap_or(&null),
                    out,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{at}]"), a, b, out);
            }
        }
        _ if found == expected => {}
        _ => out.push(format!("{path}: rendered {found}, tutorial {expected}")),
    }
}

#[test]
fn bare_profile_renders_the_tutorial_object_for_object() {
    let outcome = rendered();
    assert!(!compiler::diagnostic::has_errors(&outcome.diagnostics), "{:?}", outcome.diagnostics);
    let found = objects(&outcome);
    let expected: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("objects.json")).expect("objects.json is JSON");
    let mut wrong: Vec<String> = Vec::new();
    for (key, object) in &expected {
        match found.get(key) {
            Some(rendered) => differences(key, rendered, object, &mut wrong),
            None => wrong.push(format!("{key} is missing")),
        }
    }
    wrong.extend(
        found
            .keys()
            .filter(|key| !expected.contains_key(*key))
            .map(|key| format!("{key} is not in the tutorial")),
    );
    assert!(wrong.is_empty(), "{} of {} objects expected\n{}", found.len(), expected.len(), wrong.join("\n"));
    assert_eq!(found.len(), 31, "28 objects, one Secret, two namespaces");
}

#[test]
fn the_topology_has_at_most_forty_lines() {
    assert!(topology().lines().count() <= 40);
}
