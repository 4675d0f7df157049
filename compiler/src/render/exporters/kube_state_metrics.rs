//! kube-state-metrics: a role that holds exactly what it is told to watch.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::facts::{Program, Version};
use crate::model::{Cluster, Component, Role};
use crate::render::flags::{Flags, user_flags};
use crate::render::output::{Context, Output};
use crate::render::{pod, surround};

const FILE: &str = "40-kube-state-metrics.yaml";

/// Every resource that it knows, with its API group.
const RESOURCES: &[(&str, &str)] = &[
    ("certificatesigningrequests", "certificates.k8s.io"),
    ("clusterrolebindings", "rbac.authorization.k8s.io"),
    ("clusterroles", "rbac.authorization.k8s.io"),
    ("configmaps", ""),
    ("cronjobs", "batch"),
    ("daemonsets", "apps"),
    ("deployments", "apps"),
    ("endpoints", ""),
    ("endpointslices", "discovery.k8s.io"),
    ("horizontalpodautoscalers", "autoscaling"),
    ("ingressclasses", "networking.k8s.io"),
    ("ingresses", "networking.k8s.io"),
    ("jobs", "batch"),
    ("leases", "coordination.k8s.io"),
    ("limitranges", ""),
    ("mutatingwebhookconfigurations", "admissionregistration.k8s.io"),
    ("namespaces", ""),
    ("networkpolicies", "networking.k8s.io"),
    ("nodes", ""),
    ("persistentvolumeclaims", ""),
    ("persistentvolumes", ""),
    ("poddisruptionbudgets", "policy"),
    ("pods", ""),
    ("replicasets", "apps"),
    ("replicationcontrollers", ""),
    ("resourcequotas", ""),
    ("rolebindings", "rbac.authorization.k8s.io"),
    ("roles", "rbac.authorization.k8s.io"),
    ("secrets", ""),
    ("serviceaccounts", ""),
    ("services", ""),
    ("statefulsets", "apps"),
    ("storageclasses", "storage.k8s.io"),
    ("validatingwebhookconfigurations", "admissionregistration.k8s.io"),
    ("volumeattachments", "storage.k8s.io"),
];

/// What is watched unless the user says otherwise: workloads and what they stand on, nothing that can hold a secret.
const WATCHED: &[&str] = &[
    "cronjobs",
    "daemonsets",
    "deployments",
    "horizontalpodautoscalers",
    "ingresses",
    "jobs",
    "limitranges",
    "namespaces",
    "networkpolicies",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets",
    "pods",
    "replicasets",
    "replicationcontrollers",
    "resourcequotas",
    "services",
    "statefulsets",
    "storageclasses",
    "volumeattachments",
];

/// Adds it, when it is deployed here.
pub(super) fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(component) = cluster.first(Role::KubeStateMetrics) else { return };
    let labels = if cluster.bare {
        json!({
            "app.kubernetes.io/name": "kube-state-metrics",
            "app.kubernetes.io/version": cluster.versions.kube_state_metrics.to_string(),
        })
    } else {
        json!(component.labels)
    };
    permissions(out, component, &labels);
    deployment(out, component);
    service(out, component);
    surround::network(out, FILE, component);
}

fn permissions(out: &mut Output, component: &Component, labels: &Value) {
    let cluster = out.cluster;
    let Some(account) = &component.service_account else { return };
    let role = if cluster.bare {
        "kube-state-metrics".to_string()
    } else {
        format!("{}-{}", component.namespace, component.name)
    };
    let mut context = Context::default();
    context
        .put("name", account)
        .put("namespace", &component.namespace)
        .put("labels", labels)
        .put("annotations", Value::Null)
        .put("automount", if cluster.bare { Value::Null } else { json!(true) });
    out.render(FILE, "serviceaccount", &context);
    let rules = if cluster.bare { tutorial_rules() } else { rules(&watched(cluster)) };
    context
        .put("name", &role)
        .derived("rules", rules, "what `--resources` lists")
        .put("role", &role)
        .put("subject", account)
        .put("subject_namespace", &component.namespace);
    out.render(FILE, "clusterrole", &context);
    out.render(FILE, "clusterrolebinding", &context);
}

/// What it watches: the user's own `--resources`, or our list.
fn watched(cluster: &Cluster) -> Vec<String> {
    user_flags(cluster, "kube-state-metrics")
        .into_iter()
        .rev()
        .find(|(flag, _)| flag == "--resources")
        .map_or_else(
            || WATCHED.iter().map(ToString::to_string).collect(),
            |(_, list)| list.split(',').map(|resource| resource.trim().to_string()).collect(),
        )
}

fn rules(watched: &[String]) -> Vec<Value> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (resource, group) in
        RESOURCES.iter().filter(|(name, _)| watched.iter().any(|watched| watched == name))
    {
        groups.entry(group).or_default().push(resource);
    }
    groups
        .iter()
        .map(|(group, resources)| json!({ "apiGroups": [group], "resources": resources, "verbs": ["list", "watch"] }))
        .collect()
}

fn deployment(out: &mut Output, component: &Component) {
    let cluster = out.cluster;
    let version = cluster.versions.kube_state_metrics;
    let mut context = pod::context(cluster, component);
    // Since 2.13 each of the two ports says whether its own part works.
    let (live, ready) =
        if version >= Version::new(2, 13, 0) { ("/livez", "/readyz") } else { ("/healthz", "/") };
    context
        .put("startup", pod::probe(cluster, ready, "telemetry", 5, 60))
        .put("readiness", pod::probe(cluster, ready, "telemetry", 10, 3))
        .put("liveness", pod::probe(cluster, live, "http", 30, 4));
    if cluster.bare {
        context
            .put("labels", Value::Null)
            .put("args", Value::Null)
            .put("ports", [json!({ "containerPort": 8080 })]);
    } else {
        let mut flags = Flags::new(Program::KubeStateMetrics, version);
        flags
            .flag("--port", 8080)
            .flag("--telemetry-port", 8081)
            .flag("--resources", watched(cluster).join(","))
            .switch("--auto-gomemlimit");
        let args = flags.user(cluster, "kube-state-metrics").finish();
        context.put("args", args).put("automount", true);
    }
    out.render(FILE, "kube-state-metrics", &context);
}

fn service(out: &mut Output, component: &Component) {
    if !out.cluster.bare {
        surround::services(out, FILE, component);
        return;
    }
    let mut context = Context::default();
    context
        .put("name", &component.service)
        .put("namespace", &component.namespace)
        .put("labels", &component.labels)
        .put("annotations", json!({ "prometheus.io/scrape": "true" }))
        .put("headless", false)
        .put("type", Value::Null)
        .put("selector", &component.selector)
        .put(
            "ports",
            [json!({ "name": "kube-state-metrics", "port": 8080, "target": null, "protocol": "TCP" })],
        );
    out.render(FILE, "service", &context);
}

/// The tutorial's role: written for release 1.9.7, with API groups that Kubernetes has given up since.
fn tutorial_rules() -> Vec<Value> {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    let watch = |group: &str, resources: &[&str]| rule(group, resources, &["list", "watch"]);
    vec![
        watch(
            "",
            &[
                "configmaps",
                "secrets",
                "nodes",
                "pods",
                "services",
                "resourcequotas",
                "replicationcontrollers",
                "limitranges",
                "persistentvolumeclaims",
                "persistentvolumes",
                "namespaces",
                "endpoints",
            ],
        ),
        watch("extensions", &["daemonsets", "deployments", "replicasets", "ingresses"]),
        watch("apps", &["statefulsets", "daemonsets", "deployments", "replicasets"]),
        watch("batch", &["cronjobs", "jobs"]),
        watch("autoscaling", &["horizontalpodautoscalers"]),
        rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
        rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
        watch("policy", &["poddisruptionbudgets"]),
        watch("certificates.k8s.io", &["certificatesigningrequests"]),
        watch("storage.k8s.io", &["storageclasses", "volumeattachments"]),
        watch(
            "admissionregistration.k8s.io",
            &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        ),
        watch("networking.k8s.io", &["networkpolicies"]),
        watch("coordination.k8s.io", &["leases"]),
    ]
}
