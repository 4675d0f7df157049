//! A crate uses only crates on lower lines; pure crates stay free of runtimes, sockets and disks.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tests::{program, repository};

use crate::no_problems;

/// The line on which each crate stands; an edge may only go down.
const LINES: &[(&str, u8)] = &[
    ("tests", 8),
    ("runtime", 7),
    ("compiler", 7),
    ("api", 6),
    ("querier", 5),
    ("query", 4),
    ("receive", 4),
    ("compact", 5),
    ("rules", 4),
    ("reloader", 4),
    ("store", 3),
    ("promql", 3),
    ("block", 2),
    ("server", 2),
    ("prom-config", 2),
    ("promql-syntax", 1),
    ("tsdb", 1),
    ("storeapi", 1),
    ("objstore", 1),
    ("cache", 1),
    ("prom-model", 0),
    ("error-kind", 0),
    ("budget", 0),
];

/// All that the compiler may use of the runtime's crates.
const COMPILER_MAY_USE: &[&str] = &[
    "rules",
    "query",
    "promql",
    "prom-config",
    "promql-syntax",
    "tsdb",
    "prom-model",
    "error-kind",
    "budget",
];

/// Crates that compute and do nothing else.
const PURE: &[&str] = &[
    "prom-model",
    "error-kind",
    "budget",
    "promql-syntax",
    "prom-config",
    "tsdb",
    "promql",
    "query",
    "rules",
    "compiler",
];

/// What never stands below a pure crate.
const IMPURE: &[&str] = &[
    "async-std",
    "axum",
    "hyper",
    "mio",
    "object_store",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tonic",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "shared", "util", "utils"];

fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let text = program::succeed(
            Command::new(cargo)
                .args(["metadata", "--format-version", "1", "--offline"])
                .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
                .current_dir(repository::root()),
        );
        serde_json::from_str(&text).expect("cargo writes JSON")
    })
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The packages of the workspace.
fn members() -> Vec<&'static Value> {
    let ids: BTreeSet<&str> = list(metadata(), "workspace_members").filter_map(Value::as_str).collect();
    let members: Vec<&Value> =
        list(metadata(), "packages").filter(|package| ids.contains(text(package, "id"))).collect();
    assert!(!members.is_empty(), "the workspace has packages");
    members
}

#[test]
fn edges_go_down() {
    let lines: BTreeMap<&str, u8> = LINES.iter().copied().collect();
    let mut problems = Vec::new();
    for package in members() {
        let name = text(package, "name");
        let Some(own) = lines.get(name) else {
            problems.push(format!("crate `{name}` has no line: add it to LINES in this test"));
            continue;
        };
        for dependency in list(package, "dependencies").filter(|dependency| dependency["path"].is_string()) {
            let target = text(dependency, "name");
            match lines.get(target) {
                None => problems.push(format!("`{name}` uses `{target}`, which has no line")),
                Some(line) if line >= own => problems.push(format!(
                    "`{name}` (line {own}) uses `{target}` (line {line}): a crate uses only crates on lower lines"
                )),
                Some(_) if name == "compiler" && !COMPILER_MAY_USE.contains(&target) => {
                    problems.push(format!("`compiler` uses `{target}`; it may use {COMPILER_MAY_USE:?} only"));
                }
                Some(_) => {}
            }
        }
    }
    no_problems(problems);
}

#[test]
fn pure_crates_stay_pure() {
    let resolve = &metadata()["resolve"];
    let nodes: BTreeMap<&str, &Value> = list(resolve, "nodes").map(|node| (text(node, "id"), node)).collect();
    let names: BTreeMap<&str, &str> =
        list(metadata(), "packages").map(|package| (text(package, "id"), text(package, "name"))).collect();
    let mut problems = Vec::new();
    for package in members().into_iter().filter(|package| PURE.contains(&text(package, "name"))) {
        let start = text(package, "id");
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for edge in nodes.get(id).into_iter().flat_map(|node| list(node, "deps")) {
                // Dependencies of tests run no user's input.
                if list(edge, "dep_kinds").all(|kind| kind["kind"] == "dev") {
                    continue;
                }
                let next = text(edge, "pkg");
                if next != start && !seen.contains_key(next) {
                    seen.insert(next, id);
                    open.push(next);
                }
            }
        }
        assert!(seen.len() < names.len(), "the walk ends");
        for (id, by) in &seen {
            let name = names.get(id).copied().unwrap_or_default();
            if IMPURE.contains(&name) {
                let by = names.get(by).copied().unwrap_or_default();
                problems.push(format!(
                    "`{}` is pure, yet `{name}` stands below it, by `{by}`",
                    text(package, "name")
                ));
            }
        }
    }
    no_problems(problems);
}

#[test]
fn versions_stand_in_the_root_manifest_alone() {
    let mut problems = Vec::new();
    for package in members() {
        let manifest = text(package, "manifest_path");
        let content = std::fs::read_to_string(manifest).expect("cargo names manifests that exist");
        let mut inside = false;
        for (number, line) in content.lines().enumerate() {
            let line = line.trim();
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside
                && !line.is_empty()
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                problems.push(format!("{manifest}:{}: write `NAME.workspace = true`", number + 1));
            }
        }
        if !content.contains("[lints]\nworkspace = true") {
            problems.push(format!("{manifest}: add `[lints]` with `workspace = true`"));
        }
    }
    no_problems(problems);
}

#[test]
fn folders_carry_the_names_of_their_crates() {
    let mut problems = Vec::new();
    for package in members() {
        let (name, manifest) = (text(package, "name"), text(package, "manifest_path"));
        let folder = manifest.rsplit('/').nth(1).unwrap_or_default();
        if folder != name {
            problems.push(format!("{manifest}: the crate is called `{name}`, its folder `{folder}`"));
        }
    }
    for path in repository::with_ending(".rs") {
        let names = path.trim_end_matches(".rs").split('/');
        if let Some(name) = names.into_iter().find(|name| EMPTY_NAMES.contains(name)) {
            problems.push(format!("{path}: `{name}` says nothing; call it by what is inside"));
        }
    }
    no_problems(problems);
}
