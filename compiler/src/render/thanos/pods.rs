//! The pod of one Thanos component under construction.

use serde_json::{Value, json};

use super::super::flags::Flags;
use super::super::output::{Context, Output};
use super::super::{bucket, pod, surround};
use crate::model::{Cluster, Component, Role};
use crate::topology::values::Size;

/// The label by which a tutorial's one headless Service finds whoever answers StoreAPI.
const STORE_API: &str = "thanos-store-api";

/// Where a component keeps its data.
pub const DATA: &str = "/data";

/// A pod under construction.
pub struct Pod<'a> {
    cluster: &'a Cluster,
    component: &'a Component,
    /// What the template may name.
    pub context: Context,
    access: Option<bucket::Access>,
    volumes: Vec<Value>,
    mounts: Vec<Value>,
    env: Vec<Value>,
}

impl<'a> Pod<'a> {
    /// A pod with what all pods have.
    pub fn new(cluster: &'a Cluster, component: &'a Component) -> Pod<'a> {
        let mut context = pod::context(cluster, component);
        context
            .put("claim", false)
            .put("pod_management", if cluster.bare { Value::Null } else { json!("Parallel") });
        if cluster.bare {
            let mut pod_labels = component.labels.clone();
            if super::serves_store_api(cluster, component) {
                pod_labels.insert(STORE_API.to_string(), "true".to_string());
            }
            context.put("labels", &component.selector).put("pod_labels", pod_labels);
            let mut ports = pod::container_ports(component);
            if let Some(ports) = ports.as_array_mut() {
                ports.sort_by_key(|port| port.get("name") != Some(&json!("http")));
            }
            context.put("ports", ports);
        }
        let access = match component.role {
            Role::Store | Role::Compact | Role::Ruler | Role::Receive => bucket::access(cluster),
            _ => None,
        };
        Pod { cluster, component, context, access, volumes: Vec::new(), mounts: Vec::new(), env: Vec::new() }
    }

    /// Probes of the profile; `tutorial` is what `bare` has instead, as (path of readiness, port, delays of liveness
    /// and readiness).
    pub fn probes(&mut self, startup_seconds: u32, tutorial: Option<(&str, Value, Option<[u32; 2]>)>) {
        pod::probes(&mut self.context, self.cluster, "http", startup_seconds);
        if !self.cluster.bare || self.cluster.profile.flag("pod.probes") {
            return;
        }
        let Some((readiness, port, delays)) = tutorial else { return };
        let probe = |path: &str, delay: Option<u32>| {
            let mut probe = json!({ "httpGet": { "path": path, "port": port } });
            if let Some(delay) = delay {
                probe["initialDelaySeconds"] = json!(delay);
            }
            probe
        };
        self.context
            .put("liveness", probe("/-/healthy", delays.map(|delays| delays[0])))
            .put("readiness", probe(readiness, delays.map(|delays| delays[1])));
    }

    /// Mounts the data volume. Without a claim the data lives as long as the pod.
    pub fn data(&mut self) {
        if self.component.disk.is_some() {
            self.context.put("claim", true);
        } else if self.cluster.bare {
            return;
        } else {
            self.volumes.push(json!({ "name": "data", "emptyDir": {} }));
        }
        self.mounts.push(json!({ "name": "data", "mountPath": DATA }));
    }

    /// Adds the bucket's flag and whatever it needs in the pod.
    pub fn bucket(&mut self, flags: &mut Flags) {
        let Some(access) = &self.access else { return };
        flags.flag("--objstore.config-file", &access.file);
        self.volumes.extend(access.volumes.iter().cloned());
        self.mounts.extend(access.mounts.iter().cloned());
        self.env.extend(access.env.iter().cloned());
    }

    /// Mounts a volume read-only, once: `source` is the volume without its name.
    pub fn mount(&mut self, name: &str, mut source: Value, path: &str) {
        if self.volumes.iter().any(|volume| volume.get("name") == Some(&json!(name))) {
            return;
        }
        source["name"] = json!(name);
        self.volumes.push(source);
        self.mounts.push(json!({ "name": name, "mountPath": path, "readOnly": true }));
    }

    /// Sets `$(POD_NAME)`.
    pub fn pod_name(&mut self) {
        self.env.push(
            json!({ "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }),
        );
    }

    /// Tells the Go runtime how much memory there is, so that it collects before the kernel kills.
    fn memory_limit(&mut self, flags: &mut Flags) {
        let Some(resources) = &self.component.resources else { return };
        if flags.has("--enable-auto-gomemlimit") {
            flags.switch("--enable-auto-gomemlimit");
        } else if let Some(limit) = Size::parse(&resources.memory) {
            self.env.push(json!({ "name": "GOMEMLIMIT", "value": (limit.bytes / 10 * 9).to_string() }));
        }
    }

    /// Adds the workload and what surrounds it, with the user's own flags last.
    pub fn finish(mut self, out: &mut Output, file: &str, template: &str, mut flags: Flags) {
        self.memory_limit(&mut flags);
        let args = flags.user(self.cluster, self.component.role.word()).finish();
        let some = |list: Vec<Value>| if list.is_empty() { Value::Null } else { Value::Array(list) };
        self.context
            .derived("args", args, "the graph, the profile and the version")
            .put("env", some(self.env))
            .put("mounts", some(self.mounts))
            .put("volumes", some(self.volumes));
        if let Some(access) = self.access {
            surround::account(out, file, self.component, access.account_annotations, false);
        }
        surround::account(out, file, self.component, Value::Null, false);
        out.render(file, template, &self.context);
        surround::budget(out, file, self.component);
        surround::network(out, file, self.component);
    }
}
