//! Storage classes and the NFS provisioner.

use serde_json::{Map, Value, json};

use super::bucket::loose_labels;
use super::output::{Context, Output};
use super::{pod, surround};
use crate::model::{Component, Role, Sourced};
use crate::topology::nodes::kubernetes::{Nfs, Storage};

const FILE: &str = "10-storage.yaml";

/// Adds storage classes.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let mut provisioners = cluster.with_role(Role::NfsProvisioner);
    for storage in &cluster.topology.storage {
        let component = storage.nfs.as_ref().and_then(|_| provisioners.next());
        class(out, storage);
        if let (Some(nfs), Some(component)) = (&storage.nfs, component) {
            provisioner(out, nfs, component);
        }
    }
}

/// Name under which the class and the provisioner know each other.
fn provisioner_name(out: &Output, storage: &str, nfs: &Nfs) -> Sourced<String> {
    nfs.provisioner.as_ref().map_or_else(
        || {
            let cluster = out.cluster;
            let name = format!("nfs.{}/{storage}", cluster.cluster_wide_name("pronoia"));
            Sourced::derived(name, "the name of the storage class")
        },
        crate::model::profile::line,
    )
}

fn class(out: &mut Output, storage: &Storage) {
    let cluster = out.cluster;
    let name = &storage.name.value;
    let mut parameters: Map<String, Value> = storage
        .parameters
        .iter()
        .flat_map(|parameters| &parameters.parameters)
        .map(|(key, value)| (key.value.clone(), json!(value.value)))
        .collect();
    let provisioner = match (&storage.nfs, &storage.provisioner) {
        (Some(nfs), _) => {
            if let Some(archive) = &nfs.archive_on_delete {
                parameters.insert("archiveOnDelete".to_string(), json!(archive.value.to_string()));
            }
            provisioner_name(out, name, nfs)
        }
        (None, Some(provisioner)) => crate::model::profile::line(provisioner),
        // The model has reported it.
        (None, None) => Sourced::derived(String::new(), "no provisioner"),
    };
    let default = storage.default.as_ref().is_some_and(|default| default.value);
    let expand = match &storage.expand {
        Some(expand) => json!(expand.value),
        None if cluster.bare || storage.nfs.is_some() => Value::Null,
        None => json!(true),
    };
    let mut context = Context::default();
    context
        .sourced("name", &crate::model::profile::line(&storage.name))
        // A class has no namespace; the tutorial writes one, and the API server drops it.
        .put("namespace", if cluster.bare { json!(cluster.namespace) } else { Value::Null })
        .put("labels", loose_labels(cluster, "storage"))
        .put(
            "annotations",
            if default {
                json!({ "storageclass.kubernetes.io/is-default-class": "true" })
            } else {
                Value::Null
            },
        )
        .sourced("provisioner", &provisioner)
        .put("parameters", if parameters.is_empty() { Value::Null } else { Value::Object(parameters) })
        .put("expand", expand)
        .put("reclaim", if cluster.bare { Value::Null } else { json!("Delete") })
        // A volume is made where its pod goes: in the right zone, never before.
        .put(
            "binding",
            if cluster.bare || storage.nfs.is_some() { Value::Null } else { json!("WaitForFirstConsumer") },
        );
    out.render(FILE, "storageclass", &context);
}

fn provisioner(out: &mut Output, nfs: &Nfs, component: &Component) {
    let cluster = out.cluster;
    let storage = cluster
        .topology
        .storage
        .iter()
        .find(|storage| storage.nfs.as_ref().is_some_and(|other| other.span == nfs.span))
        .map_or("", |storage| storage.name.value.as_str());
    let (server, path) = nfs.export.value.split_once(':').unwrap_or((nfs.export.value.as_str(), "/"));
    let mut context = pod::context(cluster, component);
    context
        .put("container", if cluster.bare { component.name.as_str() } else { "nfs-provisioner" })
        .sourced("provisioner", &provisioner_name(out, storage, nfs))
        .put("server", server)
        .put("path", path)
        .put("automount", if cluster.bare { Value::Null } else { json!(true) });
    out.render(FILE, "nfs-provisioner", &context);
    surround::account(out, FILE, component, Value::Null, true);
    roles(out, component);
}

fn rule(resources: &[&str], group: &str, verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
}

const READ: &[&str] = &["get", "list", "watch"];

fn roles(out: &mut Output, component: &Component) {
    let cluster = out.cluster;
    let Some(account) = &component.service_account else { return };
    let (role, binding, locking) = if cluster.bare {
        (
            "nfs-client-provisioner-runner".to_string(),
            "run-nfs-client-provisioner".to_string(),
            "leader-locking-nfs-client-provisioner".to_string(),
        )
    } else {
        let wide = format!("{}-{}", component.namespace, component.name);
        (wide.clone(), wide, format!("{}-leader", component.name))
    };
    let wide_rules = [
        rule(&["nodes"], "", READ),
        rule(&["persistentvolumes"], "", &["get", "list", "watch", "create", "delete"]),
        rule(&["persistentvolumeclaims"], "", &["get", "list", "watch", "update"]),
        rule(&["storageclasses"], "storage.k8s.io", READ),
        rule(&["events"], "", &["create", "update", "patch"]),
    ];
    // Old releases take the lock on an Endpoints object, which Kubernetes is about to give up.
    let lock = if cluster.bare {
        rule(&["endpoints"], "", &["get", "list", "watch", "create", "update", "patch"])
    } else {
        rule(&["leases"], "coordination.k8s.io", &["get", "list", "watch", "create", "update", "patch"])
    };
    let labels = if cluster.bare { Value::Null } else { json!(component.labels) };
    let mut context = Context::default();
    context
        .put("name", &role)
        .put("labels", labels)
        .put("rules", wide_rules)
        .put("role", &role)
        .put("subject", account)
        .put("subject_namespace", &component.namespace)
        .put("namespace", &component.namespace);
    out.render(FILE, "clusterrole", &context);
    context.put("name", &binding);
    out.render(FILE, "clusterrolebinding", &context);
    context.put("name", &locking).put("role", &locking).put("rules", [lock]);
    out.render(FILE, "role", &context);
    out.render(FILE, "rolebinding", &context);
}
