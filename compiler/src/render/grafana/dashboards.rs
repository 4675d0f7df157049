//! Which dashboards a deployment has something to show on.

use std::sync::Arc;

use crate::embedded::DASHBOARDS;
use crate::model::{Cluster, Role};

/// Dashboards for what is deployed: file name and text.
pub(super) fn wanted(cluster: &Cluster) -> Vec<(&'static str, Arc<str>)> {
    DASHBOARDS
        .iter()
        .filter(|(file, _)| is_wanted(cluster, file.trim_end_matches(".json")))
        .map(|(file, text)| (*file, Arc::from(*text)))
        .collect()
}

fn is_wanted(cluster: &Cluster, name: &str) -> bool {
    let has = |role: Role| cluster.first(role).is_some();
    match name {
        "alertmanager" => has(Role::Alertmanager),
        "prometheus" => has(Role::Prometheus),
        "thanos-compact" => has(Role::Compact),
        "thanos-query" => has(Role::Query),
        "thanos-receive" => has(Role::Receive),
        "thanos-ruler" => has(Role::Ruler),
        "thanos-sidecar" => cluster.prometheus.iter().any(|group| group.sidecar),
        "thanos-store" => has(Role::Store),
        _ => true,
    }
}
