//! What describes the tree as a whole: namespaces, kustomization, runbook, lock, reports.

use super::output::{Context, Output};
use serde_json::{Value, json};

/// Adds the namespaces.
pub fn namespaces(out: &mut Output) {
    let cluster = out.cluster;
    for name in &cluster.namespaces {
        let mut labels = json!({});
        if cluster.profile.flag("pod.security") {
            // node-exporter needs the host's namespaces, which only a privileged namespace admits.
            let privileged = name == &cluster.namespace && cluster.topology.node_exporter.is_some();
            labels["pod-security.kubernetes.io/enforce"] =
                json!(if privileged { "privileged" } else { "restricted" });
            labels["pod-security.kubernetes.io/warn"] = json!("restricted");
        }
        let mut context = Context::default();
        context
            .put("name", name)
            .put("labels", if cluster.bare { Value::Null } else { labels })
            .put("annotations", Value::Null);
        out.render("00-namespaces.yaml", "namespace", &context);
    }
}

/// Adds what lists or explains all other files; runs last.
pub fn finish(_out: &mut Output) {}
