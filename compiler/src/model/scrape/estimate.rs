//! Active series of a job, from round numbers per target. A measured number always beats these.

use super::{Job, Surroundings};
use crate::topology::nodes::scrape::Preset;

/// Series of all targets of a job together; `None` when nobody told how many targets there are.
pub(super) fn series(job: &Job, around: &Surroundings) -> Option<u64> {
    let sizes = around.sizes;
    let nodes = sizes.nodes.map(u64::from);
    let pods = sizes.pods.map(u64::from);
    let fixed: usize = job.config.static_configs.iter().map(|group| group.targets.len()).sum();
    let fixed = (fixed > 0).then_some(fixed as u64);
    match job.preset {
        Preset::Kubelet => nodes.map(|nodes| nodes * 3000),
        Preset::Cadvisor => pods.map(|pods| pods * 150),
        Preset::NodeExporter => nodes.map(|nodes| nodes * 800),
        Preset::KubeStateMetrics => Some(pods? * 30 + nodes.unwrap_or(0) * 20),
        Preset::AnnotatedServices | Preset::Pods => Some(pods? * u64::from(sizes.series_per_pod?)),
        // Three control-plane nodes are the usual number.
        Preset::Apiserver => Some(fixed.unwrap_or(3) * 8000),
        Preset::Etcd => Some(fixed.unwrap_or(3) * 2500),
        Preset::Coredns => Some(fixed.unwrap_or(2) * 700),
        Preset::Blackbox => fixed.map(|targets| targets * 20),
        Preset::Static | Preset::File | Preset::Federate | Preset::Raw => None,
        Preset::Itself | Preset::Thanos | Preset::Alertmanager | Preset::Minio | Preset::Grafana => {
            let replicas: u64 = around
                .components
                .iter()
                .filter(|component| job.component.as_deref() == Some(component.job.as_str()))
                .filter(|component| job.preset != Preset::Itself || component.group == around.group)
                .map(|component| u64::from(component.replicas))
                .sum();
            let each = match job.preset {
                Preset::Itself => 2500,
                Preset::Alertmanager => 700,
                _ => 1500,
            };
            fixed.or((replicas > 0).then_some(replicas)).map(|targets| targets * each)
        }
    }
}
