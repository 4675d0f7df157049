//! The jobs of every Prometheus group: what the scrape presets need to know about the rest of the cluster.

use super::local::{Local, Process};
use super::scrape::config::Limits;
use super::scrape::{self, Component, Sizes, Surroundings};
use super::shards::ShardPlan;
use super::{Cluster, PrometheusGroup, Role};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::components::is_external;
use crate::render::prometheus_config::remotes;
use crate::topology::nodes::scrape::Preset;

/// Folder below which Secrets are mounted in Prometheus pods.
pub const SECRETS_DIR: &str = "/etc/prometheus/secrets";
/// The same for plain processes, seen from the folder of the configuration.
const LOCAL_SECRETS_DIR: &str = "../secrets";

/// Resolves the jobs of all groups of a cluster.
pub fn resolve(cluster: &mut Cluster, diagnostics: &mut Vec<Diagnostic>) {
    let components = scrapeable(cluster);
    let mut left_out = cluster.local.as_ref().map(|_| Local::default());
    let mut resolved = Vec::new();
    for group in &cluster.prometheus {
        let plan = ShardPlan::new(group.shards.value, group.strategy, group.slots, &group.weights);
        let around = surroundings(cluster, group, plan.clone(), components.clone());
        let (mut jobs, mut findings) = scrape::jobs(&group.node, &around);
        if let Some(local) = &mut left_out {
            if cluster.bare {
                // As `bare` has it: a tutorial's habits are no errors.
                let habits = findings.iter_mut().filter(|found| !found.code.starts_with("KDL"));
                habits.for_each(|found| found.severity = Severity::Info);
            }
            reachable(&mut jobs, group, local);
        }
        diagnostics.extend(findings);
        let (remotes, findings) = remotes(&group.node, &around);
        diagnostics.extend(findings);
        resolved.push((plan, jobs, remotes));
    }
    if !cluster.prometheus.is_empty() && !cluster.bare {
        let running: Vec<Component> = match cluster.local {
            Some(_) => components.into_iter().filter(|component| !component.targets.is_empty()).collect(),
            None => components,
        };
        let all: Vec<&[scrape::Job]> = resolved.iter().map(|(_, jobs, _)| jobs.as_slice()).collect();
        diagnostics.extend(scrape::unscraped(&all, &running));
    }
    for (group, (plan, jobs, remotes)) in cluster.prometheus.iter_mut().zip(resolved) {
        group.plan = plan;
        group.jobs = jobs;
        group.remotes = remotes;
    }
    if let (Some(local), Some(more)) = (&mut cluster.local, left_out) {
        more.left_out.into_iter().for_each(|entry| local.leave_out(entry.what, entry.why));
    }
}

/// Keeps the jobs that find their targets without Kubernetes, and notes the others.
fn reachable(jobs: &mut Vec<scrape::Job>, group: &PrometheusGroup, local: &mut Local) {
    let whose = group.name.as_ref().map_or(String::new(), |name| format!(" of group {name}"));
    for scrape in &group.node.scrapes {
        if !jobs.iter().any(|job| job.span == scrape.span) {
            let what = format!("scrape {}{whose}", scrape.preset.value.word());
            local.leave_out(what, "there is no Kubernetes to ask for targets");
        }
    }
    jobs.retain(|job| {
        let config = &job.config;
        let nobody = !config.static_configs.is_empty()
            && config.static_configs.iter().all(|group| group.targets.is_empty());
        let why = match () {
            () if !config.kubernetes_sd_configs.is_empty() => "there is no Kubernetes to ask for targets",
            () if job.preset == Preset::Blackbox => "there is no blackbox-exporter to probe with",
            () if nobody => "what it scrapes does not run here",
            () => return true,
        };
        local.leave_out(format!("job {}{whose}", job.name), why);
        false
    });
}

fn surroundings(
    cluster: &Cluster,
    group: &PrometheusGroup,
    plan: ShardPlan,
    components: Vec<Component>,
) -> Surroundings {
    let estimate = cluster.topology.estimate.as_ref();
    let mut external_labels: Vec<String> =
        group.external_labels.iter().map(|(name, _)| name.clone()).collect();
    if group.sharded() {
        external_labels.push(group.shard_label.value.clone());
    }
    Surroundings {
        namespace: cluster.namespace.clone(),
        group: group.name.clone(),
        bare: cluster.bare && cluster.local.is_none(),
        local: cluster.local.is_some(),
        kubernetes: cluster.versions.kubernetes,
        prometheus: cluster.versions.prometheus,
        plan,
        replica_label: group.replica_label.value.clone(),
        external_labels,
        interval: group.interval.value,
        timeout: group.timeout.value,
        components,
        sizes: Sizes {
            nodes: estimate.and_then(|e| e.nodes.as_ref()).map(|n| n.value),
            pods: estimate.and_then(|e| e.pods.as_ref()).map(|n| n.value),
            series_per_pod: estimate.and_then(|e| e.series_per_pod.as_ref()).map(|n| n.value),
        },
        limits: Limits::default(),
        secrets_dir: if cluster.local.is_some() { LOCAL_SECRETS_DIR } else { SECRETS_DIR }.to_string(),
    }
}

/// Everything that runs in the cluster and has metrics.
fn scrapeable(cluster: &Cluster) -> Vec<Component> {
    let mut out = Vec::new();
    for component in &cluster.components {
        let port = match component.role {
            Role::Workload | Role::NfsProvisioner => continue,
            Role::Minio => "data",
            Role::NodeExporter => "http-metrics",
            _ => "http",
        };
        // Under `bare` kube-state-metrics names its port after itself.
        let Some(port) = component.port(port).or_else(|| component.ports.first()) else { continue };
        let group = cluster.prometheus.get(component.group).filter(|_| component.role == Role::Prometheus);
        let service = component.headless.clone().or_else(|| component.service.clone());
        let targets = |sidecar: bool| -> Vec<String> {
            let processes = cluster.local.iter().flat_map(|local| local.of(component, sidecar));
            processes.map(Process::http_address).collect()
        };
        let entry = Component {
            job: component.role.job().to_string(),
            group: group.and_then(|group| group.name.clone()),
            namespace: component.namespace.clone(),
            services: service.into_iter().collect(),
            selector: component.selector.clone(),
            port_name: port.name.to_string(),
            port: port.number,
            path: (component.role == Role::Minio).then(|| "/minio/v2/metrics/cluster".to_string()),
            tls: false,
            replicas: component.replicas.value,
            annotated: cluster.bare && component.role == Role::KubeStateMetrics,
            external: false,
            targets: targets(false),
            span: Some(component.span),
        };
        if group.is_some_and(|group| group.sidecar) {
            out.push(Component {
                job: "thanos-sidecar".to_string(),
                port_name: "http-sidecar".to_string(),
                port: 10902,
                targets: targets(true),
                ..entry.clone()
            });
        }
        out.push(entry);
    }
    let topology = &cluster.topology;
    let mut elsewhere = |job: &str, namespace: Option<&str>, port: u16| {
        out.push(Component {
            job: job.to_string(),
            namespace: namespace.unwrap_or(&cluster.namespace).to_string(),
            services: vec![job.to_string()],
            port,
            external: true,
            ..Component::default()
        });
    };
    if let Some(node) = topology.kube_state_metrics.as_ref().filter(|node| is_external(&node.external)) {
        elsewhere("kube-state-metrics", node.namespace.as_ref().map(|n| n.value.as_str()), 8080);
    }
    if let Some(node) = topology.node_exporter.as_ref().filter(|node| is_external(&node.external)) {
        elsewhere("node-exporter", node.namespace.as_ref().map(|n| n.value.as_str()), 9100);
    }
    out
}
