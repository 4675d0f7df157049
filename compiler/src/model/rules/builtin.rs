//! The alerts and recording rules that come with the compiler, for what is deployed.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::placement::View;
use super::{Library, Place, Placed, RuleGroup, file};
use crate::diagnostic::Diagnostic;
use crate::embedded::ALERTS;
use crate::model::{Cluster, Role};
use crate::source::{MemoryWorld, Sources};
use crate::topology::nodes::prometheus::ReloadStrategy;

/// The embedded files, read.
struct Shipped {
    /// Name without `.yaml`, groups.
    files: Vec<(String, Vec<Arc<RuleGroup>>)>,
    /// What reading them said, for the tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests assert that it is nothing"))]
    found: Vec<Diagnostic>,
}

fn shipped() -> &'static Shipped {
    static SHIPPED: OnceLock<Shipped> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let (world, mut sources, mut found) = (MemoryWorld::default(), Sources::default(), Vec::new());
        let mut library = Library::new(&world, &mut sources);
        let files = ALERTS
            .iter()
            .map(|(name, text)| {
                let name = name.trim_end_matches(".yaml").to_string();
                let source = format!("builtin-{name}");
                let groups = file::read(&mut library, u32::MAX, &source, text, &mut found)
                    .into_iter()
                    .map(|mut group| {
                        forget_places(&mut group);
                        group.write();
                        Arc::new(group)
                    })
                    .collect();
                (name, groups)
            })
            .collect();
        Shipped { files, found }
    })
}

/// Built-in rules stand in no file of the user.
fn forget_places(group: &mut RuleGroup) {
    group.span = None;
    for rule in &mut group.rules {
        (rule.span, rule.expr_span) = (None, None);
        rule.labels.iter_mut().chain(&mut rule.annotations).for_each(|pair| pair.span = None);
        rule.wait.iter_mut().chain(&mut rule.keep_firing_for).for_each(|delay| delay.span = None);
    }
}

/// Whether the file is about something that this cluster deploys.
pub fn is_deployed(cluster: &Cluster, file: &str) -> bool {
    let has = |role| cluster.first(role).is_some();
    match file {
        "prometheus" => has(Role::Prometheus),
        "sidecar" => cluster.prometheus.iter().any(|group| group.sidecar),
        "reloader" => cluster.prometheus.iter().any(|group| group.reload.value == ReloadStrategy::Sidecar),
        "store" => has(Role::Store),
        "compact" => has(Role::Compact),
        "query" => has(Role::Query),
        "query-frontend" => has(Role::QueryFrontend),
        "ruler" => has(Role::Ruler),
        "receive" => has(Role::Receive),
        "alertmanager" => has(Role::Alertmanager),
        "kube-state-metrics" => has(Role::KubeStateMetrics),
        "node-exporter" => has(Role::NodeExporter),
        "minio" => has(Role::Minio),
        "bucket" => cluster.topology.bucket.is_some(),
        "watchdog" | "recording" => true,
        _ => false,
    }
}

/// The built-in groups of a cluster; an alert that the user has under the same name gives way.
pub(super) fn groups(cluster: &Cluster, own: &[Placed], diagnostics: &mut Vec<Diagnostic>) -> Vec<Placed> {
    let wanted = cluster.profile.or_flag(cluster.topology.alerts.as_ref(), "monitoring.alerts");
    if !wanted.value {
        return Vec::new();
    }
    let view = View::new(cluster);
    if view.servers.is_empty() && !view.ruler {
        return Vec::new();
    }
    let taken: BTreeSet<&str> =
        own.iter().flat_map(|placed| &placed.group.rules).map(|rule| rule.name.as_str()).collect();
    let mut groups = Vec::new();
    let mut left_out: Vec<&str> = Vec::new();
    for (file, shipped) in &shipped().files {
        if !is_deployed(cluster, file) {
            continue;
        }
        for group in shipped {
            let spread = view.sharded || view.servers.len() > 1;
            let (place, reason) = match group.name.as_str() {
                _ if view.servers.is_empty() => (Place::Ruler, "no Prometheus evaluates rules"),
                "watchdog" if view.ruler => (Place::Both, "each proves its own way to Alertmanager"),
                "recording" => (Place::Local, "its series add up over Prometheus"),
                name if !name.ends_with("-global") => (Place::Local, "each alert judges one target"),
                _ if !spread => (Place::Local, "one Prometheus scrapes everything"),
                _ if view.ruler => (Place::Ruler, "its alerts compare targets of several Prometheus"),
                _ if view.sharded => {
                    left_out.extend(group.rules.iter().map(|rule| rule.name.as_str()));
                    continue;
                }
                _ => (Place::Local, "there is no ruler"),
            };
            let mut group = group.clone();
            if group.rules.iter().any(|rule| taken.contains(rule.name.as_str())) {
                let changed = Arc::make_mut(&mut group);
                changed.rules.retain(|rule| !taken.contains(rule.name.as_str()));
                changed.write();
            }
            if !group.rules.is_empty() {
                groups.push(Placed { group, place, reason: reason.to_string(), builtin: true });
            }
        }
    }
    if !left_out.is_empty() {
        let shards = view.servers.iter().find_map(|group| group.node.shards.as_ref());
        diagnostics.push(
            Diagnostic::info(
                "SHD013",
                shards.map(|shards| shards.count.span),
                format!(
                    "{} built-in alerts compare targets of several shards and are left out",
                    left_out.len()
                ),
            )
            .help(format!("add `ruler`, which sees all shards, to have {}", left_out.join(", "))),
        );
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_rules_are_read_without_findings() {
        let Shipped { files, found } = shipped();
        let serious: Vec<_> =
            found.iter().filter(|finding| finding.severity != crate::diagnostic::Severity::Info).collect();
        assert_eq!(files.len(), ALERTS.len());
        assert!(serious.is_empty(), "{serious:#?}");
        assert!(files.iter().all(|(_, groups)| !groups.is_empty()));
    }
}
