//! The runbook's chapter on alerts: one section for each of ours, under the anchor that the alert itself names.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::Value;

use crate::embedded::ALERTS;
use crate::model::rules::builtin::is_deployed;
use crate::model::{Cluster, Component, Role};
use crate::render::yaml;

/// One alert of a shipped file.
struct Alert {
    name: String,
    wait: String,
    severity: String,
    summary: String,
    description: String,
}

/// The alerts of every shipped file, by its name without ending.
fn shipped() -> &'static [(String, Vec<Alert>)] {
    static FILES: OnceLock<Vec<(String, Vec<Alert>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        ALERTS.iter().map(|(file, text)| (file.trim_end_matches(".yaml").to_string(), read(text))).collect()
    })
}

fn read(text: &str) -> Vec<Alert> {
    let documents = yaml::parse(text).unwrap_or_default();
    let groups = documents.iter().filter_map(|document| document.get("groups")?.as_array()).flatten();
    let rules = groups.filter_map(|group| group.get("rules")?.as_array()).flatten();
    rules
        .filter_map(|rule| {
            let text =
                |pointer: &str| rule.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string();
            Some(Alert {
                name: rule.get("alert")?.as_str()?.to_string(),
                wait: text("/for"),
                severity: text("/labels/severity"),
                summary: text("/annotations/summary"),
                description: plain(&text("/annotations/description")),
            })
        })
        .collect()
}

/// A description without Prometheus' templates: labels by name, values as N.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((inside, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        match inside.split_once("$labels.") {
            Some((_, label)) => {
                let label: String = label.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let _ = write!(out, "*{label}*");
            }
            None => out.push('N'),
        }
        rest = after;
    }
    out.push_str(rest);
    out.trim().to_string()
}

/// Whose alerts a file holds; `None` for what concerns all.
fn role(file: &str) -> Option<Role> {
    Some(match file {
        "alertmanager" => Role::Alertmanager,
        "compact" => Role::Compact,
        "kube-state-metrics" => Role::KubeStateMetrics,
        "minio" => Role::Minio,
        "node-exporter" => Role::NodeExporter,
        "prometheus" | "sidecar" | "reloader" => Role::Prometheus,
        "query" => Role::Query,
        "query-frontend" => Role::QueryFrontend,
        "receive" => Role::Receive,
        "ruler" => Role::Ruler,
        "store" => Role::Store,
        _ => return None,
    })
}

/// Adds the chapter, when the topology has our alerts.
pub(super) fn write(text: &mut String, cluster: &Cluster) {
    if !cluster.profile.flag("monitoring.alerts") {
        return;
    }
    text.push_str("\n## Alerts\n\nEach alert links to its section here.\n");
    for (file, alerts) in
        shipped().iter().filter(|(file, alerts)| !alerts.is_empty() && is_deployed(cluster, file))
    {
        let _ = write!(text, "\n### Alerts of {file}\n");
        if let Some(component) = role(file).and_then(|role| cluster.first(role)) {
            look(text, component);
        }
        for alert in alerts {
            section(text, alert);
        }
    }
}

/// The first two commands for anything that is wrong with a component.
fn look(text: &mut String, component: &Component) {
    let selector: Vec<String> =
        component.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let (namespace, selector) = (&component.namespace, selector.join(","));
    let _ = write!(
        text,
        "\nLook first:\n\n```sh\nkubectl -n {namespace} get pods -l {selector} -o wide\n\
         kubectl -n {namespace} logs -l {selector} --all-containers --tail=200\n```\n"
    );
}

fn section(text: &mut String, alert: &Alert) {
    let wait = match alert.wait.as_str() {
        "" | "0s" | "0m" => "at once".to_string(),
        wait => format!("after {wait}"),
    };
    let _ = write!(text, "\n#### {}\n\n{}, {wait}: {}.\n", alert.name, alert.severity, alert.summary);
    if !alert.description.is_empty() {
        let _ = writeln!(text, "{}", alert.description);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_become_words() {
        assert_eq!(
            plain("{{ $value | humanize }} drives of {{ $labels.instance }} {{"),
            "N drives of *instance*"
        );
    }

    #[test]
    fn every_shipped_alert_is_known_and_names_its_own_anchor() {
        let names: Vec<&str> =
            shipped().iter().flat_map(|(_, alerts)| alerts).map(|alert| alert.name.as_str()).collect();
        assert!(names.len() > 100 && names.contains(&"Watchdog"));
        for (file, text) in ALERTS {
            for name in read(text).iter().map(|alert| alert.name.to_lowercase()) {
                assert!(text.contains(&format!("runbook.md#{name}\n")), "{file}: {name}");
            }
        }
    }
}
