//! What surrounds Prometheus and Thanos: bucket, storage, exporters, Grafana, and the files that describe the whole.

mod bucket;
mod deployed;
mod tutorial;
mod whole;

use std::collections::BTreeMap;

use compiler::diagnostic::Severity;
use compiler::pipeline::{Outcome, Request, render};
use compiler::render::yaml;
use compiler::source::MemoryWorld;
use serde_json::Value;

/// Renders a topology together with other files.
fn render_with(topology: &str, files: &[(&str, &str)]) -> Outcome {
    let mut world = MemoryWorld::single("t.kdl", topology);
    world.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    render(&world, &Request { path: "t.kdl".to_owned(), ..Request::default() })
}

/// Renders a topology that has no errors.
fn rendered(topology: &str) -> Outcome {
    let outcome = render_with(topology, &[]);
    let errors: Vec<_> =
        outcome.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    outcome
}

/// The text of one artefact.
fn text(outcome: &Outcome, path: &str) -> String {
    let artefact = outcome.artefacts.iter().find(|artefact| artefact.path == path);
    artefact.unwrap_or_else(|| panic!("there is no {path}")).text().into_owned()
}

/// All Kubernetes objects by `Kind/name`, with the namespace in between when there are two of a name.
fn objects(outcome: &Outcome) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    for artefact in &outcome.artefacts {
        let no_manifest = artefact.path.starts_with("raw/")
            || !artefact.path.ends_with(".yaml")
            || ["kustomization.yaml", "secrets.example.yaml"].contains(&artefact.path.as_str());
        if no_manifest {
            continue;
        }
        for object in yaml::parse(&artefact.text()).expect("rendered YAML parses") {
            let part = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
            let mut key = format!("{}/{}", part("/kind"), part("/metadata/name"));
            if objects.contains_key(&key) {
                key = format!("{}/{}/{}", part("/kind"), part("/metadata/namespace"), part("/metadata/name"));
            }
            assert!(objects.insert(key.clone(), object).is_none(), "{key} is rendered twice");
        }
    }
    objects
}

fn object(outcome: &Outcome, key: &str) -> Value {
    let objects = objects(outcome);
    objects.get(key).unwrap_or_else(|| panic!("no {key} among {:?}", objects.keys())).clone()
}

/// Codes of all findings of at least this severity.
fn codes(outcome: &Outcome, least: Severity) -> Vec<&'static str> {
    outcome.diagnostics.iter().filter(|found| found.severity >= least).map(|found| found.code).collect()
}

fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}
