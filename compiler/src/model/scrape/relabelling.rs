//! Which targets and metrics a `scrape` node keeps, and which labels they get.

use super::config::SdRole;
use super::rule::{Rule, any_of, meta_name};
use super::{Job, Surroundings};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::topology::decode::Written;
use crate::topology::nodes::scrape::{Match, Preset, Scrape};

/// Adds the rules of a `scrape` node behind those of its preset.
pub(super) fn apply(
    job: &mut Job,
    scrape: &Scrape,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let role = job.config.kubernetes_sd_configs.first().map(|sd| sd.role);
    for rule in &scrape.matches {
        match role {
            Some(role) => job.config.relabel_configs.extend(keeps(rule, role)),
            None => diagnostics.push(
                Diagnostic::error(
                    "KDL007",
                    rule.span,
                    "`match` needs discovery, and these targets are fixed",
                )
                .help("remove it, or use `relabel keep`"),
            ),
        }
    }
    if let Some(labels) = &scrape.keep_labels {
        match role {
            Some(role) => {
                let names: Vec<String> = labels.names.iter().map(|name| meta_name(&name.value)).collect();
                let names = any_of(names.iter().map(String::as_str));
                let object = if job.preset == Preset::AnnotatedServices { "service" } else { object(role) };
                let regex = format!("__meta_kubernetes_{object}_label_({names})");
                job.config.relabel_configs.push(Rule::labelmap(&regex));
            }
            None => diagnostics.push(
                Diagnostic::error(
                    "KDL007",
                    labels.span,
                    "`keep-labels` needs discovery, and these targets are fixed",
                )
                .help("write the labels behind `static`: `static \"host:port\" team=a`"),
            ),
        }
        for name in &labels.names {
            clash(&meta_name(&name.value), name.span, around, diagnostics);
        }
    }
    for node in &scrape.relabels {
        job.config.relabel_configs.extend(checked(Rule::from(node), node.span, around, diagnostics));
        if let Some(to) = &node.to {
            clash(&to.value, to.span, around, diagnostics);
        }
    }
    let names = |names: &[Written<String>]| -> String {
        names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join("|")
    };
    let metrics = &mut job.config.metric_relabel_configs;
    if let Some(drop) = &scrape.drop_metrics {
        let rule = Rule::drop(&["__name__"], &names(&drop.names));
        metrics.extend(checked(rule, drop.span, around, diagnostics));
    }
    if let Some(keep) = &scrape.keep_metrics {
        let rule = Rule::keep(&["__name__"], &names(&keep.names));
        metrics.extend(checked(rule, keep.span, around, diagnostics));
    }
    for node in &scrape.metric_relabels {
        metrics.extend(checked(Rule::from(node), node.span, around, diagnostics));
    }
    for (name, _) in scrape.statics.iter().flat_map(|group| &group.labels) {
        clash(&name.value, name.span, around, diagnostics);
    }
}

/// The rule, unless Prometheus would refuse it.
fn checked(rule: Rule, span: Span, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
    match rule.compile(around.prometheus.major) {
        Ok(_) => Some(rule),
        Err(error) => {
            diagnostics.push(Diagnostic::error("KDL007", span, error).help(
                "the words are Prometheus' own: `from` source labels, `to` target label, Go regular expressions",
            ));
            None
        }
    }
}

/// Whether a target label is an external label too, and what then happens.
fn clash(name: &str, span: Span, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    if name == around.replica_label {
        diagnostics.push(
            Diagnostic::warning("IDN006", span, format!("`{name}` is the label that tells replicas apart"))
                .help("queries remove it to merge replicas, and these series with them: use another name"),
        );
    } else if around.external_labels.iter().any(|label| label == name) {
        diagnostics.push(
            Diagnostic::warning("IDN010", span, format!("`{name}` is an external label too"))
                .help("the target's value hides the external one: use another name"),
        );
    }
}

/// What carries annotations and labels for targets of a role.
fn object(role: SdRole) -> &'static str {
    match role {
        SdRole::Node => "node",
        SdRole::Service => "service",
        SdRole::Ingress => "ingress",
        SdRole::Pod | SdRole::Endpoints | SdRole::Endpointslice => "pod",
    }
}

/// The rules of one `match`.
fn keeps(rule: &Match, role: SdRole) -> Vec<Rule> {
    let object = match role {
        SdRole::Endpoints | SdRole::Endpointslice => "service",
        other => object(other),
    };
    let equals = rule.equals.as_ref().map(|text| text.value.0.as_str());
    let mut rules = Vec::new();
    if let Some(annotation) = &rule.annotation {
        let label = format!("__meta_kubernetes_{object}_annotation_{}", meta_name(&annotation.value));
        let usual = if annotation.value.ends_with("/scrape") { "true" } else { ".+" };
        rules.push(Rule::keep(&[&label], equals.unwrap_or(usual)));
    }
    if let Some(label) = &rule.label {
        let label = format!("__meta_kubernetes_{object}_label_{}", meta_name(&label.value));
        rules.push(Rule::keep(&[&label], equals.unwrap_or(".+")));
    }
    if let Some(namespace) = &rule.namespace {
        rules.push(Rule::keep(&["__meta_kubernetes_namespace"], &namespace.value));
    }
    if let Some(port) = &rule.port {
        let label = match role {
            SdRole::Endpoints => "__meta_kubernetes_endpoint_port_name",
            SdRole::Endpointslice => "__meta_kubernetes_endpointslice_port_name",
            SdRole::Service => "__meta_kubernetes_service_port_name",
            _ => "__meta_kubernetes_pod_container_port_name",
        };
        rules.push(Rule::keep(&[label], &port.value));
    }
    rules
}
