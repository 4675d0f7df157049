//! Other Deployments, for instance one to test alerts with.

use serde_json::{Value, json};

use super::output::Output;
use super::{pod, surround};
use crate::model::Role;

const FILE: &str = "90-workloads.yaml";

/// Adds workloads.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    for component in cluster.with_role(Role::Workload) {
        let container = component.labels.get("app").cloned().unwrap_or_else(|| component.name.clone());
        let mut context = pod::context(cluster, component);
        context.put("container", container);
        if cluster.bare {
            let ports: Vec<Value> =
                component.ports.iter().map(|port| json!({ "containerPort": port.number })).collect();
            context
                .put(
                    "namespace",
                    if component.namespace == "default" { Value::Null } else { json!(component.namespace) },
                )
                .put("labels", Value::Null)
                .put("ports", if ports.is_empty() { Value::Null } else { json!(ports) })
                .put("mounts", Value::Null)
                .put("volumes", Value::Null);
        } else {
            context
                // Nothing is known of the image; nobody is the user that needs least.
                .put("pod_security", pod::pod_security(cluster, 65534))
                .put("mounts", [json!({ "name": "tmp", "mountPath": "/tmp" })])
                .put("volumes", [json!({ "name": "tmp", "emptyDir": {} })]);
        }
        out.render(FILE, "workload", &context);
        surround::budget(out, FILE, component);
    }
}
