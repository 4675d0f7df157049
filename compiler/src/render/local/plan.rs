//! `processes.json`: what to start, in which order, and how to tell that it is up.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::arguments::{CONFIG_DIR, DATA_DIR, Instead, of_pod};
use super::{Files, bucket_secret, variables};
use crate::model::local::{LeftOut, Local, Process, loopback};
use crate::model::{Cluster, Model, Role};
use crate::render::flags::user_flags;
use crate::render::output::Output;
use crate::topology::nodes::thanos::ReachVia;

mod reloader;

/// One entry of `processes`.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) program: &'static str,
    pub(super) component: &'static str,
    args: Vec<String>,
    /// Arguments of `pronoiad` that has to end well before the process is started for the first time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init: Vec<String>,
    /// The folder to run in: relative paths in configuration files begin here.
    working_dir: &'static str,
    /// Variables that have to be set.
    environment: Vec<String>,
    pub(super) ports: Map<String, Value>,
    pub(super) ready_url: String,
    data_dir: String,
    after: Vec<String>,
    hot_reload: bool,
}

/// The file.
pub(super) fn json(processes: &[Entry], left_out: &[LeftOut]) -> String {
    let left_out: Vec<Value> =
        left_out.iter().map(|entry| json!({ "what": entry.what, "why": entry.why })).collect();
    let file = json!({
        "version": 1,
        "data_dir_placeholder": DATA_DIR,
        "config_dir_placeholder": CONFIG_DIR,
        "processes": processes,
        "left_out": left_out,
    });
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    text
}

/// All processes of a cluster; notes what cannot be started.
pub(super) fn processes(pods: &Output, model: &Model, notes: &mut Local, files: &Files) -> Vec<Entry> {
    let cluster = pods.cluster;
    let planned = notes.processes.clone();
    let mut entries = Vec::new();
    for process in &planned {
        let Some(pod) = of_pod(pods, &process.component, process.sidecar) else {
            notes.leave_out(process.name.clone(), "no command line was rendered for it");
            continue;
        };
        if process.role == Role::Alertmanager && !files.has("alertmanager.yml") {
            let why = "its configuration holds secrets, which are not written into plain files";
            notes.leave_out(process.name.clone(), why);
            continue;
        }
        let instead = instead(process, &pod, cluster, model, notes);
        let (args, lost) = instead.apply(&pod, &format!("{}-{}", process.component, process.replica));
        let word = word(process);
        let overruled = user_flags(cluster, args_node(process)).into_iter().map(|(flag, _)| flag);
        for flag in overruled.filter(|flag| instead.decides(flag)) {
            notes.leave_out(
                format!("args {} {flag}", args_node(process)),
                "the plan of ports and folders decides",
            );
        }
        for flag in lost {
            notes.leave_out(format!("{word} {flag}"), "it names something inside Kubernetes");
        }
        entries.push(entry(process, args, cluster, &planned));
        let reloader = reloader::between(process, entries.last_mut(), files);
        entries.extend(reloader);
    }
    let started: Vec<String> = entries.iter().map(|entry: &Entry| entry.name.clone()).collect();
    for entry in &mut entries {
        entry.after.retain(|name| started.contains(name));
    }
    entries
}

fn entry(process: &Process, args: Vec<String>, cluster: &Cluster, planned: &[Process]) -> Entry {
    let mut ports = Map::from_iter([("http".to_string(), json!(process.http))]);
    ports.extend(process.grpc.map(|port| ("grpc".to_string(), json!(port))));
    let other = if process.role == Role::Alertmanager { "peers" } else { "remote_write" };
    ports.extend(process.other.map(|port| (other.to_string(), json!(port))));
    let opens_bucket = args.iter().any(|arg| arg.starts_with("--objstore.config-file="));
    Entry {
        name: process.name.clone(),
        program: match process.role {
            _ if process.sidecar => "pronoiad",
            Role::Prometheus => "prometheus",
            Role::Alertmanager => "alertmanager",
            _ => "pronoiad",
        },
        component: word(process),
        args,
        init: Vec::new(),
        working_dir: DATA_DIR,
        environment: if opens_bucket { variables(cluster) } else { Vec::new() },
        ports,
        ready_url: format!("http://{}/-/ready", process.http_address()),
        data_dir: data_dir(process),
        after: after(process, planned),
        hot_reload: !process.sidecar
            && matches!(process.role, Role::Prometheus | Role::Alertmanager | Role::Ruler),
    }
}

/// The name of a process' kind.
fn word(process: &Process) -> &'static str {
    match process.role {
        _ if process.sidecar => "sidecar",
        Role::QueryFrontend => "query-frontend",
        Role::Ruler => "rule",
        role => role.word(),
    }
}

/// The component that `args` calls it.
fn args_node(process: &Process) -> &'static str {
    if process.sidecar { "sidecar" } else { process.role.word() }
}

/// A sidecar works in the folder of its Prometheus.
fn data_dir(process: &Process) -> String {
    format!("{DATA_DIR}/{}-{}", process.component, process.replica)
}

/// Who has to be up first; without circles: rulers ask queriers, which find rulers when they come.
fn after(process: &Process, planned: &[Process]) -> Vec<String> {
    let before = |other: &&Process| match process.role {
        _ if process.sidecar => {
            !other.sidecar && other.component == process.component && other.replica == process.replica
        }
        Role::Query => other.sidecar || matches!(other.role, Role::Store | Role::Receive),
        Role::QueryFrontend => other.role == Role::Query,
        Role::Ruler => matches!(other.role, Role::Query | Role::Alertmanager),
        Role::ReceiveRouter => other.role == Role::Receive,
        _ => false,
    };
    planned.iter().filter(before).map(|other| other.name.clone()).collect()
}

/// What differs from the command line of the pod.
fn instead(process: &Process, pod: &[String], cluster: &Cluster, model: &Model, local: &Local) -> Instead {
    let mut instead = Instead::default();
    let data = data_dir(process);
    if process.role == Role::Prometheus && !process.sidecar {
        prometheus(&mut instead, process, pod, &data);
        return instead;
    }
    if process.role == Role::Alertmanager {
        alertmanager(&mut instead, process, local, &data);
        return instead;
    }
    instead.set("--http-address", process.http_address());
    if let Some(address) = process.grpc_address() {
        instead.set("--grpc-address", address);
    }
    let objstore = match bucket_secret(cluster) {
        Some(path) => format!("{CONFIG_DIR}/{path}"),
        None => format!("{CONFIG_DIR}/objstore.yml"),
    };
    instead
        .change(pod, "--objstore.config-file", objstore)
        .without(&["--web.external-prefix", "--web.route-prefix"]);
    match process.role {
        Role::Prometheus => {
            let mut own = local.processes.iter().filter(|other| {
                other.component == process.component && other.replica == process.replica && !other.sidecar
            });
            let url = own.next().map(|own| format!("http://{}", own.http_address()));
            instead.each("--prometheus.url", url.into_iter().collect()).set("--tsdb.path", data);
        }
        Role::Query => {
            instead
                .without(&["--store", "--endpoint.sd-config", "--endpoint.sd-config-file"])
                .change(pod, "--alert.query-url", page(local))
                .each("--endpoint", endpoints(cluster, model, local));
        }
        Role::QueryFrontend => {
            let first = local.with_role(Role::Query).next();
            let urls = first.map(|query| format!("http://{}", query.http_address())).into_iter().collect();
            instead.each("--query-frontend.downstream-url", urls);
        }
        Role::Ruler => ruler(&mut instead, cluster, local, &data),
        Role::Receive | Role::ReceiveRouter => {
            let hashring = format!("{CONFIG_DIR}/hashring.json");
            instead.change(pod, "--receive.hashrings-file", hashring).change(pod, "--tsdb.path", data);
            if let Some(port) = process.other {
                instead.set("--remote-write.address", loopback(port));
            }
            if let Some(address) = process.grpc_address() {
                instead.change(pod, "--receive.local-endpoint", address);
            }
        }
        _ => {
            instead.set("--data-dir", data);
        }
    }
    instead
}

fn prometheus(instead: &mut Instead, process: &Process, pod: &[String], data: &str) {
    instead
        .set("--config.file", reloader::loaded(process))
        .change(pod, "--storage.tsdb.path", data)
        .change(pod, "--storage.agent.path", data)
        .set("--web.listen-address", process.http_address())
        // A changed file is applied by a request, at the moment when all of them are written.
        .switch("--web.enable-lifecycle")
        // The lock of the data stays: on one machine two servers can meet in one folder.
        .without(&["--storage.tsdb.no-lockfile", "--storage.agent.no-lockfile"])
        .without(&["--config.auto-reload", "--web.external-url", "--web.route-prefix", "--web.config.file"]);
}

fn alertmanager(instead: &mut Instead, process: &Process, local: &Local, data: &str) {
    let peers: Vec<&Process> = local.with_role(Role::Alertmanager).collect();
    instead
        .set("--config.file", reloader::loaded(process))
        .set("--storage.path", data)
        .set("--web.listen-address", process.http_address())
        .without(&["--web.external-url", "--web.route-prefix", "--web.config.file"]);
    let others = peers.iter().filter(|other| other.name != process.name).filter_map(|other| other.other);
    let others: Vec<String> = others.map(loopback).collect();
    // Empty means: no cluster.
    let listen = process.other.filter(|_| !others.is_empty()).map(loopback).unwrap_or_default();
    instead
        .each("--cluster.peer", others)
        .set("--cluster.listen-address", listen)
        .without(&["--cluster.advertise-address"]);
}

fn ruler(instead: &mut Instead, cluster: &Cluster, local: &Local, data: &str) {
    let url = |process: &Process| format!("http://{}", process.http_address());
    instead
        .set("--data-dir", data)
        .set("--rule-file", format!("{CONFIG_DIR}/ruler-rules/*.yml"))
        .each("--query", local.with_role(Role::Query).map(|query| query.http_address()).collect())
        .set("--alert.query-url", page(local));
    if cluster.first(Role::Alertmanager).is_some() {
        instead.each("--alertmanagers.url", local.with_role(Role::Alertmanager).map(url).collect());
    }
}

/// The page on which people see the expression of an alert.
fn page(local: &Local) -> String {
    let mut pages = local.with_role(Role::QueryFrontend).chain(local.with_role(Role::Query));
    pages
        .next()
        .map_or_else(|| "http://127.0.0.1".to_string(), |page| format!("http://{}", page.http_address()))
}

/// Everything that a querier asks: here, and in the clusters that it reaches.
fn endpoints(cluster: &Cluster, model: &Model, local: &Local) -> Vec<String> {
    let mut endpoints: Vec<String> = local.store_api().filter_map(Process::grpc_address).collect();
    for reach in cluster.topology.query.iter().flat_map(|query| &query.reaches) {
        let via = reach.via.as_ref().map_or(ReachVia::Query, |via| via.value);
        for target in
            reach.targets.iter().filter(|target| target.value != "local" && target.value != cluster.name)
        {
            let Some(other) = model.clusters.iter().find(|other| other.name == target.value) else {
                endpoints.push(crate::render::thanos::literal(&target.value));
                continue;
            };
            let wanted = |process: &&Process| match via {
                ReachVia::Query => process.role == Role::Query,
                ReachVia::Sidecar => process.sidecar,
                ReachVia::Store => process.role == Role::Store,
            };
            let found = other.local.iter().flat_map(|local| &local.processes).filter(wanted);
            endpoints.extend(found.filter_map(Process::grpc_address));
        }
    }
    crate::render::thanos::unique(endpoints)
}
