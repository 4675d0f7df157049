//! Reloaders: a Prometheus or an Alertmanager never reads what was rendered, but what a reloader has found to be right.
//!
//! A reloader writes below `loaded/NAME/`, in the same layout: relative paths of a configuration mean the same there.

use serde_json::{Map, json};

use super::{Entry, Files};
use crate::model::Role;
use crate::model::local::{Process, loopback};
use crate::render::local::arguments::{CONFIG_DIR, DATA_DIR};

/// Path of the configuration that a process reads.
pub(super) fn loaded(process: &Process) -> String {
    match process.role {
        Role::Alertmanager => format!("{}/alertmanager.yml", folder(process)),
        _ => format!("{}/prometheus/prometheus.yml", folder(process)),
    }
}

fn folder(process: &Process) -> String {
    format!("{DATA_DIR}/loaded/{}", process.name)
}

/// The reloader of a process, which lets it write the files for the first time before it starts.
pub(super) fn between(process: &Process, served: Option<&mut Entry>, files: &Files) -> Option<Entry> {
    let (port, served) = (process.reloader?, served?);
    let address = loopback(port);
    let args = args(process, &address, files);
    let environment = variables(process, files);
    served.environment.extend(environment.iter().cloned());
    served.init = args.iter().cloned().chain(["--once".to_string()]).collect();
    Some(Entry {
        name: format!("{}-reloader", process.name),
        program: "pronoiad",
        component: "reloader",
        args,
        init: Vec::new(),
        working_dir: DATA_DIR,
        environment,
        ports: Map::from_iter([("http".to_string(), json!(port))]),
        ready_url: format!("http://{address}/-/ready"),
        data_dir: folder(process),
        after: vec![process.name.clone()],
        hot_reload: true,
    })
}

/// Path of the configuration as it was rendered.
fn rendered(process: &Process) -> String {
    match process.role {
        Role::Alertmanager => "alertmanager.yml".to_string(),
        _ => format!("prometheus/{}.yml", process.name),
    }
}

/// Names in `$(NAME)` of the configuration: the reloader puts their values in.
fn variables(process: &Process, files: &Files) -> Vec<String> {
    let text = files.text(&rendered(process)).unwrap_or_default();
    let mut names = Vec::new();
    for part in text.split("$(").skip(1) {
        let name = part.split(')').next().unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.len() < part.len() && !name.is_empty() && name.chars().all(legal) {
            names.push(name.to_string());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn args(process: &Process, address: &str, files: &Files) -> Vec<String> {
    let alertmanager = process.role == Role::Alertmanager;
    let rendered = rendered(process);
    let mut args = vec![
        "reloader".to_string(),
        format!("--http-address={address}"),
        format!("--prometheus.url=http://{}", process.http_address()),
        format!("--reloader.config-file={CONFIG_DIR}/{rendered}"),
        format!("--reloader.config-envsubst-file={}", loaded(process)),
    ];
    if alertmanager {
        args.push("--reloader.target=alertmanager".to_string());
    } else if files.has_below("rules/") {
        args.push(format!("--reloader.rule-dir={CONFIG_DIR}/rules"));
        args.push(format!("--reloader.rule-output-dir={}/rules", folder(process)));
    }
    args.extend(["--reloader.watch-interval=30s", "--reloader.retry-interval=1s"].map(String::from));
    args
}
