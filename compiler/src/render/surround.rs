//! What stands around a workload: service account, Services, disruption budget, network policy.

use serde_json::{Value, json};

use super::output::{Context, Output};
use crate::model::{Cluster, Component, Role};

/// Files of the four kinds; they may all be the same.
pub struct Files<'a> {
    /// Service account.
    pub account: &'a str,
    /// Services.
    pub services: &'a str,
    /// PodDisruptionBudget.
    pub budget: &'a str,
    /// NetworkPolicy.
    pub network: &'a str,
}

impl<'a> Files<'a> {
    /// Everything in one file.
    pub fn one(file: &'a str) -> Files<'a> {
        Files { account: file, services: file, budget: file, network: file }
    }
}

/// Adds the service account of a component; `annotations` bind it to a cloud identity.
pub fn account(out: &mut Output, file: &str, component: &Component, annotations: Value, automount: bool) {
    let Some(name) = &component.service_account else { return };
    let title = |object: &super::output::Object| {
        object.title() == format!("ServiceAccount/{name}")
            && object.value.pointer("/metadata/namespace").and_then(Value::as_str)
                == Some(&component.namespace)
    };
    if out.objects.iter().any(title) {
        return;
    }
    let bare = out.cluster.bare;
    let mut context = Context::default();
    context
        .put("name", name)
        .put("namespace", &component.namespace)
        .put("labels", if bare { Value::Null } else { json!(component.labels) })
        .put("annotations", annotations)
        .put("automount", if bare { Value::Null } else { json!(automount) });
    out.render(file, "serviceaccount", &context);
}

/// Adds the balancing and the headless Service of a component, as far as it has them.
pub fn services(out: &mut Output, file: &str, component: &Component) {
    if let Some(name) = &component.service {
        service(out, file, component, name, false);
    }
    if let Some(name) = &component.headless {
        service(out, file, component, name, true);
    }
}

/// Adds one Service of a component.
pub fn service(out: &mut Output, file: &str, component: &Component, name: &str, headless: bool) {
    let ports: Vec<Value> = component
        .ports
        .iter()
        .map(|port| {
            json!({
                "name": port.name,
                "port": if headless { port.number } else { port.service },
                "target": port.name,
                "protocol": if port.udp { "UDP" } else { "TCP" },
            })
        })
        .collect();
    let mut selector = component.selector.clone();
    // Shards and windows of one role share a headless Service: discovery finds all of them behind one name.
    if headless && matches!(component.role, Role::Store) {
        selector.retain(|label, _| !label.starts_with("store-"));
    }
    let mut context = Context::default();
    context
        .put("name", name)
        .put("namespace", &component.namespace)
        .put("labels", &component.labels)
        .put("annotations", Value::Null)
        .put("headless", headless)
        .put(
            "publish_not_ready",
            if headless && component.role == Role::Alertmanager { json!(true) } else { Value::Null },
        )
        .put("type", "ClusterIP")
        .put("selector", &selector)
        .put("ports", ports);
    out.render(file, "service", &context);
}

/// Adds a PodDisruptionBudget, when there is more than one replica to keep.
pub fn budget(out: &mut Output, file: &str, component: &Component) {
    if !out.cluster.profile.flag("pod.pdb") || *component.replicas < 2 {
        return;
    }
    let mut context = Context::default();
    context
        .put("name", &component.name)
        .put("namespace", &component.namespace)
        .put("labels", &component.labels)
        .put("selector", &component.selector);
    out.render(file, "poddisruptionbudget", &context);
}

/// Adds a NetworkPolicy that lets in what the graph needs, and nothing else.
pub fn network(out: &mut Output, file: &str, component: &Component) {
    let cluster = out.cluster;
    if !cluster.profile.flag("network.policies") || switched_off(cluster) || component.ports.is_empty() {
        return;
    }
    let mut context = Context::default();
    context
        .put("name", &component.name)
        .put("namespace", &component.namespace)
        .put("labels", &component.labels)
        .put("selector", &component.selector)
        .derived("ingress", ingress(cluster, component), "the edges of the graph that end here");
    out.render(file, "networkpolicy", &context);
}

fn switched_off(cluster: &Cluster) -> bool {
    cluster
        .topology
        .network
        .as_ref()
        .and_then(|network| network.policies.as_ref())
        .is_some_and(|policies| !policies.value)
}

/// One rule for each port, with everybody who calls it.
fn ingress(cluster: &Cluster, component: &Component) -> Value {
    let mut rules = Vec::new();
    for port in component.ports.iter().filter(|port| !port.udp) {
        let mut peers: Vec<Value> = Vec::new();
        for edge in
            cluster.edges.iter().filter(|edge| edge.to == component.name && edge.port == Some(port.number))
        {
            let callers = cluster.components.iter().filter(|caller| caller.name == edge.from);
            for caller in callers {
                let peer = peer(component, caller);
                if !peers.contains(&peer) {
                    peers.push(peer);
                }
            }
        }
        let people = is_for_people(component.role, port.name);
        let mut rule = json!({ "ports": [{ "port": port.name, "protocol": "TCP" }] });
        if people && open_to_all(cluster, component.role) {
            // Whoever reaches the Ingress or the node port may come from anywhere.
            rules.push(rule);
            continue;
        }
        if people {
            for allowed in cluster.topology.network.iter().flat_map(|network| &network.allow_from) {
                peers.extend(allowed.namespaces.iter().map(|namespace| {
                    json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace.value } } })
                }));
            }
        }
        if peers.is_empty() {
            continue;
        }
        rule["from"] = Value::Array(peers);
        rules.push(rule);
        if port.name == "mesh-tcp"
            && let Some(last) = rules.last_mut()
        {
            last["ports"] =
                json!([{ "port": "mesh-tcp", "protocol": "TCP" }, { "port": "mesh-udp", "protocol": "UDP" }]);
        }
    }
    Value::Array(rules)
}

fn peer(component: &Component, caller: &Component) -> Value {
    let mut peer = json!({ "podSelector": { "matchLabels": caller.selector } });
    if caller.namespace != component.namespace {
        peer["namespaceSelector"] =
            json!({ "matchLabels": { "kubernetes.io/metadata.name": caller.namespace } });
    }
    peer
}

fn is_for_people(role: Role, port: &str) -> bool {
    matches!(role, Role::Prometheus | Role::Query | Role::QueryFrontend | Role::Alertmanager | Role::Grafana)
        && port == "http"
        || role == Role::Minio && port == "console"
        || matches!(role, Role::Receive | Role::ReceiveRouter) && port == "remote-write"
}

fn open_to_all(cluster: &Cluster, role: Role) -> bool {
    let topology = &cluster.topology;
    match role {
        Role::Query => topology
            .query
            .as_ref()
            .is_some_and(|query| query.node_port.as_ref().is_some_and(|n| n.value) || query.host.is_some()),
        Role::QueryFrontend => topology.query.as_ref().is_some_and(|query| query.host.is_some()),
        Role::Grafana => topology.grafana.as_ref().is_some_and(|grafana| grafana.host.is_some()),
        Role::Minio => topology
            .bucket
            .as_ref()
            .and_then(|bucket| bucket.minio.as_ref())
            .is_some_and(|minio| minio.console.is_some()),
        Role::Receive => topology.receive.as_ref().is_some_and(|receive| receive.routers.is_none()),
        Role::ReceiveRouter => true,
        _ => false,
    }
}

/// Adds everything around a component in one go.
pub fn all(out: &mut Output, files: &Files, component: &Component) {
    account(out, files.account, component, Value::Null, false);
    services(out, files.services, component);
    budget(out, files.budget, component);
    network(out, files.network, component);
}

/// The kind of a component's workload.
pub fn kind(component: &Component) -> &'static str {
    match component.role {
        Role::NodeExporter => "DaemonSet",
        _ if component.stateful => "StatefulSet",
        _ => "Deployment",
    }
}
