//! Hardened presets for the components of the topology: one job each, found by Service and port name.

use std::collections::BTreeSet;

use super::build::Draft;
use super::config::{KubernetesSd, Limits, ScrapeConfig, SdRole, SdSelector, StaticConfig};
use super::kubernetes::{port_name, port_number, set_port};
use super::rule::{Rule, any_of};
use super::sharding::Sharding;
use super::{Component, Surroundings};
use crate::diagnostic::Diagnostic;
use crate::topology::nodes::scrape::{Preset, Scrape};

/// Port names that exporters deployed by others use.
const USUAL_PORTS: [&str; 3] = ["http", "http-metrics", "metrics"];

/// The job name of a preset where the user gives none.
pub(super) fn job_name(preset: Preset) -> &'static str {
    match preset {
        Preset::Itself => "prometheus",
        other => other.word(),
    }
}

/// The jobs of a preset that scrapes components; reports when there is nothing to scrape.
pub(super) fn drafts(
    scrape: &Scrape,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Draft> {
    let preset = scrape.preset.value;
    let wanted = |component: &Component| match preset {
        Preset::Itself => component.job == "prometheus" && component.group == around.group,
        Preset::Thanos => component.job.starts_with("thanos-"),
        other => component.job == other.word(),
    };
    let found: Vec<&Component> = around.components.iter().filter(|component| wanted(component)).collect();
    let names: BTreeSet<&str> = found.iter().map(|component| component.job.as_str()).collect();
    if names.is_empty() {
        let help = match preset {
            Preset::Itself => "this group is not among the things that are deployed".to_owned(),
            Preset::Thanos => "add `query`, `store` or `bucket`, or remove this line".to_owned(),
            Preset::KubeStateMetrics | Preset::NodeExporter => format!(
                "add `{0}`, or `{0} external=#true namespace=…` when somebody else runs it",
                preset.word()
            ),
            _ => format!("add `{}`, or name its addresses with `static`", preset.word()),
        };
        diagnostics.push(
            Diagnostic::error(
                "DSC014",
                scrape.span,
                format!("nothing to scrape: there is no {}", preset.word()),
            )
            .help(help),
        );
    }
    let job = |name: &str| {
        let parts: Vec<&Component> = found.iter().copied().filter(|part| part.job == name).collect();
        draft(name, &parts, scrape, around)
    };
    names.into_iter().map(job).collect()
}

/// One job for all components of one job name.
fn draft(name: &str, parts: &[&Component], scrape: &Scrape, around: &Surroundings) -> Draft {
    let config = ScrapeConfig {
        metrics_path: parts.iter().find_map(|part| part.path.clone()),
        scheme: parts.iter().any(|part| part.tls).then(|| "https".into()),
        // Its metrics are about other objects: their namespace and pod are not those of the exporter.
        honor_labels: (name == "kube-state-metrics").then_some(true),
        ..ScrapeConfig::default()
    };
    reach(name, parts, scrape, around, config)
}

/// Adds discovery and target labels for the pods of some components.
pub(super) fn reach(
    name: &str,
    parts: &[&Component],
    scrape: &Scrape,
    around: &Surroundings,
    mut config: ScrapeConfig,
) -> Draft {
    let addresses: Vec<String> = parts.iter().flat_map(|part| part.targets.iter().cloned()).collect();
    let mut sharding = Sharding::by_address();
    if !addresses.is_empty() || around.local {
        config.static_configs = vec![StaticConfig { targets: addresses, ..StaticConfig::default() }];
    } else {
        discover(&mut config, parts, scrape);
        if let Some(port) = port_number(scrape) {
            config.relabel_configs.push(set_port(port));
            sharding = Sharding::by(&["__meta_kubernetes_namespace", "__meta_kubernetes_pod_name"], 0);
        }
        config.relabel_configs.extend(labels(name));
    }
    Draft { sharding, component: Some(name.to_owned()), ..Draft::new(name, config) }
}

/// Discovery through Services where there are some, through pod labels otherwise.
fn discover(config: &mut ScrapeConfig, parts: &[&Component], scrape: &Scrape) {
    let mut ports: BTreeSet<&str> = parts.iter().map(|part| part.port_name.as_str()).collect();
    if let Some(port) = port_name(scrape) {
        ports = BTreeSet::from([port]);
    } else if ports.remove("") {
        ports.extend(USUAL_PORTS);
    }
    let port = any_of(ports);
    let namespaces: Vec<String> = parts.iter().map(|part| part.namespace.clone()).collect();
    let services: BTreeSet<&str> =
        parts.iter().filter_map(|part| part.services.first()).map(String::as_str).collect();
    let by_number = port_number(scrape).is_some();
    if parts.iter().all(|part| !part.services.is_empty()) {
        config.kubernetes_sd_configs = vec![KubernetesSd::new(SdRole::Endpointslice, &namespaces)];
        const SERVICE: &str = "__meta_kubernetes_service_name";
        const PORT: &str = "__meta_kubernetes_endpointslice_port_name";
        let keep = match (by_number, services.len()) {
            (true, _) => Rule::keep(&[SERVICE], &any_of(services)),
            (false, 1) => Rule::keep(&[SERVICE, PORT], &format!("{};{}", any_of(services), grouped(&port))),
            (false, _) => Rule::keep(&[SERVICE, PORT], &format!("({});{}", any_of(services), grouped(&port))),
        };
        config.relabel_configs.push(keep);
        return;
    }
    for part in parts {
        let mut discovery = KubernetesSd::new(SdRole::Pod, std::slice::from_ref(&part.namespace));
        let selector: Vec<String> = match part.selector.is_empty() {
            true => vec![format!("app.kubernetes.io/name={}", part.job)],
            false => part.selector.iter().map(|(label, value)| format!("{label}={value}")).collect(),
        };
        discovery.selectors =
            vec![SdSelector { role: SdRole::Pod, label: Some(selector.join(",")), field: None }];
        if !config.kubernetes_sd_configs.contains(&discovery) {
            config.kubernetes_sd_configs.push(discovery);
        }
    }
    if !by_number {
        config.relabel_configs.push(Rule::keep(&["__meta_kubernetes_pod_container_port_name"], &port));
    }
}

fn grouped(alternatives: &str) -> String {
    if alternatives.contains('|') { format!("({alternatives})") } else { alternatives.to_owned() }
}

/// Target labels: `instance` is unique in the job and survives a new address.
fn labels(name: &str) -> Vec<Rule> {
    const POD: &str = "__meta_kubernetes_pod_name";
    const NODE: &str = "__meta_kubernetes_pod_node_name";
    match name {
        // One pod per node: the node is what people look for, and it outlives the pod.
        "node-exporter" => vec![Rule::copy(NODE, "instance"), Rule::copy(NODE, "node")],
        "kube-state-metrics" => vec![Rule::copy(POD, "instance")],
        _ => vec![
            Rule::copy("__meta_kubernetes_namespace", "namespace"),
            Rule::copy(POD, "pod"),
            Rule::copy(POD, "instance"),
        ],
    }
}

/// Limits of a preset: far above what its targets expose when all is well.
pub(super) fn limits(preset: Preset) -> Limits {
    let (samples, open) = match preset {
        Preset::Cadvisor => (250_000, false),
        Preset::Apiserver => (500_000, false),
        Preset::KubeStateMetrics => (5_000_000, false),
        Preset::Federate => (2_000_000, false),
        Preset::NodeExporter | Preset::Blackbox => (20_000, false),
        // Whoever may create a pod decides what these answer.
        Preset::AnnotatedServices | Preset::Pods => (50_000, true),
        Preset::File => (100_000, true),
        _ => (100_000, false),
    };
    Limits {
        body_size_limit: open.then(|| "64MB".into()),
        sample_limit: Some(samples),
        label_limit: Some(100),
        label_name_length_limit: Some(512),
        label_value_length_limit: Some(8192),
        target_limit: open.then_some(50_000),
    }
}
