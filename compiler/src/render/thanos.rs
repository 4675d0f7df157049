//! What all Thanos components share: the head of the command line, the pod, the labels that tell replicas apart.

mod cache;
mod pods;

use prom_model::PromDuration;
use serde_json::{Value, json};

pub use cache::Cache;
pub use pods::{DATA, Pod};

use super::flags::Flags;
use super::output::{Context, Output};
use crate::facts::{self, Program};
use crate::model::{Cluster, Component, PrometheusGroup, Role, Sourced};
use crate::pipeline::Origin;
use crate::topology::decode::Written;
use crate::topology::values::SecretValue;

/// Label that tells rulers apart.
pub const RULER_REPLICA: &str = "ruler_replica";
/// Label that tells receivers apart.
pub const RECEIVE_REPLICA: &str = "receive_replica";

/// The command line of a Thanos command, as far as all of them have it.
pub fn flags(cluster: &Cluster, command: facts::Component) -> Flags {
    let mut flags = Flags::new(Program::Thanos(command), cluster.versions.thanos);
    flags.word(command.as_str()).flag("--log.level", &cluster.log.value);
    if !cluster.bare {
        flags.flag("--log.format", "logfmt");
    }
    flags
}

/// Whether a value belongs on the command line: under `bare` only what the user wrote does.
pub fn stated<T>(cluster: &Cluster, value: &Sourced<T>) -> bool {
    !cluster.bare || matches!(value.origin, Origin::Line(_))
}

/// Adds `--flag=VALUE` unless it is a default that `bare` leaves to Thanos.
pub fn state<T: std::fmt::Display>(flags: &mut Flags, cluster: &Cluster, flag: &str, value: &Sourced<T>) {
    if stated(cluster, value) {
        flags.flag(flag, &value.value);
    }
}

/// As [`state`], for a default that may be off.
pub fn state_duration(
    flags: &mut Flags,
    cluster: &Cluster,
    flag: &str,
    value: Sourced<Option<PromDuration>>,
) {
    if stated(cluster, &value) {
        flags.maybe(flag, value.value);
    }
}

/// A duration for flags that Go reads, which knows no unit above the hour.
pub fn go_duration(duration: PromDuration) -> String {
    let millis = duration.as_millis();
    match () {
        () if millis % 3_600_000 == 0 => format!("{}h", millis / 3_600_000),
        () if millis % 60_000 == 0 => format!("{}m", millis / 60_000),
        () if millis % 1_000 == 0 => format!("{}s", millis / 1_000),
        () => format!("{millis}ms"),
    }
}

/// Text inside an argument that Kubernetes must not expand: `$(NAME)` would become a variable.
pub fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A label of Thanos' flags: `name="value"`.
pub fn label(name: &str, value: &str) -> String {
    format!("{name}={}", Value::String(literal(value)))
}

/// The label that carries the pod's name, which stays the same over restarts of a StatefulSet.
pub fn pod_label(name: &str) -> String {
    format!("{name}=\"$(POD_NAME)\"")
}

/// Labels that tell copies of the same data apart, over everything that this cluster's queriers may see from it.
pub fn replica_labels(cluster: &Cluster) -> Vec<String> {
    let mut labels = scraped_replica_labels(cluster);
    if cluster.first(Role::Ruler).is_some() {
        labels.push(RULER_REPLICA.to_string());
    }
    if cluster.first(Role::Receive).is_some() {
        labels.push(RECEIVE_REPLICA.to_string());
    }
    unique(labels)
}

/// Replica labels of Prometheus groups; the shard label too where shards are one stream.
pub fn scraped_replica_labels(cluster: &Cluster) -> Vec<String> {
    let label = |group: &PrometheusGroup| {
        let shard = (group.merged && group.sharded()).then(|| group.shard_label.value.clone());
        std::iter::once(group.replica_label.value.clone()).chain(shard).collect::<Vec<_>>()
    };
    unique(cluster.prometheus.iter().flat_map(label).collect())
}

/// The texts without repetitions, in their order.
pub fn unique(texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

/// Whether the component answers StoreAPI.
pub fn serves_store_api(cluster: &Cluster, component: &Component) -> bool {
    match component.role {
        Role::Prometheus => cluster.prometheus.get(component.group).is_some_and(|group| group.sidecar),
        Role::Store | Role::Ruler | Role::Receive => true,
        _ => false,
    }
}

/// Adds an Ingress for one port of a component's balancing Service.
pub fn ingress(
    out: &mut Output,
    file: &str,
    component: &Component,
    host: &str,
    tls: Option<&Written<SecretValue>>,
    port: &str,
) {
    let cluster = out.cluster;
    let network = cluster.topology.network.as_ref();
    let class = cluster
        .profile
        .or_text(network.and_then(|network| network.ingress_class.as_ref()), "network.ingress-class");
    let secret = tls.and_then(|tls| match &tls.value {
        SecretValue::Reference { name, .. } => Some(name.as_str()),
        SecretValue::File(_) | SecretValue::Literal(_) => None,
    });
    let mut context = Context::default();
    context
        .put("name", &component.name)
        .put("namespace", &component.namespace)
        .put("labels", &component.labels)
        .put("annotations", Value::Null)
        .put("host", host)
        .put("tls_secret", secret)
        .put("service", component.service.as_ref().unwrap_or(&component.name))
        .put("port", port);
    let class = class.map(|class| if class.is_empty() { Value::Null } else { json!(class) });
    context.sourced("class", &class);
    out.render(file, "ingress", &context);
}
