//! node-exporter on every node.

use serde_json::{Value, json};

use crate::facts::Program;
use crate::model::{Cluster, Component, Role};
use crate::render::flags::Flags;
use crate::render::output::Output;
use crate::render::{pod, surround};

const FILE: &str = "41-node-exporter.yaml";

/// Mount points that belong to containers, not to the node.
const MOUNT_POINTS: &str = "^/(dev|proc|run|sys|var/lib/(containerd|containers|docker|kubelet/pods))(/.*)?$";
/// File systems that hold no data of the node.
const FILE_SYSTEMS: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fuse.*|hugetlbfs|mqueue|\
                            nsfs|overlay|proc|pstore|securityfs|squashfs|sysfs|tmpfs|tracefs)$";
/// Network devices of single pods.
const DEVICES: &str = "^(cali|cilium|cni|flannel|lxc|tunl|veth|virbr).*$";

/// Adds it, when it is deployed here.
pub(super) fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(component) = cluster.first(Role::NodeExporter) else { return };
    let port = component.ports.first().map_or(9100, |port| port.number);
    let mut context = pod::context(cluster, component);
    context
        .put("args", arguments(cluster, component))
        .put("pod_security", security(cluster, component))
        .put(
            "ports",
            // Named after what it is: with the host's network, the port is taken on the node.
            [json!({ "name": "http-metrics", "containerPort": port, "hostPort": port })],
        )
        .put("readiness", pod::probe(cluster, "/", "http-metrics", 10, 3))
        .put("liveness", pod::probe(cluster, "/", "http-metrics", 30, 4));
    surround::account(out, FILE, component, Value::Null, false);
    out.render(FILE, "node-exporter", &context);
    surround::services(out, FILE, component);
}

/// As for other pods, without a group for volumes: the node's folders keep their owners.
fn security(cluster: &Cluster, component: &Component) -> Value {
    let mut security = pod::pod_security(cluster, component.user);
    if let Some(fields) = security.as_object_mut() {
        fields.shift_remove("fsGroup");
        fields.shift_remove("fsGroupChangePolicy");
    }
    security
}

fn arguments(cluster: &Cluster, component: &Component) -> Vec<String> {
    let port = component.ports.first().map_or(9100, |port| port.number);
    let mut flags = Flags::new(Program::NodeExporter, cluster.versions.node_exporter);
    flags
        .flag("--web.listen-address", format!(":{port}"))
        .flag("--path.procfs", "/host/proc")
        .flag("--path.sysfs", "/host/sys")
        .flag("--path.rootfs", "/host/root")
        .switch("--no-collector.wifi");
    // Both names exist for a while; a release must not get both.
    for (new, old, value) in [
        (
            "--collector.filesystem.mount-points-exclude",
            "--collector.filesystem.ignored-mount-points",
            MOUNT_POINTS,
        ),
        ("--collector.filesystem.fs-types-exclude", "--collector.filesystem.ignored-fs-types", FILE_SYSTEMS),
        ("--collector.netdev.device-exclude", "--collector.netdev.device-blacklist", DEVICES),
    ] {
        let name = if flags.has(new) { new } else { old };
        flags.flag(name, value);
    }
    flags.flag("--collector.netclass.ignored-devices", DEVICES);
    flags.user(cluster, "node-exporter").finish()
}
