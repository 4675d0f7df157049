//! VER001: a flag that the chosen version does not have.

use crate::diagnostic::Diagnostic;
use crate::facts::{Component, FlagStatus, Program, Version, flag_status};
use crate::model::{Cluster, Model};

fn program(cluster: &Cluster, component: &str) -> Option<(Program, Version)> {
    let versions = &cluster.versions;
    let thanos = |component| Some((Program::Thanos(component), versions.thanos));
    match component {
        "prometheus" => Some((Program::Prometheus, versions.prometheus)),
        "sidecar" => thanos(Component::Sidecar),
        "store" => thanos(Component::Store),
        "compact" => thanos(Component::Compact),
        "query" => thanos(Component::Query),
        "frontend" => thanos(Component::QueryFrontend),
        "ruler" => thanos(Component::Rule),
        "receive" | "receive-router" => thanos(Component::Receive),
        "alertmanager" => Some((Program::Alertmanager, versions.alertmanager)),
        "kube-state-metrics" => Some((Program::KubeStateMetrics, versions.kube_state_metrics)),
        "node-exporter" => Some((Program::NodeExporter, versions.node_exporter)),
        _ => None,
    }
}

/// Flags that `args` adds.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for args in &cluster.topology.args {
            let Some((program, version)) = program(cluster, &args.component.value) else { continue };
            for node in &args.flags {
                let flag =
                    if node.name.starts_with('-') { node.name.clone() } else { format!("--{}", node.name) };
                let (message, help) = match flag_status(&program, version, &flag) {
                    FlagStatus::Known | FlagStatus::Deprecated { .. } => continue,
                    FlagStatus::NotYet { since } => (
                        format!("{program} {version} does not have {flag} yet"),
                        format!("it came with {since}: raise the version in `target`"),
                    ),
                    FlagStatus::Removed { last, instead } => (
                        format!("{program} {version} does not have {flag} any more"),
                        match instead {
                            Some(instead) => format!("{last} was the last version with it; now {instead}"),
                            None => format!("{last} was the last version with it: remove it"),
                        },
                    ),
                    FlagStatus::Unknown { suggestion } => (
                        format!("{program} {version} has no flag {flag}"),
                        suggestion.map_or_else(
                            || "check the spelling".to_string(),
                            |flag| format!("did you mean `{flag}`?"),
                        ),
                    ),
                };
                diagnostics.push(Diagnostic::error("VER001", node.name_span, message).help(help));
            }
        }
    }
}
