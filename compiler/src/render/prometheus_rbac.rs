//! What Prometheus may read: the service account, and roles computed from the jobs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::output::{Context, Output};
use super::{bucket, surround};
use crate::model::scrape::{PolicyRule, permissions};
use crate::model::{Component, PrometheusGroup};

const FILE: &str = "20-rbac.yaml";

/// Adds the account and the roles of one group.
pub fn render(out: &mut Output, group: &PrometheusGroup, component: &Component) {
    let cluster = out.cluster;
    let Some(account) = component.service_account.clone() else { return };
    // All shards share the account and what it may do.
    let mut component = component.clone();
    component.labels.remove("shard");
    let component = &component;
    let annotations = bucket::access(cluster)
        .filter(|_| group.sidecar)
        .map_or(Value::Null, |access| access.account_annotations);
    surround::account(out, FILE, component, annotations, true);
    if cluster.bare {
        cluster_role(out, group, component, &account, tutorial_rules());
        return;
    }
    let needs = permissions(&group.jobs);
    let (wide, narrow): (Vec<PolicyRule>, Vec<PolicyRule>) =
        needs.into_iter().partition(|rule| rule.namespaces.is_none());
    if !wide.is_empty() {
        cluster_role(out, group, component, &account, wide.iter().map(rule).collect());
    }
    let mut by_namespace: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for need in &narrow {
        for namespace in need.namespaces.iter().flatten() {
            by_namespace.entry(namespace).or_default().push(rule(need));
        }
    }
    for (namespace, rules) in by_namespace {
        let mut context = Context::default();
        // Elsewhere the name must say whose role it is.
        let name = match namespace == component.namespace {
            true => group.base.clone(),
            false => cluster.cluster_wide_name_of(&group.base),
        };
        context.put("name", &name).put("namespace", namespace).put("labels", &component.labels).derived(
            "rules",
            rules,
            "the least that the jobs need in this namespace",
        );
        out.render(FILE, "role", &context);
        context.put("role", &name).put("subject", &account).put("subject_namespace", &component.namespace);
        out.render(FILE, "rolebinding", &context);
    }
}

fn rule(need: &PolicyRule) -> Value {
    let mut rule = json!({ "verbs": need.verbs });
    if need.non_resource_urls.is_empty() {
        rule["apiGroups"] = json!(need.api_groups);
        rule["resources"] = json!(need.resources);
    } else {
        rule["nonResourceURLs"] = json!(need.non_resource_urls);
    }
    rule
}

fn cluster_role(
    out: &mut Output,
    group: &PrometheusGroup,
    component: &Component,
    account: &str,
    rules: Vec<Value>,
) {
    let cluster = out.cluster;
    let name = cluster.cluster_wide_name_of(&group.base);
    let mut context = Context::default();
    context
        .put("name", &name)
        .put("labels", if cluster.bare { Value::Null } else { json!(component.labels) })
        .derived("rules", rules, "the least that the jobs need");
    out.render(FILE, "clusterrole", &context);
    context.put("role", &name).put("subject", account).put("subject_namespace", &component.namespace);
    out.render(FILE, "clusterrolebinding", &context);
}

/// The tutorial's hand-written role, wider than anything needs.
fn tutorial_rules() -> Vec<Value> {
    vec![
        json!({
            "apiGroups": [""],
            "resources": ["nodes", "services", "endpoints", "pods", "nodes/proxy"],
            "verbs": ["get", "list", "watch"],
        }),
        json!({ "apiGroups": ["extensions"], "resources": ["ingresses"], "verbs": ["get", "list", "watch"] }),
        json!({ "apiGroups": [""], "resources": ["configmaps", "nodes/metrics"], "verbs": ["get"] }),
        json!({ "nonResourceURLs": ["/metrics"], "verbs": ["get"] }),
    ]
}
