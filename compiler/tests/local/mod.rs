//! `--target local`: what is started on one machine, and what Prometheus itself makes of it.

mod live;
mod plan;

use std::collections::BTreeMap;
use std::path::Path;

use compiler::diagnostic::Severity;
use compiler::model::local::Machine;
use compiler::pipeline::{Request, Target, render};
use compiler::source::MemoryWorld;
use serde_json::Value;

/// The rendered files, by path.
type Files = BTreeMap<String, String>;

const QUICKSTART: &str = include_str!("../../../examples/quickstart.kdl");

fn files(kdl: &str) -> Files {
    files_on(kdl, Machine::default())
}

fn files_on(kdl: &str, machine: Machine) -> Files {
    let world = MemoryWorld::single("t.kdl", kdl);
    let request = Request { path: "t.kdl".to_string(), target: Target::Local, machine, ..Request::default() };
    let outcome = render(&world, &request);
    let errors: Vec<_> =
        outcome.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    outcome.artefacts.iter().map(|file| (file.path.clone(), file.text().into_owned())).collect()
}

fn plan(files: &Files, folder: &str) -> Value {
    serde_json::from_str(&files[&format!("{folder}processes.json")]).expect("processes.json is JSON")
}

fn processes(plan: &Value) -> &Vec<Value> {
    plan["processes"].as_array().expect("processes")
}

fn text<'a>(process: &'a Value, field: &str) -> &'a str {
    process[field].as_str().unwrap_or_else(|| panic!("no {field} in {process:#}"))
}

fn process<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let found = processes(plan).iter().find(|process| process["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {plan:#}"))
}

fn args(process: &Value) -> Vec<&str> {
    process["args"].as_array().expect("args").iter().map(|arg| arg.as_str().expect("text")).collect()
}

/// Values of one flag.
fn flag<'a>(process: &'a Value, flag: &str) -> Vec<&'a str> {
    let start = format!("{flag}=");
    args(process).into_iter().filter_map(|arg| arg.strip_prefix(&start)).collect()
}

fn left_out(plan: &Value) -> Vec<&str> {
    plan["left_out"].as_array().expect("left_out").iter().map(|entry| text(entry, "what")).collect()
}

fn write(files: &Files, folder: &Path) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
}
