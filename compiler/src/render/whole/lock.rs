//! `topology.lock.json`: what the folder was made from, and which files are its own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{kustomization, pretty};
use crate::model::Cluster;
use crate::render::output::Output;

/// Adds it; runs last, so that it lists everything.
pub(super) fn render(out: &mut Output) {
    let cluster = out.cluster;
    let mut files = kustomization::files(out);
    let folder = cluster.folder.len();
    files.extend(out.texts().iter().map(|text| text.path.get(folder..).unwrap_or_default().to_string()));
    files.push("topology.lock.json".to_string());
    files.sort();
    files.dedup();
    let lock = json!({
        "pronoia": env!("CARGO_PKG_VERSION"),
        "topology": cluster.name,
        "profile": profile(cluster),
        "versions": versions(cluster),
        "images": images(out),
        "shards": shards(cluster),
        "files": files,
    });
    out.text("topology.lock.json", vec![pretty(&lock).into()]);
}

/// Name and version of the profile, as its defaults call themselves.
fn profile(cluster: &Cluster) -> String {
    match cluster.profile.text("pod.security").origin {
        crate::pipeline::Origin::Default(name) if name.starts_with(&format!("{}@", cluster.profile.name)) => {
            name.split('/').next().unwrap_or_default().to_string()
        }
        _ => cluster.profile.name.clone(),
    }
}

fn versions(cluster: &Cluster) -> Value {
    let versions = &cluster.versions;
    json!({
        "kubernetes": versions.kubernetes.to_string(),
        "prometheus": versions.prometheus.to_string(),
        "thanos": versions.thanos.to_string(),
        "alertmanager": versions.alertmanager.to_string(),
        "kube-state-metrics": versions.kube_state_metrics.to_string(),
        "node-exporter": versions.node_exporter.to_string(),
        "grafana": versions.grafana.to_string(),
    })
}

/// Image of every container, by `Kind/name/container`.
fn images(out: &Output) -> Value {
    let mut images: BTreeMap<String, String> = BTreeMap::new();
    for object in &out.objects {
        let pod = object.value.pointer("/spec/template/spec");
        for key in ["initContainers", "containers"] {
            let containers = pod.and_then(|pod| pod.get(key)).and_then(Value::as_array);
            for container in containers.into_iter().flatten() {
                let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
                images.insert(format!("{}/{}", object.title(), text("name")), text("image").to_string());
            }
        }
    }
    json!(images)
}

/// How targets are divided, for the groups that divide them: what a later reshard is compared with.
fn shards(cluster: &Cluster) -> Value {
    let mut groups = Map::new();
    for group in cluster.prometheus.iter().filter(|group| group.sharded()) {
        let slots: Vec<usize> =
            (0..group.plan.count()).map(|shard| group.plan.residues(shard).len()).collect();
        groups.insert(
            group.base.clone(),
            json!({
                "count": group.plan.count(),
                "strategy": group.plan.strategy().word(),
                "modulus": group.plan.modulus(),
                "residues_per_shard": slots,
            }),
        );
    }
    Value::Object(groups)
}
