//! What a Prometheus group scrapes: from `scrape` nodes to jobs in which nothing is left open.
//!
//! Two forms exist. The hardened one discovers through EndpointSlices and nodes, keeps named ports only, gives every
//! target a unique `instance` and every job limits. The bare one writes what a tutorial writes, and findings are remarks.

mod bare;
mod build;
pub mod config;
mod declared;
mod estimate;
mod findings;
mod kubernetes;
pub mod permissions;
mod presets;
mod raw;
mod refine;
mod relabelling;
pub mod rule;
mod sharding;
mod symbolic;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use prom_model::PromDuration;

use super::shards::ShardPlan;
use crate::diagnostic::{Diagnostic, Severity};
use crate::facts::Version;
use crate::source::Span;
use crate::topology::nodes::prometheus::Prometheus;
use crate::topology::nodes::scrape::{Preset, Scheme};
use config::{Limits, ScrapeConfig};
pub use findings::unscraped;
pub use permissions::{PolicyRule, permissions};
pub use sharding::{Sharding, hash_rule, keep_rule};

/// Everything outside the `prometheus` node that its jobs depend on.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Namespace of the group.
    pub namespace: String,
    /// Name of the group, when there are several.
    pub group: Option<String>,
    /// Whether jobs are written as a tutorial writes them.
    pub bare: bool,
    /// Whether the group runs as plain processes on one machine: there is no Kubernetes to ask.
    pub local: bool,
    /// Kubernetes version.
    pub kubernetes: Version,
    /// Prometheus version.
    pub prometheus: Version,
    /// How targets are divided.
    pub plan: ShardPlan,
    /// Label that tells replicas apart.
    pub replica_label: String,
    /// Names of all other external labels, the shard label among them.
    pub external_labels: Vec<String>,
    /// Scrape interval of the group.
    pub interval: PromDuration,
    /// Scrape timeout of the group.
    pub timeout: PromDuration,
    /// What runs beside the group and can be scraped.
    pub components: Vec<Component>,
    /// Sizes for estimates.
    pub sizes: Sizes,
    /// Limits that replace the presets' own, field by field.
    pub limits: Limits,
    /// Folder below which Secrets are mounted, `SECRETS_DIR/NAME/KEY`.
    pub secrets_dir: String,
}

/// Numbers of things, as far as the user told them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Kubernetes nodes.
    pub nodes: Option<u32>,
    /// Pods.
    pub pods: Option<u32>,
    /// Series that one pod's application exposes.
    pub series_per_pod: Option<u32>,
}

/// Something that runs and can be scraped. Several entries of one job name become one job.
#[derive(Debug, Clone, Default)]
pub struct Component {
    /// Job name: `prometheus`, `thanos-sidecar`, `thanos-store`, `alertmanager`, `kube-state-metrics`, `blackbox`, …
    pub job: String,
    /// Prometheus group that it belongs to, for `prometheus`.
    pub group: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Services in front of its pods, each of which selects all of them; one is enough.
    pub services: Vec<String>,
    /// Labels of its pods, for discovery without a Service.
    pub selector: BTreeMap<String, String>,
    /// Name of the metrics port; empty when somebody else deployed it and nobody knows.
    pub port_name: String,
    /// Number of the metrics port, as the Service has it.
    pub port: u16,
    /// Metrics path, when it is not `/metrics`.
    pub path: Option<String>,
    /// `https` targets.
    pub tls: bool,
    /// Replicas, for estimates.
    pub replicas: u32,
    /// Whether its Service carries `prometheus.io/scrape`, so that annotation discovery finds it too.
    pub annotated: bool,
    /// Deployed by somebody else.
    pub external: bool,
    /// Fixed addresses `host:port` that replace discovery: processes on this machine.
    pub targets: Vec<String>,
    /// The node of the topology.
    pub span: Option<Span>,
}

/// One resolved scrape job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Job name.
    pub name: String,
    /// The preset that it came from.
    pub preset: Preset,
    /// The `scrape` node.
    pub span: Span,
    /// The job without shard rules.
    pub config: ScrapeConfig,
    /// How its targets are divided over the shards.
    pub sharding: Sharding,
    /// Scrape interval in force.
    pub interval: PromDuration,
    /// Scrape timeout in force.
    pub timeout: PromDuration,
    /// Active series of all targets together; `None` when nothing is known about them.
    pub series: Option<u64>,
    /// What its discovery and its requests need from the Kubernetes API.
    pub permissions: Vec<PolicyRule>,
    /// Secrets that must be mounted: name and key.
    pub secrets: Vec<(String, String)>,
    /// Job name of the component that it scrapes, if it is one of the topology's.
    pub component: Option<String>,
}

impl Job {
    /// The configuration on one shard with its shard rules in place; `None` when another shard has the job.
    pub fn on_shard(&self, plan: &ShardPlan, shard: u32) -> Option<ScrapeConfig> {
        let mut config = self.config.clone();
        if !plan.is_sharded() {
            return Some(config);
        }
        match &self.sharding {
            Sharding::Whole => {}
            Sharding::One(home) if *home == shard => {}
            Sharding::One(_) => return None,
            Sharding::Hashed { at, .. } => {
                let at = (*at).min(config.relabel_configs.len());
                let rules = self.sharding.rules(plan, shard);
                config.relabel_configs.splice(at..at, rules);
            }
        }
        Some(config)
    }

    /// URL scheme of the targets.
    pub fn scheme(&self) -> Scheme {
        match self.config.scheme.as_deref() {
            Some("https") => Scheme::Https,
            _ => Scheme::Http,
        }
    }

    /// Metrics path of the targets.
    pub fn path(&self) -> &str {
        self.config.metrics_path.as_deref().unwrap_or("/metrics")
    }
}

/// Resolves the jobs of a group, in the order of the topology.
pub fn jobs(node: &Prometheus, around: &Surroundings) -> (Vec<Job>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut jobs = Vec::new();
    for scrape in &node.scrapes {
        jobs.extend(build::jobs(scrape, around, &mut diagnostics));
    }
    if !around.bare {
        leave_out_coredns(&mut jobs);
    }
    sharding::assign(&mut jobs, node.shards.as_ref(), around, &mut diagnostics);
    findings::check(&jobs, around, &mut diagnostics);
    if around.bare {
        // What the language or Prometheus itself refuses stays an error; a tutorial's habits do not.
        for diagnostic in diagnostics.iter_mut().filter(|found| !found.code.starts_with("KDL")) {
            diagnostic.severity = Severity::Info;
        }
    }
    (jobs, diagnostics)
}

/// kubeadm annotates the Service of CoreDNS: where it has its own job, annotation discovery must not find it again.
fn leave_out_coredns(jobs: &mut [Job]) {
    let discovers = |job: &Job, preset| job.preset == preset && !job.config.kubernetes_sd_configs.is_empty();
    if !jobs.iter().any(|job| discovers(job, Preset::Coredns)) {
        return;
    }
    for job in jobs.iter_mut().filter(|job| discovers(job, Preset::AnnotatedServices)) {
        let labels = ["__meta_kubernetes_namespace", "__meta_kubernetes_service_name"];
        // Behind the shard rules: what is hashed stays what it was.
        let at = job.config.relabel_configs.len().min(2);
        job.config.relabel_configs.insert(at, rule::Rule::drop(&labels, "kube-system;kube-dns"));
    }
}
