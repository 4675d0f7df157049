//! What Prometheus may read: the service account, and roles computed from the jobs.

use serde_json::{Value, json};

use super::output::{Context, Output};
use super::{bucket, surround};
use crate::model::{Component, PrometheusGroup};

const FILE: &str = "20-rbac.yaml";

/// Adds the account and the roles of one group.
pub fn render(out: &mut Output, _index: usize, group: &PrometheusGroup, component: &Component) {
    let cluster = out.cluster;
    let Some(account) = component.service_account.clone() else { return };
    let annotations = bucket::access(cluster)
        .filter(|_| group.sidecar)
        .map_or(Value::Null, |access| access.account_annotations);
    surround::account(out, FILE, component, annotations, true);
    let rules = if cluster.bare { tutorial_rules() } else { Vec::new() };
    if rules.is_empty() {
        return;
    }
    let name = cluster.cluster_wide_name_of(&group.base);
    let mut context = Context::default();
    context
        .put("name", &name)
        .put("labels", if cluster.bare { Value::Null } else { json!(component.labels) })
        .derived("rules", rules, "the least that the jobs need");
    out.render(FILE, "clusterrole", &context);
    context.put("role", &name).put("subject", &account).put("subject_namespace", &component.namespace);
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
