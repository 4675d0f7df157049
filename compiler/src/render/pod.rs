//! What every pod has in common: identity, security, resources, placement, probes.

use serde_json::{Value, json};

use super::output::Context;
use crate::model::{Cluster, Component, Resources};

/// The values that all workload templates share. Anything that the profile switches off is null, and a null field
/// vanishes from the manifest.
pub fn context(cluster: &Cluster, component: &Component) -> Context {
    let mut context = Context::default();
    let why = "the component's name and role";
    context
        .derived("name", &component.name, "topology name and component")
        .derived("namespace", &component.namespace, "topology namespace")
        .derived("labels", &component.labels, why)
        .derived("selector", &component.selector, why)
        .derived("pod_labels", pod_labels(cluster, component), why)
        .put("annotations", Value::Null)
        .put("pod_annotations", Value::Null)
        .sourced("replicas", &component.replicas)
        .sourced("image", &component.image)
        .put(
            "pull_policy",
            if cluster.bare { Value::Null } else { json!(cluster.profile.text("image.pull-policy").value) },
        )
        .put("service_name", component.headless.as_ref())
        .put("service_account", component.service_account.as_ref())
        .put(
            "automount",
            if cluster.profile.flag("pod.service-account") { json!(false) } else { Value::Null },
        )
        .derived("pod_security", pod_security(cluster, component.user), "Pod Security restricted")
        .derived("container_security", container_security(cluster), "Pod Security restricted")
        .derived("affinity", affinity(cluster, component), "replicas of one component on different hosts")
        .derived(
            "topology_spread",
            topology_spread(cluster, component),
            "replicas of one component in different zones",
        )
        .put("ports", container_ports(component))
        .put("resources", resources(component.resources.as_ref()));
    match &component.grace_seconds {
        Some(grace) => context.sourced("grace", grace),
        None => context.put("grace", Value::Null),
    };
    match &component.disk {
        Some(disk) => context.sourced("disk", &disk.clone().map(|disk| disk.quantity())),
        None => context.put("disk", Value::Null),
    };
    match &component.class {
        Some(class) => context.sourced("storage_class", class),
        None => context.put("storage_class", Value::Null),
    };
    context
}

/// Labels of the pods: the component's, and those by which a cloud knows who may open the bucket.
fn pod_labels(cluster: &Cluster, component: &Component) -> Value {
    use crate::model::Role;
    let mut labels = json!(component.labels);
    let reads = matches!(
        component.role,
        Role::Prometheus | Role::Store | Role::Compact | Role::Ruler | Role::Receive
    );
    if reads
        && let Some(access) = super::bucket::access(cluster)
        && let Some(labels) = labels.as_object_mut()
    {
        labels.extend(access.pod_labels);
    }
    labels
}

/// Ports of the main container.
pub fn container_ports(component: &Component) -> Value {
    component
        .ports
        .iter()
        .map(|port| {
            let mut value = json!({ "name": port.name, "containerPort": port.number });
            if port.udp {
                value["protocol"] = json!("UDP");
            }
            value
        })
        .collect()
}

/// `securityContext` of the pod.
pub fn pod_security(cluster: &Cluster, user: u32) -> Value {
    if !cluster.profile.flag("pod.security") {
        return Value::Null;
    }
    json!({
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsGroup": user,
        "runAsNonRoot": true,
        "runAsUser": user,
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// `securityContext` of a container.
pub fn container_security(cluster: &Cluster) -> Value {
    if !cluster.profile.flag("pod.security") {
        return Value::Null;
    }
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
    })
}

/// Requests and limits: memory is both, so that a pod is never killed for what it was promised; processors are only
/// requested, because a limit throttles exactly when the component has the most to do.
pub fn resources(resources: Option<&Resources>) -> Value {
    resources.map_or(Value::Null, |resources| {
        json!({
            "limits": { "memory": resources.memory.value },
            "requests": { "cpu": resources.cpu.value, "memory": resources.memory.value },
        })
    })
}

/// Requests and limits of a container beside the main one, from the defaults `KEY.cpu` and `KEY.memory`.
pub fn side_resources(cluster: &Cluster, key: &str) -> Value {
    if !cluster.profile.flag("pod.resources") {
        return Value::Null;
    }
    resources(Some(&Resources {
        cpu: cluster.profile.text(&format!("{key}.cpu")),
        memory: cluster.profile.text(&format!("{key}.memory")),
    }))
}

fn hosts_required(cluster: &Cluster, component: &Component) -> bool {
    use crate::topology::nodes::prometheus::Strength;
    component.role == crate::model::Role::Prometheus
        && cluster
            .prometheus
            .get(component.group)
            .and_then(|group| group.node.spread.as_ref())
            .and_then(|spread| spread.hosts.as_ref())
            .is_some_and(|hosts| hosts.value == Strength::Required)
}

fn affinity(cluster: &Cluster, component: &Component) -> Value {
    if !cluster.profile.flag("pod.spread") || *component.replicas < 2 {
        return Value::Null;
    }
    let term = json!({ "labelSelector": { "matchLabels": component.selector }, "topologyKey": "kubernetes.io/hostname" });
    let rule = match hosts_required(cluster, component) {
        true => json!({ "requiredDuringSchedulingIgnoredDuringExecution": [term] }),
        false => {
            json!({ "preferredDuringSchedulingIgnoredDuringExecution": [{ "podAffinityTerm": term, "weight": 100 }] })
        }
    };
    json!({ "podAntiAffinity": rule })
}

fn topology_spread(cluster: &Cluster, component: &Component) -> Value {
    if !cluster.profile.flag("pod.spread") || *component.replicas < 2 {
        return Value::Null;
    }
    json!([{
        "labelSelector": { "matchLabels": component.selector },
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
    }])
}

/// A probe by HTTP GET on a named port, or null when the profile has none.
pub fn probe(cluster: &Cluster, path: &str, port: &str, period_seconds: u32, failures: u32) -> Value {
    if !cluster.profile.flag("pod.probes") {
        return Value::Null;
    }
    json!({
        "failureThreshold": failures,
        "httpGet": { "path": path, "port": port },
        "periodSeconds": period_seconds,
        "timeoutSeconds": 3,
    })
}

/// Sets `startup`, `readiness` and `liveness` for a component that answers `/-/ready` and `/-/healthy`. The start-up
/// probe waits up to `startup_seconds`: replaying a WAL or loading index headers takes minutes.
pub fn probes(context: &mut Context, cluster: &Cluster, port: &str, startup_seconds: u32) {
    context
        .derived(
            "startup",
            probe(cluster, "/-/ready", port, 15, startup_seconds.div_ceil(15).max(1)),
            "probes of the profile",
        )
        .derived("readiness", probe(cluster, "/-/ready", port, 5, 20), "probes of the profile")
        .derived("liveness", probe(cluster, "/-/healthy", port, 30, 8), "probes of the profile");
}
