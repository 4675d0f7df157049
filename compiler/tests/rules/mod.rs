//! Rules and Alertmanager: from the topology to files that promtool and amtool take.

mod alertmanager;
mod files;
mod findings;
mod place;

use std::path::Path;
use std::process::Command;

use compiler::diagnostic::Severity;
use compiler::pipeline::{self, Outcome, Request};
use compiler::render::yaml;
use compiler::source::MemoryWorld;
use serde_json::Value;

/// A world of a topology and rule files.
pub(super) fn world(topology: &str, files: &[(&str, &str)]) -> MemoryWorld {
    let mut world = MemoryWorld::single("top.kdl", topology);
    for (path, text) in files {
        world.files.insert((*path).to_string(), text.as_bytes().to_vec());
    }
    world
}

pub(super) fn render(topology: &str, files: &[(&str, &str)]) -> Outcome {
    let request = Request { path: "top.kdl".to_string(), ..Request::default() };
    pipeline::render(&world(topology, files), &request)
}

/// Renders what must be free of errors.
pub(super) fn rendered(topology: &str, files: &[(&str, &str)]) -> Outcome {
    let outcome = render(topology, files);
    let errors: Vec<_> =
        outcome.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    outcome
}

pub(super) fn text(outcome: &Outcome, path: &str) -> String {
    let paths: Vec<&str> = outcome.artefacts.iter().map(|artefact| artefact.path.as_str()).collect();
    let found = outcome.artefacts.iter().find(|artefact| artefact.path == path);
    found.unwrap_or_else(|| panic!("no {path} among {paths:?}")).text().into_owned()
}

pub(super) fn objects(outcome: &Outcome, path: &str) -> Vec<Value> {
    yaml::parse(&text(outcome, path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(super) fn object(outcome: &Outcome, path: &str, title: &str) -> Value {
    let (kind, name) = title.split_once('/').unwrap_or_else(|| panic!("{title}"));
    objects(outcome, path)
        .into_iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {title} in {path}"))
}

/// Findings as `CODE severity place: message`.
pub(super) fn findings(outcome: &Outcome) -> Vec<String> {
    outcome
        .diagnostics
        .iter()
        .map(|found| {
            let place = found.span.and_then(|span| outcome.sources.place(span));
            let place = place.map_or("-".to_string(), |p| format!("{}:{}:{}", p.path, p.line, p.column));
            format!("{} {} {place}: {}", found.code, found.severity.word(), found.message)
        })
        .collect()
}

/// Asserts that a finding of this beginning is there.
pub(super) fn assert_found(outcome: &Outcome, beginning: &str) {
    let all = findings(outcome);
    assert!(all.iter().any(|found| found.starts_with(beginning)), "no `{beginning}` in {all:#?}");
}

/// Asserts that no finding has this code.
pub(super) fn assert_not_found(outcome: &Outcome, code: &str) {
    let all = findings(outcome);
    assert!(!all.iter().any(|found| found.starts_with(code)), "{all:#?}");
}

/// Writes all artefacts below a folder.
pub(super) fn write(outcome: &Outcome, folder: &Path) {
    for artefact in &outcome.artefacts {
        let path = folder.join(&artefact.path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        std::fs::write(&path, artefact.text().as_bytes()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }
}

/// Runs a tool of Prometheus' packages and gives what it printed.
pub(super) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| {
        panic!("{program}: {error}; `make test` installs prometheus and prometheus-alertmanager")
    });
    let (printed, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}\n{printed}{complaints}");
    printed.into_owned()
}
