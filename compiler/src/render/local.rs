//! `--target local`: the topology as plain processes on one machine.
//!
//! One folder for each cluster: configuration files, and `processes.json`, which says what to start. A command line is the
//! one that the pod would have, in which [`arguments`] replaces what only Kubernetes can answer. So a flag has one origin,
//! whatever the target.

mod arguments;
mod plan;
mod runbook;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bucket::{self, objstore};
use super::output::Output;
use super::prometheus_config::{AlertmanagerConfig, JobTexts};
use super::template::Engine;
use super::{alertmanager, compact, prometheus, prometheus_files, query, receive, ruler, rules, store, yaml};
use crate::diagnostic::Diagnostic;
use crate::model::alertmanager::{Alertmanager, SECRETS_FOLDER};
use crate::model::bucket::{Provider, file_reference, provider};
use crate::model::local::{Local, Process};
use crate::model::{Cluster, Model, Role};
use crate::pipeline::Artefact;
use crate::source::Sources;

/// Where the rules of Prometheus are, seen from its configuration.
const RULES: &str = "../rules/*.yml";

/// Renders one cluster whose processes are planned.
pub fn render(
    model: &Model,
    cluster: &Cluster,
    local: &Local,
    engine: &Engine,
    sources: &Sources,
) -> (Vec<Artefact>, Vec<Diagnostic>) {
    let mut pods = Output::new(engine, cluster, sources);
    prometheus::render(&mut pods);
    rules::render(&mut pods);
    store::render(&mut pods, model);
    compact::render(&mut pods);
    query::render(&mut pods, model);
    ruler::render(&mut pods);
    receive::render(&mut pods);
    alertmanager::render(&mut pods);
    let mut notes = Local { processes: local.processes.clone(), left_out: local.left_out.clone() };
    let mut files = Files { folder: &cluster.folder, list: Vec::new() };
    for text in pods.texts() {
        let path = text.path.strip_prefix(&cluster.folder).unwrap_or(&text.path);
        match path.strip_prefix("raw/") {
            Some("hashring.json") => files.add("hashring.json", vec![hashring(&text.text(), local).into()]),
            Some(path) if is_kept(path) => files.add(path, text.pieces.clone()),
            _ => {}
        }
    }
    configurations(&mut files, cluster, local);
    objstore(&mut files, &mut notes, cluster);
    secrets(&mut notes, cluster);
    foreign(&mut notes, cluster);
    let processes = plan::processes(&pods, model, &mut notes, &files);
    files.add("runbook.md", vec![runbook::text(cluster, &processes, &notes.left_out).into()]);
    files.add("processes.json", vec![plan::json(&processes, &notes.left_out).into()]);
    files.list.sort_by(|a, b| a.path.cmp(&b.path));
    (files.list, pods.diagnostics)
}

/// The files of one cluster.
struct Files<'a> {
    folder: &'a str,
    list: Vec<Artefact>,
}

impl Files<'_> {
    fn add(&mut self, path: &str, pieces: Vec<Arc<str>>) {
        self.list.push(Artefact { path: format!("{}{path}", self.folder), pieces });
    }

    fn has_below(&self, folder: &str) -> bool {
        let mut paths = self.list.iter().filter_map(|file| file.path.strip_prefix(self.folder));
        paths.any(|path| path.starts_with(folder))
    }

    fn text(&self, path: &str) -> Option<String> {
        let mut files = self.list.iter();
        let file = files.find(|file| file.path.strip_prefix(self.folder) == Some(path))?;
        Some(file.text().into_owned())
    }

    fn has(&self, path: &str) -> bool {
        self.list.iter().any(|file| file.path.strip_prefix(self.folder) == Some(path))
    }
}

/// The plain texts that a process reads as they are.
fn is_kept(path: &str) -> bool {
    path.starts_with("rules/") || path.starts_with("ruler-rules/") || path == "alertmanager.yml"
}

/// Prometheus' configuration files, one for each replica: the replica label is written out.
fn configurations(files: &mut Files, cluster: &Cluster, local: &Local) {
    for component in cluster.with_role(Role::Prometheus) {
        let Some(group) = cluster.prometheus.get(component.group) else { continue };
        let texts = JobTexts::new(&group.jobs, &group.plan, 0);
        let mut config = prometheus_files::config(cluster, group, component);
        if !config.rule_files.is_empty() {
            config.rule_files = vec![RULES.to_string()];
        }
        let ours = cluster.first(Role::Alertmanager).is_some();
        if let Some(alerting) = config.alerting.as_mut().filter(|_| ours) {
            let addresses = local.with_role(Role::Alertmanager).map(Process::http_address).collect();
            alerting.alertmanagers = vec![AlertmanagerConfig::fixed(addresses)];
        }
        for process in local.of(component, false) {
            config.global.external_labels.insert(group.replica_label.value.clone(), process.name.clone());
            let pieces = texts.config(&config, component.shard.unwrap_or(0));
            files.add(&format!("prometheus/{}.yml", process.name), pieces);
        }
    }
}

/// The bucket: a folder beside the data, unless it is somewhere else than in the cluster.
fn objstore(files: &mut Files, notes: &mut Local, cluster: &Cluster) {
    let Some(bucket) = &cluster.topology.bucket else { return };
    let text = match provider(bucket) {
        None => return,
        Some(Provider::Minio(_) | Provider::Filesystem(_)) => {
            // Relative: processes run in the data folder.
            let mut file = Map::from_iter([
                ("type".to_string(), json!("FILESYSTEM")),
                ("config".to_string(), json!({ "directory": "bucket" })),
            ]);
            if let Some(prefix) = &bucket.prefix {
                file.insert("prefix".to_string(), json!(prefix.value));
            }
            yaml::to_yaml(&Value::Object(file))
        }
        Some(Provider::S3(s3)) if s3.credentials.is_some() => {
            if let Some(path) = bucket_secret(cluster) {
                notes.leave_out(path.clone(), "the objstore configuration is a secret: put the file there");
            }
            return;
        }
        Some(_) => objstore::text(cluster, objstore::Secrets::Written),
    };
    for variable in variables(cluster) {
        let why = "objstore.yml refers to it: set it where the processes are started";
        notes.leave_out(format!("variable {variable}"), why);
    }
    files.add("objstore.yml", vec![text.into()]);
}

/// Path of the objstore configuration when the user keeps the whole of it in a secret.
fn bucket_secret(cluster: &Cluster) -> Option<String> {
    match provider(cluster.topology.bucket.as_ref()?)? {
        Provider::S3(s3) => {
            let (name, key) = file_reference(cluster, &s3.credentials.as_ref()?.value);
            Some(format!("secrets/{name}/{key}"))
        }
        _ => None,
    }
}

/// Environment variables that whoever opens the bucket needs.
fn variables(cluster: &Cluster) -> Vec<String> {
    let Some(bucket) = &cluster.topology.bucket else { return Vec::new() };
    if matches!(provider(bucket), None | Some(Provider::Minio(_) | Provider::Filesystem(_))) {
        return Vec::new();
    }
    let environment = bucket::access(cluster).map(|access| access.env).unwrap_or_default();
    let name = |variable: &Value| variable.get("name").and_then(Value::as_str).map(String::from);
    environment.iter().filter_map(name).collect()
}

/// Secrets that are read from files.
fn secrets(notes: &mut Local, cluster: &Cluster) {
    for group in &cluster.prometheus {
        let jobs = group.jobs.iter().flat_map(|job| &job.secrets);
        for (name, key) in jobs.chain(&group.remotes.secrets) {
            let why = format!("put its value into secrets/{name}/{key} beside this file");
            notes.leave_out(format!("secret {name}/{key}"), why);
        }
    }
    if let Some(Alertmanager::Deployed(deployed)) = &cluster.alertmanager {
        for (name, key) in &deployed.secrets {
            let why =
                format!("Alertmanager reads it from {SECRETS_FOLDER}/{name}/{key}: put its value there");
            notes.leave_out(format!("secret {name}/{key}"), why);
        }
    }
}

/// What only means something to Kubernetes.
fn foreign(notes: &mut Local, cluster: &Cluster) {
    if !cluster.manifests.is_empty() {
        notes.leave_out("manifest", "Kubernetes objects are not applied here");
    }
    if !cluster.topology.patch.is_empty() {
        notes.leave_out("patch", "there are no Kubernetes objects to patch");
    }
}

/// The hashring with the addresses of this machine: endpoints stand in the order of the replicas.
fn hashring(text: &str, local: &Local) -> String {
    let mut rings: Value = serde_json::from_str(text).unwrap_or_default();
    let addresses: Vec<String> = local.with_role(Role::Receive).filter_map(Process::grpc_address).collect();
    for ring in rings.as_array_mut().into_iter().flatten() {
        let endpoints = ring.get_mut("endpoints").and_then(Value::as_array_mut);
        for (endpoint, address) in endpoints.into_iter().flatten().zip(&addresses) {
            match endpoint {
                Value::Object(fields) => {
                    fields.insert("address".to_string(), json!(address));
                }
                other => *other = json!(address),
            }
        }
    }
    let mut text = serde_json::to_string_pretty(&rings).unwrap_or_default();
    text.push('\n');
    text
}
